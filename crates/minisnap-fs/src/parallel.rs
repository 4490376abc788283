//! Waiting for the disk once instead of several times: calls that wait for the same disk, made in parallel.

use minisnap_core::{Result, spawn_blocking};
use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, PoisonError, mpsc},
};
use tokio::runtime::Handle;

/// Something to be done once, on any thread.
pub(crate) type Call = Box<dyn FnOnce() -> Result<()> + Send>;

/// Makes all `calls` and returns the first error of them. To be called where it may block.
///
/// 1. Offer each call but the first to the runtime's blocking pool, whose threads are there already: to start three takes as
///    long as a third of the waiting.
/// 2. Make the first, and then each one that nobody has taken yet. So nothing hangs on a pool that is full, perhaps with
///    others who do the same, nor on one that is shutting down, nor on a runtime at all.
/// 3. Wait for those that somebody took: they are under way.
pub(crate) fn make(calls: Vec<Call>) -> Result<()> {
    let count = calls.len();
    let calls: Arc<[Mutex<Option<Call>>]> = calls.into_iter().map(|call| Mutex::new(Some(call))).collect();
    let (tell, hear) = mpsc::channel();
    // 1.
    if let Ok(runtime) = Handle::try_current() {
        for index in 1..count {
            let (calls, tell) = (Arc::clone(&calls), tell.clone());
            if spawn_blocking(&runtime, move || make_if_still_there(&calls[index], &tell)).is_err() {
                // No thread can be started: then this one makes them all.
                break;
            }
        }
    }
    // 2.
    for call in calls.iter() {
        make_if_still_there(call, &tell);
    }
    // 3. Every call is told of once, also if it panics.
    let made: Vec<_> = hear.into_iter().take(count).collect();
    made.into_iter().try_for_each(|made| made.unwrap_or_else(|payload| panic::resume_unwind(payload)))
}

fn make_if_still_there(call: &Mutex<Option<Call>>, tell: &mpsc::Sender<std::thread::Result<Result<()>>>) {
    let taken = call.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(call) = taken {
        // Nobody hears it any more only if another call panicked.
        let _ = tell.send(panic::catch_unwind(AssertUnwindSafe(call)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisnap_core::{ErrorContext, MiniSnapError, Operation};
    use std::{
        io,
        sync::{
            Barrier,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
        thread,
    };

    fn runtime(blocking_threads: usize) -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.max_blocking_threads(blocking_threads).build().expect("a runtime")
    }

    fn counting(made: &Arc<AtomicUsize>) -> Call {
        let made = Arc::clone(made);
        Box::new(move || {
            made.fetch_add(1, Relaxed);
            Ok(())
        })
    }

    #[test]
    fn calls_are_made_in_parallel() {
        let all = Arc::new(Barrier::new(4));
        let calls = (0..4).map(|_| {
            let all = Arc::clone(&all);
            Box::new(move || {
                // Nobody gets past this alone.
                all.wait();
                Ok(())
            }) as Call
        });
        let calls = calls.collect();
        let runtime = runtime(4);
        runtime.block_on(async { tokio::task::spawn_blocking(|| make(calls)).await }).expect("it ran").expect("all Ok");
    }

    #[test]
    fn each_call_is_made_once_when_no_thread_is_free() {
        let made = Arc::new(AtomicUsize::new(0));
        make((0..4).map(|_| counting(&made)).collect()).expect("all Ok");
        assert_eq!(made.swap(0, Relaxed), 4, "without a runtime");
        let runtime = runtime(2);
        runtime.block_on(async {
            let both = Arc::new(Barrier::new(2));
            let fill = |_| {
                let (made, both) = (Arc::clone(&made), Arc::clone(&both));
                tokio::task::spawn_blocking(move || {
                    both.wait();
                    make((0..4).map(|_| counting(&made)).collect())
                })
            };
            for filled in (0..2).map(fill).collect::<Vec<_>>() {
                filled.await.expect("it ran").expect("all Ok");
            }
        });
        assert_eq!(made.load(Relaxed), 8, "on a full pool");
    }

    #[test]
    fn failure_is_returned_when_all_calls_were_made() {
        let fails: fn() -> Result<()> = || {
            let at = ErrorContext::new(Operation::Commit, "a test");
            Err(MiniSnapError::Io { at, action: "sync", source: io::Error::other("no") })
        };
        for panics in [false, true] {
            for failing in 0..3 {
                let made = Arc::new(AtomicUsize::new(0));
                let mut calls: Vec<Call> = (0..2).map(|_| counting(&made)).collect();
                calls.insert(failing, if panics { Box::new(|| panic!("on purpose")) } else { Box::new(fails) });
                let result = thread::spawn(|| make(calls)).join();
                assert_eq!(made.load(Relaxed), 2);
                assert!(if panics { result.is_err() } else { result.expect("no panic").is_err() });
            }
        }
    }
}
