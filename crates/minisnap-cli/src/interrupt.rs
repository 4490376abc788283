//! Running a command until it is done, or until Ctrl-C or SIGTERM: then its future is dropped, which discards what it staged.

use crate::exit::{Exit, Failure, Outcome};
use std::{future::Future, io, process, thread, time::Duration};
use tokio::{
    runtime::{Builder, Handle},
    signal::unix::{Signal, SignalKind, signal},
    time::{sleep, timeout},
};

/// How long it may take to remove what was staged. Of a store that doesn't answer, a later writer sweeps it.
const CLEANING_UP: Duration = Duration::from_secs(10);

/// Runs a command.
pub(crate) fn run(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(unable)?;
    // When it is dropped, it waits for what is being done on its blocking pool: for a publish that is on its way, say.
    runtime.block_on(async {
        let mut signals = Signals::listen().map_err(unable)?;
        let done = tokio::select! {
            biased;
            exit = signals.next() => Err(exit),
            done = command => Ok(done),
        };
        if let Err(exit) = done {
            end_at_once_if_told_again(exit);
        }
        let _ = timeout(CLEANING_UP, tasks_have_ended()).await;
        done.unwrap_or_else(|exit| Err(interrupted(exit)))
    })
}

fn interrupted(exit: Exit) -> Failure {
    Failure::new(exit, "interrupted: what is current is the old snapshot, unless a new one was just being published")
        .advice("if it matters which, `minisnap show STORE` tells")
}

/// The signals that end a program.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
}

/// Who says it twice doesn't want to wait for the cleaning up, nor for a disk that hangs. On a thread of its own, because
/// a runtime that shuts down looks at no signals.
fn end_at_once_if_told_again(exit: Exit) {
    let wait = move || {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            if let Ok(mut signals) = Signals::listen() {
                signals.next().await;
                process::exit(exit as i32);
            }
        });
    };
    // Without the thread, a second signal changes nothing.
    let _ = thread::Builder::new().spawn(wait);
}

/// A dropped or failed publish removes what it uploaded in tasks of the runtime, which must not be shut down under them.
/// Nothing else is left when the command's future is gone: with the last of these go the client and its connections.
async fn tasks_have_ended() {
    while Handle::current().metrics().num_alive_tasks() > 0 {
        sleep(Duration::from_millis(1)).await;
    }
}

fn unable(error: io::Error) -> Failure {
    Failure::new(Exit::CouldNotLook, format!("cannot start: {error}"))
        .advice("see how many threads and open files this user may have (ulimit -a)")
}
