//! Objects of other programs under the prefix, with keys that the client rejects.

use crate::support::{
    bucket::{Bucket, ORPHAN, record},
    s3_proxy::{Action, S3Proxy},
    servers,
    warnings::Warnings,
};
use minisnap_core::{Collected, MiniSnapError, SnapshotBackend};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, memory::InMemory, path::Path},
};
use minisnap_s3_server::{Conditions, S3Server};
use std::sync::Arc;

/// The file system of the test's server can't store such keys, so the proxy adds them to each listing.
fn server_with_external_keys() -> (S3Server, S3Proxy) {
    const KEYS: [&str; 6] = [
        "app/snapshots//x",
        "app/snapshots/../x",
        "app/snapshots/a&#xA;b",
        "app/corrupt//x",
        "app/snapshots/",
        "app/snapshots/00000000000000000009-abcdefghijklmnopqrstuvwxyz/snapshot.json/",
    ];
    let entry = |key| {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2025-01-01T00:00:00.000Z</LastModified><ETag>\"e\"</ETag>\
             <Size>1</Size></Contents>"
        )
    };
    let entries: String = KEYS.iter().map(entry).collect();
    let server = S3Server::start(Conditions::Atomic);
    let proxy = S3Proxy::start(&server, move |request| match request.is_listing() {
        false => Action::Forward,
        true => {
            let entries = entries.clone();
            Action::Edit(Box::new(move |page| {
                let end = "</ListBucketResult>";
                assert!(page.contains(end), "{page}");
                page.replace(end, &(entries + end))
            }))
        }
    });
    (server, proxy)
}

#[tokio::test]
async fn external_keys_stop_no_operation() {
    let (server, proxy) = server_with_external_keys();
    let options = || minisnap_s3_server::options(proxy.endpoint());
    let open = || ObjectBackend::open(&server.url("app"), options()).expect("a handle");
    let bucket = Bucket { store: servers::client_of(&server), backend: open() };
    let warnings = Warnings::collect();

    assert_eq!(bucket.backend.current().await.expect("the store is empty"), None);
    for seq in 1..=4 {
        bucket.commit(seq).await.expect("a commit");
    }
    let orphan = Path::from(format!("{ORPHAN}/snapshot.json"));
    bucket.put(&orphan, "an orphan").await;
    let found = open().verify().await.expect("verify succeeds");
    assert!(found.is_intact() && found.generations.len() == 3, "{found:?}");
    assert_eq!((found.expired, found.orphans, found.moved_aside.len()), (1, 1, 0));
    assert_eq!(bucket.backend.collect_garbage().await.expect("a collection"), Collected::new(1, 1));
    assert_eq!(bucket.objects("app/snapshots/0").await.len(), 6);
    assert_eq!(warnings.take(), Vec::<String>::new(), "also the commits list without a failure");

    bucket.delete(&record()).await;
    let error = open().current().await.expect_err("the record is lost");
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
    let copies = open().give_up_lost_store().await.expect("the store is given up");
    assert_eq!(copies.len(), 6, "{copies:?}");
    assert_eq!(open().current().await.expect("a read"), None);
}

/// The listing of a program's own client fails. Commits succeed and warn; the other operations return the error.
#[tokio::test]
async fn own_client_reports_external_keys() {
    let (_server, proxy) = server_with_external_keys();
    let store = servers::client_at(proxy.endpoint());
    let bucket = Bucket { backend: ObjectBackend::new(store.clone(), "app"), store };
    let backend = &bucket.backend;
    let error = backend.current().await.expect_err("the store may have generations");
    assert!(error.to_string().contains("app/snapshots"), "{error}");
    bucket.put(&record(), "minisnap-record 1\npublished 0\nsweeps 0\nretained 0\n").await;
    let warnings = Warnings::collect();
    bucket.commit(1).await.expect("a commit");
    assert!(warnings.take().iter().any(|warning| warning.contains("list garbage")), "a commit warns");
    for error in [
        backend.verify().await.map(drop).expect_err("verify can't list"),
        backend.collect_garbage().await.map(drop).expect_err("a collection can't list"),
    ] {
        assert!(matches!(error, MiniSnapError::Backend { .. }), "{error}");
    }
}

/// An object whose key is that of the folder.
#[tokio::test]
async fn object_with_the_key_of_the_folder_is_left_alone() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let bucket = Bucket::open(store);
    let folder = Path::from("app/snapshots");
    bucket.put(&folder, "mine").await;
    assert_eq!(bucket.backend.current().await.expect("the store is empty"), None);
    for seq in 1..=5 {
        bucket.commit(seq).await.expect("a commit");
    }
    assert!(bucket.backend.verify().await.expect("verify succeeds").is_intact());
    bucket.backend.collect_garbage().await.expect("a collection");
    bucket.delete(&record()).await;
    bucket.backend.give_up_lost_store().await.expect("the store is given up");
    assert_eq!(bucket.get(&folder).await, "mine");
}
