//! What is being done, on the last line of a terminal. Elsewhere nothing is shown.

use std::io::{IsTerminal, stderr};

pub fn show(what: &str) {
    if stderr().is_terminal() {
        eprint!("\r\x1b[K{what}");
    }
}

/// Makes room for something else.
pub fn clear() {
    show("");
}
