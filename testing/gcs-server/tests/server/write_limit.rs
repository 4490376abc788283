//! The rate limit of writes to one name.

use super::*;
use crate::raw::{Answer, send};
use minisnap_gcs_server::Refusal;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(400);

fn limited(first: Refusal) -> GcsServer {
    GcsServer::start(Limits { write_interval: INTERVAL, ..Limits::like_google(first) })
}

async fn put_raw(server: &GcsServer, key: &str) -> Answer {
    send(server, &format!("PUT /minisnap/{key}"), &[], "x").await
}

#[tokio::test]
async fn second_write_to_a_name_within_the_interval_is_refused() {
    let server = limited(Refusal::RateLimit);
    assert_eq!(put_raw(&server, "a").await.status, 200);
    for line in ["PUT /minisnap/a", "DELETE /minisnap/a"] {
        let answer = send(&server, line, &[], "").await;
        assert_eq!((answer.status, answer.code()), (429, "SlowDown"), "{line}");
    }
    let copy = [("x-goog-copy-source", "minisnap/a")];
    assert_eq!(send(&server, "PUT /minisnap/b", &copy, "").await.status, 200, "other names aren't limited");
    assert_eq!(send(&server, "PUT /minisnap/b", &copy, "").await.status, 429);
    assert_eq!(send(&server, "GET /minisnap/a", &[], "").await.body, "x", "reads aren't limited");
    assert_eq!(server.rate_limited(), 3);
}

/// Refused writes neither use the limit up nor extend it. A deletion counts like a write.
#[tokio::test]
async fn name_can_be_written_again_after_the_interval() {
    let server = limited(Refusal::RateLimit);
    for line in ["PUT /minisnap/a", "PUT /minisnap/a", "DELETE /minisnap/a", "PUT /minisnap/a"] {
        let start = Instant::now();
        loop {
            match send(&server, line, &[], "x").await.status {
                200 | 204 => break,
                429 => assert!(start.elapsed() < 2 * INTERVAL, "{line}"),
                status => panic!("{line}: {status}"),
            }
        }
        assert_eq!(put_raw(&server, "a").await.status, 429, "{line}");
    }
}

#[tokio::test]
async fn limits_say_whether_condition_or_rate_limit_answers() {
    for (first, refused, missing) in [(Refusal::Condition, 412, 404), (Refusal::RateLimit, 429, 429)] {
        let server = limited(first);
        let create = [("x-goog-if-generation-match", "0")];
        assert_eq!(send(&server, "PUT /minisnap/a", &create, "1").await.status, 200);
        assert_eq!(send(&server, "PUT /minisnap/a", &create, "2").await.status, refused, "{first:?}");
        assert_eq!(put_raw(&server, "a").await.status, 429, "{first:?}: the rate limit alone");
        tokio::time::sleep(INTERVAL).await;
        assert_eq!(send(&server, "PUT /minisnap/a", &create, "3").await.status, 412, "{first:?}: the condition alone");
        assert_eq!(send(&server, "DELETE /minisnap/a", &[], "").await.status, 204, "{first:?}");
        assert_eq!(send(&server, "DELETE /minisnap/a", &[], "").await.status, missing, "{first:?}");
    }
}

/// A client with retries succeeds in the end.
#[tokio::test]
async fn client_retries_what_the_rate_limit_refuses() {
    let server = limited(Refusal::RateLimit);
    let store = server.options().into_iter().fold(
        object_store::gcp::GoogleCloudStorageBuilder::new().with_bucket_name(minisnap_gcs_server::BUCKET),
        |builder, (option, value)| builder.with_config(option.parse().unwrap(), value),
    );
    let store = store.build().unwrap();
    let start = Instant::now();
    let first = put(&store, "a", "1", PutMode::Create).await.unwrap();
    put(&store, "a", "2", update(&first)).await.unwrap();
    assert!(start.elapsed() >= INTERVAL && server.rate_limited() > 0);
    assert_eq!(bytes(&store, "a").await, b"2");
}
