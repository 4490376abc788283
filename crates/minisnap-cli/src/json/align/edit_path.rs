//! The shortest edit path between two lists (Myers' algorithm), up to a number of steps.

use super::Run;

/// After this many skipped elements, the path that reaches furthest is taken.
const STEPS: usize = 256;

/// An edit path from the start of two lists: the positions it reaches in them, and the runs on it, last first.
pub(super) struct EditPath {
    pub(super) old: usize,
    pub(super) new: usize,
    pub(super) runs: Vec<Run>,
}

/// The furthest positions in the old list after a number of steps, each of which skips one element. The index is the number of
/// skipped elements of the old list; the other steps skip elements of the new one. `None` if a list is too short for that.
type Reached = Vec<Option<usize>>;

impl EditPath {
    /// Finds the shortest path, or after [`STEPS`] steps, the one that reaches furthest.
    pub(super) fn find(old: &[u64], new: &[u64]) -> Self {
        let mut rounds: Vec<Reached> = Vec::new();
        loop {
            let steps = rounds.len();
            let mut reached: Reached = vec![None; steps + 1];
            let (mut furthest, mut by) = (0, 0);
            for skipped in 0..=steps {
                let Some(start) = start(rounds.last(), steps, skipped, old, new) else { continue };
                let rest = old[start..].iter().zip(&new[position_in_new(start, steps, skipped)..]);
                let end = start + rest.take_while(|(old, new)| old == new).count();
                reached[skipped] = Some(end);
                let both = end + position_in_new(end, steps, skipped);
                if both >= furthest {
                    (furthest, by) = (both, skipped);
                }
            }
            rounds.push(reached);
            if steps == STEPS || furthest == old.len() + new.len() {
                return Self::trace_back(&rounds, by, old, new);
            }
        }
    }

    /// Traces the path that reaches furthest back from its end.
    fn trace_back(rounds: &[Reached], mut skipped: usize, old: &[u64], new: &[u64]) -> Self {
        let last = rounds.len() - 1;
        let end = rounds[last][skipped].unwrap_or_default();
        let mut path = Self { old: end, new: position_in_new(end, last, skipped), runs: Vec::new() };
        for steps in (0..rounds.len()).rev() {
            let before = steps.checked_sub(1).map(|before| &rounds[before]);
            // The same as in `find`.
            let start = start(before, steps, skipped, old, new).unwrap_or_default();
            let end = rounds[steps][skipped].unwrap_or_default();
            let start_in_new = position_in_new(start, steps, skipped);
            path.runs.push(Run { old: start as u32, new: start_in_new as u32, length: (end - start) as u32 });
            let without_old = before.and_then(|before| skip_new(before, steps, skipped, new));
            if without_old != Some(start) {
                skipped = skipped.saturating_sub(1);
            }
        }
        path
    }
}

/// The position in the new list of a path that is at `position` in the old one.
fn position_in_new(position: usize, steps: usize, skipped: usize) -> usize {
    position + steps - 2 * skipped
}

/// Where a path continues after `steps` steps, `skipped` of them in the old list: the furthest position that one more step
/// reaches.
fn start(before: Option<&Reached>, steps: usize, skipped: usize, old: &[u64], new: &[u64]) -> Option<usize> {
    let Some(before) = before else { return Some(0) };
    let skip_old = skipped.checked_sub(1).and_then(|fewer| before[fewer]);
    let skip_old = skip_old.filter(|position| *position < old.len()).map(|position| position + 1);
    skip_old.max(skip_new(before, steps, skipped, new))
}

fn skip_new(before: &Reached, steps: usize, skipped: usize, new: &[u64]) -> Option<usize> {
    let position = before.get(skipped).copied().flatten();
    position.filter(|position| position_in_new(*position, steps, skipped) <= new.len())
}
