//! A progress bar on stderr with rate and time left, if stderr is a terminal.

use crate::text;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use minisnap::Generation;
use std::{
    borrow::Cow,
    io::{self, IsTerminal},
    thread,
    time::Duration,
};

/// How often a bar is redrawn without progress, to show that the program is running.
const TICK: Duration = Duration::from_millis(100);

/// A progress bar, which is cleared on drop. Nothing is drawn if stderr isn't a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// For `total` bytes of work; `doing` is a word such as `writing`.
    pub(crate) fn of_bytes(doing: &'static str, total: u64) -> Self {
        let template = "{msg:10} {wide_bar} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}, {eta} left";
        Self::new(Some(total), template, doing)
    }

    /// For reading a snapshot in one call.
    pub(crate) fn of_reading(generation: &Generation) -> Self {
        let size = generation.size().map_or_else(String::new, |size| format!(" {}", text::size(size)));
        Self::of_one_step(format!("reading{size}"))
    }

    /// For work without measurable progress: shows only that it runs, and for how long.
    pub(crate) fn of_one_step(doing: impl Into<Cow<'static, str>>) -> Self {
        Self::new(None, "{spinner} {msg}, {elapsed}", doing)
    }

    /// For an unknown number of bytes.
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
        // An invalid template is a mistake in this file, which tests find. Then the default bar is drawn.
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        // `enable_steady_tick` panics if no thread can be started. Without it, the bar is redrawn only on progress.
        if thread::Builder::new().spawn(|| {}).is_ok() {
            bar.enable_steady_tick(TICK);
        }
        Self { bar }
    }

    /// Hides the bar while `work` writes to the terminal.
    pub(crate) fn suspend<T>(&self, work: impl FnOnce() -> T) -> T {
        self.bar.suspend(work)
    }

    /// Replaces the word for the current work.
    pub(crate) fn doing(&self, doing: &'static str) {
        self.bar.set_message(doing);
    }

    /// Adds to the number of bytes done.
    pub(crate) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Sets the number of bytes done.
    pub(crate) fn set(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// Starts from zero again.
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
