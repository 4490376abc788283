//! Runs a command until it returns, or until a signal interrupts it (Ctrl-C, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU). An
//! interrupted command's future is dropped, which discards its staged snapshot.

use crate::{
    exit::{Exit, Failure, Outcome},
    pending_change::PendingChange,
    stdio,
};
use minisnap::backend::run_blocking;
use std::{
    fs,
    future::{Future, pending},
    io, panic, process,
    sync::mpsc,
    thread,
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
    time::{sleep, timeout},
};

/// How long discarding the staged snapshot may take. After that, it is an orphan, which a later writer collects.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long printing the last message may take: standard error may block like standard output.
const REPORT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long an idle thread of the pool stays.
const FOREVER: Duration = Duration::from_secs(1 << 30);

/// Runs a command. `show_command` is the command that shows the current state, for the message of an interruption.
pub(crate) fn run(command: impl Future<Output = Outcome>, show_command: Option<String>) -> Outcome {
    let interruption = listen(show_command.clone()).map_err(unable)?;
    let runtime = start().map_err(unable)?;
    // Dropping the runtime waits for the work on its blocking pool, such as a commit that has begun.
    runtime.block_on(async {
        let done = tokio::select! {
            biased;
            Ok(exit) = interruption => Err(exit),
            done = command => Ok(done),
        };
        let _ = timeout(CLEANUP_TIMEOUT, tasks_have_ended()).await;
        done.unwrap_or_else(|exit| Err(interrupted(exit, show_command.as_deref())))
    })
}

/// Starts all threads that a command needs. If the system starts no thread, Tokio panics; with only some of several workers
/// started, it would then wait for ever. So there is one worker.
fn start() -> io::Result<Runtime> {
    // The panic is caught and reported as an error.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let started = panic::catch_unwind(|| {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_keep_alive(FOREVER).enable_all().build()?;
        // With one thread, the pool can run all later work, if necessary one after another.
        runtime.block_on(run_blocking(|| {}))?;
        Ok(runtime)
    });
    panic::set_hook(hook);
    started.unwrap_or_else(|_| Err(io::Error::other("the system starts no thread")))
}

/// The message of an interruption. Empty if nothing can have been changed.
fn interrupted(exit: Exit, show_command: Option<&str>) -> Failure {
    let what = match PendingChange::so_far() {
        PendingChange::None => return Failure::silent(exit),
        PendingChange::File => {
            return Failure::new(exit, "interrupted: the file is the complete old one or the complete restored one")
                .with_help("run the same command again to restore it");
        }
        PendingChange::Store => {
            "interrupted: the current snapshot is the old one, unless the commit of the new one had begun"
        }
        PendingChange::Retention => {
            "interrupted: the current snapshot is unchanged; the older ones are either all retained, or expired as requested"
        }
        PendingChange::Journal => "interrupted: the journal is intact; it was changed completely or not at all",
    };
    let failure = Failure::new(exit, what);
    match show_command {
        Some(show) => failure.with_help(format!("run {show} to see the current state")),
        None => failure,
    }
}

/// Listens to signals on a thread of its own. A command that blocks on its output can't handle them, and neither can a runtime
/// that shuts down. The receiver gets the first signal.
fn listen(show_command: Option<String>) -> io::Result<oneshot::Receiver<Exit>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _within = runtime.enter();
        Signals::listen()?
    };
    let (sender, interruption) = oneshot::channel();
    thread::Builder::new().spawn(move || runtime.block_on(async { signals.handle(sender, show_command).await }))?;
    Ok(interruption)
}

/// The signals that end the program after it has discarded its staged snapshot.
struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hang_up: Option<Signal>,
    quit: Option<Signal>,
    out_of_time: Option<Signal>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        // A write beyond the limit of a file's size (`ulimit -f`) raises SIGXFSZ, which by default ends the program. With a
        // handler, the write fails instead, like after any other error.
        drop(signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
        Ok(Self {
            interrupt: unless_ignored(SignalKind::interrupt(), false)?,
            terminate: unless_ignored(SignalKind::terminate(), false)?,
            hang_up: unless_ignored(SignalKind::hangup(), true)?,
            quit: unless_ignored(SignalKind::quit(), true)?,
            out_of_time: unless_ignored(SignalKind::from_raw(rustix::process::Signal::XCPU.as_raw()), true)?,
        })
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            () = next_of(&mut self.interrupt) => Exit::Interrupted,
            () = next_of(&mut self.terminate) => Exit::Terminated,
            () = next_of(&mut self.hang_up) => Exit::HungUp,
            () = next_of(&mut self.quit) => Exit::Quit,
            () = next_of(&mut self.out_of_time) => Exit::OutOfTime,
        }
    }

    /// Sends the first signal to the command. If the command can't react because its output is blocked, the program ends here:
    /// while a command prints, it has nothing staged. A second signal ends the program at once, without waiting for the
    /// cleanup or a disk that doesn't respond.
    async fn handle(&mut self, sender: oneshot::Sender<Exit>, show_command: Option<String>) {
        let exit = self.next().await;
        // Fails if the command has returned.
        let _ = sender.send(exit);
        tokio::select! {
            exit = self.next() => process::exit(exit as i32),
            () = stdio::stalled() => {}
        }
        let (done, wait) = mpsc::channel();
        let print = move || {
            interrupted(exit, show_command.as_deref()).print();
            let _ = done.send(());
        };
        if thread::Builder::new().spawn(print).is_ok() {
            let _ = wait.recv_timeout(REPORT_TIMEOUT);
        }
        process::exit(exit as i32);
    }
}

async fn next_of(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => pending().await,
    }
}

/// Listens to a signal, unless it was ignored when the program was started: `nohup` ignores SIGHUP, and a shell ignores
/// SIGQUIT for background jobs.
fn unless_ignored(kind: SignalKind, default: bool) -> io::Result<Option<Signal>> {
    if is_ignored(kind.as_raw_value()).unwrap_or(default) { Ok(None) } else { signal(kind).map(Some) }
}

/// `None` if the system doesn't report it. A signal that then counts as ignored keeps its default action: it ends the
/// program, and the next writer collects the orphan.
fn is_ignored(signal: i32) -> Option<bool> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(ignored.trim(), 16).ok()?;
    // The least bit is that of signal 1.
    Some(mask & 1 << (signal - 1) != 0)
}

/// A dropped or failed commit deletes its uploads in tasks of the runtime. They must end before the runtime shuts down. No
/// other tasks exist after the command's future was dropped.
async fn tasks_have_ended() {
    while Handle::current().metrics().num_alive_tasks() > 0 {
        sleep(Duration::from_millis(1)).await;
    }
}

fn unable(error: io::Error) -> Failure {
    Failure::new(Exit::CouldNotLook, "cannot start")
        .with_cause(&error)
        .with_help("check this user's limits of threads and open files (`ulimit -a`)")
}
