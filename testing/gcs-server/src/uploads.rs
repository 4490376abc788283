//! Multipart uploads.
//!
//! <https://cloud.google.com/storage/docs/multipart-uploads>: an upload is initiated, gets parts, and is completed or aborted.
//! After that its id is unknown, and so are its parts.

use crate::{
    bucket::{Bucket, Content, Object, hex_md5},
    error::{Code, Error, Result},
};
use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
};

/// Each part except the last has at least this many bytes (<https://cloud.google.com/storage/quotas#requests>).
const MIN_PART: usize = 5 << 20;

/// <https://cloud.google.com/storage/docs/xml-api/put-object-multipart>
const PART_NUMBERS: RangeInclusive<u32> = 1..=10_000;

/// The unfinished uploads, by id.
#[derive(Debug, Default)]
pub(crate) struct Uploads(HashMap<String, Upload>);

#[derive(Debug)]
struct Upload {
    key: String,
    parts: BTreeMap<u32, Part>,
}

#[derive(Debug)]
struct Part {
    bytes: Bytes,
    md5: String,
}

/// The parts that a completion names, in their order in the object.
#[derive(Debug, Deserialize)]
pub(crate) struct CompleteMultipartUpload {
    #[serde(rename = "Part", default)]
    parts: Vec<NamedPart>,
}

#[derive(Debug, Deserialize)]
struct NamedPart {
    #[serde(rename = "PartNumber")]
    number: u32,
    #[serde(rename = "ETag")]
    etag: String,
}

impl CompleteMultipartUpload {
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        let named: Self = quick_xml::de::from_reader(body).map_err(|error| Error::new(Code::MalformedXML, error))?;
        match named.parts.is_empty() {
            true => Err(Error::new(Code::MalformedXML, "it names no part")),
            false => Ok(named),
        }
    }
}

impl Upload {
    /// The bytes of the named parts.
    fn join(&self, named: &CompleteMultipartUpload) -> Result<Bytes> {
        if !named.parts.is_sorted_by(|a, b| a.number < b.number) {
            return Err(Error::new(Code::InvalidPartOrder, ""));
        }
        let mut joined = BytesMut::new();
        for (index, NamedPart { number, etag }) in named.parts.iter().enumerate() {
            let part = self.parts.get(number).filter(|part| part.md5 == etag.trim_matches('"'));
            let part = part.ok_or_else(|| Error::new(Code::InvalidPart, format_args!("part {number}")))?;
            let is_last = index + 1 == named.parts.len();
            if !is_last && part.bytes.len() < MIN_PART {
                return Err(Error::new(Code::EntityTooSmall, format_args!("part {number} has less than 5 MiB")));
            }
            joined.extend_from_slice(&part.bytes);
        }
        Ok(joined.freeze())
    }
}

impl Bucket {
    /// Returns the id of the upload.
    pub(crate) fn initiate_upload(&mut self, key: &str) -> String {
        let id = format!("upload-{:x}", self.next_generation());
        self.uploads.0.insert(id.clone(), Upload { key: key.to_owned(), parts: BTreeMap::new() });
        id
    }

    /// Stores a part, also in place of an earlier one with its number. Returns its ETag.
    pub(crate) fn put_part(&mut self, key: &str, id: &str, number: u32, bytes: Bytes) -> Result<String> {
        if !PART_NUMBERS.contains(&number) {
            return Err(Error::new(Code::InvalidArgument, format_args!("partNumber {number}")));
        }
        let md5 = hex_md5(&bytes);
        let etag = format!("\"{md5}\"");
        self.upload(key, id)?.parts.insert(number, Part { bytes, md5 });
        Ok(etag)
    }

    /// Replaces the object by the named parts. If the rate limit refuses that, the upload can be completed later.
    pub(crate) fn complete_upload(&mut self, key: &str, id: &str, named: &CompleteMultipartUpload) -> Result<Object> {
        let joined = self.upload(key, id)?.join(named)?;
        self.admit(key, Ok(()))?;
        self.uploads.0.remove(id);
        Ok(self.write(key, Content::without_md5(joined)))
    }

    pub(crate) fn abort_upload(&mut self, key: &str, id: &str) -> Result<()> {
        self.upload(key, id)?;
        self.uploads.0.remove(id);
        Ok(())
    }

    pub(crate) fn unfinished_uploads(&self) -> usize {
        self.uploads.0.len()
    }

    fn upload(&mut self, key: &str, id: &str) -> Result<&mut Upload> {
        let upload = self.uploads.0.get_mut(id).filter(|upload| upload.key == key);
        upload.ok_or_else(|| Error::new(Code::NoSuchUpload, format_args!("{key}, {id}")))
    }
}
