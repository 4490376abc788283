//! A library to load before the C library (`LD_PRELOAD`, ld.so(8)): each `fsync` and `fdatasync` first waits for as many
//! milliseconds as `SLOW_FSYNC_MS` says. So a disk is slow, and how often a program waits for one, one wait after the other,
//! can be read off a clock.
//!
//! Waits of several threads go on side by side, as they do on a disk that makes many writes durable at once.

use libc::{SYS_fdatasync, SYS_fsync, c_int, c_long};
use std::{env, sync::LazyLock, thread, time::Duration};

static DELAY: LazyLock<Duration> = LazyLock::new(|| {
    let milliseconds = env::var("SLOW_FSYNC_MS").ok().and_then(|milliseconds| milliseconds.parse().ok());
    Duration::from_millis(milliseconds.unwrap_or(0))
});

// SAFETY: the C library has the only other function of this name, and this one has its signature and does what it does.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(file: c_int) -> c_int {
    sync(SYS_fsync, file)
}

// SAFETY: as of `fsync`.
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(file: c_int) -> c_int {
    sync(SYS_fdatasync, file)
}

fn sync(call: c_long, file: c_int) -> c_int {
    thread::sleep(*DELAY);
    // SAFETY: both calls take the number of an open file and nothing else, and answer any other number with an error; they
    // access no memory of this process but `errno`, which is this thread's own.
    let answer = unsafe { libc::syscall(call, file) };
    if answer == 0 { 0 } else { -1 }
}
