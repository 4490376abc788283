//! Runs work on the runtime's blocking pool, so that disk I/O doesn't block other tasks.

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
/// If the future is dropped after its first poll, `work` runs to its end, and its result is dropped. If a cancelled call must have no
/// effect, `work` has to detect the cancellation itself.
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
}
