//! Telling a person how far it is: a bar with rate and time left on stderr, if that is a terminal; on a pipe, nothing.

use crate::text;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use minisnap::Generation;
use std::{
    borrow::Cow,
    io::{self, IsTerminal},
    thread,
    time::Duration,
};

/// How often a bar is drawn anew while nothing moves, so that one can see that the program lives.
const TICK: Duration = Duration::from_millis(100);

/// A bar, which goes away when it is dropped. Nothing is drawn if stderr isn't a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// For so many bytes of work, with a word for what is done: `writing`.
    pub(crate) fn of_bytes(doing: &'static str, total: u64) -> Self {
        let template = "{msg:10} {wide_bar} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}, {eta} left";
        Self::new(Some(total), template, doing)
    }

    /// For the reading of a snapshot, which comes in one piece.
    pub(crate) fn of_reading(generation: &Generation) -> Self {
        let size = generation.size().map_or_else(String::new, |size| format!(" {}", text::size(size)));
        Self::of_one_step(format!("reading{size}"))
    }

    /// For work that can't be seen into: it lives, and for how long.
    pub(crate) fn of_one_step(doing: impl Into<Cow<'static, str>>) -> Self {
        Self::new(None, "{spinner} {msg}, {elapsed}", doing)
    }

    /// For bytes of which nobody knows how many there will be.
    pub(crate) fn of_unknown_length(doing: &'static str) -> Self {
        Self::new(None, "{spinner} {msg} {binary_bytes}, {binary_bytes_per_sec}, {elapsed}", doing)
    }

    /// Nothing is drawn.
    pub(crate) fn hidden() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    fn new(total: Option<u64>, template: &str, doing: impl Into<Cow<'static, str>>) -> Self {
        if !io::stderr().is_terminal() {
            return Self::hidden();
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr()).with_message(doing);
        // A template that can't be read is a mistake in this file, which the tests find; a plain bar does as well.
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        // It panics where no thread can be started; then the bar moves with the work alone.
        if thread::Builder::new().spawn(|| {}).is_ok() {
            bar.enable_steady_tick(TICK);
        }
        Self { bar }
    }

    /// Does something to the terminal without the bar in its way.
    pub(crate) fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.bar.suspend(work)
    }

    /// What is done now.
    pub(crate) fn doing(&self, doing: &'static str) {
        self.bar.set_message(doing);
    }

    /// So many bytes more are done.
    pub(crate) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// So many bytes are done in all.
    pub(crate) fn set(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// From the beginning again.
    pub(crate) fn restart(&self, doing: &'static str) {
        self.bar.reset();
        self.doing(doing);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
