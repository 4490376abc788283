//! Leave out any one sync, and a power loss must do harm in one of the cases: so each is needed, and each is tested.

use super::{
    recorder::Step,
    run::{Seen, Trace},
    scenarios::ALL,
};
use crate::layout::is_stage;
use minisnap_core::Operation;
use minisnap_crash_model::Event;

/// What a sync is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    Json,
    Seq,
    Generation,
    /// `snapshots`, with the generation's name in it.
    BeforeSwap,
    /// `snapshots`, with the commit record.
    AfterSwap,
    /// The generation's folder, with links to another history.
    Relinked,
    /// The store's folder, with `snapshots` and with a plain pair in it, and those above.
    Dir,
    Ancestors,
    /// A plain pair's files.
    PlainPair,
    /// The store's folder and `snapshots`, before and after links are placed.
    DirBeforeLinks,
    SnapshotsBeforeLinks,
    DirAfterLinks,
    /// `snapshots`, before what its commit record doesn't retain is removed.
    BeforeRemoving,
    History,
    /// The current generation's folder, with the number of the retained ones: reduced, made durable again before what another
    /// reduced is removed, and for a reader.
    Retained,
    RetainedAgain,
    RetainedOfHistory,
    /// `snapshots`, with a commit record that refuses another commit.
    Stale,
    /// A corrupt generation's folder, with the mark that it isn't to be removed.
    Marked,
    /// The store's folder, with what stood at the two names moved aside, and with `snapshots`.
    NamesGivenUp,
    GivenUp,
}

const EACH: [Sync; 21] = [
    Sync::Json,
    Sync::Seq,
    Sync::Generation,
    Sync::BeforeSwap,
    Sync::AfterSwap,
    Sync::Relinked,
    Sync::Dir,
    Sync::Ancestors,
    Sync::PlainPair,
    Sync::DirBeforeLinks,
    Sync::SnapshotsBeforeLinks,
    Sync::DirAfterLinks,
    Sync::BeforeRemoving,
    Sync::History,
    Sync::Retained,
    Sync::RetainedAgain,
    Sync::RetainedOfHistory,
    Sync::Stale,
    Sync::Marked,
    Sync::NamesGivenUp,
    Sync::GivenUp,
];

/// What the sync at `index` is for, by its path and by what was done before and after it. `None` if it is no sync.
fn purpose(trace: &Trace, index: usize) -> Option<Sync> {
    let event = |index: usize| match trace.steps.get(index) {
        Some(Step::Did(_, event)) => Some(event),
        _ => None,
    };
    let Step::Did(operation, Event::Sync(path)) = &trace.steps[index] else { return None };
    let is_dir = |path: &str| path == trace.dir;
    let is_snapshots = |path: &str| path.strip_suffix("/snapshots").is_some_and(is_dir);
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    // Whether links are placed after this sync of `snapshots`.
    let before_links = |index| match event(index + 1) {
        Some(Event::CreateFile(path)) => path.ends_with("/.settling"),
        Some(Event::Link(target, _)) => target.starts_with("snapshots/"),
        _ => false,
    };
    let after_dir = index > 0 && matches!(event(index - 1), Some(Event::Sync(path)) if is_dir(path));
    // The note of the commit comes between its record and the sync of both.
    let is_note = |event: &Event| match event {
        Event::Link(_, link) => link.ends_with("/.next"),
        Event::Rename(_, to) => to.ends_with("/last-commit"),
        _ => false,
    };
    let is_change = |event: &&Event| !matches!(event, Event::Sync(_)) && !is_note(event);
    let done_before = (0..index).rev().filter_map(event).find(is_change);
    Some(match (name, done_before) {
        (_, Some(Event::Rename(_, to))) if *operation == Operation::GiveUp => {
            if split(to).1.starts_with("snapshots.aside-") { Sync::GivenUp } else { Sync::NamesGivenUp }
        }
        ("snapshot.json" | "snapshot.seq", _) if is_dir(folder) => Sync::PlainPair,
        ("snapshot.json", _) => Sync::Json,
        ("snapshot.seq", _) => Sync::Seq,
        (_, Some(Event::Link(_, link))) if is_snapshots(folder) && link.ends_with("/corrupt") => Sync::Marked,
        (_, Some(Event::Link(_, link))) if is_snapshots(folder) && link.starts_with(path) => Sync::Relinked,
        _ if is_snapshots(folder) && *operation == Operation::Expire => Sync::Retained,
        _ if is_snapshots(folder) && *operation == Operation::History => Sync::RetainedOfHistory,
        (_, Some(Event::Rename(_, to))) if is_snapshots(folder) && to.ends_with("/retained") => Sync::RetainedAgain,
        _ if is_snapshots(folder) => Sync::Generation,
        _ if is_snapshots(path) && *operation == Operation::History => Sync::History,
        _ if is_snapshots(path) && after_dir && before_links(index) => Sync::SnapshotsBeforeLinks,
        (_, Some(Event::Rename(from, _))) if is_snapshots(path) && is_stage(split(from).1) => Sync::BeforeSwap,
        (_, Some(Event::Rename(_, to))) if is_snapshots(path) && to.ends_with("/current") => {
            let link_before = |index: usize| {
                (0..index).rev().find_map(|index| match event(index) {
                    Some(Event::Link(target, _)) => Some(target),
                    _ => None,
                })
            };
            let pointed_to = link_before(index);
            let publishes = matches!(operation, Operation::Commit | Operation::AcceptExternalChanges)
                || pointed_to.is_some_and(|target| target.ends_with("-adoptedplainpair"));
            // A commit that places a record which was there already refuses another.
            let placements = (0..index).filter(|index| {
                let places = matches!(event(*index), Some(Event::Rename(_, to)) if to.ends_with("/current"));
                places && link_before(*index) == pointed_to
            });
            match publishes {
                false => Sync::BeforeRemoving,
                true if *operation == Operation::Commit && placements.count() > 1 => Sync::Stale,
                true => Sync::AfterSwap,
            }
        }
        _ if is_snapshots(path) => Sync::BeforeRemoving,
        _ if is_dir(path) => match event(index + 1) {
            Some(Event::Sync(next)) if is_snapshots(next) && before_links(index + 1) => Sync::DirBeforeLinks,
            Some(Event::Remove(next)) if next.ends_with("/.settling") => Sync::DirAfterLinks,
            _ => Sync::Dir,
        },
        _ => Sync::Ancestors,
    })
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

#[test]
#[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
fn each_sync_is_needed() {
    let cases: Vec<_> = ALL.iter().map(|(name, traces)| (*name, traces())).collect();
    let mut seen = Seen::default();
    let mut needless = Vec::new();
    for sync in EACH {
        let harm = cases.iter().find_map(|(name, traces)| {
            let of_this = |trace: &Trace, index| purpose(trace, index) == Some(sync);
            let mut concerned = traces.iter().filter(|trace| (0..trace.steps.len()).any(|index| of_this(trace, index)));
            concerned.find_map(|trace| {
                let violation = trace.cut_power_without(|index| of_this(trace, index), &mut seen).err()?;
                Some((*name, violation))
            })
        });
        match harm {
            Some((name, violation)) => {
                let what = violation.split("\n\n").nth(1).and_then(|text| text.lines().next()).unwrap_or_default();
                println!("without {sync:?}, {name}: {}", what.chars().take(110).collect::<String>());
            }
            None => needless.push(sync),
        }
    }
    println!("{} states", seen.count());
    assert_eq!(needless, [], "no harm was found without these");
}
