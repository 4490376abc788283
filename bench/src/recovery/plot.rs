//! The plot of `docs/recovery.md`.

use crate::{Measured, Result};
use shared::plot::{Axis, BLUE, Line, Plot, VERMILION, draw as draw_plot};
use std::path::Path;

/// Draws the time over the number of changes: a solid line for the log alone, and a dashed line with a snapshot.
pub fn draw(path: &str, domains: &[(&str, &Vec<Measured>)]) -> Result<()> {
    let mut lines = Vec::new();
    for ((name, measured), colour) in domains.iter().zip([BLUE, VERMILION]) {
        let points = |time: fn(&Measured) -> f64| {
            measured.iter().map(|measured| (measured.layout.changes as f64, time(measured))).collect()
        };
        let log_alone = points(|measured| measured.log_alone.as_secs_f64() * 1e3);
        let with_snapshot = points(|measured| measured.with_snapshot.as_secs_f64() * 1e3);
        lines.push(Line { name: format!("{name}: log alone"), colour, dashed: false, points: log_alone });
        lines.push(Line { name: format!("{name}: snapshot plus tail"), colour, dashed: true, points: with_snapshot });
    }
    let x = Axis {
        description: "changes since the beginning",
        range: 800.0..1.3e6,
        base: 10.0,
        label: |changes| format!("{changes}"),
    };
    let y = Axis {
        description: "time to recover",
        range: 0.3..1e4,
        base: 10.0,
        label: |ms| if ms < 1e3 { format!("{ms} ms") } else { format!("{} s", ms / 1e3) },
    };
    draw_plot(Path::new(path), &Plot { x, y, lines })
}
