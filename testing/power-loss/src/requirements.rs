//! Checks the requirements of the tests: root, devices and commands.

use crate::FileSystem;
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::geteuid,
};
use std::{env, fs::File};

/// Checks the requirements of `file_system`, and gives the calling thread its own mount namespace. Threads and processes
/// that it starts later inherit the namespace. Other processes don't see the mounts in it. The mounts end with the
/// namespace.
///
/// # Panics
///
/// If a requirement is missing: a test that can't run must not pass. The message lists the missing requirements.
pub fn set_up(file_system: FileSystem) {
    let mut missing = missing(file_system);
    if missing.is_empty()
        && let Err(error) = make_mounts_private()
    {
        missing.push(format!("the right to mount ({error})"));
    }
    assert!(
        missing.is_empty(),
        "\n\nTHIS TEST DID NOT RUN: power losses under {} need: {}\n\n",
        file_system.name(),
        missing.join("; ")
    );
}

fn make_mounts_private() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
}

fn missing(file_system: FileSystem) -> Vec<String> {
    let mut missing = Vec::new();
    if !geteuid().is_root() {
        missing.push("root".into());
    }
    for (path, device) in [("/dev/fuse", "FUSE"), ("/dev/loop-control", "loop devices")] {
        if let Err(error) = File::options().read(true).write(true).open(path) {
            missing.push(format!("{device} ({path}: {error})"));
        }
    }
    for (command, package) in file_system.commands() {
        if !is_on_path(command) {
            missing.push(format!("the command {command} (package {package})"));
        }
    }
    missing
}

fn is_on_path(command: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(command).is_file()))
}
