//! Getting blocking work off the runtime, and its errors out.

use crate::{
    caller::{Caller, CallerWatch},
    diagnosis,
    store_dir::StoreDir,
};
use minisnap_core::{ErrorContext, MiniSnapError, Result, run_blocking};

/// Runs `work` on the runtime's blocking pool, all of an operation in one go. If the future is dropped, the work is told
/// that its caller is gone, and its result is dropped when it comes.
///
/// Here the errors leave: they learn which operation failed, and what of the store is intact.
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
        work(&store, &watch).map_err(|error| diagnosis::complete(&store, error).during(operation))
    });
    done.await.unwrap_or_else(|source| Err(MiniSnapError::Io { at, action: "run on the blocking pool", source }))
}
