//! The S3 service: s3s-fs with a lock around each object, and with the corrections that the crate's docs list.

use crate::{
    Conditions,
    conditions::{WriteConditions, evaluate_read},
    locks::Locks,
};
use async_trait::async_trait;
use futures_util::StreamExt;
#[allow(clippy::wildcard_imports, reason = "the types of S3's requests and answers")]
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use std::{
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::NamedTempFile;
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
    sync::RwLock,
    time::sleep,
};
use tokio_util::io::ReaderStream;

/// The size of one read of a file. With the 4 KiB of s3s-fs, a large object takes many times as long.
const CHUNK: usize = 256 * 1024;

/// The time between the check and the write of [`Conditions::CheckThenWrite`]. It is long enough for writers to collide.
const BETWEEN_CHECK_AND_WRITE: Duration = Duration::from_millis(2);

pub(crate) struct Store {
    inner: FileSystem,
    root: PathBuf,
    conditions: Conditions,
    objects: Locks,
    /// A listing locks it for writing, and a removal for reading. s3s-fs fails if a file is removed during the listing.
    removals: RwLock<()>,
}

impl Store {
    pub(crate) fn new(root: PathBuf, conditions: Conditions) -> Result<Self, s3s_fs::Error> {
        let inner = FileSystem::new(&root)?;
        Ok(Self { inner, root, conditions, objects: Locks::default(), removals: RwLock::new(()) })
    }

    fn path(&self, bucket: &str, key: &str) -> PathBuf {
        self.root.join(bucket).join(key)
    }

    /// The attributes of an object. The caller must hold the object's lock, so that they belong together.
    async fn current(&self, bucket: &str, key: &str) -> S3Result<Option<HeadObjectOutput>> {
        // s3s-fs takes a folder for an object.
        if self.path(bucket, key).is_dir() {
            return Ok(None);
        }
        let input = HeadObjectInput { bucket: bucket.to_owned(), key: key.to_owned(), ..Default::default() };
        match self.inner.head_object(request(input)).await {
            Ok(response) => Ok(Some(response.output)),
            Err(error) if *error.code() == S3ErrorCode::NoSuchKey => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The check of [`Conditions::CheckThenWrite`], without the lock of the write.
    async fn check_before_locking(&self, bucket: &str, key: &str, conditions: &WriteConditions) -> S3Result<()> {
        if self.conditions == Conditions::CheckThenWrite && !conditions.is_unconditional() {
            let current = {
                let _read_lock = self.objects.read(bucket, key).await;
                self.current(bucket, key).await?
            };
            conditions.evaluate(current)?;
            sleep(BETWEEN_CHECK_AND_WRITE).await;
        }
        Ok(())
    }

    /// The check of [`Conditions::Atomic`], under the lock of the write.
    async fn check_under_lock(&self, bucket: &str, key: &str, conditions: &WriteConditions) -> S3Result<()> {
        if self.conditions == Conditions::Atomic && !conditions.is_unconditional() {
            conditions.evaluate(self.current(bucket, key).await?)?;
        }
        Ok(())
    }

    /// Receives a body into an unnamed file. Callers lock the object only afterwards, so a stalled client blocks no other.
    async fn receive_body(&self, mut body: StreamingBlob) -> S3Result<StreamingBlob> {
        let mut file = File::from_std(tempfile::tempfile_in(&self.root).map_err(S3Error::internal_error)?);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| S3Error::with_source(S3ErrorCode::IncompleteBody, error))?;
            file.write_all(&chunk).await.map_err(S3Error::internal_error)?;
        }
        file.rewind().await.map_err(S3Error::internal_error)?;
        Ok(StreamingBlob::wrap(ReaderStream::with_capacity(file, CHUNK)))
    }

    async fn remove(&self, bucket: &str, key: &str, conditions: WriteConditions) -> S3Result<DeleteObjectOutput> {
        self.check_before_locking(bucket, key, &conditions).await?;
        let _write_lock = self.objects.write(bucket, key).await;
        self.check_under_lock(bucket, key, &conditions).await?;
        if self.path(bucket, key).is_dir() {
            return Ok(DeleteObjectOutput::default());
        }
        let _removal = self.removals.read().await;
        let input = DeleteObjectInput::builder().bucket(bucket.to_owned()).key(key.to_owned()).build();
        let output = self.inner.delete_object(request(input.map_err(S3Error::internal_error)?)).await?.output;
        // s3s-fs doesn't remove these files, and reads all file names of its folder when an upload is aborted.
        for kind in ["metadata", "internal"] {
            let [bucket, key] = [bucket, key].map(|name| base64_simd::URL_SAFE_NO_PAD.encode_to_string(name));
            let _ = fs::remove_file(self.root.join(format!(".bucket-{bucket}.object-{key}.{kind}.json"))).await;
        }
        Ok(output)
    }

    fn check_upload(&self, upload_id: &str) -> S3Result<()> {
        let known = self.root.join(format!(".upload-{upload_id}.json")).exists();
        if known { Ok(()) } else { Err(s3_error!(NoSuchUpload)) }
    }

    /// Removes the parts of an aborted upload. A part that arrives later finds that the upload is unknown, and removes itself by
    /// the same function.
    async fn remove_parts(&self, upload_id: &str) -> io::Result<()> {
        let prefix = format!(".upload_id-{upload_id}.");
        let mut entries = fs::read_dir(&self.root).await?;
        while let Some(entry) = entries.next_entry().await? {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                // Another request may remove it concurrently.
                let _ = fs::remove_file(entry.path()).await;
            }
        }
        Ok(())
    }
}

/// An internal request to s3s-fs.
fn request<T>(input: T) -> S3Request<T> {
    S3Request {
        input,
        method: hyper::Method::GET,
        uri: hyper::Uri::default(),
        headers: hyper::HeaderMap::default(),
        extensions: hyper::http::Extensions::default(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    }
}

#[async_trait]
impl S3 for Store {
    async fn get_object(&self, mut req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = &mut req.input;
        let path = self.path(&input.bucket, &input.key);
        let _read_lock = self.objects.read(&input.bucket, &input.key).await;
        let current = evaluate_read(
            self.current(&input.bucket, &input.key).await?,
            (&input.if_match, &input.if_unmodified_since),
            (&input.if_none_match, &input.if_modified_since),
        )?;
        let size = current.content_length.unwrap_or_default().cast_unsigned();
        let mut wanted = 0..size;
        if let Some(range) = &mut input.range {
            wanted = range.check(size)?;
            let last = wanted.end.checked_sub(1).ok_or_else(|| s3_error!(InvalidRange))?;
            // For the last bytes of a shorter object, s3s-fs would seek before the beginning.
            *range = Range::Int { first: wanted.start, last: Some(last) };
        }
        let mut response = self.inner.get_object(req).await?;
        // The lock is released before the body is sent. That is safe, because all writes replace the file and never change it.
        response.output.body = Some(file_range(&path, wanted.start, wanted.end - wanted.start).await?);
        Ok(response)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let _read_lock = self.objects.read(&input.bucket, &input.key).await;
        let current = evaluate_read(
            self.current(&input.bucket, &input.key).await?,
            (&input.if_match, &input.if_unmodified_since),
            (&input.if_none_match, &input.if_modified_since),
        )?;
        Ok(S3Response::new(current))
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = &mut req.input;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let conditions = WriteConditions { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
        input.body = Some(self.receive_body(input.body.take().ok_or_else(|| s3_error!(IncompleteBody))?).await?);
        self.check_before_locking(&bucket, &key, &conditions).await?;
        let _write_lock = self.objects.write(&bucket, &key).await;
        self.check_under_lock(&bucket, &key, &conditions).await?;
        self.inner.put_object(req).await
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput { bucket, key, if_match, .. } = req.input;
        self.remove(&bucket, &key, WriteConditions { if_match, if_none_match: None }).await.map(S3Response::new)
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = req.input;
        let mut deleted = Vec::new();
        for ObjectIdentifier { key, .. } in delete.objects {
            self.remove(&bucket, &key, WriteConditions { if_match: None, if_none_match: None }).await?;
            deleted.push(DeletedObject { key: Some(key), ..Default::default() });
        }
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), ..Default::default() }))
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let CopySource::Bucket { bucket, key, .. } = &req.input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        let (from, to) = ((&**bucket, &**key), (&*req.input.bucket, &*req.input.key));
        let _locks = self.objects.copy(from, to).await;
        if self.current(from.0, from.1).await?.is_none() {
            return Err(s3_error!(NoSuchKey));
        }
        if from != to && self.current(to.0, to.1).await?.is_some() {
            // s3s-fs writes into the existing file. Replacing the file first lets readers continue with the old one.
            detach(&self.path(to.0, to.1), &self.root).await.map_err(S3Error::internal_error)?;
        }
        self.inner.copy_object(req).await
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let bucket = req.input.bucket.clone();
        let mut response = {
            let _listing = self.removals.write().await;
            self.inner.list_objects_v2(req).await?
        };
        let mut contents = Vec::new();
        for mut object in response.output.contents.take().unwrap_or_default() {
            let key = object.key.clone().unwrap_or_default();
            let _read_lock = self.objects.read(&bucket, &key).await;
            // All three attributes are read again, so that they belong together.
            if let Some(current) = self.current(&bucket, &key).await? {
                object.e_tag = current.e_tag;
                object.size = current.content_length;
                object.last_modified = current.last_modified;
                contents.push(object);
            }
        }
        response.output.contents = Some(contents);
        Ok(response)
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.inner.create_multipart_upload(req).await
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let upload_id = req.input.upload_id.clone();
        self.check_upload(&upload_id)?;
        let response = self.inner.upload_part(req).await;
        if let Err(error) = self.check_upload(&upload_id) {
            self.remove_parts(&upload_id).await.map_err(S3Error::internal_error)?;
            return Err(error);
        }
        response
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.check_upload(&req.input.upload_id)?;
        // No lock is needed: s3s-fs opens the source once, and no write changes an open file.
        self.inner.upload_part_copy(req).await
    }

    async fn complete_multipart_upload(
        &self,
        mut req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = &mut req.input;
        let (bucket, key, upload_id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let conditions = WriteConditions { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
        self.check_before_locking(&bucket, &key, &conditions).await?;
        let _write_lock = self.objects.write(&bucket, &key).await;
        self.check_upload(&upload_id)?;
        self.check_under_lock(&bucket, &key, &conditions).await?;
        self.inner.complete_multipart_upload(req).await
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let upload_id = req.input.upload_id.clone();
        self.check_upload(&upload_id)?;
        let response = self.inner.abort_multipart_upload(req).await?;
        self.remove_parts(&upload_id).await.map_err(S3Error::internal_error)?;
        Ok(response)
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.check_upload(&req.input.upload_id)?;
        self.inner.list_parts(req).await
    }
}

async fn file_range(path: &Path, start: u64, length: u64) -> S3Result<StreamingBlob> {
    let mut file = File::open(path).await.map_err(S3Error::internal_error)?;
    file.seek(SeekFrom::Start(start)).await.map_err(S3Error::internal_error)?;
    Ok(StreamingBlob::wrap(ReaderStream::with_capacity(file.take(length), CHUNK)))
}

/// Replaces a file by a copy.
async fn detach(path: &Path, folder: &Path) -> io::Result<()> {
    let fresh = NamedTempFile::new_in(folder)?.into_temp_path();
    fs::copy(path, &fresh).await?;
    fresh.persist(path)?;
    Ok(())
}
