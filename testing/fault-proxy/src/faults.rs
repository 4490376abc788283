//! The kinds of faults, and how often each is injected.

use std::time::Duration;

/// A fault of one request. Its `Debug` is its name in the [tally](crate::FaultProxy::tally).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The connection is closed before the request is forwarded.
    RequestLost,
    /// The request is forwarded only after its client has given up.
    RequestTooLate,
    /// The server receives the request twice. The client gets the second answer.
    RequestRepeated,
    /// The server receives the request again after the client got the answer.
    RequestRepeatedLater,
    /// The request is forwarded, and the connection is closed without an answer.
    AnswerLost,
    /// The answer is late, within the client's time-out.
    AnswerLate,
    /// The answer comes after the client's time-out.
    AnswerTooLate,
    /// The connection is closed in the middle of the answer's body.
    AnswerTruncated,
    /// The answer is held back until two later requests are answered.
    AnswerReordered,
    /// The client gets an error. The request isn't forwarded.
    ErrorNotApplied,
    /// The request is forwarded, and the client gets an error instead of the answer.
    ErrorApplied,
    /// The answer has the tag `W/"…"` instead of `"…"`.
    WeakTag,
    /// The answer has a tag that no object has.
    WrongTag,
    /// The answer has no tag.
    NoTag,
    /// A GET is answered with an older answer to the same request.
    StaleRead,
    /// A GET is answered with the body of an older answer, and with the tag of the current object.
    TagOfLaterVersion,
    /// A PUT is acknowledged and not forwarded.
    FalseAcknowledgement,
}

/// The assumptions of `docs/object-store.md` about a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assumption {
    /// S2: a read that begins after a write was acknowledged returns that write or a later one.
    S2,
    /// S3: different bytes have different tags.
    S3,
    /// S4: an acknowledged write is durable.
    S4,
}

impl Fault {
    /// All kinds.
    pub const ALL: [Self; 17] = [
        Self::RequestLost,
        Self::RequestTooLate,
        Self::RequestRepeated,
        Self::RequestRepeatedLater,
        Self::AnswerLost,
        Self::AnswerLate,
        Self::AnswerTooLate,
        Self::AnswerTruncated,
        Self::AnswerReordered,
        Self::ErrorNotApplied,
        Self::ErrorApplied,
        Self::WeakTag,
        Self::WrongTag,
        Self::NoTag,
        Self::StaleRead,
        Self::TagOfLaterVersion,
        Self::FalseAcknowledgement,
    ];

    /// The assumption that a store behind this fault breaks. `None` if it keeps all of them.
    ///
    /// A tag that no object has (`WeakTag`, `WrongTag`, `NoTag`) breaks no assumption: a condition with it never holds. A
    /// writer can't replace the object until it sees the object's tag.
    #[must_use]
    pub fn broken_assumption(self) -> Option<Assumption> {
        match self {
            Self::StaleRead => Some(Assumption::S2),
            Self::TagOfLaterVersion => Some(Assumption::S3),
            Self::FalseAcknowledgement => Some(Assumption::S4),
            _ => None,
        }
    }

    /// Whether the fault changes only the tag of an answer, to one that no object has.
    #[must_use]
    pub fn is_of_tag(self) -> bool {
        matches!(self, Self::WeakTag | Self::WrongTag | Self::NoTag)
    }
}

/// How many of a thousand requests have which fault. A request has at most one.
#[derive(Debug, Clone, Default)]
pub struct Rates(Vec<(Fault, u64)>);

impl Rates {
    /// No faults.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// `per_mille` of the requests have a fault; each of `faults` is equally frequent.
    #[must_use]
    pub fn evenly(faults: &[Fault], per_mille: u64) -> Self {
        let (each, rest) = match faults.len() as u64 {
            0 => (0, 0),
            count => (per_mille / count, per_mille % count),
        };
        let share = |(index, fault): (usize, &Fault)| (*fault, each + u64::from((index as u64) < rest));
        Self(faults.iter().enumerate().map(share).collect())
    }

    /// The fault of a request for which the number `drawn`, below 1000, was drawn.
    pub(crate) fn select(&self, mut drawn: u64) -> Option<Fault> {
        for (fault, per_mille) in &self.0 {
            match drawn.checked_sub(*per_mille) {
                None => return Some(*fault),
                Some(rest) => drawn = rest,
            }
        }
        None
    }
}

/// Which requests have which faults, and how late a late answer is.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The rates for objects whose path has this end.
    pub special: Option<(String, Rates)>,
    /// The rates for all other requests.
    pub rates: Rates,
    /// The maximum delay of an answer that is late within the client's time-out.
    pub late: Duration,
    /// The delay beyond the client's time-out.
    pub too_late: Duration,
}

impl Plan {
    /// No faults.
    #[must_use]
    pub fn calm() -> Self {
        Self::new(Rates::none())
    }

    /// The same rates for all requests. Answers are late by up to 50 ms, or by 1 s.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        Self { special: None, rates, late: Duration::from_millis(50), too_late: Duration::from_secs(1) }
    }

    pub(crate) fn rates_for(&self, path: &str) -> &Rates {
        match &self.special {
            Some((end, rates)) if path.ends_with(end) => rates,
            _ => &self.rates,
        }
    }
}
