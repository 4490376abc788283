//! Runs blocking work on the runtime's blocking pool, and completes its errors.

use crate::{
    caller::{Caller, CallerWatch},
    intact,
    store_dir::StoreDir,
};
use minisnap_core::{ErrorContext, MiniSnapError, Result, run_blocking};

/// Runs `work`, all of an operation in one call, on the runtime's blocking pool. If the future is dropped, `work` detects by its
/// `CallerWatch` that the caller was cancelled, and its result is dropped.
///
/// Adds to each error which operation failed, and to `Corrupt` which generations are intact.
pub(crate) async fn blocking<T: Send + 'static>(
    at: ErrorContext,
    store: StoreDir,
    work: impl FnOnce(&StoreDir, &CallerWatch) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (caller, operation) = (Caller::default(), at.operation());
    let watch = caller.watch();
    let done = run_blocking(move || {
        #[cfg(test)]
        let _operation = crate::crash_tests::during(operation);
        work(&store, &watch).map_err(|error| intact::add_to_error(&store, error).during(operation))
    });
    done.await.unwrap_or_else(|source| Err(MiniSnapError::Io { at, action: "run on the blocking pool", source }))
}
