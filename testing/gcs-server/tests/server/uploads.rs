//! Multipart uploads.

use super::*;
use crate::raw::send;
use minisnap_gcs_server::Refusal;
use object_store::multipart::{MultipartStore, PartId};
use std::time::Duration;

const PART: usize = 5 * 1024 * 1024;

/// Three parts, the last one small.
fn parts() -> [Vec<u8>; 3] {
    [vec![1; PART], vec![2; PART + 1], vec![3; 10]]
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_out_of_order_make_one_object() {
    let server = server();
    let store = client(&server);
    let key = Path::from("state/large");
    let id = store.create_multipart(&key).await.unwrap();
    let mut ids = [const { None::<PartId> }; 3];
    for number in [2, 0, 1] {
        // A part that is repeated replaces the earlier one.
        store.put_part(&key, &id, number, "replaced".into()).await.unwrap();
        ids[number] = Some(store.put_part(&key, &id, number, parts()[number].clone().into()).await.unwrap());
    }
    assert!(matches!(store.head(&key).await, Err(Error::NotFound { .. })), "no object before the completion");
    assert_eq!(server.unfinished_uploads(), 1);
    let completed = store.complete_multipart(&key, &id, ids.map(Option::unwrap).into()).await.unwrap();
    assert!(bytes(&store, "state/large").await == parts().concat());
    let head = store.head(&key).await.unwrap();
    assert_eq!((head.e_tag, head.version), (completed.e_tag, completed.version));
    assert_eq!(server.unfinished_uploads(), 0);
    let again = store.complete_multipart(&key, &id, vec![PartId { content_id: String::new() }]).await;
    assert!(again.unwrap_err().to_string().contains("NoSuchUpload"));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_parts_make_one_object() {
    let server = server();
    let store = client(&server);
    let key = Path::from("state/large");
    put(&store, "state/large", "replaced", PutMode::Create).await.unwrap();
    let mut upload = store.put_multipart_opts(&key, object_store::PutMultipartOptions::default()).await.unwrap();
    // All parts are sent before the first is awaited.
    let running = parts().map(|part| tokio::spawn(upload.put_part(part.into())));
    for part in running {
        part.await.unwrap().unwrap();
    }
    assert_eq!(bytes(&store, "state/large").await, b"replaced");
    upload.complete().await.unwrap();
    assert!(bytes(&store, "state/large").await == parts().concat());
}

#[tokio::test]
async fn aborted_upload_takes_no_parts() {
    let server = server();
    let store = client(&server);
    let key = Path::from("a");
    let id = store.create_multipart(&key).await.unwrap();
    let part = store.put_part(&key, &id, 0, "x".into()).await.unwrap();
    store.abort_multipart(&key, &id).await.unwrap();
    assert_eq!(server.unfinished_uploads(), 0);
    let late = store.put_part(&key, &id, 1, "late".into()).await;
    assert!(matches!(late, Err(Error::NotFound { .. })), "{late:?}");
    let again = store.abort_multipart(&key, &id).await;
    assert!(matches!(again, Err(Error::NotFound { .. })), "{again:?}");
    let completed = store.complete_multipart(&key, &id, vec![part]).await.unwrap_err().to_string();
    assert!(completed.contains("404") && completed.contains("NoSuchUpload"), "{completed}");
    assert!(matches!(store.head(&key).await, Err(Error::NotFound { .. })));
}

/// An upload stays as it is when its completion is refused.
#[tokio::test]
async fn completion_with_wrong_parts_is_refused() {
    let server = server();
    let store = client(&server);
    let key = Path::from("a");
    let id = store.create_multipart(&key).await.unwrap();
    let mut tags = Vec::new();
    for part in parts() {
        tags.push(store.put_part(&key, &id, tags.len(), part.into()).await.unwrap().content_id);
    }
    let small = store.put_part(&key, &id, 3, "small".into()).await.unwrap().content_id;
    let complete = async |key: &str, parts: &[(usize, &str)]| {
        let parts: String = parts
            .iter()
            .map(|(number, tag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"))
            .collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        send(&server, &format!("POST /minisnap/{key}?uploadId={id}"), &[], &body).await
    };
    let [first, second, third] = &tags[..] else { panic!("three parts") };
    for (key, parts, status, code) in [
        ("a", vec![(2, second.as_str()), (1, first)], 400, "InvalidPartOrder"),
        ("a", vec![(1, first), (1, first)], 400, "InvalidPartOrder"),
        ("a", vec![(1, first), (5, first)], 400, "InvalidPart"),
        ("a", vec![(1, second)], 400, "InvalidPart"),
        ("a", vec![(3, third), (4, &small)], 400, "EntityTooSmall"),
        ("a", vec![], 400, "MalformedXML"),
        ("b", vec![(1, first)], 404, "NoSuchUpload"),
    ] {
        let answer = complete(key, &parts).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{parts:?}");
    }
    for body in ["", "<", "<a/>"] {
        let answer = send(&server, &format!("POST /minisnap/a?uploadId={id}"), &[], body).await;
        assert_eq!((answer.status, answer.code()), (400, "MalformedXML"), "{body}");
    }
    for number in ["0", "10001", "x"] {
        let answer = send(&server, &format!("PUT /minisnap/a?partNumber={number}&uploadId={id}"), &[], "x").await;
        assert_eq!((answer.status, answer.code()), (400, "InvalidArgument"), "{number}");
    }
    assert!(matches!(store.head(&key).await, Err(Error::NotFound { .. })));
    // Part numbers may have gaps.
    assert_eq!(complete("a", &[(1, first), (3, third)]).await.status, 200);
    assert!(bytes(&store, "a").await == [parts()[0].clone(), parts()[2].clone()].concat());
}

#[tokio::test]
async fn rate_limited_completion_can_be_repeated() {
    let interval = Duration::from_millis(300);
    let server = GcsServer::start(Limits { write_interval: interval, ..Limits::like_google(Refusal::RateLimit) });
    let store = client(&server);
    let key = Path::from("a");
    let id = store.create_multipart(&key).await.unwrap();
    let part = store.put_part(&key, &id, 0, "parts aren't limited".into()).await.unwrap();
    put(&store, "a", "first", PutMode::Create).await.unwrap();
    let refused = store.complete_multipart(&key, &id, vec![part.clone()]).await.unwrap_err().to_string();
    assert!(refused.contains("SlowDown"), "{refused}");
    tokio::time::sleep(interval).await;
    store.complete_multipart(&key, &id, vec![part]).await.unwrap();
    assert_eq!(bytes(&store, "a").await, b"parts aren't limited");
    assert!(matches!(put(&store, "a", "x", PutMode::Overwrite).await, Err(Error::Generic { .. })), "it counts");
}
