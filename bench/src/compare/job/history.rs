//! The cost of a long history: a create, a restore and `history` with a handle that has created before; and a create with a
//! new handle, as after a start. Only minisnap has a history.

use super::check;
use crate::turn::{Measured, Turn};
use minisnap::SnapStore;
use shared::{Result, figure::median_seconds, workload::Workload};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

pub const CIRCUMSTANCE: &str = "by retained generations";
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
        let new = SnapStore::new(folder).retain(retain);
        Ok(runtime.block_on(new.create(&state, seq)).map(drop)?)
    })?;
    let histories = times(|| check_history(&runtime, &store, retain))?;
    Ok(vec![
        Measured::seconds("create", median_seconds(&creates)),
        Measured::seconds("create by a new handle", median_seconds(&cold_creates)),
        Measured::seconds("restore", median_seconds(&restores)),
        Measured::seconds("history", median_seconds(&histories)),
    ])
}

fn check_history(runtime: &Runtime, store: &SnapStore, retain: usize) -> Result<()> {
    match runtime.block_on(store.history())?.len() {
        found if found == retain => Ok(()),
        found => Err(format!("the history has {found} generations instead of {retain}").into()),
    }
}

/// The times of repeated calls, without the first.
fn times(mut action: impl FnMut() -> Result<()>) -> Result<Vec<Duration>> {
    action()?;
    let time = |_| {
        let begun = Instant::now();
        action().map(|()| begun.elapsed())
    };
    (0..REPEAT).map(time).collect()
}
