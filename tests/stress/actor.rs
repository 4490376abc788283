//! One of the crowd: does this and that, at random, and writes down what it was told.

use super::{
    log::{Action, Answer, Create, Event, Log, When, level_of},
    plan::{Dice, Plan},
};
use crate::whole::Whole;
use minisnap::{
    Committed, Generation, MiniSnapError, Precondition, Result, SnapStore, SnapshotBackend,
    backend::{CommitOptions, format::CHUNK},
};
use std::{collections::VecDeque, io::Write, num::NonZeroUsize, sync::Arc, thread, time::Duration};

/// How many generations it remembers, retained or not.
const REMEMBERED: usize = 8;

/// With so much patience nobody ever ends in `Busy`: that would be a lock that is never let go.
pub(crate) const LONG: Duration = Duration::from_secs(100);

/// What a backend may answer beyond what any may.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners {
    /// How long it tries before it is busy.
    pub(crate) patience: Duration,
    /// What a living writer staged may be swept away.
    pub(crate) sweeps_the_living: bool,
}

pub(crate) struct Actor<B> {
    store: SnapStore<B>,
    manners: Manners,
    log: Arc<Log>,
    plan: Plan,
    dice: Dice,
    /// What it saw of late, newest first.
    seen: VecDeque<Generation>,
}

impl<B: SnapshotBackend + Clone> Actor<B> {
    pub(crate) fn new(backend: B, manners: Manners, log: Arc<Log>, plan: Plan, seed: u64) -> Self {
        let (store, dice) = (SnapStore::with_backend(backend), Dice::new(seed));
        Self { store, manners, log, plan, dice, seen: VecDeque::new() }
    }

    /// Does one thing.
    pub(crate) async fn turn(&mut self) {
        let pause = self.dice.below(self.plan.pause.as_micros() as u64 + 1);
        if pause > 0 {
            tokio::time::sleep(Duration::from_micros(pause)).await;
        }
        if self.dice.chance(self.plan.creates) {
            return self.create().await;
        }
        if self.dice.chance(5) {
            return self.drop_a_stage().await;
        }
        let action = self.choose();
        let (number, _) = self.log.number(0);
        self.log.write(&Event::Begin(number, action.clone()));
        let answer = self.act(action).await.unwrap_or_else(|error| self.manners.in_short(&error));
        self.log.write(&Event::End(number, answer));
    }

    fn choose(&mut self) -> Action {
        let newest = self.seen.front().map_or(0, |seen| level_of(seen.seq()));
        let any = self.dice.below(REMEMBERED as u64) as usize;
        match (self.dice.below(20), self.seen.get(any)) {
            (0, _) => Action::Sweep,
            (1..4, _) => Action::RestoreAt((newest + self.dice.below(4)).saturating_sub(2) << 32),
            (4..9, Some(seen)) => Action::RestoreGeneration(seen.seq()),
            (9..11, _) => Action::TruncationPoint,
            (11..15, _) => Action::History,
            _ => Action::Look,
        }
    }

    async fn act(&mut self, action: Action) -> Result<Answer> {
        Ok(match action {
            Action::Sweep => self.store.collect_garbage().await.map(|_| Answer::Done)?,
            Action::RestoreAt(seq) => match self.store.restore_at(seq).await {
                Err(MiniSnapError::NotFound { .. }) => Answer::Saw(None),
                restored => whole(restored?),
            },
            Action::RestoreGeneration(seq) => {
                let generation = self.seen.iter().find(|seen| seen.seq() == seq).expect("what was chosen").clone();
                whole(self.store.restore_generation(&generation).await?)
            }
            Action::TruncationPoint => Answer::Point(self.store.truncation_point().await?),
            Action::History => {
                let history = self.store.history().await?;
                self.remember(history.iter().rev().cloned());
                Answer::Retained(seqs(&history))
            }
            Action::Look => self.look().await?,
            Action::Create(_) => unreachable!("it has a function of its own"),
        })
    }

    async fn look(&mut self) -> Result<Answer> {
        Ok(match self.dice.below(3) {
            0 => self.store.try_restore().await?.map_or(Answer::Saw(None), whole),
            1 => match self.store.restore().await {
                Err(MiniSnapError::NotFound { .. }) => Answer::Saw(None),
                restored => whole(restored?),
            },
            _ => {
                let current = self.store.current().await?;
                let seq = current.as_ref().map(Generation::seq);
                self.remember(current);
                Answer::Saw(seq)
            }
        })
    }

    /// What was begun and thought better of. Nobody is told: whoever meets it has found something wrong. One that is larger than a chunk
    /// is on the disk, whatever its handle remembers.
    async fn drop_a_stage(&mut self) {
        let (_, seq) = self.log.number(self.dice.below(1 << 20));
        let staged = self.store.backend().stage(seq).await;
        if let Ok(mut staged) = staged {
            let length = if self.dice.chance(30) { CHUNK + 1 } else { 5 };
            let _ = staged.write_all(&vec![b' '; length]);
            self.pause(2_000).await;
        }
    }

    async fn create(&mut self) {
        let current = self.seen.front().cloned();
        let (when, level) = self.intend(current.as_ref());
        let (number, seq) = self.log.number(level);
        let keep = self.dice.pick(self.plan.keeps);
        self.log.write(&Event::Begin(number, Action::Create(Create { seq, keep, when: in_words(&when) })));

        let limit = if self.dice.below(300) == 0 { 2_500_000 } else { self.plan.limit };
        let create = create(self.store.clone(), keep, Whole::new(seq, limit), seq, when, self.dice.clone());
        let told = match self.dice.chance(self.plan.dropped) {
            false => Some(create.await),
            true => {
                let most = self.dice.pick(&[300, 3_000, 20_000]);
                tokio::select! {
                    biased;
                    told = create => Some(told),
                    () = self.pause(most) => None,
                }
            }
        };
        let answer = match told {
            None => Answer::Dropped,
            Some(Err(error)) => {
                match &error {
                    MiniSnapError::Stale { current, .. } => self.remember([current.clone()]),
                    MiniSnapError::Conflict { current, .. } => self.remember(current.clone()),
                    _ => {}
                }
                self.manners.in_short(&error)
            }
            Some(Ok(published)) => self.published(&published),
        };
        self.log.write(&Event::End(number, answer));
    }

    /// Under which condition to create, and on which level: that of what it saw last, a bit above it, or, where that is
    /// allowed, below.
    fn intend(&mut self, current: Option<&Generation>) -> (Precondition, u64) {
        let level = current.map_or(2, |current| level_of(current.seq()));
        match self.dice.below(3) {
            0 => (Precondition::IfNewer, level + self.dice.below(3)),
            _ if self.plan.only_newer => (Precondition::IfNewer, level + 1),
            1 => (Precondition::IfCurrent(current.cloned()), level + 1),
            _ => (Precondition::Always, (level + self.dice.below(5)).saturating_sub(2)),
        }
    }

    fn published(&mut self, published: &Committed) -> Answer {
        let retained = seqs(published.retained());
        let wrong = published.retained().first() != Some(published.generation())
            || Some(published.truncation_point()) != retained.iter().min().copied();
        self.remember(published.retained().iter().rev().cloned());
        match wrong {
            true => Answer::Wrong(format!("{published:?} doesn't fit together")),
            false => Answer::Committed(retained),
        }
    }

    fn remember(&mut self, seen: impl IntoIterator<Item = Generation>) {
        for generation in seen {
            self.seen.retain(|other| *other != generation);
            self.seen.push_front(generation);
        }
        self.seen.truncate(REMEMBERED);
    }

    /// Up to so many microseconds: finer than the runtime's clock.
    fn pause(&mut self, most: u64) -> impl Future<Output = ()> + use<B> {
        let pause = Duration::from_micros(self.dice.below(most));
        async move {
            let _ = tokio::task::spawn_blocking(move || thread::sleep(pause)).await;
        }
    }
}

/// In one of the ways there are.
async fn create<B: SnapshotBackend>(
    store: SnapStore<B>,
    keep: usize,
    state: Whole,
    seq: u64,
    when: Precondition,
    mut dice: Dice,
) -> Result<Committed> {
    let store = store.retain(keep);
    match (dice.below(5), when) {
        (0, Precondition::Always) => store.create(&state, seq).await,
        (0, Precondition::IfNewer) => store.create(&state, seq).if_newer().await,
        (0, Precondition::IfCurrent(expected)) => {
            store.create(&state, seq).precondition(Precondition::IfCurrent(expected)).await
        }
        (1, when) => store.create(&state, seq).precondition(when).verified().await,
        (2, when) => store.create_owned(Arc::new(state), seq).precondition(when).await,
        (3, when) => by_hand(&store, keep, &state, seq, when, dice).await,
        (_, when) => store.create(&state, seq).precondition(when).await,
    }
}

/// A stage that is open for a while, as of a state that takes long to serialize.
async fn by_hand<B: SnapshotBackend>(
    store: &SnapStore<B>,
    keep: usize,
    state: &Whole,
    seq: u64,
    when: Precondition,
    mut dice: Dice,
) -> Result<Committed> {
    let keep = NonZeroUsize::new(keep).expect("it is not zero");
    let json = serde_json::to_vec(state).expect("JSON");
    let mut staged = store.backend().stage(seq).await?;
    for chunk in json.chunks(json.len() / 3 + 1) {
        staged
            .write_all(chunk)
            .map_err(|error| MiniSnapError::from_write(error, || unreachable!("it carries its place")))?;
        staged.drain().await?;
        tokio::time::sleep(Duration::from_millis(dice.below(4))).await;
    }
    staged.commit(CommitOptions::new(keep).with_precondition(when)).await
}

fn seqs(generations: &[Generation]) -> Vec<u64> {
    generations.iter().map(Generation::seq).collect()
}

fn in_words(when: &Precondition) -> When {
    match when {
        Precondition::Always => When::Always,
        Precondition::IfNewer => When::Newer,
        Precondition::IfCurrent(expected) => When::Over(expected.as_ref().map(Generation::seq)),
        other => unreachable!("no actor has {other:?}"),
    }
}

fn whole((state, seq): (Whole, u64)) -> Answer {
    match state.what_is_wrong(seq) {
        None => Answer::Saw(Some(seq)),
        Some(wrong) => Answer::Wrong(wrong),
    }
}

impl Manners {
    fn in_short(&self, error: &MiniSnapError) -> Answer {
        match error {
            MiniSnapError::Stale { current, .. } => Answer::Refused(Some(current.seq())),
            MiniSnapError::Conflict { current, .. } => Answer::Refused(current.as_ref().map(Generation::seq)),
            MiniSnapError::Expired { .. } => Answer::Expired,
            MiniSnapError::Busy { waited, .. } if *waited >= self.patience && self.patience < LONG => Answer::Failed,
            MiniSnapError::StageLost { .. } if self.sweeps_the_living => Answer::Failed,
            error => Answer::Wrong(error.to_string()),
        }
    }
}
