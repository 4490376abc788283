//! That the checks find what is wrong, and nothing else: small logs, each with one thing in it that can't be.

use super::{
    log::{Action, Answer, Create, Event, When},
    rules,
};

/// A log in the making. Each operation is over before the next begins, unless it is left open.
#[derive(Default)]
struct Writing(Vec<Event>);

impl Writing {
    fn begin(&mut self, number: u64, action: Action) -> &mut Self {
        self.0.push(Event::Begin(number, action));
        self
    }

    fn end(&mut self, number: u64, answer: Answer) -> &mut Self {
        self.0.push(Event::End(number, answer));
        self
    }

    fn done(&mut self, action: Action, answer: Answer) -> &mut Self {
        let number = 1_000 + self.0.len() as u64;
        self.begin(number, action).end(number, answer)
    }

    /// Begins to create; the seq is the number, too.
    fn creates(&mut self, seq: u64, keep: usize, when: When) -> &mut Self {
        self.begin(seq, Action::Create(Create { seq, keep, when }))
    }

    fn published(&mut self, keep: usize, retained: &[u64]) -> &mut Self {
        self.creates(retained[0], keep, When::Always).end(retained[0], Answer::Committed(retained.into()))
    }

    fn saw(&mut self, seq: u64) -> &mut Self {
        self.done(Action::Look, Answer::Saw(Some(seq)))
    }

    #[track_caller]
    fn is_fine(&self) {
        rules::check(self.0.clone(), false).expect("nothing is wrong");
    }

    #[track_caller]
    fn is_wrong(&self, why: &str) {
        let wrong = rules::check(self.0.clone(), false).expect_err("something is wrong");
        assert!(wrong.contains(why), "{wrong}");
    }
}

/// 1 and then 2, keeping both.
fn two() -> Writing {
    let mut log = Writing::default();
    log.published(2, &[1]).published(2, &[2, 1]);
    log
}

#[test]
fn what_is_current_never_goes_back() {
    two().saw(2).is_fine();
    two().saw(1).is_wrong("was current too early, too late, or again");
    two().done(Action::Look, Answer::Saw(None)).is_wrong("at no moment");
    let mut log = two();
    // A look that began before 2 was acknowledged may see either, but not the older one after the newer one.
    log.creates(3, 2, When::Always).saw(3).saw(2).end(3, Answer::Committed(vec![3, 2]));
    log.is_wrong("again");
}

#[test]
fn what_is_acknowledged_is_published_once_and_over_one() {
    two().published(2, &[3, 1]).is_wrong("both 2 and 3 were published over Some(1)");
    two().published(2, &[3]).is_wrong("over None");
    two().published(4, &[3, 2, 1]).is_fine();
    two().published(2, &[3, 2, 1]).is_wrong("with keep 2");
    two().published(4, &[3, 2]).is_wrong("with keep 4");
    two().saw(7).is_wrong("nobody created it");
    // Acknowledged before the one that it is said to be published over was begun.
    let mut log = Writing::default();
    log.published(2, &[1]).published(2, &[2, 3]).creates(3, 2, When::Always).end(3, Answer::Committed(vec![3, 1]));
    log.is_wrong("2 was current too early");
}

#[test]
fn who_was_told_that_it_failed_was_not_published() {
    for answer in [Answer::Failed, Answer::Refused(Some(2))] {
        let mut log = two();
        log.creates(3, 2, When::Newer).end(3, answer).saw(3).is_wrong("its creator was told");
    }
}

#[test]
fn conditions_held() {
    two().creates(3, 2, When::Over(Some(2))).end(3, Answer::Committed(vec![3, 2])).is_fine();
    two().creates(3, 2, When::Over(Some(1))).end(3, Answer::Committed(vec![3, 2])).is_wrong("over Some(1)");
    two().creates(3, 1, When::Over(Some(1))).end(3, Answer::Committed(vec![3])).is_wrong("both 2 and 3");
    two().creates(3, 2, When::Over(Some(1))).end(3, Answer::Refused(Some(2))).is_fine();
    two().creates(3, 2, When::Over(Some(2))).end(3, Answer::Refused(Some(1))).is_wrong("again");
    let mut log = Writing::default();
    log.published(2, &[5]).creates(4, 2, When::Newer).end(4, Answer::Committed(vec![4, 5])).is_wrong("which is newer");
}

#[test]
fn what_was_dropped_may_be_published_later_but_not_after_a_later_one() {
    let dropped = |log: &mut Writing| {
        log.creates(3, 2, When::Always).end(3, Answer::Dropped);
    };
    let mut log = two();
    dropped(&mut log);
    log.saw(2).saw(3).published(2, &[4, 3]).saw(4).is_fine();
    let mut log = two();
    dropped(&mut log);
    log.published(2, &[4, 2]).saw(4).saw(3).is_wrong("more than once");
    // It needs not have been seen late: that it is over a later one is enough.
    let mut log = two();
    dropped(&mut log);
    log.published(2, &[4, 2])
        .done(Action::History, Answer::Retained(vec![3, 4]))
        .is_wrong("3 was dropped before 4 began");
}

#[test]
fn what_a_killed_process_had_begun_happened_before_it_was_gone() {
    let mut log = two();
    log.creates(3, 2, When::Always).0.push(Event::Died(0));
    log.published(2, &[4, 3]).is_fine();
    let mut log = two();
    log.creates(3, 2, When::Always).0.push(Event::Died(0));
    log.saw(2).saw(3).is_wrong("more than once");
    two().creates(3, 2, When::Always).is_wrong("it never ended");
}

#[test]
fn what_only_a_restore_saw_of_a_killed_process_was_published() {
    let restore = |most| Action::RestoreAt(most);
    let mut log = two();
    log.creates(3 << 20, 1, When::Always).begin(9, restore(3 << 20)).0.push(Event::Died(3));
    log.end(9, Answer::Saw(Some(3 << 20))).creates(4, 1, When::Always).end(4, Answer::Committed(vec![4]));
    log.is_fine();
    // Not if it was gone before, or nobody was to create it.
    log.done(restore(3 << 20), Answer::Saw(Some(3 << 20))).is_wrong("at no moment");
    two().done(restore(7), Answer::Saw(Some(7))).is_wrong("nobody created it");
}

#[test]
fn what_is_retained_can_be_restored_and_what_is_retired_cant() {
    let restore = |seq| Action::RestoreGeneration(seq);
    two().done(restore(1), Answer::Saw(Some(1))).is_fine();
    two().done(restore(1), Answer::Expired).is_wrong("at no moment");
    two().done(restore(1), Answer::Saw(Some(2))).is_wrong("at no moment");
    two().published(2, &[3, 2]).done(restore(1), Answer::Expired).is_fine();
    two().published(2, &[3, 2]).done(restore(1), Answer::Saw(Some(1))).is_wrong("at no moment");
    two().done(Action::RestoreAt(1), Answer::Saw(Some(1))).is_fine();
    two().done(Action::RestoreAt(0), Answer::Saw(None)).is_fine();
    two().done(Action::RestoreAt(5), Answer::Saw(Some(1))).is_wrong("at no moment");
    two().done(Action::RestoreAt(1), Answer::Saw(None)).is_wrong("at no moment");
    two().done(Action::Look, Answer::Expired).is_wrong("at no moment");
    two().done(Action::History, Answer::Retained(vec![2])).is_wrong("were retained, and");
    two().done(Action::History, Answer::Retained(vec![])).is_wrong("at no moment");
}

#[test]
fn the_truncation_point_is_the_smallest_retained_seq_of_a_moment() {
    two().done(Action::TruncationPoint, Answer::Point(Some(1))).is_fine();
    two().done(Action::TruncationPoint, Answer::Point(Some(2))).is_wrong("at no moment");
    two().done(Action::TruncationPoint, Answer::Point(None)).is_wrong("at no moment");
    let mut log = Writing::default();
    // Going back on purpose is allowed, but not where everybody demands a newer seq.
    log.published(1, &[5]).done(Action::TruncationPoint, Answer::Point(Some(5))).published(1, &[4]);
    log.is_fine();
    assert!(rules::check(log.0, true).is_err_and(|wrong| wrong.contains("all up to 5 may go")));
}

#[test]
fn chains_that_nothing_links_come_one_after_the_other() {
    let one_and_only = || {
        let mut log = two();
        log.published(1, &[3]).published(1, &[4]);
        log
    };
    one_and_only().saw(4).is_fine();
    one_and_only().saw(3).is_wrong("");
    // 4 lies between two sightings of 3.
    let mut log = two();
    log.creates(3, 1, When::Always).saw(3).creates(4, 1, When::Always).end(4, Answer::Committed(vec![4]));
    log.saw(3).end(3, Answer::Committed(vec![3])).is_wrong("can only have been current within");
}
