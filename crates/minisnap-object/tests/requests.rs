//! How many requests an operation makes, and how many round trips one after the other. The table in docs/object-store.md
//! is printed by `cargo test -p minisnap-object requests:: -- --nocapture`.

use crate::support::counting::{Counting, Requests, TRIP};
use minisnap_core::{CommitOptions, SnapshotBackend, StagedSnapshot};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStoreExt, memory::InMemory, path::Path},
};
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

const KEEP: NonZeroUsize = NonZeroUsize::new(2).expect("it is not zero");
const PART: usize = 1_000;

/// A handle on a store in which each request takes one [`TRIP`] of virtual time.
struct Bench {
    counting: Arc<Counting>,
    backend: ObjectBackend,
}

impl Bench {
    fn new() -> Self {
        let counting = Arc::new(Counting::new(InMemory::new()));
        let backend = Self::open(&counting);
        Self { counting, backend }
    }

    fn open(counting: &Arc<Counting>) -> ObjectBackend {
        ObjectBackend::new(counting.clone(), "app").with_part_size(PART).with_parts_in_flight(4)
    }

    /// The requests and round trips of what `work` does.
    async fn cost<T>(&self, work: impl Future<Output = T>) -> (T, Requests, u32) {
        let before = self.counting.requests();
        let began = tokio::time::Instant::now();
        let result = work.await;
        let trips = began.elapsed().as_millis().div_ceil(TRIP.as_millis());
        (result, self.counting.requests() - before, u32::try_from(trips).unwrap())
    }

    async fn create(&self, backend: &ObjectBackend, seq: u64, size: usize) {
        self.write(backend, seq, size).await.commit(CommitOptions::new(KEEP)).await.unwrap();
    }

    async fn write(&self, backend: &ObjectBackend, seq: u64, size: usize) -> Box<dyn StagedSnapshot> {
        let mut staged = backend.stage(seq).await.unwrap();
        for piece in vec![b'0'; size].chunks(PART) {
            staged.write_all(piece).unwrap();
            staged.drain().await.unwrap();
        }
        staged
    }

    /// As `SnapStore::restore` does.
    async fn restore(&self, backend: &ObjectBackend) -> usize {
        let current = backend.current().await.unwrap().unwrap();
        backend.read(&current).await.unwrap().len()
    }
}

fn expect(what: &str, (requests, trips): (Requests, u32), expected: (Requests, u32)) {
    println!("{what:45} {requests}  {trips} round trips");
    assert_eq!((requests, trips), expected, "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_warm_create_is_two_round_trips_and_a_restore_two() {
    let bench = Bench::new();
    let backend = &bench.backend;

    let ((), requests, trips) = bench.cost(bench.create(backend, 1, 100)).await;
    // Is there really nothing? And an empty record, before anything else is there.
    let first = Requests { puts: 2 * 4 + 1 + 3, gets: 1 + 1 + 1, lists: 2, deletes: 1, ..Requests::default() };
    expect("first create ever", (requests, trips), (first, 7));

    let other = Bench::open(&bench.counting);
    let ((), requests, trips) = bench.cost(bench.create(&other, 1, 100)).await;
    // The record and the probe side by side, then both files, a look and a list, then the record.
    let cold = Requests { puts: 2 * 4 + 3, gets: 2, lists: 1, deletes: 1, ..Requests::default() };
    expect("first create of a handle", (requests, trips), (cold, 5));

    let plain = Requests { puts: 3, gets: 1, ..Requests::default() };
    let ((), requests, trips) = bench.cost(bench.create(backend, 3, 100)).await;
    expect("create, warm, the first that retires", (requests, trips), (plain, 2));

    let steady = Requests { deletes: 1, ..plain };
    for seq in 4..8 {
        let ((), requests, trips) = bench.cost(bench.create(backend, seq, 100)).await;
        expect("create, warm", (requests, trips), (steady, 2));
    }

    tokio::time::advance(Duration::from_secs(3_601)).await;
    let ((), requests, trips) = bench.cost(bench.create(backend, 8, 100)).await;
    expect("create, warm, once in a grace time", (requests, trips), (Requests { lists: 1, ..steady }, 2));

    // 5 000 bytes and parts of 1 000: a create, five parts, a complete.
    let large = Requests { puts: 2, gets: 1, multipart: 7, deletes: 1, ..Requests::default() };
    let ((), requests, trips) = bench.cost(bench.create(backend, 9, 5_000)).await;
    expect("create of five parts, warm", (requests, trips), (large, 5));
    let (size, requests, trips) = bench.cost(bench.restore(backend)).await;
    assert_eq!(size, 5_000);
    expect("restore of five parts", (requests, trips), (Requests { gets: 7, ..Requests::default() }, 3));

    bench.create(backend, 10, 100).await;
    let (_, requests, trips) = bench.cost(bench.restore(backend)).await;
    expect("restore", (requests, trips), (Requests { gets: 3, ..Requests::default() }, 2));
    let (_, requests, trips) = bench.cost(backend.current()).await;
    expect("exists, current", (requests, trips), (Requests { gets: 1, ..Requests::default() }, 1));
    let (_, requests, trips) = bench.cost(backend.history()).await;
    expect("history, truncation_point", (requests, trips), (Requests { gets: 1, ..Requests::default() }, 1));
}

#[tokio::test(start_paused = true)]
async fn parts_are_full_whatever_the_pieces_that_are_written() {
    let bench = Bench::new();
    let write = async {
        let mut staged = bench.backend.stage(1).await.unwrap();
        for piece in vec![b'0'; 5_000].chunks(700) {
            staged.write_all(piece).unwrap();
        }
        staged.commit(CommitOptions::new(KEEP)).await.unwrap();
    };
    let ((), requests, _) = bench.cost(write).await;
    assert_eq!(requests.multipart, 1 + 5 + 1, "a create, five parts, a complete: {requests}");
}

#[tokio::test(start_paused = true)]
async fn what_other_writers_cost() {
    let bench = Bench::new();
    let (one, other) = (&bench.backend, Bench::open(&bench.counting));
    bench.create(one, 1, 100).await;
    bench.create(&other, 2, 100).await;
    // The record is looked at while the files go up: what others did before costs nothing.
    let ((), requests, trips) = bench.cost(bench.create(one, 3, 100)).await;
    let alone = Requests { puts: 3, gets: 1, ..Requests::default() };
    expect("create after another handle's create", (requests, trips), (alone, 2));
    // Two at once: one is refused, looks, and replaces what it saw.
    let both = async { tokio::join!(bench.create(one, 4, 100), bench.create(&other, 5, 100)) };
    let (_, requests, trips) = bench.cost(both).await;
    let contended = Requests { puts: 2 * 3 + 1, gets: 2 + 1, deletes: 1, ..Requests::default() };
    expect("two creates at the same moment", (requests, trips), (contended, 4));
}

#[tokio::test(start_paused = true)]
async fn expire_and_verify_cost_what_the_table_says() {
    let bench = Bench::new();
    for seq in 1..=2 {
        bench.create(&bench.backend, seq, 100).await;
    }
    let (found, requests, trips) = bench.cost(bench.backend.verify()).await;
    assert_eq!(found.unwrap().generations.len(), 2);
    let two = Requests { lists: 2, gets: 1 + 2 * 2, ..Requests::default() };
    expect("verify, two generations", (requests, trips), (two, 2 + 2 * 2));
    let (expired, requests, trips) = bench.cost(bench.backend.expire(NonZeroUsize::MIN)).await;
    assert_eq!(expired.unwrap().len(), 1);
    expect("expire", (requests, trips), (Requests { puts: 1, gets: 1, deletes: 1, ..Requests::default() }, 3));
    let (expired, requests, trips) = bench.cost(bench.backend.expire(NonZeroUsize::MIN)).await;
    assert_eq!(expired.unwrap(), []);
    expect("expire, nothing to do", (requests, trips), (Requests { gets: 1, ..Requests::default() }, 1));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_of_nothing_is_a_list_and_a_look() {
    let bench = Bench::new();
    bench.create(&bench.backend, 1, 100).await;
    let (swept, requests, trips) = bench.cost(bench.backend.collect_garbage()).await;
    swept.unwrap();
    expect("sweep, nothing to do", (requests, trips), (Requests { gets: 1, lists: 1, ..Requests::default() }, 2));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_beside_a_create_costs_a_small_one_a_copy_and_a_large_one_nothing() {
    let bench = Bench::new();
    let (one, other) = (&bench.backend, Bench::open(&bench.counting));
    let left = Path::from("app/snapshots/00000000000000000009-abcdefghijklmnopqrstuvwxyz/snapshot.json");
    // What was copied is deleted before the answer.
    let small = Requests { puts: 4, gets: 2, copies: 1, deletes: 1, ..Requests::default() };
    // Its last part, and the end of its upload, come after a look of its own: the sweep was before its files were there.
    let large = Requests { puts: 2, gets: 1, multipart: 2, deletes: 1, ..Requests::default() };
    for (seq, what, size, expected) in [(1, "small", 100, (small, 5)), (2, "large", 5_000, (large, 4))] {
        bench.create(one, seq, 100).await;
        let staged = bench.write(one, seq, size).await;
        bench.counting.put(&left, "left by a dead writer".into()).await.unwrap();
        other.collect_garbage().await.unwrap();
        let (published, requests, trips) = bench.cost(staged.commit(CommitOptions::new(KEEP))).await;
        published.unwrap();
        expect(&format!("publish after a sweep, {what}"), (requests, trips), expected);
    }
}
