//! The library that makes each fsync slower: built, loaded into turns, and seen to work.

use shared::Result;
use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

/// What the library reads, too.
const MILLISECONDS: &str = "SLOW_FSYNC_MS";

/// Whether it is loaded into this process.
pub fn is_on() -> bool {
    env::var_os(MILLISECONDS).is_some()
}

/// Has it loaded into the process that the command will start.
pub fn preload(command: &mut Command, delay: Duration) -> Result<()> {
    command.env("LD_PRELOAD", library()?).env(MILLISECONDS, delay.as_millis().to_string());
    Ok(())
}

/// Sees that a sync in this process is slow, if it is to be.
pub fn check(folder: &Path) -> Result<()> {
    let Ok(milliseconds) = env::var(MILLISECONDS) else { return Ok(()) };
    let begun = Instant::now();
    File::open(folder)?.sync_all()?;
    match begun.elapsed() >= Duration::from_millis(milliseconds.parse()?) {
        true => Ok(()),
        false => Err("an fsync isn't slow, so the library isn't loaded".into()),
    }
}

/// Builds it beside this program, once.
fn library() -> Result<&'static Path> {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    if let Some(built) = LIBRARY.get() {
        return Ok(built);
    }
    let program = env::current_exe()?;
    let folder = program.parent().ok_or("this program is nowhere")?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "minisnap-bench-slow-fsync", "--manifest-path"]);
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    cargo.arg("--target-dir").arg(folder.parent().unwrap_or(folder));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if !cargo.status()?.success() {
        return Err("the library that makes fsync slower can't be built".into());
    }
    Ok(LIBRARY.get_or_init(|| folder.join("libslow_fsync.so")))
}
