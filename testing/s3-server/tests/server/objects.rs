//! Requests for objects: get, list, delete and copy.

use super::*;
use futures_util::{StreamExt, TryStreamExt, stream};
use minisnap_s3_server::Conditions;
use object_store::{CopyMode, CopyOptions, GetOptions, GetRange};
use std::sync::Arc;

async fn keys(store: &AmazonS3, prefix: &str) -> Vec<String> {
    let prefix = Path::from(prefix);
    let found = store.list(Some(&prefix)).map_ok(|meta| meta.location.to_string());
    found.try_collect().await.expect("a list")
}

#[tokio::test]
async fn get_returns_the_requested_range() {
    let server = S3Server::start(Conditions::Atomic);
    let store = client(&server);
    put(&store, "a", "0123456789", PutMode::Create).await.unwrap();
    let get = async |range| {
        let options = GetOptions { range: Some(range), ..Default::default() };
        store.get_opts(&Path::from("a"), options).await.unwrap().bytes().await.unwrap()
    };
    assert_eq!(get(GetRange::Bounded(2..5)).await, "234");
    assert_eq!(get(GetRange::Bounded(8..20)).await, "89");
    assert_eq!(get(GetRange::Offset(7)).await, "789");
    assert_eq!(get(GetRange::Suffix(3)).await, "789");
    assert_eq!(get(GetRange::Suffix(30)).await, "0123456789");
    let beyond = GetOptions { range: Some(GetRange::Offset(10)), ..Default::default() };
    assert!(store.get_opts(&Path::from("a"), beyond).await.is_err());
    put(&store, "empty", "", PutMode::Create).await.unwrap();
    assert_eq!(bytes(&store, "empty").await, b"");
}

#[tokio::test]
async fn list_returns_objects_with_their_attributes() {
    let server = S3Server::start(Conditions::Atomic);
    let store = client(&server);
    let mut versions = Vec::new();
    for key in ["a/.hidden", "a/b/c", "a/d e", "ab"] {
        versions.push(put(&store, key, key.to_owned(), PutMode::Create).await.unwrap().e_tag);
    }
    let found: Vec<_> = store.list(Some(&Path::from("a"))).try_collect().await.unwrap();
    assert_eq!(found.iter().map(|meta| meta.location.to_string()).collect::<Vec<_>>(), ["a/.hidden", "a/b/c", "a/d e"]);
    assert_eq!(found.iter().map(|meta| meta.e_tag.clone()).collect::<Vec<_>>(), versions[..3]);
    assert_eq!(found[1].size, 5);
    let head = store.head(&found[1].location).await.unwrap();
    assert_eq!(found[1].last_modified.timestamp(), head.last_modified.timestamp());

    let level = store.list_with_delimiter(Some(&Path::from("a"))).await.unwrap();
    assert_eq!((level.objects.len(), level.common_prefixes), (2, vec![Path::from("a/b")]));
    // A folder on the server's disk isn't an object.
    assert!(matches!(store.head(&Path::from("a/b")).await, Err(Error::NotFound { .. })));
    assert!(matches!(store.get(&Path::from("a/b")).await, Err(Error::NotFound { .. })));
    store.delete(&Path::from("a/b")).await.unwrap();
    assert_eq!(keys(&store, "a/b").await, ["a/b/c"]);
}

#[tokio::test]
async fn list_returns_several_pages() {
    let server = S3Server::start(Conditions::Atomic);
    let store = client(&server);
    for number in 0..1100 {
        std::fs::write(server.folder().join(format!("{number:04}")), "").unwrap();
    }
    let found = keys(&store, "").await;
    assert_eq!((found.len(), found[1099].as_str()), (1100, "1099"));
    let after: Vec<_> = store.list_with_offset(None, &Path::from("1097")).try_collect().await.unwrap();
    assert_eq!(after.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn list_succeeds_while_objects_are_deleted() {
    let server = S3Server::start(Conditions::Atomic);
    let store = Arc::new(client(&server));
    let churn = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for round in 0..300 {
                let key = format!("churn-{}", round % 20);
                put(&store, &key, "x", PutMode::Overwrite).await.unwrap();
                store.delete(&Path::from(key)).await.unwrap();
            }
        }
    });
    put(&store, "stays", "x", PutMode::Create).await.unwrap();
    while !churn.is_finished() {
        assert!(keys(&store, "").await.contains(&"stays".to_owned()));
    }
    churn.await.unwrap();
}

#[tokio::test]
async fn delete_succeeds_also_for_missing_objects() {
    let server = S3Server::start(Conditions::Atomic);
    for bulk in ["true", "false"] {
        let store = client_with(&server, &[("aws_disable_bulk_delete", bulk)]);
        for key in ["a", "b", "c"] {
            put(&store, key, key, PutMode::Create).await.unwrap();
        }
        let deleted = stream::iter(["a", "b", "never"].map(|key| Ok(Path::from(key)))).boxed();
        assert_eq!(store.delete_stream(deleted).try_collect::<Vec<_>>().await.unwrap().len(), 3);
        assert_eq!(keys(&store, "").await, ["c"]);
        assert!(matches!(store.get(&Path::from("a")).await, Err(Error::NotFound { .. })));
        store.delete(&Path::from("c")).await.unwrap();
        assert_eq!(files(server.parts_folder()), [""; 0]);
    }
}

#[tokio::test]
async fn copy_has_the_bytes_and_etag_of_its_source() {
    let server = S3Server::start(Conditions::Atomic);
    let store = client_with(&server, &[("aws_copy_if_not_exists", "multipart")]);
    let (a, b, c) = (Path::from("a"), Path::from("b"), Path::from("c"));
    let version = put(&store, "a", "1", PutMode::Create).await.unwrap();
    put(&store, "b", "longer than its source", PutMode::Create).await.unwrap();
    store.copy(&a, &b).await.unwrap();
    assert_eq!(bytes(&store, "b").await, b"1");
    assert_eq!(store.head(&b).await.unwrap().e_tag, version.e_tag);
    put(&store, "b", "2", PutMode::Overwrite).await.unwrap();
    store.copy(&b, &b).await.unwrap();
    assert_eq!((bytes(&store, "a").await, bytes(&store, "b").await), (b"1".to_vec(), b"2".to_vec()));

    let create = || CopyOptions { mode: CopyMode::Create, ..Default::default() };
    store.copy_opts(&a, &c, create()).await.unwrap();
    assert_eq!(bytes(&store, "c").await, b"1");
    assert!(matches!(store.copy_opts(&b, &c, create()).await, Err(Error::AlreadyExists { .. })));
    assert!(matches!(store.copy(&Path::from("never"), &c).await, Err(Error::NotFound { .. })));
    assert_eq!(bytes(&store, "c").await, b"1");
}
