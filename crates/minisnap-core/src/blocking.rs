//! Runs work on the runtime's blocking pool, so that disk I/O doesn't block other tasks.

use crate::{Caller, CallerWatch};
use std::{
    any::Any,
    io,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{runtime::Handle, task::JoinHandle};

/// Runs `work` on the blocking pool of the current Tokio runtime, and returns its result. For backends.
///
/// # Errors
///
/// There is no runtime, it is shutting down, or the system can't start a thread for its pool (`RLIMIT_NPROC`, a container's limit).
/// After an error `work` was dropped without a call.
///
/// If no thread can be started, Tokio panics, and this function catches the panic. The panic hook is called, and a program that is
/// built with `panic = "abort"` ends.
///
/// # Panics
///
/// Panics if `work` panics, with the same payload.
///
/// # Cancel safety
///
/// If the future is dropped after its first poll, `work` runs to its end, and its result is dropped. Only a runtime that shuts down
/// before `work` begins drops it without a call. If a cancelled call must have no effect, use [`run_blocking_cancellable`].
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let sum = minisnap_core::run_blocking(|| (1..=100).sum::<u64>()).await?;
/// assert_eq!(sum, 5050);
/// # Ok(()) }
/// ```
pub async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let runtime = Handle::try_current().map_err(io::Error::other)?;
    match start(&runtime, work)?.await {
        Ok(done) => done.ok_or_else(|| io::Error::other("the work was dropped before it began")),
        Err(error) => match error.try_into_panic() {
            Ok(payload) => panic::resume_unwind(payload),
            // A task can be cancelled only before it begins.
            Err(error) => Err(io::Error::other(error)),
        },
    }
}

/// Runs `work` like [`run_blocking`]. By its [`CallerWatch`], `work` detects that the future was dropped. For commits and other calls
/// that change what readers see.
///
/// A backend does all of its commit in one call. Under the lock or inside the transaction, it [checks](CallerWatch::check) for the
/// cancellation, as the last step before the effect. [`CallerWatch`] lists the steps, and the reasons.
///
/// # Errors
///
/// The errors of [`run_blocking`]. After an error `work` was dropped without a call.
///
/// # Panics
///
/// Panics if `work` panics, with the same payload.
///
/// # Cancel safety
///
/// If the future is dropped before its first poll, `work` is dropped without a call. Later, `work` runs to its end, and
/// [`is_cancelled`](CallerWatch::is_cancelled) is `true` in it from the drop on. Its result is dropped.
///
/// # Examples
///
/// A commit to a medium whose writers are serialized by a lock:
///
/// ```
/// use minisnap_core::{ErrorContext, Generation, MiniSnapError, Operation, Precondition, Result, run_blocking_cancellable};
/// use std::sync::{Arc, Mutex, PoisonError};
///
/// async fn commit(record: Arc<Mutex<Option<Generation>>>, new: Generation, condition: Precondition) -> Result<()> {
///     let at = ErrorContext::new(Operation::Commit, "app.db");
///     let pool_failed = ErrorContext::clone(&at);
///     let done = run_blocking_cancellable(move |caller| {
///         let mut current = record.lock().unwrap_or_else(PoisonError::into_inner);
///         condition.evaluate(new.seq(), current.as_ref(), &at)?;
///         caller.check(|| at.clone())?; // the last step before the effect, under the lock
///         *current = Some(new);
///         Ok(())
///     });
///     let no_thread = |source| MiniSnapError::Io { at: pool_failed, action: "run on the blocking pool", source };
///     done.await.map_err(no_thread)?
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let record = Arc::default();
/// # commit(Arc::clone(&record), Generation::new("10-k7", 10), Precondition::IfNewer).await?;
/// # assert!(commit(Arc::clone(&record), Generation::new("10-k8", 10), Precondition::IfNewer).await.is_err());
/// # assert_eq!(record.lock().expect("not poisoned").as_ref().map(Generation::name), Some("10-k7"));
/// # Ok(()) }
/// ```
pub async fn run_blocking_cancellable<T: Send + 'static>(
    work: impl FnOnce(&CallerWatch) -> T + Send + 'static,
) -> io::Result<T> {
    // Dropped with this future.
    let caller = Caller::new();
    let watch = caller.watch();
    let done = run_blocking(move || work(&watch)).await;
    drop(caller);
    done
}

fn start<T: Send + 'static>(
    runtime: &Handle,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<Option<T>>> {
    let work = Arc::new(Mutex::new(Some(work)));
    let shared_work = Arc::clone(&work);
    // The events of `work` belong to the span of the caller.
    #[cfg(feature = "tracing")]
    let span = tracing::Span::current();
    let begin = move || {
        #[cfg(feature = "tracing")]
        let _entered = span.enter();
        take(&shared_work).map(|work| work())
    };
    panic::catch_unwind(AssertUnwindSafe(|| runtime.spawn_blocking(begin))).map_err(|payload| {
        // Tokio leaves the work in its queue, and a later thread would run it after this error. So this drops the work.
        drop(take(&work));
        io::Error::other(message_of(&*payload))
    })
}

fn take<W>(work: &Mutex<Option<W>>) -> Option<W> {
    work.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("the blocking pool refused the work").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::{Future, poll_fn},
        sync::mpsc,
        task::Poll,
    };
    use tokio::runtime::Builder;

    /// A runtime whose pool can't start a thread.
    fn runtime_without_threads() -> tokio::runtime::Runtime {
        let mut builder = Builder::new_current_thread();
        builder.thread_name_fn(|| panic!("no thread")).build().expect("a runtime")
    }

    #[test]
    fn work_is_dropped_when_no_thread_starts() {
        let runtime = runtime_without_threads();
        let mark = Arc::new(());
        let clone = Arc::clone(&mark);
        let error = runtime.block_on(run_blocking(move || drop(clone))).expect_err("no thread");
        assert_eq!(error.to_string(), "no thread");
        assert_eq!(Arc::strong_count(&mark), 1, "the work was dropped");
    }

    #[test]
    fn work_runs_and_its_panic_is_passed_on() {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        assert_eq!(runtime.block_on(run_blocking(|| 1)).expect("a thread"), 1);
        let panicked =
            panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(run_blocking(|| panic!("on purpose")))));
        assert_eq!(message_of(&*panicked.expect_err("it panicked")), "on purpose");
    }
    #[test]
    fn cancellable_work_sees_no_cancellation_of_an_awaited_call() {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let seen = runtime.block_on(run_blocking_cancellable(|caller| caller.is_cancelled())).expect("a thread");
        assert!(!seen, "the caller awaits the result");
    }

    #[test]
    fn cancellable_work_detects_that_its_future_was_dropped() {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (notify_begun, begun) = mpsc::channel();
        let (notify_dropped, dropped) = mpsc::channel();
        let (send_seen, seen) = mpsc::channel();
        runtime.block_on(async {
            let mut future = Box::pin(run_blocking_cancellable(move |caller| {
                let before = caller.is_cancelled();
                notify_begun.send(()).expect("the test waits");
                dropped.recv().expect("the test sends");
                send_seen.send([before, caller.is_cancelled()]).expect("the test waits");
            }));
            let first_poll = poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending()));
            assert!(first_poll.await, "the work waits");
            begun.recv().expect("the work begins");
            drop(future);
        });
        notify_dropped.send(()).expect("the work waits");
        assert_eq!(seen.recv().expect("the work runs to its end"), [false, true]);
    }

    #[test]
    fn cancellable_work_is_dropped_when_its_future_is_never_polled() {
        let mark = Arc::new(());
        let clone = Arc::clone(&mark);
        drop(run_blocking_cancellable(move |_| drop(clone)));
        assert_eq!(Arc::strong_count(&mark), 1);
    }
}
