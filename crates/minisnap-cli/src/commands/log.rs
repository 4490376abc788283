//! `minisnap log`: the journals of programs. Each command has a file; the work is done by `minisnap-wal`.

mod begin;
mod cut;
mod failure;
mod show;

use crate::{
    args::log::{LogArgs, LogCommand, LogStoreArgs},
    exit::{Exit, Failure, Outcome},
    open_store::Place,
};
use failure::{failure, failure_beside};
use minisnap_wal::{Inspection, Journal};
use serde_json::Value;
use std::{
    io,
    path::{self, Path},
};

pub(crate) async fn run(args: LogArgs) -> Outcome {
    // In a working directory that is gone, "no journal here" would be no answer.
    path::absolute(args.file()).map_err(|error| unresolved(args.file(), &error))?;
    match args.command {
        LogCommand::Show(args) => show::run(args).await,
        LogCommand::Cut(args) => cut::run(args).await,
        LogCommand::Begin(args) => begin::run(args).await,
    }
}

fn unresolved(file: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::LocalFile, format!("cannot resolve {} against the working directory", file.display()))
        .cause(error)
        .advice("change to a folder that is there (`cd /`), and give the journal's absolute path")
}

/// What a journal holds. Of whatever a program logs, this is all that can be said. The store, if one is given, knows what a
/// journal that is missing has to begin after.
async fn inspect(file: &Path, store: Option<&Place>) -> Outcome<Inspection> {
    match look(file).await {
        Ok(found) => Ok(found),
        Err(error) => {
            let seq = match store {
                Some(store) => {
                    store.current_if_any().await.ok().map(|current| current.map_or(0, |current| current.seq()))
                }
                None => None,
            };
            Err(failure_beside(error, file, seq))
        }
    }
}

/// What any program that logs JSON could read.
async fn look(file: &Path) -> minisnap_wal::Result<Inspection> {
    Journal::<Value>::inspect(file).await
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

/// `12 bytes of an append that was cut short`, if there are any.
fn torn(bytes: u64) -> Option<String> {
    (bytes > 0).then(|| format!("{} of an append that was cut short and never acknowledged", byte_count(bytes)))
}

fn byte_count(bytes: u64) -> String {
    if bytes == 1 { "1 byte".into() } else { format!("{bytes} bytes") }
}

/// What a journal with so many records holds, and what comes next.
fn held(count: u64, last: u64) -> String {
    let held = match count.checked_sub(1) {
        None => "no record".into(),
        Some(others) => records(last - others, last),
    };
    let next = last.checked_add(1).map_or_else(String::new, |next| format!("; the next one is {next}"));
    format!("{held}{next}")
}
