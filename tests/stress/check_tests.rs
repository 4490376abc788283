//! Tests of the checks: each small log has at most one violation, and the checks find exactly that one.

use super::{
    checks,
    log::{Call, Condition, Create, Event, Outcome},
};

/// Builds a log. Each operation ends before the next one begins, unless it is left open.
#[derive(Default)]
struct LogBuilder(Vec<Event>);

impl LogBuilder {
    fn begin(&mut self, number: u64, call: Call) -> &mut Self {
        self.0.push(Event::Begin(number, call));
        self
    }

    fn end(&mut self, number: u64, outcome: Outcome) -> &mut Self {
        self.0.push(Event::End(number, outcome));
        self
    }

    fn done(&mut self, call: Call, outcome: Outcome) -> &mut Self {
        let number = 1_000 + self.0.len() as u64;
        self.begin(number, call).end(number, outcome)
    }

    /// Begins a create, with the seq as the number of the operation.
    fn creates(&mut self, seq: u64, retain: usize, condition: Condition) -> &mut Self {
        self.begin(seq, Call::Create(Create { seq, retain, condition }))
    }

    fn commits(&mut self, retain: usize, retained: &[u64]) -> &mut Self {
        self.creates(retained[0], retain, Condition::Always).end(retained[0], Outcome::Committed(retained.into()))
    }

    fn finds(&mut self, seq: u64) -> &mut Self {
        self.done(Call::ReadCurrent, Outcome::Found(Some(seq)))
    }

    #[track_caller]
    fn assert_valid(&self) {
        checks::check(self.0.clone(), false).expect("a valid log");
    }

    #[track_caller]
    fn assert_violation(&self, expected: &str) {
        let violation = checks::check(self.0.clone(), false).expect_err("a violation");
        assert!(violation.contains(expected), "{violation}");
    }
}

/// 1 and then 2 are committed, and both are retained.
fn two_commits() -> LogBuilder {
    let mut log = LogBuilder::default();
    log.commits(2, &[1]).commits(2, &[2, 1]);
    log
}

#[test]
fn current_generation_never_goes_back() {
    two_commits().finds(2).assert_valid();
    two_commits().finds(1).assert_violation("was current too early, too late, or again");
    two_commits().done(Call::ReadCurrent, Outcome::Found(None)).assert_violation("possible at no moment");
    let mut log = two_commits();
    // While the create of 3 is running, a read may find 2 or 3, but not 2 after 3.
    log.creates(3, 2, Condition::Always).finds(3).finds(2).end(3, Outcome::Committed(vec![3, 2]));
    log.assert_violation("again");
}

#[test]
fn acknowledged_create_has_one_parent_and_one_child() {
    two_commits().commits(2, &[3, 1]).assert_violation("both 2 and 3 were committed over Some(1)");
    two_commits().commits(2, &[3]).assert_violation("over None");
    two_commits().commits(4, &[3, 2, 1]).assert_valid();
    two_commits().commits(2, &[3, 2, 1]).assert_violation("with retain 2");
    two_commits().commits(4, &[3, 2]).assert_violation("with retain 4");
    two_commits().finds(7).assert_violation("no client created it");
    // 2 was acknowledged before its parent 3 began.
    let mut log = LogBuilder::default();
    log.commits(2, &[1]).commits(2, &[2, 3]).creates(3, 2, Condition::Always).end(3, Outcome::Committed(vec![3, 1]));
    log.assert_violation("2 was current too early");
}

#[test]
fn failed_create_is_never_visible() {
    for outcome in [Outcome::Failed, Outcome::Rejected(Some(2))] {
        let mut log = two_commits();
        log.creates(3, 2, Condition::IfNewer).end(3, outcome).finds(3).assert_violation("its create returned");
    }
}

#[test]
fn preconditions_hold_at_the_commit() {
    two_commits().creates(3, 2, Condition::IfCurrent(Some(2))).end(3, Outcome::Committed(vec![3, 2])).assert_valid();
    two_commits()
        .creates(3, 2, Condition::IfCurrent(Some(1)))
        .end(3, Outcome::Committed(vec![3, 2]))
        .assert_violation("over Some(1)");
    two_commits()
        .creates(3, 1, Condition::IfCurrent(Some(1)))
        .end(3, Outcome::Committed(vec![3]))
        .assert_violation("both 2 and 3");
    two_commits().creates(3, 2, Condition::IfCurrent(Some(1))).end(3, Outcome::Rejected(Some(2))).assert_valid();
    two_commits()
        .creates(3, 2, Condition::IfCurrent(Some(2)))
        .end(3, Outcome::Rejected(Some(1)))
        .assert_violation("again");
    let mut log = LogBuilder::default();
    log.commits(2, &[5])
        .creates(4, 2, Condition::IfNewer)
        .end(4, Outcome::Committed(vec![4, 5]))
        .assert_violation("which is newer");
}

#[test]
fn cancelled_create_commits_before_later_acknowledged_ones() {
    let cancel = |log: &mut LogBuilder| {
        log.creates(3, 2, Condition::Always).end(3, Outcome::Cancelled);
    };
    let mut log = two_commits();
    cancel(&mut log);
    log.finds(2).finds(3).commits(2, &[4, 3]).finds(4).assert_valid();
    let mut log = two_commits();
    cancel(&mut log);
    log.commits(2, &[4, 2]).finds(4).finds(3).assert_violation("more than once");
    // A history alone proves it: 3 is the child of 4, which began after the cancellation.
    let mut log = two_commits();
    cancel(&mut log);
    log.commits(2, &[4, 2])
        .done(Call::History, Outcome::Retained(vec![3, 4]))
        .assert_violation("3 was cancelled before 4 began");
}

#[test]
fn killed_create_commits_before_the_kill_is_logged() {
    let mut log = two_commits();
    log.creates(3, 2, Condition::Always).0.push(Event::Killed(0));
    log.commits(2, &[4, 3]).assert_valid();
    let mut log = two_commits();
    log.creates(3, 2, Condition::Always).0.push(Event::Killed(0));
    log.finds(2).finds(3).assert_violation("more than once");
    two_commits().creates(3, 2, Condition::Always).assert_violation("it never ended");
}

#[test]
fn restore_proves_that_a_killed_create_was_committed() {
    let restore = |most| Call::RestoreAt(most);
    let mut log = two_commits();
    log.creates(3 << 20, 1, Condition::Always).begin(9, restore(3 << 20)).0.push(Event::Killed(3));
    log.end(9, Outcome::Found(Some(3 << 20))).creates(4, 1, Condition::Always).end(4, Outcome::Committed(vec![4]));
    log.assert_valid();
    // Not if the process was killed before, or no client creates the seq.
    log.done(restore(3 << 20), Outcome::Found(Some(3 << 20))).assert_violation("possible at no moment");
    two_commits().done(restore(7), Outcome::Found(Some(7))).assert_violation("no client created it");
}

#[test]
fn retained_generation_is_restored_and_expired_one_is_not() {
    let restore = |seq| Call::RestoreGeneration(seq);
    two_commits().done(restore(1), Outcome::Found(Some(1))).assert_valid();
    two_commits().done(restore(1), Outcome::Expired).assert_violation("possible at no moment");
    two_commits().done(restore(1), Outcome::Found(Some(2))).assert_violation("possible at no moment");
    two_commits().commits(2, &[3, 2]).done(restore(1), Outcome::Expired).assert_valid();
    two_commits()
        .commits(2, &[3, 2])
        .done(restore(1), Outcome::Found(Some(1)))
        .assert_violation("possible at no moment");
    two_commits().done(Call::RestoreAt(1), Outcome::Found(Some(1))).assert_valid();
    two_commits().done(Call::RestoreAt(0), Outcome::Found(None)).assert_valid();
    two_commits().done(Call::RestoreAt(5), Outcome::Found(Some(1))).assert_violation("possible at no moment");
    two_commits().done(Call::RestoreAt(1), Outcome::Found(None)).assert_violation("possible at no moment");
    two_commits().done(Call::ReadCurrent, Outcome::Expired).assert_violation("possible at no moment");
    two_commits().done(Call::History, Outcome::Retained(vec![2])).assert_violation("were retained, and");
    two_commits().done(Call::History, Outcome::Retained(vec![])).assert_violation("possible at no moment");
}

#[test]
fn truncation_point_is_the_smallest_retained_seq() {
    two_commits().done(Call::TruncationPoint, Outcome::TruncationPoint(Some(1))).assert_valid();
    two_commits()
        .done(Call::TruncationPoint, Outcome::TruncationPoint(Some(2)))
        .assert_violation("possible at no moment");
    two_commits().done(Call::TruncationPoint, Outcome::TruncationPoint(None)).assert_violation("possible at no moment");
    let mut log = LogBuilder::default();
    // A lower seq is valid, except where each create is conditional on a newer seq.
    log.commits(1, &[5]).done(Call::TruncationPoint, Outcome::TruncationPoint(Some(5))).commits(1, &[4]);
    log.assert_valid();
    assert!(checks::check(log.0, true).is_err_and(|violation| violation.contains("can be truncated through 5")));
}

#[test]
fn unlinked_chains_do_not_overlap_in_time() {
    let unlinked = || {
        let mut log = two_commits();
        log.commits(1, &[3]).commits(1, &[4]);
        log
    };
    unlinked().finds(4).assert_valid();
    unlinked().finds(3).assert_violation("");
    // 4 was current between two reads of 3.
    let mut log = two_commits();
    log.creates(3, 1, Condition::Always).finds(3).creates(4, 1, Condition::Always).end(4, Outcome::Committed(vec![4]));
    log.finds(3).end(3, Outcome::Committed(vec![3])).assert_violation("can only have been current within");
}
