//! Figures of several disks in one Markdown table: a row for each contender, with the median and the ratio on each disk.

use crate::{
    figure::{Case, Figure, Unit},
    sizes,
    table::{distinct, show},
};

/// The contender to which ratios refer.
const BASE: &str = "0.1.3";
/// The suffix of a contender that runs on a multi-threaded runtime.
pub const MULTI_THREAD: &str = ", multi-thread";

/// A table for each operation, workload and size without a special circumstance. Ratios refer to 0.1.3 on the same disk and
/// the same kind of runtime, or to the first contender if 0.1.3 has no figures.
#[must_use]
pub fn all(figures: &[Figure]) -> String {
    let is_shown = |figure: &&Figure| {
        let Case { disk, circumstance, .. } = &figure.case;
        figure.unit == Unit::Seconds && !disk.is_empty() && circumstance.is_empty()
    };
    let figures: Vec<_> = figures.iter().filter(is_shown).collect();
    let mut tables =
        distinct(figures.iter().map(|figure| (&*figure.operation, &*figure.case.workload, figure.case.bytes)));
    let found = tables.clone();
    tables.sort_by_key(|(operation, workload, bytes)| {
        let operation = found.iter().position(|other| other.0 == *operation);
        let workload = found.iter().position(|other| other.1 == *workload);
        (operation, workload, *bytes)
    });
    tables
        .into_iter()
        .map(|(operation, workload, bytes)| operation_table(&figures, operation, workload, bytes))
        .collect()
}

/// An empty line and the table of one operation.
fn operation_table(figures: &[&Figure], operation: &str, workload: &str, bytes: usize) -> String {
    let is_in_table = |figure: &&&Figure| {
        figure.operation == operation && figure.case.workload == workload && figure.case.bytes == bytes
    };
    let figures: Vec<_> = figures.iter().filter(is_in_table).collect();
    let disks = distinct(figures.iter().map(|figure| &*figure.case.disk));
    let contenders = distinct(figures.iter().map(|figure| &*figure.contender));
    let median = |disk: &str, contender: &str| {
        figures.iter().find(|figure| figure.case.disk == disk && figure.contender == contender)?.median()
    };
    let header: String = disks.iter().map(|disk| format!(" | {disk} | ratio")).collect();
    let mut table = format!("\n| {operation}, {workload}, {}{header} |\n", sizes::name(bytes));
    table += &format!("|---{}|\n", "|---:|---:".repeat(disks.len()));
    for contender in &contenders {
        table += &format!("| {contender}");
        for disk in &disks {
            let value = median(disk, contender);
            let base = if contenders.contains(&BASE) { base_of(contender) } else { contenders[0] };
            let ratio = value.zip(median(disk, base)).map(|(value, base)| format!("{:.2}", value / base));
            let value = value.map_or("—".into(), |value| show(value, Unit::Seconds));
            table += &format!(" | {value} | {}", ratio.unwrap_or_default());
        }
        table += " |\n";
    }
    table
}

/// 0.1.3 on the same kind of runtime.
fn base_of(contender: &str) -> &'static str {
    const MULTI_THREAD_BASE: &str = "0.1.3, multi-thread";
    if contender.ends_with(MULTI_THREAD) { MULTI_THREAD_BASE } else { BASE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_has_a_column_for_each_disk_and_ratios_to_013() {
        let figure = |disk: &str, contender: &str, seconds: f64, circumstance: &str| Figure {
            case: Case {
                disk: disk.into(),
                workload: "registry".into(),
                bytes: 1 << 10,
                circumstance: circumstance.into(),
            },
            contender: contender.into(),
            operation: "create".into(),
            unit: Unit::Seconds,
            values: vec![seconds],
            note: None,
        };
        let figures = [
            // The summary excludes these two.
            figure("ext4", "0.1.3", 0.009, "8 writers"),
            figure("", "put and get", 0.009, ""),
            figure("ext4", "minisnap", 0.003, ""),
            figure("ext4", "minisnap, multi-thread", 0.004, ""),
            figure("ext4", "0.1.3", 0.002, ""),
            figure("ext4", "0.1.3, multi-thread", 0.004, ""),
            figure("xfs", "minisnap", 0.001, ""),
            figure("xfs", "0.1.3", 0.002, ""),
        ];
        let expected = "\n| create, registry, 1KiB | ext4 | ratio | xfs | ratio |\n|---|---:|---:|---:|---:|\n\
                        | minisnap | 3.00 ms | 1.50 | 1.00 ms | 0.50 |\n\
                        | minisnap, multi-thread | 4.00 ms | 1.00 | — |  |\n\
                        | 0.1.3 | 2.00 ms | 1.00 | 2.00 ms | 1.00 |\n\
                        | 0.1.3, multi-thread | 4.00 ms | 1.00 | — |  |\n";
        assert_eq!(all(&figures), expected);
    }
}
