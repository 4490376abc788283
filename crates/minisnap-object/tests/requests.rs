//! How many requests an operation makes, and how many consecutive round trips. The figures are those of the table in
//! docs/object-store.md:
//!
//! ```console
//! $ cargo test -p minisnap-object requests:: -- --nocapture
//! ```

use crate::support::counting_store::{CountingStore, ROUND_TRIP, Requests};
use minisnap_core::{CommitOptions, SnapshotBackend, StagedSnapshot};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStoreExt, memory::InMemory, path::Path},
};
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

const RETAIN: NonZeroUsize = NonZeroUsize::new(2).expect("a constant above zero");
const PART: usize = 1_000;

/// A handle on a store in which each request takes one [`ROUND_TRIP`] of virtual time.
struct Bench {
    store: Arc<CountingStore>,
    backend: ObjectBackend,
}

impl Bench {
    fn new() -> Self {
        let store = Arc::new(CountingStore::new(InMemory::new()));
        let backend = Self::open(&store);
        Self { store, backend }
    }

    fn open(store: &Arc<CountingStore>) -> ObjectBackend {
        ObjectBackend::new(store.clone(), "app").with_part_size(PART).with_parts_in_flight(4)
    }

    /// The result of an operation, its requests, and its round trips.
    async fn cost<T>(&self, operation: impl Future<Output = T>) -> (T, Requests, u32) {
        let before = self.store.requests();
        let start = tokio::time::Instant::now();
        let result = operation.await;
        let round_trips = start.elapsed().as_millis().div_ceil(ROUND_TRIP.as_millis());
        (result, self.store.requests() - before, u32::try_from(round_trips).unwrap())
    }

    async fn create(&self, backend: &ObjectBackend, seq: u64, size: usize) {
        self.write(backend, seq, size).await.commit(CommitOptions::new(RETAIN)).await.unwrap();
    }

    async fn write(&self, backend: &ObjectBackend, seq: u64, size: usize) -> Box<dyn StagedSnapshot> {
        let mut staged = backend.stage(seq).await.unwrap();
        for chunk in vec![b'0'; size].chunks(PART) {
            staged.write_all(chunk).unwrap();
            staged.drain().await.unwrap();
        }
        staged
    }

    /// Reads like `SnapStore::restore`.
    async fn restore(&self, backend: &ObjectBackend) -> usize {
        let current = backend.current().await.unwrap().unwrap();
        backend.read(&current).await.unwrap().len()
    }
}

fn assert_cost(name: &str, (requests, round_trips): (Requests, u32), expected: (Requests, u32)) {
    println!("{name:45} {requests}  {round_trips} round trips");
    assert_eq!((requests, round_trips), expected, "{name}");
}

#[tokio::test(start_paused = true)]
async fn create_and_restore_take_two_round_trips_each() {
    let bench = Bench::new();
    let backend = &bench.backend;

    let ((), requests, round_trips) = bench.cost(bench.create(backend, 1, 100)).await;
    // Two listings show that nothing was committed. Then the stage makes an empty record.
    let first_ever = Requests { puts: 2 * 4 + 1 + 3, gets: 3 + 2, lists: 2, deletes: 1, ..Requests::default() };
    assert_cost("first create ever", (requests, round_trips), (first_ever, 9));

    let other = Bench::open(&bench.store);
    let ((), requests, round_trips) = bench.cost(bench.create(&other, 1, 100)).await;
    // The record in parallel with the check of the conditions; then both files, a read and a listing; then the record.
    let cold = Requests { puts: 2 * 4 + 3, gets: 2 + 2, lists: 1, deletes: 1, ..Requests::default() };
    assert_cost("first create of a handle", (requests, round_trips), (cold, 7));

    let plain = Requests { puts: 3, gets: 1, ..Requests::default() };
    let ((), requests, round_trips) = bench.cost(bench.create(backend, 3, 100)).await;
    assert_cost("create, the first with an expiry", (requests, round_trips), (plain, 2));

    let steady = Requests { deletes: 1, ..plain };
    for seq in 4..8 {
        let ((), requests, round_trips) = bench.cost(bench.create(backend, seq, 100)).await;
        assert_cost("create", (requests, round_trips), (steady, 2));
    }

    tokio::time::advance(Duration::from_secs(3_601)).await;
    let ((), requests, round_trips) = bench.cost(bench.create(backend, 8, 100)).await;
    assert_cost("create, once in a grace time", (requests, round_trips), (Requests { lists: 1, ..steady }, 2));

    // 5 000 bytes in parts of 1 000: creating the upload, five parts, completing it.
    let large = Requests { puts: 2, gets: 1, multipart: 7, deletes: 1, ..Requests::default() };
    let ((), requests, round_trips) = bench.cost(bench.create(backend, 9, 5_000)).await;
    assert_cost("create of five parts", (requests, round_trips), (large, 5));
    let (size, requests, round_trips) = bench.cost(bench.restore(backend)).await;
    assert_eq!(size, 5_000);
    assert_cost("restore of five parts", (requests, round_trips), (Requests { gets: 7, ..Requests::default() }, 3));

    bench.create(backend, 10, 100).await;
    let (_, requests, round_trips) = bench.cost(bench.restore(backend)).await;
    assert_cost("restore", (requests, round_trips), (Requests { gets: 3, ..Requests::default() }, 2));
    let (_, requests, round_trips) = bench.cost(backend.current()).await;
    assert_cost("exists, current", (requests, round_trips), (Requests { gets: 1, ..Requests::default() }, 1));
    let (_, requests, round_trips) = bench.cost(backend.history()).await;
    assert_cost("history, truncation_point", (requests, round_trips), (Requests { gets: 1, ..Requests::default() }, 1));
}

#[tokio::test(start_paused = true)]
async fn parts_are_full_for_any_size_of_writes() {
    let bench = Bench::new();
    let write = async {
        let mut staged = bench.backend.stage(1).await.unwrap();
        for chunk in vec![b'0'; 5_000].chunks(700) {
            staged.write_all(chunk).unwrap();
        }
        staged.commit(CommitOptions::new(RETAIN)).await.unwrap();
    };
    let ((), requests, _) = bench.cost(write).await;
    assert_eq!(requests.multipart, 1 + 5 + 1, "creating the upload, five parts, completing it: {requests}");
}

#[tokio::test(start_paused = true)]
async fn concurrent_writers_cost_retries_only_when_they_collide() {
    let bench = Bench::new();
    let (first, other) = (&bench.backend, Bench::open(&bench.store));
    bench.create(first, 1, 100).await;
    bench.create(&other, 2, 100).await;
    // The record is read during the upload, so earlier commits of other handles cost nothing.
    let ((), requests, round_trips) = bench.cost(bench.create(first, 3, 100)).await;
    let alone = Requests { puts: 3, gets: 1, ..Requests::default() };
    assert_cost("create after another handle's create", (requests, round_trips), (alone, 2));
    // Of two concurrent commits one is refused. It reads the record again, and replaces the new record.
    let both = async { tokio::join!(bench.create(first, 4, 100), bench.create(&other, 5, 100)) };
    let (_, requests, round_trips) = bench.cost(both).await;
    let contended = Requests { puts: 2 * 3 + 1, gets: 2 + 1, deletes: 1, ..Requests::default() };
    assert_cost("two creates at the same moment", (requests, round_trips), (contended, 4));
}

#[tokio::test(start_paused = true)]
async fn expire_and_verify_cost_as_documented() {
    let bench = Bench::new();
    for seq in 1..=2 {
        bench.create(&bench.backend, seq, 100).await;
    }
    let (found, requests, round_trips) = bench.cost(bench.backend.verify()).await;
    assert_eq!(found.unwrap().generations.len(), 2);
    let two = Requests { lists: 2, gets: 1 + 2 * 2, ..Requests::default() };
    assert_cost("verify, two generations", (requests, round_trips), (two, 2 + 2 * 2));
    let (expired, requests, round_trips) = bench.cost(bench.backend.expire(NonZeroUsize::MIN)).await;
    assert_eq!(expired.unwrap().len(), 1);
    assert_cost(
        "expire",
        (requests, round_trips),
        (Requests { puts: 1, gets: 1, deletes: 1, ..Requests::default() }, 3),
    );
    let (expired, requests, round_trips) = bench.cost(bench.backend.expire(NonZeroUsize::MIN)).await;
    assert_eq!(expired.unwrap(), []);
    assert_cost("expire, nothing to do", (requests, round_trips), (Requests { gets: 1, ..Requests::default() }, 1));
}

#[tokio::test(start_paused = true)]
async fn collection_without_garbage_lists_and_reads_once() {
    let bench = Bench::new();
    bench.create(&bench.backend, 1, 100).await;
    let (collected, requests, round_trips) = bench.cost(bench.backend.collect_garbage()).await;
    collected.unwrap();
    assert_cost(
        "collect_garbage, nothing to do",
        (requests, round_trips),
        (Requests { gets: 1, lists: 1, ..Requests::default() }, 2),
    );
}

#[tokio::test(start_paused = true)]
async fn collection_during_a_create_costs_small_states_a_copy() {
    let bench = Bench::new();
    let (first, other) = (&bench.backend, Bench::open(&bench.store));
    let orphan = Path::from("app/snapshots/00000000000000000009-abcdefghijklmnopqrstuvwxyz/snapshot.json");
    // The originals are deleted before the commit returns.
    let small = Requests { puts: 4, gets: 2, copies: 1, deletes: 1, ..Requests::default() };
    // A large state reads the record before its last part. So it knows that the collection preceded its files.
    let large = Requests { puts: 2, gets: 1, multipart: 2, deletes: 1, ..Requests::default() };
    for (seq, name, size, expected) in [(1, "small", 100, (small, 5)), (2, "large", 5_000, (large, 4))] {
        bench.create(first, seq, 100).await;
        let staged = bench.write(first, seq, size).await;
        bench.store.put(&orphan, "an orphan".into()).await.unwrap();
        other.collect_garbage().await.unwrap();
        let (committed, requests, round_trips) = bench.cost(staged.commit(CommitOptions::new(RETAIN))).await;
        committed.unwrap();
        assert_cost(&format!("commit after a collection, {name}"), (requests, round_trips), expected);
    }
}
