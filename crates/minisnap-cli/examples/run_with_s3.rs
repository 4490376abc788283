//! Runs a command with an S3 server, for the docs: `run_with_s3 COMMAND ARGS…`.
//!
//! The server runs in this process and starts empty; its bucket is `minisnap`. The command gets the server's address in its
//! environment, and the folder of the `minisnap` program on its PATH. See scripts/check-cli-docs.

use minisnap_s3_server::{Conditions, S3Server};
use std::{error::Error, process::Command};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let server = S3Server::start(Conditions::Atomic);
    let example = std::env::current_exe()?;
    let programs = example.ancestors().nth(2).ok_or("the folder of the program is missing")?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH")?);
    let status = Command::new(args.next().ok_or("usage: run_with_s3 COMMAND ARGS…")?)
        .args(args)
        .env("PATH", path)
        .envs(server.options().into_iter().map(|(option, value)| (option.to_ascii_uppercase(), value)))
        .status()?;
    drop(server);
    std::process::exit(status.code().unwrap_or(1));
}
