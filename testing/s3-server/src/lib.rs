//! An S3 server that tests start by themselves, in their own process and with Rust alone.
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
//! It is [`s3s_fs`] on a free port of the loopback address, over a temporary folder, on a runtime of its own: tests on many
//! runtimes can share one server in a `LazyLock`. Each request must be signed with the keys in [`S3Server::options`].
//!
//! # What it does as S3 does
//!
//! Put, get (ranges and conditions too), head, delete, bulk delete, copy, list, and multipart uploads with their copied
//! parts. What `s3s_fs` does otherwise is put right here:
//!
//! - A conditional write (put, delete, completion of a multipart upload) is atomic. [`Conditions`] says how it can be less.
//! - A get's body, ETag and size are those of one object, whatever is written or copied over it meanwhile; and conditions of
//!   a get or head are honoured.
//! - A request that has arrived whole is carried out whole, even if the client hangs up. A body on its way blocks nobody.
//! - `If-Match` on a missing object is 404, and not 412. An unknown or ended upload is 404 `NoSuchUpload`, and not 403.
//! - An aborted upload leaves no part behind, not even one that was still on its way; a deleted object leaves no file.
//! - Lists give ETags, and don't fail when an object goes while they are made.
//! - The folder of an object is not itself an object, and a get for the last bytes of a shorter object gives all of it.
//!
//! # What it does not
//!
//! - A key can't be the folder of another (`a` and `a/b`), nor be longer than 120 bytes or so: they become file names.
//! - ETags of parts are not checked, and a part that is missing is a 500. Checksums of a multipart upload are ignored.
//! - It never answers 409 or 503, has no versions, and the times in its lists have milliseconds where S3's have whole seconds.

mod locks;
mod scratch;
mod serve;
mod store;

use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use scratch::Scratch;
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

/// What conditions on a write (`If-Match`, `If-None-Match: *`) are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conditions {
    /// As S3 does it: of several racers exactly one wins.
    Atomic,
    /// The condition is checked, and a moment later the object is written: several racers may win.
    CheckThenWrite,
    /// As stores do that don't know the headers: every write is done.
    Ignored,
}

/// A running server with one empty bucket. Dropping it stops it and removes what it stored.
///
/// In a `static` it is never dropped. What it stored is then removed by the next server that starts, in whichever process.
#[derive(Debug)]
pub struct S3Server {
    endpoint: String,
    bucket_folder: PathBuf,
    /// The server runs until this is dropped.
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _scratch: Scratch,
}

impl S3Server {
    /// Starts a server, which answers as soon as this returns.
    ///
    /// # Panics
    ///
    /// If it can't, saying why: it is for tests.
    #[must_use]
    pub fn start(conditions: Conditions) -> Self {
        Self::start_with_latency(conditions, Duration::ZERO)
    }

    /// The same, but each request waits for `latency` before it is looked at, for benchmarks that are to tell what
    /// the way to a store costs.
    ///
    /// # Panics
    ///
    /// If it can't, saying why: it is for tests.
    #[must_use]
    pub fn start_with_latency(conditions: Conditions, latency: Duration) -> Self {
        let scratch = Scratch::new().unwrap_or_else(|error| panic!("no folder for the S3 server: {error}"));
        let bucket_folder = scratch.store().join(BUCKET);
        fs::create_dir(&bucket_folder).unwrap_or_else(|error| panic!("no bucket for the S3 server: {error}"));
        let store = store::Store::new(scratch.store(), conditions)
            .unwrap_or_else(|error| panic!("no store for the S3 server: {error:?}"));
        let mut service = S3ServiceBuilder::new(store);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let (running, stopped) = oneshot::channel();
        let (address, thread) = serve::spawn(service.build(), latency, stopped)
            .unwrap_or_else(|error| panic!("the S3 server doesn't start: {error}"));
        Self {
            endpoint: format!("http://{address}"),
            bucket_folder,
            running: Some(running),
            thread: Some(thread),
            _scratch: scratch,
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

    /// What a client of the crate `object_store` must be told besides the URL, by its configuration keys.
    #[must_use]
    pub fn options(&self) -> Vec<(&'static str, String)> {
        options(&self.endpoint)
    }

    /// Where the objects of the bucket are, each in the file its key names.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.bucket_folder
    }

    /// Where parts of unfinished multipart uploads are, beside what is known of objects besides their bytes.
    #[must_use]
    pub fn parts_folder(&self) -> &Path {
        self.bucket_folder.parent().unwrap_or(&self.bucket_folder)
    }
}

/// [`S3Server::options`] of a server that another process started, by its address.
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
            // Once the thread has ended, the port is free and nothing writes to the folder that goes next. A panic in it has
            // been printed.
            let _ = thread.join();
        }
    }
}
