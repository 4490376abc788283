//! Errors, with Google's codes, as answers in XML.
//!
//! The form: <https://cloud.google.com/storage/docs/xml-api/reference-status>. The text of `SlowDown` is one that users quote:
//! <https://github.com/delta-io/delta-rs/issues/2451>.

use crate::xml;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use std::fmt::Display;

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A request that isn't carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    pub(crate) code: Code,
    details: String,
}

/// Google's name of an error, in the element `Code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    AuthenticationRequired,
    EntityTooSmall,
    IncompleteBody,
    InvalidArgument,
    InvalidPart,
    InvalidPartOrder,
    InvalidRange,
    InvalidURI,
    KeyTooLong,
    MalformedXML,
    MethodNotAllowed,
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    NotImplemented,
    NotModified,
    PreconditionFailed,
    SlowDown,
}

impl Code {
    fn status_and_message(self) -> (StatusCode, &'static str) {
        match self {
            Self::AuthenticationRequired => (StatusCode::UNAUTHORIZED, "Authentication required."),
            Self::EntityTooSmall => (StatusCode::BAD_REQUEST, "Your proposed upload is smaller than the minimum size."),
            Self::IncompleteBody => (StatusCode::BAD_REQUEST, "The body has fewer bytes than the header says."),
            Self::InvalidArgument => (StatusCode::BAD_REQUEST, "Invalid argument."),
            Self::InvalidPart => (StatusCode::BAD_REQUEST, "A part wasn't found, or has another entity tag."),
            Self::InvalidPartOrder => (StatusCode::BAD_REQUEST, "The parts aren't in ascending order."),
            Self::InvalidRange => (StatusCode::RANGE_NOT_SATISFIABLE, "The requested range cannot be satisfied."),
            Self::InvalidURI => (StatusCode::BAD_REQUEST, "Couldn't parse the specified URI."),
            Self::KeyTooLong => (StatusCode::BAD_REQUEST, "The name of an object has at most 1024 bytes."),
            Self::MalformedXML => (StatusCode::BAD_REQUEST, "The XML you provided was not well-formed."),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "The method is not allowed here."),
            Self::NoSuchBucket => (StatusCode::NOT_FOUND, "The specified bucket does not exist."),
            Self::NoSuchKey => (StatusCode::NOT_FOUND, "The specified key does not exist."),
            Self::NoSuchUpload => (StatusCode::NOT_FOUND, "The requested upload was not found."),
            Self::NotImplemented => (StatusCode::NOT_IMPLEMENTED, "The emulator doesn't implement this."),
            Self::NotModified => (StatusCode::NOT_MODIFIED, "The object has not been modified."),
            Self::PreconditionFailed => {
                (StatusCode::PRECONDITION_FAILED, "At least one of the pre-conditions you specified did not hold.")
            }
            Self::SlowDown => (
                StatusCode::TOO_MANY_REQUESTS,
                "The object exceeded the rate limit for object mutation operations (create, update, and delete). Please \
                 reduce your request rate. See https://cloud.google.com/storage/docs/gcs429.",
            ),
        }
    }
}

impl Error {
    pub(crate) fn new(code: Code, details: impl Display) -> Self {
        Self { code, details: details.to_string() }
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let (status, message) = self.code.status_and_message();
        // The name of a variant is Google's code.
        let code = format!("{:?}", self.code);
        let body = xml::document("Error", &[("Code", &code), ("Message", message), ("Details", &self.details)]);
        let mut response = xml::response(body);
        *response.status_mut() = status;
        response
    }
}
