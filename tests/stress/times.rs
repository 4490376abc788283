//! When each may have been published and current: from what is known of one follows something for those before and after it.

use super::{line::Committed, story::Found};
use std::collections::HashMap;

/// A chain, as the lines of the log that it lies between.
#[derive(Debug)]
struct Stretch {
    last: u64,
    /// It didn't begin before this, and all of it was published before that.
    after: usize,
    before: usize,
    /// It had begun by this, and was still going on at that.
    begun: usize,
    still: usize,
}

/// Sets the times of all that was published. If something has no time left, no order explains what was seen: it was current
/// again after another, or after another was acknowledged that had begun later, or before anybody created it.
pub(crate) fn set(published: &mut HashMap<u64, Committed<'_>>, chains: &[Vec<u64>]) -> Found<()> {
    let stretches = chains.iter().map(|chain| set_chain(published, chain)).collect::<Found<Vec<_>>>()?;
    check_turns(&stretches)?;
    for stretch in &stretches {
        // What can't be before this one is after it, and ended it.
        let others = stretches.iter().filter(|other| other.last != stretch.last && other.still >= stretch.begun);
        let until = others.map(|other| other.begun).min();
        if let (Some(until), Some(last)) = (until, published.get_mut(&stretch.last)) {
            last.until = until;
        }
    }
    Ok(())
}

/// On a chain there is an order that explains all if and only if each has some time left.
fn set_chain(published: &mut HashMap<u64, Committed<'_>>, chain: &[u64]) -> Found<Stretch> {
    let mut seen = 0;
    for seq in chain {
        let Some(one) = published.get_mut(seq) else { continue };
        // The one before was current when it was seen last, so this one was published later.
        one.after = one.after.max(seen);
        seen = one.after.max(one.seen);
    }
    let mut until = usize::MAX;
    let mut before = None;
    for seq in chain.iter().rev() {
        let Some(one) = published.get_mut(seq) else { continue };
        one.until = until;
        one.before = one.before.min(until);
        before = before.or(Some(one.before));
        until = one.before;
        if one.after >= one.before {
            return Err(format!(
                "{seq} was current too early, too late, or again: it can only have been published after line {} of the \
                 log, and only before line {}",
                one.after, one.before
            ));
        }
    }
    let (first, last) = (chain[0], chain[chain.len() - 1]);
    let first = &published[&first];
    Ok(Stretch { last, after: first.after, before: before.unwrap_or(usize::MAX), begun: first.before, still: seen })
}

/// That chains came one after the other. Those that certainly lasted for a while mustn't meet; and what has no time but
/// within such a while can't have been.
fn check_turns(stretches: &[Stretch]) -> Found<()> {
    let mut lasting: Vec<_> = stretches.iter().filter(|stretch| stretch.begun <= stretch.still).collect();
    lasting.sort_by_key(|stretch| stretch.begun);
    if let Some(pair) = lasting.windows(2).find(|pair| pair[1].begun <= pair[0].still) {
        return Err(format!("both were current in turn, more than once: {pair:?}"));
    }
    for stretch in stretches {
        let around = lasting.partition_point(|other| other.begun <= stretch.after).checked_sub(1);
        if let Some(around) = around.map(|place| lasting[place])
            && around.last != stretch.last
            && stretch.before <= around.still
        {
            return Err(format!("{stretch:?} can only have been current within {around:?}"));
        }
    }
    Ok(())
}
