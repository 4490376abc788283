//! Documents in XML.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response,
    header::{CONTENT_TYPE, HeaderValue},
};
use quick_xml::escape::escape;

/// `<name>text</name>`, escaped.
pub(crate) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// An element with these elements, in this order.
pub(crate) fn group(name: &str, elements: &[(&str, &str)]) -> String {
    let elements: String = elements.iter().map(|(name, text)| element(name, text)).collect();
    format!("<{name}>{elements}</{name}>")
}

/// A document of one group.
pub(crate) fn document(name: &str, elements: &[(&str, &str)]) -> String {
    with_declaration(&group(name, elements))
}

pub(crate) fn with_declaration(root: &str) -> String {
    format!("<?xml version='1.0' encoding='UTF-8'?>{root}")
}

/// An answer with a document.
pub(crate) fn response(document: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(document)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=UTF-8"));
    response
}
