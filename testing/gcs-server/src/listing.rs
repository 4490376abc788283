//! Listings, in pages.
//!
//! <https://cloud.google.com/storage/docs/xml-api/get-bucket-list>, version 2: in the order of the names' bytes. Names with the
//! delimiter after the prefix are grouped: each group is one entry, a common prefix.

use crate::{
    BUCKET,
    bucket::{Bucket, Object},
    error::{Code, Error, Result},
    request::Request,
    xml,
};
use chrono::SecondsFormat;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::ops::Bound;

/// A page has at most this many entries.
const MAX_KEYS: usize = 1000;

/// The parameters of a listing.
#[derive(Debug, Default)]
pub(crate) struct ListRequest {
    prefix: String,
    delimiter: Option<String>,
    max_keys: usize,
    start_after: String,
    /// The name that the token of the page before stands for.
    continue_after: Option<String>,
}

impl ListRequest {
    pub(crate) fn parse(request: &Request) -> Result<Self> {
        if request.parameter("list-type") != Some("2") {
            return Err(Error::new(Code::NotImplemented, "a listing that isn't of version 2"));
        }
        let text = |name| request.parameter(name).unwrap_or_default().to_owned();
        Ok(Self {
            prefix: text("prefix"),
            delimiter: request.parameter("delimiter").filter(|delimiter| !delimiter.is_empty()).map(str::to_owned),
            max_keys: request.number("max-keys")?.unwrap_or(MAX_KEYS).min(MAX_KEYS),
            start_after: text("start-after"),
            continue_after: request.parameter("continuation-token").map(name_of).transpose()?,
        })
    }

    /// Only names greater than this one are listed.
    fn after(&self) -> &str {
        match &self.continue_after {
            Some(name) => name.max(&self.start_after),
            None => &self.start_after,
        }
    }

    /// The common prefix that stands for this name.
    fn group<'a>(&self, name: &'a str) -> Option<&'a str> {
        let delimiter = self.delimiter.as_deref()?;
        let at = name[self.prefix.len()..].find(delimiter)?;
        Some(&name[..self.prefix.len() + at + delimiter.len()])
    }
}

/// A page of a listing.
#[derive(Debug, Default)]
struct Page<'a> {
    objects: Vec<(&'a str, &'a Object)>,
    groups: Vec<&'a str>,
    /// The token of the next page, if there is one.
    next: Option<String>,
}

impl Page<'_> {
    fn entries(&self) -> usize {
        self.objects.len() + self.groups.len()
    }
}

impl Bucket {
    /// The document of a page.
    pub(crate) fn list(&self, request: &ListRequest) -> String {
        let page = self.page(request);
        let mut root = String::from("<ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>");
        root += &xml::element("Name", BUCKET);
        root += &xml::element("Prefix", &request.prefix);
        root += &xml::element("MaxKeys", &request.max_keys.to_string());
        root += &xml::element("IsTruncated", &page.next.is_some().to_string());
        root += &xml::element("KeyCount", &page.entries().to_string());
        if let Some(next) = &page.next {
            root += &xml::element("NextContinuationToken", next);
        }
        for (name, object) in page.objects {
            root += &xml::group(
                "Contents",
                &[
                    ("Key", name),
                    ("Generation", &object.generation.to_string()),
                    ("MetaGeneration", "1"),
                    ("LastModified", &object.modified.to_rfc3339_opts(SecondsFormat::Millis, true)),
                    ("ETag", &object.etag()),
                    ("Size", &object.content.bytes.len().to_string()),
                ],
            );
        }
        for group in page.groups {
            root += &xml::group("CommonPrefixes", &[("Prefix", group)]);
        }
        xml::with_declaration(&(root + "</ListBucketResult>"))
    }

    fn page(&self, request: &ListRequest) -> Page<'_> {
        let mut page = Page::default();
        let mut last: Option<(&str, &Object)> = None;
        // A name that equals the prefix belongs to the listing.
        let from = match request.after() < request.prefix.as_str() {
            true => Bound::Included(request.prefix.as_str()),
            false => Bound::Excluded(request.after()),
        };
        let listed = self.objects.range::<str, _>((from, Bound::Unbounded));
        for (name, object) in listed.take_while(|(name, _)| name.starts_with(&request.prefix)) {
            let group = request.group(name);
            let is_new = group.is_none() || page.groups.last() != group.as_ref();
            if is_new && page.entries() == request.max_keys {
                page.next = last.map(|(name, object)| token(name, object.generation));
                return page;
            }
            match group {
                Some(group) if is_new => page.groups.push(group),
                Some(_) => {}
                None => page.objects.push((name, object)),
            }
            last = Some((name, object));
        }
        page
    }
}

/// The token of the page after this object: the object's generation and name, encoded.
fn token(name: &str, generation: u64) -> String {
    format!("{generation}.{}", utf8_percent_encode(name, NON_ALPHANUMERIC))
}

/// The name in a token.
fn name_of(token: &str) -> Result<String> {
    let name = token.split_once('.').and_then(|(_, name)| percent_decode_str(name).decode_utf8().ok());
    name.map(Into::into).ok_or_else(|| Error::new(Code::InvalidArgument, "continuation-token"))
}
