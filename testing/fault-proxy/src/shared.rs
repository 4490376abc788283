//! The state that the connections of a proxy share.

use crate::{
    Exchange, Fault, Plan,
    message::{Answer, CompleteRequest},
    rng::Rng,
};
use http_body_util::Full;
use hyper::{Method, StatusCode, body::Bytes, header};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::sync::watch;

/// How many older answers to a GET are remembered for stale reads.
const OLDER_ANSWERS: usize = 8;

pub(crate) struct Shared {
    state: Mutex<State>,
    client: Client<HttpConnector, Full<Bytes>>,
    /// The requests that aren't answered yet, or that will arrive again.
    in_flight: AtomicUsize,
    /// How many requests were answered.
    pub(crate) answered: watch::Sender<u64>,
}

pub(crate) struct State {
    pub(crate) rng: Rng,
    pub(crate) plan: Plan,
    pub(crate) upstream: String,
    pub(crate) tally: BTreeMap<String, u64>,
    pub(crate) exchanges: Vec<Exchange>,
    /// The different answers to each GET, oldest first.
    answers: HashMap<String, Vec<Answer>>,
}

/// While it exists, a request is in flight.
pub(crate) struct InFlight(Arc<Shared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    pub(crate) fn new(upstream: &str, seed: u64, client: Client<HttpConnector, Full<Bytes>>) -> Arc<Self> {
        let state = State {
            rng: Rng::new(seed),
            plan: Plan::calm(),
            upstream: upstream.trim_end_matches('/').to_owned(),
            tally: BTreeMap::new(),
            exchanges: Vec::new(),
            answers: HashMap::new(),
        };
        let (answered, _) = watch::channel(0);
        Arc::new(Self { state: Mutex::new(state), client, in_flight: AtomicUsize::new(0), answered })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        InFlight(self.clone())
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::SeqCst) == 0
    }

    /// Draws whether a request has a fault.
    pub(crate) fn draw_fault(&self, request: &CompleteRequest) -> Option<Fault> {
        let mut state = self.state();
        let drawn = state.rng.below(1000);
        state.plan.rates_for(request.uri.path()).select(drawn)
    }

    /// Counts an injected fault.
    pub(crate) fn count(&self, name: impl Into<String>) {
        *self.state().tally.entry(name.into()).or_default() += 1;
    }

    /// Sends a request to the server. Logs it, unless it only reads. If the server gives no answer, that is 502.
    pub(crate) async fn forward(&self, request: &CompleteRequest) -> Answer {
        let endpoint = self.state().upstream.clone();
        let sent = Instant::now();
        let received = match request.for_server(&endpoint) {
            Ok(request) => match self.client.request(request).await {
                Ok(answer) => Answer::receive(answer).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            },
            Err(invalid) => Err(invalid.to_string()),
        };
        if ![Method::GET, Method::HEAD].contains(&request.method) {
            let answer = received.as_ref().ok();
            let exchange = Exchange {
                method: request.method.to_string(),
                target: request.target(),
                if_match: request.header(header::IF_MATCH),
                if_none_match: request.header(header::IF_NONE_MATCH),
                body: request.body.clone(),
                sent,
                answered: Instant::now(),
                status: answer.map(|answer| answer.status.as_u16()),
                tag: answer.and_then(Answer::tag),
            };
            self.state().exchanges.push(exchange);
        }
        received.unwrap_or_else(|error| {
            self.count("the server gave no answer");
            Answer::new(StatusCode::BAD_GATEWAY, hyper::HeaderMap::new(), error.into())
        })
    }

    /// An older answer than `current` to the same GET, with another tag. Remembers `current`.
    pub(crate) fn older_answer(&self, request: &CompleteRequest, current: &Answer) -> Option<Answer> {
        if request.method != Method::GET || !current.status.is_success() || request.uri.query().is_some() {
            return None;
        }
        let mut state = self.state();
        let range = request.header(header::RANGE).unwrap_or_default();
        let answers = state.answers.entry(format!("{} {range}", request.target())).or_default();
        let older: Vec<_> = answers.iter().filter(|answer| answer.tag() != current.tag()).cloned().collect();
        if older.len() == answers.len() {
            answers.push(current.clone());
            let surplus = answers.len().saturating_sub(OLDER_ANSWERS);
            answers.drain(..surplus);
        }
        let drawn = state.rng.below(older.len().max(1) as u64);
        older.into_iter().nth(usize::try_from(drawn).unwrap_or_default())
    }
}
