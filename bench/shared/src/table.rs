//! Figures as Markdown tables: one for each case, with a row for each contender, and a column for each operation.

use crate::{
    figure::{Case, Figure, Unit},
    sizes,
};

/// The tables of all cases: in the order in which disks, circumstances and workloads occur, then by size.
#[must_use]
pub fn all(figures: &[Figure]) -> String {
    let mut cases = distinct(figures.iter().map(|figure| &figure.case));
    let found = cases.clone();
    let first = |is_like: &dyn Fn(&Case) -> bool| found.iter().position(|other| is_like(other));
    cases.sort_by_key(|case| {
        let disk = first(&|other| other.disk == case.disk);
        let circumstance = first(&|other| other.circumstance == case.circumstance);
        let workload = first(&|other| other.workload == case.workload);
        (disk, circumstance, workload, case.bytes)
    });
    cases.into_iter().map(|case| case_table(figures, case)).collect()
}

/// An empty line and the table of one case. Values have a column with their ratio to the first contender's, if it is useful.
#[must_use]
pub fn case_table(figures: &[Figure], case: &Case) -> String {
    let figures: Vec<_> = figures.iter().filter(|figure| figure.case == *case).collect();
    let operations = distinct(figures.iter().map(|figure| (&figure.operation, figure.unit)));
    let contenders = distinct(figures.iter().map(|figure| &figure.contender));
    let find = |contender: &str, operation: &str| {
        figures.iter().find(|figure| figure.contender == contender && figure.operation == operation)
    };
    let (mut header, mut rule) = (format!("\n| {}", title(case)), "|---".to_owned());
    for (operation, unit) in &operations {
        header += &format!(" | {operation}");
        rule += "|---:";
        if has_ratio(*unit) {
            header += " | ratio";
            rule += "|---:";
        }
    }
    let mut table = format!("{header} |\n{rule}|\n");
    for contender in &contenders {
        table += &format!("| {contender}");
        for (operation, unit) in &operations {
            let figure = find(contender, operation);
            let value = figure.and_then(|figure| figure.median());
            let note = figure.and_then(|figure| figure.note.clone()).unwrap_or_else(|| "—".into());
            table += &format!(" | {}", value.map_or(note, |value| show(value, *unit)));
            if has_ratio(*unit) {
                let first = contenders.first().and_then(|first| find(first, operation)?.median());
                let ratio = value.zip(first).map(|(value, first)| format!("{:.2}", value / first));
                table += &format!(" | {}", ratio.unwrap_or_default());
            }
        }
        table += " |\n";
    }
    table
}

fn title(case: &Case) -> String {
    let Case { disk, workload, bytes, circumstance } = case;
    let disk = if disk.is_empty() { String::new() } else { format!("{disk}: ") };
    let special = if circumstance.is_empty() { String::new() } else { format!(", {circumstance}") };
    format!("{disk}{workload}, {}{special}", sizes::name(*bytes))
}

fn has_ratio(unit: Unit) -> bool {
    matches!(unit, Unit::Seconds | Unit::PerSecond)
}

/// Formats a value by its unit.
pub(crate) fn show(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds | Unit::Lateness => time(value),
        Unit::Bytes => format!("{:.1} MiB", value / f64::from(1 << 20)),
        Unit::PerSecond => format!("{value:.0} /s"),
        Unit::Times => format!("{value:.2}"),
    }
}

/// Formats a time with a suitable unit.
#[must_use]
pub fn time(seconds: f64) -> String {
    match seconds {
        _ if seconds < 1e-3 => format!("{:.0} µs", seconds * 1e6),
        _ if seconds < 1.0 => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

/// The distinct items, in their order.
pub(crate) fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_ratios_to_the_first_and_reasons_for_gaps() {
        let case =
            Case { disk: "xfs".into(), workload: "text".into(), bytes: 2 << 20, circumstance: "8 writers".into() };
        let figure = |contender: &str, values: &[f64], note: Option<&str>| Figure {
            case: case.clone(),
            contender: contender.into(),
            operation: "create".into(),
            unit: Unit::Seconds,
            values: values.into(),
            note: note.map(Into::into),
        };
        let figures =
            [figure("a", &[0.002, 9.0, 0.001], None), figure("b", &[0.001], None), figure("c", &[], Some("can't"))];
        let expected = "\n| xfs: text, 2MiB, 8 writers | create | ratio |\n|---|---:|---:|\n\
                        | a | 2.00 ms | 1.00 |\n| b | 1.00 ms | 0.50 |\n| c | can't |  |\n";
        assert_eq!(all(&figures), expected);
    }
}
