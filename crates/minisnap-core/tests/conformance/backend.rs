//! A backend in memory that satisfies the contract, except for one injected fault.

use crate::{
    faults::{Fault, WithFault},
    staged::Stage,
};
use minisnap_core::{
    Absence, Bytes, ChunkStream, Collected, ErrorContext, Generation, MiniSnapError, Operation, Result,
    SnapshotBackend, StagedSnapshot, Verification, VerifiedGeneration, async_trait,
    conformance::{Capability, StoreUnderTest},
};
use std::{
    collections::BTreeMap,
    fmt,
    marker::PhantomData,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::task::yield_now;

/// The medium.
#[derive(Default)]
pub struct Medium {
    /// The retained generations with their JSON, newest first: the commit record and the files.
    pub retained: Vec<(Generation, Bytes)>,
    /// Open and leaked stages, by number.
    pub stages: BTreeMap<u64, (Generation, Vec<u8>)>,
    /// Other garbage, leaked by faults.
    pub leaked: Vec<String>,
    /// How many names were assigned.
    pub names: u64,
    // The other fields are used by faults only.
    pub expired: Vec<(Generation, Bytes)>,
    pub locked: bool,
    pub buffer: Vec<u8>,
    pub newest_json: Option<Bytes>,
}

/// The store under test, correct except for the fault `F`.
pub struct TestBackend<F>(Arc<Mutex<Medium>>, PhantomData<F>);

// Not generic over the fault: compiling one type for each fault takes minutes.
#[derive(Clone)]
pub struct Handle {
    pub medium: Arc<Mutex<Medium>>,
    /// The generation that this handle committed or looked up last. Used by faults only.
    pub seen: Arc<Mutex<Option<Generation>>>,
    pub fault: Fault,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}

#[async_trait]
impl<F: WithFault> StoreUnderTest for TestBackend<F> {
    async fn fresh() -> Self {
        Self(Arc::default(), PhantomData)
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        open(&self.0, F::FAULT)
    }

    async fn garbage(&self) -> Vec<String> {
        let medium = self.0.lock().unwrap();
        medium.stages.keys().map(|number| format!("stage {number}")).chain(medium.leaked.iter().cloned()).collect()
    }

    fn lacks() -> &'static [Capability] {
        match F::FAULT {
            Fault::LacksPreconditions => &[Capability::IfNewer, Capability::IfCurrent],
            Fault::AcceptsUnsupportedIfNewer => &[Capability::IfNewer],
            Fault::AcceptsUnsupportedIfCurrent => &[Capability::IfCurrent],
            _ => &[],
        }
    }
}

fn open(store: &Arc<Mutex<Medium>>, fault: Fault) -> Arc<dyn SnapshotBackend> {
    let reopened = Arc::strong_count(store) == 1;
    let mut medium = store.lock().unwrap();
    match fault {
        Fault::LosesDataOnReopen if reopened => *medium = Medium::default(),
        Fault::LosesHistoryOnReopen if reopened => medium.retained.truncate(1),
        Fault::ReusesNamesAfterReopen if reopened => medium.names = 0,
        Fault::CommitsOnOpen if medium.retained.is_empty() => {
            medium.retained.push((Generation::new("default", 0), Bytes::from_static(b"null")));
        }
        Fault::CommitsStagesOnReopen if reopened => {
            for (_, (generation, json)) in std::mem::take(&mut medium.stages) {
                medium.retained.insert(0, (generation, json.into()));
            }
        }
        _ => {}
    }
    Arc::new(Handle { medium: store.clone(), seen: Arc::default(), fault })
}

impl Handle {
    fn fault(&self) -> Fault {
        self.fault
    }

    pub fn medium(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock().unwrap()
    }

    pub fn at(&self, operation: Operation) -> ErrorContext {
        ErrorContext::new(operation, if self.fault() == Fault::NamesNoLocation { "" } else { self.location() })
    }

    pub fn newest(&self) -> Option<Generation> {
        self.medium().retained.first().map(|(generation, _)| generation.clone())
    }

    /// Waits, for a limited time, for the lock that only some faults use.
    pub async fn wait_for_the_lock(&self, operation: Operation) -> Result<()> {
        for _ in 0..10_000 {
            if !self.medium().locked {
                return Ok(());
            }
            yield_now().await;
        }
        Err(MiniSnapError::Busy { at: self.at(operation), waited: Duration::ZERO, reason: "the lock".into() })
    }
}

#[async_trait]
impl SnapshotBackend for Handle {
    fn location(&self) -> &'static str {
        "test:"
    }

    async fn current(&self) -> Result<Option<Generation>> {
        yield_now().await;
        match self.fault() {
            Fault::CachesEverySecondRead => {
                let seen = self.seen.lock().unwrap().take();
                if seen.is_some() {
                    return Ok(seen);
                }
                *self.seen.lock().unwrap() = self.newest();
            }
            Fault::CreatesFilesWhenReading if self.medium().retained.is_empty() => {
                self.medium().leaked.push("file".into());
            }
            _ => {}
        }
        Ok(self.newest())
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        yield_now().await;
        if self.fault() == Fault::ReadsHistoryStepByStep {
            let mut history = Vec::new();
            for step in 0.. {
                let Some(next) = self.medium().retained.get(step).map(|(generation, _)| generation.clone()) else {
                    break;
                };
                history.push(next);
                yield_now().await;
            }
            return Ok(history);
        }
        let mut medium = self.medium();
        let mut history: Vec<Generation> = medium.retained.iter().map(|(generation, _)| generation.clone()).collect();
        match self.fault() {
            Fault::SortsHistoryBySeq => history.sort_by_key(|generation| std::cmp::Reverse(generation.seq())),
            Fault::ListsStages => history.extend(medium.stages.values().map(|(generation, _)| generation.clone())),
            Fault::CollectsWhenReading => medium.stages.clear(),
            _ => {}
        }
        Ok(history)
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        yield_now().await;
        if self.fault() == Fault::ReadsTakeTheLock {
            self.wait_for_the_lock(Operation::Read).await?;
        }
        let find = |wanted: &str| {
            let medium = self.medium();
            let found = |name: &str| match self.fault() {
                Fault::NormalizesNames => wanted.trim().trim_start_matches("./") == name,
                Fault::AcceptsCurrentAsAName => wanted == "current" || wanted == name,
                // Compares the number in the name only.
                Fault::MatchesNamesOfOtherStores => {
                    wanted.len() == name.len() && wanted.split('-').nth(1) == name.split('-').nth(1)
                }
                Fault::MatchesNamePrefixes => name.starts_with(wanted),
                Fault::ReadsTheCurrentGeneration | Fault::ReadsCurrentForExpired => true,
                _ => wanted == name,
            };
            let exact = medium
                .retained
                .iter()
                .find(|(known, _)| known.name() == wanted && self.fault() != Fault::ReadsTheCurrentGeneration);
            let at = medium.retained.iter().position(|(known, _)| found(known.name()));
            let json = exact.or(at.map(|at| &medium.retained[at])).map(|(_, json)| json.clone());
            let is_newest = medium.retained.first().is_some_and(|(known, _)| known.name() == wanted);
            medium.newest_json.clone().filter(|_| is_newest).or(json)
        };
        let mut json = find(generation.name());
        let is_of_another_seq =
            self.medium().retained.iter().any(|(known, _)| known == generation && known.seq() != generation.seq());
        if is_of_another_seq && self.fault() != Fault::IgnoresTheSeqOfAName {
            json = None;
        }
        if self.fault() == Fault::ReadsInTwoSteps && json.is_some() {
            yield_now().await;
            let newest = self.medium().retained[0].1.clone();
            let half = json.as_ref().map_or(0, |json| json.len() / 2);
            json = json.map(|json| [&json[..half], &newest[half.min(newest.len())..]].concat().into());
        }
        json.ok_or_else(|| MiniSnapError::Expired { at: self.at(Operation::Read), generation: generation.clone() })
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        let seq = if self.fault() == Fault::StoresSignedSeqs { seq.min(i64::MAX as u64) } else { seq };
        let (number, generation) = {
            let mut medium = self.medium();
            medium.names += 1;
            let number = medium.names;
            let name = match self.fault() {
                Fault::NamesBySeq => format!("{seq}"),
                _ => format!("test-{number}-{:p}", Arc::as_ptr(&self.medium)),
            };
            medium.stages.insert(number, (Generation::new(name.clone(), seq), Vec::new()));
            (number, Generation::new(name, seq))
        };
        if self.fault() == Fault::LeaksCancelledStages {
            yield_now().await;
        }
        let over = self.newest();
        let stage =
            Stage { handle: self.clone(), number, generation, json: Vec::new(), over, begun: false, done: false };
        yield_now().await;
        Ok(Box::new(stage))
    }

    async fn collect_garbage(&self) -> Result<Collected> {
        yield_now().await;
        let mut medium = self.medium();
        match self.fault() {
            Fault::FailsToCollectAnEmptyStore if medium.retained.is_empty() => {
                let at = self.at(Operation::CollectGarbage);
                return Err(MiniSnapError::NotFound { at, found: Absence::Empty });
            }
            Fault::CollectsRetained => medium.retained.truncate(1),
            Fault::CollectsActiveStages => medium.stages.clear(),
            _ => {}
        }
        Ok(Collected::default())
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        let json = match self.read(generation).await {
            Err(MiniSnapError::Expired { .. }) if self.fault() == Fault::StreamsNothingForUnknown => Bytes::new(),
            read => read?,
        };
        Ok(match self.fault() {
            Fault::TruncatesStreams => ChunkStream::from_bytes(json.slice(..json.len().min(1 << 20))),
            Fault::EndsStreamsWhenExpired => {
                let (handle, wanted) = (self.clone(), generation.clone());
                ChunkStream::unfold(json, move |mut rest| {
                    let (handle, wanted) = (handle.clone(), wanted.clone());
                    async move {
                        let is_there = handle.medium().retained.iter().any(|(known, _)| *known == wanted);
                        let chunk = rest.split_to(rest.len().min(1 << 16));
                        Ok((is_there && !chunk.is_empty()).then_some((chunk, rest)))
                    }
                })
            }
            _ => ChunkStream::from_bytes(json),
        })
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        yield_now().await;
        if self.fault() == Fault::OverwritesWhenExpiring {
            let before = self.medium().retained.clone();
            yield_now().await;
            self.medium().retained = before;
        }
        let one_by_one = self.fault() == Fault::ExpiresStepByStep;
        let mut expired = Vec::new();
        while one_by_one && self.medium().retained.len() > retain.get() {
            expired.extend(self.medium().retained.pop().map(|(generation, _)| generation));
            yield_now().await;
        }
        let mut medium = self.medium();
        let from = match self.fault() {
            Fault::ExpiresNothing => medium.retained.len(),
            Fault::FailsWhenNothingExpires if retain.get() >= medium.retained.len() => {
                return Err(MiniSnapError::NotFound { at: self.at(Operation::Expire), found: Absence::Empty });
            }
            _ => retain.get().min(medium.retained.len()),
        };
        let expired_now = medium.retained.split_off(from);
        match self.fault() {
            Fault::LeaksExpiredFiles => {
                medium.leaked.extend(expired_now.iter().map(|(generation, _)| generation.name().to_owned()));
            }
            Fault::RestoresExpiredAfterExpire => {
                medium.expired.splice(0..0, expired_now.iter().cloned()).for_each(drop);
            }
            _ => {}
        }
        expired.extend(expired_now.into_iter().map(|(generation, _)| generation));
        Ok(expired)
    }

    async fn verify(&self) -> Result<Verification> {
        let mut generations = self.history().await?;
        match self.fault() {
            Fault::VerifiesOnlyTheCurrent => generations.truncate(1),
            Fault::CollectsWhenVerifying => self.medium().stages.clear(),
            _ => {}
        }
        let mut verification = Verification::new(generations.into_iter().map(VerifiedGeneration::intact).collect());
        verification.orphans = self.medium().stages.len();
        Ok(verification)
    }
}
