//! Answers that no object store gives, or that need a repair of the configuration: errors with a type.

use super::{peek::peek, target::Target};
use crate::{failure::Cause, redact::element, web_page::is_web_page};
use hyper::{Method, StatusCode};
use object_store::client::{HttpError, HttpErrorKind, HttpResponse};

/// How much of a body is read to recognize a web page.
const PAGE_START: usize = 256;

/// How much of a body is read to find the code of an error.
const ERROR_SIZE: usize = 16 << 10;

impl Target {
    /// Returns the answer, unless its cause is known. These errors are permanent, so the client must not retry the request.
    pub(super) async fn inspect(&self, answer: HttpResponse) -> Result<HttpResponse, HttpError> {
        let (answer, cause) = match self.by_head(&answer) {
            Some(cause) => (answer, Some(cause)),
            None => self.by_body(answer).await?,
        };
        match cause {
            Some(cause) => Err(self.failed(HttpErrorKind::Unknown, cause, None)),
            None => Ok(answer),
        }
    }

    /// The problem that the status and the headers show.
    fn by_head(&self, answer: &HttpResponse) -> Option<Cause> {
        let status = answer.status();
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Some(Cause::ProxyAuthentication);
        }
        if self.asks_for_credentials() {
            // Without a token, 403 may mean that the service is one of an earlier version, which the client asks next.
            let is_final = status.is_client_error() && !is_retried(status) && status != StatusCode::FORBIDDEN;
            return is_final.then(|| Cause::Status(status.as_u16()));
        }
        if matches!(header(answer, "x-ms-error-code"), Some("ContainerNotFound" | "AccountNotFound")) {
            return Some(Cause::NoBucket);
        }
        let region = header(answer, "x-amz-bucket-region").and_then(region);
        match status {
            StatusCode::MOVED_PERMANENTLY if region.is_some() => Some(Cause::OtherRegion(region)),
            // The answer to a HEAD has no body, and so no code.
            StatusCode::BAD_REQUEST
                if self.method == Method::HEAD && region.is_some() && region != self.signed_region =>
            {
                Some(Cause::OtherRegion(region))
            }
            StatusCode::OK if self.method == Method::HEAD => {
                // Every object has a tag. A server may give all objects the type of a web page.
                let is_page = is_html(answer) && header(answer, "etag").is_none();
                is_page.then_some(Cause::WebPage)
            }
            _ => None,
        }
    }

    /// The problem that the body shows. Only answers to reads, errors, and answers with the type of a web page are examined.
    async fn by_body(&self, answer: HttpResponse) -> Result<(HttpResponse, Option<Cause>), HttpError> {
        let status = answer.status();
        let wanted = match status {
            _ if self.method == Method::HEAD || is_retried(status) || refuses_a_condition(status) => 0,
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::MOVED_PERMANENTLY => ERROR_SIZE,
            _ if is_html(&answer) || status == StatusCode::OK && self.method == Method::GET => PAGE_START,
            _ => 0,
        };
        if wanted == 0 {
            return Ok((answer, None));
        }
        let (answer, body) = peek(answer, wanted).await?;
        let text = String::from_utf8_lossy(&body);
        let cause = match (status, element(&text, "Code")) {
            (StatusCode::NOT_FOUND, Some("NoSuchBucket" | "ContainerNotFound")) => Some(Cause::NoBucket),
            (StatusCode::MOVED_PERMANENTLY, Some("PermanentRedirect")) => Some(Cause::OtherRegion(None)),
            (StatusCode::BAD_REQUEST, Some("AuthorizationHeaderMalformed")) => {
                let region = element(&text, "Region").and_then(region);
                region.map(|region| Cause::OtherRegion(Some(region)))
            }
            _ => None,
        };
        // A server of tests may say in a web page that an object doesn't exist.
        let may_be_object_missing = status == StatusCode::NOT_FOUND && !self.is_listing;
        let is_page = || !may_be_object_missing && is_web_page(header(&answer, "content-type"), &body);
        let cause = cause.or_else(|| is_page().then_some(Cause::WebPage));
        Ok((answer, cause))
    }
}

/// Whether the status is sufficient: a condition or a range doesn't hold. A frontend may send a page with it.
fn refuses_a_condition(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::CONFLICT
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::NOT_MODIFIED
            | StatusCode::RANGE_NOT_SATISFIABLE
    )
}

/// Whether the client retries a request with this status.
fn is_retried(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

fn is_html(answer: &HttpResponse) -> bool {
    is_web_page(header(answer, "content-type"), b"<!--")
}

fn header<'a>(answer: &'a HttpResponse, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

/// The name of a region, if it is one.
fn region(name: &str) -> Option<String> {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!name.is_empty() && name.len() <= 64 && name.bytes().all(is_name)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::proxies::Proxies;
    use object_store::{
        ClientOptions,
        client::{HttpRequest, HttpRequestBody},
    };
    use std::error::Error;

    const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=AKID/20261101/us-east-1/s3/aws4_request";

    /// The problem of an answer; empty if there is none.
    async fn found(method: Method, status: u16, headers: &[(&'static str, &str)], body: &str) -> String {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = "https://store.invalid/a".parse().unwrap();
        request.headers_mut().insert("authorization", SIGNATURE.parse().unwrap());
        *request.method_mut() = method;
        let target = Target::new(&request, &Proxies::new(&ClientOptions::new()));
        let mut answer = HttpResponse::new(body.to_owned().into());
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            answer.headers_mut().insert(*name, value.parse().unwrap());
        }
        match target.inspect(answer).await {
            Ok(answer) => {
                assert_eq!(answer.into_body().bytes().await.unwrap(), body);
                String::new()
            }
            Err(error) => {
                assert_eq!(error.kind(), HttpErrorKind::Unknown, "{error}");
                error.source().unwrap().to_string()
            }
        }
    }

    #[tokio::test]
    async fn answer_to_a_head_is_explained_by_its_headers() {
        let html = ("content-type", "text/html");
        for (status, headers, text) in [
            (200, &[html][..], "a web page"),
            (200, &[html, ("etag", "\"a\"")], ""),
            (400, &[("x-amz-bucket-region", "eu-west-1")], "the region eu-west-1"),
            (400, &[("x-amz-bucket-region", "us-east-1")], ""),
            (400, &[("x-amz-bucket-region", "see <b>")], ""),
            (404, &[("x-ms-error-code", "ContainerNotFound")], "no such bucket"),
            (404, &[("x-ms-error-code", "BlobNotFound")], ""),
        ] {
            let found = found(Method::HEAD, status, headers, "").await;
            assert!(found.contains(text) && found.is_empty() == text.is_empty(), "{headers:?}: {found}");
        }
    }

    /// Servers written with a web framework give empty answers the type of a web page.
    #[tokio::test]
    async fn answer_to_a_write_is_a_page_only_if_it_has_one() {
        let html = [("content-type", "text/html; charset=utf-8")];
        assert_eq!(found(Method::PUT, 200, &html, "").await, "");
        assert_eq!(found(Method::POST, 200, &html, "<DeleteResult/>").await, "");
        assert!(found(Method::PUT, 200, &html, "<!doctype html>").await.contains("a web page"));
        // The client retries these, and shows the status.
        assert_eq!(found(Method::PUT, 503, &html, "<!doctype html>").await, "");
    }
}
