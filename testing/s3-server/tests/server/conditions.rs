//! Conditional writes: which of several writers succeeds, and what concurrent readers see.

use super::*;
use minisnap_s3_server::Conditions;
use object_store::{CopyMode, CopyOptions, GetOptions};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Barrier, task::JoinSet};

const RACERS: usize = 8;

/// The body of each racer. Bodies differ in length, so that a mixture of two is detected.
fn body(round: usize, racer: usize) -> Vec<u8> {
    format!("{round} {racer} ").repeat(100 * (racer + 1)).into_bytes()
}

/// Races for one key. Returns the winners, each with its version.
async fn race(store: &Arc<AmazonS3>, key: &str, round: usize, mode: &PutMode) -> Vec<(usize, PutResult)> {
    let barrier = Arc::new(Barrier::new(RACERS));
    let mut racers = JoinSet::new();
    for racer in 0..RACERS {
        let (store, key, mode, barrier) = (Arc::clone(store), key.to_owned(), mode.clone(), Arc::clone(&barrier));
        racers.spawn(async move {
            barrier.wait().await;
            match put(&store, &key, body(round, racer), mode).await {
                Ok(version) => Some((racer, version)),
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => None,
                Err(error) => panic!("neither won nor lost: {error}"),
            }
        });
    }
    racers.join_all().await.into_iter().flatten().collect()
}

/// How many rounds of creating, and of updating, had several winners. Checks that in each round the object is one winner's.
async fn rounds_with_several_winners(conditions: Conditions, rounds: usize) -> [usize; 2] {
    let server = S3Server::start(conditions);
    let store = Arc::new(client(&server));
    let mut current = put(&store, "update", "first", PutMode::Create).await.expect("a first version");
    let mut several = [0; 2];
    for round in 0..rounds {
        let races = [(format!("create-{round}"), PutMode::Create), ("update".to_owned(), update(&current))];
        for (index, (key, mode)) in races.into_iter().enumerate() {
            let winners = race(&store, &key, round, &mode).await;
            let stored = bytes(&store, &key).await;
            let winner = winners.iter().find(|(racer, _)| body(round, *racer) == stored);
            let (_, version) = winner.expect("a winner's bytes");
            let head = store.head(&Path::from(key)).await.expect("an object");
            assert_eq!(version.e_tag, head.e_tag);
            several[index] += usize::from(winners.len() > 1);
            if index == 1 {
                current = version.clone();
            }
            if conditions == Conditions::Ignored {
                assert_eq!(winners.len(), RACERS);
            }
        }
    }
    several
}

#[tokio::test(flavor = "multi_thread")]
async fn atomic_conditions_have_one_winner() {
    assert_eq!(rounds_with_several_winners(Conditions::Atomic, 200).await, [0, 0]);
}

/// The client copies with a multipart upload, the completion of which is conditional.
#[tokio::test(flavor = "multi_thread")]
async fn conditional_completion_of_an_upload_has_one_winner() {
    let server = S3Server::start(Conditions::Atomic);
    let store = Arc::new(client_with(&server, &[("aws_copy_if_not_exists", "multipart")]));
    for round in 0..20 {
        let to = Path::from(format!("to-{round}"));
        let mut racers = JoinSet::new();
        for racer in 0..RACERS {
            let from = format!("from-{racer}");
            put(&store, &from, from.clone(), PutMode::Overwrite).await.unwrap();
            let (store, to) = (Arc::clone(&store), to.clone());
            racers.spawn(async move {
                let create = CopyOptions { mode: CopyMode::Create, ..Default::default() };
                match store.copy_opts(&Path::from(from.clone()), &to, create).await {
                    Ok(()) => Some(from),
                    Err(Error::AlreadyExists { .. }) => None,
                    Err(error) => panic!("neither won nor lost: {error}"),
                }
            });
        }
        let winners: Vec<_> = racers.join_all().await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(bytes(&store, to.as_ref()).await, winners[0].as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_then_write_has_several_winners() {
    let several = rounds_with_several_winners(Conditions::CheckThenWrite, 50).await;
    assert!(several.iter().all(|rounds| *rounds > 0), "{several:?} of 50");
    // Writers that come later are still refused.
    let server = S3Server::start(Conditions::CheckThenWrite);
    let store = client(&server);
    let first = put(&store, "a", "1", PutMode::Create).await.unwrap();
    put(&store, "a", "2", update(&first)).await.unwrap();
    assert!(matches!(put(&store, "a", "3", PutMode::Create).await, Err(Error::AlreadyExists { .. })));
    assert!(matches!(put(&store, "a", "3", update(&first)).await, Err(Error::Precondition { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_writers_win_when_conditions_are_ignored() {
    assert_eq!(rounds_with_several_winners(Conditions::Ignored, 10).await, [10, 10]);
    let server = S3Server::start(Conditions::Ignored);
    let store = client(&server);
    let nothing = PutMode::Update(UpdateVersion { e_tag: Some("\"none\"".to_owned()), version: None });
    put(&store, "a", "1", nothing).await.unwrap();
    put(&store, "a", "2", PutMode::Create).await.unwrap();
    assert_eq!(bytes(&store, "a").await, b"2");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_get_a_body_that_matches_its_etag() {
    let server = S3Server::start(Conditions::Atomic);
    let store = Arc::new(client(&server));
    // Each content is large enough to be replaced while it is sent. The last content is the source of the copies.
    let contents = Arc::new([0, 1, 2, 3].map(|content: u8| vec![content; 1_500_000 + usize::from(content)]));
    let mut versions = Vec::new();
    for content in &*contents {
        versions.push(put(&store, "source", content.clone(), PutMode::Overwrite).await.unwrap().e_tag);
    }
    let versions = Arc::new(versions);
    put(&store, "a", contents[0].clone(), PutMode::Overwrite).await.unwrap();

    let (done, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut readers = JoinSet::new();
    for _ in 0..4 {
        let (store, done, seen) = (Arc::clone(&store), Arc::clone(&done), Arc::clone(&seen));
        let (contents, versions) = (Arc::clone(&contents), Arc::clone(&versions));
        readers.spawn(async move {
            let mut last = None;
            while !done.load(Ordering::Relaxed) {
                let options = GetOptions { if_none_match: last.take(), ..Default::default() };
                match store.get_opts(&Path::from("a"), options).await {
                    Ok(found) => {
                        let meta = found.meta.clone();
                        let index = versions.iter().position(|version| *version == meta.e_tag).expect("a known ETag");
                        let body = found.bytes().await.unwrap();
                        assert_eq!(meta.size, body.len() as u64);
                        assert!(body == contents[index], "the body doesn't match its ETag");
                        seen.fetch_or(1 << index, Ordering::Relaxed);
                        last = meta.e_tag;
                    }
                    Err(Error::NotModified { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    for round in 0..40 {
        if round % 4 == 3 {
            store.copy(&Path::from("source"), &Path::from("a")).await.unwrap();
        } else {
            put(&store, "a", contents[round % 4].clone(), PutMode::Overwrite).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    done.store(true, Ordering::Relaxed);
    readers.join_all().await;
    assert_eq!(seen.load(Ordering::Relaxed), 0b1111, "all versions were read");
}

/// The client doesn't wait for the answers. The requests are carried out completely or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn cancelled_write_does_not_mix_body_and_etag() {
    let server = S3Server::start(Conditions::Atomic);
    let store = client(&server);
    let contents = ["first".repeat(10_000), "second".repeat(10_000)];
    let mut versions = Vec::new();
    for content in &contents {
        versions.push(put(&store, "a", content.clone(), PutMode::Overwrite).await.unwrap().e_tag);
    }
    for round in 0..200 {
        let write = put(&store, "a", contents[round % 2].clone(), PutMode::Overwrite);
        let _ = tokio::time::timeout(Duration::from_micros(100 * (round as u64 % 50)), write).await;
        let found = store.get(&Path::from("a")).await.unwrap();
        let index = versions.iter().position(|version| *version == found.meta.e_tag).expect("a known ETag");
        assert!(found.bytes().await.unwrap() == contents[index], "the body doesn't match its ETag");
    }
}

#[tokio::test]
async fn refused_requests_get_the_error_of_s3() {
    let server = S3Server::start(Conditions::Atomic);
    let store = client(&server);
    let first = put(&store, "a", "1", PutMode::Create).await.unwrap();
    let second = put(&store, "a", "2", update(&first)).await.unwrap();
    assert!(matches!(put(&store, "a", "3", update(&first)).await, Err(Error::Precondition { .. })));
    assert!(matches!(put(&store, "a", "3", PutMode::Create).await, Err(Error::AlreadyExists { .. })));
    // The answer is 404. The client reports it as a failed precondition, with the code in its source.
    let error = put(&store, "b", "3", update(&second)).await.unwrap_err();
    assert!(matches!(error, Error::Precondition { .. }) && format!("{error:?}").contains("NoSuchKey"), "{error:?}");
    assert_eq!(bytes(&store, "a").await, b"2");

    let key = Path::from("a");
    let get = |options| store.get_opts(&key, options);
    let matching = |version: &PutResult| GetOptions { if_match: version.e_tag.clone(), ..Default::default() };
    let other_than = |version: &PutResult| GetOptions { if_none_match: version.e_tag.clone(), ..Default::default() };
    assert!(get(matching(&second)).await.is_ok() && get(other_than(&first)).await.is_ok());
    assert!(matches!(get(matching(&first)).await, Err(Error::Precondition { .. })));
    assert!(matches!(get(other_than(&second)).await, Err(Error::NotModified { .. })));
}
