//! Opening by URL: the accepted URLs and options, and the errors for invalid ones.

/// Certificates.
mod tls;

use minisnap_core::{MiniSnapError, Result, SnapshotBackend};
use minisnap_object::ObjectBackend;
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

const NO_OPTIONS: [(&str, &str); 0] = [];

/// The error of an invalid URL, and its help.
fn refusal(opened: Result<ObjectBackend>) -> String {
    let error = opened.unwrap_err();
    assert!(matches!(error, MiniSnapError::InvalidUrl { .. }), "{error}");
    let help = error.help().unwrap_or_default();
    format!("{error}\nhelp: {help}")
}

#[test]
fn invalid_url_is_refused_with_its_problem() {
    for (url, part) in [
        ("s3:bucket", "s3://bucket/prefix"),
        ("s3:///prefix", "names no bucket"),
        ("s3://bucket/a//b", "can't be the name of an object"),
        ("gs://bucket/p?x=y", "no query"),
    ] {
        let text = refusal(ObjectBackend::open(url, NO_OPTIONS));
        let without_query = url.split('?').next().unwrap();
        assert!(text.contains(part) && text.contains(without_query), "{url}: {text}");
    }
}

#[test]
fn errors_never_show_credentials() {
    for url in [
        "s3://key:secret@host/bucket?token=secret",
        "gs://secret@bucket/p",
        "s3://key:se?secret@host/bucket",
        "s3://secret?@secret",
    ] {
        let text = refusal(ObjectBackend::open(url, NO_OPTIONS));
        assert!(!text.contains("secret") && !text.contains("key"), "{text}");
    }
}

#[test]
fn url_names_bucket_and_prefix() {
    for (url, location) in [
        ("s3://bucket/app/state", "s3://bucket/app/state"),
        ("S3://bucket/app%20one/", "S3://bucket/app%20one"),
        ("s3://bucket", "s3://bucket"),
        ("gs://bucket/app", "gs://bucket/app"),
    ] {
        assert_eq!(ObjectBackend::open(url, NO_OPTIONS).unwrap().location(), location);
    }
    let options = [("account_name", "acme"), ("use_emulator", "true")];
    assert_eq!(ObjectBackend::open("az://container/app", options).unwrap().location(), "az://container/app");
}

#[test]
fn own_options_and_client_options_are_accepted() {
    let url = "s3://bucket/app";
    let all = [
        ("grace_time", "60"),
        ("busy_timeout", " 2.5\n"),
        ("part_size", "5242880 "),
        ("parts_in_flight", "4"),
        ("max_retries", "0"),
        ("retry_timeout", "5"),
        ("timeout", "10s"),
        ("AWS_REGION", "eu-central-1"),
        ("endpoint_url", "http://127.0.0.1:9000"),
        ("allow_http", "true"),
    ];
    let opened = ObjectBackend::open(url, all).map(|backend| format!("{backend:?}")).unwrap();
    for setting in ["grace_time: 60s", "busy_timeout: 2.5s", "part_size: 5242880", "parts_in_flight: 4"] {
        assert!(opened.contains(setting), "{opened}");
    }
    for (url, option, value, part) in [
        (url, "grace_time", "soon", "a number of seconds, not `soon`"),
        (url, "part_size", "0", "at least 1, not `0`"),
        (url, "parts_in_flight", "-1", "at least 1, not `-1`"),
        (url, "colour", "red", "no option `colour`"),
        (url, "colour", "red", "use one of its options grace_time, busy_timeout"),
        (url, "endpoint_url", "http://127.0.0.1:9000", "set the option `allow_http` to `true`"),
        (url, "endpoint_url", "https://me:word@host", "contains a user, password"),
        ("az://container/app", "region", "eu", "no option `region`"),
        ("az://container/app", "use_emulator", "false", "can't be set up"),
        ("gs://bucket/app", "base_url", "http://127.0.0.1:9000", "set the option `allow_http` to `true`"),
        ("gs://bucket/app", "profile", "work", "no option `profile`"),
    ] {
        let text = refusal(ObjectBackend::open(url, [(option, value)]));
        assert!(text.contains(part) && text.contains(url) && !text.contains("word@"), "{text}");
    }
}

#[test]
fn secrets_in_client_errors_are_redacted() {
    for (url, options) in [
        ("az://container/app", [("account_name", "acme"), ("account_key", "not/base64/s3cr3t!")]),
        ("gs://bucket/app", [("service_account_key", "{\"private_key\": \"s3cr3t\"}"), ("max_retries", "0")]),
        ("s3://bucket/app", [("sse_customer_key_base64", "s3cr3t!"), ("aws_server_side_encryption", "sse-c")]),
        ("s3://bucket/app", [("sse_bucket_key_enabled", "s3cr3t"), ("aws_server_side_encryption", "aws:kms")]),
    ] {
        let text = refusal(ObjectBackend::open(url, options));
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

#[test]
fn client_errors_without_secrets_are_quoted() {
    // An empty key is no secret.
    for options in [[("timeout", "soon"), ("sse_customer_key_base64", "")], [("timeout", "soon"), ("region", "eu")]] {
        let text = refusal(ObjectBackend::open("s3://bucket/app", options));
        assert!(text.contains("soon") && !text.contains('…'), "{text}");
    }
}

/// A server that answers each request with 503, and its number of requests.
fn overloaded_server() -> (String, Arc<AtomicUsize>) {
    server_that_answers("503 Slow Down")
}

/// A server that answers each request with this status, and its number of requests.
fn server_that_answers(status: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // A GET has only a head, which fits into one read.
            if stream.read(&mut [0; 8192]).is_ok_and(|read| read > 0) {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    (endpoint, requests)
}

#[tokio::test]
async fn options_limit_the_retries_of_a_request() {
    for (options, expected) in [
        (vec![], 1 + 3),
        (vec![("max_retries", "1")], 1 + 1),
        (vec![("max_retries", "0")], 1),
        (vec![("retry_timeout", "0")], 1),
    ] {
        let (endpoint, requests) = overloaded_server();
        let all = [("endpoint_url", endpoint.as_str()), ("allow_http", "true"), ("skip_signature", "true")];
        let backend = ObjectBackend::open("s3://bucket/app", all.into_iter().chain(options.clone())).unwrap();
        backend.current().await.unwrap_err();
        assert_eq!(requests.load(Ordering::SeqCst), expected, "{options:?}");
    }
}

/// Tests the client's errors for real answers, because the client has the status in a private type.
#[tokio::test]
async fn errors_are_transient_when_a_retry_may_help() {
    let failed = async |endpoint: &str| {
        let options =
            [("endpoint_url", endpoint), ("allow_http", "true"), ("skip_signature", "true"), ("max_retries", "0")];
        ObjectBackend::open("s3://bucket/app", options).unwrap().current().await.unwrap_err()
    };
    for (status, transient) in [
        ("503 Slow Down", true),
        ("500 Internal Server Error", true),
        ("429 Too Many Requests", true),
        ("400 Bad Request", false),
        ("401 Unauthorized", false),
        ("403 Forbidden", false),
    ] {
        let (endpoint, _) = server_that_answers(status);
        let error = failed(&endpoint).await;
        assert!(matches!(error, MiniSnapError::Backend { .. }), "{status}: {error}");
        assert_eq!(error.is_transient(), transient, "{status}: {error}");
    }
    // No server listens on this port.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = failed(&format!("http://{closed}")).await;
    assert!(error.is_transient(), "{error}");
}
