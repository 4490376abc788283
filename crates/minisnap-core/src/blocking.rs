//! Work on the runtime's blocking pool: what waits for a disk, without holding up other tasks.

use std::{
    any::Any,
    io,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{runtime::Handle, task::JoinHandle};

/// Runs `work` on the blocking pool of the runtime that this is awaited in. A panic in it is passed on.
///
/// # Errors
///
/// There is no runtime, it is shutting down, or its pool has no thread and the system starts none (`RLIMIT_NPROC`, a
/// container's limit of threads). After an error, `work` has not begun and never will: it was dropped.
///
/// Where no thread can be started, Tokio reports it by a panic, which is caught here: the panic hook is called, and a program
/// that is built with `panic = "abort"` ends.
pub async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let runtime = Handle::try_current().map_err(io::Error::other)?;
    match start(&runtime, work)?.await {
        Ok(done) => done.ok_or_else(|| io::Error::other("the work was taken back")),
        Err(error) => match error.try_into_panic() {
            Ok(payload) => panic::resume_unwind(payload),
            // Only before it began.
            Err(error) => Err(io::Error::other(error)),
        },
    }
}

fn start<T: Send + 'static>(
    runtime: &Handle,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<Option<T>>> {
    let work = Arc::new(Mutex::new(Some(work)));
    let same = Arc::clone(&work);
    // An event of the work belongs to the span of its caller.
    #[cfg(feature = "tracing")]
    let span = tracing::Span::current();
    let begin = move || {
        #[cfg(feature = "tracing")]
        let _entered = span.enter();
        take(&same).map(|work| work())
    };
    panic::catch_unwind(AssertUnwindSafe(|| runtime.spawn_blocking(begin))).map_err(|payload| {
        // Tokio leaves in its queue what it has no thread for, and a later thread would begin it after this error.
        drop(take(&work));
        io::Error::other(text_of(&*payload))
    })
}

fn take<W>(work: &Mutex<Option<W>>) -> Option<W> {
    work.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("the blocking pool takes no work").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

    /// Whose pool starts no thread.
    fn runtime_without_threads() -> tokio::runtime::Runtime {
        let mut builder = Builder::new_current_thread();
        builder.thread_name_fn(|| panic!("no thread")).build().expect("a runtime")
    }

    #[test]
    fn work_is_dropped_and_an_error_when_no_thread_starts() {
        let runtime = runtime_without_threads();
        let mark = Arc::new(());
        let kept = Arc::clone(&mark);
        let error = runtime.block_on(run_blocking(move || drop(kept))).expect_err("no thread");
        assert_eq!(error.to_string(), "no thread");
        assert_eq!(Arc::strong_count(&mark), 1, "it waits in the queue");
    }

    #[test]
    fn work_runs_and_its_panic_is_passed_on() {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        assert_eq!(runtime.block_on(run_blocking(|| 1)).expect("a thread"), 1);
        let panicked =
            panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(run_blocking(|| panic!("on purpose")))));
        assert_eq!(text_of(&*panicked.expect_err("it panicked")), "on purpose");
    }
}
