//! How long a step of the test backend takes, and the profile of its store.

use crate::{
    backend::TestBackend,
    faults::{DeletesWhenCancelled, DeletesWhenCancelledOnThePool, EvaluatesBeforeTheLock, Fault, NoFault, WithFault},
};
use minisnap_core::conformance::{Case, Flavour, Profile, cases};
use std::{
    cell::Cell,
    marker::PhantomData,
    panic::{self, AssertUnwindSafe},
    thread,
    time::{Duration, Instant},
};
use tokio::{task::yield_now, time::sleep};

thread_local! {
    /// The profile and the duration of a step for a case that runs on this thread alone.
    static OVERRIDE: Cell<Option<(Profile, Duration)>> = const { Cell::new(None) };

    static RANDOM: Cell<u64> = const { Cell::new(1) };
}

/// Runs `case` with another profile and another duration of a step. The type of the store is the same, which saves minutes of compiling.
pub fn with<R>(profile: Profile, step: Duration, case: impl FnOnce() -> R) -> R {
    OVERRIDE.set(Some((profile, step)));
    let result = case();
    OVERRIDE.set(None);
    result
}

pub fn profile<F: WithFault>() -> Profile {
    OVERRIDE.get().map_or(F::PROFILE, |(profile, _)| profile)
}

pub fn of_a_step<F: WithFault>() -> Duration {
    OVERRIDE.get().map_or(F::STEP, |(_, step)| step)
}

/// A step of a call, from three quarters to five quarters of `duration`. The timer counts milliseconds, so shorter steps yield.
#[allow(clippy::cast_precision_loss, reason = "sixteen bits")]
pub async fn step(duration: Duration) {
    let since = Instant::now();
    if duration >= Duration::from_millis(1) {
        let random = RANDOM.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        RANDOM.set(random);
        sleep(duration.mul_f64(0.75 + f64::from((random >> 48) as u16) / 131_072.0)).await;
    } else {
        yield_now().await;
        while since.elapsed() < duration {
            yield_now().await;
        }
    }
}

/// A store with the fault `F` whose steps take `MICROS` microseconds in real time.
pub struct Slow<F, const MICROS: u64>(PhantomData<F>);

impl<F: WithFault, const MICROS: u64> WithFault for Slow<F, MICROS> {
    const FAULT: Fault = F::FAULT;
    const STEP: Duration = Duration::from_micros(MICROS);
    const PROFILE: Profile = Profile::remote();
}

fn case<F: WithFault>(name: &str) -> Case {
    *cases::<TestBackend<F>>().iter().find(|case| case.name() == name).expect("the case exists")
}

/// Whether a case detects the fault `F` in real time.
fn detects<F: WithFault>(name: &str, flavour: Flavour) -> bool {
    let since = Instant::now();
    let found = panic::catch_unwind(AssertUnwindSafe(|| case::<F>(name).run(flavour))).is_err();
    println!("{name} ({flavour}): {:?} with {:?} a step: {found} after {:?}", F::FAULT, F::STEP, since.elapsed());
    found
}

/// Asserts that a case detects the fault `F` in real time, on both runtimes.
fn assert_detects<F: WithFault>(name: &str) {
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread] {
        assert!(detects::<F>(name, flavour), "{name} ({flavour}) detects {:?} with {:?} a step", F::FAULT, F::STEP);
    }
}

const OLD_OR_NEW: &str = "cancel::cancelled_commit_leaves_old_or_new";

#[test]
fn cancelled_commit_is_cut_in_steps_of_100_microseconds() {
    assert_detects::<Slow<DeletesWhenCancelled, 100>>(OLD_OR_NEW);
    assert_detects::<Slow<DeletesWhenCancelledOnThePool, 100>>(OLD_OR_NEW);
}

#[test]
fn cancelled_commit_is_cut_in_steps_of_2_milliseconds() {
    assert_detects::<Slow<DeletesWhenCancelled, 2_000>>(OLD_OR_NEW);
    assert_detects::<Slow<DeletesWhenCancelledOnThePool, 2_000>>(OLD_OR_NEW);
}

#[test]
fn cancelled_commit_is_cut_in_steps_of_20_milliseconds() {
    assert_detects::<Slow<DeletesWhenCancelled, 20_000>>(OLD_OR_NEW);
    assert_detects::<Slow<DeletesWhenCancelledOnThePool, 20_000>>(OLD_OR_NEW);
}

#[test]
fn cancelled_commit_is_cut_in_steps_of_100_milliseconds() {
    assert_detects::<Slow<DeletesWhenCancelled, 100_000>>(OLD_OR_NEW);
    assert_detects::<Slow<DeletesWhenCancelledOnThePool, 100_000>>(OLD_OR_NEW);
}

const RACES: [&str; 4] = [
    "race::only_1_of_8_handles_commits_with_the_same_if_current",
    "race::only_1_of_8_tasks_commits_with_the_same_if_current",
    "race::only_1_of_8_writers_commits_the_first_snapshot",
    "race::with_8_if_newer_the_largest_seq_ends_current",
];

#[test]
fn each_race_detects_a_check_before_a_slow_transaction() {
    for name in RACES {
        assert_detects::<Slow<EvaluatesBeforeTheLock, 1_000>>(name);
    }
}

/// A transaction of 20 microseconds overlaps with another one by chance.
#[test]
fn races_detect_a_check_before_a_fast_transaction() {
    let detected = [Flavour::CurrentThread, Flavour::MultiThread]
        .into_iter()
        .flat_map(|flavour| RACES.map(|name| detects::<Slow<EvaluatesBeforeTheLock, 20>>(name, flavour)))
        .filter(|detected| *detected)
        .count();
    assert!(detected > 0, "no case detects that preconditions are evaluated before the transaction");
}

/// The suite as a test of a remote store: all cases at once, with 20 milliseconds a step. `Profile::remote` documents the time.
#[test]
fn remote_run_ends_in_time() {
    type Remote = Slow<NoFault, 20_000>;
    const LIMIT: Duration = Duration::from_secs(120);
    let since = Instant::now();
    let running: Vec<_> = cases::<TestBackend<Remote>>()
        .into_iter()
        .filter(|case| case.hook().is_none())
        .flat_map(|case| [Flavour::CurrentThread, Flavour::MultiThread].map(|flavour| (case, flavour)))
        .map(|(case, flavour)| {
            thread::spawn(move || {
                case.run(flavour);
                (since.elapsed(), case, flavour)
            })
        })
        .collect();
    let mut times: Vec<_> = running.into_iter().map(|case| case.join().expect("the case passes")).collect();
    times.sort_by_key(|(time, ..)| *time);
    let sum: Duration = times.iter().map(|(time, ..)| *time).sum();
    for (time, case, flavour) in &times {
        println!("{:6.2} s {} ({flavour})", time.as_secs_f64(), case.name());
    }
    println!("all at once {:?}, one after the other at most {sum:?}", since.elapsed());
    assert!(since.elapsed() < LIMIT, "a run over 20 ms of latency ends within {LIMIT:?}: {:?}", since.elapsed());
}
