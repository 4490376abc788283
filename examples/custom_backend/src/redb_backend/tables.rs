//! The tables of the database: the history, the JSON of each generation, and the expired generations.

use minisnap::{Bytes, Corruption, Digest, Generation};
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};
use std::time::{Duration, UNIX_EPOCH};

/// The retained generations in commit order, the current one last: name, seq, size of the JSON, Unix milliseconds, digest.
pub(super) const HISTORY: TableDefinition<u64, Row> = TableDefinition::new("history");
pub(super) type Row = (&'static str, u64, u64, u64, &'static str);

/// The JSON of each generation, by name. A table of its own keeps the history small.
pub(super) const JSON: TableDefinition<&str, &[u8]> = TableDefinition::new("json");

/// Expired generations whose JSON isn't deleted yet.
pub(super) const EXPIRED: TableDefinition<&str, ()> = TableDefinition::new("expired");

/// Reads the retained generations, newest first.
pub(super) fn history(rows: &impl ReadableTable<u64, Row>) -> Result<Vec<Generation>, redb::Error> {
    let generation = |row: Result<_, redb::StorageError>| {
        let (_, row): (_, redb::AccessGuard<'_, Row>) = row?;
        let (name, seq, size, millis, digest) = row.value();
        let known = Generation::new(name, seq).with_size(size).with_time(UNIX_EPOCH + Duration::from_millis(millis));
        Ok(match digest.parse() {
            Ok(digest) => known.with_digest(digest),
            Err(_) => known,
        })
    };
    rows.iter()?.rev().map(generation).collect()
}

/// Reads the JSON of a generation, and compares it with the size and the digest. The inner error is the corruption.
pub(super) fn read_checked(
    jsons: &impl ReadableTable<&'static str, &'static [u8]>,
    generation: &Generation,
) -> Result<Result<Bytes, Corruption>, redb::Error> {
    let Some(json) = jsons.get(generation.name())? else { return Ok(Err(Corruption::Missing)) };
    let json = Bytes::copy_from_slice(json.value());
    let found = match generation.digest() {
        Some(_) => Corruption::of_json(generation, json.len() as u64, Digest::of(&json)),
        None => Some(Corruption::NoDigest),
    };
    Ok(found.map_or(Ok(json), Err))
}

/// Adds a generation to the history, and stores its JSON.
pub(super) fn insert(transaction: &WriteTransaction, new: &Generation, json: &[u8]) -> Result<(), redb::Error> {
    let mut rows = transaction.open_table(HISTORY)?;
    let number = rows.last()?.map_or(0, |(number, _)| number.value() + 1);
    let since_1970 = new.time().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let digest = new.digest().map_or_else(String::new, |digest| digest.to_string());
    let millis = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX);
    rows.insert(number, (new.name(), new.seq(), json.len() as u64, millis, digest.as_str()))?;
    transaction.open_table(JSON)?.insert(new.name(), json)?;
    Ok(())
}

/// Moves all but the newest `retained` generations from the history to the expired ones.
pub(super) fn expire_beyond(transaction: &WriteTransaction, retained: usize) -> Result<(), redb::Error> {
    let (mut rows, mut expired) = (transaction.open_table(HISTORY)?, transaction.open_table(EXPIRED)?);
    while rows.len()? > retained as u64 {
        let Some((_, oldest)) = rows.pop_first()? else { break };
        expired.insert(oldest.value().0, ())?;
    }
    Ok(())
}

/// Deletes the JSON of expired generations, and returns their number.
pub(super) fn delete_expired(transaction: &WriteTransaction) -> Result<usize, redb::Error> {
    let (mut expired, mut jsons) = (transaction.open_table(EXPIRED)?, transaction.open_table(JSON)?);
    let mut removed = 0;
    while let Some((name, _)) = expired.pop_first()? {
        jsons.remove(name.value())?;
        removed += 1;
    }
    Ok(removed)
}
