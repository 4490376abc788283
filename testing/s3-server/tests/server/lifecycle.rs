//! Starting and stopping a server, and authentication.

use super::*;
use minisnap_s3_server::Conditions;
use object_store::signer::Signer;
use std::{
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn only_signed_requests_are_served() {
    let server = S3Server::start(Conditions::Atomic);
    let invalid: [&[_]; 3] = [
        &[("aws_skip_signature", "true")],
        &[("aws_secret_access_key", "another")],
        &[("aws_access_key_id", "another")],
    ];
    for options in invalid {
        let store = client_with(&server, options);
        let outcome = put(&store, "a", "1", PutMode::Overwrite).await;
        assert!(matches!(outcome, Err(Error::PermissionDenied { .. } | Error::Unauthenticated { .. })), "{outcome:?}");
        assert!(store.get(&Path::from("a")).await.is_err());
    }
    assert_eq!(files(server.parts_folder()), [""; 0]);
    put(&client(&server), "a", "1", PutMode::Create).await.unwrap();
}

#[tokio::test]
async fn dropped_server_frees_its_port_and_folder() {
    let server = S3Server::start(Conditions::Atomic);
    let store = client(&server);
    put(&store, "a", "1", PutMode::Create).await.unwrap();
    assert_eq!(std::fs::read(server.folder().join("a")).unwrap(), b"1");
    let address = server.endpoint().trim_start_matches("http://").to_owned();
    let folder = server.parts_folder().parent().unwrap().to_owned();
    drop(server);
    assert!(TcpStream::connect(&address).is_err());
    TcpListener::bind(&address).unwrap();
    assert!(!folder.exists());
    assert!(store.get(&Path::from("a")).await.is_err());
}

#[test]
fn port_is_free_after_drop_with_an_open_connection() {
    for _ in 0..50 {
        let server = S3Server::start(Conditions::Atomic);
        let address = server.endpoint().trim_start_matches("http://").to_owned();
        // An open connection, as in a client's pool.
        let _open = TcpStream::connect(&address).unwrap();
        drop(server);
        TcpListener::bind(&address).unwrap();
    }
}

#[test]
fn one_server_serves_many_runtimes() {
    let server = S3Server::start(Conditions::Atomic);
    for round in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { put(&client(&server), &format!("a{round}"), "1", PutMode::Create).await }).unwrap();
    }
    assert_eq!(files(server.folder()).len(), 3);
}

#[tokio::test]
async fn latency_is_added_to_each_request() {
    let server = S3Server::start_with_latency(Conditions::Atomic, Duration::from_millis(50));
    let store = client(&server);
    let started = Instant::now();
    put(&store, "a", "1", PutMode::Create).await.unwrap();
    bytes(&store, "a").await;
    assert!(started.elapsed() >= Duration::from_millis(100));
}

/// A client that sends the head of a write and half of its body, and stops there.
#[tokio::test]
async fn stalled_write_does_not_block_other_requests() {
    let server = S3Server::start(Conditions::Atomic);
    let store = client(&server);
    let key = Path::from("a");
    put(&store, "a", "1", PutMode::Create).await.unwrap();
    let url = store.signed_url("PUT".parse().unwrap(), &key, Duration::from_mins(1)).await.unwrap();
    let mut socket = tokio::net::TcpStream::connect(&server.endpoint()["http://".len()..]).await.unwrap();
    let target = &url[url::Position::BeforePath..];
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let head = format!("PUT {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 6\r\n\r\nhal");
    socket.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let others = async {
        assert_eq!(bytes(&store, "a").await, b"1");
        put(&store, "a", "2", PutMode::Overwrite).await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(5), others).await.expect("other requests aren't blocked");
    // With the rest of its body, the stalled write succeeds.
    socket.write_all(b"f\r\n").await.unwrap();
    for _ in 0..100 {
        if bytes(&store, "a").await == b"half\r\n" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the stalled write never succeeds");
}
