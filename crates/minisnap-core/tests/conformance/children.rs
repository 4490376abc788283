//! Tests of the children that the suite starts for the cases with several processes: how they end, and how their failures are reported.

use crate::{file_store::FileStore, process_faults::NoFault};
use minisnap_core::{
    SnapshotBackend, async_trait,
    conformance::{Capability, Flavour, Hook, Profile, StoreUnderTest, run, run_test},
    random_name_part,
};
use std::{
    env, fs,
    fs::File,
    future, panic,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock},
    thread,
    time::{Duration, Instant},
};

/// The variable by which a parent makes a test its child.
const VARIABLE: &str = "MINISNAP_CONFORMANCE_CHILD";
const CASE: &str = "processes::open_handle_sees_commits_of_another_process";

/// Waits longer than any machine takes.
fn wait_until(mut is_done: impl FnMut() -> bool, promise: &str) {
    let start = Instant::now();
    while !is_done() {
        assert!(start.elapsed() < Duration::from_secs(60), "{promise}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn case_without_a_test_says_that_it_can_start_no_child() {
    let called = panic::catch_unwind(|| run::<FileStore<NoFault>>(CASE, Flavour::CurrentThread));
    let message = called.expect_err("the case needs a child").downcast_ref::<String>().unwrap().clone();
    assert!(message.contains("needs the tests that `conformance_tests!` makes"), "{message}");
}

#[test]
fn child_ends_when_its_parent_ends() {
    let test = format!("in_a_folder::multi_thread::{CASE}");
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", &test, "--nocapture"])
        .env(VARIABLE, format!("{}::{test}", module_path!().split_once("::").unwrap().0))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    let mut child = KilledOnDrop(child.unwrap());
    thread::sleep(Duration::from_millis(100));
    assert!(child.0.try_wait().unwrap().is_none(), "a child waits for the commands of its parent");
    drop(child.0.stdin.take());
    wait_until(|| child.0.try_wait().unwrap().is_some(), "a child ends when its standard input is closed");
    assert!(child.0.wait().unwrap().success());
}

/// A child that survives no failed test.
struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // An error means that the child has ended.
        let _ = self.0.kill();
    }
}

#[test]
fn failure_of_a_child_is_reported_with_its_output() {
    const TEST: &str = concat!(module_path!(), "::failure_of_a_child_is_reported_with_its_output");
    let run = || run_test::<Unopened<false>>(TEST, CASE, Flavour::CurrentThread, &[Hook::Processes]);
    if env::var_os(VARIABLE).is_some() {
        return run();
    }
    let failed = panic::catch_unwind(run).expect_err("the child fails");
    let message = failed.downcast_ref::<String>().unwrap();
    for text in [CASE, "a process that uses the store failed", "its method returned `None`"] {
        assert!(message.contains(text), "{text} is not in: {message}");
    }
}

#[test]
fn children_of_a_hanging_case_are_killed() {
    const TEST: &str = concat!(module_path!(), "::children_of_a_hanging_case_are_killed");
    let run = || run_test::<Unopened<true>>(TEST, CASE, Flavour::CurrentThread, &[Hook::Processes]);
    if env::var_os(VARIABLE).is_some() {
        return run();
    }
    let failed = panic::catch_unwind(run).expect_err("the child hangs");
    let message = failed.downcast_ref::<String>().unwrap();
    assert!(message.contains("not done after 3s"), "{message}");
    if let Ok(file) = File::open(&*LOCKED) {
        wait_until(|| file.try_lock().is_ok(), "the child of a hanging case is killed");
        fs::remove_file(&*LOCKED).unwrap();
    }
}

/// The file that the child of a hanging case locks.
static LOCKED: LazyLock<PathBuf> =
    LazyLock::new(|| env::temp_dir().join(format!("minisnap-core-{}", random_name_part(16).unwrap())));

/// A store that another process doesn't open: it fails, or `HANGS`.
struct Unopened<const HANGS: bool>(FileStore<NoFault>);

#[async_trait]
impl<const HANGS: bool> StoreUnderTest for Unopened<HANGS> {
    async fn fresh() -> Self {
        Self(FileStore::fresh().await)
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        self.0.open().await
    }

    async fn garbage(&self) -> Vec<String> {
        self.0.garbage().await
    }

    fn lacks() -> &'static [Capability] {
        &[]
    }

    fn profile() -> Profile {
        Profile::local().with_limit(Duration::from_secs(if HANGS { 3 } else { 120 }))
    }

    fn address(&self) -> Option<String> {
        LOCKED.to_str().map(str::to_owned)
    }

    async fn open_address(address: &str) -> Option<Arc<dyn SnapshotBackend>> {
        if HANGS {
            let file = File::create(address).unwrap();
            file.lock().unwrap();
            future::pending::<()>().await;
        }
        None
    }
}
