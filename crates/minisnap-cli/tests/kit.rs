//! Running the real program on a fresh store: in a folder, and in an S3 server in this process.

use minisnap::{FsBackend, SnapStore, SnapshotBackend, backend::CommitOptions};
use minisnap_object::ObjectBackend;
use minisnap_s3_server::{Conditions, S3Server};
use std::{
    fs::{self, File, FileTimes},
    io::Write,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
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
    /// Calls the folder so.
    pub(crate) fn rename(&mut self, name: &str) {
        self.files = self.path(name);
        self.store = self.path_text(name);
    }

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

    /// Makes a snapshot of this document. It may remark on the seq.
    pub(crate) fn create(&self, seq: u64, json: &str) {
        self.feed(&["create", STORE, "--seq", &seq.to_string()], json).done();
    }

    /// Makes a snapshot of these bytes, whatever they are: as an older version of the library would.
    pub(crate) fn commit(&self, seq: u64, bytes: &[u8]) {
        runtime().block_on(async {
            let mut staged = self.open().backend().stage(seq).await.expect("a stage");
            staged.write_all(bytes).expect("room for it");
            staged.commit(CommitOptions::new(NonZeroUsize::MAX)).await.expect("a snapshot");
        });
    }

    /// The store, without the program.
    pub(crate) fn open(&self) -> SnapStore<Arc<dyn SnapshotBackend>> {
        let options = self.environment.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let backend: Arc<dyn SnapshotBackend> = if self.store.starts_with("s3:") {
            Arc::new(ObjectBackend::open(&self.store, options).expect("an object store"))
        } else {
            Arc::new(FsBackend::new(&self.store))
        };
        SnapStore::with_backend(backend)
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
    pub(crate) fn replace(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::rename(self.write("new file", content), self.files.join(name)).expect("it can be replaced");
    }

    /// The folders of generations and stages, those of expired ones included.
    pub(crate) fn generations(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.files.join("snapshots")) else { return Vec::new() };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut folders: Vec<_> = paths.filter(|path| !path.is_symlink() && path.is_dir()).collect();
        folders.sort();
        folders
    }

    /// Gives the files of the generation with this seq another time. Returns whether the file system knows such a time.
    pub(crate) fn set_time(&self, seq: u64, time: SystemTime) -> bool {
        let json = self.json_of(seq);
        for name in [&json, &json.with_file_name("snapshot.seq"), json.parent().expect("a folder")] {
            let file = File::open(name).expect("it is there");
            file.set_times(FileTimes::new().set_modified(time)).expect("it is ours");
        }
        fs::metadata(json).and_then(|found| found.modified()).expect("a time") == time
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

    /// What it printed, if all went well and it complained of nothing. That a store is new is no complaint.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, self.complaints().as_str()), (Some(0), ""), "it should have gone well: {self:?}");
        self.stdout
    }

    /// What it printed, if all went well, whatever it remarked.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "it should have gone well: {self:?}");
        self.stdout
    }

    /// What it printed, and its remark of this kind, if all went well.
    #[track_caller]
    pub(crate) fn remarks(self, kind: &str) -> (String, String) {
        assert_eq!((self.code, self.stderr.lines().count()), (Some(0), 1), "one remark, and no error: {self:?}");
        let remark = self.stderr.strip_prefix(kind).and_then(|text| text.strip_prefix(": ")).map(str::to_owned);
        (remark.expect("this kind of remark"), self.stdout)
    }

    /// If it ended with this code, it said nothing about it.
    #[track_caller]
    pub(crate) fn is_silent(&self, code: i32) {
        assert_eq!((self.code, self.stderr.as_str()), (Some(code), ""), "it should have said nothing: {self:?}");
    }

    /// Its complaint, if it failed with this code, and said what and what to do.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "another exit code was expected: {self:?}");
        let complaints = self.complaints();
        assert!(complaints.starts_with("error: ") && complaints.contains("\nhelp: "), "{self:?}");
        assert!(!complaints.contains("::") && !complaints.contains('\x1b'), "no Rust, no colours: {self:?}");
        complaints
    }

    fn complaints(&self) -> String {
        let lines = self.stderr.split_inclusive('\n');
        lines.filter(|line| !line.ends_with(": this makes a new store\n")).collect()
    }
}
