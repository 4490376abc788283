//! s3s-fs, with what it lacks: locks around each object, and the details listed on the crate.

use crate::{Conditions, locks::Locks};
use async_trait::async_trait;
use futures_util::StreamExt;
#[allow(clippy::wildcard_imports, reason = "the shapes of the requests and answers of S3")]
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

/// How much of a file is read at once. With s3s-fs's 4 KiB a large object takes many times as long.
const CHUNK: usize = 256 * 1024;

/// How long a store that checks and then writes takes in between: long enough for racers to come to it every time.
const BETWEEN_CHECK_AND_WRITE: Duration = Duration::from_millis(2);

pub(crate) struct Store {
    inner: FileSystem,
    root: PathBuf,
    conditions: Conditions,
    objects: Locks,
    /// Writing to it is listing, reading from it is removing: s3s-fs fails to list a file that goes meanwhile.
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

    /// What is known of the object right now. Its lock must be held, else its parts may not belong together.
    async fn current(&self, bucket: &str, key: &str) -> S3Result<Option<HeadObjectOutput>> {
        // s3s-fs takes it for an object.
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

    /// What a store that checks and then writes does first, without a lock.
    async fn judge_early(&self, bucket: &str, key: &str, wish: &Wish) -> S3Result<()> {
        if self.conditions == Conditions::CheckThenWrite && !wish.is_always() {
            let current = {
                let _unchanged = self.objects.read(bucket, key).await;
                self.current(bucket, key).await?
            };
            wish.evaluate(current)?;
            sleep(BETWEEN_CHECK_AND_WRITE).await;
        }
        Ok(())
    }

    /// What an atomic store does last before it writes, with the lock that it writes under.
    async fn judge_locked(&self, bucket: &str, key: &str, wish: &Wish) -> S3Result<()> {
        if self.conditions == Conditions::Atomic && !wish.is_always() {
            wish.evaluate(self.current(bucket, key).await?)?;
        }
        Ok(())
    }

    /// The body in a file without a name. A lock is taken only when it has arrived: a client that stalls holds nobody up.
    async fn spool(&self, mut body: StreamingBlob) -> S3Result<StreamingBlob> {
        let mut file = File::from_std(tempfile::tempfile_in(&self.root).map_err(S3Error::internal_error)?);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| S3Error::with_source(S3ErrorCode::IncompleteBody, error))?;
            file.write_all(&chunk).await.map_err(S3Error::internal_error)?;
        }
        file.rewind().await.map_err(S3Error::internal_error)?;
        Ok(StreamingBlob::wrap(ReaderStream::with_capacity(file, CHUNK)))
    }

    async fn remove(&self, bucket: &str, key: &str, wish: Wish) -> S3Result<DeleteObjectOutput> {
        self.judge_early(bucket, key, &wish).await?;
        let _alone = self.objects.write(bucket, key).await;
        self.judge_locked(bucket, key, &wish).await?;
        if self.path(bucket, key).is_dir() {
            return Ok(DeleteObjectOutput::default());
        }
        let _unlisted = self.removals.read().await;
        let input = DeleteObjectInput::builder().bucket(bucket.to_owned()).key(key.to_owned()).build();
        let output = self.inner.delete_object(request(input.map_err(S3Error::internal_error)?)).await?.output;
        // s3s-fs leaves them, and looks through all files of its folder when an upload is aborted.
        for what in ["metadata", "internal"] {
            let [bucket, key] = [bucket, key].map(|name| base64_simd::URL_SAFE_NO_PAD.encode_to_string(name));
            let _ = fs::remove_file(self.root.join(format!(".bucket-{bucket}.object-{key}.{what}.json"))).await;
        }
        Ok(output)
    }

    fn known_upload(&self, upload_id: &str) -> S3Result<()> {
        let known = self.root.join(format!(".upload-{upload_id}.json")).exists();
        if known { Ok(()) } else { Err(s3_error!(NoSuchUpload)) }
    }

    /// Removes the parts of an upload that was aborted. A part that was on its way then is either here by now, or finds on its
    /// arrival that the upload is unknown, and comes here itself.
    async fn remove_parts(&self, upload_id: &str) -> io::Result<()> {
        let prefix = format!(".upload_id-{upload_id}.");
        let mut entries = fs::read_dir(&self.root).await?;
        while let Some(entry) = entries.next_entry().await? {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                // Two may be at it at once.
                let _ = fs::remove_file(entry.path()).await;
            }
        }
        Ok(())
    }
}

/// A request for s3s-fs that no client made.
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

/// The conditions of a write.
struct Wish {
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
}

impl Wish {
    fn is_always(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    fn evaluate(&self, current: Option<HeadObjectOutput>) -> S3Result<()> {
        let current = current.and_then(|current| current.e_tag);
        match (&self.if_match, &current) {
            (Some(_), None) => return Err(s3_error!(NoSuchKey)),
            (Some(ETagCondition::ETag(expected)), Some(current)) if !expected.strong_cmp(current) => {
                return Err(s3_error!(PreconditionFailed));
            }
            _ => {}
        }
        match (&self.if_none_match, current) {
            (Some(ETagCondition::Any), Some(_)) => Err(s3_error!(PreconditionFailed)),
            // For a write, S3 knows `*` only.
            (Some(ETagCondition::ETag(_)), _) => Err(s3_error!(NotImplemented)),
            _ => Ok(()),
        }
    }
}

/// The conditions of a read: of each pair the ETag counts, and the time only if no ETag is given.
fn judge_read(
    current: Option<HeadObjectOutput>,
    (if_match, unmodified_since): (&Option<ETagCondition>, &Option<Timestamp>),
    (if_none_match, modified_since): (&Option<ETagCondition>, &Option<Timestamp>),
) -> S3Result<HeadObjectOutput> {
    let current = current.ok_or_else(|| s3_error!(NoSuchKey))?;
    let is = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(expected) => current.e_tag.as_ref().is_some_and(|current| expected.strong_cmp(current)),
    };
    let newer = |than: &Timestamp| current.last_modified.as_ref().is_some_and(|current| current > than);
    if if_match.as_ref().map_or(unmodified_since.as_ref().is_some_and(newer), |condition| !is(condition)) {
        return Err(s3_error!(PreconditionFailed));
    }
    if if_none_match.as_ref().map_or(modified_since.as_ref().is_some_and(|than| !newer(than)), is) {
        return Err(s3_error!(NotModified));
    }
    Ok(current)
}

#[async_trait]
impl S3 for Store {
    async fn get_object(&self, mut req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = &mut req.input;
        let path = self.path(&input.bucket, &input.key);
        let _unchanged = self.objects.read(&input.bucket, &input.key).await;
        let current = judge_read(
            self.current(&input.bucket, &input.key).await?,
            (&input.if_match, &input.if_unmodified_since),
            (&input.if_none_match, &input.if_modified_since),
        )?;
        let size = current.content_length.unwrap_or_default().cast_unsigned();
        let mut wanted = 0..size;
        if let Some(range) = &mut input.range {
            wanted = range.check(size)?;
            let last = wanted.end.checked_sub(1).ok_or_else(|| s3_error!(InvalidRange))?;
            // s3s-fs seeks to before the beginning for the last bytes of a shorter object.
            *range = Range::Int { first: wanted.start, last: Some(last) };
        }
        let mut response = self.inner.get_object(req).await?;
        // The lock goes before the body does, but nothing changes an open file: all that writes puts another in its place.
        response.output.body = Some(part_of_file(&path, wanted.start, wanted.end - wanted.start).await?);
        Ok(response)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let _unchanged = self.objects.read(&input.bucket, &input.key).await;
        let current = judge_read(
            self.current(&input.bucket, &input.key).await?,
            (&input.if_match, &input.if_unmodified_since),
            (&input.if_none_match, &input.if_modified_since),
        )?;
        Ok(S3Response::new(current))
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = &mut req.input;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let wish = Wish { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
        input.body = Some(self.spool(input.body.take().ok_or_else(|| s3_error!(IncompleteBody))?).await?);
        self.judge_early(&bucket, &key, &wish).await?;
        let _alone = self.objects.write(&bucket, &key).await;
        self.judge_locked(&bucket, &key, &wish).await?;
        self.inner.put_object(req).await
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput { bucket, key, if_match, .. } = req.input;
        self.remove(&bucket, &key, Wish { if_match, if_none_match: None }).await.map(S3Response::new)
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = req.input;
        let mut deleted = Vec::new();
        for ObjectIdentifier { key, .. } in delete.objects {
            self.remove(&bucket, &key, Wish { if_match: None, if_none_match: None }).await?;
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
            // s3s-fs writes into the file that is there. Who reads it now goes on with the one that was.
            detach(&self.path(to.0, to.1), &self.root).await.map_err(S3Error::internal_error)?;
        }
        self.inner.copy_object(req).await
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let bucket = req.input.bucket.clone();
        let mut response = {
            let _complete = self.removals.write().await;
            self.inner.list_objects_v2(req).await?
        };
        let mut contents = Vec::new();
        for mut object in response.output.contents.take().unwrap_or_default() {
            let key = object.key.clone().unwrap_or_default();
            let _unchanged = self.objects.read(&bucket, &key).await;
            // All three anew, so that they belong together.
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
        self.known_upload(&upload_id)?;
        let response = self.inner.upload_part(req).await;
        if let Err(error) = self.known_upload(&upload_id) {
            self.remove_parts(&upload_id).await.map_err(S3Error::internal_error)?;
            return Err(error);
        }
        response
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.known_upload(&req.input.upload_id)?;
        // No lock: it opens the source once, reads nothing else of it, and nothing changes an open file.
        self.inner.upload_part_copy(req).await
    }

    async fn complete_multipart_upload(
        &self,
        mut req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = &mut req.input;
        let (bucket, key, upload_id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let wish = Wish { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
        self.judge_early(&bucket, &key, &wish).await?;
        let _alone = self.objects.write(&bucket, &key).await;
        self.known_upload(&upload_id)?;
        self.judge_locked(&bucket, &key, &wish).await?;
        self.inner.complete_multipart_upload(req).await
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let upload_id = req.input.upload_id.clone();
        self.known_upload(&upload_id)?;
        let response = self.inner.abort_multipart_upload(req).await?;
        self.remove_parts(&upload_id).await.map_err(S3Error::internal_error)?;
        Ok(response)
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.known_upload(&req.input.upload_id)?;
        self.inner.list_parts(req).await
    }
}

async fn part_of_file(path: &Path, start: u64, length: u64) -> S3Result<StreamingBlob> {
    let mut file = File::open(path).await.map_err(S3Error::internal_error)?;
    file.seek(SeekFrom::Start(start)).await.map_err(S3Error::internal_error)?;
    Ok(StreamingBlob::wrap(ReaderStream::with_capacity(file.take(length), CHUNK)))
}

/// Puts another file with the same bytes in the place of this one.
async fn detach(path: &Path, folder: &Path) -> io::Result<()> {
    let fresh = NamedTempFile::new_in(folder)?.into_temp_path();
    fs::copy(path, &fresh).await?;
    fresh.persist(path)?;
    Ok(())
}
