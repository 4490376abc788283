//! Running the real program on a fresh store: in a folder, and in an S3 server in this process.

use minisnap::{SnapStore, SnapshotBackend};
use minisnap_s3_server::{Conditions, S3Server};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// In a command's arguments: the place of the store.
pub(crate) const STORE: &str = "STORE";

static SERVER: LazyLock<S3Server> = LazyLock::new(|| S3Server::start(Conditions::Atomic));

/// Where a store is, and a folder for what else a test needs.
pub(crate) struct Place {
    pub(crate) store: String,
    /// Where its files are: those of the folder, or of the bucket's prefix.
    pub(crate) files: PathBuf,
    environment: Vec<(String, String)>,
    scratch: TempDir,
}

/// A store of each kind, with nothing in it.
pub(crate) fn places() -> [Place; 2] {
    [folder(), s3()]
}

/// A store in a folder that isn't there yet.
pub(crate) fn folder() -> Place {
    let scratch = TempDir::new().expect("a temporary folder");
    let files = scratch.path().join("state");
    Place { store: files.to_str().expect("text").into(), files, environment: Vec::new(), scratch }
}

/// A store in the shared server's bucket.
pub(crate) fn s3() -> Place {
    s3_on(&SERVER)
}

/// A store in a server's bucket.
pub(crate) fn s3_on(server: &S3Server) -> Place {
    static STORES: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("cli-{}", STORES.fetch_add(1, Ordering::Relaxed));
    let environment = server.options().into_iter().map(|(name, value)| (name.to_ascii_uppercase(), value));
    Place {
        store: server.url(&prefix),
        files: server.folder().join(&prefix),
        environment: environment.collect(),
        scratch: TempDir::new().expect("a temporary folder"),
    }
}

impl Place {
    /// The program with these arguments, with nothing in its environment but what the store needs.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_minisnap"));
        self.prepare(&mut command);
        command.args(self.args(args));
        command
    }

    /// `args` with the store in its place.
    pub(crate) fn args(&self, args: &[&str]) -> Vec<String> {
        args.iter().map(|arg| if *arg == STORE { self.store.clone() } else { (*arg).into() }).collect()
    }

    /// Gives a command the environment of the program.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).current_dir(self.scratch.path());
    }

    /// Changes a variable of the program's environment.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.into()));
    }

    /// Looks for the object store elsewhere.
    pub(crate) fn reach(&mut self, endpoint: &str) {
        self.set("AWS_ENDPOINT", endpoint);
    }

    /// Runs the program, with nothing on its standard input.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).stdin(Stdio::null()).output().expect("the program starts"))
    }

    /// Runs the program with an address space of so many KiB, of which its allocator reserves nothing for each thread.
    pub(crate) fn run_within(&self, kib: u64, args: &[&str]) -> Ran {
        let mut command = Command::new("sh");
        self.prepare(&mut command);
        command.env("MALLOC_ARENA_MAX", "1");
        command.args(["-c", "ulimit -v $0 && exec \"$@\"", &kib.to_string(), env!("CARGO_BIN_EXE_minisnap")]);
        Ran::of(command.args(self.args(args)).stdin(Stdio::null()).output().expect("the program starts"))
    }

    /// Runs the program with this on its standard input.
    pub(crate) fn feed(&self, args: &[&str], input: impl AsRef<[u8]>) -> Ran {
        let mut command = self.command(args);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it");
        // Who refuses the command line doesn't read it.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_ref());
        Ran::of(child.wait_with_output().expect("it ends"))
    }

    /// Makes a snapshot of this document.
    pub(crate) fn create(&self, seq: u64, json: &str) {
        self.feed(&["create", STORE, "--seq", &seq.to_string()], json).ok();
    }

    /// The store, without the program.
    pub(crate) fn open(&self) -> SnapStore<Arc<dyn SnapshotBackend>> {
        let options = self.environment.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        minisnap::open_with(&self.store, options).expect("a store")
    }

    /// The seqs of what is retained, newest first, by the library.
    pub(crate) fn seqs(&self) -> Vec<u64> {
        let history = runtime().block_on(async { self.open().history().await });
        history.expect("a history").iter().map(minisnap::Generation::seq).collect()
    }

    /// A path in a folder of the test's own, which is the program's working directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The same as text, for arguments.
    pub(crate) fn path_text(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().expect("text")
    }

    /// Writes a file there.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).expect("room for a file");
        self.path_text(name)
    }

    /// What `sed -i`, and most editors, do: a new file takes the name of one of the folder's.
    pub(crate) fn replace(&self, name: &str, content: &str) {
        fs::rename(self.write("new file", content), self.files.join(name)).expect("it can be replaced");
    }

    /// The folders of generations and stages, those of retired ones included.
    pub(crate) fn generations(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.files.join("snapshots")) else { return Vec::new() };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut folders: Vec<_> = paths.filter(|path| !path.is_symlink() && path.is_dir()).collect();
        folders.sort();
        folders
    }

    /// The `snapshot.json` of the generation with this seq.
    pub(crate) fn json_of(&self, seq: u64) -> PathBuf {
        let is_it = |folder: &PathBuf| name_of(folder).starts_with(&format!("{seq:020}-"));
        self.generations().into_iter().find(is_it).expect("a generation with this seq").join("snapshot.json")
    }
}

/// The last part of a path.
pub(crate) fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name that is text")
}

/// A runtime, for what a test asks the library.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A JSON document of about so many bytes, in the form of a snapshot.
pub(crate) fn document(bytes: usize) -> String {
    let line = format!("  \"{}\"", "0123456789".repeat(100));
    format!("[\n{}\n]", vec![line.as_str(); bytes / line.len()].join(",\n"))
}

/// What the program needs for itself, the stacks of its threads included, and for working on two of [`long_list`].
pub(crate) const MEMORY_KIB: u64 = 100_000;

/// A list of 5000 lists of 101 numbers, in each tenth of which one was changed by as much.
pub(crate) fn long_list(head: &str, changed: u64) -> String {
    let rest: String = (0..100).map(|n| format!(",{n}")).collect();
    let first = |n: u64| if n.is_multiple_of(10) { n + changed } else { n };
    let items: Vec<_> = (0..5000).map(|n| format!("[{}{rest}]", first(n))).collect();
    format!("[{head}{}]", items.join(","))
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What it printed, if all went well and it complained of nothing.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "it should have gone well: {self:?}");
        self.stdout
    }

    /// Its complaint, if it failed with this code, and said what and what to do.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "another exit code was expected: {self:?}");
        assert!(self.stderr.starts_with("error: ") && self.stderr.contains("\nto do: "), "{self:?}");
        assert!(!self.stderr.contains("::") && !self.stderr.contains('\x1b'), "no Rust, no colours: {self:?}");
        self.stderr
    }
}
