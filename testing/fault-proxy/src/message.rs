//! Requests and answers, complete with their bodies.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::{Body, Frame},
    header::{self, HeaderName, HeaderValue},
};
use std::{io, time::Duration};

pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, io::Error>;

/// The headers of one connection, which a proxy doesn't forward.
const OF_CONNECTION: [HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::CONTENT_LENGTH,
];

/// How long the client may take to read the first half of a truncated body. Without this pause, the connection would end
/// before the half is sent.
const BEFORE_TRUNCATION: Duration = Duration::from_millis(5);

/// A complete request.
#[derive(Debug, Clone)]
pub(crate) struct CompleteRequest {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    /// With the client's `Host`, which its signature covers.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl CompleteRequest {
    /// Receives a request with its body.
    pub(crate) async fn receive<B: Body>(request: Request<B>) -> Result<Self, B::Error> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Self { method: parts.method, uri: parts.uri, headers: of_message(parts.headers), body })
    }

    /// The request as it is sent to the server at `endpoint`.
    pub(crate) fn for_server(&self, endpoint: &str) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder().method(&self.method).uri(format!("{endpoint}{path}"));
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&self.headers);
        }
        request.body(Full::new(self.body.clone()))
    }

    pub(crate) fn header(&self, name: HeaderName) -> Option<String> {
        text(self.headers.get(name))
    }

    /// The path and the query, percent-encoded as the client sent them.
    pub(crate) fn target(&self) -> String {
        self.uri.path_and_query().map_or_else(String::new, |path| path.as_str().to_owned())
    }
}

/// A complete answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the connection ends in the middle of the body.
    pub(crate) truncated: bool,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self { status, headers, body, truncated: false }
    }

    /// Receives an answer with its body.
    pub(crate) async fn receive<B: Body>(answer: Response<B>) -> Result<Self, B::Error> {
        let (parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        let mut headers = parts.headers;
        // The answer to a HEAD has the length of a body that it doesn't have.
        let length = headers.get(header::CONTENT_LENGTH).cloned().filter(|_| body.is_empty());
        headers = of_message(headers);
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, length);
        }
        Ok(Self::new(parts.status, headers, body))
    }

    pub(crate) fn tag(&self) -> Option<String> {
        text(self.headers.get(header::ETAG))
    }

    pub(crate) fn set_tag(&mut self, tag: Option<String>) {
        match tag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
            Some(tag) => drop(self.headers.insert(header::ETAG, tag)),
            None => drop(self.headers.remove(header::ETAG)),
        }
    }

    pub(crate) fn into_response(self) -> Response<AnswerBody> {
        let Self { status, mut headers, body, truncated } = self;
        let body = match truncated {
            false => Full::new(body).map_err(|never| match never {}).boxed_unsync(),
            true => {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
                truncated_body(body)
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

/// The first half of a body, and then the end of the connection.
fn truncated_body(body: Bytes) -> AnswerBody {
    let half = stream::iter([Ok(Frame::data(body.slice(..body.len() / 2)))]);
    let end = stream::once(async {
        tokio::time::sleep(BEFORE_TRUNCATION).await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    StreamBody::new(half.chain(end)).boxed_unsync()
}

fn of_message(mut headers: HeaderMap) -> HeaderMap {
    OF_CONNECTION.iter().for_each(|name| drop(headers.remove(name)));
    headers
}

fn text(value: Option<&HeaderValue>) -> Option<String> {
    Some(value?.to_str().ok()?.to_owned())
}
