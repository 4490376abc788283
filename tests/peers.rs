//! Other processes, for the tests that need some: a test starts its own binary again, for itself alone, with a role to
//! play. Which function that is comes from the function itself, so it can be renamed freely:
//!
//! ```text
//! #[test]
//! fn two_can_talk() {
//!     if let Some(job) = peers::job() {
//!         return job.say(job.hear()); // in the other process
//!     }
//!     let mut peer = peers::of(two_can_talk).role("echo").start();
//!     peer.say("hello");
//!     assert_eq!(peer.hear(), "hello");
//!     peer.finish();
//! }
//! ```
//!
//! A peer never outlives its test: it is killed when its [`Peer`] is dropped, ends by itself when that is gone without a
//! word, and after a deadline in any case.

use std::{
    any, env,
    ffi::OsString,
    fmt::Display,
    io::{self, BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{self, Child, ChildStdin, Command, Stdio},
    str::FromStr,
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

const ROLE: &str = "MINISNAP_PEER_ROLE";
const DEADLINE: &str = "MINISNAP_PEER_DEADLINE";
const ARGUMENT: &str = "MINISNAP_PEER_ARG_";
/// What a peer says begins with this; the test harness in it has things to say too.
pub(crate) const MARK: &str = "peer: ";
const HERE: &str = "here";

/// What this process was started to do, if it is a peer.
pub(crate) fn job() -> Option<Job> {
    let role = env::var(ROLE).ok()?;
    let deadline = Duration::from_secs(env::var(DEADLINE).ok()?.parse().expect("a deadline in seconds"));
    thread::spawn(move || {
        thread::sleep(deadline);
        eprintln!("a peer gives up after {deadline:?}");
        process::abort();
    });
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lines() {
            let _ = sender.send(line.expect("a line"));
        }
        // Nobody is there any more.
        process::exit(1);
    });
    let job = Job { role, lines };
    job.say(HERE);
    Some(job)
}

/// The peer's end.
pub(crate) struct Job {
    role: String,
    lines: Receiver<String>,
}

impl Job {
    pub(crate) fn role(&self) -> &str {
        &self.role
    }

    pub(crate) fn arg<T: FromStr>(&self, name: &str) -> T {
        let text = env::var(format!("{ARGUMENT}{name}")).unwrap_or_else(|error| panic!("argument {name}: {error}"));
        text.parse().unwrap_or_else(|_| panic!("argument {name}: {text:?}"))
    }

    /// The argument `dir`, a path.
    pub(crate) fn dir(&self) -> PathBuf {
        env::var_os(format!("{ARGUMENT}dir")).expect("argument dir").into()
    }

    pub(crate) fn say(&self, line: impl Display) {
        // The harness may have begun a line of its own.
        let line = format!("\n{MARK}{line}\n");
        io::stdout().lock().write_all(line.as_bytes()).expect("somebody who listens");
    }

    /// Waits for the next line. If the test is gone, this process ends.
    pub(crate) fn hear(&self) -> String {
        self.lines.recv().unwrap_or_else(|_| process::exit(1))
    }

    /// The next line, if there is one already.
    pub(crate) fn heard(&self) -> Option<String> {
        self.lines.try_recv().ok()
    }
}

/// A peer that starts at the beginning of `test`, which has to ask for its [`job`] there.
pub(crate) fn of<F: Fn()>(test: F) -> Start {
    let path = any::type_name_of_val(&test);
    let (_, path) = path.split_once("::").expect("a path that begins with the crate's name");
    Start {
        test: path.into(),
        program: env::current_exe().expect("this program"),
        variables: vec![(ROLE.into(), "peer".into())],
        deadline: Duration::from_secs(120),
        cwd: None,
        user: None,
        umask: None,
    }
}

/// Lets a peer do all of `test`: `true` for whoever started it and has nothing left to do, `false` for the peer.
///
/// For what mustn't happen in a process that starts others: until a new process is a program of its own, it holds every
/// file open that any thread had open, and neither can the room of a removed file be used nor its disk be made read-only.
pub(crate) fn did_it_alone<F: Fn()>(test: F) -> bool {
    if env::var_os(ROLE).is_some() {
        job();
        return false;
    }
    of(test).start().finish().iter().for_each(|line| println!("{line}"));
    true
}

/// Prints a line for people, from a test that is [done alone](did_it_alone).
pub(crate) fn print(line: impl Display) {
    println!("\n{MARK}{line}");
}

/// A peer to be.
pub(crate) struct Start {
    test: String,
    program: PathBuf,
    variables: Vec<(String, OsString)>,
    deadline: Duration,
    cwd: Option<PathBuf>,
    user: Option<u32>,
    umask: Option<&'static str>,
}

impl Start {
    pub(crate) fn role(mut self, role: &str) -> Self {
        self.variables.push((ROLE.into(), role.into()));
        self
    }

    pub(crate) fn arg(mut self, name: &str, value: impl Display) -> Self {
        self.variables.push((format!("{ARGUMENT}{name}"), value.to_string().into()));
        self
    }

    /// A variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.variables.push((format!("{ARGUMENT}dir"), dir.into()));
        self
    }

    /// How long it may run, and how long the test waits for a line from it.
    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    pub(crate) fn cwd(mut self, folder: &Path) -> Self {
        self.cwd = Some(folder.into());
        self
    }

    /// Runs as another user, from `program`, a copy of this one that the other may read. Needs root.
    pub(crate) fn user(mut self, id: u32, program: PathBuf) -> Self {
        (self.user, self.program) = (Some(id), program);
        self
    }

    pub(crate) fn umask(mut self, mask: &'static str) -> Self {
        self.umask = Some(mask);
        self
    }

    pub(crate) fn start(self) -> Peer {
        let mut command = match self.umask {
            Some(mask) => {
                let mut command = Command::new("sh");
                command.arg("-c").arg(format!("umask {mask}; exec \"$0\" \"$@\"")).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.args(["--exact", &self.test, "--nocapture", "--include-ignored"]);
        command.envs(self.variables).env(DEADLINE, self.deadline.as_secs().to_string());
        if let Some(folder) = self.cwd {
            command.current_dir(folder);
        }
        if let Some(id) = self.user {
            command.uid(id).gid(id);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                if let Some(line) = line.expect("a line").strip_prefix(MARK) {
                    let _ = sender.send(line.to_owned());
                }
            }
        });
        let peer = Peer { test: self.test, child, stdin, lines, deadline: self.deadline };
        assert_eq!(peer.hear(), HERE, "the first words of a peer");
        peer
    }
}

/// Another process, from the test's side.
pub(crate) struct Peer {
    test: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    deadline: Duration,
}

impl Peer {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn say(&mut self, line: impl Display) {
        let stdin = self.stdin.as_mut().expect("it was not let go");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("a peer that listens");
    }

    /// Waits for the next line it says.
    pub(crate) fn hear(&self) -> String {
        let line = self.lines.recv_timeout(self.deadline);
        line.unwrap_or_else(|error| panic!("a peer of {} says nothing more: {error}", self.test))
    }

    /// Waits until it has done its job well, and returns what it still had to say.
    pub(crate) fn finish(mut self) -> Vec<String> {
        let said = self.lines.iter().collect();
        let status = self.child.wait().expect("its end");
        assert!(status.success(), "a peer of {} failed: {status}, after {said:?}", self.test);
        said
    }

    /// Kills it, and returns what it had said until then.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("to kill it");
        self.child.wait().expect("its end");
        self.lines.iter().collect()
    }

    /// Kills it, and leaves its end of the line to the children it forked: they end when what is returned is dropped.
    pub(crate) fn kill_and_keep_children(mut self) -> ChildStdin {
        self.child.kill().expect("to kill it");
        self.child.wait().expect("its end");
        self.stdin.take().expect("it was not let go")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It fails if it has ended, and that is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so, and fails the test if it never comes to be.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(60);
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "after {PATIENCE:?} still not so: {what}");
        thread::sleep(Duration::from_micros(50));
    }
}
