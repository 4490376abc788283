//! Tracks the files that a commit wrote, until the record names them or they are deleted.

use crate::{ObjectBackend, record_store::LAST_ATTEMPT_TIMEOUT, stage::Stage};
use minisnap_core::Operation;
use object_store::path::Path;
use tokio::runtime::Handle;

/// The files that a commit wrote and that no record names.
///
/// A commit deletes them before it returns. If the commit is cancelled, dropping this deletes them in the background. While
/// a record that names them may arrive, nothing is deleted.
pub(crate) struct UncommittedFiles {
    backend: ObjectBackend,
    runtime: Handle,
    names: Vec<String>,
    /// Whether a record that names them was sent, and isn't known to have been rejected.
    sent: bool,
}

impl UncommittedFiles {
    pub(crate) fn new(stage: &Stage) -> Self {
        Self {
            backend: stage.backend.clone(),
            runtime: stage.runtime.clone(),
            names: vec![stage.name.clone()],
            sent: false,
        }
    }

    /// The names of the generations whose files these are.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn add(&mut self, name: String) {
        self.names.push(name);
    }

    /// From now on a record that names them may arrive, even after the commit has returned.
    pub(crate) fn mark_sent(&mut self) {
        self.sent = true;
    }

    /// No record that names them arrived or will arrive.
    pub(crate) fn mark_rejected(&mut self) {
        self.sent = false;
    }

    /// The record names the files of `name`. No record ever named the files of the other names.
    pub(crate) fn mark_committed(&mut self, name: &str) {
        self.names.retain(|other| other != name);
        self.sent = false;
    }

    pub(crate) async fn delete_best_effort(mut self) {
        self.backend.delete_within(Operation::Discard, self.deletable(), LAST_ATTEMPT_TIMEOUT).await;
        self.names.clear();
    }

    fn deletable(&self) -> Vec<Path> {
        match self.sent {
            true => Vec::new(),
            false => self.names.iter().flat_map(|name| self.backend.layout.files(name)).collect(),
        }
    }
}

impl Drop for UncommittedFiles {
    fn drop(&mut self) {
        let files = self.deletable();
        if files.is_empty() {
            return;
        }
        let backend = self.backend.clone();
        // If the runtime shuts down first, a later collection deletes the files.
        self.runtime.spawn(async move { backend.delete_best_effort(Operation::Discard, files).await });
    }
}
