//! Shows the progress on the last line of a terminal. Prints nothing if stderr isn't a terminal.

use std::io::{IsTerminal, stderr};

pub fn show(text: &str) {
    if stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
    }
}

/// Clears the line.
pub fn clear() {
    show("");
}
