//! Runs a command beside an S3 server, for the docs: `beside_s3 COMMAND ARGS…`.
//!
//! The server is in this process and starts empty; its bucket is `minisnap`. The command finds it by its environment, and
//! on its PATH the program beside this one. See scripts/check-cli-docs.

use minisnap_s3_server::{Conditions, S3Server};
use std::{error::Error, process::Command};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let server = S3Server::start(Conditions::Atomic);
    let program = std::env::current_exe()?;
    let programs = program.ancestors().nth(2).ok_or("no folder with the program")?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH")?);
    let status = Command::new(args.next().ok_or("which command?")?)
        .args(args)
        .env("PATH", path)
        .envs(server.options().into_iter().map(|(option, value)| (option.to_ascii_uppercase(), value)))
        .status()?;
    drop(server);
    std::process::exit(status.code().unwrap_or(1));
}
