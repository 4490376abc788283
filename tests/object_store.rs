//! The object store backend under the typed store, over HTTP. The server is in this process, and some clients are in other
//! processes.

use crate::{
    child_process::{self, Job},
    processes::syscalls,
};
use minisnap::{MiniSnapError, SnapStore, SnapshotBackend};
use minisnap_object::ObjectBackend;
use minisnap_s3_server::{Conditions, S3Server};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use std::{
    error::Error,
    fs,
    net::TcpListener,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

type Store = SnapStore<ObjectBackend>;

static SERVER: LazyLock<S3Server> = LazyLock::new(|| S3Server::start(Conditions::Atomic));

fn open(prefix: &str) -> Store {
    open_with(&SERVER.url(prefix), SERVER.options())
}

fn open_with<V: AsRef<str>>(url: &str, options: impl IntoIterator<Item = (&'static str, V)>) -> Store {
    SnapStore::with_backend(ObjectBackend::open(url, options).expect("a store"))
}

/// Builds a child that opens the same prefix with [`open_in_child`].
fn child<F: Fn()>(test: F, role: &str, prefix: &str) -> child_process::ChildBuilder {
    child_process::of(test).role(role).arg("endpoint", SERVER.endpoint()).arg("prefix", prefix)
}

fn open_in_child(job: &Job) -> Store {
    let endpoint: String = job.arg("endpoint");
    let url = format!("s3://{}/{}", minisnap_s3_server::BUCKET, job.arg::<String>("prefix"));
    open_with(&url, minisnap_s3_server::options(&endpoint))
}

#[tokio::test]
async fn create_and_restore_work_on_s3() {
    let store = open("three lines");
    assert!(!store.exists().await);
    assert!(matches!(store.restore::<u64>().await, Err(MiniSnapError::NotFound { .. })));
    for seq in 1..=4 {
        store.create(&format!("state {seq}"), seq).await.unwrap();
    }
    assert_eq!(store.restore::<String>().await.unwrap(), ("state 4".into(), 4));
    assert_eq!(store.restore_at::<String>(3).await.unwrap(), ("state 3".into(), 3));
    assert_eq!(store.truncation_point().await.unwrap(), Some(3));
    // Any S3 client can read the two files.
    let current = store.current().await.unwrap().unwrap();
    let folder = SERVER.folder().join("three lines/snapshots").join(current.name());
    assert_eq!(fs::read_to_string(folder.join("snapshot.json")).unwrap(), "\"state 4\"");
    assert_eq!(fs::read_to_string(folder.join("snapshot.seq")).unwrap(), "4\n");
}

#[tokio::test]
async fn missing_bucket_is_not_an_empty_store() {
    let store = open_with("s3://misspelt/app", SERVER.options());
    assert!(store.exists().await, "true when in doubt");
    let error = store.try_restore::<u64>().await.unwrap_err();
    let cause = error.source().expect("a cause").to_string();
    assert!(
        error.to_string().contains("s3://misspelt/app") && cause.contains("no such bucket or container"),
        "{error}: {cause}"
    );
    assert!(store.create(&1, 1).await.is_err());
}

/// Returns an endpoint without a server: the port was just released.
fn unused_endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn unreachable_endpoint_is_an_error_without_credentials() {
    let endpoint = unused_endpoint();
    let options = [
        ("endpoint_url", endpoint.as_str()),
        ("allow_http", "true"),
        ("access_key_id", "AKIDs3cr3t"),
        ("secret_access_key", "s3cr3t"),
    ];
    let store = open_with("s3://bucket/app", options);
    let began = Instant::now();
    let restored = store.restore::<u64>().await.map(drop).unwrap_err();
    let created = store.create(&1, 1).await.map(drop).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(store.exists().await, "an error isn't an empty store");
    for error in [restored, created] {
        assert!(error.outcome_known(), "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("s3://bucket/app/snapshots/current") && text.contains(&endpoint), "{text}");
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

/// A leader is stopped during a create. Its successor commits. Then the old leader is resumed, and its create is stale.
#[test]
fn resumed_leader_is_stale_when_its_successor_committed() {
    if let Some(job) = child_process::job() {
        return create_slowly(&job);
    }
    let runtime = runtime("current_thread");
    let store = open("fencing");
    runtime.block_on(store.create("by the first", 10).if_newer()).unwrap();
    let mut old = child(resumed_leader_is_stale_when_its_successor_committed, "leader", "fencing").start();
    assert_eq!(old.receive(), "has restored 10, is saving 15");
    syscalls::stop(old.id());
    old.send("continue");

    let committed = runtime.block_on(store.create("by the successor", 20).if_newer()).unwrap();
    syscalls::resume(old.id());
    assert_eq!(old.receive(), format!("stale: {}", committed.generation()));
    assert_eq!(old.finish(), Vec::<String>::new());
    assert_eq!(runtime.block_on(store.restore::<String>()).unwrap(), ("by the successor".into(), 20));
    assert_eq!(runtime.block_on(store.history()).unwrap().len(), 2, "the old leader's state isn't in the history");
}

fn create_slowly(job: &Job) {
    /// Sends a line while it is serialized, and waits for an answer.
    struct Slow<'a>(&'a Job);

    impl Serialize for Slow<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.send("has restored 10, is saving 15");
            assert_eq!(self.0.receive(), "continue");
            serializer.serialize_str("by the old leader")
        }
    }

    let store = open_in_child(job);
    runtime("current_thread").block_on(async {
        assert_eq!(store.restore::<String>().await.unwrap().1, 10);
        match store.create(&Slow(job), 15).if_newer().await {
            Err(MiniSnapError::Stale { seq: 15, current, .. }) => job.send(format!("stale: {current}")),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn create_owned_holds_few_parts_in_memory() {
    measure(create_owned_holds_few_parts_in_memory, 96 << 20);
}

#[test]
#[ignore = "512 MiB, several times over HTTP, a minute or more: run with --ignored, as .ci/run does"]
fn create_owned_of_512_mib_holds_few_parts_in_memory() {
    measure(create_owned_of_512_mib_holds_few_parts_in_memory, 512 << 20);
}

/// 4 parts of 5 MiB are in flight and 1 is being filled: 25 MiB. The rest of the limit is for connections and the allocator.
const PARTS: [(&str, &str); 2] = [("part_size", "5242880"), ("parts_in_flight", "4")];
const MAX_MEMORY: u64 = 60 << 20;

fn measure<F: Fn() + Copy>(test: F, size: u64) {
    if let Some(job) = child_process::job() {
        return save_and_measure(&job);
    }
    for flavour in ["current_thread", "multi_thread"] {
        let prefix = format!("large-{size}-{flavour}");
        let deadline = Duration::from_secs(600);
        let child = child(test, flavour, &prefix).arg("size", size).deadline(deadline).start();
        let output = child.finish();
        println!("{} MiB on {flavour}: {}", size >> 20, output.join(", "));
        let peak: u64 = output[0].strip_prefix("peak ").and_then(|peak| peak.parse().ok()).expect("a number");
        assert!(peak < MAX_MEMORY, "{flavour}: {} MiB more memory during the create of {} MiB", peak >> 20, size >> 20);
    }
}

fn save_and_measure(job: &Job) {
    let endpoint: String = job.arg("endpoint");
    let url = format!("s3://{}/{}", minisnap_s3_server::BUCKET, job.arg::<String>("prefix"));
    let options: Vec<(&str, String)> = minisnap_s3_server::options(&endpoint)
        .into_iter()
        .chain(PARTS.map(|(option, value)| (option, value.to_owned())))
        .collect();
    let store = open_with(&url, options);
    runtime(job.role()).block_on(async {
        store.create(&0, 0).await.expect("a first snapshot, to open the connections");
        let before = memory("VmRSS:");
        // Resets the peak of the memory use.
        fs::write("/proc/self/clear_refs", "5").expect("Linux");
        let size = job.arg("size");
        store.create_owned(Arc::new(Generated(size)), 1).await.expect("a large snapshot");
        job.send(format!("peak {}", memory("VmHWM:").saturating_sub(before)));
        let written = store.current().await.unwrap().unwrap().size().unwrap();
        assert!(written >= size, "{written}");
        // The read checks the digest of all bytes.
        let json = store.backend().read(&store.current().await.unwrap().unwrap()).await.expect("the JSON");
        assert_eq!(json.len() as u64, written);
        job.send(format!("restored {} bytes", json.len()));
    });
}

/// One thread of the blocking pool serializes, and the other one resolves the name of the endpoint for each connection.
#[test]
fn create_owned_to_a_name_needs_two_blocking_threads() {
    let endpoint = SERVER.endpoint().replace("127.0.0.1", "localhost");
    let options = minisnap_s3_server::options(&endpoint).into_iter();
    let options = options.chain(PARTS.map(|(option, value)| (option, value.to_owned())));
    let store = open_with(&SERVER.url("by name"), options);
    let runtime = Builder::new_multi_thread().enable_all().max_blocking_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        store.create_owned(Arc::new(Generated(32 << 20)), 1).await.expect("a large snapshot");
        assert!(store.current().await.unwrap().unwrap().size().unwrap() >= 32 << 20);
    });
}

/// Returns a value of `/proc/self/status`, in bytes.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of the status");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// A state of about this many bytes of JSON, generated during serialization.
struct Generated(u64);

impl Serialize for Generated {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const ITEM: usize = 64 << 10;
        let text = "0123456789abcdef".repeat(ITEM / 16);
        let items = self.0.div_ceil(ITEM as u64);
        let mut sequence = serializer.serialize_seq(None)?;
        for _ in 0..items {
            sequence.serialize_element(&text)?;
        }
        sequence.end()
    }
}

fn runtime(flavour: &str) -> Runtime {
    let mut builder = match flavour {
        "current_thread" => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().build().expect("a runtime")
}
