//! Standard output and input: colours only on a terminal, a closed pipe is no error to talk about, and none of it holds up
//! the runtime.

use crate::exit::{Exit, Failure, Outcome};
use std::{
    io::{self, Write},
    thread,
};
use tokio::sync::oneshot;

/// Prints `text`, with its colours if stdout is a terminal and `NO_COLOR` isn't set.
pub(crate) fn print(text: &str) -> Outcome {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(failed)
}

/// The failure to write to stdout. If whoever read it went away, that's no news to anybody.
pub(crate) fn failed(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::silent(Exit::BrokenPipe),
        _ => Failure::new(Exit::LocalFile, format!("cannot write to standard output: {error}"))
            .to_do("see to where it is redirected to"),
    }
}

/// Runs what may wait for a person or another program on a thread of its own. If the future is dropped, nobody waits for
/// the thread, which ends with the process: a runtime's blocking pool would be waited for.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let (done, answer) = oneshot::channel();
    thread::Builder::new().spawn(move || drop(done.send(work())))?;
    answer.await.unwrap_or_else(|_| Err(io::Error::other("the thread that did it panicked")))
}
