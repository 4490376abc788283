//! A client: calls the store in random ways, and logs each call and its outcome.

use super::{
    log::{Call, Condition, Create, Event, Log, Outcome, level_of},
    plan::Plan,
};
use crate::{checked_state::CheckedState, random::Rng};
use minisnap::{
    Committed, Generation, MiniSnapError, Precondition, Result, SnapStore, SnapshotBackend,
    backend::{CommitOptions, format::CHUNK},
};
use std::{collections::VecDeque, io::Write, num::NonZeroUsize, sync::Arc, thread, time::Duration};

/// How many generations a client remembers, retained or expired.
const REMEMBERED: usize = 8;

/// With this busy timeout, `Busy` is a violation: the lock was never released.
pub(crate) const NO_TIMEOUT: Duration = Duration::from_secs(100);

/// The errors that a client's backend may return in addition to those of the contract.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AllowedErrors {
    /// `Busy` is allowed after this time, unless it is [`NO_TIMEOUT`].
    pub(crate) busy_timeout: Duration,
    /// `StageLost` is allowed: garbage collection may delete the stage of a running writer.
    pub(crate) stage_lost: bool,
}

pub(crate) struct Client<B> {
    store: SnapStore<B>,
    allowed: AllowedErrors,
    log: Arc<Log>,
    plan: Plan,
    rng: Rng,
    /// The last generations that the client found, newest first.
    seen: VecDeque<Generation>,
}

impl<B: SnapshotBackend + Clone> Client<B> {
    pub(crate) fn new(backend: B, allowed: AllowedErrors, log: Arc<Log>, plan: Plan, seed: u64) -> Self {
        let (store, rng) = (SnapStore::with_backend(backend), Rng::new(seed));
        Self { store, allowed, log, plan, rng, seen: VecDeque::new() }
    }

    /// Runs one operation.
    pub(crate) async fn step(&mut self) {
        let pause = self.rng.below(self.plan.pause.as_micros() as u64 + 1);
        if pause > 0 {
            tokio::time::sleep(Duration::from_micros(pause)).await;
        }
        if self.rng.chance(self.plan.creates) {
            return self.create().await;
        }
        if self.rng.chance(5) {
            return self.stage_and_drop().await;
        }
        let call = self.choose_call();
        let (number, _) = self.log.number(0);
        self.log.write(&Event::Begin(number, call.clone()));
        let outcome = self.execute(call).await.unwrap_or_else(|error| self.allowed.outcome_of(&error));
        self.log.write(&Event::End(number, outcome));
    }

    fn choose_call(&mut self) -> Call {
        let newest = self.seen.front().map_or(0, |seen| level_of(seen.seq()));
        let any = self.rng.below(REMEMBERED as u64) as usize;
        match (self.rng.below(20), self.seen.get(any)) {
            (0, _) => Call::CollectGarbage,
            (1..4, _) => Call::RestoreAt((newest + self.rng.below(4)).saturating_sub(2) << 32),
            (4..9, Some(seen)) => Call::RestoreGeneration(seen.seq()),
            (9..11, _) => Call::TruncationPoint,
            (11..15, _) => Call::History,
            _ => Call::ReadCurrent,
        }
    }

    async fn execute(&mut self, call: Call) -> Result<Outcome> {
        Ok(match call {
            Call::CollectGarbage => self.store.collect_garbage().await.map(|_| Outcome::Done)?,
            Call::RestoreAt(seq) => match self.store.restore_at(seq).await {
                Err(MiniSnapError::NotFound { .. }) => Outcome::Found(None),
                restored => check_restored(restored?),
            },
            Call::RestoreGeneration(seq) => {
                let generation = self.seen.iter().find(|seen| seen.seq() == seq).expect("a chosen generation").clone();
                check_restored(self.store.restore_generation(&generation).await?)
            }
            Call::TruncationPoint => Outcome::TruncationPoint(self.store.truncation_point().await?),
            Call::History => {
                let history = self.store.history().await?;
                self.remember(history.iter().rev().cloned());
                Outcome::Retained(seqs(&history))
            }
            Call::ReadCurrent => self.read_current().await?,
            Call::Create(_) => unreachable!("a create has its own function"),
        })
    }

    async fn read_current(&mut self) -> Result<Outcome> {
        Ok(match self.rng.below(3) {
            0 => self.store.try_restore().await?.map_or(Outcome::Found(None), check_restored),
            1 => match self.store.restore().await {
                Err(MiniSnapError::NotFound { .. }) => Outcome::Found(None),
                restored => check_restored(restored?),
            },
            _ => {
                let current = self.store.current().await?;
                let seq = current.as_ref().map(Generation::seq);
                self.remember(current);
                Outcome::Found(seq)
            }
        })
    }

    /// Drops a stage without a commit. Its seq isn't logged, so any operation that finds it fails the check. A stage larger
    /// than a chunk is on the disk, even if the handle has committed before.
    async fn stage_and_drop(&mut self) {
        let (_, seq) = self.log.number(self.rng.below(1 << 20));
        let staged = self.store.backend().stage(seq).await;
        if let Ok(mut staged) = staged {
            let length = if self.rng.chance(30) { CHUNK + 1 } else { 5 };
            let _ = staged.write_all(&vec![b' '; length]);
            self.pause(2_000).await;
        }
    }

    async fn create(&mut self) {
        let current = self.seen.front().cloned();
        let (precondition, level) = self.choose_precondition(current.as_ref());
        let (number, seq) = self.log.number(level);
        let retain = self.rng.pick(self.plan.retentions);
        let condition = condition_of(&precondition);
        self.log.write(&Event::Begin(number, Call::Create(Create { seq, retain, condition })));

        let limit = if self.rng.below(300) == 0 { 2_500_000 } else { self.plan.limit };
        let state = CheckedState::new(seq, limit);
        let create = create(self.store.clone(), retain, state, seq, precondition, self.rng.clone());
        let result = match self.rng.chance(self.plan.cancelled) {
            false => Some(create.await),
            true => {
                let most = self.rng.pick(&[300, 3_000, 20_000]);
                tokio::select! {
                    biased;
                    result = create => Some(result),
                    () = self.pause(most) => None,
                }
            }
        };
        let outcome = match result {
            None => Outcome::Cancelled,
            Some(Err(error)) => {
                match &error {
                    MiniSnapError::Stale { current, .. } => self.remember([current.clone()]),
                    MiniSnapError::Conflict { current, .. } => self.remember(current.clone()),
                    _ => {}
                }
                self.allowed.outcome_of(&error)
            }
            Some(Ok(committed)) => self.check_committed(&committed),
        };
        self.log.write(&Event::End(number, outcome));
    }

    /// Chooses a precondition, and a level for the seq: that of the last seen generation, a higher one, or, where the plan
    /// allows it, a lower one.
    fn choose_precondition(&mut self, current: Option<&Generation>) -> (Precondition, u64) {
        let level = current.map_or(2, |current| level_of(current.seq()));
        match self.rng.below(3) {
            0 => (Precondition::IfNewer, level + self.rng.below(3)),
            _ if self.plan.only_newer => (Precondition::IfNewer, level + 1),
            1 => (Precondition::IfCurrent(current.cloned()), level + 1),
            _ => (Precondition::Always, (level + self.rng.below(5)).saturating_sub(2)),
        }
    }

    fn check_committed(&mut self, committed: &Committed) -> Outcome {
        let retained = seqs(committed.retained());
        let is_violation = committed.retained().first() != Some(committed.generation())
            || Some(committed.truncation_point()) != retained.iter().min().copied();
        self.remember(committed.retained().iter().rev().cloned());
        match is_violation {
            true => Outcome::Violation(format!("the fields of {committed:?} contradict each other")),
            false => Outcome::Committed(retained),
        }
    }

    fn remember(&mut self, seen: impl IntoIterator<Item = Generation>) {
        for generation in seen {
            self.seen.retain(|other| *other != generation);
            self.seen.push_front(generation);
        }
        self.seen.truncate(REMEMBERED);
    }

    /// Pauses for up to `most` microseconds, more precisely than the runtime's timer.
    fn pause(&mut self, most: u64) -> impl Future<Output = ()> + use<B> {
        let pause = Duration::from_micros(self.rng.below(most));
        async move {
            let _ = tokio::task::spawn_blocking(move || thread::sleep(pause)).await;
        }
    }
}

/// Creates a snapshot by one of the kinds of create.
async fn create<B: SnapshotBackend>(
    store: SnapStore<B>,
    retain: usize,
    state: CheckedState,
    seq: u64,
    precondition: Precondition,
    mut rng: Rng,
) -> Result<Committed> {
    let store = store.retain(retain);
    match (rng.below(5), precondition) {
        (0, Precondition::Always) => store.create(&state, seq).await,
        (0, Precondition::IfNewer) => store.create(&state, seq).if_newer().await,
        (0, Precondition::IfCurrent(expected)) => {
            store.create(&state, seq).precondition(Precondition::IfCurrent(expected)).await
        }
        (1, precondition) => store.create(&state, seq).precondition(precondition).verified().await,
        (2, precondition) => store.create_owned(Arc::new(state), seq).precondition(precondition).await,
        (3, precondition) => stage_and_commit(&store, retain, &state, seq, precondition, rng).await,
        (_, precondition) => store.create(&state, seq).precondition(precondition).await,
    }
}

/// Holds a stage open for some time, like a state that takes long to serialize.
async fn stage_and_commit<B: SnapshotBackend>(
    store: &SnapStore<B>,
    retain: usize,
    state: &CheckedState,
    seq: u64,
    precondition: Precondition,
    mut rng: Rng,
) -> Result<Committed> {
    let retain = NonZeroUsize::new(retain).expect("a retention above zero");
    let json = serde_json::to_vec(state).expect("JSON");
    let mut staged = store.backend().stage(seq).await?;
    for chunk in json.chunks(json.len() / 3 + 1) {
        staged
            .write_all(chunk)
            .map_err(|error| MiniSnapError::from_write(error, || unreachable!("the error has its location")))?;
        staged.drain().await?;
        tokio::time::sleep(Duration::from_millis(rng.below(4))).await;
    }
    staged.commit(CommitOptions::new(retain).with_precondition(precondition)).await
}

fn seqs(generations: &[Generation]) -> Vec<u64> {
    generations.iter().map(Generation::seq).collect()
}

fn condition_of(precondition: &Precondition) -> Condition {
    match precondition {
        Precondition::Always => Condition::Always,
        Precondition::IfNewer => Condition::IfNewer,
        Precondition::IfCurrent(expected) => Condition::IfCurrent(expected.as_ref().map(Generation::seq)),
        other => unreachable!("no client chooses {other:?}"),
    }
}

fn check_restored((state, seq): (CheckedState, u64)) -> Outcome {
    match state.violation(seq) {
        None => Outcome::Found(Some(seq)),
        Some(violation) => Outcome::Violation(violation),
    }
}

impl AllowedErrors {
    fn outcome_of(&self, error: &MiniSnapError) -> Outcome {
        match error {
            MiniSnapError::Stale { current, .. } => Outcome::Rejected(Some(current.seq())),
            MiniSnapError::Conflict { current, .. } => Outcome::Rejected(current.as_ref().map(Generation::seq)),
            MiniSnapError::Expired { .. } => Outcome::Expired,
            MiniSnapError::Busy { waited, .. } if *waited >= self.busy_timeout && self.busy_timeout < NO_TIMEOUT => {
                Outcome::Failed
            }
            MiniSnapError::StageLost { .. } if self.stage_lost => Outcome::Failed,
            error => Outcome::Violation(error.to_string()),
        }
    }
}
