//! Standard output and standard error. Colours are printed only on a terminal. A closed pipe ends the program without a
//! message.

use crate::{
    detached,
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
    time::Duration,
};
use tokio::time::sleep;

/// The number of starts and ends of print calls: odd while one is running.
static PRINTED: AtomicUsize = AtomicUsize::new(0);

/// A print call that takes longer is stalled.
const STALLED: Duration = Duration::from_millis(100);

/// Prints `text`, with its colours if stdout is a terminal and `NO_COLOR` isn't set.
pub(crate) fn print(text: &str) -> Outcome {
    printing(|| {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
    })
}

/// Prints a text unchanged, such as a script or a man page.
pub(crate) fn print_raw(text: &[u8]) -> Outcome {
    printing(|| {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text).and_then(|()| stdout.flush())
    })
}

/// Prints a long text in pieces, while it is produced.
#[derive(Debug)]
pub(crate) struct Pieces {
    text: String,
    print: fn(&str) -> Outcome,
}

impl Pieces {
    /// With colours, like [`print`]. Each piece is a complete line.
    pub(crate) fn of_lines() -> Self {
        Self { text: String::new(), print }
    }

    /// Unchanged, like [`print_raw`].
    pub(crate) fn raw() -> Self {
        Self { text: String::new(), print: |text| print_raw(text.as_bytes()) }
    }

    /// Adds a piece.
    pub(crate) fn add(&mut self, piece: &str) -> Outcome {
        self.text.push_str(piece);
        if self.text.len() < CHUNK { Ok(()) } else { (self.print)(&mem::take(&mut self.text)) }
    }

    /// Prints the rest.
    pub(crate) fn end(self) -> Outcome {
        (self.print)(&self.text)
    }
}

/// Prints on this thread, and counts the call. [`stalled`] detects that it blocks.
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

/// Waits until a print call is blocked because no process reads the output.
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

/// Prints the result of a commit. A closed output is no failure: the commit is done.
pub(crate) fn report(text: &str) -> Outcome {
    report_of("the snapshot is committed", text)
}

/// Prints the result of a change that is `done`. A closed output is no failure.
pub(crate) fn report_of(done: &str, text: &str) -> Outcome {
    match print(text) {
        Err(failure) if failure.exit() == Exit::BrokenPipe => Ok(()),
        printed => printed.map_err(|failure| failure.with_detail(&format!("{done} nevertheless"))),
    }
}

/// Prints a note to stderr. A failure to write there is ignored.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "note: {text}");
}

/// Prints a warning to stderr: the command may be a mistake.
pub(crate) fn warning(text: &str) {
    let style = AnsiColor::Yellow.on_default().bold();
    let _ = writeln!(anstream::stderr(), "{style}warning:{style:#} {text}");
}

/// Writes bytes unchanged to stdout, on a thread of its own: the reader may be slow.
pub(crate) async fn print_bytes(bytes: Bytes) -> Outcome {
    let progress = match io::stdout().is_terminal() {
        // A bar would be drawn between the bytes.
        true => Progress::hidden(),
        false => Progress::of_bytes("restoring", bytes.len() as u64),
    };
    let written = detached::run(move || {
        let mut stdout = io::stdout().lock();
        for chunk in bytes.chunks(CHUNK) {
            stdout.write_all(chunk)?;
            progress.add(chunk.len() as u64);
        }
        stdout.flush()
    });
    written.await?.map_err(failed)
}

/// Waits until the reader of stdout has closed it (a pipe or socket is closed, a terminal hung up), even if nothing is
/// written.
pub(crate) async fn reader_closed() {
    let is_closed = detached::try_run(|| {
        let stdout = io::stdout();
        let closed = PollFlags::ERR | PollFlags::HUP;
        // ERR and HUP are always reported. No other event ends the wait.
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        loop {
            match poll(&mut watched, None) {
                Err(Errno::INTR) => {}
                found => return found.is_ok() && watched[0].revents().intersects(closed),
            }
        }
    });
    // If `poll` can't detect it, the next write does.
    if !is_closed.await.unwrap_or(false) {
        pending::<()>().await;
    }
}

/// The failure to write to stdout. A closed pipe prints no message.
pub(crate) fn failed(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::silent(Exit::BrokenPipe),
        _ => Failure::new(Exit::LocalFile, "cannot write to standard output")
            .with_cause(&error)
            .with_help("check the file or device that it is redirected to"),
    }
}
