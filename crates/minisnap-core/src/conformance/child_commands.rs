//! The child's side of the hook `processes`: the commands that a parent sends, and what the child does.

use super::{Hook, Profile, StoreUnderTest, support::*};
use crate::{CommitOptions, Committed, Generation, MiniSnapError, Precondition, StagedSnapshot};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, Write},
    process, thread,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Precedes each answer, since the test runner prints lines, too.
pub(super) const MARK: &str = "minisnap-conformance: ";

/// The smallest number of attempts of a writer in [`Command::Race`], and the largest number of its commits.
const MIN_ATTEMPTS: u64 = 10;
const MAX_COMMITS: u64 = 300;

/// The writers of a race begin a burst of attempts at the same time of the clock. Without that, a fast writer could be done before
/// another one begins.
const BURST: u64 = 15;
const BURST_TIME: Duration = Duration::from_millis(100);

/// A command of the parent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Command {
    /// Opens the store. The first command.
    Open { address: String },
    /// Stages a sample, and keeps the stage open.
    Stage { seq: u64, tag: u64, size: usize },
    /// Commits the oldest open stage.
    CommitStage,
    /// Commits a sample over the generation that is current now.
    Commit { seq: u64, tag: u64 },
    /// Looks up the current generation and the history, and reads the current one.
    Look,
    /// Commits for [`Profile::RACE_TIME`] with other processes.
    Race { writer: u64, is_conditional: bool },
    /// Commits samples of the seqs from `seq` on, until the process is killed.
    CommitUntilKilled { seq: u64, size: usize, retain: usize },
}

/// An answer of the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The store is open.
    Ready,
    /// The snapshot is staged.
    Staged,
    /// The stage is lost.
    StageLost,
    /// A commit of this seq begins.
    Committing(u64),
    /// A commit was acknowledged.
    Committed(Acknowledged),
    /// The current generation and its history.
    Seen(Vec<Name>),
    /// The command is done.
    Done,
}

/// A generation in a message: its name and its seq.
pub(super) type Name = (String, u64);

/// An acknowledged commit.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Acknowledged {
    pub(super) name: String,
    pub(super) seq: u64,
    pub(super) tag: u64,
    /// The generation that was current before.
    pub(super) predecessor: Option<Name>,
}

impl Acknowledged {
    fn new(committed: &Committed, tag: u64) -> Self {
        let (name, seq) = name(committed.generation());
        Self { name, seq, tag, predecessor: committed.retained().get(1).map(self::name) }
    }

    pub(super) fn generation(&self) -> Generation {
        Generation::new(self.name.clone(), self.seq)
    }
}

/// The name of a generation, for messages.
pub(super) fn name(generation: &Generation) -> Name {
    (generation.name().to_owned(), generation.seq())
}

/// Obeys the commands of the parent until the standard input ends.
pub(super) async fn obey_commands<T: StoreUnderTest>() {
    let mut commands = read_commands();
    let Some(Command::Open { address }) = commands.recv().await else {
        panic!("the first command opens the store");
    };
    let backend = Hook::Processes.must(T::open_address(&address).await);
    let mut stages: Vec<Box<dyn StagedSnapshot>> = Vec::new();
    answer(&Answer::Ready);
    while let Some(command) = commands.recv().await {
        match command {
            Command::Open { .. } => panic!("the store is open"),
            Command::Stage { seq, tag, size } => {
                let staged = stage(&backend, &Sample::large::<T>(seq, tag, size)).await;
                stages.push(staged.must("a stage can be opened"));
                answer(&Answer::Staged);
            }
            Command::CommitStage => match stages.remove(0).commit(CommitOptions::new(RETAIN_ALL)).await {
                Err(MiniSnapError::StageLost { .. }) => answer(&Answer::StageLost),
                result => {
                    let committed = result.must("a stage of a running process can be committed, or is `StageLost`");
                    answer(&Answer::Committed(Acknowledged::new(&committed, 0)));
                }
            },
            Command::Commit { seq, tag } => {
                let committed = commit(&backend, &Sample::new(seq, tag), Precondition::Always, RETAIN_ALL).await;
                let committed = committed.must("a commit with `Always` is never refused");
                answer(&Answer::Committed(Acknowledged::new(&committed, tag)));
            }
            Command::Look => answer(&Answer::Seen(look(&backend).await)),
            Command::Race { writer, is_conditional } => {
                for acknowledged in race::<T>(&backend, writer, is_conditional).await {
                    answer(&Answer::Committed(acknowledged));
                }
                answer(&Answer::Done);
            }
            Command::CommitUntilKilled { seq, size, retain } => {
                commit_until_killed::<T>(&backend, seq, size, retain).await;
            }
        }
    }
}

/// Reads the parent's commands on a thread, and ends the process when there are no more.
fn read_commands() -> UnboundedReceiver<Command> {
    let (sender, commands) = unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            let _ = sender.send(serde_json::from_str(&line).expect("a line is a command"));
        }
        process::exit(0);
    });
    commands
}

/// Writes an answer in one piece. A parent that has ended reads none.
fn answer(answer: &Answer) {
    let line = format!("\n{MARK}{}\n", serde_json::to_string(answer).expect("an answer is JSON"));
    let mut out = io::stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

/// The history. Reads the current generation, too.
async fn look(backend: &Handle) -> Vec<Name> {
    let current = current(backend).await;
    let history = history(backend).await;
    assert_eq!(current.as_ref(), history.first(), "the current generation is the head of the history");
    if let Some(current) = current {
        assert_pair(&current, &read(backend, &current).await);
    }
    history.iter().map(name).collect()
}

/// Commits in bursts for [`Profile::RACE_TIME`]. With `is_conditional`, each commit is over the generation that was current just
/// before, and may conflict. Returns the acknowledged commits.
async fn race<T: StoreUnderTest>(backend: &Handle, writer: u64, is_conditional: bool) -> Vec<Acknowledged> {
    let start = Instant::now();
    let max = T::profile().commits().min(MAX_COMMITS);
    let mut acknowledged = Vec::new();
    for attempt in 0.. {
        let is_long_enough = start.elapsed() >= Profile::RACE_TIME && attempt >= MIN_ATTEMPTS;
        if is_long_enough || acknowledged.len() as u64 >= max {
            break;
        }
        if attempt % BURST == 0 {
            wait_for_the_burst().await;
        }
        let tag = 1_000_000 * writer + attempt;
        let expected = current(backend).await;
        let precondition = match is_conditional {
            true => Precondition::IfCurrent(expected.clone()),
            false => Precondition::Always,
        };
        match commit(backend, &Sample::new(attempt, tag), precondition, RETAIN_ALL).await {
            Err(MiniSnapError::Conflict { .. }) if is_conditional => {}
            result => {
                let committed = result.must("a commit of several processes succeeds or conflicts");
                assert!(
                    !is_conditional || committed.retained().get(1) == expected.as_ref(),
                    "a commit with `IfCurrent` is over the expected generation, {expected:?}, not: {committed:?}"
                );
                acknowledged.push(Acknowledged::new(&committed, tag));
            }
        }
    }
    acknowledged
}

async fn wait_for_the_burst() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("the clock is past 1970");
    let into = u64::try_from(now.as_micros() % BURST_TIME.as_micros()).expect("it is below a second");
    tokio::time::sleep(BURST_TIME.saturating_sub(Duration::from_micros(into))).await;
}

async fn commit_until_killed<T: StoreUnderTest>(backend: &Handle, from: u64, size: usize, retained: usize) {
    for seq in from.. {
        let sample = Sample::large::<T>(seq, seq, size);
        answer(&Answer::Committing(seq));
        let committed = commit(backend, &sample, Precondition::Always, retain(retained)).await;
        let committed = committed.must("a commit with `Always` is never refused");
        answer(&Answer::Committed(Acknowledged::new(&committed, seq)));
    }
}
