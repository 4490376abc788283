//! The parent's side of the hook `processes`: starts the test binary again as a child, and exchanges messages with it.
//!
//! 1. The test that runs a case sets its name for the thread of the case.
//! 2. [`Child::start`] starts the test binary with that test only, and with a variable that holds the name.
//! 3. The test finds the variable, and obeys the parent's commands instead of running the case.
//! 4. The child is killed when its handle is dropped, and it ends when its standard input is closed.

use super::{
    Hook, StoreUnderTest,
    child_commands::{Answer, Command, MARK},
};
use std::{
    cell::RefCell,
    env,
    io::{BufRead, BufReader, Read, Write},
    mem,
    process::{self, ChildStdin, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The variable that names the test whose child a process is.
const VARIABLE: &str = "MINISNAP_CONFORMANCE_CHILD";

thread_local! {
    static TEST: RefCell<Option<Arc<Test>>> = const { RefCell::new(None) };
}

/// Whether this process is a child of the test `name`.
pub(super) fn is_child_of(name: &str) -> bool {
    env::var(VARIABLE).is_ok_and(|test| test == name)
}

/// A test that can be started again in a child, and its children.
pub(super) struct Test {
    /// With the crate's name.
    name: &'static str,
    children: Mutex<Vec<Arc<Mutex<process::Child>>>>,
}

impl Test {
    pub(super) fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, children: Mutex::default() })
    }

    /// Sets the test of the case that runs on this thread.
    pub(super) fn enter(self: Arc<Self>) {
        TEST.set(Some(self));
    }

    /// Kills the children of a case that hangs.
    pub(super) fn kill_children(&self) {
        for child in lock(&self.children).iter() {
            // An error means that the child has ended.
            let _ = lock(child).kill();
        }
    }

    /// Starts this test again.
    fn start(&self) -> process::Child {
        // The test runner doesn't know the crate's name.
        let name = self.name.split_once("::").map_or(self.name, |(_, rest)| rest);
        let started = process::Command::new(env::current_exe().expect("a test knows its binary"))
            .args(["--exact", name, "--nocapture", "--include-ignored"])
            .env(VARIABLE, self.name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        started.expect("the test binary can be started again")
    }
}

/// A process that uses the store. It is killed when this is dropped.
pub(super) struct Child {
    process: Arc<Mutex<process::Child>>,
    commands: ChildStdin,
    answers: UnboundedReceiver<Answer>,
    /// What it has printed.
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Child {
    /// Starts a process that opens the store. [`ready`](Self::ready) waits until it has.
    ///
    /// # Panics
    ///
    /// Panics if this case doesn't run in a test of `conformance_tests!`, so that no child can be started.
    pub(super) fn start<T: StoreUnderTest>(store: &T) -> Self {
        let address = Hook::Processes.must(store.address());
        let test = TEST.with_borrow(Clone::clone).expect(
            "the hook `processes` needs the tests that `conformance_tests!` makes: a case that is called in another way can't start \
             the test again as a child",
        );
        let mut process = test.start();
        let (answered, answers) = unbounded_channel();
        let output = Arc::<Mutex<String>>::default();
        let commands = process.stdin.take().expect("its standard input is a pipe");
        let readers = vec![
            read_lines(process.stdout.take().expect("its standard output is a pipe"), &output, Some(answered)),
            read_lines(process.stderr.take().expect("its standard error is a pipe"), &output, None),
        ];
        let process = Arc::new(Mutex::new(process));
        lock(&test.children).push(process.clone());
        let mut child = Self { process, commands, answers, output, readers };
        child.send(&Command::Open { address });
        child
    }

    /// Waits until the process has opened the store.
    pub(super) async fn ready(&mut self) {
        let answer = self.answer().await;
        assert!(matches!(answer, Answer::Ready), "a process opens the store before all else, not: {answer:?}");
    }

    /// Sends a command, and returns the first answer to it.
    pub(super) async fn ask(&mut self, command: &Command) -> Answer {
        self.send(command);
        self.answer().await
    }

    /// Sends a command. If the process has ended, the next answer is a panic.
    pub(super) fn send(&mut self, command: &Command) {
        let line = serde_json::to_string(command).expect("a command is JSON");
        let _ = writeln!(self.commands, "{line}").and_then(|()| self.commands.flush());
    }

    /// Waits for the next answer.
    ///
    /// # Panics
    ///
    /// Panics with the output of the process, if it has ended.
    pub(super) async fn answer(&mut self) -> Answer {
        match self.answers.recv().await {
            Some(answer) => answer,
            None => self.panic_with_output(),
        }
    }

    /// Kills the process, waits for its end, and returns the answers that weren't received yet.
    ///
    /// # Panics
    ///
    /// Panics with the output of the process, if it has ended before.
    pub(super) fn kill(mut self) -> Vec<Answer> {
        let ended = lock(&self.process).try_wait().expect("a process can be waited for");
        if ended.is_some() {
            self.panic_with_output();
        }
        self.end();
        let mut rest = Vec::new();
        while let Ok(answer) = self.answers.try_recv() {
            rest.push(answer);
        }
        rest
    }

    fn panic_with_output(&mut self) -> ! {
        self.end();
        panic!("a process that uses the store failed; it printed:\n{}", lock(&self.output))
    }

    /// Kills the process, and waits until all its output was read.
    fn end(&mut self) {
        let mut process = lock(&self.process);
        // An error means that the process has ended.
        let _ = process.kill();
        let _ = process.wait();
        drop(process);
        for reader in mem::take(&mut self.readers) {
            let _ = reader.join();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads the lines of `from` on a thread: sends the answers to `answered`, and appends the others to `output`.
fn read_lines(
    from: impl Read + Send + 'static,
    output: &Arc<Mutex<String>>,
    answered: Option<UnboundedSender<Answer>>,
) -> JoinHandle<()> {
    let output = output.clone();
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            // The test runner's own text may precede an answer. A killed process may have written half of one.
            let answer = line.split_once(MARK).and_then(|(_, answer)| serde_json::from_str(answer).ok());
            match (answer, &answered) {
                (Some(answer), Some(answered)) => drop(answered.send(answer)),
                _ => lock(&output).extend([&*line, "\n"]),
            }
        }
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SnapshotBackend, async_trait, conformance::Capability};
    use std::time::Duration;

    /// A store that no process opens.
    struct NoStore;

    #[async_trait]
    impl StoreUnderTest for NoStore {
        async fn fresh() -> Self {
            Self
        }

        async fn open(&self) -> Arc<dyn SnapshotBackend> {
            unreachable!("the test opens no store")
        }

        async fn garbage(&self) -> Vec<String> {
            Vec::new()
        }

        fn lacks() -> &'static [Capability] {
            &[]
        }

        fn address(&self) -> Option<String> {
            Some(String::new())
        }
    }

    /// The child ignores that its standard input is closed, as if its runtime and its threads were blocked.
    #[test]
    fn child_is_killed_when_its_handle_is_dropped() {
        const TEST: &str = concat!(module_path!(), "::child_is_killed_when_its_handle_is_dropped");
        if is_child_of(TEST) {
            thread::sleep(Duration::from_secs(60));
            return;
        }
        Test::new(TEST).enter();
        let child = Child::start(&NoStore);
        let process = child.process.clone();
        assert!(lock(&process).try_wait().expect("a process can be waited for").is_none(), "the child runs");
        drop(child);
        assert!(lock(&process).try_wait().expect("a process can be waited for").is_some(), "the child has ended");
    }
}
