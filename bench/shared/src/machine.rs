//! The machine on which a benchmark runs (proc(5)).

use std::{fs, thread};

/// Describes the machine in one line, without unknown properties.
#[must_use]
pub fn describe() -> String {
    let field = |file: &str, name: &str| -> Option<String> {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let memory = field("/proc/meminfo", "MemTotal").and_then(|total| {
        let kibibytes: u64 = total.trim_end_matches(" kB").parse().ok()?;
        Some(format!("{} GB of memory", kibibytes >> 20))
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    let cores = thread::available_parallelism().ok();
    let parts = [
        field("/proc/cpuinfo", "model name"),
        cores.map(|cores| format!("{cores} cores")),
        memory,
        kernel.map(|release| format!("Linux {}", release.trim())),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
