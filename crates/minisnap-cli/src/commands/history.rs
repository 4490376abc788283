//! `minisnap history`: prints the retained snapshots as a table, newest first.

use crate::{args::HistoryArgs, exit::Outcome, open_store::OpenStore, stdio, text};
use minisnap::Generation;
use serde_json::{Value, json};
use std::{fmt::Write, num::NonZeroUsize};

const TITLES: [&str; COLUMNS] = ["SEQ", "TIME", "AGE", "SIZE", "CHANGE", "PARENT", "NAME"];
const COLUMNS: usize = 7;

pub(crate) async fn run(args: HistoryArgs) -> Outcome {
    let store = OpenStore::of(&args.store)?;
    let history = store.history().await?;
    // Each with its parent, even if the parent isn't listed.
    let all = history.iter().enumerate().map(|(position, generation)| (generation, history.get(position + 1)));
    let matching =
        all.filter(|(generation, _)| args.since.is_none_or(|since| since.includes(text::known_time(generation))));
    let listed: Vec<_> = matching.take(args.limit.map_or(usize::MAX, NonZeroUsize::get)).collect();
    match args.form.json {
        true => stdio::print(&format!("{:#}\n", to_json(&store, &listed))),
        false => stdio::print(&table(&listed)),
    }
}

/// A generation, and the generation that was current before it.
type WithParent<'a> = (&'a Generation, Option<&'a Generation>);

fn to_json(store: &OpenStore, listed: &[WithParent<'_>]) -> Value {
    let snapshots = listed.iter().map(|(generation, parent)| {
        let mut snapshot = text::generation(generation);
        snapshot["parent"] = json!(parent.map(Generation::name));
        snapshot
    });
    json!({ "store": store.name(), "snapshots": snapshots.collect::<Vec<_>>() })
}

fn table(listed: &[WithParent<'_>]) -> String {
    let rows = listed.iter().map(|(generation, parent)| row(generation, *parent));
    aligned(&std::iter::once(TITLES.map(str::to_owned)).chain(rows).collect::<Vec<_>>())
}

fn row(generation: &Generation, parent: Option<&Generation>) -> [String; COLUMNS] {
    let unknown = || String::from("-");
    [
        generation.seq().to_string(),
        generation.time().map_or_else(unknown, text::time),
        generation.time().map_or_else(unknown, text::age),
        generation.size().map_or_else(unknown, text::size),
        parent.and_then(|parent| Some(change(parent.size()?, generation.size()?))).unwrap_or_else(unknown),
        parent.map_or_else(unknown, |parent| parent.seq().to_string()),
        generation.name().into(),
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

/// Right-aligns each column to its widest cell, except the last one, which isn't padded.
fn aligned(rows: &[[String; COLUMNS]]) -> String {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    widths[COLUMNS - 1] = 0;
    rows.iter().enumerate().fold(String::new(), |mut table, (position, row)| {
        let line = row.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}")).collect::<Vec<_>>().join("  ");
        let style = if position == 0 { text::TITLE } else { anstyle::Style::new() };
        let _ = writeln!(table, "{style}{line}{style:#}");
        table
    })
}
