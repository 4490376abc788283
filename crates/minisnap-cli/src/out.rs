//! Standard output and input: colours only on a terminal, a closed pipe is no error to talk about, and none of it holds up
//! the runtime.

use crate::{
    exit::{Exit, Failure, Outcome},
    progress::Progress,
};
use anstyle::AnsiColor;
use minisnap::{Bytes, backend::format::CHUNK};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use std::{
    future::pending,
    io::{self, IsTerminal, Write},
    mem,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};
use tokio::{sync::oneshot, time::sleep};

/// How often printing began or ended: odd while something is being printed.
static PRINTED: AtomicUsize = AtomicUsize::new(0);

/// How long printing may take before it counts as stalled.
const STALLED: Duration = Duration::from_millis(100);

/// Prints `text`, with its colours if stdout is a terminal and `NO_COLOR` isn't set.
pub(crate) fn print(text: &str) -> Outcome {
    printing(|| {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
    })
}

/// Prints a text as it is: a script or a page, which isn't for a terminal.
pub(crate) fn print_raw(text: &[u8]) -> Outcome {
    printing(|| {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text).and_then(|()| stdout.flush())
    })
}

/// Prints what may be long in pieces, as it comes.
#[derive(Debug)]
pub(crate) struct Pieces {
    text: String,
    print: fn(&str) -> Outcome,
}

impl Pieces {
    /// For people, with colours like [`print`]. Each piece is a whole line.
    pub(crate) fn of_lines() -> Self {
        Self { text: String::new(), print }
    }

    /// As they are, like [`print_raw`].
    pub(crate) fn raw() -> Self {
        Self { text: String::new(), print: |text| print_raw(text.as_bytes()) }
    }

    /// Takes one more.
    pub(crate) fn add(&mut self, piece: &str) -> Outcome {
        self.text.push_str(piece);
        if self.text.len() < CHUNK { Ok(()) } else { (self.print)(&mem::take(&mut self.text)) }
    }

    /// Prints what wasn't printed yet.
    pub(crate) fn end(self) -> Outcome {
        (self.print)(&self.text)
    }
}

/// What is printed is short, as a rule, so the command waits for it; what is asked of it meanwhile is seen to elsewhere.
fn printing(print: impl FnOnce() -> io::Result<()>) -> Outcome {
    PRINTED.fetch_add(1, Ordering::Relaxed);
    let printed = print();
    PRINTED.fetch_add(1, Ordering::Relaxed);
    printed.map_err(failed)
}

/// Whether the command has printed anything.
pub(crate) fn has_printed() -> bool {
    PRINTED.load(Ordering::Relaxed) > 0
}

/// Waits until what the command prints is taken by nobody.
pub(crate) async fn stalled() {
    let mut before = None;
    loop {
        let now = Some(PRINTED.load(Ordering::Relaxed)).filter(|count| count % 2 == 1);
        if now.is_some() && now == before {
            return;
        }
        before = now;
        sleep(STALLED).await;
    }
}

/// Prints what came of a commit that is done, whoever reads it.
pub(crate) fn report(text: &str) -> Outcome {
    report_of("the snapshot is committed", text)
}

/// Prints what came of what is `done`, whoever reads it.
pub(crate) fn report_of(done: &str, text: &str) -> Outcome {
    match print(text) {
        Err(failure) if failure.exit() == Exit::BrokenPipe => Ok(()),
        printed => printed.map_err(|failure| failure.and(&format!("{done} all the same"))),
    }
}

/// Says on stderr what is worth knowing. If that can't be written to, nobody can be told.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "note: {text}");
}

/// Says on stderr what may be a mistake.
pub(crate) fn warning(text: &str) {
    let style = AnsiColor::Yellow.on_default().bold();
    let _ = writeln!(anstream::stderr(), "{style}warning:{style:#} {text}");
}

/// Writes bytes as they are to stdout, on a thread of its own: whoever reads them may take long.
pub(crate) async fn bytes(bytes: Bytes) -> Outcome {
    let progress = match io::stdout().is_terminal() {
        // Not among the bytes themselves.
        true => Progress::hidden(),
        false => Progress::of_bytes("restoring", bytes.len() as u64),
    };
    let written = run_aside(move || {
        let mut stdout = io::stdout().lock();
        for chunk in bytes.chunks(CHUNK) {
            stdout.write_all(chunk)?;
            progress.add(chunk.len() as u64);
        }
        stdout.flush()
    });
    written.await?.map_err(failed)
}

/// Waits until the reader of stdout is gone (a pipe or a socket is closed, a terminal hung up), also while nothing is written.
pub(crate) async fn reader_is_gone() {
    let is_gone = aside(|| {
        let stdout = io::stdout();
        let gone = PollFlags::ERR | PollFlags::HUP;
        // Without an event to wait for, only these two end the wait.
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        loop {
            match poll(&mut watched, None) {
                Err(Errno::INTR) => {}
                found => return found.is_ok() && watched[0].revents().intersects(gone),
            }
        }
    });
    // Where this can't be told, the next line that is written tells it.
    if !is_gone.await.unwrap_or(false) {
        pending::<()>().await;
    }
}

/// The failure to write to stdout. If whoever read it went away, that's no news to anybody.
pub(crate) fn failed(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::silent(Exit::BrokenPipe),
        _ => Failure::new(Exit::LocalFile, "cannot write to standard output")
            .cause(&error)
            .advice("see to where it is redirected to"),
    }
}

/// Runs what takes long, or waits for a person or another program, on a thread of its own. If the future is dropped, nobody
/// waits for the thread, which ends with the process: what is on a runtime's blocking pool would be waited for.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (done, answer) = oneshot::channel();
    thread::Builder::new()
        .spawn(move || drop(done.send(work())))
        .map_err(|error| io::Error::new(error.kind(), format!("no thread can be started for that: {error}")))?;
    answer.await.map_err(|_| io::Error::other("the thread that did it panicked"))
}

/// The same, with a failure of its own where the thread can't be started: it is none of what the work is about.
pub(crate) async fn run_aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Outcome<T> {
    aside(work).await.map_err(|error| {
        Failure::new(Exit::CouldNotLook, "cannot start a thread; nothing was changed")
            .cause(&error)
            .advice("see how many threads and open files this user may have (`ulimit -a`)")
    })
}
