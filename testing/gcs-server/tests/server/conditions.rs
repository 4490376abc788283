//! Conditional writes: which of several concurrent writers succeeds.

use super::*;
use crate::raw::send;
use object_store::{CopyMode, CopyOptions, GetOptions};
use std::sync::Arc;
use tokio::{sync::Barrier, task::JoinSet};

const RACERS: usize = 8;

/// The body of each racer. Bodies differ in length, so that a mixture of two is detected.
fn body(round: usize, racer: usize) -> Vec<u8> {
    format!("{round} {racer} ").repeat(100 * (racer + 1)).into_bytes()
}

/// Races for one key. Returns the winners, each with its version.
async fn race(store: &Arc<GoogleCloudStorage>, key: &str, round: usize, mode: &PutMode) -> Vec<(usize, PutResult)> {
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

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_conditional_writers_succeeds() {
    let server = server();
    let store = Arc::new(client(&server));
    let mut current = put(&store, "update", "first", PutMode::Create).await.unwrap();
    for round in 0..200 {
        for (key, mode) in [(format!("create-{round}"), PutMode::Create), ("update".to_owned(), update(&current))] {
            let winners = race(&store, &key, round, &mode).await;
            let [(racer, version)] = &winners[..] else { panic!("one of {RACERS} wins: {winners:?}") };
            assert!(bytes(&store, &key).await == body(round, *racer));
            let head = store.head(&Path::from(key.as_str())).await.unwrap();
            assert_eq!((head.version, head.e_tag), (version.version.clone(), version.e_tag.clone()));
            if key == "update" {
                current = version.clone();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_conditional_copies_succeeds() {
    let server = server();
    let store = Arc::new(client(&server));
    for racer in 0..RACERS {
        put(&store, &format!("from-{racer}"), racer.to_string(), PutMode::Create).await.unwrap();
    }
    for round in 0..50 {
        let to = Path::from(format!("to-{round}"));
        let mut racers = JoinSet::new();
        for racer in 0..RACERS {
            let (store, to, from) = (Arc::clone(&store), to.clone(), Path::from(format!("from-{racer}")));
            racers.spawn(async move {
                let create = CopyOptions { mode: CopyMode::Create, ..Default::default() };
                match store.copy_opts(&from, &to, create).await {
                    Ok(()) => Some(racer),
                    Err(Error::AlreadyExists { .. }) => None,
                    Err(error) => panic!("neither won nor lost: {error}"),
                }
            });
        }
        let winners: Vec<_> = racers.join_all().await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        assert_eq!(bytes(&store, to.as_ref()).await, winners[0].to_string().as_bytes());
    }
}

#[tokio::test]
async fn condition_names_the_current_generation_only() {
    let server = server();
    let store = client(&server);
    let missing =
        put(&store, "a", "0", PutMode::Update(UpdateVersion { e_tag: None, version: Some("7".into()) })).await;
    assert!(matches!(missing, Err(Error::Precondition { .. })), "{missing:?}");
    let first = put(&store, "a", "1", PutMode::Create).await.unwrap();
    let exists = put(&store, "a", "2", PutMode::Create).await;
    assert!(matches!(exists, Err(Error::AlreadyExists { .. })), "{exists:?}");
    // The same bytes are another generation.
    let second = put(&store, "a", "1", PutMode::Overwrite).await.unwrap();
    let outdated = put(&store, "a", "3", update(&first)).await;
    assert!(matches!(outdated, Err(Error::Precondition { .. })), "{outdated:?}");
    assert_eq!(bytes(&store, "a").await, b"1");
    let third = put(&store, "a", "3", update(&second)).await.unwrap();
    // After a delete, only 0 holds.
    store.delete(&Path::from("a")).await.unwrap();
    let deleted = put(&store, "a", "4", update(&third)).await;
    assert!(matches!(deleted, Err(Error::Precondition { .. })), "{deleted:?}");
    let recreated = put(&store, "a", "5", PutMode::Create).await.unwrap();
    let generation = |put: &PutResult| put.version.as_deref().unwrap().parse::<u64>().unwrap();
    let generations = [&first, &second, &third, &recreated].map(generation);
    assert!(generations.is_sorted_by(|a, b| a < b), "{generations:?}");
}

#[tokio::test]
async fn delete_honours_its_condition() {
    let server = server();
    let store = client(&server);
    let first = put(&store, "a", "1", PutMode::Create).await.unwrap().version.unwrap();
    let second = put(&store, "a", "2", PutMode::Overwrite).await.unwrap().version.unwrap();
    let condition = "x-goog-if-generation-match";
    for outdated in ["0", &first] {
        let answer = send(&server, "DELETE /minisnap/a", &[(condition, outdated)], "").await;
        assert_eq!((answer.status, answer.code()), (412, "PreconditionFailed"));
    }
    let outdated = send(&server, &format!("DELETE /minisnap/a?generation={first}"), &[], "").await;
    assert_eq!((outdated.status, outdated.code()), (404, "NoSuchKey"));
    assert_eq!(bytes(&store, "a").await, b"2");
    assert_eq!(send(&server, "DELETE /minisnap/a", &[(condition, &second)], "").await.status, 204);
    let missing = send(&server, "DELETE /minisnap/a", &[], "").await;
    assert_eq!((missing.status, missing.code()), (404, "NoSuchKey"));
}

#[tokio::test]
async fn reads_honour_their_conditions() {
    let server = server();
    let store = client(&server);
    let first = put(&store, "a", "1", PutMode::Create).await.unwrap();
    let second = put(&store, "a", "2", PutMode::Overwrite).await.unwrap();
    let get = async |options: GetOptions| store.get_opts(&Path::from("a"), options).await;
    let matching = |put: &PutResult| GetOptions { if_match: put.e_tag.clone(), ..Default::default() };
    let different = |put: &PutResult| GetOptions { if_none_match: put.e_tag.clone(), ..Default::default() };
    let version = |put: &PutResult| GetOptions { version: put.version.clone(), ..Default::default() };
    assert!(matches!(get(matching(&first)).await, Err(Error::Precondition { .. })));
    assert!(matches!(get(different(&second)).await, Err(Error::NotModified { .. })));
    assert!(matches!(get(version(&first)).await, Err(Error::NotFound { .. })));
    for options in [matching(&second), different(&first), version(&second)] {
        assert_eq!(get(options).await.unwrap().bytes().await.unwrap(), "2");
    }
    let condition = "x-goog-if-generation-match";
    let outdated = send(&server, "GET /minisnap/a", &[(condition, first.version.as_ref().unwrap())], "").await;
    assert_eq!((outdated.status, outdated.code()), (412, "PreconditionFailed"));
}
