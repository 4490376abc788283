//! Somebody who deletes the commit record by hand, and later puts it back as it was. Until then everything must say so, and
//! nothing may be written in its place.

use super::{
    history::Left,
    violation::Kind,
    world::{Book, World},
};
use minisnap_core::{Corruption, MiniSnapError, Result};
use object_store::{Error, ObjectStoreExt, PutMode, path::Path};
use std::{sync::Arc, time::Duration};

/// What the handles say that find no record, but generations.
/// Deletes the record after so many milliseconds, and puts it back after so many. Only one that names something: with an
/// empty one, nothing is lost.
pub(super) async fn lose_the_record(world: Arc<World>, after: u64, lasts: u64) -> Option<Left> {
    super::fate::delay(after).await;
    let path = world.layout.current();
    world.book().ledger.record().current()?;
    let record = world.object(&path)?;
    super::faulty_store::now(world.store.delete(&path)).ok()?;
    let event = world.event();
    world.book().losses.push((event, u64::MAX));
    world.note(|| "somebody deletes the record".into());
    world.count("fault: record lost");
    tokio::time::sleep(Duration::from_millis(lasts)).await;
    let event = world.event();
    if let Some((_, until)) = world.book().losses.last_mut() {
        *until = event;
    }
    world.note(|| "somebody puts the record back".into());
    let put_back = super::faulty_store::now(world.store.put(&path, record.into()));
    assert!(put_back.is_ok(), "the record can't be put back: {put_back:?}");
    None
}

impl Book {
    pub(super) fn is_lost(&self) -> bool {
        self.losses.iter().any(|(_, until)| *until == u64::MAX)
    }

    /// Whether the record was lost at some moment between two events.
    fn was_lost(&self, called: u64, over: u64) -> bool {
        self.losses.iter().any(|(from, until)| *from < over && called < *until)
    }

    /// Whether it was lost all the time between two events.
    pub(super) fn was_lost_throughout(&self, called: u64, over: u64) -> bool {
        self.losses.iter().any(|(from, until)| *from < called && over < *until)
    }
}

impl World {
    /// That something which needs the record says that it is lost if it was, and not if it wasn't.
    pub(super) fn check_told_of_loss<T>(&self, called: u64, over: u64, told: &Result<T>) {
        let book = self.book();
        let (some_time, throughout) = (book.was_lost(called, over), book.was_lost_throughout(called, over));
        drop(book);
        match told {
            Err(MiniSnapError::Corrupt { found: Corruption::RecordMissing { .. }, .. }) if some_time => {
                self.count("told that the record is lost");
            }
            Err(error @ MiniSnapError::Corrupt { .. }) => {
                self.violation(Kind::FalseCorruption, format!("it isn't so: {error}"));
            }
            Ok(_) if throughout => self.violation(Kind::LossUnnoticed, "the record was lost, and nobody said so"),
            _ => {}
        }
    }

    /// A request to make the first record doesn't arrive when that was lost. It would take effect: the store keeps its
    /// condition, that there is none. Nobody can tell it from the first publish ever, and `docs/object-store.md` says so.
    pub(super) fn refuse_late_first_record(&self, path: &Path, mode: &PutMode) -> object_store::Result<()> {
        match mode {
            PutMode::Create if *path == self.layout.current() && self.book().is_lost() => {
                self.count("a request for the first record, while it was lost");
                Err(Error::AlreadyExists { path: path.to_string(), source: "it was there".into() })
            }
            _ => Ok(()),
        }
    }
}
