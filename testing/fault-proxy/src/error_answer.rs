//! Errors as stores, load balancers and proxies answer them.

use crate::{message::Answer, rng::Rng};
use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode, header};

/// The statuses, with the code that S3 has in the body. A GET or HEAD never gets 404, because a missing object breaks S2.
const ERRORS: [(u16, &str); 12] = [
    (400, "InvalidRequest"),
    (403, "AccessDenied"),
    (404, "NoSuchKey"),
    (408, "RequestTimeout"),
    (409, "ConditionalRequestConflict"),
    (412, "PreconditionFailed"),
    (429, "TooManyRequests"),
    (500, "InternalError"),
    (501, "NotImplemented"),
    (502, "BadGateway"),
    (503, "SlowDown"),
    (504, "GatewayTimeout"),
];

/// Draws an error: its status, and a body of XML, of HTML, or none.
pub(crate) fn draw(rng: &mut Rng, method: &Method) -> Answer {
    let reads = [Method::GET, Method::HEAD].contains(method);
    let (status, code) = loop {
        let (status, code) = rng.pick(&ERRORS);
        if status != 404 || !reads {
            break (status, code);
        }
    };
    let (kind, body) = match rng.below(3) {
        0 => (
            "application/xml",
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>injected</Message></Error>"),
        ),
        1 => ("text/html", format!("<html><head><title>{code}</title></head><body>{status}</body></html>")),
        _ => ("", String::new()),
    };
    let mut headers = HeaderMap::new();
    if !kind.is_empty() {
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    }
    let body = if *method == Method::HEAD { Bytes::new() } else { Bytes::from(body) };
    Answer::new(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), headers, body)
}
