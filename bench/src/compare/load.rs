//! A process that takes the processor from others.

use shared::Result;
use std::{
    env,
    hint::spin_loop,
    io::{self, Read},
    process::{Child, Command, Stdio},
    thread,
};

/// What a process is called with that is to spin.
pub const SPIN: &str = "--spin";

/// It goes on until this is dropped.
pub struct Load(Child);

impl Load {
    /// Starts a process with so many threads that spin, and waits until they are there.
    pub fn start(threads: usize) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(SPIN).arg(threads.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut load = Self(command.spawn()?);
        let mut ready = load.0.stdout.take().ok_or("it has no output")?;
        ready.read_exact(&mut [0])?;
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Spins in this process until nobody holds the other end of its input, so that it doesn't outlive the process that
/// started it.
pub fn spin(threads: &str) -> Result<()> {
    for _ in 0..threads.parse::<usize>()? {
        thread::spawn(|| {
            loop {
                spin_loop();
            }
        });
    }
    println!("ready");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
