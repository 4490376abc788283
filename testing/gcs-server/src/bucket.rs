//! The bucket: its objects with their generations. Each method is one atomic step, because its caller holds the only lock.

use crate::{
    Limits, Refusal,
    error::{Code, Error, Result},
    uploads::Uploads,
    write_limit::WriteLimit,
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use md5::{Digest, Md5};
use std::{collections::BTreeMap, time::SystemTime};

/// One generation of an object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) content: Content,
    /// Different for each write of any object (<https://cloud.google.com/storage/docs/metadata#generation-number>).
    pub(crate) generation: u64,
    pub(crate) modified: DateTime<Utc>,
}

/// The bytes of an object, with their MD5.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    /// `None` for an object that was uploaded in parts.
    md5: Option<String>,
}

impl Content {
    pub(crate) fn new(bytes: Bytes) -> Self {
        let md5 = Some(hex_md5(&bytes));
        Self { bytes, md5 }
    }

    /// An object that was uploaded in parts has no MD5, and another kind of ETag
    /// (<https://cloud.google.com/storage/docs/xml-api/post-object-complete>).
    pub(crate) fn without_md5(bytes: Bytes) -> Self {
        Self { bytes, md5: None }
    }
}

impl Object {
    /// In quotes, as in headers and listings.
    pub(crate) fn etag(&self) -> String {
        match &self.content.md5 {
            Some(md5) => format!("\"{md5}\""),
            None => format!("\"-{:x}\"", self.generation),
        }
    }
}

/// Which object a request expects: what its conditions and its parameter `generation` name.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Expected {
    /// The condition `x-goog-if-generation-match`.
    pub(crate) condition: Option<u64>,
    /// Only this generation is read or deleted. An older one doesn't exist, since the bucket has no versions.
    pub(crate) generation: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Bucket {
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) uploads: Uploads,
    last_generation: u64,
    first: Refusal,
    write_limit: WriteLimit,
    rate_limited: usize,
}

impl Bucket {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            objects: BTreeMap::new(),
            uploads: Uploads::default(),
            last_generation: 0,
            first: limits.first,
            write_limit: WriteLimit::new(limits.write_interval),
            rate_limited: 0,
        }
    }

    pub(crate) fn get(&self, key: &str, expected: Expected) -> Result<&Object> {
        self.check(key, expected)?;
        self.objects.get(key).ok_or_else(|| no_such_key(key))
    }

    pub(crate) fn put(&mut self, key: &str, content: Content, expected: Expected) -> Result<Object> {
        self.admit(key, self.check(key, expected))?;
        Ok(self.write(key, content))
    }

    pub(crate) fn copy(&mut self, from: &str, to: &str, expected: Expected) -> Result<Object> {
        let content = self.get(from, Expected::default())?.content.clone();
        self.put(to, content, expected)
    }

    pub(crate) fn delete(&mut self, key: &str, expected: Expected) -> Result<()> {
        self.admit(key, self.get(key, expected).map(|_| ()))?;
        self.objects.remove(key);
        self.write_limit.count(key);
        Ok(())
    }

    pub(crate) fn rate_limited(&self) -> usize {
        self.rate_limited
    }

    /// Whether the object is the expected one.
    fn check(&self, key: &str, expected: Expected) -> Result<()> {
        let current = self.objects.get(key).map_or(0, |object| object.generation);
        if expected.condition.is_some_and(|condition| condition != current) {
            return Err(Error::new(Code::PreconditionFailed, "x-goog-if-generation-match"));
        }
        match expected.generation {
            Some(generation) if generation != current => Err(no_such_key(key)),
            _ => Ok(()),
        }
    }

    /// Whether a write is carried out. If `checked` and the rate limit refuse it, the limits of the server say which one answers.
    pub(super) fn admit(&mut self, key: &str, checked: Result<()>) -> Result<()> {
        let limited = self.write_limit.check(key);
        let admitted = match self.first {
            Refusal::Condition => checked.and(limited),
            Refusal::RateLimit => limited.and(checked),
        };
        let is_limited = admitted.as_ref().is_err_and(|error| error.code == Code::SlowDown);
        self.rate_limited += usize::from(is_limited);
        admitted
    }

    /// Replaces the object, after [`admit`](Self::admit).
    pub(super) fn write(&mut self, key: &str, content: Content) -> Object {
        let object = Object { content, generation: self.next_generation(), modified: SystemTime::now().into() };
        self.objects.insert(key.to_owned(), object.clone());
        self.write_limit.count(key);
        object
    }

    /// Microseconds since 1970, and more than the last one.
    pub(super) fn next_generation(&mut self) -> u64 {
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros());
        self.last_generation = u64::try_from(now).unwrap_or(0).max(self.last_generation + 1);
        self.last_generation
    }
}

pub(crate) fn no_such_key(key: &str) -> Error {
    Error::new(Code::NoSuchKey, format_args!("No such object: {}/{key}", crate::BUCKET))
}

pub(crate) fn hex_md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
