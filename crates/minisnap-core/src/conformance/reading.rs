//! Property 6: a read returns retained generations only, changes nothing, and waits for no writer.

use super::{StoreUnderTest, cancel_points::CancelPoints, support::*};
use crate::{CommitOptions, Generation, MiniSnapError, Precondition};
use std::time::Duration;
use tokio::time::timeout;

/// A read of an expired generation returns `Expired`, through every handle.
pub async fn expired_generation_is_expired<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let expired = commit_all(&backend, &[1, 2]).await;
    let committed = commit(&backend, &Sample::new(3, 3), Precondition::Always, retain(1)).await;
    committed.must("a commit with `Always` is never refused");
    for handle in [&backend, &store.open().await] {
        for generation in &expired {
            match handle.read(generation).await {
                Err(MiniSnapError::Expired { generation: named, .. }) => {
                    assert_eq!(&named, generation, "`Expired` names the generation that was read");
                }
                other => panic!("reading an expired generation is `Expired`, not {other:?}"),
            }
        }
    }
}

/// A name that the store never assigned is refused, even if it resembles an assigned one.
pub async fn names_that_never_were_are_refused<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let elsewhere = T::fresh().await;
    let backend = store.open().await;
    let real = commit_always(&backend, &Sample::new(10, 0)).await;
    let other_store_generation = commit_always(&elsewhere.open().await, &Sample::new(10, 1)).await;
    let name = real.name();
    let shorter: String = name.chars().take(name.chars().count() - 1).collect();
    let unknown = [format!("{name}0"), format!("0{name}"), shorter, name.repeat(2), "never-was".into()];
    for name in unknown {
        let read = backend.read(&Generation::new(name.clone(), 10)).await;
        assert!(read.is_err(), "only the name of a retained generation can be read; {name:?} gave {read:?}");
    }
    // Two stores that number their generations may assign the same name; only another name is checked.
    if other_store_generation != real {
        let read = backend.read(&other_store_generation).await;
        assert!(
            matches!(read, Err(MiniSnapError::Expired { .. })),
            "a name of another store is `Expired`, not {read:?}"
        );
    }
}

/// A name is untrusted input. A path, a pattern, an empty or very long name is refused, and never resolved.
pub async fn hostile_names_are_refused<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let real = commit_all(&backend, &[1, 2]).await;
    let before = StoreState::of(&backend).await;
    let name = real[0].name();
    let mut hostile = vec![
        format!("{name}/"),
        format!("./{name}"),
        format!("{name}/../{name}"),
        format!("../snapshots/{name}"),
        format!("{name}\0"),
        format!("{name}\n"),
        format!(" {name}"),
        // Collations of databases ignore trailing blanks, or the case.
        format!("{name} "),
        name.to_uppercase(),
        name.to_lowercase(),
        format!("{name}' OR '1'='1"),
        "a".repeat(1 << 20),
        "../".repeat(2_000),
    ];
    let plain = [
        "",
        ".",
        "..",
        "/",
        "\\",
        "*",
        "%",
        "?",
        "\0",
        "\n",
        "a/b",
        "../../etc/passwd",
        "/etc/passwd",
        "%2e%2e%2f",
        "current",
        "snapshots/current",
        "snapshot.json",
        "../snapshot.json",
        ".lock",
        "null",
        "0",
        "-1",
        "' OR '1'='1",
        "é\u{202e}👩‍👧",
    ];
    hostile.extend(plain.map(str::to_owned));
    hostile.retain(|name| real.iter().all(|generation| generation.name() != name));
    for name in hostile {
        let read = backend.read(&Generation::new(name.clone(), 1)).await;
        let shown: String = name.chars().take(60).collect();
        match read {
            Ok(json) => panic!("an untrusted name is never resolved; {shown:?} gave {} bytes", json.len()),
            Err(error) => assert_names_location(&error, &backend, crate::Operation::Read),
        }
    }
    before.assert_unchanged(&backend, "reading a hostile name changes nothing").await;
}

/// Reading changes nothing: not the history, not the garbage, not an open stage.
pub async fn reading_changes_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let expired = commit_always(&backend, &Sample::new(0, 0)).await;
    for n in 1..4 {
        let committed = commit(&backend, &Sample::new(n, n), Precondition::Always, retain(2)).await;
        committed.must("a commit with `Always` is never refused");
    }
    assert_collection_removes(&store, &backend, "the files of expired generations").await;
    let open_stage = stage(&backend, &Sample::new(9, 9)).await.must("a stage can be opened");
    let mut garbage = store.garbage().await;
    garbage.sort();
    let before = StoreState::of(&backend).await;
    let reader = store.open().await;
    for _ in 0..T::profile().percent_of_commits(25, 5) {
        for handle in [&backend, &reader] {
            before.assert_unchanged(handle, "reading changes nothing that can be read").await;
            handle.read(&expired).await.expect_err("an expired generation stays expired");
        }
    }
    let mut after = store.garbage().await;
    after.sort();
    assert_eq!(after, garbage, "reading neither creates nor removes garbage");
    let committed = open_stage.commit(CommitOptions::new(RETAIN_ALL)).await.must("a stage survives concurrent reads");
    assert_pair(committed.generation(), &read(&reader, committed.generation()).await);
}

/// Reading an empty store leaves nothing in it.
pub async fn reading_an_empty_store_makes_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    for _ in 0..3 {
        let backend = store.open().await;
        assert_eq!(current(&backend).await, None, "an empty store has no current generation");
        assert_eq!(history(&backend).await, [], "an empty store has no history");
        backend.read(&Generation::new("none", 0)).await.expect_err("there is nothing to read in an empty store");
        let garbage = store.garbage().await;
        assert!(garbage.is_empty(), "reading an empty store leaves nothing in it: {garbage:?}");
    }
}

/// Reading takes no lock: it proceeds while a commit is stalled, as when its task isn't scheduled.
pub async fn reads_proceed_during_a_stalled_commit<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (writer, reader) = (store.open().await, store.open().await);
    let mut points = CancelPoints::new(6, 11);
    let mut seq = 0;
    while let Some(point) = points.next() {
        seq += 1;
        let staged = stage(&writer, &Sample::sized(seq, 0, 1_000)).await.must("a stage can be opened");
        points.measure(staged.commit(CommitOptions::new(RETAIN_ALL))).await.must("a stage can be committed");
        let staged = stage(&writer, &Sample::sized(seq, 1, 1_000)).await.must("a stage can be opened");
        let mut committing = staged.commit(CommitOptions::new(RETAIN_ALL));
        let ended = points.cancel(committing.as_mut(), point).await;
        for backend in [&reader, &writer] {
            let reads = async {
                let generation = current(backend).await.expect("a store that had a snapshot always has one");
                assert_pair(&generation, &read(backend, &generation).await);
                assert!(!history(backend).await.is_empty(), "a store that had a history always has one");
            };
            let waited = timeout(Duration::from_secs(20), reads).await;
            let stalled_at = points.describe(point);
            assert!(waited.is_ok(), "reading takes no lock; it waits for a commit that was stalled ({stalled_at})");
        }
        if ended.is_none() {
            committing.await.must("a stalled commit succeeds when it is polled again");
        }
    }
}

/// A read of a known name with another sequence number returns `Expired`. Generations are equal by name alone, and a caller can
/// construct a generation, so the JSON must not be returned with the wrong sequence number.
pub async fn other_seq_of_a_name_is_refused<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for generation in commit_all(&backend, &[7, 9]).await {
        for seq in [0, generation.seq() + 1, u64::MAX] {
            let asked = Generation::new(generation.name(), seq);
            let read = backend.read(&asked).await;
            assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "{asked} isn't of seq {seq}: {read:?}");
            let streamed = match backend.read_chunks(&asked).await {
                Ok(mut chunks) => chunks.next().await.expect("an error, or a chunk").map(drop),
                Err(error) => Err(error),
            };
            assert!(matches!(streamed, Err(MiniSnapError::Expired { .. })), "{asked} isn't of seq {seq}: {streamed:?}");
        }
        assert_pair(&generation, &read(&backend, &generation).await);
    }
}
