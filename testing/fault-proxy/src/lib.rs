//! An HTTP proxy for tests: it injects faults between a client of an object store and its server.
//!
//! ```
//! use minisnap_fault_proxy::{Fault, FaultProxy, Plan, Rates};
//! use minisnap_s3_server::{Conditions, S3Server};
//! use object_store::{ObjectStoreExt, parse_url_opts};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = S3Server::start(Conditions::Atomic);
//! let proxy = FaultProxy::start(server.endpoint(), 7);
//! proxy.set_plan(Plan::new(Rates::evenly(&[Fault::AnswerLost], 300)));
//! let (store, prefix) =
//!     parse_url_opts(&server.url("state").parse()?, minisnap_s3_server::options(proxy.endpoint()))?;
//! let greeting = prefix.join("greeting");
//! for _ in 0..20 {
//!     store.put(&greeting, "hello".into()).await?; // The client repeats a request that gets no answer.
//! }
//! assert!(proxy.tally()["AnswerLost"] > 0);
//! # Ok(())
//! # }
//! ```
//!
//! The proxy listens on a free port of the loopback address, and has a runtime of its own. It forwards each request
//! completely, with the client's `Host`: the signature of S3 covers it. So the server must accept another host and port
//! than its own, as `minisnap-s3-server` and `SeaweedFS` do. The client needs no virtual hosts and no TLS.
//!
//! Each request has at most one [`Fault`]. A seed determines the draws, in the order in which requests arrive. That order
//! depends on real time, so a seed doesn't reproduce a run.
//!
//! The proxy logs every request that changes the store, with the server's own answer. So a test can compare the results of
//! clients with those of the server.
//!
mod error_answer;
mod faults;
mod http;
mod message;
mod rng;
mod serve;
mod shared;

pub use faults::{Assumption, Fault, Plan, Rates};
pub use rng::Rng;

use bytes::Bytes;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use shared::Shared;
use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// A request that changes the store, as the server received and answered it. A request that is repeated is logged each time.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The path and the query, percent-encoded.
    pub target: String,
    /// The header `If-Match`.
    pub if_match: Option<String>,
    /// The header `If-None-Match`.
    pub if_none_match: Option<String>,
    /// The body of the request.
    pub body: Bytes,
    /// When the proxy sent it to the server.
    pub sent: Instant,
    /// When the proxy had the server's answer. The request took effect between the two times.
    pub answered: Instant,
    /// The server's status, before any fault. `None` if the server gave no answer.
    pub status: Option<u16>,
    /// The server's header `ETag`, before any fault.
    pub tag: Option<String>,
}

/// A running proxy. Dropping it stops it.
pub struct FaultProxy {
    endpoint: String,
    shared: Arc<Shared>,
    /// The proxy runs until this is dropped.
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// Starts a proxy before the server at `upstream` (`http://HOST:PORT`). It injects no faults until
    /// [`set_plan`](Self::set_plan).
    ///
    /// # Panics
    ///
    /// If the proxy can't listen.
    #[must_use]
    pub fn start(upstream: &str, seed: u64) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let shared = Shared::new(upstream, seed, Client::builder(TokioExecutor::new()).build(connector));
        let (running, stopped) = oneshot::channel();
        let (address, thread) =
            http::spawn(shared.clone(), stopped).unwrap_or_else(|error| panic!("the proxy doesn't start: {error}"));
        Self { endpoint: format!("http://{address}"), shared, running: Some(running), thread: Some(thread) }
    }

    /// The proxy's address: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Injects the faults of `plan` from now on. [`Plan::calm`] injects none; requests that are delayed stay delayed.
    pub fn set_plan(&self, plan: Plan) {
        self.shared.state().plan = plan;
    }

    /// Forwards to another server from now on. [`exchanges`](Self::exchanges) are those with this server.
    pub fn set_upstream(&self, upstream: &str) {
        let mut state = self.shared.state();
        upstream.trim_end_matches('/').clone_into(&mut state.upstream);
        state.exchanges.clear();
    }

    /// How often each fault was injected. Errors are counted by status, too, as `ErrorApplied: 503`.
    #[must_use]
    pub fn tally(&self) -> BTreeMap<String, u64> {
        self.shared.state().tally.clone()
    }

    /// The requests that changed the store or tried to, in the order of the server's answers.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.state().exchanges.clone()
    }

    /// Waits until no request has been in flight for as long as `quiet`. Delayed and repeated requests are in flight until the
    /// server has answered them.
    pub async fn wait_until_idle(&self, quiet: Duration) {
        let mut since = Instant::now();
        while since.elapsed() < quiet {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if !self.shared.is_idle() {
                since = Instant::now();
            }
        }
    }
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has already been printed.
            let _ = thread.join();
        }
    }
}
