//! Requests for objects: put, get, head, delete and copy.

use super::*;
use crate::raw::send;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{CopyMode, CopyOptions, GetOptions, GetRange};

#[tokio::test]
async fn get_returns_the_requested_range() {
    let server = server();
    let store = client(&server);
    let put_result = put(&store, "a", "0123456789", PutMode::Create).await.unwrap();
    let get = async |range| {
        let options = GetOptions { range: Some(range), ..Default::default() };
        let found = store.get_opts(&Path::from("a"), options).await.unwrap();
        assert_eq!((found.meta.size, &found.meta.e_tag), (10, &put_result.e_tag));
        found.bytes().await.unwrap()
    };
    assert_eq!(get(GetRange::Bounded(2..5)).await, "234");
    assert_eq!(get(GetRange::Bounded(8..20)).await, "89");
    assert_eq!(get(GetRange::Offset(7)).await, "789");
    assert_eq!(get(GetRange::Suffix(3)).await, "789");
    assert_eq!(get(GetRange::Suffix(30)).await, "0123456789");
    let beyond = send(&server, "GET /minisnap/a", &[("range", "bytes=10-")], "").await;
    assert_eq!((beyond.status, beyond.code()), (416, "InvalidRange"));
    put(&store, "empty", "", PutMode::Create).await.unwrap();
    assert_eq!(bytes(&store, "empty").await, b"");
}

#[tokio::test]
async fn answers_have_the_documented_headers() {
    let server = server();
    let stored = send(&server, "PUT /minisnap/a", &[], "hello").await;
    let generation = stored.header("x-goog-generation").expect("a generation").to_owned();
    // The MD5 of `hello`.
    assert_eq!(stored.header("etag"), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let get = send(&server, "GET /minisnap/a", &[], "").await;
    let head = send(&server, "HEAD /minisnap/a", &[], "").await;
    let part = send(&server, "GET /minisnap/a", &[("range", "bytes=1-2")], "").await;
    for (answer, status, body, length) in [(&get, 200, "hello", "5"), (&head, 200, "", "5"), (&part, 206, "el", "2")] {
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
        assert_eq!(answer.header("content-length"), Some(length));
        assert_eq!(answer.header("x-goog-generation"), Some(generation.as_str()));
        assert_eq!(answer.header("x-goog-metageneration"), Some("1"));
        assert_eq!(answer.header("x-goog-stored-content-length"), Some("5"));
        assert_eq!(answer.header("etag"), stored.header("etag"));
        assert!(answer.header("last-modified").is_some_and(|time| time.ends_with("gmt")), "{}", answer.head);
    }
    assert_eq!(part.header("content-range"), Some("bytes 1-2/5"));
    let modified = client(&server).head(&Path::from("a")).await.unwrap().last_modified;
    let age = std::time::SystemTime::now().duration_since(modified.into()).unwrap();
    assert!(age.as_secs() < 60, "{age:?}");
}

#[tokio::test]
async fn missing_object_is_no_such_key() {
    let server = server();
    for line in ["GET /minisnap/a", "DELETE /minisnap/a"] {
        let answer = send(&server, line, &[], "").await;
        assert_eq!((answer.status, answer.code()), (404, "NoSuchKey"), "{line}");
        assert_eq!(answer.header("content-type"), Some("application/xml; charset=utf-8"));
    }
    assert_eq!(send(&server, "HEAD /minisnap/a", &[], "").await.status, 404);
    let store = client(&server);
    put(&store, "b", "1", PutMode::Create).await.unwrap();
    let deleted = stream::iter(["a", "b"].map(|key| Ok(Path::from(key)))).boxed();
    let outcomes: Vec<_> = store.delete_stream(deleted).collect().await;
    assert!(matches!(&outcomes[..], [Err(Error::NotFound { .. }), Ok(_)]), "{outcomes:?}");
    assert_eq!(store.list(None).try_collect::<Vec<_>>().await.unwrap(), []);
}

/// Each name is another object, also where an encoding could confuse them.
#[tokio::test]
async fn names_are_compared_byte_by_byte() {
    const NAMES: [&str; 12] =
        ["a/b", "a%2Fb", "a%252Fb", "a b", "a+b", "a%20b", "\u{e4}", "a\u{308}", "<&\"'>", "a?b=c#d", "A/b", "a/b/c"];
    let server = server();
    let store = client(&server);
    for name in NAMES {
        let path = Path::parse(name).unwrap();
        store.put_opts(&path, name.into(), PutMode::Create.into()).await.unwrap();
    }
    for name in NAMES {
        let path = Path::parse(name).unwrap();
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), name);
    }
    let listed: Vec<_> = store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    let mut names = NAMES.map(str::to_owned);
    names.sort();
    assert_eq!(listed, names);
    // Names that the client can't have.
    for (line, body) in [("/minisnap/a//b/", "1"), ("/minisnap/a%2F%2Fb", "2"), ("/minisnap/%00", "3")] {
        assert_eq!(send(&server, &format!("PUT {line}"), &[], body).await.status, 200);
        assert_eq!(send(&server, &format!("GET {line}"), &[], "").await.body, body);
    }
    let invalid = send(&server, "PUT /minisnap/%FF", &[], "").await;
    assert_eq!((invalid.status, invalid.code()), (400, "InvalidURI"));
}

#[tokio::test]
async fn copy_has_the_bytes_of_its_source_and_a_generation() {
    let server = server();
    let store = client(&server);
    let (a, b, c) = (Path::from("a/%\u{e4} 1"), Path::from("b"), Path::from("c"));
    let source = store.put_opts(&a, "1".into(), PutMode::Create.into()).await.unwrap();
    put(&store, "b", "longer than its source", PutMode::Create).await.unwrap();
    store.copy(&a, &b).await.unwrap();
    assert_eq!(bytes(&store, "b").await, b"1");
    let copied = store.head(&b).await.unwrap();
    assert_eq!(copied.e_tag, source.e_tag);
    assert_ne!(copied.version, source.version);

    let create = || CopyOptions { mode: CopyMode::Create, ..Default::default() };
    store.copy_opts(&b, &c, create()).await.unwrap();
    put(&store, "b", "2", PutMode::Overwrite).await.unwrap();
    assert!(matches!(store.copy_opts(&b, &c, create()).await, Err(Error::AlreadyExists { .. })));
    assert!(matches!(store.copy(&Path::from("never"), &c).await, Err(Error::NotFound { .. })));
    assert_eq!(bytes(&store, "c").await, b"1");
    let itself = store.copy(&c, &c).await;
    assert!(itself.unwrap_err().to_string().contains("InvalidArgument"));
}
