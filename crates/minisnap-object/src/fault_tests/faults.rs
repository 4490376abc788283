//! The faults of requests: when a request reaches the store, how often, and which answer its sender gets.

use super::{
    faulty_store::{FaultyStore, Request},
    simulation::{SharedState, Simulation},
};
use object_store::{Error, Result, path::Path};
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// The drawn outcome of a request.
pub(super) struct RequestOutcome {
    pub(super) number: u64,
    /// The injected fault, for the trace.
    pub(super) fault: &'static str,
    pub(super) delivery: Delivery,
    /// The error that the sender gets instead of the store's answer, and after how many milliseconds.
    pub(super) error: Option<(InjectedError, u64)>,
    pub(super) kill: Option<KillPoint>,
}

/// How a request is delivered. All times are in milliseconds.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    number: u64,
    /// The delay of each arrival at the store after the previous arrival.
    arrivals: Vec<u64>,
    /// The delay of the answer to the last arrival.
    reply_delay: u64,
    /// The delay of one more arrival after the answer.
    late_duplicate: Option<u64>,
}

/// When the sender's process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KillPoint {
    BeforeSend,
    AfterSend,
}

/// An error that a sender gets instead of the store's answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum InjectedError {
    Status(u16),
    /// 409: another request to the same object was running. Clients report it in two forms.
    Conflict,
    ConflictAsExists,
    TimedOut,
    /// 403: the sender has no permission at this moment.
    Forbidden,
    /// The client itself reports that it doesn't implement the request.
    NotImplemented,
}

impl InjectedError {
    pub(super) fn into_error(self, path: &Path) -> Error {
        let path = path.to_string();
        match self {
            Self::Status(status) => Error::Generic { store: "network", source: format!("status {status}").into() },
            Self::TimedOut => Error::Generic { store: "network", source: "timed out".into() },
            Self::Conflict => Error::Precondition { path, source: "409: a concurrent request".into() },
            Self::ConflictAsExists => Error::AlreadyExists { path, source: "409: a concurrent request".into() },
            Self::Forbidden => Error::PermissionDenied { path, source: "403: not now".into() },
            Self::NotImplemented => Error::NotImplemented { operation: "this".into(), implementer: "network".into() },
        }
    }
}

impl FaultyStore {
    /// Draws the outcome of a request.
    pub(super) fn draw_outcome(&self, request: &Request<'_>) -> RequestOutcome {
        let profile = &self.sim.profile;
        let of_record = *request.path == self.sim.layout.current();
        let state = &mut *self.sim.state();
        state.requests += 1;
        let slowness = if request.of_json { self.slowness } else { 1 };
        let number = state.requests;
        let (arrival, reply_delay) =
            (one_way_delay(state, profile.latency) * slowness, one_way_delay(state, profile.latency));
        let mut outcome = RequestOutcome {
            number,
            fault: "no fault",
            delivery: Delivery { number, arrivals: vec![arrival], reply_delay, late_duplicate: None },
            error: None,
            kill: None,
        };
        let faults_per_mille = match of_record && request.verb == "PUT" {
            true => profile.record_faults,
            false => profile.other_faults,
        };
        if !state.faults_stopped && state.rng.chance(faults_per_mille) {
            outcome.inject_fault(request, profile.latency, state);
        }
        if !state.faults_stopped && state.kills_left > 0 && state.rng.chance(if of_record { 30 } else { 5 }) {
            state.kills_left -= 1;
            outcome.kill = Some(state.rng.pick(&[KillPoint::BeforeSend, KillPoint::AfterSend]));
            *state.tally.entry("fault: process killed").or_default() += 1;
        }
        outcome
    }
}

impl RequestOutcome {
    fn inject_fault(&mut self, request: &Request<'_>, latency: u64, state: &mut SharedState) {
        let rng = &mut state.rng;
        let status = InjectedError::Status(rng.pick(&[429, 500, 503]));
        let conflict = rng.pick(&[InjectedError::Conflict, InjectedError::ConflictAsExists]);
        let not_implemented =
            rng.pick(&[InjectedError::NotImplemented, InjectedError::Status(405), InjectedError::Status(501)]);
        let delivery = &mut self.delivery;
        let soon = delivery.arrivals[0] + delivery.reply_delay;
        let late = soon + rng.pick(&[latency, 40, 400, 4_000, 20_000]);
        let faults = match request.verb {
            _ if request.conditional => 10,
            "DELETE" => 8,
            _ => 7,
        };
        (self.fault, self.error) = match rng.below(faults) {
            0 => {
                delivery.arrivals.clear();
                ("fault: error, not applied", Some((status, soon)))
            }
            1 => ("fault: error, applied", Some((status, soon))),
            2 => {
                delivery.arrivals = vec![late];
                ("fault: error, applied later", Some((InjectedError::TimedOut, soon)))
            }
            3 => {
                delivery.arrivals.push(rng.below(latency * 4 + 1));
                ("fault: sent twice", None)
            }
            4 => {
                delivery.reply_delay = late;
                ("fault: late answer", None)
            }
            5 => {
                delivery.late_duplicate = Some(late);
                ("fault: sent again after the answer", None)
            }
            6 => {
                delivery.arrivals.clear();
                ("fault: 403, not applied", Some((InjectedError::Forbidden, soon)))
            }
            7 => {
                delivery.arrivals.clear();
                ("fault: not implemented, not applied", Some((not_implemented, soon)))
            }
            8 => {
                delivery.arrivals.clear();
                ("fault: 409, not applied", Some((conflict, soon)))
            }
            _ => {
                delivery.arrivals = vec![late];
                ("fault: 409, applied later", Some((conflict, soon)))
            }
        };
        *state.tally.entry(self.fault).or_default() += 1;
    }
}

/// The delay of a request or of its answer. Some are ten times slower, so that other messages overtake them.
fn one_way_delay(state: &mut SharedState, latency: u64) -> u64 {
    let bound = if state.rng.chance(40) { latency * 10 } else { latency };
    state.rng.below(bound + 1)
}

/// Delivers a request to the store, and the answer to the sender, if it still waits.
pub(super) async fn deliver<T>(
    sim: Arc<Simulation>,
    delivery: Delivery,
    mut apply: impl FnMut() -> Result<T>,
    answer: oneshot::Sender<Result<T>>,
) {
    let mut arrive = || {
        let result = apply();
        sim.note(|| match &result {
            Ok(_) => format!("the store applies #{}", delivery.number),
            Err(error) => format!("the store refuses #{}: {error}", delivery.number),
        });
        result
    };
    let mut last = None;
    for after in delivery.arrivals {
        delay(after).await;
        last = Some(arrive());
    }
    delay(delivery.reply_delay).await;
    if let Some(last) = last {
        // The sender may no longer wait.
        let _ = answer.send(last);
    }
    if let Some(after) = delivery.late_duplicate {
        delay(after).await;
        let _ = arrive();
    }
}

pub(super) async fn delay(milliseconds: u64) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

impl Simulation {
    /// Draws whether the body of an answer is truncated.
    pub(super) fn draw_truncation(&self) -> bool {
        let mut state = self.state();
        let per_mille = self.profile.other_faults / 4;
        let truncated = !state.faults_stopped && state.rng.chance(per_mille);
        if truncated {
            *state.tally.entry("fault: truncated answer").or_default() += 1;
        }
        truncated
    }
}
