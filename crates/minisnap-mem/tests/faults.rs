//! Planned failures: they happen on the planned calls, look like those of a real store, and the contract holds.

#![allow(clippy::unwrap_used)]

mod support;

use minisnap_core::{CommitOptions, MiniSnapError, Operation, Precondition, SnapshotBackend};
use minisnap_mem::{Fault, MemBackend};
use std::{
    io::{ErrorKind, Write},
    panic::catch_unwind,
};
use support::{history, now, pair, pair_of, retain, save, save_if};

/// A store with one snapshot in it.
fn saved() -> MemBackend {
    let mem = MemBackend::new();
    save(&mem, "[1]", 10).unwrap();
    mem
}

/// Calls `operation` once, on a store with a snapshot. Every step before it succeeds.
fn provoke(mem: &MemBackend, operation: Operation) -> Result<(), MiniSnapError> {
    match operation {
        Operation::Current => now(mem.current()).map(drop),
        Operation::History => now(mem.history()).map(drop),
        Operation::Read => now(mem.read(&now(mem.current()).unwrap().unwrap())).map(drop),
        Operation::Expire => now(mem.expire(retain(1))).map(drop),
        Operation::Verify => now(mem.verify()).map(drop),
        Operation::CollectGarbage => now(mem.collect_garbage()).map(drop),
        _ => save(mem, "[2]", 20).map(drop),
    }
}

const ALL: [Operation; 9] = [
    Operation::Expire,
    Operation::Verify,
    Operation::Current,
    Operation::History,
    Operation::Read,
    Operation::Stage,
    Operation::Write,
    Operation::Commit,
    Operation::CollectGarbage,
];

#[test]
fn operation_fails_as_planned_and_changes_nothing() {
    for operation in ALL {
        let mem = saved();
        let before = history(&mem);
        mem.fail(operation).with(ErrorKind::StorageFull).once();
        let error = provoke(&mem, operation).unwrap_err();
        assert_eq!((error.at().operation(), error.at().location()), (operation, mem.location()));
        assert!(
            matches!(&error, MiniSnapError::Io { source, .. } if source.kind() == ErrorKind::StorageFull),
            "{error}"
        );
        assert!(error.outcome_known());
        assert_eq!((mem.stages(), mem.commits(), pair(&mem)), (0, 1, pair_of("[1]", "10\n")), "{operation:?}");
        assert_eq!(history(&mem), before);
        provoke(&mem, operation).unwrap_or_else(|error| panic!("the failure was planned once: {error}"));
    }
}

#[test]
fn default_fault_is_an_io_error_that_names_the_action() {
    let actions = [
        "expire",
        "verify",
        "read the commit record",
        "read the commit record",
        "read",
        "open a stage",
        "write",
        "commit",
        "collect garbage",
    ];
    for (operation, action) in ALL.into_iter().zip(actions) {
        let mem = saved();
        mem.fail(operation).once();
        let error = provoke(&mem, operation).unwrap_err();
        assert_eq!(error.to_string(), format!("{operation} (memory:): cannot {action}"));
        assert!(matches!(&error, MiniSnapError::Io { source, .. } if source.kind() == ErrorKind::Other));
    }
}

#[test]
fn failures_happen_on_the_planned_calls() {
    let mem = saved();
    mem.fail(Operation::CollectGarbage).after(2).times(2);
    mem.fail(Operation::CollectGarbage).times(0);
    mem.fail(Operation::CollectGarbage).after(1).with(Fault::Busy).once();
    let outcomes: Vec<_> = (0..8)
        .map(|_| match now(mem.collect_garbage()) {
            Ok(_) => "ok",
            Err(MiniSnapError::Io { .. }) => "io",
            Err(MiniSnapError::Busy { .. }) => "busy",
            Err(other) => panic!("{other}"),
        })
        .collect();
    assert_eq!(outcomes, ["ok", "ok", "io", "io", "ok", "busy", "ok", "ok"]);
}

#[test]
fn always_fails_one_operation_until_cleared() {
    let mem = saved();
    mem.fail(Operation::Read).always();
    let current = now(mem.current()).unwrap().unwrap();
    for _ in 0..100 {
        now(mem.clone().read(&current)).unwrap_err();
    }
    save(&mem, "[2]", 20).unwrap();
    mem.clone().clear_faults();
    assert_eq!(&now(mem.read(&current)).unwrap()[..], b"[1]");
    assert_eq!(mem.calls(Operation::Read), 101, "clearing forgets no calls");
}

#[test]
fn unfinished_plan_fails_nothing() {
    let mem = saved();
    let _ = mem.fail(Operation::Commit).with(Fault::Busy);
    save(&mem, "[2]", 20).unwrap();
}

#[test]
fn busy_and_stage_lost_leave_the_old_pair() {
    let mem = saved();
    mem.fail(Operation::Commit).with(Fault::Busy).once();
    mem.fail(Operation::Commit).with(Fault::StageLost).once();
    assert!(matches!(save(&mem, "[2]", 20), Err(MiniSnapError::Busy { .. })));
    assert!(matches!(save(&mem, "[2]", 20), Err(MiniSnapError::StageLost { .. })));
    assert_eq!((pair(&mem), mem.commits()), (pair_of("[1]", "10\n"), 1));
}

#[test]
fn corrupt_read_lists_intact_generations_and_is_temporary() {
    let mem = saved();
    save(&mem, "[2]", 20).unwrap();
    let [newest, older] = history(&mem).try_into().unwrap();
    mem.fail(Operation::Read).with(Fault::Corrupt).once();
    match now(mem.read(&newest)).unwrap_err() {
        MiniSnapError::Corrupt { intact, .. } => assert_eq!(intact, [older]),
        other => panic!("{other}"),
    }
    assert_eq!(&now(mem.read(&newest)).unwrap()[..], b"[2]");
}

#[test]
fn read_returns_expired_when_planned() {
    let mem = saved();
    let [generation] = history(&mem).try_into().unwrap();
    mem.fail(Operation::Read).with(Fault::Expired).once();
    assert!(matches!(now(mem.read(&generation)), Err(MiniSnapError::Expired { generation: g, .. }) if g == generation));
    now(mem.read(&generation)).unwrap();
}

#[test]
fn unknown_outcome_names_both_generations() {
    for applied in [true, false] {
        let mem = saved();
        let [old] = history(&mem).try_into().unwrap();
        mem.fail(Operation::Commit).with(Fault::OutcomeUnknown { applied }).once();
        let error = save(&mem, "[2]", 20).unwrap_err();
        assert!(!error.outcome_known());
        let MiniSnapError::OutcomeUnknown { at, generation, previous, .. } = error else { panic!("{error}") };
        assert_eq!((at.operation(), at.location()), (Operation::Commit, "memory:"));
        assert_eq!((generation.seq(), previous.as_ref()), (20, Some(&old)));
        let current = now(mem.current()).unwrap().unwrap();
        assert_eq!(current, if applied { generation } else { old });
        assert_eq!(pair(&mem), if applied { pair_of("[2]", "20\n") } else { pair_of("[1]", "10\n") });
        assert_eq!(mem.commits(), if applied { 2 } else { 1 });
    }
}

#[test]
fn unknown_outcome_of_the_first_commit_has_no_previous() {
    for applied in [true, false] {
        let mem = MemBackend::new();
        mem.fail(Operation::Commit).with(Fault::OutcomeUnknown { applied }).once();
        let error = save(&mem, "[1]", 10).unwrap_err();
        assert!(matches!(error, MiniSnapError::OutcomeUnknown { previous: None, .. }), "{error}");
        assert_eq!(history(&mem).len(), usize::from(applied));
    }
}

#[test]
fn unknown_outcome_expires_nothing_until_the_next_commit() {
    let mem = saved();
    save(&mem, "[2]", 20).unwrap();
    mem.fail(Operation::Commit).with(Fault::OutcomeUnknown { applied: true }).once();
    save(&mem, "[3]", 30).unwrap_err();
    let seqs = |mem| history(mem).iter().map(|generation| generation.seq()).collect::<Vec<_>>();
    assert_eq!(seqs(&mem), [30, 20, 10], "`save` retains two");
    save(&mem, "[4]", 40).unwrap();
    assert_eq!(seqs(&mem), [40, 30]);
}

#[test]
fn unknown_outcome_does_not_hide_a_refusal() {
    for applied in [true, false] {
        let mem = saved();
        mem.fail(Operation::Commit).with(Fault::OutcomeUnknown { applied }).times(2);
        let stale = save_if(&mem, "[2]", 5, Precondition::IfNewer).unwrap_err();
        assert!(matches!(stale, MiniSnapError::Stale { .. }), "{stale}");
        let conflict = save_if(&mem, "[2]", 20, Precondition::IfCurrent(None)).unwrap_err();
        assert!(matches!(conflict, MiniSnapError::Conflict { .. }), "{conflict}");
        assert_eq!(pair(&mem), pair_of("[1]", "10\n"));
    }
}

#[test]
fn stage_with_a_failed_write_is_never_committed() {
    let mem = saved();
    let mut stage = now(mem.stage(20)).unwrap();
    stage.write_all(b"[1, ").unwrap();
    mem.fail(Operation::Write).once();
    stage.write_all(b"2, ").unwrap_err();
    stage.write_all(b"3]").unwrap();
    assert!(matches!(now(stage.drain()), Err(MiniSnapError::Io { .. })));
    assert!(matches!(now(stage.commit(CommitOptions::new(retain(1)))), Err(MiniSnapError::Io { .. })));
    assert_eq!(pair(&mem), pair_of("[1]", "10\n"));
}

/// A fault that a real store can't have, or that a program can't notice, is a mistake in the test.
#[test]
fn invalid_plan_panics() {
    let refused = |operation, fault: Fault| {
        let mem = MemBackend::new();
        catch_unwind(move || mem.fail(operation).with(fault).once()).is_err()
    };
    for operation in ALL {
        use Operation::{CollectGarbage, Commit, Expire, Read, Stage, Write};
        assert!(!refused(operation, Fault::Io(ErrorKind::TimedOut)));
        assert_eq!(refused(operation, Fault::Io(ErrorKind::Interrupted)), operation == Write);
        assert_eq!(refused(operation, Fault::Busy), ![Stage, Commit, Expire, CollectGarbage].contains(&operation));
        assert_eq!(refused(operation, Fault::StageLost), operation != Commit);
        assert_eq!(refused(operation, Fault::OutcomeUnknown { applied: true }), operation != Commit);
        assert_eq!(refused(operation, Fault::Corrupt), operation != Read);
        assert_eq!(refused(operation, Fault::Expired), operation != Read);
    }
    for operation in
        [Operation::Open, Operation::Restore, Operation::AcceptExternalChanges, Operation::RevertExternalChanges]
    {
        assert!(refused(operation, Fault::Io(ErrorKind::Other)), "{operation:?} reaches no backend");
    }
}
