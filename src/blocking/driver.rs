//! Runs a future to its end on the calling thread.

use crate::{ErrorContext, MiniSnapError, Result};
use std::{
    fmt,
    future::{Future, ready},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
};
use tokio::runtime::{Builder, Handle, Runtime};

/// The runtime of a store and its clones, created by the first call.
#[derive(Clone, Default)]
pub(super) struct Driver(Arc<LazyRuntime>);

#[derive(Default)]
struct LazyRuntime(OnceLock<Runtime>);

impl Driver {
    /// Runs `call` to its end on this thread.
    pub(super) fn wait<T>(
        &self,
        at: impl FnOnce() -> ErrorContext,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let runtime = match self.runtime() {
            Ok(runtime) => runtime,
            Err(source) => return Err(MiniSnapError::Io { at: at(), action: "create a runtime", source }),
        };
        // A thread of a runtime's blocking pool may block, a task must not. Tokio panics in a task, and has no other way to ask.
        let is_in_task =
            Handle::try_current().is_ok() && catch_unwind(AssertUnwindSafe(|| runtime.block_on(ready(())))).is_err();
        if is_in_task {
            return Err(MiniSnapError::Unsupported {
                at: at(),
                what: "a blocking call in a task of a Tokio runtime, which would block the runtime".into(),
                help: Some("use `minisnap::SnapStore` there, or `tokio::task::spawn_blocking`".into()),
            });
        }
        runtime.block_on(call)
    }

    fn runtime(&self) -> io::Result<&Runtime> {
        let LazyRuntime(runtime) = &*self.0;
        if runtime.get().is_none() {
            let created = Builder::new_current_thread().enable_all().build()?;
            if let Err(unused) = runtime.set(created) {
                // Another thread created the runtime first.
                unused.shutdown_background();
            }
        }
        runtime.get().ok_or_else(|| io::Error::other("the runtime is missing"))
    }
}

impl Drop for LazyRuntime {
    fn drop(&mut self) {
        // Any other shutdown panics if the last clone is dropped in a task.
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
