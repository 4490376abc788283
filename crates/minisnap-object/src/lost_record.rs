//! A commit record that is lost: missing although there are generations, or unreadable.

use crate::{
    ObjectBackend,
    record::Unreadable,
    record_store::{RecordObject, VersionedRecord},
};
use bytes::Bytes;
use minisnap_core::{Corruption, MiniSnapError, Operation, Result};

/// A record that is missing although there are generations, or that can't be parsed.
#[derive(Debug, Default)]
pub(crate) struct LostRecord {
    /// Only its tag counts: a replacement has to match it.
    pub(crate) versioned: VersionedRecord,
    /// Why it can't be parsed; `None` if it is missing.
    unreadable: Option<(Unreadable, Bytes)>,
}

impl ObjectBackend {
    /// The lost record. `None` if the record can be parsed, or if nothing was ever committed.
    pub(crate) async fn find_lost_record(&self, operation: Operation) -> Result<Option<LostRecord>> {
        let request = self.get_record(operation);
        match self.answered_within(operation, self.settings.busy_timeout, request).await? {
            RecordObject::Record(_) => Ok(None),
            RecordObject::Unreadable(newer @ Unreadable::Newer(_), ..) => Err(self.unreadable(operation, newer)),
            RecordObject::Unreadable(corrupt, tag, bytes) => {
                let versioned = VersionedRecord { tag: Some(tag), ..VersionedRecord::default() };
                Ok(Some(LostRecord { versioned, unreadable: Some((corrupt, bytes)) }))
            }
            RecordObject::Missing => match self.load_record(operation).await {
                Ok(_) => Ok(None),
                Err(MiniSnapError::Corrupt { found: Corruption::RecordMissing { .. }, .. }) => {
                    Ok(Some(LostRecord::default()))
                }
                Err(error) => Err(error),
            },
        }
    }

    /// Takes the tag of a fresh look at the lost record, if it is still the same object.
    pub(crate) async fn refresh_tag(&self, operation: Operation, lost: &mut LostRecord) -> Result<()> {
        match self.find_lost_record(operation).await? {
            Some(found) if found.unreadable == lost.unreadable => *lost = found,
            _ => {}
        }
        Ok(())
    }
}
