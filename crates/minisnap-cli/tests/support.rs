//! Runs the program on a new store, in a folder or on an S3 server in this process.

use minisnap::{FsBackend, SnapStore, SnapshotBackend, backend::CommitOptions};
use minisnap_object::ObjectBackend;
use minisnap_s3_server::{Conditions, S3Server};
use std::{
    fs::{self, File, FileTimes},
    io::Write,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// In a command's arguments: stands for the location of the store.
pub(crate) const STORE: &str = "STORE";

static SERVER: LazyLock<S3Server> = LazyLock::new(|| S3Server::start(Conditions::Atomic));

/// The location of a store, and a temporary folder for other files.
pub(crate) struct Sandbox {
    pub(crate) store: String,
    /// The folder with its files: the store itself, or the folder of the bucket's prefix.
    pub(crate) files: PathBuf,
    environment: Vec<(String, String)>,
    scratch: TempDir,
}

/// A sandbox for each kind of store.
pub(crate) fn sandboxes() -> [Sandbox; 2] {
    [folder(), s3()]
}

/// A sandbox for a store in a folder, which doesn't exist yet.
pub(crate) fn folder() -> Sandbox {
    let scratch = TempDir::new().expect("a temporary folder");
    let files = scratch.path().join("state");
    Sandbox { store: files.to_str().expect("text").into(), files, environment: Vec::new(), scratch }
}

/// A sandbox for a store in the shared server's bucket.
pub(crate) fn s3() -> Sandbox {
    s3_on(&SERVER)
}

/// A sandbox for a store in a server's bucket.
pub(crate) fn s3_on(server: &S3Server) -> Sandbox {
    static STORES: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("cli-{}", STORES.fetch_add(1, Ordering::Relaxed));
    let environment = server.options().into_iter().map(|(name, value)| (name.to_ascii_uppercase(), value));
    Sandbox {
        store: server.url(&prefix),
        files: server.folder().join(&prefix),
        environment: environment.collect(),
        scratch: TempDir::new().expect("a temporary folder"),
    }
}

impl Sandbox {
    /// Renames the store's folder, before it exists.
    pub(crate) fn rename(&mut self, name: &str) {
        self.files = self.path(name);
        self.store = self.path_text(name);
    }

    /// The program with these arguments. Its environment has only the variables that the store needs.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_minisnap"));
        self.prepare(&mut command);
        command.args(self.args(args));
        command
    }

    /// `args` with [`STORE`] replaced by the location.
    pub(crate) fn args(&self, args: &[&str]) -> Vec<String> {
        args.iter().map(|arg| if *arg == STORE { self.store.clone() } else { (*arg).into() }).collect()
    }

    /// Sets the environment and the working directory of a command.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).current_dir(self.scratch.path());
    }

    /// Sets a variable of the program's environment.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.into()));
    }

    /// A variable of the program's environment.
    pub(crate) fn variable(&self, name: &str) -> String {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found.expect("a variable that is set").1.clone()
    }

    /// Sets the endpoint of the object store.
    pub(crate) fn set_endpoint(&mut self, endpoint: &str) {
        self.set("AWS_ENDPOINT", endpoint);
    }

    /// Runs the program, with nothing on its standard input.
    pub(crate) fn run(&self, args: &[&str]) -> RunResult {
        RunResult::of(self.command(args).stdin(Stdio::null()).output().expect("the program starts"))
    }

    /// Runs the program with an address space of `kib` KiB. Its allocator reserves none of it for each thread.
    pub(crate) fn run_within(&self, kib: u64, args: &[&str]) -> RunResult {
        let mut command = Command::new("sh");
        self.prepare(&mut command);
        command.env("MALLOC_ARENA_MAX", "1");
        command.args(["-c", "ulimit -v $0 && exec \"$@\"", &kib.to_string(), env!("CARGO_BIN_EXE_minisnap")]);
        RunResult::of(command.args(self.args(args)).stdin(Stdio::null()).output().expect("the program starts"))
    }

    /// Runs the program with `input` on its standard input.
    pub(crate) fn run_with_input(&self, args: &[&str], input: impl AsRef<[u8]>) -> RunResult {
        let mut child = self.start_on_pipes(args);
        // Fails if the program ends without reading it.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_ref());
        RunResult::of(child.wait_with_output().expect("the program ends"))
    }

    /// Starts the program, with all three standard streams on pipes.
    pub(crate) fn start_on_pipes(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
    }

    /// Runs the program with an output that is full: each write to it fails with `ENOSPC`.
    pub(crate) fn run_onto_full_output(&self, args: &[&str]) -> RunResult {
        let full = File::options().write(true).open("/dev/full").expect("Linux");
        RunResult::of(self.command(args).stdin(Stdio::null()).stdout(full).output().expect("the program starts"))
    }

    /// Creates a snapshot. The program may print notes or warnings.
    pub(crate) fn create(&self, seq: u64, json: &str) {
        self.run_with_input(&["create", STORE, "--seq", &seq.to_string()], json).succeeds();
    }

    /// Commits any bytes with the library, as an older version could.
    pub(crate) fn commit(&self, seq: u64, bytes: &[u8]) {
        runtime().block_on(async {
            let mut staged = self.open().backend().stage(seq).await.expect("a stage");
            staged.write_all(bytes).expect("room for it");
            staged.commit(CommitOptions::new(NonZeroUsize::MAX)).await.expect("a snapshot");
        });
    }

    /// Opens the store with the library.
    pub(crate) fn open(&self) -> SnapStore<Arc<dyn SnapshotBackend>> {
        let options = self.environment.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let backend: Arc<dyn SnapshotBackend> = if self.store.starts_with("s3:") {
            Arc::new(ObjectBackend::open(&self.store, options).expect("an object store"))
        } else {
            Arc::new(FsBackend::new(&self.store))
        };
        SnapStore::with_backend(backend)
    }

    /// The retained seqs, newest first, read with the library.
    pub(crate) fn seqs(&self) -> Vec<u64> {
        let history = runtime().block_on(async { self.open().history().await });
        history.expect("a history").iter().map(minisnap::Generation::seq).collect()
    }

    /// A path in the temporary folder, which is the program's working directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The same as text, for arguments.
    pub(crate) fn path_text(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().expect("text")
    }

    /// Writes a file in the temporary folder.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).expect("room for a file");
        self.path_text(name)
    }

    /// Replaces a file of the store by renaming a new file, like `sed -i` and most editors.
    pub(crate) fn replace(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::rename(self.write("new file", content), self.files.join(name)).expect("a replaced file");
    }

    /// The folders of generations and stages, including expired ones.
    pub(crate) fn generations(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.files.join("snapshots")) else { return Vec::new() };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut folders: Vec<_> = paths.filter(|path| !path.is_symlink() && path.is_dir()).collect();
        folders.sort();
        folders
    }

    /// Sets the time of a generation's files. Returns whether the file system supports that time.
    pub(crate) fn set_time(&self, seq: u64, time: SystemTime) -> bool {
        let json = self.json_of(seq);
        for name in [&json, &json.with_file_name("snapshot.seq"), json.parent().expect("a folder")] {
            let file = File::open(name).expect("an existing file");
            file.set_times(FileTimes::new().set_modified(time)).expect("permission");
        }
        fs::metadata(json).and_then(|found| found.modified()).expect("a time") == time
    }

    /// The `snapshot.json` of the generation with this seq.
    pub(crate) fn json_of(&self, seq: u64) -> PathBuf {
        let has_seq = |folder: &PathBuf| name_of(folder).starts_with(&format!("{seq:020}-"));
        self.generations().into_iter().find(has_seq).expect("a generation with this seq").join("snapshot.json")
    }
}

/// The last part of a path.
pub(crate) fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name that is text")
}

/// A runtime for calls of the library.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A JSON document of about `bytes` bytes, formatted like a snapshot.
pub(crate) fn document(bytes: usize) -> String {
    let line = format!("  \"{}\"", "0123456789".repeat(100));
    format!("[\n{}\n]", vec![line.as_str(); bytes / line.len()].join(",\n"))
}

/// Enough memory for the program, the stacks of its threads, and a comparison of two [`long_list`]s.
pub(crate) const MEMORY_KIB: u64 = 100_000;

/// A list of 5000 lists of 101 numbers. In every tenth list, one number is increased by `changed`.
pub(crate) fn long_list(head: &str, changed: u64) -> String {
    let rest: String = (0..100).map(|n| format!(",{n}")).collect();
    let first = |n: u64| if n.is_multiple_of(10) { n + changed } else { n };
    let items: Vec<_> = (0..5000).map(|n| format!("[{}{rest}]", first(n))).collect();
    format!("[{head}{}]", items.join(","))
}

/// The exit code and output of the program.
#[derive(Debug)]
pub(crate) struct RunResult {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl RunResult {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Returns stdout. Panics if the program failed or printed to stderr, except the note about a new store.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, self.errors().as_str()), (Some(0), ""), "the program failed: {self:?}");
        self.stdout
    }

    /// Returns stdout. Panics if the program failed; notes and warnings are allowed.
    #[track_caller]
    pub(crate) fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "the program failed: {self:?}");
        self.stdout
    }

    /// Returns the only line of stderr, which must be of this kind (`note` or `warning`), and stdout.
    #[track_caller]
    pub(crate) fn note_or_warning(self, kind: &str) -> (String, String) {
        assert_eq!((self.code, self.stderr.lines().count()), (Some(0), 1), "expected one line on stderr: {self:?}");
        let line = self.stderr.strip_prefix(kind).and_then(|text| text.strip_prefix(": ")).map(str::to_owned);
        (line.expect("a line of this kind"), self.stdout)
    }

    /// Checks that it ended with this code and printed nothing to stderr.
    #[track_caller]
    pub(crate) fn is_silent(&self, code: i32) {
        assert_eq!((self.code, self.stderr.as_str()), (Some(code), ""), "stderr should be empty: {self:?}");
    }

    /// Returns stderr. Panics unless the program failed with this code, and printed an error with help.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "another exit code was expected: {self:?}");
        let errors = self.errors();
        assert!(errors.starts_with("error: ") && errors.contains("\nhelp: "), "{self:?}");
        assert!(!errors.contains("::") && !errors.contains('\x1b'), "no Rust, no colours: {self:?}");
        errors
    }

    fn errors(&self) -> String {
        let lines = self.stderr.split_inclusive('\n');
        lines.filter(|line| !line.ends_with(": created a new store\n")).collect()
    }
}
