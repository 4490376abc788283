//! Records a terminal session as a picture, for the docs: `record PICTURE.svg < SESSION`.
//!
//! Each line of the session is run by bash on a real pseudo-terminal, in an empty folder, with the program beside this one
//! on the PATH. So the picture shows what the program prints, in its colours. See scripts/record-cli.

use anstyle_svg::Term;
use nix::pty::{Winsize, openpty};
use std::{
    error::Error,
    fs::{self, File},
    io::{self, BufRead, Read},
    path::Path,
    process::{Command, Stdio},
};

/// What fits beside the text of a page.
const COLUMNS: u16 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let picture = std::env::args_os().nth(1).ok_or("which file is the picture to be?")?;
    let (folder, mut session) = (tempfile::tempdir()?, String::new());
    let home = folder.path().to_str().ok_or("a temporary folder whose name is no text")?;
    for command in io::stdin().lock().lines() {
        let command = command?;
        session += &format!("\x1b[32m$\x1b[0m \x1b[1m{command}\x1b[0m\n");
        // As if it had been recorded at home.
        let sent = run(&command, folder.path())?.replace(home, "/home/ann");
        session += &without_redraws(&sent);
    }
    let term = Term::new().min_width_px(880);
    Ok(fs::write(picture, term.render_svg(session.trim_end()))?)
}

/// Runs a command, and returns what the terminal was sent.
fn run(command: &str, folder: &Path) -> Result<String, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let programs = program.ancestors().nth(2).ok_or("no folder with the program")?;
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
    let mut sent = Vec::new();
    // When nobody has the terminal open any more, reading it is an error and not its end.
    let _ = File::from(terminal.master).read_to_end(&mut sent);
    match child.wait()?.success() {
        true => Ok(String::from_utf8(sent)?),
        false => Err(format!("{command}: {}", String::from_utf8_lossy(&sent)).into()),
    }
}

/// Of a line that is drawn several times (a progress bar), what stands there in the end.
fn without_redraws(sent: &str) -> String {
    let lines = sent.replace("\r\n", "\n");
    let last = |line: &str| line.rsplit(['\r']).next().unwrap_or_default().replace("\x1b[2K", "");
    lines.split_inclusive('\n').map(last).map(|line| wrapped(&line)).collect()
}

/// A line as the terminal shows it: broken where it ends. What is between ESC and `m` has no width.
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
