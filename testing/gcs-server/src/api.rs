//! The requests of the XML API (<https://cloud.google.com/storage/docs/xml-api/reference-methods>), each carried out on the bucket.

use crate::{
    BUCKET, Limits, TOKEN,
    bucket::{Bucket, Content, Expected, Object},
    error::{Code, Error, Result},
    listing::ListRequest,
    range,
    request::Request,
    uploads::CompleteMultipartUpload,
    xml,
};
use bytes::Bytes;
use chrono::SecondsFormat;
use http_body_util::Full;
use hyper::{
    Method, Response, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED, RANGE},
    http::response::Builder,
};
use std::sync::{Mutex, MutexGuard, PoisonError};

type Answer = Response<Full<Bytes>>;

#[derive(Debug)]
pub(crate) struct Api {
    limits: Limits,
    /// Never held across an `await`: each request is one atomic step.
    bucket: Mutex<Bucket>,
}

impl Api {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, bucket: Mutex::new(Bucket::new(limits)) }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn answer(&self, request: &Request) -> Result<Answer> {
        if self.limits.needs_token && !request.has_token(TOKEN) {
            return Err(Error::new(Code::AuthenticationRequired, ""));
        }
        if request.bucket != BUCKET {
            return Err(Error::new(Code::NoSuchBucket, &request.bucket));
        }
        if request.key.is_empty() {
            return match request.method {
                Method::GET => self.list(request),
                _ => Err(Error::new(Code::MethodNotAllowed, &request.method)),
            };
        }
        let upload = request.parameter("uploadId");
        match (request.method.clone(), upload) {
            (Method::GET | Method::HEAD, None) => self.get(request),
            (Method::PUT, None) => match request.copy_source()? {
                Some(source) => self.copy(request, source),
                None => self.put(request),
            },
            (Method::DELETE, None) => self.delete(request),
            (Method::POST, None) if request.parameter("uploads").is_some() => self.initiate_upload(request),
            (Method::PUT, Some(id)) => self.put_part(request, id),
            (Method::POST, Some(id)) => self.complete_upload(request, id),
            (Method::DELETE, Some(id)) => self.abort_upload(request, id),
            (method, _) => Err(Error::new(Code::NotImplemented, method)),
        }
    }

    /// <https://cloud.google.com/storage/docs/xml-api/get-bucket-list>
    fn list(&self, request: &Request) -> Result<Answer> {
        let listing = ListRequest::parse(request)?;
        Ok(xml::response(self.bucket().list(&listing)))
    }

    /// <https://cloud.google.com/storage/docs/xml-api/get-object-download>
    fn get(&self, request: &Request) -> Result<Answer> {
        let object = self.bucket().get(&request.key, expected(request)?)?.clone();
        check_etag(request, &object)?;
        let bytes = object.content.bytes.clone();
        let size = bytes.len();
        let answer = described(&object)
            .header(LAST_MODIFIED, object.modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
            .header("x-goog-stored-content-length", size)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(ACCEPT_RANGES, "bytes");
        match range::requested(request.header(RANGE)?, size)? {
            None => Ok(finish(answer, bytes)),
            Some(range) => {
                let sent = format!("bytes {}-{}/{size}", range.start, range.end - 1);
                let answer = answer.status(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, sent);
                Ok(finish(answer, bytes.slice(range)))
            }
        }
    }

    /// <https://cloud.google.com/storage/docs/xml-api/put-object-upload>
    fn put(&self, request: &Request) -> Result<Answer> {
        let (content, expected) = (Content::new(request.body.clone()), expected(request)?);
        let object = self.bucket().put(&request.key, content, expected)?;
        Ok(finish(described(&object), Bytes::new()))
    }

    /// <https://cloud.google.com/storage/docs/xml-api/put-object-copy>
    fn copy(&self, request: &Request, (bucket, from): (String, String)) -> Result<Answer> {
        if bucket != BUCKET {
            return Err(Error::new(Code::NoSuchBucket, bucket));
        }
        if from == request.key && request.header("x-goog-metadata-directive")? != Some("REPLACE") {
            return Err(Error::new(
                Code::InvalidArgument,
                "a copy to itself without x-goog-metadata-directive: REPLACE",
            ));
        }
        let object = self.bucket().copy(&from, &request.key, expected(request)?)?;
        let modified = object.modified.to_rfc3339_opts(SecondsFormat::Millis, true);
        let elements = [("LastModified", modified.as_str()), ("ETag", &object.etag())];
        Ok(finish(described(&object), xml::document("CopyObjectResult", &elements).into()))
    }

    /// <https://cloud.google.com/storage/docs/xml-api/delete-object>
    fn delete(&self, request: &Request) -> Result<Answer> {
        self.bucket().delete(&request.key, expected(request)?)?;
        Ok(no_content())
    }

    /// <https://cloud.google.com/storage/docs/xml-api/post-object-multipart>
    fn initiate_upload(&self, request: &Request) -> Result<Answer> {
        refuse_conditions(request)?;
        let id = self.bucket().initiate_upload(&request.key);
        let elements = [("Bucket", BUCKET), ("Key", &request.key), ("UploadId", &id)];
        Ok(xml::response(xml::document("InitiateMultipartUploadResult", &elements)))
    }

    /// <https://cloud.google.com/storage/docs/xml-api/put-object-multipart>
    fn put_part(&self, request: &Request, id: &str) -> Result<Answer> {
        refuse_conditions(request)?;
        let number = request.number("partNumber")?;
        let number = number.ok_or_else(|| Error::new(Code::InvalidArgument, "no partNumber"))?;
        let etag = self.bucket().put_part(&request.key, id, number, request.body.clone())?;
        Ok(finish(Response::builder().header(ETAG, etag), Bytes::new()))
    }

    /// <https://cloud.google.com/storage/docs/xml-api/post-object-complete>
    fn complete_upload(&self, request: &Request, id: &str) -> Result<Answer> {
        refuse_conditions(request)?;
        let named = CompleteMultipartUpload::parse(&request.body)?;
        let object = self.bucket().complete_upload(&request.key, id, &named)?;
        let elements = [("Bucket", BUCKET), ("Key", &request.key), ("ETag", &object.etag())];
        Ok(finish(described(&object), xml::document("CompleteMultipartUploadResult", &elements).into()))
    }

    /// <https://cloud.google.com/storage/docs/xml-api/delete-multipart>
    fn abort_upload(&self, request: &Request, id: &str) -> Result<Answer> {
        self.bucket().abort_upload(&request.key, id)?;
        Ok(no_content())
    }
}

fn expected(request: &Request) -> Result<Expected> {
    Ok(Expected { condition: request.expected_generation()?, generation: request.number("generation")? })
}

/// The conditions of a read by ETag (<https://cloud.google.com/storage/docs/request-preconditions>).
fn check_etag(request: &Request, object: &Object) -> Result<()> {
    let names = |etags: &str| etags == "*" || etags.split(',').any(|etag| etag.trim() == object.etag());
    if request.header(IF_MATCH)?.is_some_and(|etags| !names(etags)) {
        return Err(Error::new(Code::PreconditionFailed, "If-Match"));
    }
    if request.header(IF_NONE_MATCH)?.is_some_and(names) {
        return Err(Error::new(Code::NotModified, ""));
    }
    Ok(())
}

/// Multipart uploads have no conditions (<https://cloud.google.com/storage/docs/multipart-uploads>). Ignoring one could overwrite an
/// object against its writer's intent.
fn refuse_conditions(request: &Request) -> Result<()> {
    match request.expected_generation()? {
        Some(_) => Err(Error::new(Code::NotImplemented, "a condition of a multipart upload")),
        None => Ok(()),
    }
}

/// An answer with the headers of an object.
fn described(object: &Object) -> Builder {
    Response::builder()
        .header(ETAG, object.etag())
        .header("x-goog-generation", object.generation)
        .header("x-goog-metageneration", 1)
}

fn no_content() -> Answer {
    finish(Response::builder().status(StatusCode::NO_CONTENT), Bytes::new())
}

fn finish(builder: Builder, body: Bytes) -> Answer {
    builder.body(Full::new(body)).expect("the headers are valid: ETags, numbers and times")
}
