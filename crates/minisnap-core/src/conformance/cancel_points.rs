//! Where a case drops a future: after a number of polls, and at a fraction of the time that the call takes.

use std::{
    fmt,
    future::{Future, poll_fn},
    ops::RangeInclusive,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    task::yield_now,
    time::{Instant, sleep, sleep_until},
};

/// The last fraction of the time of a call at which it is cancelled. The time varies, so that some calls end before this.
const LAST_FRACTION: f64 = 1.3;

/// Waits of the runtime's timer may be longer by this. The rest of a wait yields.
const TIMER_PRECISION: Duration = Duration::from_millis(2);

/// A point at which a future is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum CancelPoint {
    /// Polled this often without a pause. This covers each await of a future that works in its polls.
    Polls(usize),
    /// Polled once, and dropped at this fraction of the call's time. This covers work on another thread or task.
    Unpolled(f64),
    /// Polled when it is woken, and dropped at this fraction of the call's time. This covers asynchronous clients.
    Driven(f64),
    /// Polled when it is woken until this fraction of the call's time, then not at all, and dropped when its effect is visible. The last
    /// wait depends on no time, so this covers threads that begin late.
    UnpolledUntilVisible(f64),
    /// Polled when it is woken, and dropped when its effect is visible.
    DrivenUntilVisible,
}

impl CancelPoint {
    fn fraction(self) -> Option<f64> {
        match self {
            Self::Unpolled(fraction) | Self::Driven(fraction) | Self::UnpolledUntilVisible(fraction) => Some(fraction),
            Self::Polls(_) | Self::DrivenUntilVisible => None,
        }
    }
}

/// The points of a case, in turn.
///
/// Their times are fractions of the time that the call takes: the case measures it with calls that it doesn't cancel. So the points cover
/// the call on a slow store and on a loaded machine. The first fractions are spread evenly. The others approach the moment of the effect:
/// they lie between the last point that was too early for it and the last one that was too late to cancel the call.
pub(super) struct CancelPoints {
    /// The time that the call takes, as measured last.
    duration: Duration,
    /// The smallest number of fractions for each of the two ways of polling.
    fractions: usize,
    /// Until then, there are more fractions.
    more_until: std::time::Instant,
    /// The number of points before this one, by time and by polls.
    timed: usize,
    polled: RangeInclusive<usize>,
    visible: Vec<CancelPoint>,
    too_early: f64,
    too_late: f64,
}

impl CancelPoints {
    /// At least `fractions` of the time for each of the two ways of polling, and 0 to `polls` polls.
    pub(super) fn new(fractions: usize, polls: usize) -> Self {
        Self {
            duration: Duration::ZERO,
            fractions,
            more_until: std::time::Instant::now(),
            timed: 0,
            polled: 0..=polls,
            visible: Vec::new(),
            too_early: 0.0,
            too_late: LAST_FRACTION,
        }
    }

    /// More points, for at least half a second: in a fast store, many points miss an effect that takes microseconds.
    pub(super) fn with_more_if_fast(mut self) -> Self {
        self.more_until += Duration::from_millis(500);
        self
    }

    /// Points at which the effect is visible, for [`cancel_when`](Self::cancel_when).
    pub(super) fn with_visible_effect(mut self) -> Self {
        // The work of a call may begin on another thread after some awaits, and take effect long before it ends.
        for fraction in [0.7, 0.4, 0.2, 0.1, 0.0] {
            let unpolled = CancelPoint::UnpolledUntilVisible(fraction);
            self.visible.extend([CancelPoint::DrivenUntilVisible, unpolled, unpolled]);
        }
        self
    }

    /// The next point; `None` after the last.
    pub(super) fn next(&mut self) -> Option<CancelPoint> {
        let (index, is_driven) = (self.timed / 2, self.timed % 2 == 1);
        if index < self.fractions || std::time::Instant::now() < self.more_until {
            self.timed += 1;
            let fraction = self.fraction(index);
            // Work on another thread begins late on a loaded machine, and its result stays unseen without a poll. So this waits longer.
            return Some(if is_driven { CancelPoint::Driven(fraction) } else { CancelPoint::Unpolled(1.5 * fraction) });
        }
        self.timed = 0;
        self.fractions = 0;
        self.visible.pop().or_else(|| self.polled.next().map(CancelPoint::Polls))
    }

    /// Whether to measure a call before the one that is cancelled at this point: every fourth time, since some calls are expensive.
    pub(super) fn should_measure(&self) -> bool {
        self.timed % 4 == 1
    }

    #[allow(clippy::cast_precision_loss, reason = "the numbers are small")]
    fn fraction(&self, index: usize) -> f64 {
        let even = self.fractions - self.fractions / 3;
        if index < even {
            return LAST_FRACTION * index as f64 / (even - 1).max(1) as f64;
        }
        if index >= self.fractions && index.is_multiple_of(2) {
            // Multiples of the golden ratio spread evenly.
            return LAST_FRACTION * (index as f64 * 0.618_034).fract();
        }
        let part = [0.5, 0.2, 0.8, 0.35, 0.65][index % 5];
        self.too_early + (self.too_late - self.too_early) * part
    }

    /// Awaits `call`, which isn't cancelled, and measures its time.
    pub(super) async fn measure<F: Future>(&mut self, call: F) -> F::Output {
        let since = Instant::now();
        let output = call.await;
        self.duration = since.elapsed();
        output
    }

    /// Drops `call` at `point`. Returns its output if it completed before.
    pub(super) async fn cancel<F: Future>(&mut self, call: F, point: CancelPoint) -> Option<F::Output> {
        self.cancel_when(call, point, async || true).await
    }

    /// The same for a call whose effect can be observed.
    pub(super) async fn cancel_when<F: Future>(
        &mut self,
        call: F,
        point: CancelPoint,
        is_visible: impl AsyncFn() -> bool,
    ) -> Option<F::Output> {
        let deadline = Instant::now() + self.time_of(point);
        let mut call = pin!(call);
        let limit = self.duration * 4 + Duration::from_millis(200);
        let output = match point {
            CancelPoint::Polls(polls) => poll_times(call, polls).await,
            CancelPoint::Unpolled(_) => poll_once_until(call, wait_until(deadline)).await,
            CancelPoint::UnpolledUntilVisible(_) => match poll_until(call.as_mut(), wait_until(deadline)).await {
                Some(output) => Some(output),
                None => {
                    wait_for(is_visible, limit).await;
                    None
                }
            },
            CancelPoint::Driven(_) => poll_until(call, wait_until(deadline)).await,
            CancelPoint::DrivenUntilVisible => poll_until(call, wait_for(is_visible, limit)).await,
        };
        if let (Some(_), CancelPoint::Driven(fraction)) = (&output, point) {
            self.too_late = fraction;
        }
        output
    }

    /// Notes that the call that was cancelled at `point` had no effect.
    pub(super) fn had_no_effect(&mut self, point: CancelPoint) {
        if let CancelPoint::Driven(fraction) = point {
            self.too_early = fraction;
        }
    }

    /// Waits as long as a call takes until `point`; for a task that a case aborts.
    pub(super) async fn wait(&self, point: CancelPoint) {
        match point {
            CancelPoint::Polls(polls) => {
                for _ in 0..polls {
                    yield_now().await;
                }
            }
            _ => wait_until(Instant::now() + self.time_of(point)).await,
        }
    }

    fn time_of(&self, point: CancelPoint) -> Duration {
        self.duration.mul_f64(point.fraction().unwrap_or(0.0))
    }

    /// The point, for the message of a case that fails.
    pub(super) fn describe(&self, point: CancelPoint) -> impl fmt::Display {
        format!("{point:?} of {:?}", self.duration)
    }
}

async fn poll_once<F: Future>(future: &mut Pin<&mut F>) -> Option<F::Output> {
    let polled = poll_fn(|context: &mut Context<'_>| Poll::Ready(future.as_mut().poll(context))).await;
    if let Poll::Ready(output) = polled { Some(output) } else { None }
}

/// Polls `future` once, and drops it after `end`.
async fn poll_once_until<F: Future>(mut future: Pin<&mut F>, end: impl Future<Output = ()>) -> Option<F::Output> {
    let output = poll_once(&mut future).await;
    if output.is_none() {
        end.await;
    }
    output
}

/// Polls `future` whenever it is woken, until `end`.
async fn poll_until<F: Future>(mut future: Pin<&mut F>, end: impl Future<Output = ()>) -> Option<F::Output> {
    let mut end = pin!(end);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => end.as_mut().poll(context).map(|()| None),
    })
    .await
}

async fn poll_times<F: Future>(mut future: Pin<&mut F>, polls: usize) -> Option<F::Output> {
    for _ in 0..polls {
        if let Some(output) = poll_once(&mut future).await {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

/// Waits until `is_visible`, and no longer than `limit` in real or virtual time.
async fn wait_for(is_visible: impl AsyncFn() -> bool, limit: Duration) {
    let (since, real_since) = (Instant::now(), std::time::Instant::now());
    while since.elapsed().max(real_since.elapsed()) < limit && !is_visible().await {
        std::thread::yield_now();
        yield_now().await;
    }
}

/// Waits until `deadline`, and yields at least once. More precise than the runtime's timer, which counts milliseconds.
pub(super) async fn wait_until(deadline: Instant) {
    yield_now().await;
    let remaining = deadline.saturating_duration_since(Instant::now());
    if remaining > TIMER_PRECISION {
        sleep(remaining.saturating_sub(TIMER_PRECISION)).await;
    }
    // The real time limits the yields: virtual time stands still while a task is ready.
    let since = std::time::Instant::now();
    while Instant::now() < deadline && since.elapsed() < TIMER_PRECISION {
        // On a loaded machine, the work that this waits for needs the core.
        std::thread::yield_now();
        yield_now().await;
    }
    if Instant::now() < deadline {
        sleep_until(deadline).await;
    }
}
