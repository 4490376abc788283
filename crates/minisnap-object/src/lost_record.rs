//! A commit record that is lost: missing although there are generations, or unreadable.

use crate::{
    ObjectBackend,
    record::Unreadable,
    record_store::{RecordObject, VersionedRecord},
};
use bytes::Bytes;
use minisnap_core::{Corruption, MiniSnapError, Operation, Result};
use std::time::Duration;

/// A record that is missing although there are generations, or that can't be parsed.
#[derive(Debug, Default)]
pub(crate) struct LostRecord {
    /// Only its tag counts: a replacement has to match it.
    pub(crate) versioned: VersionedRecord,
    /// Why it can't be parsed; `None` if it is missing.
    unreadable: Option<(Unreadable, Bytes)>,
}

impl ObjectBackend {
    /// The lost record. `None` if the record can be parsed, or if nothing was ever committed. Gives up after `limit`.
    pub(crate) async fn find_lost_record(&self, operation: Operation, limit: Duration) -> Result<Option<LostRecord>> {
        self.answered_within(operation, limit, self.look_for_loss(operation)).await
    }

    async fn look_for_loss(&self, operation: Operation) -> Result<Option<LostRecord>> {
        match self.get_record(operation).await? {
            RecordObject::Record(_) => Ok(None),
            RecordObject::Unreadable(newer @ Unreadable::Newer(_), ..) => Err(self.unreadable(operation, newer)),
            RecordObject::Unreadable(corrupt, tag, bytes) => {
                let versioned = VersionedRecord { tag: Some(tag), ..VersionedRecord::default() };
                Ok(Some(LostRecord { versioned, unreadable: Some((corrupt, bytes)) }))
            }
            RecordObject::Missing => match self.load_or_detect_loss(operation).await {
                Ok(_) => Ok(None),
                Err(MiniSnapError::Corrupt { found: Corruption::RecordMissing { .. }, .. }) => {
                    Ok(Some(LostRecord::default()))
                }
                Err(error) => Err(error),
            },
        }
    }

    /// Takes the tag of a fresh look at the lost record, if it is still the same object.
    pub(crate) async fn refresh_tag(&self, operation: Operation, lost: &mut LostRecord, limit: Duration) -> Result<()> {
        match self.find_lost_record(operation, limit).await? {
            Some(found) if found.unreadable == lost.unreadable => *lost = found,
            _ => {}
        }
        Ok(())
    }
}
