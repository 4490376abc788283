//! `minisnap log`: the journals of programs. Each command has a file; the work is done by `minisnap-wal`.

mod begin;
mod cut;
mod failure;
mod show;

use crate::{
    args::log::{LogArgs, LogCommand, LogStoreArgs},
    exit::Outcome,
    place::Place,
};
use failure::failure;
use minisnap_wal::{Inspection, Journal};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::path::Path;

pub(crate) async fn run(args: LogArgs) -> Outcome {
    match args.command {
        LogCommand::Show(args) => show::run(args).await,
        LogCommand::Cut(args) => cut::run(args).await,
        LogCommand::Begin(args) => begin::run(args).await,
    }
}

/// What a journal holds. Of whatever a program logs, this is all that can be said.
async fn inspect(file: &Path) -> Outcome<Inspection> {
    Journal::<IgnoredAny>::inspect(file).await.map_err(|error| failure(error, file))
}

/// Opens a journal to cut it. Its records are moved as they are, and not read.
async fn open(file: &Path) -> Outcome<Journal<Value>> {
    Journal::open(file).await.map_err(|error| failure(error, file))
}

/// The store to compare with, if one was given.
fn store(args: &LogStoreArgs) -> Outcome<Option<Place>> {
    args.store.as_ref().map(|store| Place::open(store, &args.options)).transpose()
}

/// `records 8 to 20`.
fn records(first: u64, last: u64) -> String {
    if first == last { format!("record {first}") } else { format!("records {first} to {last}") }
}

/// `records 8 to 20 are missing`.
fn missing(first: u64, last: u64) -> String {
    format!("{} {} missing", records(first, last), if first == last { "is" } else { "are" })
}

/// What a journal holds, and what comes next.
fn held(first: u64, last: u64) -> String {
    let held = if first > last { "no record".into() } else { records(first, last) };
    let next = last.checked_add(1).map_or_else(String::new, |next| format!("; the next one is {next}"));
    format!("{held}{next}")
}
