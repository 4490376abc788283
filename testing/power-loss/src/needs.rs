//! What has to be there before anything can be mounted.

use crate::FileSystem;
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::geteuid,
};
use std::{env, fs::File};

/// Makes sure that all is there that `file_system` takes, and gives the calling thread, with the threads and processes
/// it starts from now on, a mount namespace of its own: its mounts are seen by nobody else, and end with it.
///
/// # Panics
///
/// With a list of what is lacking. A test that can't run must not pass.
pub fn set_up(file_system: FileSystem) {
    let mut lacking = lacking(file_system);
    if lacking.is_empty()
        && let Err(error) = keep_mounts_to_oneself()
    {
        lacking.push(format!("the right to mount ({error})"));
    }
    assert!(
        lacking.is_empty(),
        "\n\nTHIS TEST DID NOT RUN: power losses under {} need what is not here: {}\n\n",
        file_system.name(),
        lacking.join("; ")
    );
}

fn keep_mounts_to_oneself() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
}

fn lacking(file_system: FileSystem) -> Vec<String> {
    let mut lacking = Vec::new();
    if !geteuid().is_root() {
        lacking.push("root".into());
    }
    for (path, what) in [("/dev/fuse", "FUSE"), ("/dev/loop-control", "loop devices")] {
        if let Err(error) = File::options().read(true).write(true).open(path) {
            lacking.push(format!("{what} ({path}: {error})"));
        }
    }
    for (command, package) in file_system.commands() {
        if !is_on_path(command) {
            lacking.push(format!("the command {command} (package {package})"));
        }
    }
    lacking
}

fn is_on_path(command: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(command).is_file()))
}
