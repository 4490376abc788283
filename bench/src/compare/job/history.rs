//! What a long history costs: a create of one more, a restore, and the history itself, by a handle that has created before;
//! and a create by a fresh one, as by a program that has just started. Only minisnap has a history.

use super::check;
use crate::turn::{Measured, Turn};
use minisnap::SnapStore;
use shared::{Result, figure::median_seconds, workload::Workload};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

pub const CIRCUMSTANCE: &str = "how many are retained";
pub const NAMES: [&str; 3] = ["2", "100", "1000"];
const REPEAT: usize = 21;

pub fn take<S: Workload>(turn: &Turn, folder: &Path) -> Result<Vec<Measured>> {
    let retain: usize = turn.contender.parse()?;
    let state = S::of_size(turn.bytes);
    let runtime = Builder::new_current_thread().build()?;
    let store = SnapStore::new(folder).retain(retain);
    let mut seq = 0;
    let mut create = || {
        seq += 1;
        runtime.block_on(store.create(&state, seq)).map(|committed| committed.retained().len())
    };
    while create()? < retain {}
    let creates = times(|| Ok(create().map(drop)?))?;
    let restores = times(|| check(turn, &runtime.block_on(store.restore::<S>())?.0, &state))?;
    let cold_creates = times(|| {
        seq += 1;
        let fresh = SnapStore::new(folder).retain(retain);
        Ok(runtime.block_on(fresh.create(&state, seq)).map(drop)?)
    })?;
    let histories = times(|| look_back(&runtime, &store, retain))?;
    Ok(vec![
        Measured::seconds("create", median_seconds(&creates)),
        Measured::seconds("create by a fresh handle", median_seconds(&cold_creates)),
        Measured::seconds("restore", median_seconds(&restores)),
        Measured::seconds("history", median_seconds(&histories)),
    ])
}

fn look_back(runtime: &Runtime, store: &SnapStore, retain: usize) -> Result<()> {
    match runtime.block_on(store.history())?.len() {
        found if found == retain => Ok(()),
        found => Err(format!("the history has {found} and not {retain}").into()),
    }
}

/// How long it takes, again and again, after the first.
fn times(mut act: impl FnMut() -> Result<()>) -> Result<Vec<Duration>> {
    act()?;
    let time = |_| {
        let begun = Instant::now();
        act().map(|()| begun.elapsed())
    };
    (0..REPEAT).map(time).collect()
}
