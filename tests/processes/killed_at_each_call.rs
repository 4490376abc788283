//! A writer that is killed at each of its system calls, one after the other: the real program, the real calls, and none
//! left out. Then whoever goes on is killed, too.
//!
//! A kill loses nothing of what was written (a power loss does: see minisnap-fs's crash tests), so this may all happen in
//! memory.

/// What is left lying about.
mod leftovers;

use super::{
    deeds::{Deed, NEW, OLD},
    found::{State, go_on, one_of},
    tracer::{self, Traced},
};
use crate::{
    folders::names,
    peers::{self, Job, Peer, Start},
    whole::mix,
};
use minisnap::SnapStore;
use std::{collections::BTreeMap, env, fs, path::Path, time::Instant};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// How many kills of a deed are followed by one of whoever goes on, unless `MINISNAP_SECOND_KILLS` says otherwise.
const SECOND_KILLS: u64 = 12;

/// What the publisher publishes that goes on after a kill, and is killed too.
const NEXT: u64 = 10;

#[test]
fn a_first_publish() {
    at_each_call_of(Deed::First, || peers::of(a_first_publish));
}

#[test]
fn a_first_publish_in_new_folders() {
    at_each_call_of(Deed::FirstInNewFolders, || peers::of(a_first_publish_in_new_folders));
}

#[test]
fn a_second_publish() {
    at_each_call_of(Deed::Second, || peers::of(a_second_publish));
}

#[test]
fn a_publish_that_retires() {
    at_each_call_of(Deed::Retiring, || peers::of(a_publish_that_retires));
}

/// By a handle that remembers what it saw, and stages in memory.
#[test]
fn a_publish_that_retires_by_a_warm_handle() {
    at_each_call_by(Handle::Warm, Deed::Retiring, || peers::of(a_publish_that_retires_by_a_warm_handle));
}

#[test]
#[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
fn a_publish_of_an_owned_state_on_many_threads() {
    at_each_call_of(Deed::Owned, || peers::of(a_publish_of_an_owned_state_on_many_threads));
}

#[test]
fn an_adoption() {
    at_each_call_of(Deed::Adopting, || peers::of(an_adoption));
}

#[test]
fn a_reseal_of_a_replaced_pair() {
    at_each_call_of(Deed::ResealReplaced, || peers::of(a_reseal_of_a_replaced_pair));
}

#[test]
fn a_reseal_of_an_edit_in_place() {
    at_each_call_of(Deed::ResealInPlace, || peers::of(a_reseal_of_an_edit_in_place));
}

#[test]
fn a_set_aside() {
    at_each_call_of(Deed::SetAside, || peers::of(a_set_aside));
}

#[test]
fn a_sweep() {
    at_each_call_of(Deed::Sweep, || peers::of(a_sweep));
}

/// The tracer itself: the call at which a process is killed isn't done, and those before are.
#[test]
fn the_call_it_is_killed_at_is_not_done() {
    if let Some(job) = peers::job() {
        job.hear();
        for number in 0..3 {
            fs::create_dir(job.dir().join(number.to_string())).expect("a folder");
        }
        return job.say("done");
    }
    for calls in 0..=4 {
        let folder = TempDir::new().expect("a temporary folder");
        let mut peer = peers::of(the_call_it_is_killed_at_is_not_done).dir(folder.path()).start();
        let traced = tracer::run(&mut peer, calls);
        let said = peer.kill();
        assert_eq!(names(folder.path()), ["0", "1", "2"][..calls.min(3)]);
        match calls {
            0..=2 => assert!(matches!(traced, Traced::Killed { at: "mkdir" | "mkdirat" }), "{traced:?}"),
            3 => assert!(matches!(traced, Traced::Killed { at: "the answer" }), "{traced:?}"),
            _ => assert!(matches!(traced, Traced::Done { calls: 4 }), "{traced:?}"),
        }
        assert_eq!(said.len(), calls / 4, "{said:?}");
    }
}

/// The handle of the one that is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Handle {
    Fresh,
    /// It has committed the old pair.
    Warm,
}

fn at_each_call_of(deed: Deed, peer: impl Fn() -> Start) {
    at_each_call_by(Handle::Fresh, deed, peer);
}

fn at_each_call_by(handle: Handle, deed: Deed, peer: impl Fn() -> Start) {
    if let Some(job) = peers::job() {
        return play(&job);
    }
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let begun = Instant::now();
        let mut series = Series { deed, handle, peer, kills: 0, hit: BTreeMap::new(), found: BTreeMap::new() };
        let calls = series.kill_at_each_call().await;
        let next = series.kill_whoever_goes_on(calls).await;
        series.report(begun, calls, next);
    });
}

/// The peer: gets ready, goes, and answers when all is done.
fn play(job: &Job) {
    let (deed, dir): (Deed, _) = (job.arg("deed"), job.dir());
    let runtime = runtime(deed);
    let warm = (job.role() == "deed by a warm handle").then(|| deed.store(&dir));
    if let Some(store) = &warm {
        runtime.block_on(deed.commit_by(store, OLD)).expect("a snapshot");
    }
    job.say("ready");
    assert_eq!(job.hear(), "go");
    runtime.block_on(async {
        if let Some(store) = warm {
            return deed.commit_by(&store, NEW).await.expect("to do it");
        }
        match job.role() {
            "next" => {
                deed.mend(&dir).await.expect("to mend it");
                deed.commit(&dir, NEXT).await.expect("a snapshot");
            }
            _ => deed.perform(&dir).await.expect("to do it"),
        }
    });
    job.say("done");
}

/// Without timers or input: with them, waking up is a system call too, and sometimes it is needed.
fn runtime(deed: Deed) -> Runtime {
    match deed {
        Deed::Owned => Builder::new_multi_thread().worker_threads(2).build(),
        _ => Builder::new_current_thread().build(),
    }
    .expect("a runtime")
}

/// All kills of one deed.
struct Series<P> {
    deed: Deed,
    handle: Handle,
    peer: P,
    kills: usize,
    /// How many kills there were at each kind of call.
    hit: BTreeMap<&'static str, usize>,
    /// What was found after a kill, and how often.
    found: BTreeMap<&'static str, usize>,
}

impl<P: Fn() -> Start> Series<P> {
    /// Returns how many calls there are.
    async fn kill_at_each_call(&mut self) -> usize {
        for calls in 0.. {
            let folder = folder_in_memory();
            let dir = self.deed.prepare(folder.path()).await;
            let peer = self.start(self.role(), &dir);
            let before = history(&dir).await;
            let traced = self.run(peer, calls);
            let states = self.deed.states();
            let from = if matches!(traced, Traced::Done { .. }) { states.len() - 1 } else { 0 };
            let found = one_of(&states[from..], &dir).await;
            if matches!(traced, Traced::Killed { .. }) {
                let left = leftovers::in_folder(&dir, &history(&dir).await, &before);
                left.into_iter().chain([found.name]).for_each(|kind| *self.found.entry(kind).or_default() += 1);
            }
            go_on(self.deed, &dir).await;
            if let Traced::Done { calls } = traced {
                return calls;
            }
        }
        unreachable!("a peer is killed or done")
    }

    /// Kills a writer somewhere, and the one that goes on somewhere. Returns how many calls that one made at most.
    async fn kill_whoever_goes_on(&mut self, calls: usize) -> usize {
        let count = env::var("MINISNAP_SECOND_KILLS").map_or(SECOND_KILLS, |text| text.parse().expect("a number"));
        // The first isn't killed, to see how many calls there are.
        let (mut first, mut second, mut most) = (calls / 2, usize::MAX, 0);
        for kill in 0..=count {
            let folder = folder_in_memory();
            let dir = self.deed.prepare(folder.path()).await;
            self.run(self.start(self.role(), &dir), first);
            let mut states = self.deed.states();
            let found = one_of(&states, &dir).await;
            states.push(State { name: "the next pair", ..self.deed.pair(NEXT) });
            states.drain(..states.iter().position(|state| *state == found).expect("one of them"));
            if let Traced::Done { calls } = self.run(self.start("next", &dir), second) {
                most = most.max(calls);
                states.drain(..states.len() - 1);
            }
            let found = one_of(&states, &dir).await;
            *self.found.entry(found.name).or_default() += 1;
            go_on(self.deed, &dir).await;
            // Some have more to clean up than others; how much more, turns out.
            (first, second) = (random(2 * kill, calls), random(2 * kill + 1, most + most / 4));
        }
        most
    }

    fn role(&self) -> &'static str {
        match self.handle {
            Handle::Fresh => "deed",
            Handle::Warm => "deed by a warm handle",
        }
    }

    /// A peer that is ready.
    fn start(&self, role: &str, dir: &Path) -> Peer {
        let start = (self.peer)().role(role).arg("deed", format!("{:?}", self.deed)).dir(dir);
        let peer = tracer::without_calls_by_chance(start).start();
        assert_eq!(peer.hear(), "ready");
        peer
    }

    /// Runs a peer up to a call.
    fn run(&mut self, mut peer: Peer, calls: usize) -> Traced {
        let traced = tracer::run(&mut peer, calls);
        let said = peer.kill();
        match traced {
            Traced::Killed { at } => {
                assert!(said.is_empty(), "{said:?}");
                self.kills += 1;
                *self.hit.entry(at).or_default() += 1;
            }
            Traced::Done { .. } => assert_eq!(said, ["done"]),
        }
        traced
    }

    fn report(&self, begun: Instant, calls: usize, next: usize) {
        let Self { deed, handle, kills, hit, found, .. } = self;
        println!(
            "{deed:?} ({handle:?}): {calls} calls, {kills} kills in {:.1?} (whoever went on made up to {next} calls); killed at {hit:?}; \
             found {found:?}",
            begun.elapsed()
        );
        let states = deed.states();
        for kind in leftovers::of(*deed).iter().chain(states.iter().map(|state| &state.name)) {
            assert!(found.contains_key(kind), "no kill of {deed:?} left this: {kind}");
        }
    }
}

/// The names of what is retained, whether or not it was edited.
async fn history(dir: &Path) -> Vec<String> {
    let history = SnapStore::new(dir).history().await.expect("a history");
    history.iter().map(|generation| generation.name().to_owned()).collect()
}

fn folder_in_memory() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a temporary folder")
}

/// A number below `limit` that looks random.
fn random(number: u64, limit: usize) -> usize {
    (mix(number) % limit.max(1) as u64) as usize
}
