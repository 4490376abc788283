//! Work on a thread of its own, for which the end of the program doesn't wait: long computations, and reads and writes that
//! wait for a person or another program.
//!
//! Tokio's blocking pool is no alternative: the shutdown of the runtime waits for its threads.

use crate::exit::{Exit, Failure, Outcome};
use std::{io, thread};
use tokio::sync::oneshot;

/// Runs `work` on a thread of its own. If the future is dropped, the thread continues until the process ends.
pub(crate) async fn try_run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, result) = oneshot::channel();
    thread::Builder::new()
        .spawn(move || drop(sender.send(work())))
        .map_err(|error| io::Error::new(error.kind(), format!("no thread can be started for that: {error}")))?;
    result.await.map_err(|_| io::Error::other("the thread that did it panicked"))
}

/// The same as [`try_run`], with a failure of its own if the thread can't be started.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Outcome<T> {
    try_run(work).await.map_err(|error| {
        Failure::new(Exit::CouldNotLook, "cannot start a thread; nothing was changed")
            .with_cause(&error)
            .with_help("check this user's limits of threads and open files (`ulimit -a`)")
    })
}
