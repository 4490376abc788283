//! Finds garbage that commits should have deleted, but didn't. Usually the writers' credentials don't permit to delete.
//!
//! A fresh handle remembers no failed deletion, so it deduces them from the record and a listing.
//!
//! - *Expired generations.* A commit deletes what had expired as of the record that it read last before its upload. Of the commits
//!   after an expiry, at least one deletes the generation once there are more commits than handles that commit in turn. So a
//!   generation is overdue if its files exist [`COMMITS`] commits later. The record doesn't tell when a generation expired. It is
//!   computed from the number of generations that are retained now, so the result may be wrong until the next commit after the
//!   retention was reduced.
//! - *Orphans.* A handle lists objects in its first commit, and then in its first commit after each grace time. So it listed an orphan
//!   that had reached the grace time, if its newest commit is two grace times younger than the orphan. [`CLOCK_MARGIN`] is added
//!   for clocks that differ, and for long commits. The grace time is that of this handle.

use crate::{ObjectBackend, garbage::Listing, record::Record};
use minisnap_core::{Generation, Overdue};
use std::{collections::BTreeSet, time::Duration};

/// Exact for up to six handles that commit in turn. More of them may be reported wrongly, and rarely are.
const COMMITS: usize = 6;

const CLOCK_MARGIN: Duration = Duration::from_secs(60 * 60);

impl ObjectBackend {
    /// The overdue garbage among the listed objects, and the last deletion of this handle, if it failed.
    pub(crate) fn find_overdue(&self, record: &Record, listing: Listing) -> Option<Overdue> {
        let listed: BTreeSet<_> = listing.generations().into_iter().collect();
        let expired = record.expired_before(COMMITS).filter(|expired| listed.contains(expired.name())).count();
        let age = self.settings.grace_time.saturating_mul(2).saturating_add(CLOCK_MARGIN);
        let newest_commit = record.current().and_then(Generation::time);
        let orphans = newest_commit.and_then(|commit| commit.checked_sub(age)).map_or(0, |time| {
            let old: BTreeSet<_> = listing.older_than(time).generations().into_iter().collect();
            old.iter().filter(|name| record.is_orphan(name)).count()
        });
        Overdue::new(expired, orphans).with_failure(self.failed_deletion()).into_option()
    }
}
