//! Reading answers for what is retained and for nothing else, changes nothing, and waits for nobody.

use super::{StoreUnderTest, kit::*};
use crate::{CommitOptions, Generation, MiniSnapError, Precondition};
use std::{future::poll_fn, task::Poll, time::Duration};
use tokio::time::timeout;

/// A generation that was retired is `Expired`, to every handle.
pub async fn expired_generation_is_expired<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let retired = put_all(&backend, &[1, 2]).await;
    let published = commit(&backend, &Sample::new(3, 3), Precondition::Always, retain(1)).await;
    published.must("a publish with `Always` is never refused");
    for handle in [&backend, &store.open().await] {
        for generation in &retired {
            match handle.read(generation).await {
                Err(MiniSnapError::Expired { generation: named, .. }) => {
                    assert_eq!(&named, generation, "`Expired` names the generation that was asked for");
                }
                other => panic!("reading a retired generation is `Expired`, not {other:?}"),
            }
        }
    }
}

/// A name that was never given is refused, though it looks like one that was.
pub async fn names_that_never_were_are_refused<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let elsewhere = T::fresh().await;
    let backend = store.open().await;
    let real = put(&backend, &Sample::new(10, 0)).await;
    let foreign = put(&elsewhere.open().await, &Sample::new(10, 1)).await;
    let name = real.name();
    let shorter: String = name.chars().take(name.chars().count() - 1).collect();
    let strangers = [format!("{name}0"), format!("0{name}"), shorter, name.repeat(2), "never-was".into()];
    for stranger in strangers {
        let read = backend.read(&Generation::new(stranger.clone(), 10)).await;
        assert!(read.is_err(), "only the name of a retained generation can be read; {stranger:?} gave {read:?}");
    }
    // A store may count its generations, and another store count the same: only a name of one's own is one's own.
    if foreign != real {
        let read = backend.read(&foreign).await;
        assert!(
            matches!(read, Err(MiniSnapError::Expired { .. })),
            "a name of another store is `Expired`, not {read:?}"
        );
    }
}

/// A name is data from outside: one that is a path, a pattern, empty, very long or worse is answered with an error, never
/// followed.
pub async fn hostile_names_are_refused<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let real = put_all(&backend, &[1, 2]).await;
    let before = Picture::of(&backend).await;
    let name = real[0].name();
    let mut hostile = vec![
        format!("{name}/"),
        format!("./{name}"),
        format!("{name}/../{name}"),
        format!("../snapshots/{name}"),
        format!("{name}\0"),
        format!("{name}\n"),
        format!(" {name}"),
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
    let given = |name: &str| real.iter().any(|generation| generation.name() == name);
    hostile.extend(plain.into_iter().filter(|name| !given(name)).map(str::to_owned));
    for name in hostile {
        let read = backend.read(&Generation::new(name.clone(), 1)).await;
        let shown: String = name.chars().take(60).collect();
        match read {
            Ok(json) => panic!("a name from outside is never followed; {shown:?} gave {} bytes", json.len()),
            Err(error) => assert_names_place(&error, &backend, crate::Operation::Read),
        }
    }
    before.assert_unchanged(&backend, "reading a hostile name changes nothing").await;
}

/// Reading changes nothing: not the history, not what lies around, not a stage that lives.
pub async fn reading_changes_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let gone = put(&backend, &Sample::new(0, 0)).await;
    for n in 1..4 {
        let published = commit(&backend, &Sample::new(n, n), Precondition::Always, retain(2)).await;
        published.must("a publish with `Always` is never refused");
    }
    assert_cleaned_by_sweeping(&store, &backend, "what was retired").await;
    let living = stage(&backend, &Sample::new(9, 9)).await.must("a stage can begin");
    let mut debris = store.garbage().await;
    debris.sort();
    let before = Picture::of(&backend).await;
    let reader = store.open().await;
    for _ in 0..50 {
        for handle in [&backend, &reader] {
            before.assert_unchanged(handle, "reading changes nothing that can be read").await;
            handle.read(&gone).await.expect_err("a retired generation stays retired");
        }
    }
    let mut after = store.garbage().await;
    after.sort();
    assert_eq!(after, debris, "reading neither makes nor removes anything");
    let published = living.commit(CommitOptions::new(ALL)).await.must("a stage lives on while others read");
    assert_pair(published.generation(), &read(&reader, published.generation()).await);
}

/// Looking at an empty store leaves nothing in it.
pub async fn reading_an_empty_store_makes_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    for _ in 0..3 {
        let backend = store.open().await;
        assert_eq!(current(&backend).await, None, "an empty store has no current generation");
        assert_eq!(history(&backend).await, [], "an empty store has no history");
        backend.read(&Generation::new("none", 0)).await.expect_err("there is nothing to read in an empty store");
        let debris = store.garbage().await;
        assert!(debris.is_empty(), "looking at an empty store leaves nothing in it: {debris:?}");
    }
}

/// Reading takes no lock: it goes on while a publish stands still half-way, as one does whose task isn't scheduled.
pub async fn reading_goes_on_beside_a_commit_that_stands_still<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (writer, reader) = (store.open().await, store.open().await);
    put(&writer, &Sample::new(0, 0)).await;
    for polls in 1..12 {
        let staged = stage(&writer, &Sample::new(polls, polls)).await.must("a stage can begin");
        let mut publishing = staged.commit(CommitOptions::new(ALL));
        let mut ended = false;
        for _ in 0..polls {
            ended = ended || poll_fn(|context| Poll::Ready(publishing.as_mut().poll(context).is_ready())).await;
            tokio::task::yield_now().await;
        }
        for backend in [&reader, &writer] {
            let look = async {
                let generation = current(backend).await.expect("a store that had a snapshot always has one");
                assert_pair(&generation, &read(backend, &generation).await);
                assert!(!history(backend).await.is_empty(), "a store that had a history always has one");
            };
            let waited = timeout(Duration::from_secs(20), look).await;
            assert!(waited.is_ok(), "reading takes no lock; it waits for a publish that was polled {polls} times");
        }
        if !ended {
            publishing.await.must("a publish that stood still for a while goes on");
        }
    }
}

/// A name with another sequence number than was committed is `Expired`: nobody may be told that a JSON is of that number. A
/// generation is equal by its name alone, and may come from outside.
pub async fn other_seq_of_a_name_is_refused<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for generation in put_all(&backend, &[7, 9]).await {
        for seq in [0, generation.seq() + 1, u64::MAX] {
            let asked = Generation::new(generation.name(), seq);
            let read = backend.read(&asked).await;
            assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "{asked} isn't of seq {seq}: {read:?}");
            let streamed = match backend.read_chunks(&asked).await {
                Ok(mut chunks) => chunks.next().await.expect("an error, or a piece").map(drop),
                Err(error) => Err(error),
            };
            assert!(matches!(streamed, Err(MiniSnapError::Expired { .. })), "{asked} isn't of seq {seq}: {streamed:?}");
        }
        assert_pair(&generation, &read(&backend, &generation).await);
    }
}
