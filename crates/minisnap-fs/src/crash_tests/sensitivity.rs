//! Omits one sync at a time, and checks that a power loss then causes a violation in one of the cases. So each sync is needed, and each
//! is tested.

use super::{
    recorder::Step,
    scenarios::ALL,
    trace::{CheckedStates, Trace},
};
use crate::layout::{BARE_PAIR, LINKS_PENDING, is_stage};
use minisnap_core::Operation;
use minisnap_crash_model::Event;

/// The purpose of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    Json,
    Seq,
    Generation,
    /// `snapshots`, for the generation's name.
    BeforeRecord,
    /// `snapshots`, for the commit record.
    AfterRecord,
    /// The generation's folder, for the links to another history.
    Relinked,
    /// The store's folder, for `snapshots` and a bare pair.
    Dir,
    /// The ancestors of the store's folder.
    Ancestors,
    /// The files of a bare pair.
    BarePair,
    /// The store's folder, before the public links are created.
    DirBeforeLinks,
    /// `snapshots`, before the public links are created.
    SnapshotsBeforeLinks,
    /// The store's folder, after the public links were created.
    DirAfterLinks,
    /// `snapshots`, before generations are removed that its commit record doesn't retain.
    BeforeRemoving,
    /// `snapshots`, by `history`.
    History,
    /// The current generation's folder, by `expire`, for the reduced number of retained generations.
    Retained,
    /// The current generation's folder, before generations are removed that another call has made expire.
    RetainedAgain,
    /// The current generation's folder, by `history`.
    RetainedOfHistory,
    /// `snapshots`, for a commit record by which a commit is stale.
    Stale,
    /// A corrupt generation's folder, for the mark.
    Marked,
    /// The store's folder, after the public files of a lost store were moved aside.
    PublicFilesGivenUp,
    /// The store's folder, after `snapshots` of a lost store was moved aside.
    SnapshotsGivenUp,
}

const ALL_SYNCS: [Sync; 21] = [
    Sync::Json,
    Sync::Seq,
    Sync::Generation,
    Sync::BeforeRecord,
    Sync::AfterRecord,
    Sync::Relinked,
    Sync::Dir,
    Sync::Ancestors,
    Sync::BarePair,
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
    Sync::PublicFilesGivenUp,
    Sync::SnapshotsGivenUp,
];

/// The purpose of the sync at `index`, by its path and by the steps before and after it. `None` if the step isn't a sync.
fn purpose(trace: &Trace, index: usize) -> Option<Sync> {
    let event = |index: usize| match trace.steps.get(index) {
        Some(Step::Did(_, event)) => Some(event),
        _ => None,
    };
    let Step::Did(operation, Event::Sync(path)) = &trace.steps[index] else { return None };
    let is_dir = |path: &str| path == trace.dir;
    let is_snapshots = |path: &str| path.strip_suffix("/snapshots").is_some_and(is_dir);
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    // Whether links are created after this sync of `snapshots`.
    let before_links = |index| match event(index + 1) {
        Some(Event::CreateFile(path)) => split(path).1 == LINKS_PENDING,
        Some(Event::Link(target, _)) => target.starts_with("snapshots/"),
        _ => false,
    };
    let after_dir = index > 0 && matches!(event(index - 1), Some(Event::Sync(path)) if is_dir(path));
    // `last-commit` is updated between the rename of the commit record and the sync of both.
    let is_of_last_commit = |event: &Event| match event {
        Event::Link(_, link) => link.ends_with("/.next"),
        Event::Rename(_, to) => to.ends_with("/last-commit"),
        _ => false,
    };
    let is_change = |event: &&Event| !matches!(event, Event::Sync(_)) && !is_of_last_commit(event);
    let done_before = (0..index).rev().filter_map(event).find(is_change);
    Some(match (name, done_before) {
        (_, Some(Event::Rename(_, to))) if *operation == Operation::GiveUp => {
            if split(to).1.starts_with("snapshots.aside-") { Sync::SnapshotsGivenUp } else { Sync::PublicFilesGivenUp }
        }
        ("snapshot.json" | "snapshot.seq", _) if is_dir(folder) => Sync::BarePair,
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
        (_, Some(Event::Rename(from, _))) if is_snapshots(path) && is_stage(split(from).1) => Sync::BeforeRecord,
        (_, Some(Event::Rename(_, to))) if is_snapshots(path) && to.ends_with("/current") => {
            let link_before = |index: usize| {
                (0..index).rev().find_map(|index| match event(index) {
                    Some(Event::Link(target, _)) => Some(target),
                    _ => None,
                })
            };
            let pointed_to = link_before(index);
            let commits = matches!(operation, Operation::Commit | Operation::AcceptExternalChanges)
                || pointed_to.is_some_and(|target| target.ends_with(BARE_PAIR));
            // A writer that creates the same record again rejects a stale commit.
            let placements = (0..index).filter(|index| {
                let places = matches!(event(*index), Some(Event::Rename(_, to)) if to.ends_with("/current"));
                places && link_before(*index) == pointed_to
            });
            match commits {
                false => Sync::BeforeRemoving,
                true if *operation == Operation::Commit && placements.count() > 1 => Sync::Stale,
                true => Sync::AfterRecord,
            }
        }
        _ if is_snapshots(path) => Sync::BeforeRemoving,
        _ if is_dir(path) => match event(index + 1) {
            Some(Event::Sync(next)) if is_snapshots(next) && before_links(index + 1) => Sync::DirBeforeLinks,
            Some(Event::Remove(next)) if split(next).1 == LINKS_PENDING => Sync::DirAfterLinks,
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
    let mut checked_states = CheckedStates::default();
    let mut unneeded = Vec::new();
    for sync in ALL_SYNCS {
        let violation_found = cases.iter().find_map(|(name, traces)| {
            let has_purpose = |trace: &Trace, index| purpose(trace, index) == Some(sync);
            let mut traces_with_sync =
                traces.iter().filter(|trace| (0..trace.steps.len()).any(|index| has_purpose(trace, index)));
            traces_with_sync.find_map(|trace| {
                let violation =
                    trace.check_power_losses_without(|index| has_purpose(trace, index), &mut checked_states).err()?;
                Some((*name, violation))
            })
        });
        match violation_found {
            Some((name, violation)) => {
                let summary = violation.split("\n\n").nth(1).and_then(|text| text.lines().next()).unwrap_or_default();
                println!("without {sync:?}, {name}: {}", summary.chars().take(110).collect::<String>());
            }
            None => unneeded.push(sync),
        }
    }
    println!("{} states", checked_states.count());
    assert_eq!(unneeded, [], "no case fails without these syncs");
}
