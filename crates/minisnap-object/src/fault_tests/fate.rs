//! What becomes of a request: when it reaches the store, how often, and what its sender is told.

use super::{
    faulty_store::{Client, Request},
    world::{Book, World},
};
use object_store::{Error, Result, path::Path};
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;

pub(super) struct Fate {
    pub(super) number: u64,
    pub(super) what: &'static str,
    trip: Trip,
    /// What the sender is told instead of that answer, and after how many milliseconds.
    pub(super) instead: Option<(Said, u64)>,
    pub(super) dies: Option<Dies>,
}

/// How a request gets to the store, in milliseconds.
#[derive(Debug, Clone)]
pub(super) struct Trip {
    number: u64,
    /// After how long each it reaches the store, one after the other.
    arrives: Vec<u64>,
    /// How long the answer to the last of them is on its way.
    returns: u64,
    /// After how long it reaches the store once more, when it was answered.
    echo: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dies {
    /// Before the request is sent.
    Before,
    After,
}

/// What a sender is told in place of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said {
    Status(u16),
    /// 409: a request at the same time was in the way. In the two forms it is passed on.
    Conflict,
    ConflictAsExists,
    TimedOut,
    /// 403: whoever sent it may not do that, just now.
    Forbidden,
    /// By the client, which knows of no such request, not by a status.
    NotImplemented,
}

impl Said {
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

impl Client {
    /// Draws what becomes of a request.
    pub(super) fn fate(&self, request: &Request<'_>) -> Fate {
        let profile = &self.world.profile;
        let of_record = *request.path == self.world.layout.current();
        let book = &mut *self.world.book();
        book.requests += 1;
        let slowness = if request.of_json { self.slowness } else { 1 };
        let number = book.requests;
        let (there, back) = (leg(book, profile.latency) * slowness, leg(book, profile.latency));
        let mut fate = Fate {
            number,
            what: "as it should",
            trip: Trip { number, arrives: vec![there], returns: back, echo: None },
            instead: None,
            dies: None,
        };
        let often = match of_record && request.verb == "PUT" {
            true => profile.record_faults,
            false => profile.other_faults,
        };
        // Even when all is calm, requests are slow.
        if !book.calm && book.dice.chance(often) {
            fate.go_wrong(request, profile.latency, book);
        }
        if !book.calm && book.deaths > 0 && book.dice.chance(if of_record { 30 } else { 5 }) {
            book.deaths -= 1;
            fate.dies = Some(book.dice.pick(&[Dies::Before, Dies::After]));
            *book.tally.entry("fault: process killed").or_default() += 1;
        }
        fate
    }
}

impl Fate {
    pub(super) fn trip(&self) -> Trip {
        self.trip.clone()
    }

    fn go_wrong(&mut self, request: &Request<'_>, latency: u64, book: &mut Book) {
        let dice = &mut book.dice;
        let status = Said::Status(dice.pick(&[429, 500, 503]));
        let conflict = dice.pick(&[Said::Conflict, Said::ConflictAsExists]);
        let not_implemented = dice.pick(&[Said::NotImplemented, Said::Status(405), Said::Status(501)]);
        let trip = &mut self.trip;
        let soon = trip.arrives[0] + trip.returns;
        let late = soon + dice.pick(&[latency, 40, 400, 4_000, 20_000]);
        let faults = match request.verb {
            _ if request.conditional => 10,
            "DELETE" => 8,
            _ => 7,
        };
        (self.what, self.instead) = match dice.below(faults) {
            0 => {
                trip.arrives.clear();
                ("fault: an error, not applied", Some((status, soon)))
            }
            1 => ("fault: applied, an error", Some((status, soon))),
            2 => {
                trip.arrives = vec![late];
                ("fault: an error, applied later", Some((Said::TimedOut, soon)))
            }
            3 => {
                trip.arrives.push(dice.below(latency * 4 + 1));
                ("fault: sent twice", None)
            }
            4 => {
                trip.returns = late;
                ("fault: a slow answer", None)
            }
            5 => {
                trip.echo = Some(late);
                ("fault: sent again, late", None)
            }
            6 => {
                trip.arrives.clear();
                ("fault: 403, not applied", Some((Said::Forbidden, soon)))
            }
            7 => {
                trip.arrives.clear();
                ("fault: not implemented, not applied", Some((not_implemented, soon)))
            }
            8 => {
                trip.arrives.clear();
                ("fault: 409, not applied", Some((conflict, soon)))
            }
            _ => {
                trip.arrives = vec![late];
                ("fault: 409, applied later", Some((conflict, soon)))
            }
        };
        *book.tally.entry(self.what).or_default() += 1;
    }
}

/// How long a request or its answer is on its way. Some are stragglers, so that others overtake them.
fn leg(book: &mut Book, latency: u64) -> u64 {
    let stretched = if book.dice.chance(40) { latency * 10 } else { latency };
    book.dice.below(stretched + 1)
}

/// Takes a request to the store, and its answer back, if there is still somebody who waits for it.
pub(super) async fn carry<T>(
    world: Arc<World>,
    trip: Trip,
    mut apply: impl FnMut() -> Result<T>,
    answer: oneshot::Sender<Result<T>>,
) {
    let mut arrive = || {
        let result = apply();
        world.note(|| match &result {
            Ok(_) => format!("the store does #{}", trip.number),
            Err(error) => format!("the store refuses #{}: {error}", trip.number),
        });
        result
    };
    let mut last = None;
    for after in trip.arrives {
        delay(after).await;
        last = Some(arrive());
    }
    delay(trip.returns).await;
    if let Some(last) = last {
        // Its sender may have gone.
        let _ = answer.send(last);
    }
    if let Some(after) = trip.echo {
        delay(after).await;
        let _ = arrive();
    }
}

pub(super) async fn delay(milliseconds: u64) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

impl World {
    /// Whether the body of an answer breaks off.
    pub(super) fn cuts(&self) -> bool {
        let mut book = self.book();
        let often = self.profile.other_faults / 4;
        let cuts = !book.calm && book.dice.chance(often);
        if cuts {
            *book.tally.entry("fault: an answer cut short").or_default() += 1;
        }
        cuts
    }
}
