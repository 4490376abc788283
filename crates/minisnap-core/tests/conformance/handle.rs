//! The handle of the test backend, correct except for one injected fault.

use crate::{backend::Medium, faults::Fault, hooks, latency, staged::Stage};
use minisnap_core::{
    Absence, Bytes, ChunkStream, Collected, ErrorContext, Generation, MiniSnapError, Operation, Result,
    SnapshotBackend, StagedSnapshot, Verification, async_trait,
};
use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, atomic::AtomicBool},
    time::Duration,
};
use tokio::task::yield_now;

// Not generic over the fault: compiling one type for each fault takes minutes.
#[derive(Clone)]
pub struct Handle {
    pub medium: Arc<Mutex<Medium>>,
    /// The generation that this handle committed or looked up last. Used by faults only.
    pub seen: Arc<Mutex<Option<Generation>>>,
    /// The thread of the runtime on which this handle was opened. Used by faults only.
    pub runtime: std::thread::ThreadId,
    pub fault: Fault,
    /// Whether the answer to the next commit is lost.
    pub loses_answer: Arc<AtomicBool>,
    pub location: &'static str,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}

impl Handle {
    fn fault(&self) -> Fault {
        self.fault
    }

    pub fn medium(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock().unwrap()
    }

    pub fn at(&self, operation: Operation) -> ErrorContext {
        let location = match self.fault() {
            Fault::NamesNoLocation => "",
            Fault::ErrorsHaveAPassword => "test://user:secret@host/store",
            _ => self.location(),
        };
        ErrorContext::new(operation, location)
    }

    /// A step of a call: a yield, or a request that takes time.
    pub async fn step(&self) {
        let duration = self.medium().step;
        latency::step(duration).await;
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
        match self.fault() {
            Fault::LocationHasAPassword => "test://host/store?password=secret",
            Fault::ErrorsHaveAPassword => "test://host/store",
            _ => self.location,
        }
    }

    async fn current(&self) -> Result<Option<Generation>> {
        self.step().await;
        if self.fault() == Fault::WorksOnItsFirstRuntimeOnly && std::thread::current().id() != self.runtime {
            let (at, source) = (self.at(Operation::Current), "the connection is of another runtime".into());
            return Err(MiniSnapError::Backend { at, transient: false, source, help: None });
        }
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
        self.step().await;
        if self.fault() == Fault::HistoryTakesTheLock && self.medium().held {
            let (at, reason) = (self.at(Operation::History), "a writer".into());
            return Err(MiniSnapError::Busy { at, waited: Duration::ZERO, reason });
        }
        if self.fault() == Fault::ReadsHistoryStepByStep {
            let mut history = Vec::new();
            for step in 0.. {
                let Some(next) = self.medium().retained.get(step).map(|(generation, _)| generation.clone()) else {
                    break;
                };
                history.push(next);
                self.step().await;
            }
            return Ok(history);
        }
        self.sync_unless(Fault::ListsUnsyncedGenerations);
        if self.hides_the_history() {
            return Ok(Vec::new());
        }
        let shared = self.shared_history();
        let mut medium = self.medium();
        let mut history: Vec<Generation> = medium.retained.iter().map(|(generation, _)| generation.clone()).collect();
        match self.fault() {
            Fault::SortsHistoryBySeq => history.sort_by_key(|generation| std::cmp::Reverse(generation.seq())),
            Fault::ListsStages => history.extend(medium.stages.values().map(|(generation, _)| generation.clone())),
            Fault::CollectsWhenReading => medium.stages.clear(),
            Fault::CutsHistoryAt1000 => history.truncate(1_000),
            _ => history.extend(shared),
        }
        Ok(history)
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        self.step().await;
        if self.fault() == Fault::ReadsTakeTheLock {
            self.wait_for_the_lock(Operation::Read).await?;
        }
        let find = |wanted: &str| {
            let medium = self.medium();
            let found = |name: &str| match self.fault() {
                Fault::IgnoresTheCaseOfNames => wanted.eq_ignore_ascii_case(name),
                Fault::IgnoresTrailingBlanksOfNames => wanted.trim_end_matches(' ') == name,
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
        if self.fault() == Fault::EndsReadsAtMissingPieces {
            let size = json.as_ref().map_or(0, Bytes::len);
            for end in (0..size).step_by(1 << 20).skip(1) {
                self.step().await;
                if find(generation.name()).is_none() {
                    return Ok(json.map(|json| json.slice(..end)).unwrap_or_default());
                }
            }
        }
        let is_of_another_seq =
            self.medium().retained.iter().any(|(known, _)| known == generation && known.seq() != generation.seq());
        if is_of_another_seq && self.fault() != Fault::IgnoresTheSeqOfAName {
            json = None;
        }
        if self.fault() == Fault::ReadsInTwoSteps && json.is_some() {
            self.step().await;
            let newest = self.medium().retained[0].1.clone();
            let half = json.as_ref().map_or(0, |json| json.len() / 2);
            json = json.map(|json| [&json[..half], &newest[half.min(newest.len())..]].concat().into());
        }
        let json = json.or_else(|| self.read_from_the_neighbour(generation));
        if let Some(error) = self.corruption_of(generation) {
            return Err(error);
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
            self.step().await;
        }
        let over = self.newest();
        let stage =
            Stage { handle: self.clone(), number, generation, json: Vec::new(), over, begun: false, done: false };
        self.step().await;
        Ok(Box::new(stage))
    }

    async fn collect_garbage(&self) -> Result<Collected> {
        self.step().await;
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
        drop(medium);
        self.collect_hook_faults();
        Ok(Collected::default())
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        let json = match self.read(generation).await {
            Err(MiniSnapError::Corrupt { .. }) if self.fault() == Fault::StreamsUncheckedBytes => {
                self.unchecked(generation)
            }
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
            Fault::EndsStreamsBetweenTwoSteps => {
                let (handle, wanted) = (self.clone(), generation.clone());
                ChunkStream::unfold(json, move |mut rest| {
                    let (handle, wanted) = (handle.clone(), wanted.clone());
                    async move {
                        let is_there = || handle.medium().retained.iter().any(|(known, _)| *known == wanted);
                        let (was_there, chunk) = (is_there(), rest.split_to(rest.len().min(1 << 16)));
                        handle.step().await;
                        Ok((was_there == is_there() && !chunk.is_empty()).then_some((chunk, rest)))
                    }
                })
            }
            _ => ChunkStream::from_bytes(json),
        })
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        self.step().await;
        if self.fault() == Fault::OverwritesWhenExpiring {
            let before = self.medium().retained.clone();
            self.step().await;
            self.medium().retained = before;
        }
        let one_by_one = self.fault() == Fault::ExpiresStepByStep;
        let mut expired = Vec::new();
        while one_by_one && self.medium().retained.len() > retain.get() {
            expired.extend(self.medium().retained.pop().map(|(generation, _)| generation));
            self.step().await;
        }
        let mut medium = self.medium();
        let from = match self.fault() {
            Fault::ExpiresNothing => medium.retained.len(),
            Fault::FailsWhenNothingExpires if retain.get() >= medium.retained.len() => {
                return Err(MiniSnapError::NotFound { at: self.at(Operation::Expire), found: Absence::Empty });
            }
            _ => retain.get().min(medium.retained.len()),
        };
        if self.fault() == Fault::ExpiresBeforeItIsDurable {
            hooks::delete_unsynced(&mut medium, from);
        }
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
        if self.fault() == Fault::ReturnsOnly100Expired {
            expired.truncate(100);
        }
        Ok(expired)
    }

    async fn verify(&self) -> Result<Verification> {
        let mut generations = self.history().await?;
        match self.fault() {
            Fault::VerifiesOnlyTheCurrent => generations.truncate(1),
            Fault::CollectsWhenVerifying => self.medium().stages.clear(),
            _ => {}
        }
        let mut verification = Verification::new(self.verify_each(generations)?);
        verification.orphans = self.orphans_of_the_neighbour();
        verification.orphans += self.medium().stages.len();
        Ok(verification)
    }
}
