//! Running a command until it is done, or until Ctrl-C, SIGTERM or SIGHUP: then its future is dropped, which discards what it
//! staged.

use crate::{
    exit::{Exit, Failure, Outcome},
    out,
};
use minisnap::run_blocking;
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

/// How long it may take to remove what was staged. Of a store that doesn't answer, a later writer sweeps it.
const CLEANING_UP: Duration = Duration::from_secs(10);

/// How long to wait until somebody was told why the program ends, where standard error may hang like standard output.
const TELLING: Duration = Duration::from_secs(1);

/// How long a thread of the pool stays without work.
const FOR_GOOD: Duration = Duration::from_secs(1 << 30);

/// Runs a command. `look` is a command that shows what is current, for whoever interrupts this one.
pub(crate) fn run(command: impl Future<Output = Outcome>, look: Option<String>) -> Outcome {
    let told = listen(look.clone()).map_err(unable)?;
    let runtime = start().map_err(unable)?;
    // When it is dropped, it waits for what is being done on its blocking pool: for a publish that is on its way, say.
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

fn interrupted(exit: Exit, look: Option<&str>) -> Failure {
    let what = "interrupted: what is current is the old snapshot, unless a new one was just being published";
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

/// The signals that end a program.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Unless whoever started the program wants it to outlive the terminal.
    hang_up: Option<Signal>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: if may_hang_up() { Some(signal(SignalKind::hangup())?) } else { None },
        })
    }

    async fn next(&mut self) -> Exit {
        let hang_up = async {
            match &mut self.hang_up {
                Some(hang_up) => hang_up.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            _ = hang_up => Exit::HungUp,
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

/// Whether SIGHUP, of a terminal that is gone, isn't ignored since the program was started, as `nohup` does.
fn may_hang_up() -> bool {
    // Where this can't be told, the signal keeps what it does: it ends the program, and the next writer cleans up.
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return false };
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // The least bit is that of signal 1.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 0)
}

/// A dropped or failed publish removes what it uploaded in tasks of the runtime, which must not be shut down under them.
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
