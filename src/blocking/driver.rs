//! What drives a call to its end on the calling thread.

use crate::{ErrorContext, MiniSnapError, Result};
use std::{
    fmt,
    future::{Future, ready},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
};
use tokio::runtime::{Builder, Handle, Runtime};

/// The runtime of a store and its clones, made by the first call.
#[derive(Clone, Default)]
pub(super) struct Driver(Arc<Lazy>);

#[derive(Default)]
struct Lazy(OnceLock<Runtime>);

impl Driver {
    /// Drives `call` to its end on this thread.
    pub(super) fn wait<T>(
        &self,
        at: impl FnOnce() -> ErrorContext,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let runtime = match self.runtime() {
            Ok(runtime) => runtime,
            Err(source) => return Err(MiniSnapError::Io { at: at(), action: "make a runtime", source }),
        };
        // Within a runtime, but perhaps on its blocking pool: only Tokio knows, and tells by a panic.
        let is_within_a_task =
            Handle::try_current().is_ok() && catch_unwind(AssertUnwindSafe(|| runtime.block_on(ready(())))).is_err();
        if is_within_a_task {
            return Err(MiniSnapError::Unsupported {
                at: at(),
                what: "a blocking call within a task of a Tokio runtime, which it would keep from going on".into(),
                help: Some("use minisnap::SnapStore there, or tokio::task::spawn_blocking".into()),
            });
        }
        runtime.block_on(call)
    }

    fn runtime(&self) -> io::Result<&Runtime> {
        let Lazy(runtime) = &*self.0;
        if runtime.get().is_none() {
            let made = Builder::new_current_thread().enable_all().build()?;
            if let Err(second) = runtime.set(made) {
                // Another thread was first.
                second.shutdown_background();
            }
        }
        runtime.get().ok_or_else(|| io::Error::other("the runtime is gone"))
    }
}

impl Drop for Lazy {
    fn drop(&mut self) {
        // Anything else would panic where the last clone is dropped within a task.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("is_running", &self.0.0.get().is_some()).finish()
    }
}
