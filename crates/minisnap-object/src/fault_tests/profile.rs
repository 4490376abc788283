//! The profile of a history: how often faults happen, how slow the store is, and what its clients do.

use minisnap_fault_proxy::Rng;
use std::time::Duration;

/// Longer than the virtual clock ever runs.
const NEVER: Duration = Duration::from_secs(1_000_000);

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent property of the store or the clients")]
pub(super) struct Profile {
    /// How many of a thousand replacements of the record have a fault.
    pub(super) record_faults: u64,
    /// How many of a thousand other requests have a fault.
    pub(super) other_faults: u64,
    /// Whether processes are killed.
    pub(super) kills: bool,
    /// The maximum delay of most requests and of their answers, in milliseconds.
    pub(super) latency: u64,
    /// How many generations the record names, if not the default.
    pub(super) min_entries: Option<usize>,
    /// Whether the record's etag is a digest of its content, as on S3. Otherwise it is a counter.
    pub(super) tags_are_digests: bool,
    /// Whether deleting a missing object is an error.
    pub(super) missing_is_not_found: bool,
    /// Whether the store answers a copy request before it copies.
    pub(super) copies_later: bool,
    /// How many objects a page of a listing has.
    pub(super) page: usize,
    /// Whether handles check the store's conditions.
    pub(super) probes: bool,
    pub(super) part_size: usize,
    pub(super) writers: Vec<Writer>,
    pub(super) readers: Vec<Reader>,
    pub(super) expirer: Option<Expirer>,
    /// Whether one writer is slow and writes large states, and the others are fast and write small ones. No garbage is collected, no
    /// process is killed, and only replacements of the record have faults.
    pub(super) slow_among_fast: bool,
    /// The start and the duration of a loss of the record, in milliseconds.
    pub(super) loss: Option<(u64, u64)>,
}

/// Which handle a writer commits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandleUse {
    /// The same handle each time, whose cache is filled.
    Own,
    /// A fresh handle each time.
    Fresh,
    /// A clone of a handle that the process shares.
    Shared,
}

/// Which precondition a writer commits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PreconditionChoice {
    Always,
    Newer,
    Current,
    Mixed,
}

#[derive(Debug, Clone)]
pub(super) struct Writer {
    pub(super) commits: u64,
    pub(super) retain: usize,
    pub(super) handle: HandleUse,
    pub(super) precondition: PreconditionChoice,
    pub(super) grace_time: Duration,
    pub(super) busy_timeout: Duration,
    /// How many of a thousand commits are large.
    pub(super) large: u64,
    /// How many of a thousand commits are cancelled.
    pub(super) cancelled: u64,
    /// How many of a thousand commits follow on a garbage collection.
    pub(super) collections: u64,
    /// How many of a thousand commits follow on a read of the current generation.
    pub(super) reads: u64,
    /// By which factor its uploads are slower than other requests.
    pub(super) slowness: u64,
    /// The maximum pause between commits, in milliseconds.
    pub(super) pause: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) reads: u64,
    /// Half of the maximum pause between reads, in milliseconds, to which the reader adds ten.
    pub(super) pause: u64,
    /// Whether it reads with a fresh handle each time.
    pub(super) fresh: bool,
}

/// A client that reduces the retention without a commit.
#[derive(Debug, Clone)]
pub(super) struct Expirer {
    pub(super) times: u64,
    pub(super) retain: usize,
    /// The settings of its handle.
    pub(super) handle: Writer,
}

impl Profile {
    /// Draws a profile. The expirer has a generator of its own, so that histories without an expirer don't depend on it.
    pub(super) fn draw(rng: &mut Rng, expirer_rng: &mut Rng) -> Self {
        let slow_among_fast = rng.chance(60);
        let collects = !slow_among_fast && rng.chance(600);
        let pause = rng.pick(&[0, 5, 30, 200]);
        let busy_timeout = Duration::from_millis(rng.pick(&[15, 60, 300, 2_000, 30_000, 30_000]));
        let mut writers: Vec<_> = (0..3).map(|_| Writer::draw(rng, collects, pause, busy_timeout)).collect();
        if slow_among_fast {
            for (index, writer) in writers.iter_mut().enumerate() {
                writer.make_slow_or_fast(index == 0, busy_timeout);
            }
        }
        Self {
            record_faults: rng.pick(&[0, 100, 300, 500]),
            other_faults: if slow_among_fast { 0 } else { rng.pick(&[0, 0, 30, 100, 200]) },
            kills: !slow_among_fast && rng.chance(400),
            latency: rng.pick(&[1, 3, 10, 50]),
            min_entries: (!slow_among_fast && rng.chance(400)).then(|| 2 + rng.below(4) as usize),
            tags_are_digests: rng.chance(500),
            missing_is_not_found: rng.chance(300),
            copies_later: rng.chance(100),
            page: rng.pick(&[2, 5, 1000]),
            probes: rng.chance(150),
            part_size: 64,
            readers: (0..2).map(|_| Reader { reads: 3 + rng.below(4), pause, fresh: rng.chance(300) }).collect(),
            expirer: (!slow_among_fast && expirer_rng.chance(300)).then(|| Expirer::draw(expirer_rng, &writers[0])),
            writers,
            slow_among_fast,
            loss: (!slow_among_fast && rng.chance(150)).then(|| (rng.below(600), rng.pick(&[20, 300, 3_000, 40_000]))),
        }
    }
}

impl Expirer {
    fn draw(rng: &mut Rng, handle: &Writer) -> Self {
        let retain = 1 + rng.below(2) as usize;
        Self { times: 1 + rng.below(4), retain, handle: Writer { slowness: 1, ..handle.clone() } }
    }
}

impl Writer {
    fn draw(rng: &mut Rng, collects: bool, pause: u64, busy_timeout: Duration) -> Self {
        let grace_time = match collects {
            true => Duration::from_millis(rng.pick(&[0, 0, 20, 200])),
            false => NEVER,
        };
        Self {
            commits: 2 + rng.below(5),
            retain: 1 + rng.below(4) as usize,
            handle: rng.pick(&[HandleUse::Own, HandleUse::Own, HandleUse::Fresh, HandleUse::Shared]),
            precondition: rng.pick(&[
                PreconditionChoice::Always,
                PreconditionChoice::Newer,
                PreconditionChoice::Current,
                PreconditionChoice::Mixed,
                PreconditionChoice::Mixed,
            ]),
            grace_time,
            busy_timeout,
            large: rng.pick(&[0, 200, 500]),
            cancelled: rng.pick(&[0, 0, 200, 400]),
            collections: if collects { rng.pick(&[0, 300, 700]) } else { 0 },
            reads: rng.pick(&[0, 300, 700]),
            slowness: rng.pick(&[1, 1, 10]),
            pause,
        }
    }

    /// Makes this a writer of [`slow_among_fast`](Profile::slow_among_fast).
    fn make_slow_or_fast(&mut self, slow: bool, busy_timeout: Duration) {
        *self = Self {
            commits: if slow { 2 } else { 8 },
            precondition: PreconditionChoice::Always,
            grace_time: NEVER,
            busy_timeout,
            large: if slow { 1000 } else { 0 },
            cancelled: 0,
            collections: 0,
            slowness: if slow { 100 } else { 1 },
            pause: if slow { 0 } else { 10 },
            ..self.clone()
        };
    }
}
