//! A request that has arrived completely: its bucket, object, parameters and conditions.

use crate::error::{Code, Error, Result};
use bytes::Bytes;
use hyper::{
    HeaderMap, Method,
    header::{AUTHORIZATION, HeaderName, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE},
    http::request::Parts,
};
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

/// Headers of Google that the server evaluates, or that are allowed to have no effect on it.
const KNOWN: [&str; 5] = [
    "x-goog-if-generation-match",
    "x-goog-copy-source",
    "x-goog-metadata-directive",
    "x-goog-user-project",
    "x-goog-api-version",
];

/// A request that has arrived completely.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) bucket: String,
    /// Empty for a request to the bucket.
    pub(crate) key: String,
    parameters: BTreeMap<String, String>,
    headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    /// Names in the path are decoded once: `%2F` is a slash of the name, and `%252F` isn't
    /// (<https://cloud.google.com/storage/docs/request-endpoints#encoding>).
    pub(crate) fn parse(head: Parts, body: Bytes) -> Result<Self> {
        let path = head.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let mut parameters = BTreeMap::new();
        for pair in head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // Only in a query, a plus sign is a space.
            parameters.insert(decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?);
        }
        let request = Self {
            method: head.method,
            bucket: decode(bucket)?,
            key: valid_key(decode(key)?)?,
            parameters,
            headers: head.headers,
            body,
        };
        request.refuse_unknown_headers()?;
        Ok(request)
    }

    /// A header that this server ignored could be a condition that doesn't hold.
    fn refuse_unknown_headers(&self) -> Result<()> {
        let is_unknown = |name: &&HeaderName| {
            let is_of_google = name.as_str().starts_with("x-goog-") && !KNOWN.contains(&name.as_str());
            is_of_google || [&IF_MODIFIED_SINCE, &IF_UNMODIFIED_SINCE].contains(name)
        };
        match self.headers.keys().find(is_unknown) {
            Some(name) => Err(Error::new(Code::NotImplemented, format_args!("the header {name}"))),
            None => Ok(()),
        }
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// A parameter that is a number.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let invalid = |text: &str| Error::new(Code::InvalidArgument, format_args!("{name} {text:?} isn't valid"));
        self.parameter(name).map(|text| text.parse().map_err(|_| invalid(text))).transpose()
    }

    pub(crate) fn header(&self, name: impl AsRef<str>) -> Result<Option<&str>> {
        let name = name.as_ref();
        let invalid = |_| Error::new(Code::InvalidArgument, format_args!("the header {name}"));
        self.headers.get(name).map(|value| value.to_str().map_err(invalid)).transpose()
    }

    pub(crate) fn has_token(&self, token: &str) -> bool {
        let sent = self.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        sent.and_then(|sent| sent.strip_prefix("Bearer ")) == Some(token)
    }

    /// The generation that the object must have; 0 if there must be none
    /// (<https://cloud.google.com/storage/docs/request-preconditions#special-case>).
    pub(crate) fn expected_generation(&self) -> Result<Option<u64>> {
        let Some(text) = self.header("x-goog-if-generation-match")? else { return Ok(None) };
        let generation = text.parse();
        Ok(Some(
            generation.map_err(|_| Error::new(Code::InvalidArgument, "x-goog-if-generation-match isn't a number"))?,
        ))
    }

    /// The bucket and the object of a copy's source.
    pub(crate) fn copy_source(&self) -> Result<Option<(String, String)>> {
        let Some(source) = self.header("x-goog-copy-source")? else { return Ok(None) };
        let invalid = || Error::new(Code::InvalidArgument, "x-goog-copy-source isn't BUCKET/OBJECT");
        let (bucket, key) = source.trim_start_matches('/').split_once('/').ok_or_else(invalid)?;
        Ok(Some((decode(bucket)?, decode(key)?)))
    }
}

/// Decodes `%XX`. Everything else stands for itself.
fn decode(text: &str) -> Result<String> {
    let invalid = || Error::new(Code::InvalidURI, format_args!("{text:?} isn't percent-encoded UTF-8"));
    let is_escape = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !text.split('%').skip(1).all(is_escape) {
        return Err(invalid());
    }
    Ok(percent_decode_str(text).decode_utf8().map_err(|_| invalid())?.into_owned())
}

/// <https://cloud.google.com/storage/docs/objects#naming>
fn valid_key(key: String) -> Result<String> {
    if key.len() > 1024 {
        return Err(Error::new(Code::KeyTooLong, format_args!("{} bytes", key.len())));
    }
    if key.contains(['\r', '\n']) || [".", ".."].contains(&key.as_str()) {
        return Err(Error::new(Code::InvalidArgument, format_args!("{key:?} isn't the name of an object")));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str) -> Result<Request> {
        let (head, ()) = hyper::Request::get(uri).body(()).unwrap().into_parts();
        Request::parse(head, Bytes::new())
    }

    #[test]
    fn names_are_decoded_exactly_once() {
        for (encoded, key) in [
            ("a%2Fb/c", "a/b/c"),
            ("a%252Fb", "a%2Fb"),
            ("a+b%2Bc%20d", "a+b+c d"),
            ("%C3%A4%00%7F", "\u{e4}\0\u{7f}"),
            ("a//b/", "a//b/"),
            ("%3Fa%23", "?a#"),
            ("", ""),
        ] {
            let request = parse(&format!("/buck%65t/{encoded}?prefix=a%2Bb+c%2F&uploads")).unwrap();
            assert_eq!((request.bucket.as_str(), request.key.as_str()), ("bucket", key));
            assert_eq!(request.parameter("prefix"), Some("a+b c/"));
            assert_eq!(request.parameter("uploads"), Some(""));
        }
    }

    #[test]
    fn invalid_names_are_refused() {
        let long = "a".repeat(1025);
        for (encoded, code) in [
            ("%", Code::InvalidURI),
            ("%4", Code::InvalidURI),
            ("%zz", Code::InvalidURI),
            ("%FF", Code::InvalidURI),
            ("%2E%2E", Code::InvalidArgument),
            ("a%0A", Code::InvalidArgument),
            (long.as_str(), Code::KeyTooLong),
        ] {
            assert_eq!(parse(&format!("/bucket/{encoded}")).map(|_| ()).unwrap_err().code, code, "{encoded}");
        }
        assert!(parse(&format!("/bucket/{}", &long[1..])).is_ok());
    }
}
