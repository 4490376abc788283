//! Servers that stop, and servers that are only slow. `read_timeout` scales the 30 seconds without progress to two seconds.

use super::{Failed, failure, open};
use crate::support::{
    scripted_server::ScriptedServer,
    slow_link::{Link, link_to},
};
use minisnap_core::{CommitOptions, Committed, SnapshotBackend};
use minisnap_object::ObjectBackend;
use minisnap_s3_server::{Conditions, S3Server};
use std::{
    io::Write,
    net::TcpStream,
    num::NonZeroUsize,
    thread::sleep,
    time::{Duration, Instant},
};

/// The head of an answer with a record of 52 bytes.
const HEAD: &str =
    "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nLast-Modified: Wed, 01 Jan 2025 00:00:00 GMT\r\nContent-Length: 52\r\n\r\n";
const RECORD: &str = "minisnap-record 1\npublished 0\nsweeps 0\nretained 0\n\n\n";

const IDLE: (&str, &str) = ("read_timeout", "2s");

/// Three retries, if there were time for them: a request without progress takes longer.
const RETRIES: [(&str, &str); 2] = [("max_retries", "3"), ("retry_timeout", "0.5")];

fn hang(connection: &mut TcpStream) {
    // Until the client ends the connection.
    let _ = std::io::copy(connection, &mut std::io::sink());
}

#[track_caller]
fn assert_after(limit: Duration, failed: &Failed) {
    let elapsed = failed.elapsed;
    assert!(elapsed >= limit.mul_f32(0.9) && elapsed < limit + Duration::from_secs(4), "{failed:#?}");
}

#[tokio::test]
async fn server_that_never_answers_fails_the_request_once() {
    let server = ScriptedServer::start(|_, connection| hang(connection));
    let failed = failure(&server.endpoint(), &[IDLE, RETRIES[0], RETRIES[1]]).await;
    failed.assert_is(&format!("the server {} gave no answer for 2s", server.address()), "try again later", true);
    assert_after(Duration::from_secs(2), &failed);
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn server_that_stops_in_its_answer_fails_the_request() {
    let server = ScriptedServer::start(|_, connection| {
        connection.write_all(format!("{HEAD}minisnap").as_bytes()).unwrap();
        hang(connection);
    });
    let failed = failure(&server.endpoint(), &[IDLE, RETRIES[0], RETRIES[1]]).await;
    failed.assert_is(
        &format!("the server {} stopped in the middle of its answer, for 2s", server.address()),
        "try again later",
        true,
    );
    assert_after(Duration::from_secs(2), &failed);
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn server_that_closes_the_connection_is_reported() {
    for start in ["", "minisnap"] {
        let server = ScriptedServer::start(move |_, connection| {
            if !start.is_empty() {
                connection.write_all(format!("{HEAD}{start}").as_bytes()).unwrap();
            }
        });
        let failed = failure(&server.endpoint(), &[]).await;
        failed.assert_is(
            &format!("the server {} closed the connection before its answer was complete", server.address()),
            "try again later",
            true,
        );
    }
}

/// Sends the record in eighteen pieces, in three and a half seconds.
fn slow_server() -> ScriptedServer {
    ScriptedServer::start(|_, connection| {
        connection.write_all(HEAD.as_bytes()).unwrap();
        for piece in RECORD.as_bytes().chunks(3) {
            sleep(Duration::from_millis(200));
            if connection.write_all(piece).is_err() {
                return;
            }
        }
    })
}

#[tokio::test]
async fn slow_but_steady_download_succeeds() {
    let server = slow_server();
    let endpoint = server.endpoint();
    let start = Instant::now();
    let backend = open("s3://bucket/app", &[("endpoint_url", &endpoint), IDLE]);
    // The record has two empty lines too many, so it was read to its end.
    let error = backend.current().await.unwrap_err().to_string();
    assert!(error.contains("record") && start.elapsed() > Duration::from_secs(3), "{error}");
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn timeout_that_is_set_limits_the_whole_request() {
    let server = slow_server();
    let failed = failure(&server.endpoint(), &[("timeout", "1s"), RETRIES[0], RETRIES[1]]).await;
    failed.assert_is(
        &format!("the server {} didn't complete the request within the `timeout` of 1s", server.address()),
        "raise the option `timeout`",
        true,
    );
    assert_after(Duration::from_secs(1), &failed);
    // Also before there is an answer.
    let server = ScriptedServer::start(|_, connection| hang(connection));
    let failed = failure(&server.endpoint(), &[("timeout", "1s"), RETRIES[0], RETRIES[1]]).await;
    failed.assert_is("within the `timeout` of 1s", "raise the option `timeout`", true);
    assert_after(Duration::from_secs(1), &failed);
}

/// Commits a JSON of twelve megabytes, in one request, over a link, with this limit without progress.
async fn commit_over(link: Link, idle: &str) -> (minisnap_core::Result<Committed>, Duration) {
    let server = S3Server::start(Conditions::Atomic);
    let address = server.endpoint().trim_start_matches("http://").parse().unwrap();
    let mut options = minisnap_s3_server::options(&format!("http://{}", link_to(address, link)));
    for (option, value) in [("read_timeout", idle), RETRIES[0], RETRIES[1], ("part_size", "16777216")] {
        options.push((option, value.to_owned()));
    }
    let backend = ObjectBackend::open(&server.url("app"), options).unwrap();
    let mut staged = backend.stage(1).await.unwrap();
    let start = Instant::now();
    staged.write_all(&vec![b' '; 12 << 20]).unwrap();
    let committed = staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await;
    (committed, start.elapsed())
}

/// Twelve megabytes at two megabytes a second. The system accepts more data when a third of its buffer of four megabytes is
/// free, so progress shows in steps of almost a second.
#[tokio::test]
async fn slow_but_steady_upload_succeeds() {
    let (committed, elapsed) = commit_over(Link::Slow(200 << 10), "4s").await;
    committed.unwrap();
    assert!(elapsed > Duration::from_secs(5), "{elapsed:?}");
}

#[tokio::test]
async fn upload_that_stalls_fails_with_its_progress() {
    // If the client holds only a piece without its mark, the progress isn't known. That happens in one of six uploads.
    for _ in 0..8 {
        let (committed, elapsed) = commit_over(Link::StopsAfter(1 << 20), "2s").await;
        let failed = Failed::new(&committed.unwrap_err(), elapsed);
        let first = failed.causes.first().unwrap();
        assert!(failed.is_transient && elapsed < Duration::from_secs(10), "{failed:#?}");
        if first.contains(" of 12582912 bytes, and then none for 2s") {
            return;
        }
        assert!(first.contains("gave no answer to an upload of 12582912 bytes for 2s"), "{failed:#?}");
    }
    panic!("no error has the progress");
}
