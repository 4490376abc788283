//! The settings of a handle.

use crate::ObjectBackend;
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) grace_time: Duration,
    pub(crate) busy_timeout: Duration,
    /// In bytes, at least one.
    pub(crate) part_size: usize,
    /// At least one.
    pub(crate) parts_in_flight: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            grace_time: Duration::from_secs(60 * 60),
            busy_timeout: Duration::from_secs(30),
            part_size: 8 << 20,
            parts_in_flight: 8,
        }
    }
}

impl ObjectBackend {
    /// Sets the age from which commits delete orphans: one hour by default.
    ///
    /// The files of a running writer look like orphans until its commit. If its upload takes longer than the grace time, its
    /// commit may have to copy the files, or fail with [`StageLost`](minisnap_core::MiniSnapError::StageLost). Correctness
    /// depends neither on the grace time nor on clocks.
    ///
    /// The first commit of a handle lists objects to find orphans, and then one commit in each grace time.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_object::{ObjectBackend, object_store::memory::InMemory};
    /// use std::{sync::Arc, time::Duration};
    ///
    /// let backend = ObjectBackend::new(Arc::new(InMemory::new()), "app").with_grace_time(Duration::from_secs(600));
    /// ```
    #[must_use]
    pub fn with_grace_time(mut self, grace_time: Duration) -> Self {
        self.settings.grace_time = grace_time;
        self
    }

    /// Sets how long an operation tries to replace the commit record: 30 seconds by default.
    ///
    /// An operation retries while other writers replace the record first, or while the store gives no answer. After this
    /// time it fails with [`Busy`](minisnap_core::MiniSnapError::Busy). If an attempt may still arrive, it fails with
    /// [`OutcomeUnknown`](minisnap_core::MiniSnapError::OutcomeUnknown). The time for uploading the files doesn't count.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_object::{ObjectBackend, object_store::memory::InMemory};
    /// use std::{sync::Arc, time::Duration};
    ///
    /// let backend = ObjectBackend::new(Arc::new(InMemory::new()), "app").with_busy_timeout(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn with_busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.settings.busy_timeout = busy_timeout;
        self
    }

    /// Sets the size of the parts in which large JSONs are uploaded and downloaded, in bytes: 8 MiB by default.
    ///
    /// S3 accepts at most 10 000 parts of at least 5 MiB. With the default a JSON can have 78 GiB. Zero is taken as one.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_object::{ObjectBackend, object_store::memory::InMemory};
    /// use std::sync::Arc;
    ///
    /// let backend = ObjectBackend::new(Arc::new(InMemory::new()), "app").with_part_size(16 << 20);
    /// ```
    #[must_use]
    pub fn with_part_size(mut self, bytes: usize) -> Self {
        self.settings.part_size = bytes.max(1);
        self
    }

    /// Sets how many parts are uploaded or downloaded in parallel: 8 by default.
    ///
    /// `create_owned` buffers this many parts of the JSON, and the part that it is filling. Zero is taken as one.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_object::{ObjectBackend, object_store::memory::InMemory};
    /// use std::sync::Arc;
    ///
    /// let backend = ObjectBackend::new(Arc::new(InMemory::new()), "app").with_parts_in_flight(2);
    /// ```
    #[must_use]
    pub fn with_parts_in_flight(mut self, parts: usize) -> Self {
        self.settings.parts_in_flight = parts.max(1);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;
    use std::sync::Arc;

    fn backend() -> ObjectBackend {
        ObjectBackend::new(Arc::new(InMemory::new()), "app")
    }

    #[test]
    fn settings_are_the_documented_ones_unless_set() {
        let shown = format!("{:?}", backend());
        for setting in ["grace_time: 3600s", "busy_timeout: 30s", "part_size: 8388608", "parts_in_flight: 8"] {
            assert!(shown.contains(setting), "{setting}: {shown}");
        }
        let set = backend().with_grace_time(Duration::from_secs(1)).with_busy_timeout(Duration::from_secs(2));
        let shown = format!("{:?}", set.with_part_size(3).with_parts_in_flight(4));
        for setting in ["grace_time: 1s", "busy_timeout: 2s", "part_size: 3", "parts_in_flight: 4"] {
            assert!(shown.contains(setting), "{setting}: {shown}");
        }
    }
}
