//! Records a terminal session as a picture, for the docs: `record_session PICTURE.svg < SESSION`.
//!
//! Bash runs each line of the session on a pseudo-terminal, in an empty folder, with the `minisnap` program on the PATH. So
//! the picture shows the real output, in its colours. See scripts/record-cli.

use anstyle_svg::Term;
use nix::pty::{Winsize, openpty};
use std::{
    error::Error,
    fs::{self, File},
    io::{self, BufRead, Read},
    path::Path,
    process::{Command, Stdio},
};

/// The width of the terminal.
const COLUMNS: u16 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let picture = std::env::args_os().nth(1).ok_or("usage: record_session PICTURE.svg < SESSION")?;
    let (folder, mut session) = (tempfile::tempdir()?, String::new());
    let home = folder.path().to_str().ok_or("the path of the temporary folder is not UTF-8")?;
    for command in io::stdin().lock().lines() {
        let command = command?;
        session += &format!("\x1b[32m$\x1b[0m \x1b[1m{command}\x1b[0m\n");
        // Replaces the path of the temporary folder.
        let output = run(&command, folder.path())?.replace(home, "/home/ann");
        session += &without_redraws(&output);
    }
    let term = Term::new().min_width_px(880);
    Ok(fs::write(picture, term.render_svg(session.trim_end()))?)
}

/// Runs a command, and returns its output to the terminal.
fn run(command: &str, folder: &Path) -> Result<String, Box<dyn Error>> {
    let example = std::env::current_exe()?;
    let programs = example.ancestors().nth(2).ok_or("the folder of the program is missing")?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH")?);
    let size = Winsize { ws_row: 50, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(Some(&size), None)?;
    let screen = || terminal.slave.try_clone().map(Stdio::from);
    let mut child = Command::new("bash")
        .args(["-euo", "pipefail", "-c", command])
        .env("PATH", path)
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .current_dir(folder)
        .stdin(screen()?)
        .stdout(screen()?)
        .stderr(screen()?)
        .spawn()?;
    drop(terminal.slave);
    let mut output = Vec::new();
    // Reading a terminal fails when no process has it open any more.
    let _ = File::from(terminal.master).read_to_end(&mut output);
    match child.wait()?.success() {
        true => Ok(String::from_utf8(output)?),
        false => Err(format!("{command}: {}", String::from_utf8_lossy(&output)).into()),
    }
}

/// Keeps only the last state of a line that is redrawn, such as a progress bar.
fn without_redraws(output: &str) -> String {
    let lines = output.replace("\r\n", "\n");
    let last = |line: &str| line.rsplit(['\r']).next().unwrap_or_default().replace("\x1b[2K", "");
    lines.split_inclusive('\n').map(last).map(|line| wrapped(&line)).collect()
}

/// Wraps a line at the width of the terminal. Escape sequences, from ESC to `m`, have no width.
fn wrapped(line: &str) -> String {
    let (mut shown, mut column, mut in_escape) = (String::new(), 0, false);
    for char in line.chars() {
        in_escape |= char == '\x1b';
        if !in_escape && char != '\n' {
            if column == COLUMNS {
                shown.push('\n');
                column = 0;
            }
            column += 1;
        }
        in_escape &= char != 'm';
        shown.push(char);
    }
    shown
}
