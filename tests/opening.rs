//! Opening by path and URL.

use minisnap::{AnyBackend, MiniSnapError, SnapStore, SnapshotBackend};

fn location(url: &str) -> String {
    minisnap::open(url).unwrap_or_else(|error| panic!("{error}")).backend().location().to_owned()
}

fn rejection(opened: minisnap::Result<SnapStore<AnyBackend>>) -> String {
    let error = opened.expect_err("an invalid URL or option");
    assert!(matches!(error, MiniSnapError::InvalidUrl { .. }), "{error}");
    format!("{error}; {}", error.help().unwrap_or_default())
}

#[test]
fn paths_and_file_urls_are_folders() {
    for (url, path) in [
        ("/var/lib/app", "/var/lib/app"),
        ("/var/lib/a:b", "/var/lib/a:b"),
        ("/var/lib/50%25", "/var/lib/50%25"),
        ("file:///var/lib/my%20app", "/var/lib/my app"),
        ("FILE:/var/lib/app", "/var/lib/app"),
        ("file://localhost/var/lib/app", "/var/lib/app"),
    ] {
        assert_eq!(location(url), path, "{url}");
    }
    let here = std::env::current_dir().unwrap();
    assert_eq!(location("./a:b"), here.join("a:b").display().to_string());
    assert_eq!(location("state"), here.join("state").display().to_string());
}

#[tokio::test]
async fn memory_url_opens_a_new_store_each_time() {
    let store = minisnap::open("memory:").unwrap();
    store.create("state", 1).await.unwrap();
    assert!(store.exists().await);
    assert!(!minisnap::open("memory:").unwrap().exists().await);
}

#[test]
fn invalid_url_is_rejected_with_help() {
    for (url, part) in [
        ("", "the path is empty"),
        ("ftp://host/state", "no backend for ftp:"),
        ("a:b", "write ./ before it"),
        ("file://server/share", "absolute path, on this machine"),
        ("file:relative", "absolute path, on this machine"),
        ("file:///a?b", "%3F"),
        ("file:///a%00b", "NUL"),
        ("memory:name", "takes no name"),
        ("s3://bucket/app", "the cargo feature `aws`"),
        ("az://container/app", "the cargo feature `azure`"),
        ("gs://bucket/app", "the cargo feature `gcp`"),
    ] {
        let text = rejection(minisnap::open(url));
        let without_query = url.split('?').next().unwrap();
        assert!(text.contains(part) && text.contains(without_query), "{url}: {text}");
    }
}

#[test]
fn unknown_option_is_rejected_with_the_known_ones() {
    assert!(minisnap::open_with("/tmp/state", [("busy_timeout", "2.5")]).is_ok());
    for (url, option, value, part) in [
        ("/tmp/state", "busy_timeout", "soon", "a number of seconds"),
        ("/tmp/state", "busy_timeout", "-1", "a number of seconds"),
        ("/tmp/state", "region", "eu", "no option `region`; its options: busy_timeout"),
        ("memory:", "busy_timeout", "1", "no option `busy_timeout`; its options: none"),
    ] {
        let text = rejection(minisnap::open_with(url, [(option, value)]));
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn busy_timeout_option_reaches_the_backend() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().to_str().unwrap();
    let store = minisnap::open_with(url, [("busy_timeout", "0.05")]).unwrap();
    store.create(&1, 1).await.unwrap();
    let lock = std::fs::File::open(folder.path().join("snapshots/.lock")).unwrap();
    lock.lock().unwrap();
    let error = store.create(&2, 2).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Busy { .. }), "{error}");
}

#[test]
fn errors_never_show_credentials() {
    for url in ["s3://key:secret@host/bucket?token=secret", "ftp://user:/secret@host/p#secret", "gs://secret@bucket/p"]
    {
        let text = rejection(minisnap::open(url));
        assert!(!text.contains("secret") && !text.contains("key"), "{text}");
    }
}

#[tokio::test]
async fn retain_option_is_accepted_by_every_store() {
    let folder = tempfile::tempdir().expect("a folder");
    for url in ["memory:", folder.path().to_str().expect("UTF-8")] {
        let store = minisnap::open_with(url, [("retain", "3")]).expect("a store");
        for seq in 1..=5 {
            store.create("a state", seq).await.expect("a snapshot");
        }
        assert_eq!(store.history().await.expect("a history").len(), 3, "{url}");
        for bad in ["0", "-1", "many", ""] {
            let text = rejection(minisnap::open_with(url, [("retain", bad)]));
            assert!(text.contains("retain") && text.contains("at least 1"), "{bad}: {text}");
        }
    }
}
