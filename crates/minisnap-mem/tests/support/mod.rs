//! Helpers of the memory backend's tests.

#![allow(clippy::unwrap_used, dead_code)]

use minisnap_core::{
    CommitOptions, Committed, ErrorContext, Generation, MiniSnapError, Operation, Precondition, Result, SnapshotBackend,
};
use minisnap_mem::MemBackend;
use std::{
    future::Future,
    num::NonZeroUsize,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// Polls a future once, and returns its output. Every future of the memory backend completes at its first poll.
#[track_caller]
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("a future of the memory backend is pending"),
    }
}

pub(crate) fn retain(generations: usize) -> NonZeroUsize {
    NonZeroUsize::new(generations).unwrap()
}

/// Stages, writes, drains and commits. Two generations are retained.
pub(crate) fn save(mem: &MemBackend, json: &str, seq: u64) -> Result<Committed> {
    save_if(mem, json, seq, Precondition::Always)
}

pub(crate) fn save_if(mem: &MemBackend, json: &str, seq: u64, precondition: Precondition) -> Result<Committed> {
    now(async {
        let mut stage = mem.stage(seq).await?;
        let at = || ErrorContext::new(Operation::Write, "missing");
        stage.write_all(json.as_bytes()).map_err(|error| MiniSnapError::from_write(error, at))?;
        stage.drain().await?;
        stage.commit(CommitOptions::new(retain(2)).with_precondition(precondition)).await
    })
}

pub(crate) fn history(mem: &MemBackend) -> Vec<Generation> {
    now(mem.history()).unwrap()
}

/// The contents of `snapshot.json` and `snapshot.seq`; `None` if the store is empty.
pub(crate) fn pair(mem: &MemBackend) -> Option<(String, String)> {
    mem.json().zip(mem.seq_text())
}

pub(crate) fn pair_of(json: &str, seq: &str) -> Option<(String, String)> {
    Some((json.to_string(), seq.to_string()))
}
