//! Telling a person how far it is: a bar with rate and time left on stderr, if that is a terminal; on a pipe, nothing.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{self, IsTerminal},
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

    /// For work of which nobody knows how much it is.
    pub(crate) fn of_unknown_length(doing: &'static str) -> Self {
        Self::new(None, "{spinner} {msg}: {binary_bytes}, {elapsed}", doing)
    }

    fn new(total: Option<u64>, template: &str, doing: &'static str) -> Self {
        let target = match io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(total, target).with_message(doing);
        // A template that can't be read is a mistake in this file, which the tests find; a plain bar does as well.
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(TICK);
        Self { bar }
    }

    /// What is done now.
    pub(crate) fn doing(&self, doing: &'static str) {
        self.bar.set_message(doing);
    }

    /// So many bytes more are done.
    pub(crate) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// From the beginning again.
    pub(crate) fn restart(&self) {
        self.bar.reset();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
