//! A process that uses the processor, as load for a benchmark.

use shared::Result;
use std::{
    env,
    hint::spin_loop,
    io::{self, Read},
    process::{Child, Command, Stdio},
    thread,
};

/// The argument that makes this program spin.
pub const SPIN: &str = "--spin";

/// The running process. Dropping it ends the process.
pub struct Load(Child);

impl Load {
    /// Starts a process with this many spinning threads, and waits until they run.
    pub fn start(threads: usize) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(SPIN).arg(threads.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut load = Self(command.spawn()?);
        let mut ready = load.0.stdout.take().ok_or("the process has no stdout")?;
        ready.read_exact(&mut [0])?;
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Both fail only if the process has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Spins until stdin is closed, so that the process doesn't outlive its parent.
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
