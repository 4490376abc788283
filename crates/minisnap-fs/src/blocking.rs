//! Runs blocking work on the runtime's blocking pool, and completes its errors.

use crate::{intact, store_dir::StoreDir};
use minisnap_core::{CallerWatch, ErrorContext, MiniSnapError, Result, run_blocking_cancellable};

/// Runs `work`, all of an operation in one call, on the runtime's blocking pool. If the future is dropped, `work` detects by its
/// `CallerWatch` that the caller was cancelled, and its result is dropped.
///
/// Adds to each error which operation failed, and to `Corrupt` which generations are intact.
pub(crate) async fn blocking<T: Send + 'static>(
    at: ErrorContext,
    store: StoreDir,
    work: impl FnOnce(&StoreDir, &CallerWatch) -> Result<T> + Send + 'static,
) -> Result<T> {
    let operation = at.operation();
    let done = run_blocking_cancellable(move |caller| {
        #[cfg(test)]
        let _operation = crate::crash_tests::during(operation);
        work(&store, caller).map_err(|error| intact::add_to_error(&store, error).during(operation))
    });
    done.await.unwrap_or_else(|source| Err(MiniSnapError::Io { at, action: "run on the blocking pool", source }))
}
