//! Verifying a store: the record, every retained generation, and the garbage that a collection would delete, or that is overdue
//! (`overdue.rs`). Changes nothing.
//!
//! 1. List objects, then read the record, in the same order as a garbage collection. So the record knows each generation that
//!    is committed in between.
//! 2. Read each retained generation in chunks, and its `snapshot.seq`. Leave out a generation that expires during its read.

use crate::{ObjectBackend, read::ReadFailure, record_store::is_missing_object, redact::StoreError};
use futures_util::TryStreamExt;
use minisnap_core::{
    Corruption, Generation, Operation, Problem, Result, Verification, VerifiedGeneration,
    format::{MAX_SEQ_BYTES, parse_seq},
};
use object_store::{Error, ObjectStore, ObjectStoreExt, path::Path};
use std::{collections::BTreeSet, time::Duration};

impl ObjectBackend {
    /// Verifies the store, by the steps of the module.
    pub(crate) async fn verify_all(&self) -> Result<Verification> {
        let mut verification = Verification::default();
        // 1.
        let (moved_aside, listing) =
            tokio::try_join!(self.moved_aside(), self.list(Operation::Verify, Duration::ZERO))?;
        verification.moved_aside = moved_aside;
        let record = match self.load_record(Operation::Verify).await {
            Ok(loaded) => loaded.record,
            Err(error) => {
                verification.problems.push(error.try_into()?);
                return Ok(verification);
            }
        };
        let listed: BTreeSet<_> = listing.generations().into_iter().collect();
        verification.orphans = listed.iter().filter(|name| record.is_orphan(name)).count();
        verification.expired = record.expired().filter(|expired| listed.contains(expired.name())).count();
        verification.overdue = self.find_overdue(&record, listing);
        // 2.
        for known in record.retained() {
            verification.generations.extend(self.verify_generation(known).await?);
        }
        Ok(verification)
    }

    /// Verifies both files of a generation. `None` if it has expired since `known` was read.
    async fn verify_generation(&self, known: &Generation) -> Result<Option<VerifiedGeneration>> {
        let [json, seq] = self.layout.files(known.name());
        let (path, failure) = match self.check_json(known).await {
            Err(failure) => (json, failure),
            Ok(()) => match self.check_seq(known, &seq).await {
                Err(failure) => (seq, failure),
                Ok(()) => {
                    self.mark_intact(known);
                    return Ok(Some(VerifiedGeneration::intact(known.clone())));
                }
            },
        };
        if !self.is_retained(Operation::Verify, known).await? {
            return Ok(None);
        }
        let found = match failure {
            ReadFailure::Corrupt(found) => {
                self.mark_corrupt(known);
                found
            }
            ReadFailure::Failed(error @ Error::PermissionDenied { .. }) => {
                Corruption::Forbidden { reason: StoreError::from(&error).to_string() }
            }
            ReadFailure::Failed(error) => return Err(self.failed(Operation::Verify, &path, &error)),
        };
        let problem = Problem::new(self.at(Operation::Verify, &path).location(), found);
        Ok(Some(VerifiedGeneration::corrupt(known.clone(), problem)))
    }

    async fn check_seq(&self, known: &Generation, path: &Path) -> Result<(), ReadFailure> {
        let expected = known.seq();
        let stored = match self.store.get(path).await {
            Ok(stored) => stored,
            Err(error) if is_missing_object(&error) => return Err(ReadFailure::Corrupt(Corruption::Missing)),
            Err(error) => return Err(ReadFailure::Failed(error)),
        };
        let parsed = match stored.meta.size > MAX_SEQ_BYTES as u64 {
            true => Err(format!("{} bytes", stored.meta.size)),
            false => parse_seq(&stored.bytes().await.map_err(ReadFailure::Failed)?),
        };
        match parsed {
            Ok(found) if found == expected => Ok(()),
            Ok(found) => Err(ReadFailure::Corrupt(Corruption::WrongSeq { expected, found })),
            Err(found) => Err(ReadFailure::Corrupt(Corruption::InvalidSeq { expected, found })),
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
