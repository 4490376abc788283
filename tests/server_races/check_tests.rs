//! Each check detects its violation.

use super::{
    check::{Summary, check},
    events::{Commit, Event},
};

/// A commit of `seq` by an author, who is also in the names of its generation and of the replaced one.
fn commit(seq: u64, author: &str, parent: &str) -> Commit {
    let parent = format!("{}-{parent}", seq.wrapping_sub(1));
    Commit { generation: format!("{seq}-{author}"), parent, author: author.into() }
}

fn acknowledged(seq: u64, author: &str, parent: &str) -> Event {
    Event::Committed(commit(seq, author, parent), 0)
}

fn read(generation: &str, author: &str) -> Event {
    Event::Read { generation: generation.into(), author: author.into() }
}

fn checked(current: &str, events: &[Event]) -> Result<Summary, String> {
    check(&commit(0, "x", "none"), current, events)
}

#[test]
fn chain_with_unknown_commits_is_accepted() {
    let events = [
        read("0-x", "x"),
        acknowledged(1, "a", "x"),
        Event::Unknown(commit(2, "b", "a")),
        Event::Unknown(commit(2, "c", "a")),
        read("2-b", "b"),
        Event::Conflict,
        Event::Failed("an error".into()),
        acknowledged(3, "a", "b"),
    ];
    let summary = checked("3-a", &events).unwrap();
    assert_eq!((summary.acknowledged, summary.unknown, summary.reads), (2, (2, 1), 2));
}

#[test]
fn each_violation_of_the_chain_is_detected() {
    for (violation, current, events) in [
        ("two acknowledged commits replaced", "1-a", vec![acknowledged(1, "a", "x"), acknowledged(1, "b", "x")]),
        ("two commits", "1-a", vec![acknowledged(1, "a", "x"), Event::Unknown(commit(1, "a", "x"))]),
        ("no create committed it", "1-b", vec![]),
        ("no create committed it", "2-a", vec![acknowledged(2, "a", "b")]),
        ("replaced", "5-a", vec![Event::Committed(Commit { parent: "0-x".into(), ..commit(5, "a", "b") }, 0)]),
        ("is lost", "0-x", vec![acknowledged(1, "a", "x")]),
        ("is lost", "1-b", vec![acknowledged(1, "a", "x"), Event::Unknown(commit(1, "b", "x"))]),
        ("isn't in the chain", "0-x", vec![read("1-b", "b")]),
        ("a mixed pair", "1-a", vec![acknowledged(1, "a", "x"), read("1-a", "b")]),
    ] {
        let found = checked(current, &events).expect_err(violation);
        assert!(found.contains(violation), "{violation} in: {found}");
    }
}
