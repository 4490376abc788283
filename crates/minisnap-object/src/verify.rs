//! Checking a whole store: every retained generation, the record, and what a collection would remove. Nothing is changed.
//!
//! 1. List, and then look at the record, in the order of a collection: what is committed in between is known to the record.
//! 2. Read each retained generation in pieces, and its `snapshot.seq`. One that expires meanwhile is left out.

use crate::{ObjectBackend, read::Wrong, record_store::is_missing_object, redact::StoreError};
use futures_util::TryStreamExt;
use minisnap_core::{
    Corruption, Generation, Operation, Problem, Result, Verification, VerifiedGeneration,
    format::{MAX_SEQ_BYTES, parse_seq},
};
use object_store::{Error, ObjectStore, ObjectStoreExt, path::Path};
use std::{collections::BTreeSet, time::Duration};

impl ObjectBackend {
    /// The steps are those of the module.
    pub(crate) async fn verify_all(&self) -> Result<Verification> {
        let mut verification = Verification::default();
        // 1.
        let (moved_aside, listing) =
            tokio::try_join!(self.moved_aside(), self.list(Operation::Verify, Duration::ZERO))?;
        verification.moved_aside = moved_aside;
        let record = match self.look(Operation::Verify).await {
            Ok(look) => look.record,
            Err(error) => {
                verification.problems.push(error.try_into()?);
                return Ok(verification);
            }
        };
        let listed: BTreeSet<_> = listing.generations().into_iter().collect();
        verification.orphans = listed.iter().filter(|name| record.is_unknown(name)).count();
        verification.expired = record.dropped().filter(|dropped| listed.contains(dropped.name())).count();
        // 2.
        for known in record.retained() {
            verification.generations.extend(self.verify_one(known).await?);
        }
        Ok(verification)
    }

    /// `None` if it has expired meanwhile.
    async fn verify_one(&self, known: &Generation) -> Result<Option<VerifiedGeneration>> {
        let [json, seq] = self.layout.files(known.name());
        let (path, wrong) = match self.check_json(known).await {
            Err(wrong) => (json, wrong),
            Ok(()) => match self.check_seq(known, &seq).await {
                Err(wrong) => (seq, wrong),
                Ok(()) => {
                    self.met_intact(known);
                    return Ok(Some(VerifiedGeneration::intact(known.clone())));
                }
            },
        };
        if !self.is_retained(Operation::Verify, known).await? {
            return Ok(None);
        }
        let found = match wrong {
            Wrong::Corrupt(found) => {
                self.met_corrupt(known);
                found
            }
            Wrong::Failed(error @ Error::PermissionDenied { .. }) => {
                Corruption::Forbidden { reason: StoreError::from(&error).to_string() }
            }
            Wrong::Failed(error) => return Err(self.failed(Operation::Verify, &path, &error)),
        };
        let problem = Problem::new(self.at(Operation::Verify, &path).location(), found);
        Ok(Some(VerifiedGeneration::corrupt(known.clone(), problem)))
    }

    async fn check_seq(&self, known: &Generation, path: &Path) -> Result<(), Wrong> {
        let expected = known.seq();
        let stored = match self.store.get(path).await {
            Ok(stored) => stored,
            Err(error) if is_missing_object(&error) => return Err(Wrong::Corrupt(Corruption::Missing)),
            Err(error) => return Err(Wrong::Failed(error)),
        };
        let parsed = match stored.meta.size > MAX_SEQ_BYTES as u64 {
            true => Err(format!("{} bytes", stored.meta.size)),
            false => parse_seq(&stored.bytes().await.map_err(Wrong::Failed)?),
        };
        match parsed {
            Ok(found) if found == expected => Ok(()),
            Ok(found) => Err(Wrong::Corrupt(Corruption::WrongSeq { expected, found })),
            Err(found) => Err(Wrong::Corrupt(Corruption::InvalidSeq { expected, found })),
        }
    }

    /// The locations of corrupt generations that commits moved aside.
    async fn moved_aside(&self) -> Result<Vec<String>> {
        let folder = self.layout.corrupt();
        let listed: Result<Vec<_>, _> = self.store.list(Some(&folder)).try_collect().await;
        let listed = listed.map_err(|error| self.failed(Operation::Verify, &folder, &error))?;
        let names: BTreeSet<_> =
            listed.iter().filter_map(|meta| self.layout.name_of_moved_aside(&meta.location)).collect();
        let location = |name: &str| self.at(Operation::Verify, &self.layout.moved_aside(name)).location().to_owned();
        Ok(names.into_iter().map(|name| location(&name)).collect())
    }
}
