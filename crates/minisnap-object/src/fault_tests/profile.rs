//! What a history is like: how often what goes wrong, how slow the store is, and what the writers are up to.

use super::dice::Dice;
use std::time::Duration;

/// No virtual clock gets that far.
const NEVER: Duration = Duration::from_secs(1_000_000);

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "what may go wrong, each by itself")]
pub(super) struct Profile {
    /// How many of a thousand replacements of the record something happens to, and how many of the other requests.
    pub(super) record_faults: u64,
    pub(super) other_faults: u64,
    /// Whether processes die.
    pub(super) kills: bool,
    /// How long a request is on its way at most, in milliseconds, and how long its answer.
    pub(super) latency: u64,
    /// How many generations the record names.
    pub(super) named: Option<usize>,
    /// The record's etag is a digest of what it says, as S3's is. Otherwise it is a counter.
    pub(super) tags_are_digests: bool,
    /// Deleting what isn't there is an error.
    pub(super) missing_is_not_found: bool,
    /// A copy is there some time after the store said so.
    pub(super) copies_later: bool,
    /// How many objects a page of a listing has.
    pub(super) page: usize,
    /// Whether handles check the store's conditions.
    pub(super) probes: bool,
    pub(super) part_size: usize,
    pub(super) writers: Vec<Writer>,
    pub(super) readers: Vec<Reader>,
    pub(super) expirer: Option<Expirer>,
    /// One large and slow writer beside quick small ones; nobody sweeps, nobody dies, and nothing but replacements of the
    /// record goes wrong.
    pub(super) slow_beside_quick: bool,
    /// Somebody deletes the record by hand after so many milliseconds, and puts it back after so many.
    pub(super) loss: Option<(u64, u64)>,
}

/// Which handle a writer publishes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// The same each time: warm.
    Own,
    /// A fresh one each time.
    Fresh,
    /// A clone of one that is shared within a process.
    Shared,
}

/// Under which precondition a writer publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Always,
    Newer,
    Current,
    Mixed,
}

#[derive(Debug, Clone)]
pub(super) struct Writer {
    pub(super) publishes: u64,
    pub(super) keep: usize,
    pub(super) handle: Use,
    pub(super) style: Style,
    pub(super) grace_time: Duration,
    pub(super) busy_timeout: Duration,
    /// Of a thousand publishes, how many are large, are dropped half-way, and are preceded by a sweep.
    pub(super) large: u64,
    pub(super) dropped: u64,
    pub(super) sweeps: u64,
    /// How often it looks at what is current before it publishes.
    pub(super) looks: u64,
    /// How much slower its uploads are than what others do.
    pub(super) slowness: u64,
    /// Between publishes, at most, in milliseconds.
    pub(super) pause: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) looks: u64,
    pub(super) pause: u64,
    pub(super) fresh: bool,
}

/// Who reduces the retention without a commit.
#[derive(Debug, Clone)]
pub(super) struct Expirer {
    pub(super) times: u64,
    pub(super) retain: usize,
    /// What its handle is like.
    pub(super) handle: Writer,
}

impl Profile {
    /// Whoever expires is drawn apart, so that the histories without one stay as they are.
    pub(super) fn draw(dice: &mut Dice, apart: &mut Dice) -> Self {
        let slow_beside_quick = dice.chance(60);
        let swept = !slow_beside_quick && dice.chance(600);
        let pause = dice.pick(&[0, 5, 30, 200]);
        let busy_timeout = dice.pick(&[15, 60, 300, 2_000, 30_000, 30_000]).into_millis();
        let mut writers: Vec<_> = (0..3).map(|_| Writer::draw(dice, swept, pause, busy_timeout)).collect();
        if slow_beside_quick {
            for (place, writer) in writers.iter_mut().enumerate() {
                writer.beside(place == 0, busy_timeout);
            }
        }
        Self {
            record_faults: dice.pick(&[0, 100, 300, 500]),
            other_faults: if slow_beside_quick { 0 } else { dice.pick(&[0, 0, 30, 100, 200]) },
            kills: !slow_beside_quick && dice.chance(400),
            latency: dice.pick(&[1, 3, 10, 50]),
            named: (!slow_beside_quick && dice.chance(400)).then(|| 2 + dice.below(4) as usize),
            tags_are_digests: dice.chance(500),
            missing_is_not_found: dice.chance(300),
            copies_later: dice.chance(100),
            page: dice.pick(&[2, 5, 1000]),
            probes: dice.chance(150),
            part_size: 64,
            readers: (0..2).map(|_| Reader { looks: 3 + dice.below(4), pause, fresh: dice.chance(300) }).collect(),
            expirer: (!slow_beside_quick && apart.chance(300)).then(|| Expirer::draw(apart, &writers[0])),
            writers,
            slow_beside_quick,
            loss: (!slow_beside_quick && dice.chance(150))
                .then(|| (dice.below(600), dice.pick(&[20, 300, 3_000, 40_000]))),
        }
    }
}

impl Expirer {
    fn draw(dice: &mut Dice, like: &Writer) -> Self {
        let retain = 1 + dice.below(2) as usize;
        Self { times: 1 + dice.below(4), retain, handle: Writer { slowness: 1, ..like.clone() } }
    }
}

impl Writer {
    fn draw(dice: &mut Dice, swept: bool, pause: u64, busy_timeout: Duration) -> Self {
        let grace_time = match swept {
            true => dice.pick(&[0, 0, 20, 200]).into_millis(),
            false => NEVER,
        };
        Self {
            publishes: 2 + dice.below(5),
            keep: 1 + dice.below(4) as usize,
            handle: dice.pick(&[Use::Own, Use::Own, Use::Fresh, Use::Shared]),
            style: dice.pick(&[Style::Always, Style::Newer, Style::Current, Style::Mixed, Style::Mixed]),
            grace_time,
            busy_timeout,
            large: dice.pick(&[0, 200, 500]),
            dropped: dice.pick(&[0, 0, 200, 400]),
            sweeps: if swept { dice.pick(&[0, 300, 700]) } else { 0 },
            looks: dice.pick(&[0, 300, 700]),
            slowness: dice.pick(&[1, 1, 10]),
            pause,
        }
    }

    /// One of those of [`slow_beside_quick`](Profile::slow_beside_quick).
    fn beside(&mut self, slow: bool, busy_timeout: Duration) {
        *self = Self {
            publishes: if slow { 2 } else { 8 },
            style: Style::Always,
            grace_time: NEVER,
            busy_timeout,
            large: if slow { 1000 } else { 0 },
            dropped: 0,
            sweeps: 0,
            slowness: if slow { 100 } else { 1 },
            pause: if slow { 0 } else { 10 },
            ..self.clone()
        };
    }
}

trait IntoMillis {
    fn into_millis(self) -> Duration;
}

impl IntoMillis for u64 {
    fn into_millis(self) -> Duration {
        Duration::from_millis(self)
    }
}
