//! Version 0.1.1 as a program: the package in `minisnap-0.1.1`.

use super::{expected_output, state};
use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

/// Version 0.1.1, as a program that runs in its own process.
pub(super) struct Program {
    path: PathBuf,
}

/// Builds the program once, and returns it.
pub(super) fn old_version() -> &'static Program {
    static BUILT: OnceLock<Program> = OnceLock::new();
    BUILT.get_or_init(|| {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("minisnap-0.1.1/Cargo.toml");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("minisnap-0.1.1");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(package).arg("--target-dir").arg(&target);
        assert!(cargo.status().expect("cargo").success(), "cannot build version 0.1.1");
        Program { path: target.join("debug/minisnap-0-1-1") }
    })
}

impl Program {
    fn run(&self, command: &str, dir: &Path, args: &[&str]) -> String {
        let done = Command::new(&self.path).arg(command).arg(dir).args(args).output().expect("0.1.1");
        assert!(done.status.success(), "0.1.1 failed: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text").trim_end().to_owned()
    }

    pub(super) fn create(&self, dir: &Path, seq: u64) {
        assert_eq!(self.run("create", dir, &[&seq.to_string(), &state(seq).to_string()]), "");
    }

    #[track_caller]
    pub(super) fn assert_restores(&self, dir: &Path, seq: u64) {
        assert_eq!(self.run("restore", dir, &[]), expected_output(seq));
        assert_eq!(self.run("exists", dir, &[]), "true");
    }

    /// Starts a process that restores repeatedly.
    pub(super) fn watch(&self, dir: &Path) -> Watcher {
        let mut command = Command::new(&self.path);
        command.arg("watch").arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        Watcher { child: command.spawn().expect("0.1.1") }
    }
}

/// A process of version 0.1.1 that restores repeatedly.
pub(super) struct Watcher {
    child: Child,
}

impl Watcher {
    /// Waits for the first restore.
    pub(super) fn wait(&mut self) {
        let mut byte = [0];
        self.child.stdout.as_mut().expect("the output of the child").read_exact(&mut byte).expect("a result");
    }

    /// Lets the process restore a last time. Returns each result that differs from the previous result, without the first
    /// byte, and the number of restores.
    pub(super) fn end(mut self) -> (String, u64) {
        drop(self.child.stdin.take());
        let mut found = String::new();
        self.child.stdout.as_mut().expect("the output of the child").read_to_string(&mut found).expect("text");
        assert!(self.child.wait().expect("the exit status").success());
        let (found, count) = found.trim_end().rsplit_once('\n').expect("two lines");
        let count = count.split(' ').nth(1).expect("a number").parse().expect("a number");
        (found.into(), count)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Fails if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
