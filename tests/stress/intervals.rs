//! The interval in which each generation may have been committed, and in which it may have been current. The interval of a
//! commit limits those of the commits before and after it.

use super::{commit_order::Commit, operations::Check};
use std::collections::HashMap;

/// A chain of commits, as lines of the log.
#[derive(Debug)]
struct Span {
    last: u64,
    /// The chain began after this line.
    after: usize,
    /// The last commit of the chain happened before this line.
    before: usize,
    /// The chain had begun at this line.
    begun: usize,
    /// The last commit of the chain was still current at this line.
    still: usize,
}

/// Assigns the intervals of all commits. An empty interval means that no order explains the outcomes: a generation was
/// current again after another one, or after a later acknowledged create, or before its create began.
pub(crate) fn assign(commits: &mut HashMap<u64, Commit<'_>>, chains: &[Vec<u64>]) -> Check<()> {
    let spans = chains.iter().map(|chain| assign_chain(commits, chain)).collect::<Check<Vec<_>>>()?;
    check_disjoint(&spans)?;
    for span in &spans {
        // A chain that can't precede this chain follows it, and so ends it.
        let others = spans.iter().filter(|other| other.last != span.last && other.still >= span.begun);
        let until = others.map(|other| other.begun).min();
        if let (Some(until), Some(last)) = (until, commits.get_mut(&span.last)) {
            last.until = until;
        }
    }
    Ok(())
}

/// Some order explains a chain if and only if no interval in it is empty.
fn assign_chain(commits: &mut HashMap<u64, Commit<'_>>, chain: &[u64]) -> Check<Span> {
    let mut seen = 0;
    for seq in chain {
        let Some(commit) = commits.get_mut(seq) else { continue };
        // The parent was still current when it was last seen, so this commit happened later.
        commit.after = commit.after.max(seen);
        seen = commit.after.max(commit.seen);
    }
    let mut until = usize::MAX;
    let mut before = None;
    for seq in chain.iter().rev() {
        let Some(commit) = commits.get_mut(seq) else { continue };
        commit.until = until;
        commit.before = commit.before.min(until);
        before = before.or(Some(commit.before));
        until = commit.before;
        if commit.after >= commit.before {
            return Err(format!(
                "{seq} was current too early, too late, or again: it was committed after line {} of the log, and before \
                 line {}",
                commit.after, commit.before
            ));
        }
    }
    let (first, last) = (chain[0], chain[chain.len() - 1]);
    let first = &commits[&first];
    Ok(Span { last, after: first.after, before: before.unwrap_or(usize::MAX), begun: first.before, still: seen })
}

/// Checks that the chains can follow one another. Two chains that certainly lasted for some time must not overlap, and
/// no chain may be possible only within the time of another one.
fn check_disjoint(spans: &[Span]) -> Check<()> {
    let mut lasting: Vec<_> = spans.iter().filter(|span| span.begun <= span.still).collect();
    lasting.sort_by_key(|span| span.begun);
    if let Some(pair) = lasting.windows(2).find(|pair| pair[1].begun <= pair[0].still) {
        return Err(format!("both were current in turn, more than once: {pair:?}"));
    }
    for span in spans {
        let around = lasting.partition_point(|other| other.begun <= span.after).checked_sub(1);
        if let Some(around) = around.map(|index| lasting[index])
            && around.last != span.last
            && span.before <= around.still
        {
            return Err(format!("{span:?} can only have been current within {around:?}"));
        }
    }
    Ok(())
}
