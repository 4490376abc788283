//! Requests that fail, over real connections: the error, its causes, its advice, and how soon it comes.

/// Answers that no store gives, or that need a repair of the configuration.
mod answers;
/// Connections that don't come about.
mod connections;
/// Servers that stop, and servers that are only slow.
mod transfers;

use minisnap_core::{MiniSnapError, Operation, SnapshotBackend};
use minisnap_object::ObjectBackend;
use std::{
    error::Error,
    iter::successors,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::net::TcpSocket;

/// An error of a backend, as a user sees it.
#[derive(Debug)]
struct Failed {
    /// The text of each cause, the outermost first.
    causes: Vec<String>,
    help: String,
    is_transient: bool,
    elapsed: Duration,
}

impl Failed {
    fn new(error: &MiniSnapError, elapsed: Duration) -> Self {
        assert!(matches!(error, MiniSnapError::Backend { .. }), "{error:?}");
        Self {
            causes: successors(error.source(), |&cause| cause.source()).map(ToString::to_string).collect(),
            help: error.help().unwrap_or_default().into_owned(),
            is_transient: error.is_transient(),
            elapsed,
        }
    }

    /// Checks the end of the first cause, a part of the advice, and whether the error is transient.
    #[track_caller]
    fn assert_is(&self, cause: &str, help: &str, is_transient: bool) {
        let first = self.causes.first().map_or("", String::as_str);
        assert!(first.ends_with(cause), "expected the cause: {cause}\n{self:#?}");
        assert!(self.help.contains(help) && !help.is_empty(), "expected the help: {help}\n{self:#?}");
        assert_eq!(self.is_transient, is_transient, "{self:#?}");
        // No text is shown twice.
        for (index, text) in self.causes.iter().enumerate().skip(1) {
            assert!(!self.causes[index - 1].contains(text.as_str()), "{self:#?}");
        }
    }
}

/// A backend with these options. Without them, requests aren't signed, and there are no retries.
fn open(url: &str, options: &[(&str, &str)]) -> ObjectBackend {
    let all = [("allow_http", "true"), ("skip_signature", "true"), ("max_retries", "0")];
    ObjectBackend::open(url, all.iter().chain(options).copied()).unwrap()
}

/// The error of reading the record in the bucket at an endpoint.
async fn failure(endpoint: &str, options: &[(&str, &str)]) -> Failed {
    let options: Vec<_> = [("endpoint_url", endpoint)].iter().chain(options).copied().collect();
    failure_of(&open("s3://bucket/app", &options)).await
}

async fn failure_of(backend: &ObjectBackend) -> Failed {
    let start = Instant::now();
    let error = backend.current().await.unwrap_err();
    assert_eq!(error.at().operation(), Operation::Current);
    Failed::new(&error, start.elapsed())
}

/// An address on which no server listens.
fn closed_port() -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    // It never listens. Open until the tests' process ends, it reserves the port.
    std::mem::forget(socket);
    address
}
