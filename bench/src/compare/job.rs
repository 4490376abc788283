//! The jobs that a contender runs in its turn, each in a module of its own.

mod alone;
mod floor;
mod history;
mod loaded;
mod reader;
mod syncs;
mod writers;

use crate::{
    contender,
    turn::{Measured, Turn},
};
use serde::{Deserialize, Serialize};
use shared::{Result, figure::Unit, workload::Workload};
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Job {
    /// Creates and restores without other work.
    Alone,
    /// Creates of many threads.
    Writers,
    /// Restores with a concurrent writer.
    Reader,
    /// Many generations are retained.
    History,
    /// Creates while another process uses the processor.
    Loaded,
    /// Commits by hand, with their syncs in different orders.
    Syncs,
}

impl Job {
    pub const ALL: [Self; 6] = [Self::Alone, Self::Writers, Self::Reader, Self::History, Self::Loaded, Self::Syncs];

    pub fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Writers => "writers",
            Self::Reader => "reader",
            Self::History => "history",
            Self::Loaded => "loaded",
            Self::Syncs => "syncs",
        }
    }

    /// The special circumstance in the title of its table.
    pub fn circumstance(self) -> &'static str {
        match self {
            Self::Alone | Self::Syncs => "",
            Self::Writers => writers::CIRCUMSTANCE,
            Self::Reader => reader::CIRCUMSTANCE,
            Self::History => history::CIRCUMSTANCE,
            Self::Loaded => loaded::CIRCUMSTANCE,
        }
    }

    /// The first measured operation, whose cell has the reason if a contender can't do the job.
    pub fn operation(self) -> &'static str {
        match self {
            Self::Alone | Self::History | Self::Loaded => "create",
            Self::Writers => writers::CREATES,
            Self::Reader => "restore",
            Self::Syncs => syncs::COMMIT,
        }
    }

    pub fn unit(self) -> Unit {
        match self {
            Self::Writers => Unit::PerSecond,
            _ => Unit::Seconds,
        }
    }

    /// The contenders in the table, also those that can't do the job. The first is the base of the ratios.
    pub fn contenders(self) -> Vec<&'static str> {
        match self {
            Self::Alone => [&contender::NAMES[..], &[floor::NAME]].concat(),
            Self::Writers | Self::Reader => contender::NAMES.into(),
            Self::History => history::NAMES.into(),
            Self::Loaded => loaded::NAMES.into(),
            Self::Syncs => syncs::ORDERS.map(|(name, _)| name).into(),
        }
    }

    pub fn take<S: Workload>(self, turn: &Turn, folder: &Path) -> Result<Vec<Measured>> {
        match self {
            Self::Alone if turn.contender == floor::NAME => floor::take::<S>(turn, folder),
            Self::Alone => alone::take::<S>(turn, folder),
            Self::Writers => writers::take::<S>(turn, folder),
            Self::Reader => reader::take::<S>(turn, folder),
            Self::History => history::take::<S>(turn, folder),
            Self::Loaded => loaded::take::<S>(turn, folder),
            Self::Syncs => syncs::take::<S>(turn, folder),
        }
    }
}

/// Checks that the restored state equals the saved state.
fn check<S: PartialEq>(turn: &Turn, restored: &S, state: &S) -> Result<()> {
    if restored == state { Ok(()) } else { Err(format!("{} restored another state", turn.contender).into()) }
}
