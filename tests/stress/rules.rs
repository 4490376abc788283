//! What must be so, whatever happened: [`Line`] and [`times`](super::times) say that what is current is linearizable; here is
//! everything else that was answered.

use super::{
    line::{Committed, Line},
    log::{Action, Answer, Event},
    story::{Found, Operation, Story},
};

/// How often a restore looks again before it gives up.
const LOOKS: usize = 16;

/// Checks all that a log tells. `Err` is what was found wrong.
pub(crate) fn check(events: Vec<Event>, only_newer: bool) -> Found<Story> {
    let story = Story::of(events)?;
    let line = Line::of(&story)?;
    let moments = Moments::of(&line);
    for operation in &story.operations {
        moments.check(operation).map_err(|wrong| format!("{wrong}: {operation:?}"))?;
    }
    if only_newer {
        check_truncation(&story)?;
    }
    Ok(story)
}

/// What may have been current when.
struct Moments<'a> {
    /// In the order in which they may have been published first.
    published: Vec<&'a Committed<'a>>,
    /// Up to each, the last line before which one of them may have been current.
    until: Vec<usize>,
    /// The line before which something certainly was published.
    first: usize,
}

impl<'a> Moments<'a> {
    fn of(line: &'a Line<'a>) -> Self {
        let mut published: Vec<_> = line.published.values().collect();
        published.sort_by_key(|one| one.after);
        let until = published.iter().scan(0, |latest, one| {
            *latest = one.until.max(*latest);
            Some(*latest)
        });
        let first = published.iter().map(|one| one.before).min().unwrap_or(usize::MAX);
        Self { until: until.collect(), first, published }
    }

    /// What may have been current at some moment of an operation, latest first.
    fn during(&self, operation: &Operation) -> impl Iterator<Item = &'a Committed<'a>> {
        let (begin, end) = (operation.begin, operation.end);
        let places = (0..self.published.partition_point(|one| one.after < end)).rev();
        let places = places.take_while(move |place| self.until[*place] > begin);
        places.map(|place| self.published[place]).filter(move |one| one.until > begin)
    }

    /// Whether, at some moment of it, what is retained was like this.
    fn some(&self, operation: &Operation, is_so: impl Fn(&[u64]) -> bool) -> bool {
        // Where nobody knows what was retained, anything may have been.
        self.during(operation).any(|one| one.retained.as_ref().is_none_or(|retained| is_so(retained)))
    }

    fn check(&self, operation: &Operation) -> Found<()> {
        let is_so = match (&operation.action, &operation.answer) {
            (_, None | Some(Answer::Dropped | Answer::Done)) => true,
            // The line has looked at these.
            (Action::Create(_), Some(Answer::Committed(_) | Answer::Refused(Some(_)) | Answer::Failed)) => true,
            (Action::Look, Some(Answer::Saw(Some(_)))) => true,
            (Action::History, Some(Answer::Retained(retained))) if !retained.is_empty() => true,
            (Action::Sweep, Some(Answer::Failed)) => true,

            (Action::RestoreAt(most), Some(Answer::Saw(seq))) => {
                self.some(operation, |retained| retained.iter().find(|one| *one <= most) == seq.as_ref())
                    || seq.is_none() && self.first > operation.begin
            }
            (_, Some(Answer::Saw(None) | Answer::Refused(None) | Answer::Point(None) | Answer::Retained(_))) => {
                self.first > operation.begin
            }
            (Action::RestoreGeneration(seq), Some(Answer::Saw(Some(restored)))) => {
                seq == restored && self.some(operation, |retained| retained.contains(seq))
            }
            (Action::RestoreGeneration(seq), Some(Answer::Expired)) => {
                self.some(operation, |retained| !retained.contains(seq))
            }
            (Action::TruncationPoint, Some(Answer::Point(Some(point)))) => {
                self.some(operation, |retained| retained.iter().min() == Some(point))
            }
            // It was overtaken, each time it looked.
            (Action::Look | Action::RestoreAt(_), Some(Answer::Expired)) => self.during(operation).count() >= LOOKS,
            _ => false,
        };
        if is_so { Ok(()) } else { Err("at no moment this was so".into()) }
    }
}

/// Where no seq ever goes down, nobody who begins to restore after a truncation point was told gets anything below it: the
/// log before it is gone.
fn check_truncation(story: &Story) -> Found<()> {
    let mut told: Vec<(usize, u64)> =
        story.operations.iter().filter_map(|one| Some((one.end, point_of(one)?))).collect();
    told.sort_unstable();
    let mut highest = 0;
    let highest: Vec<_> = told
        .iter()
        .map(|(end, point)| {
            highest = highest.max(*point);
            (*end, highest)
        })
        .collect();
    for operation in &story.operations {
        let before = highest.partition_point(|(end, _)| *end < operation.begin);
        let point = before.checked_sub(1).map_or(0, |place| highest[place].1);
        if lowest_of(operation).is_some_and(|lowest| lowest < point) {
            return Err(format!("somebody was told that all up to {point} may go, and then: {operation:?}"));
        }
    }
    Ok(())
}

/// Up to where an answer allows to truncate the log.
fn point_of(operation: &Operation) -> Option<u64> {
    match &operation.answer {
        Some(Answer::Point(point)) => *point,
        Some(Answer::Committed(retained)) => retained.iter().min().copied(),
        _ => None,
    }
}

/// The smallest seq in an answer.
fn lowest_of(operation: &Operation) -> Option<u64> {
    match &operation.answer {
        Some(Answer::Saw(seq) | Answer::Refused(seq) | Answer::Point(seq)) => *seq,
        Some(Answer::Retained(retained) | Answer::Committed(retained)) => retained.iter().min().copied(),
        _ => None,
    }
}
