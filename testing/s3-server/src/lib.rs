//! An S3 server for tests, in the test's own process.
//!
//! ```
//! use minisnap_s3_server::{Conditions, S3Server};
//! use object_store::{ObjectStoreExt, parse_url_opts, path::Path};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = S3Server::start(Conditions::Atomic);
//! let (store, prefix) = parse_url_opts(&server.url("state").parse()?, server.options())?;
//! store.put(&prefix.join("greeting"), "hello".into()).await?;
//! assert_eq!(store.get(&Path::from("state/greeting")).await?.bytes().await?, "hello");
//! # Ok(())
//! # }
//! ```
//!
//! The server is [`s3s_fs`] on a free port of the loopback address. It stores objects in a temporary folder. It has a runtime of
//! its own, so tests on many runtimes can share one server in a `LazyLock`. Each request must be signed with the keys in
//! [`S3Server::options`].
//!
//! # Supported requests
//!
//! Put, get (ranges and conditions too), head, delete, bulk delete, copy, list, and multipart uploads with their copied
//! parts. This crate corrects `s3s_fs` where it differs from S3:
//!
//! - A conditional write (put, delete, completion of a multipart upload) is atomic. [`Conditions`] selects weaker behaviour.
//! - A get's body, ETag and size belong to one object, even while it is overwritten. The conditions of a get or head are
//!   honoured.
//! - A request that has arrived is carried out completely, even if the client disconnects. A slow body blocks no other client.
//! - `If-Match` on a missing object is 404, and not 412. An unknown or ended upload is 404 `NoSuchUpload`, and not 403.
//! - After an aborted upload there is no part, not even one that arrives later. After a delete there is no file.
//! - Listings have ETags, and succeed while objects are deleted.
//! - The folder of an object is not itself an object. A get for the last bytes of a shorter object returns all of it.
//!
//! # Limits
//!
//! - A key can't be the folder of another key (`a` and `a/b`), and has at most about 120 bytes: keys become file names.
//! - ETags of parts are not checked, and a part that is missing is a 500. Checksums of a multipart upload are ignored.
//! - The server never answers 409 or 503, and has no versions. Its listings have times in milliseconds, those of S3 in seconds.

mod conditions;
mod http;
mod locks;
mod server_dir;
mod store;

use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use server_dir::ServerDir;
use std::{
    fs,
    path::{Path, PathBuf},
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::oneshot;

/// The name of every server's bucket.
pub const BUCKET: &str = "minisnap";
const ACCESS_KEY: &str = "minisnap-tests";
const SECRET_KEY: &str = "not a secret: the server is on loopback only";

/// How the server evaluates the conditions of writes (`If-Match`, `If-None-Match: *`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conditions {
    /// Like S3: of several concurrent writers exactly one succeeds.
    Atomic,
    /// The server checks the condition, and writes the object a moment later: several writers may succeed.
    CheckThenWrite,
    /// Like stores that ignore the headers: every write succeeds.
    Ignored,
}

/// A running server with one empty bucket. Dropping it stops the server and removes its objects.
///
/// A server in a `static` is never dropped. The next server that starts, in any process, removes its objects.
#[derive(Debug)]
pub struct S3Server {
    endpoint: String,
    bucket_folder: PathBuf,
    /// The server runs until this is dropped.
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _dir: ServerDir,
}

impl S3Server {
    /// Starts a server. It accepts requests as soon as this returns.
    ///
    /// # Panics
    ///
    /// If the server can't start.
    #[must_use]
    pub fn start(conditions: Conditions) -> Self {
        Self::start_with_latency(conditions, Duration::ZERO)
    }

    /// Starts a server that delays each request by `latency`, for benchmarks of the round trips to a store.
    ///
    /// # Panics
    ///
    /// If the server can't start.
    #[must_use]
    pub fn start_with_latency(conditions: Conditions, latency: Duration) -> Self {
        let dir = ServerDir::new().unwrap_or_else(|error| panic!("no folder for the S3 server: {error}"));
        let bucket_folder = dir.store().join(BUCKET);
        fs::create_dir(&bucket_folder).unwrap_or_else(|error| panic!("no bucket for the S3 server: {error}"));
        let store = store::Store::new(dir.store(), conditions)
            .unwrap_or_else(|error| panic!("no store for the S3 server: {error:?}"));
        let mut service = S3ServiceBuilder::new(store);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let (running, stopped) = oneshot::channel();
        let (address, thread) = http::spawn(service.build(), latency, stopped)
            .unwrap_or_else(|error| panic!("the S3 server doesn't start: {error}"));
        Self {
            endpoint: format!("http://{address}"),
            bucket_folder,
            running: Some(running),
            thread: Some(thread),
            _dir: dir,
        }
    }

    /// The server's address: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The name of its bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        BUCKET
    }

    /// The URL of a prefix in its bucket: `s3://BUCKET/PREFIX`.
    #[must_use]
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}")
    }

    /// The options that a client of the crate `object_store` needs in addition to the URL.
    #[must_use]
    pub fn options(&self) -> Vec<(&'static str, String)> {
        options(&self.endpoint)
    }

    /// The folder of the bucket's objects. Each object is a file with the path of its key.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.bucket_folder
    }

    /// The folder of the parts of unfinished multipart uploads, and of the attributes of objects.
    #[must_use]
    pub fn parts_folder(&self) -> &Path {
        self.bucket_folder.parent().unwrap_or(&self.bucket_folder)
    }
}

/// The [options](S3Server::options) for a server that another process started, at this address.
#[must_use]
pub fn options(endpoint: &str) -> Vec<(&'static str, String)> {
    vec![
        ("aws_endpoint", endpoint.to_owned()),
        ("aws_access_key_id", ACCESS_KEY.to_owned()),
        ("aws_secret_access_key", SECRET_KEY.to_owned()),
        ("aws_region", "us-east-1".to_owned()),
        ("aws_allow_http", "true".to_owned()),
        ("aws_virtual_hosted_style_request", "false".to_owned()),
    ]
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            // After the thread has ended, the port is free, and the folder, which is removed next, has no writers. A panic of the
            // thread has already been printed.
            let _ = thread.join();
        }
    }
}
