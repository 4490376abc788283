//! Child processes: a test starts its own binary again, for this test alone, with a role. The name of the test comes from its
//! function, so a renamed test needs no other change:
//!
//! ```text
//! #[test]
//! fn child_echoes_a_line() {
//!     if let Some(job) = child_process::job() {
//!         return job.send(job.receive()); // in the child process
//!     }
//!     let mut child = child_process::of(child_echoes_a_line).role("echo").start();
//!     child.send("hello");
//!     assert_eq!(child.receive(), "hello");
//!     child.finish();
//! }
//! ```
//!
//! A child never outlives its test. It is killed when its [`ChildProcess`] is dropped, ends when its standard input ends,
//! and aborts after a deadline.

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

const ROLE: &str = "MINISNAP_CHILD_ROLE";
const DEADLINE: &str = "MINISNAP_CHILD_DEADLINE";
const ARGUMENT: &str = "MINISNAP_CHILD_ARG_";
/// Prefix of each line that a child sends. The test harness in the child prints other lines.
pub(crate) const MARK: &str = "child: ";
/// The first line of each child.
const STARTED: &str = "started";

/// Returns the job of this process, if it is a child.
pub(crate) fn job() -> Option<Job> {
    let role = env::var(ROLE).ok()?;
    let deadline = Duration::from_secs(env::var(DEADLINE).ok()?.parse().expect("a deadline in seconds"));
    thread::spawn(move || {
        thread::sleep(deadline);
        eprintln!("a child process aborts after {deadline:?}");
        process::abort();
    });
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lines() {
            let _ = sender.send(line.expect("a line"));
        }
        // The parent has closed the other end.
        process::exit(1);
    });
    let job = Job { role, lines };
    job.send(STARTED);
    Some(job)
}

/// The connection to the parent, in a child.
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

    pub(crate) fn send(&self, line: impl Display) {
        // The test harness may have begun a line.
        let line = format!("\n{MARK}{line}\n");
        io::stdout().lock().write_all(line.as_bytes()).expect("a parent that reads");
    }

    /// Waits for the next line. Ends this process if the parent has ended.
    pub(crate) fn receive(&self) -> String {
        self.lines.recv().unwrap_or_else(|_| process::exit(1))
    }

    /// Returns the next line, if one has arrived.
    pub(crate) fn try_receive(&self) -> Option<String> {
        self.lines.try_recv().ok()
    }
}

/// Builds a child that runs `test`, which must call [`job`] first.
pub(crate) fn of<F: Fn()>(test: F) -> ChildBuilder {
    let path = any::type_name_of_val(&test);
    let (_, path) = path.split_once("::").expect("a path that begins with the crate's name");
    ChildBuilder {
        test: path.into(),
        program: env::current_exe().expect("this program"),
        variables: vec![(ROLE.into(), "child".into())],
        deadline: Duration::from_secs(120),
        cwd: None,
        user: None,
        umask: None,
    }
}

/// Runs all of `test` in a child. Returns `true` in the parent, which must return then, and `false` in the child.
///
/// A test needs this if other tests that start processes would disturb it. Between fork and exec, a new process holds all
/// open files of its parent. So the space of a deleted file stays in use, and its disk can't be made read-only.
pub(crate) fn run_in_child<F: Fn()>(test: F) -> bool {
    if env::var_os(ROLE).is_some() {
        job();
        return false;
    }
    of(test).start().finish().iter().for_each(|line| println!("{line}"));
    true
}

/// Prints a line from a test that [runs in a child](run_in_child).
pub(crate) fn print(line: impl Display) {
    println!("\n{MARK}{line}");
}

/// Builds a child process.
pub(crate) struct ChildBuilder {
    test: String,
    program: PathBuf,
    variables: Vec<(String, OsString)>,
    deadline: Duration,
    cwd: Option<PathBuf>,
    user: Option<u32>,
    umask: Option<&'static str>,
}

impl ChildBuilder {
    pub(crate) fn role(mut self, role: &str) -> Self {
        self.variables.push((ROLE.into(), role.into()));
        self
    }

    pub(crate) fn arg(mut self, name: &str, value: impl Display) -> Self {
        self.variables.push((format!("{ARGUMENT}{name}"), value.to_string().into()));
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.variables.push((format!("{ARGUMENT}dir"), dir.into()));
        self
    }

    /// Limits the run time of the child, and the time to wait for each of its lines.
    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    pub(crate) fn cwd(mut self, folder: &Path) -> Self {
        self.cwd = Some(folder.into());
        self
    }

    /// Runs the child as another user, who must be able to read `program`, a copy of this program. Needs root.
    pub(crate) fn user(mut self, id: u32, program: PathBuf) -> Self {
        (self.user, self.program) = (Some(id), program);
        self
    }

    pub(crate) fn umask(mut self, mask: &'static str) -> Self {
        self.umask = Some(mask);
        self
    }

    pub(crate) fn start(self) -> ChildProcess {
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
        let stdout = BufReader::new(child.stdout.take().expect("the child's output"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                if let Some(line) = line.expect("a line").strip_prefix(MARK) {
                    let _ = sender.send(line.to_owned());
                }
            }
        });
        let child = ChildProcess { test: self.test, child, stdin, lines, deadline: self.deadline };
        assert_eq!(child.receive(), STARTED, "the first line of a child");
        child
    }
}

/// A child process, in the parent.
pub(crate) struct ChildProcess {
    test: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    deadline: Duration,
}

impl ChildProcess {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn send(&mut self, line: impl Display) {
        let stdin = self.stdin.as_mut().expect("an open input");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("a child that reads");
    }

    /// Waits for the next line.
    pub(crate) fn receive(&self) -> String {
        let line = self.lines.recv_timeout(self.deadline);
        line.unwrap_or_else(|error| panic!("a child of {} sends no more lines: {error}", self.test))
    }

    /// Waits until the child has succeeded, and returns its remaining lines.
    pub(crate) fn finish(mut self) -> Vec<String> {
        let output = self.lines.iter().collect();
        let status = self.child.wait().expect("the child's exit status");
        assert!(status.success(), "a child of {} failed: {status}, after {output:?}", self.test);
        output
    }

    /// Kills the child, and returns its remaining lines.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("to kill the child");
        self.child.wait().expect("the child's exit status");
        self.lines.iter().collect()
    }

    /// Kills the child, but not the processes that it forked. Those end when the returned input is dropped.
    pub(crate) fn kill_and_keep_children(mut self) -> ChildStdin {
        self.child.kill().expect("to kill the child");
        self.child.wait().expect("the child's exit status");
        self.stdin.take().expect("an open input")
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // Fails if the child has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a condition holds. Panics after a timeout.
#[track_caller]
pub(crate) fn wait_until(description: &str, mut condition: impl FnMut() -> bool) {
    const TIMEOUT: Duration = Duration::from_secs(60);
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < TIMEOUT, "not true after {TIMEOUT:?}: {description}");
        thread::sleep(Duration::from_micros(50));
    }
}
