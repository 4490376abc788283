//! An emulator of Google Cloud Storage's XML API for tests, in the test's own process.
//!
//! ```
//! use minisnap_gcs_server::{GcsServer, Limits};
//! use object_store::{ObjectStoreExt, gcp::GoogleCloudStorageBuilder, path::Path};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = GcsServer::start(Limits::default());
//! let mut client = GoogleCloudStorageBuilder::new().with_url(server.url("state"));
//! for (option, value) in server.options() {
//!     client = client.with_config(option.parse()?, value);
//! }
//! let client = client.build()?;
//! client.put(&Path::from("state/greeting"), "hello".into()).await?;
//! assert_eq!(client.get(&Path::from("state/greeting")).await?.bytes().await?, "hello");
//! # Ok(())
//! # }
//! ```
//!
//! The server is written from [Google's documentation]. It stores objects in memory, listens on a free port of the loopback
//! address, and has a runtime of its own, so tests on many runtimes can share one server in a `LazyLock`.
//!
//! # Supported requests
//!
//! Put, get (with ranges), head, delete, copy, list (version 2), and multipart uploads:
//!
//! - Each write makes a new generation, whose number is higher than all earlier ones. `x-goog-if-generation-match` of a put, copy,
//!   get, head or delete is honoured; 0 means that there is no object. Conditions and writes are one atomic step.
//! - At most one write to the same name in a time, if [`Limits`] says so: others are 429.
//! - Each request needs the bearer token of [`GcsServer::options`], unless [`Limits`] says otherwise: others are 401.
//! - A request that has arrived is carried out completely, even if the client disconnects. A slow body blocks no other client.
//! - Errors have Google's codes, in XML.
//!
//! # Limits
//!
//! - There are no versions of objects, no bulk delete, no metadata of users, no other kind of upload, and one bucket.
//! - A header with a condition, or another header of Google, that the server can't evaluate is 501, and never ignored.
//! - Google's documentation doesn't say how the rate limit is measured. Here only successful writes count: refused ones neither use
//!   the limit up nor extend it.
//!
//! [Google's documentation]: https://cloud.google.com/storage/docs/xml-api/overview

mod api;
mod bucket;
mod error;
mod http;
mod listing;
mod range;
mod request;
mod uploads;
mod write_limit;
mod xml;

use api::Api;
use std::{sync::Arc, thread::JoinHandle, time::Duration};
use tokio::sync::oneshot;

/// The name of every server's bucket.
pub const BUCKET: &str = "minisnap";
const TOKEN: &str = "not-a-secret.the-server-is-on-loopback-only";

/// What a server refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Whether a request without the bearer token is refused.
    pub needs_token: bool,
    /// The least time between two writes to an object of the same name. Zero is no limit.
    pub write_interval: Duration,
    /// The answer to a write that its condition and the rate limit refuse.
    pub first: Refusal,
}

/// Which of two reasons for a refusal is the answer.
///
/// Google's documentation doesn't say. Users saw 429 and not 412 for a create of an object that another writer had just created
/// (<https://github.com/delta-io/delta-rs/issues/2451>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 412: the condition didn't hold. Or 404: there is no such object.
    Condition,
    /// 429: the name was written a moment ago.
    RateLimit,
}

impl Default for Limits {
    /// A token is needed, and there is no rate limit.
    fn default() -> Self {
        Self { needs_token: true, write_interval: Duration::ZERO, first: Refusal::RateLimit }
    }
}

impl Limits {
    /// Those of Google: a token is needed, and each name takes [one write a second](https://cloud.google.com/storage/quotas#objects).
    #[must_use]
    pub fn like_google(first: Refusal) -> Self {
        Self { needs_token: true, write_interval: Duration::from_secs(1), first }
    }
}

/// A running server with one empty bucket. Dropping it stops the server.
#[derive(Debug)]
pub struct GcsServer {
    endpoint: String,
    api: Arc<Api>,
    /// The server runs until this is dropped.
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl GcsServer {
    /// Starts a server. It accepts requests as soon as this returns.
    ///
    /// # Panics
    ///
    /// If the server can't start.
    #[must_use]
    pub fn start(limits: Limits) -> Self {
        let api = Arc::new(Api::new(limits));
        let (running, stopped) = oneshot::channel();
        let (address, thread) =
            http::spawn(api.clone(), stopped).unwrap_or_else(|error| panic!("the GCS server doesn't start: {error}"));
        Self { endpoint: format!("http://{address}"), api, running: Some(running), thread: Some(thread) }
    }

    /// The server's address: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The URL of a prefix in its bucket: `gs://BUCKET/PREFIX`.
    #[must_use]
    pub fn url(&self, prefix: &str) -> String {
        format!("gs://{BUCKET}/{prefix}")
    }

    /// The options that a client of the crate `object_store` needs in addition to the URL. The client of a server that needs no
    /// token sends an empty one.
    #[must_use]
    pub fn options(&self) -> Vec<(&'static str, String)> {
        match self.api.limits().needs_token {
            true => options(&self.endpoint),
            false => anonymous_options(&self.endpoint),
        }
    }

    /// The number of multipart uploads that are neither completed nor aborted.
    #[must_use]
    pub fn unfinished_uploads(&self) -> usize {
        self.api.bucket().unfinished_uploads()
    }

    /// How many writes the rate limit refused.
    #[must_use]
    pub fn rate_limited(&self) -> usize {
        self.api.bucket().rate_limited()
    }
}

/// The [options](GcsServer::options) for a server that needs a token, also for one in another process.
#[must_use]
pub fn options(endpoint: &str) -> Vec<(&'static str, String)> {
    vec![
        ("google_bearer_token", TOKEN.to_owned()),
        ("google_base_url", endpoint.to_owned()),
        ("google_allow_http", "true".to_owned()),
    ]
}

/// A service account that needs no token, in the form that the client has for emulators.
fn anonymous_options(endpoint: &str) -> Vec<(&'static str, String)> {
    let account = format!(
        r#"{{"gcs_base_url":"{endpoint}","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}}"#
    );
    vec![("google_service_account_key", account), ("google_allow_http", "true".to_owned())]
}

impl Drop for GcsServer {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            // After the thread has ended, the port is free. A panic of the thread has already been printed.
            let _ = thread.join();
        }
    }
}
