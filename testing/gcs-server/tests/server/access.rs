//! Tokens, the bucket, connections, and the life of the server.

use super::*;
use crate::raw::{Answer, exchange, send};
use std::{
    net::{TcpListener, TcpStream},
    time::Duration,
};
use tokio::io::AsyncWriteExt;

const ANONYMOUS: Limits =
    Limits { needs_token: false, write_interval: Duration::ZERO, first: minisnap_gcs_server::Refusal::RateLimit };

async fn put_without_token(server: &GcsServer, authorization: &str) -> Answer {
    let text = format!(
        "PUT /minisnap/a HTTP/1.1\r\nhost: x\r\n{authorization}connection: close\r\ncontent-length: 1\r\n\r\nx"
    );
    exchange(server, &text).await
}

#[tokio::test]
async fn request_without_the_token_is_refused() {
    let server = server();
    let token = server.options()[0].1.clone();
    let wrong = [
        String::new(),
        "authorization: Bearer \r\n".to_owned(),
        format!("authorization: Bearer {token}x\r\n"),
        format!("authorization: Bearer {}\r\n", &token[1..]),
        format!("authorization: {token}\r\n"),
    ];
    for authorization in &wrong {
        let answer = put_without_token(&server, authorization).await;
        assert_eq!((answer.status, answer.code()), (401, "AuthenticationRequired"), "{authorization:?}");
    }
    let mut options = server.options();
    options[0].1.push('x');
    let refused = client_with(options).head(&Path::from("a")).await;
    assert!(matches!(refused, Err(Error::Unauthenticated { .. })), "{refused:?}");
    let missing = client(&server).head(&Path::from("a")).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "nothing was written: {missing:?}");
}

#[tokio::test]
async fn anonymous_request_succeeds_if_no_token_is_needed() {
    let server = GcsServer::start(ANONYMOUS);
    assert_eq!(put_without_token(&server, "").await.status, 200);
    let store = client(&server);
    assert_eq!(bytes(&store, "a").await, b"x");
    put(&store, "b", "y", PutMode::Create).await.unwrap();
}

#[tokio::test]
async fn other_buckets_do_not_exist() {
    let server = server();
    for line in ["GET /other?list-type=2", "GET /other/a", "PUT /other/a", "DELETE /other/a", "POST /other/a?uploads="]
    {
        let answer = send(&server, line, &[], "").await;
        assert_eq!((answer.status, answer.code()), (404, "NoSuchBucket"), "{line}");
    }
    let copied = send(&server, "PUT /minisnap/a", &[("x-goog-copy-source", "other/a")], "").await;
    assert_eq!((copied.status, copied.code()), (404, "NoSuchBucket"));
    let deleted = send(&server, "DELETE /minisnap", &[], "").await;
    assert_eq!((deleted.status, deleted.code()), (405, "MethodNotAllowed"));
}

/// A header or parameter that the server ignored could be a condition that doesn't hold.
#[tokio::test]
async fn what_the_server_cannot_evaluate_is_refused() {
    let server = server();
    put(&client(&server), "a", "1", PutMode::Create).await.unwrap();
    for (line, header) in [
        ("PUT /minisnap/a", "x-goog-if-metageneration-match"),
        ("PUT /minisnap/a", "x-goog-copy-source-if-generation-match"),
        ("PUT /minisnap/a", "x-goog-meta-color"),
        ("GET /minisnap/a", "if-modified-since"),
        ("GET /minisnap/a", "if-unmodified-since"),
        ("GET /minisnap", "x-goog-user-project"),
        ("GET /minisnap/a?uploadId=1", "x-goog-user-project"),
        ("POST /minisnap/a", "x-goog-user-project"),
        ("POST /minisnap/a?uploads=", "x-goog-if-generation-match"),
    ] {
        let answer = send(&server, line, &[(header, "1")], "2").await;
        assert_eq!((answer.status, answer.code()), (501, "NotImplemented"), "{line} {header}");
    }
    for value in ["x", "-1", "1.0", ""] {
        let answer = send(&server, "PUT /minisnap/a", &[("x-goog-if-generation-match", value)], "2").await;
        assert_eq!((answer.status, answer.code()), (400, "InvalidArgument"), "{value:?}");
    }
    assert_eq!(bytes(&client(&server), "a").await, b"1");
}

/// The client sends a write and closes the connection at once, without waiting for the answer.
#[tokio::test]
async fn write_that_has_arrived_is_carried_out_after_disconnect() {
    let server = server();
    let store = client(&server);
    for round in 0..100 {
        let head = raw::head(&server, &format!("PUT /minisnap/{round}"), &[("content-length", "2")]);
        let mut socket = raw::connect(&server).await;
        socket.write_all(format!("{head}\r\n{round:02}").as_bytes()).await.unwrap();
        drop(socket);
    }
    for round in 0..100 {
        let key = round.to_string();
        for _ in 0..200 {
            if store.head(&Path::from(key.as_str())).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(bytes(&store, &key).await, format!("{round:02}").as_bytes());
    }
}

#[tokio::test]
async fn write_with_an_incomplete_body_never_happens() {
    let server = server();
    let head = raw::head(&server, "PUT /minisnap/a", &[("content-length", "6")]);
    let mut socket = raw::connect(&server).await;
    socket.write_all(format!("{head}\r\nhal").as_bytes()).await.unwrap();
    drop(socket);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let missing = client(&server).head(&Path::from("a")).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "{missing:?}");
}

/// A client that sends the head of a write and half of its body, and stops there.
#[tokio::test]
async fn stalled_write_does_not_block_other_requests() {
    let server = server();
    let store = client(&server);
    put(&store, "a", "1", PutMode::Create).await.unwrap();
    let head = raw::head(&server, "PUT /minisnap/a", &[("content-length", "4")]);
    let mut socket = raw::connect(&server).await;
    socket.write_all(format!("{head}\r\nha").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let others = async {
        assert_eq!(bytes(&store, "a").await, b"1");
        put(&store, "a", "2", PutMode::Overwrite).await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(5), others).await.expect("other requests aren't blocked");
    // With the rest of its body, the stalled write succeeds.
    socket.write_all(b"lf").await.unwrap();
    for _ in 0..200 {
        if bytes(&store, "a").await == b"half" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the stalled write never succeeds");
}

#[test]
fn port_is_free_after_drop_with_an_open_connection() {
    for _ in 0..50 {
        let server = server();
        let address = server.endpoint().trim_start_matches("http://").to_owned();
        // An open connection, as in a client's pool.
        let _open = TcpStream::connect(&address).unwrap();
        drop(server);
        TcpListener::bind(&address).unwrap();
    }
}

#[test]
fn one_server_serves_many_runtimes() {
    let server = server();
    for round in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { put(&client(&server), &format!("a{round}"), "1", PutMode::Create).await }).unwrap();
    }
}
