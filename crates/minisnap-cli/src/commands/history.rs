//! `minisnap history`: the retained snapshots as a table, newest first.

use crate::{args::HistoryArgs, exit::Outcome, out, place::Place, text};
use minisnap::Generation;
use serde_json::{Value, json};
use std::fmt::Write;

pub(crate) async fn run(args: HistoryArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let history = place.history().await?;
    match args.form.json {
        true => out::print(&format!("{:#}\n", for_programs(&place, &history))),
        false => out::print(&table(&history)),
    }
}

fn for_programs(place: &Place, history: &[Generation]) -> Value {
    let parent = |position: usize| history.get(position + 1).map(Generation::name);
    let snapshots = history.iter().enumerate().map(|(position, generation)| {
        let mut snapshot = text::generation(generation);
        snapshot["parent"] = json!(parent(position));
        snapshot
    });
    json!({ "store": place.name(), "snapshots": snapshots.collect::<Vec<_>>() })
}

fn table(history: &[Generation]) -> String {
    let rows = history.iter().enumerate().map(|(position, generation)| row(generation, history.get(position + 1)));
    let titles = ["SEQ", "AGE", "SIZE", "CHANGE", "PARENT"].map(str::to_owned);
    aligned(&std::iter::once(titles).chain(rows).collect::<Vec<_>>())
}

fn row(generation: &Generation, parent: Option<&Generation>) -> [String; 5] {
    let unknown = || String::from("-");
    [
        generation.seq().to_string(),
        generation.time().map_or_else(unknown, text::age),
        generation.size().map_or_else(unknown, text::size),
        parent.and_then(|parent| Some(change(parent.size()?, generation.size()?))).unwrap_or_else(unknown),
        parent.map_or_else(unknown, |parent| parent.seq().to_string()),
    ]
}

/// `+12.00 KiB`.
fn change(from: u64, to: u64) -> String {
    let sign = match to.cmp(&from) {
        std::cmp::Ordering::Less => "-",
        std::cmp::Ordering::Equal => "",
        std::cmp::Ordering::Greater => "+",
    };
    format!("{sign}{}", text::size(to.abs_diff(from)))
}

/// Each column as wide as its widest cell, numbers at the right.
fn aligned(rows: &[[String; 5]]) -> String {
    let mut widths = [0; 5];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    rows.iter().enumerate().fold(String::new(), |mut table, (position, row)| {
        let line = row.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}")).collect::<Vec<_>>().join("  ");
        let style = if position == 0 { text::TITLE } else { anstyle::Style::new() };
        let _ = writeln!(table, "{style}{line}{style:#}");
        table
    })
}
