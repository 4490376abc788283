//! A lock for each object.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

type Object = (String, String);

/// A lock for each object that exists or existed. Locks are never removed, because a server runs only as long as its tests.
#[derive(Default)]
pub(crate) struct Locks(Mutex<HashMap<Object, Arc<RwLock<()>>>>);

impl Locks {
    /// Until the guard is dropped, the object and its attributes don't change.
    pub(crate) async fn read(&self, bucket: &str, key: &str) -> OwnedRwLockReadGuard<()> {
        self.lock_of(bucket, key).read_owned().await
    }

    /// Until the guard is dropped, no other request reads or changes the object.
    pub(crate) async fn write(&self, bucket: &str, key: &str) -> OwnedRwLockWriteGuard<()> {
        self.lock_of(bucket, key).write_owned().await
    }

    /// The locks of a copy, always taken in the same order, so that two copies in opposite directions don't deadlock.
    pub(crate) async fn copy(
        &self,
        from: (&str, &str),
        to: (&str, &str),
    ) -> (Option<OwnedRwLockReadGuard<()>>, OwnedRwLockWriteGuard<()>) {
        if from < to {
            let read = self.read(from.0, from.1).await;
            (Some(read), self.write(to.0, to.1).await)
        } else {
            let write = self.write(to.0, to.1).await;
            let read = if from == to { None } else { Some(self.read(from.0, from.1).await) };
            (read, write)
        }
    }

    fn lock_of(&self, bucket: &str, key: &str) -> Arc<RwLock<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry((bucket.to_owned(), key.to_owned())).or_default())
    }
}
