//! The profile of a history over HTTP: the faults of the proxy, and what its clients do.

use crate::fault_tests::profile::PreconditionChoice;
use minisnap_fault_proxy::{Fault, Plan, Rates, Rng};
use std::time::Duration;

/// The client's time-out for a request. Answers are late by less or by more.
const TIMEOUT: Duration = Duration::from_millis(400);
const LATE: Duration = Duration::from_millis(100);
const TOO_LATE: Duration = Duration::from_millis(550);

/// Which faults a history has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Faults behind which a store keeps S1 to S4.
    Keeping,
    /// The same, and answers with tags that no object has.
    Tags,
    /// The same, and stale reads, which break S2.
    StaleReads,
    /// Only this fault. It must be detected.
    Planted(Fault),
}

impl Class {
    /// Two of four histories keep all assumptions; one has wrong tags, one has stale reads.
    pub(super) fn of_seed(seed: u64) -> Self {
        match seed % 4 {
            0 | 2 => Self::Keeping,
            1 => Self::Tags,
            _ => Self::StaleReads,
        }
    }

    /// Whether a read returns the latest write that was acknowledged before.
    pub(super) fn reads_are_fresh(self) -> bool {
        !matches!(self, Self::StaleReads | Self::Planted(Fault::StaleRead | Fault::TagOfLaterVersion))
    }

    fn faults(self) -> Vec<Fault> {
        let keeping = |fault: &Fault| fault.broken_assumption().is_none() && !fault.is_of_tag();
        let extra = match self {
            Self::Keeping => Vec::new(),
            // Several times, so that they aren't rare among the others.
            Self::Tags => [Fault::WeakTag, Fault::WrongTag, Fault::NoTag].repeat(2),
            Self::StaleReads => vec![Fault::StaleRead; 8],
            Self::Planted(fault) => return vec![fault],
        };
        Fault::ALL.into_iter().filter(keeping).chain(extra).collect()
    }
}

#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) class: Class,
    pub(super) plan: Plan,
    /// Whether the proxy injects faults while the handles check the store's conditions.
    pub(super) faults_in_check: bool,
    pub(super) writers: Vec<Writer>,
    pub(super) readers: Vec<Reader>,
    pub(super) expirer: Option<Expirer>,
}

#[derive(Debug, Clone)]
pub(super) struct Writer {
    pub(super) commits: u64,
    pub(super) retain: usize,
    pub(super) precondition: PreconditionChoice,
    pub(super) client: ClientOptions,
    /// How many of a thousand commits are large: uploaded in parts.
    pub(super) large: u64,
    /// How many of a thousand commits are cancelled.
    pub(super) cancelled: u64,
    /// How many of a thousand commits follow on a garbage collection.
    pub(super) collections: u64,
    /// How many of a thousand commits follow on a read of the current generation.
    pub(super) reads: u64,
    /// How many of a thousand commits are made with a fresh handle.
    pub(super) fresh: u64,
    /// The maximum pause between commits.
    pub(super) pause: Duration,
    /// When its process is killed.
    pub(super) killed_after: Option<Duration>,
}

/// The options of a handle.
#[derive(Debug, Clone)]
pub(super) struct ClientOptions {
    /// The limit for one request.
    pub(super) timeout: Duration,
    pub(super) max_retries: u64,
    pub(super) busy_timeout: Duration,
    pub(super) grace_time: Duration,
    pub(super) bulk_delete: bool,
    pub(super) part_size: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) reads: u64,
    pub(super) client: ClientOptions,
    pub(super) pause: Duration,
}

#[derive(Debug, Clone)]
pub(super) struct Expirer {
    pub(super) times: u64,
    pub(super) retain: usize,
    pub(super) client: ClientOptions,
}

impl Profile {
    /// Draws a profile. `part_size` is the least that the server accepts.
    pub(super) fn draw(rng: &mut Rng, class: Class, part_size: usize) -> Self {
        let faults = class.faults();
        let planted = matches!(class, Class::Planted(_));
        let of_record = if planted { 400 } else { rng.pick(&[0, 150, 300, 450]) };
        let of_others = if planted { 0 } else { rng.pick(&[0, 40, 100]) };
        let mut plan = Plan::new(Rates::evenly(&faults, of_others));
        plan.special = Some(("/snapshots/current".to_owned(), Rates::evenly(&faults, of_record)));
        (plan.late, plan.too_late) = (LATE, TOO_LATE);
        // By a stale record, `collect_garbage` and `expire` may delete what they must not: `docs/object-store.md`.
        let maintains = class.reads_are_fresh() && rng.chance(600);
        let collects = rng.chance(600);
        let client = |rng: &mut Rng| ClientOptions::draw(rng, collects, part_size);
        Self {
            class,
            plan,
            faults_in_check: !planted && rng.chance(250),
            writers: (0..3)
                .map(|_| {
                    let client = client(rng);
                    Writer::draw(rng, client, collects && maintains, planted)
                })
                .collect(),
            readers: (0..2)
                .map(|_| Reader { reads: 4 + rng.below(4), client: client(rng), pause: Duration::from_millis(60) })
                .collect(),
            expirer: (maintains && rng.chance(500)).then(|| Expirer {
                times: 1 + rng.below(3),
                retain: 1 + rng.below(2) as usize,
                client: client(rng),
            }),
        }
    }
}

impl Writer {
    fn draw(rng: &mut Rng, client: ClientOptions, collects: bool, planted: bool) -> Self {
        Self {
            commits: 3 + rng.below(3),
            retain: 1 + rng.below(4) as usize,
            precondition: rng.pick(&[
                PreconditionChoice::Always,
                PreconditionChoice::Newer,
                PreconditionChoice::Current,
                PreconditionChoice::Mixed,
            ]),
            client,
            large: rng.pick(&[0, 200, 500]),
            cancelled: if planted { 0 } else { rng.pick(&[0, 0, 200, 400]) },
            collections: if collects { rng.pick(&[0, 300]) } else { 0 },
            reads: rng.pick(&[0, 300, 700]),
            fresh: rng.pick(&[0, 0, 100]),
            pause: Duration::from_millis(rng.pick(&[0, 5, 30])),
            killed_after: (!planted && rng.chance(150)).then(|| Duration::from_millis(rng.below(800))),
        }
    }
}

impl ClientOptions {
    fn draw(rng: &mut Rng, collects: bool, part_size: usize) -> Self {
        Self {
            timeout: TIMEOUT,
            max_retries: rng.pick(&[0, 1, 3]),
            busy_timeout: Duration::from_millis(rng.pick(&[200, 1_000, 3_000])),
            // Commits delete orphans of this age. Those of running writers look the same.
            grace_time: match collects {
                true => Duration::from_millis(rng.pick(&[0, 0, 50])),
                false => Duration::from_secs(3600),
            },
            bulk_delete: rng.chance(500),
            part_size,
        }
    }

    /// Options with which every operation succeeds if no fault is injected, even on a busy machine.
    pub(super) fn patient(&self) -> Self {
        let (timeout, busy_timeout) = (Duration::from_secs(20), Duration::from_secs(30));
        Self { timeout, busy_timeout, max_retries: 3, ..self.clone() }
    }

    /// The options as texts, for `ObjectBackend::open`.
    pub(super) fn to_options(&self) -> Vec<(&'static str, String)> {
        let seconds = |duration: Duration| duration.as_secs_f64().to_string();
        vec![
            ("timeout", format!("{}ms", self.timeout.as_millis())),
            ("connect_timeout", format!("{}ms", self.timeout.as_millis())),
            // No connection here is encrypted. Without this option, each client loads the system's certificates for TLS.
            ("allow_invalid_certificates", "true".to_owned()),
            ("max_retries", self.max_retries.to_string()),
            ("retry_timeout", "1".to_owned()),
            ("busy_timeout", seconds(self.busy_timeout)),
            ("grace_time", seconds(self.grace_time)),
            ("part_size", self.part_size.to_string()),
            ("parts_in_flight", "2".to_owned()),
            ("aws_disable_bulk_delete", (!self.bulk_delete).to_string()),
        ]
    }
}
