//! An upload in parts to the [faulty store](super::faulty_store).

use super::faulty_store::{Client, Request};
use async_trait::async_trait;
use bytes::Bytes;
use object_store::{Error, MultipartUpload, PutPayload, PutResult, Result, UploadPart, path::Path};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Upload {
    client: Client,
    path: Path,
    handed_over: Vec<Bytes>,
    /// What has reached the store; `None` once it was completed or aborted.
    there: Arc<Mutex<Option<Vec<Option<Bytes>>>>>,
}

impl Upload {
    pub(super) fn new(client: Client, path: Path) -> Self {
        Self { client, path, handed_over: Vec::new(), there: Arc::new(Mutex::new(Some(Vec::new()))) }
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let (place, part) = (self.handed_over.len(), Bytes::from(payload));
        self.handed_over.push(part.clone());
        let (client, path, there) = (self.client.clone(), self.path.clone(), self.there.clone());
        Box::pin(async move {
            let apply = move || {
                let mut there = lock(&there);
                let parts = there.as_mut().ok_or_else(no_such_upload)?;
                parts.resize(parts.len().max(place + 1), None);
                parts[place] = Some(part.clone());
                Ok(())
            };
            let detail = format!(", part {place}");
            client.send(Request { of_json: true, detail, ..Request::new("PUT", &path) }, apply).await
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (world, path, there) = (self.client.world.clone(), self.path.clone(), self.there.clone());
        world.count_upload(&self.handed_over.concat().into());
        let expected = self.handed_over.len();
        let apply = move || {
            let parts = lock(&there).take().ok_or_else(no_such_upload)?;
            let whole = parts.iter().flatten().fold(Vec::new(), |whole, part| [&whole[..], &part[..]].concat());
            match parts.iter().flatten().count() == expected {
                true => world.overwrite(&path, &whole.into()),
                false => Err(Error::Generic { store: "faulty", source: "a part is missing".into() }),
            }
        };
        self.client.send(Request::new("complete", &self.path), apply).await
    }

    async fn abort(&mut self) -> Result<()> {
        let there = self.there.clone();
        let apply = move || lock(&there).take().map(drop).ok_or_else(no_such_upload);
        self.client.send(Request::new("abort", &self.path), apply).await
    }
}

fn lock(there: &Mutex<Option<Vec<Option<Bytes>>>>) -> MutexGuard<'_, Option<Vec<Option<Bytes>>>> {
    there.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_such_upload() -> Error {
    Error::NotFound { path: "upload".into(), source: "no such upload".into() }
}
