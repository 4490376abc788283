//! The trait every backend implements, and the contract it is held to.

use crate::{ErrorContext, Generation, MiniSnapError, Result};
use async_trait::async_trait;
use bytes::Bytes;
use std::{fmt::Debug, io, num::NonZeroUsize, sync::Arc};

/// A place that holds snapshots.
///
/// # Contract
///
/// What a user may rely on, and an implementer has to keep. The suite in the module `conformance` (feature `conformance`)
/// tests it, property by property.
///
/// 1. *Atomic.* A reader gets the whole old pair or the whole new pair, at every moment, also while writers run, also
///    after a crash at any point. A JSON is never returned with another generation's seq.
/// 2. *Durable.* When [`commit`](StagedSnapshot::commit) returns `Ok`, the pair survives power loss; so does whatever
///    [`history`](Self::history) returns, whoever published it.
/// 3. *Invisible until published.* What is staged and dropped, or staged and crashed, is never read and never in the
///    history, and its remains are removed by a later stage or publish (in an object store after a grace time; by
///    [`collect_garbage`](Self::collect_garbage) at once).
/// 4. *Conditional.* A publish names its [`Precondition`], judged in the same atomic step, and a refusal is only ever
///    judged on a fresh look. Being slower than others never means writing again (only what is swept away by force is
///    answered with [`StageLost`](MiniSnapError::StageLost)); effort is bounded and ends in [`Busy`](MiniSnapError::Busy), the
///    old pair certainly untouched.
/// 5. *Known outcome.* An error says whether the old pair is certainly untouched, or that it can't be known
///    ([`OutcomeUnknown`](MiniSnapError::OutcomeUnknown), after which nothing is deleted that was retained before it). What fails after the commit
///    (retiring, cleaning) is no error of the publish: the remains wait for a later one.
/// 6. *Never in the way of reading.* Reading needs no write access, takes no lock and changes nothing, whatever it finds.
/// 7. *Cancelling* (dropping a future): a publish whose commit has not begun never commits, so that nothing cancelled can
///    overtake a later `Ok`; one that has begun may. A reader sees old or new. From the moment the commit is on its way,
///    dropping deletes nothing.
///
/// A backend that can't do one of these answers [`Unsupported`](MiniSnapError::Unsupported); it never does something
/// weaker in silence.
///
/// # For implementers
///
/// There are no default methods: conveniences live on the typed store. What backends have in common is in this crate:
/// [`Precondition::evaluate`], [`Committed::retained_after`], [`random_name_part`](crate::random_name_part),
/// [`Digester`](crate::Digester) and the module [`format`](crate::format).
#[async_trait]
pub trait SnapshotBackend: Debug + Send + Sync + 'static {
    /// Where the snapshots are, for people and for errors: a path or a URL, never with credentials in it. No I/O.
    fn location(&self) -> &str;

    /// The current generation, or `None` if nothing was ever published.
    ///
    /// # Errors
    ///
    /// [`NotFound`](MiniSnapError::NotFound) says the same as `None` where there is something to tell about why (the
    /// remains of half a snapshot, say). Any other error: whether there is a snapshot isn't known.
    async fn current(&self) -> Result<Option<Generation>>;

    /// The retained generations, newest first, the current one at the head; empty if nothing was ever published.
    ///
    /// To ensure correctness:
    /// - What is returned is durable, also when its publisher crashed before it could make sure: people cut logs by it.
    /// - The order is that of publishing, not of seqs, which may go down.
    async fn history(&self) -> Result<Vec<Generation>>;

    /// The JSON of a generation, whole and as it was written.
    ///
    /// To ensure correctness:
    /// - Where a digest is known, the bytes are checked against it.
    /// - A name is data from outside: one that isn't of this backend's grammar is answered, never followed.
    ///
    /// # Errors
    ///
    /// [`Expired`](MiniSnapError::Expired) if it isn't among the retained ones (any more);
    /// [`Corrupt`](MiniSnapError::Corrupt) if it should be there and isn't whole.
    async fn read(&self, generation: &Generation) -> Result<Bytes>;

    /// Begins a snapshot that nobody can see until it is published. Its JSON is written to what this returns.
    ///
    /// To ensure correctness:
    /// - Any number may be staged at a time, by any number of handles and processes.
    /// - If this future is dropped half-way, what it made is removed like any other dropped stage.
    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>>;

    /// Removes, now, what dead writers left behind: stages and generations that were never published, files of retired
    /// ones. Never a retained generation, and nothing of a living writer where those can be told from dead ones; where they
    /// can't, a living writer's stage may go, and its publish answers [`StageLost`](MiniSnapError::StageLost).
    async fn collect_garbage(&self) -> Result<()>;
}

/// A snapshot being written: an [`io::Write`] for the JSON's bytes. Dropping it discards it.
///
/// Write errors should carry a [`MiniSnapError`] ([`MiniSnapError::into_io`]), so that the path or URL is not lost on the
/// way through a serializer. [`flush`](io::Write::flush) promises nothing. The typed store writes in chunks of
/// [`CHUNK`](crate::format::CHUNK) bytes, so a backend need not gather them; others may write in pieces of any size.
#[async_trait]
pub trait StagedSnapshot: io::Write + Debug + Send {
    /// Waits until no more than a part of what was written is still in memory, so that a large state can be written in
    /// bounded memory. A backend that holds nothing back returns at once.
    ///
    /// # Errors
    ///
    /// What went wrong with earlier writes in the background. After an error the stage is of no more use.
    async fn drain(&mut self) -> Result<()>;

    /// Makes this the current generation, if `when` holds, and keeps the files of the newest `keep` of the history: those
    /// retained so far and this one, never more than that. The others can't be read any more; their files may go a moment
    /// after this has answered, and have by the end of a [`collect_garbage`](SnapshotBackend::collect_garbage) through the same handle.
    ///
    /// `Ok` is a licence to delete the log: the pair is durable, whole, and the current one. See the contract on
    /// [`SnapshotBackend`] for errors and for what cancelling means.
    ///
    /// To ensure correctness:
    /// - Judge `when` in the same atomic step that publishes, and refuse only on a fresh look at what is current.
    /// - Before the commit, every failure leaves the old pair untouched; from the commit on, a failure is
    ///   [`OutcomeUnknown`](MiniSnapError::OutcomeUnknown) unless the outcome can be looked up.
    /// - If the future is dropped before the commit began, it must not commit later on.
    async fn commit(self: Box<Self>, when: Precondition, retain: NonZeroUsize) -> Result<Committed>;
}

/// When a publish may go ahead.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Precondition {
    /// Always: the last to publish wins.
    Always,
    /// If the seq is above that of the current generation, or there is none; else [`MiniSnapError::Stale`]. The same seq
    /// again is stale.
    IfNewer,
    /// If this generation is the current one (`None`: if there is none yet); else [`MiniSnapError::Conflict`]. Of any
    /// number of publishers with the same one, exactly one publishes.
    IfCurrent(Option<Generation>),
}

impl Precondition {
    /// Judges a publish of `seq` over `current`. The one place where the rules are written down; a backend calls it inside
    /// its atomic step.
    ///
    /// # Errors
    ///
    /// [`Stale`](MiniSnapError::Stale) or [`Conflict`](MiniSnapError::Conflict), with `at` and the generations involved.
    pub fn evaluate(&self, seq: u64, current: Option<&Generation>, at: &ErrorContext) -> Result<()> {
        match self {
            Self::Always => Ok(()),
            Self::IfNewer => match current {
                Some(current) if current.seq() >= seq => {
                    Err(MiniSnapError::Stale { at: at.clone(), seq, current: current.clone() })
                }
                _ => Ok(()),
            },
            Self::IfCurrent(expected) if expected.as_ref() == current => Ok(()),
            Self::IfCurrent(expected) => {
                Err(MiniSnapError::Conflict { at: at.clone(), expected: expected.clone(), current: current.cloned() })
            }
        }
    }
}

/// What a publish did: the new generation, and what is retained now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    generation: Generation,
    retained: Vec<Generation>,
}

impl Committed {
    /// `generation` was published over `before`, the history until then, newest first; of both, `keep` are retained.
    #[must_use]
    pub fn new(generation: Generation, before: &[Generation], retain: NonZeroUsize) -> Self {
        let older = Self::retained_after(retain, before.len()) - 1;
        let retained = std::iter::once(&generation).chain(before.iter().take(older)).cloned().collect();
        Self { generation, retained }
    }

    /// How many generations are retained after a publish with `keep` when `before` were: `min(keep, before + 1)`. Not one
    /// more: what was retired by a handle that keeps few doesn't come back for one that keeps many.
    #[must_use]
    pub fn retained_after(retain: NonZeroUsize, before: usize) -> usize {
        retain.get().min(before.saturating_add(1))
    }

    /// The generation that was published.
    #[must_use]
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// The retained generations as of this publish, newest first, this one at the head.
    #[must_use]
    pub fn retained(&self) -> &[Generation] {
        &self.retained
    }

    /// The smallest seq among the retained: the log up to and with it may go, and a fall-back to any retained snapshot
    /// still finds the log that follows it.
    ///
    /// As of this publish. If others publish lower seqs to the same store, only who truncates may do so.
    pub fn truncation_point(&self) -> u64 {
        self.retained.iter().map(Generation::seq).min().unwrap_or(self.generation.seq())
    }
}

/// Forwards the trait through a pointer, so that `SnapStore<Arc<dyn SnapshotBackend>>` is a store like any other.
macro_rules! forward {
    ($pointer:ident) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<B: SnapshotBackend + ?Sized> SnapshotBackend for $pointer<B> {
            fn location(&self) -> &str {
                (**self).location()
            }

            async fn current(&self) -> Result<Option<Generation>> {
                (**self).current().await
            }

            async fn history(&self) -> Result<Vec<Generation>> {
                (**self).history().await
            }

            async fn read(&self, generation: &Generation) -> Result<Bytes> {
                (**self).read(generation).await
            }

            async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
                (**self).stage(seq).await
            }

            async fn collect_garbage(&self) -> Result<()> {
                (**self).collect_garbage().await
            }
        }
    };
}

forward!(Arc);
forward!(Box);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;

    fn generation(seq: u64) -> Generation {
        Generation::new(format!("generation {seq}"), seq)
    }

    fn retain(generations: usize) -> NonZeroUsize {
        NonZeroUsize::new(generations).expect("not zero")
    }

    #[test]
    fn a_publish_is_judged_on_what_is_current() {
        let (old, at) = (generation(7), ErrorContext::new(Operation::Commit, "a test"));
        let evaluate = |when: Precondition, seq, current| match when.evaluate(seq, current, &at) {
            Ok(()) => "publish",
            Err(MiniSnapError::Stale { .. }) => "stale",
            Err(MiniSnapError::Conflict { .. }) => "conflict",
            Err(other) => panic!("{other}"),
        };
        for current in [None, Some(&old)] {
            assert_eq!(evaluate(Precondition::Always, 0, current), "publish");
        }
        assert_eq!(evaluate(Precondition::IfNewer, 0, None), "publish");
        for (seq, judged) in [(6, "stale"), (7, "stale"), (8, "publish")] {
            assert_eq!(evaluate(Precondition::IfNewer, seq, Some(&old)), judged, "{seq}");
        }
        for (expected, current, judged) in [
            (None, None, "publish"),
            (None, Some(&old), "conflict"),
            (Some(&old), None, "conflict"),
            (Some(&old), Some(&old), "publish"),
            (Some(&generation(8)), Some(&old), "conflict"),
        ] {
            assert_eq!(
                evaluate(Precondition::IfCurrent(expected.cloned()), 9, current),
                judged,
                "{expected:?}, {current:?}"
            );
        }
    }

    #[test]
    fn as_many_are_retained_as_asked_and_never_more_than_were_there() {
        for (kept, before, retained) in [(1, 0, 1), (3, 0, 1), (3, 1, 2), (3, 2, 3), (3, 9, 3), (3, usize::MAX, 3)] {
            assert_eq!(Committed::retained_after(retain(kept), before), retained, "{kept}, {before}");
        }
        let before = [generation(3), generation(9), generation(2)];
        for (kept, retained) in [(1, &[5][..]), (2, &[5, 3]), (3, &[5, 3, 9]), (4, &[5, 3, 9, 2]), (9, &[5, 3, 9, 2])] {
            let published = Committed::new(generation(5), &before, retain(kept));
            assert_eq!(published.generation(), &generation(5));
            assert_eq!(published.retained().iter().map(Generation::seq).collect::<Vec<_>>(), retained);
            assert_eq!(Some(published.truncation_point()), retained.iter().copied().min());
        }
    }
}
