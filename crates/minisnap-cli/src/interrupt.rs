//! Running a command until it is done, or until a signal ends it (Ctrl-C, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU): then its future
//! is dropped, which discards what it staged.

use crate::{
    exit::{Exit, Failure, Outcome},
    out,
    pending_change::PendingChange,
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

/// How long it may take to remove what was staged. Of a store that doesn't answer, a later writer collects it.
const CLEANING_UP: Duration = Duration::from_secs(10);

/// How long to wait until somebody was told why the program ends, where standard error may hang like standard output.
const TELLING: Duration = Duration::from_secs(1);

/// How long a thread of the pool stays without work.
const FOR_GOOD: Duration = Duration::from_secs(1 << 30);

/// Runs a command. `look` is a command that shows what is current, for a person who interrupts this one.
pub(crate) fn run(command: impl Future<Output = Outcome>, look: Option<String>) -> Outcome {
    let told = listen(look.clone()).map_err(unable)?;
    let runtime = start().map_err(unable)?;
    // When it is dropped, it waits for what is being done on its blocking pool: for a commit that is on its way, say.
    runtime.block_on(async {
        let done = tokio::select! {
            biased;
            Ok(exit) = told => Err(exit),
            done = command => Ok(done),
        };
        let _ = timeout(CLEANING_UP, tasks_have_ended()).await;
        done.unwrap_or_else(|exit| Err(interrupted(exit, look.as_deref())))
    })
}

/// Starts all threads that a command can't do without. Where the system starts none, Tokio panics; and with some of several
/// workers started, it would then wait for ever. So there is one, beside this thread.
fn start() -> io::Result<Runtime> {
    // A panic is told here.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let started = panic::catch_unwind(|| {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_keep_alive(FOR_GOOD).enable_all().build()?;
        // While the pool has a thread, it takes all that comes, one after the other if it must.
        runtime.block_on(run_blocking(|| {}))?;
        Ok(runtime)
    });
    panic::set_hook(hook);
    started.unwrap_or_else(|_| Err(io::Error::other("the system starts no thread")))
}

/// Nothing is told where nothing can have been changed.
fn interrupted(exit: Exit, look: Option<&str>) -> Failure {
    let what = match PendingChange::by_now() {
        PendingChange::None => return Failure::silent(exit),
        PendingChange::File => {
            return Failure::new(exit, "interrupted: the file is the old one or the restored one, whole")
                .advice("run the same command again if it shall be the restored one");
        }
        PendingChange::Store => {
            "interrupted: what is current is the old snapshot, unless a new one was just being committed"
        }
        PendingChange::Retention => {
            "interrupted: the current snapshot is untouched, and the older ones are all retained, or those that should expire \
             did"
        }
        PendingChange::Journal => "interrupted: the journal is whole, and was changed or not",
    };
    let failure = Failure::new(exit, what);
    match look {
        Some(look) => failure.advice(format!("if it matters which, {look} tells")),
        None => failure,
    }
}

/// Gives the first signal, from a thread of its own: a command that waits for whoever reads its output hears nothing, and
/// neither does a runtime that shuts down.
fn listen(look: Option<String>) -> io::Result<oneshot::Receiver<Exit>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _within = runtime.enter();
        Signals::listen()?
    };
    let (tell, told) = oneshot::channel();
    thread::Builder::new().spawn(move || runtime.block_on(async { signals.attend_to(tell, look).await }))?;
    Ok(told)
}

/// The signals that end a program, and leave it the time to clean up.
struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hang_up: Option<Signal>,
    quit: Option<Signal>,
    out_of_time: Option<Signal>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        // A write beyond the limit of a file's size (`ulimit -f`) raises it, and its default ends the program. Once it has a
        // handler, that write fails, and the command cleans up like after any other error.
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

    /// The first signal is the command's to hear. If it can't, because it is in the middle of printing and nobody reads that,
    /// the program ends here: while it prints, it has nothing staged. Who says it twice doesn't want to wait for the cleaning
    /// up, nor for a disk that hangs.
    async fn attend_to(&mut self, tell: oneshot::Sender<Exit>, look: Option<String>) {
        let exit = self.next().await;
        // Once the command is done, nobody listens.
        let _ = tell.send(exit);
        tokio::select! {
            exit = self.next() => process::exit(exit as i32),
            () = out::stalled() => {}
        }
        let (done, wait) = mpsc::channel();
        let tell = move || {
            interrupted(exit, look.as_deref()).tell();
            let _ = done.send(());
        };
        if thread::Builder::new().spawn(tell).is_ok() {
            let _ = wait.recv_timeout(TELLING);
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

/// Listens to a signal, unless it was ignored when the program was started: `nohup` does so for SIGHUP, and a shell for
/// SIGQUIT in the background.
fn unless_ignored(kind: SignalKind, in_doubt: bool) -> io::Result<Option<Signal>> {
    if is_ignored(kind.as_raw_value()).unwrap_or(in_doubt) { Ok(None) } else { signal(kind).map(Some) }
}

/// `None` where this can't be told. What counts as ignored then keeps what it does: it ends the program, and the next writer
/// cleans up.
fn is_ignored(signal: i32) -> Option<bool> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(ignored.trim(), 16).ok()?;
    // The least bit is that of signal 1.
    Some(mask & 1 << (signal - 1) != 0)
}

/// A dropped or failed commit removes what it uploaded in tasks of the runtime, which must not be shut down under them.
/// Nothing else is left when the command's future is gone: with the last of these go the client and its connections.
async fn tasks_have_ended() {
    while Handle::current().metrics().num_alive_tasks() > 0 {
        sleep(Duration::from_millis(1)).await;
    }
}

fn unable(error: io::Error) -> Failure {
    Failure::new(Exit::CouldNotLook, "cannot start")
        .cause(&error)
        .advice("see how many threads and open files this user may have (ulimit -a)")
}
