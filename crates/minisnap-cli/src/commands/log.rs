//! `minisnap log`: the journals of programs, by `minisnap-wal`. Each subcommand has a file.

mod begin;
mod cut;
mod failure;
mod show;

use crate::{
    args::log::{LogArgs, LogCommand, LogStoreArgs},
    exit::{Exit, Failure, Outcome},
    open_store::OpenStore,
};
use failure::{failure, failure_with_seq};
use minisnap_wal::{Inspection, Journal};
use serde_json::Value;
use std::{
    io,
    path::{self, Path},
};

pub(crate) async fn run(args: LogArgs) -> Outcome {
    // In a deleted working directory, "no journal here" would be misleading.
    path::absolute(args.file()).map_err(|error| unresolved(args.file(), &error))?;
    match args.command {
        LogCommand::Show(args) => show::run(args).await,
        LogCommand::Cut(args) => cut::run(args).await,
        LogCommand::Begin(args) => begin::run(args).await,
    }
}

fn unresolved(file: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::LocalFile, format!("cannot resolve {} against the working directory", file.display()))
        .with_cause(error)
        .with_help("change to an existing folder (`cd /`), and give the journal's absolute path")
}

/// Inspects a journal of any record type. If it is missing, the current snapshot of `store` decides after which number the
/// help begins a new one.
async fn inspect(file: &Path, store: Option<&OpenStore>) -> Outcome<Inspection> {
    match read(file).await {
        Ok(found) => Ok(found),
        Err(error) => {
            let seq = match store {
                Some(store) => {
                    store.current_if_any().await.ok().map(|current| current.map_or(0, |current| current.seq()))
                }
                None => None,
            };
            Err(failure_with_seq(error, file, seq))
        }
    }
}

/// Inspects a journal whose records are any JSON.
async fn read(file: &Path) -> minisnap_wal::Result<Inspection> {
    Journal::<Value>::inspect(file).await
}

/// Opens a journal to cut it. Its records are moved unchanged, and not parsed.
async fn open(file: &Path) -> Outcome<Journal<Value>> {
    Journal::open(file).await.map_err(|error| failure(error, file))
}

/// Opens the store of `--store`, if given.
fn open_store(args: &LogStoreArgs) -> Outcome<Option<OpenStore>> {
    args.store.as_ref().map(|store| OpenStore::open(store, &args.options)).transpose()
}

/// `records 8 to 20`.
fn records(first: u64, last: u64) -> String {
    if first == last { format!("record {first}") } else { format!("records {first} to {last}") }
}

/// `records 8 to 20 are missing`.
fn missing(first: u64, last: u64) -> String {
    format!("{} {} missing", records(first, last), if first == last { "is" } else { "are" })
}

/// `12 bytes of an incomplete append`, if there are any.
fn incomplete_append(bytes: u64) -> Option<String> {
    (bytes > 0).then(|| format!("{} of an incomplete append, which was never acknowledged", byte_count(bytes)))
}

fn byte_count(bytes: u64) -> String {
    if bytes == 1 { "1 byte".into() } else { format!("{bytes} bytes") }
}

/// The records of a journal, and the next number.
fn describe_records(count: u64, last: u64) -> String {
    let records = match count.checked_sub(1) {
        None => "no record".into(),
        Some(others) => self::records(last - others, last),
    };
    let next = last.checked_add(1).map_or_else(String::new, |next| format!("; the next one is {next}"));
    format!("{records}{next}")
}
