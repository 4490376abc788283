//! A small backend that keeps the contract, with one place for each way to break it.

use crate::{
    draft::Stage,
    flaws::{Flaw, Flawed},
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

/// What would be a disk.
#[derive(Default)]
pub struct Medium {
    /// The retained generations with their JSON, newest first: the commit record and the files.
    pub retained: Vec<(Generation, Bytes)>,
    /// Stages, by number, and what is left of dead ones.
    pub stages: BTreeMap<u64, (Generation, Vec<u8>)>,
    /// Other remains.
    pub remains: Vec<String>,
    /// How many names were given.
    pub names: u64,
    // Only for the flaws:
    pub retired: Vec<(Generation, Bytes)>,
    pub locked: bool,
    pub buffer: Vec<u8>,
    pub newest_json: Option<Bytes>,
}

/// The store, correct but for the flaw `F`.
pub struct Toy<F>(Arc<Mutex<Medium>>, PhantomData<F>);

// Not generic, so that there is one of it for all flaws: compiling one for each takes minutes.
#[derive(Clone)]
pub struct Handle {
    pub medium: Arc<Mutex<Medium>>,
    pub seen: Arc<Mutex<Option<Generation>>>,
    pub flaw: Flaw,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}

#[async_trait]
impl<F: Flawed> StoreUnderTest for Toy<F> {
    async fn fresh() -> Self {
        Self(Arc::default(), PhantomData)
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        open(&self.0, F::FLAW)
    }

    async fn garbage(&self) -> Vec<String> {
        let medium = self.0.lock().unwrap();
        medium.stages.keys().map(|number| format!("stage {number}")).chain(medium.remains.iter().cloned()).collect()
    }

    fn lacks() -> &'static [Capability] {
        match F::FLAW {
            Flaw::LacksTheConditions => &[Capability::IfNewer, Capability::IfCurrent],
            Flaw::LacksIfNewerInSilence => &[Capability::IfNewer],
            Flaw::LacksIfCurrentInSilence => &[Capability::IfCurrent],
            _ => &[],
        }
    }
}

fn open(store: &Arc<Mutex<Medium>>, flaw: Flaw) -> Arc<dyn SnapshotBackend> {
    let reopened = Arc::strong_count(store) == 1;
    let mut medium = store.lock().unwrap();
    match flaw {
        Flaw::ForgetsOnReopen if reopened => *medium = Medium::default(),
        Flaw::ForgetsHistoryOnReopen if reopened => medium.retained.truncate(1),
        Flaw::ForgetsNamesOnReopen if reopened => medium.names = 0,
        Flaw::PublishesOnOpen if medium.retained.is_empty() => {
            medium.retained.push((Generation::new("default", 0), Bytes::from_static(b"null")));
        }
        Flaw::AdoptsStagesOnReopen if reopened => {
            for (_, (generation, json)) in std::mem::take(&mut medium.stages) {
                medium.retained.insert(0, (generation, json.into()));
            }
        }
        _ => {}
    }
    Arc::new(Handle { medium: store.clone(), seen: Arc::default(), flaw })
}

impl Handle {
    fn flaw(&self) -> Flaw {
        self.flaw
    }

    pub fn medium(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock().unwrap()
    }

    pub fn at(&self, operation: Operation) -> ErrorContext {
        ErrorContext::new(operation, if self.flaw() == Flaw::NamesNoPlace { "" } else { self.location() })
    }

    pub fn newest(&self) -> Option<Generation> {
        self.medium().retained.first().map(|(generation, _)| generation.clone())
    }

    /// Waits for the lock that only some flaws have, and not for ever.
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
        "toy:"
    }

    async fn current(&self) -> Result<Option<Generation>> {
        yield_now().await;
        match self.flaw() {
            Flaw::LooksEverySecondTime => {
                let seen = self.seen.lock().unwrap().take();
                if seen.is_some() {
                    return Ok(seen);
                }
                *self.seen.lock().unwrap() = self.newest();
            }
            Flaw::MakesRoomOnLooking if self.medium().retained.is_empty() => self.medium().remains.push("room".into()),
            _ => {}
        }
        Ok(self.newest())
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        yield_now().await;
        if self.flaw() == Flaw::HistoryIsReadStepByStep {
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
        match self.flaw() {
            Flaw::HistoryIsBySeq => history.sort_by_key(|generation| std::cmp::Reverse(generation.seq())),
            Flaw::ShowsStaged => history.extend(medium.stages.values().map(|(generation, _)| generation.clone())),
            Flaw::CleansOnReading => medium.stages.clear(),
            _ => {}
        }
        Ok(history)
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        yield_now().await;
        if self.flaw() == Flaw::ReadingTakesTheLock {
            self.wait_for_the_lock(Operation::Read).await?;
        }
        let find = |wanted: &str| {
            let medium = self.medium();
            let found = |name: &str| match self.flaw() {
                Flaw::FollowsNames => wanted.trim().trim_start_matches("./") == name,
                Flaw::CurrentIsAName => wanted == "current" || wanted == name,
                // By the number in it alone.
                Flaw::KnowsNamesOfOthers => {
                    wanted.len() == name.len() && wanted.split('-').nth(1) == name.split('-').nth(1)
                }
                Flaw::TakesNamesByTheirStart => name.starts_with(wanted),
                Flaw::ReadsTheCurrentOne | Flaw::RetiredIsTheCurrentOne => true,
                _ => wanted == name,
            };
            let exact = medium
                .retained
                .iter()
                .find(|(known, _)| known.name() == wanted && self.flaw() != Flaw::ReadsTheCurrentOne);
            let at = medium.retained.iter().position(|(known, _)| found(known.name()));
            let json = exact.or(at.map(|at| &medium.retained[at])).map(|(_, json)| json.clone());
            let is_newest = medium.retained.first().is_some_and(|(known, _)| known.name() == wanted);
            medium.newest_json.clone().filter(|_| is_newest).or(json)
        };
        let mut json = find(generation.name());
        let is_of_another_seq =
            self.medium().retained.iter().any(|(known, _)| known == generation && known.seq() != generation.seq());
        if is_of_another_seq && self.flaw() != Flaw::LooksAtNamesAlone {
            json = None;
        }
        if self.flaw() == Flaw::ReadsInParts && json.is_some() {
            yield_now().await;
            let newest = self.medium().retained[0].1.clone();
            let half = json.as_ref().map_or(0, |json| json.len() / 2);
            json = json.map(|json| [&json[..half], &newest[half.min(newest.len())..]].concat().into());
        }
        json.ok_or_else(|| MiniSnapError::Expired { at: self.at(Operation::Read), generation: generation.clone() })
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        let seq = if self.flaw() == Flaw::SeqIsSigned { seq.min(i64::MAX as u64) } else { seq };
        let (number, generation) = {
            let mut medium = self.medium();
            medium.names += 1;
            let number = medium.names;
            let name = match self.flaw() {
                Flaw::NamesBySeq => format!("{seq}"),
                _ => format!("toy-{number}-{:p}", Arc::as_ptr(&self.medium)),
            };
            medium.stages.insert(number, (Generation::new(name.clone(), seq), Vec::new()));
            (number, Generation::new(name, seq))
        };
        if self.flaw() == Flaw::CancelledStagesStay {
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
        match self.flaw() {
            Flaw::CannotSweepNothing if medium.retained.is_empty() => {
                let at = self.at(Operation::CollectGarbage);
                return Err(MiniSnapError::NotFound { at, found: Absence::Empty });
            }
            Flaw::SweepsRetained => medium.retained.truncate(1),
            Flaw::SweepsLivingStages => medium.stages.clear(),
            _ => {}
        }
        Ok(Collected::default())
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        let json = match self.read(generation).await {
            Err(MiniSnapError::Expired { .. }) if self.flaw() == Flaw::StreamsOfUnknownAreEmpty => Bytes::new(),
            read => read?,
        };
        Ok(match self.flaw() {
            Flaw::StreamsEndEarly => ChunkStream::from_bytes(json.slice(..json.len().min(1 << 20))),
            Flaw::StreamsFollowTheStore => {
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
        if self.flaw() == Flaw::ExpiryRewrites {
            let before = self.medium().retained.clone();
            yield_now().await;
            self.medium().retained = before;
        }
        let one_by_one = self.flaw() == Flaw::ExpiresOneByOne;
        let mut expired = Vec::new();
        while one_by_one && self.medium().retained.len() > retain.get() {
            expired.extend(self.medium().retained.pop().map(|(generation, _)| generation));
            yield_now().await;
        }
        let mut medium = self.medium();
        let from = match self.flaw() {
            Flaw::ExpiryDoesNothing => medium.retained.len(),
            Flaw::ExpiryMustDoSomething if retain.get() >= medium.retained.len() => {
                return Err(MiniSnapError::NotFound { at: self.at(Operation::Expire), found: Absence::Empty });
            }
            _ => retain.get().min(medium.retained.len()),
        };
        let gone = medium.retained.split_off(from);
        match self.flaw() {
            Flaw::ExpiredFilesStay => {
                medium.remains.extend(gone.iter().map(|(generation, _)| generation.name().to_owned()));
            }
            Flaw::ExpiredComeBack => medium.retired.splice(0..0, gone.iter().cloned()).for_each(drop),
            _ => {}
        }
        expired.extend(gone.into_iter().map(|(generation, _)| generation));
        Ok(expired)
    }

    async fn verify(&self) -> Result<Verification> {
        let mut generations = self.history().await?;
        match self.flaw() {
            Flaw::VerifiesTheCurrentAlone => generations.truncate(1),
            Flaw::VerifyingCleans => self.medium().stages.clear(),
            _ => {}
        }
        let mut verification = Verification::new(generations.into_iter().map(VerifiedGeneration::intact).collect());
        verification.orphans = self.medium().stages.len();
        Ok(verification)
    }
}
