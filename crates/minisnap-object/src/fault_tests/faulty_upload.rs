//! An upload in parts to the [faulty store](super::faulty_store).

use super::faulty_store::{FaultyStore, Request};
use async_trait::async_trait;
use bytes::Bytes;
use object_store::{Error, MultipartUpload, PutPayload, PutResult, Result, UploadPart, path::Path};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct FaultyUpload {
    store: FaultyStore,
    path: Path,
    sent: Vec<Bytes>,
    /// The parts that have reached the store; `None` once the upload was completed or aborted.
    received: Arc<Mutex<Option<Vec<Option<Bytes>>>>>,
}

impl FaultyUpload {
    pub(super) fn new(store: FaultyStore, path: Path) -> Self {
        Self { store, path, sent: Vec::new(), received: Arc::new(Mutex::new(Some(Vec::new()))) }
    }
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let (index, part) = (self.sent.len(), Bytes::from(payload));
        self.sent.push(part.clone());
        let (store, path, received) = (self.store.clone(), self.path.clone(), self.received.clone());
        Box::pin(async move {
            let apply = move || {
                let mut received = lock(&received);
                let parts = received.as_mut().ok_or_else(no_such_upload)?;
                parts.resize(parts.len().max(index + 1), None);
                parts[index] = Some(part.clone());
                Ok(())
            };
            let detail = format!(", part {index}");
            store.send(Request { of_json: true, detail, ..Request::new("PUT", &path) }, apply).await
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (sim, path, received) = (self.store.sim.clone(), self.path.clone(), self.received.clone());
        sim.count_upload(&self.sent.concat().into());
        let expected = self.sent.len();
        let apply = move || {
            let parts = lock(&received).take().ok_or_else(no_such_upload)?;
            let object = parts.iter().flatten().fold(Vec::new(), |object, part| [&object[..], &part[..]].concat());
            match parts.iter().flatten().count() == expected {
                true => sim.overwrite(&path, &object.into()),
                false => Err(Error::Generic { store: "faulty", source: "a part is missing".into() }),
            }
        };
        self.store.send(Request::new("complete", &self.path), apply).await
    }

    async fn abort(&mut self) -> Result<()> {
        let received = self.received.clone();
        let apply = move || lock(&received).take().map(drop).ok_or_else(no_such_upload);
        self.store.send(Request::new("abort", &self.path), apply).await
    }
}

fn lock(received: &Mutex<Option<Vec<Option<Bytes>>>>) -> MutexGuard<'_, Option<Vec<Option<Bytes>>>> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_such_upload() -> Error {
    Error::NotFound { path: "upload".into(), source: "no such upload".into() }
}
