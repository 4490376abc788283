//! The plots of `docs/performance.md`: time and memory by size.

use crate::job::Job;
use shared::{
    Result,
    figure::Figure,
    plot::{self, Axis, BLACK, BLUE, GREEN, GREY, Line, ORANGE, PURPLE, Plot, RGBColor, SKY, VERMILION},
    sizes,
    summary::MULTI_THREAD,
    workload::{Registry, Workload},
};
use std::{fs, path::Path};

/// The file name, the operation, and the label of the y axis.
const PLOTS: [(&str, &str, &str); 3] = [
    ("performance-create.svg", "create", "time to create"),
    ("performance-restore.svg", "restore", "time to restore"),
    ("performance-memory.svg", "memory above the state", "memory above the state"),
];
/// Smaller values are drawn as this value, since a logarithmic axis has no zero.
const MIN_BYTES: f64 = 65536.0;

/// Draws the plots of one disk: the given one, or the first.
pub fn draw(folder: &Path, figures: &[Figure], disk: Option<&str>) -> Result<()> {
    fs::create_dir_all(folder)?;
    let first = figures.iter().find(|figure| is_drawn(figure)).map(|figure| &*figure.case.disk);
    let disk = disk.or(first).unwrap_or_default();
    for (file, operation, description) in PLOTS {
        let lines = lines(figures, disk, operation);
        if lines.is_empty() {
            eprintln!("{file} isn't drawn: there are no figures for it");
            continue;
        }
        let points = || lines.iter().flat_map(|line: &Line| &line.points);
        let x = Axis {
            description: "bytes of JSON",
            range: plot::range(points().map(|point| point.0)),
            base: 4.0,
            label: |bytes| sizes::name(bytes.round() as usize),
        };
        let range = plot::range(points().map(|point| point.1));
        let y = match operation.starts_with("memory") {
            true => Axis { description, range, base: 4.0, label: |bytes| sizes::name(bytes.round() as usize) },
            false => Axis { description, range, base: 10.0, label: whole_time },
        };
        plot::draw(&folder.join(file), &Plot { x, y, lines })?;
    }
    Ok(())
}

fn is_drawn(figure: &Figure) -> bool {
    figure.case.workload == Registry::NAME && figure.case.circumstance.is_empty()
}

fn lines(figures: &[Figure], disk: &str, operation: &str) -> Vec<Line> {
    let alone = |figure: &&Figure| figure.operation == operation && figure.case.disk == disk && is_drawn(figure);
    let line = |name: &&str| {
        // The line of the other kind of runtime would overlap.
        if name.ends_with(MULTI_THREAD) {
            return None;
        }
        let of_contender = figures.iter().filter(alone).filter(|figure| figure.contender == *name);
        let mut points: Vec<_> = of_contender
            .filter_map(|figure| {
                let value = figure.median()?;
                let is_memory = operation.starts_with("memory");
                Some((figure.case.bytes as f64, if is_memory { value.max(MIN_BYTES) } else { value }))
            })
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (colour, dashed) = style(name);
        (!points.is_empty()).then(|| Line { name: (*name).into(), colour, dashed, points })
    };
    Job::Alone.contenders().iter().filter_map(line).collect()
}

/// Formats a power of ten of seconds.
fn whole_time(seconds: f64) -> String {
    match seconds {
        _ if seconds < 0.9e-3 => format!("{:.0} µs", seconds * 1e6),
        _ if seconds < 0.9 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.0} s"),
    }
}

/// Lower bounds are dark and dashed.
fn style(contender: &str) -> (RGBColor, bool) {
    match contender {
        "minisnap" => (BLUE, false),
        "minisnap-owned" => (SKY, true),
        "0.1.3" => (VERMILION, false),
        "atomic-write-file" => (GREEN, false),
        "redb" => (ORANGE, false),
        "sqlite" => (PURPLE, false),
        "one file" => (GREY, true),
        _ => (BLACK, true),
    }
}
