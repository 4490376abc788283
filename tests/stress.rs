//! Everything at once: tasks, threads and processes that create in all ways there are and under all conditions, restore,
//! look back, sweep, drop what they began, and are killed. They write down what they were told, and when it is over, it must
//! fit together: see [`line`], [`times`] and [`rules`].
//!
//! ```text
//! MINISNAP_STRESS_SECONDS=300 cargo test --package minisnap-tests stress:: -- --nocapture --test-threads 1
//! ```
//!
//! A few seconds for each kind of store unless the variable says how many. A seed draws what each round is like; it is
//! printed, and `MINISNAP_STRESS_SEED` sets it. How threads are scheduled isn't in it, so a seed that failed once may have to
//! be tried again; the log of a round that failed is kept.

/// One of the crowd.
mod actor;
/// Who is there.
mod crowd;
/// What was published, one over the other.
mod line;
/// What everybody did and was told.
mod log;
/// What a round is like.
mod plan;
/// What must be so.
mod rules;
/// What a log tells.
mod story;
/// When each may have been current.
mod times;
/// That wrong answers are found.
mod wrong;

use crate::{folders::assert_tidy, peers, whole};
use actor::{LONG, Manners};
use log::{Action, Answer, Create, Event, Log, When};
use minisnap::{Generation, SnapStore, SnapshotBackend, mem::MemBackend};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, memory::InMemory},
};
use plan::Plan;
use std::{
    cell::OnceCell,
    collections::{BTreeMap, hash_map::RandomState},
    env,
    hash::{BuildHasher, Hasher},
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use story::Story;
use tempfile::TempDir;

const SHORT: Duration = Duration::from_secs(3);
/// A round has a store and a plan of its own.
const LONGEST_ROUND: Duration = Duration::from_secs(2);
/// No process of a crowd has this number.
const AFTERWARDS: u64 = 4_000;

#[test]
fn in_a_folder_with_processes_that_are_killed_all_answers_fit_together() {
    if let Some(job) = peers::job() {
        return crowd::act_as_told(&job);
    }
    let start = || peers::of(in_a_folder_with_processes_that_are_killed_all_answers_fit_together);
    rounds("folder", |round, length| {
        let dir = round.folder.path().join("state");
        crowd::act_in_processes(start, &dir, &round.log(), &round.plan, length);
        let history = afterwards(SnapStore::new(&dir), round);
        round.check_answers();
        assert_tidy(&dir, &history);
    });
}

#[test]
fn in_memory_all_answers_fit_together() {
    rounds("memory", |round, length| {
        let memory = MemBackend::new();
        let manners = Manners { patience: LONG, sweeps_the_living: false };
        crowd::act_here(|_| (memory.clone(), manners), &round.log(), &round.plan, length);
        afterwards(SnapStore::with_backend(memory.clone()), round);
        round.check_answers();
        assert_eq!(memory.stages(), 0, "stages that nobody has any more");
    });
}

#[test]
fn in_an_object_store_all_answers_fit_together() {
    rounds("object store", |round, length| {
        let objects = Arc::new(InMemory::new());
        let fresh = || ObjectBackend::new(objects.clone(), "app").with_part_size(20_000).with_busy_timeout(LONG);
        let shared = fresh();
        // Some share a handle, the others have one of their own.
        let backend = |number| {
            let backend = if number % 2 == 0 { shared.clone() } else { fresh() };
            (backend, Manners { patience: LONG, sweeps_the_living: true })
        };
        crowd::act_here(backend, &round.log(), &round.plan, length);
        let history = afterwards(SnapStore::with_backend(fresh()), round);
        round.check_answers();
        assert_only_these_are_left(&objects, &history);
    });
}

/// One store, from its first snapshot to its last.
struct Round {
    plan: Plan,
    folder: TempDir,
    story: OnceCell<Story>,
}

impl Round {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { plan: Plan::draw(seed), folder, story: OnceCell::new() }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    #[track_caller]
    fn check_answers(&self) {
        match rules::check(log::read(&self.log()), self.plan.only_newer) {
            Ok(story) => drop(self.story.set(story)),
            Err(wrong) => panic!("{wrong}"),
        }
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        if thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("it was in {:?}, with this plan: {:?}", self.folder.path(), self.plan);
        }
    }
}

/// Runs rounds until the time is over, and says what happened in them.
fn rounds(store: &str, run: impl Fn(&Round, Duration)) {
    let seed = number("MINISNAP_STRESS_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 32);
    let total = number("MINISNAP_STRESS_SECONDS").map_or(SHORT, Duration::from_secs);
    println!("{store}: MINISNAP_STRESS_SEED={seed}");
    let (began, mut tally) = (Instant::now(), BTreeMap::new());
    for seed in seed.. {
        let round = Round::new(seed);
        run(&round, total.saturating_sub(began.elapsed()).min(LONGEST_ROUND));
        count(&mut tally, round.story.get().expect("a round whose answers were checked"));
        if began.elapsed() >= total {
            break;
        }
    }
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    println!("{store}: {minutes:.2} minutes; in all, and in a minute:");
    for (what, times) in &tally {
        println!("{times:>9} {:>9.0}  {what}", *times as f64 / minutes);
    }
    for what in ["published", "restored or looked up"] {
        assert!(tally.contains_key(what), "{what}: never");
    }
}

/// When all is over, creates once more, and sweeps: then what must be there is there, and whole. Returns the history.
fn afterwards<B: SnapshotBackend>(store: SnapStore<B>, round: &Round) -> Vec<Generation> {
    let (keep, when) = (round.plan.keeps[0], When::Newer);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let log = Log::open(&round.log(), AFTERWARDS);
        let (number, seq) = log.number((1 << 31) - 1);
        log.write(&Event::Begin(number, Action::Create(Create { seq, keep, when })));
        let store = store.retain(keep);
        let published = store.create(&whole::Whole::new(seq, 100), seq).if_newer().await.expect("the last snapshot");
        let retained = published.retained().iter().map(Generation::seq).collect();
        log.write(&Event::End(number, Answer::Committed(retained)));
        store.collect_garbage().await.expect("the last sweep");
        let history = whole::restore_history(&store).await;
        assert_eq!(history, published.retained());
        history
    })
}

fn assert_only_these_are_left(objects: &InMemory, history: &[Generation]) {
    use futures_util::{FutureExt, StreamExt};
    let all = objects.list(None).map(|object| object.expect("an object").location.to_string()).collect::<Vec<_>>();
    let mut found = all.now_or_never().expect("memory answers at once");
    found.sort();
    let files =
        |generation: &Generation| ["json", "seq"].map(|file| format!("app/snapshots/{generation}/snapshot.{file}"));
    let mut expected: Vec<_> = history.iter().flat_map(files).collect();
    expected.push("app/snapshots/current".into());
    expected.sort();
    assert_eq!(found, expected);
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number")))
}

fn count(tally: &mut BTreeMap<&str, u64>, story: &Story) {
    *tally.entry("rounds").or_default() += 1;
    *tally.entry("processes killed").or_default() += story.deaths;
    for operation in &story.operations {
        let what = match (&operation.action, &operation.answer) {
            (_, None) => "cut short by a kill",
            (Action::Create(_), Some(Answer::Committed(_))) => "published",
            (Action::Create(_), Some(Answer::Refused(_))) => "refused: stale, or a conflict",
            (Action::Create(_), Some(Answer::Dropped)) => "dropped half-way",
            (_, Some(Answer::Failed)) => "busy, or swept away",
            (Action::RestoreGeneration(_), Some(Answer::Expired)) => "retired before it was restored",
            (_, Some(Answer::Expired)) => "overtaken 16 times while it restored",
            (Action::Sweep, _) => "swept",
            (Action::History | Action::TruncationPoint, _) => "looked back",
            _ => "restored or looked up",
        };
        *tally.entry(what).or_default() += 1;
    }
    *tally.entry("operations").or_default() += story.operations.len() as u64;
}
