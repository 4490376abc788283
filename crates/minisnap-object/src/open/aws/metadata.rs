//! The answers of the instance metadata service. The client builds a header and a URL from them, and panics if it can't.

use crate::http::Connector;
use object_store::{
    ClientOptions, Result,
    client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService},
};
use std::{error::Error, fmt};

/// The ends of the paths at which the service answers with one word: a token, and the name of a role. No object of this crate
/// has such a name.
const ONE_WORD: [&str; 2] = ["/latest/api/token", "/latest/meta-data/iam/security-credentials/"];

/// Makes HTTP clients that reject answers at which the client would panic.
#[derive(Debug)]
pub(super) struct AwsConnector {
    http: Connector,
}

impl AwsConnector {
    pub(super) fn new(http: Connector) -> Self {
        Self { http }
    }
}

impl HttpConnector for AwsConnector {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        Ok(HttpClient::new(CheckedAnswers { http: self.http.connect(options)? }))
    }
}

#[derive(Debug)]
struct CheckedAnswers {
    http: HttpClient,
}

#[minisnap_core::async_trait]
impl HttpService for CheckedAnswers {
    async fn call(&self, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        let is_one_word = ONE_WORD.iter().any(|end| request.uri().path().ends_with(end));
        let response = self.http.execute(request).await?;
        if !is_one_word || !response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = body.bytes().await?;
        let word = word(&body).ok_or_else(|| HttpError::new(HttpErrorKind::Decode, NoMetadata))?;
        Ok(HttpResponse::from_parts(parts, word.to_owned().into()))
    }
}

/// The first line of an answer, if a role or a token can look so.
fn word(body: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(body).ok()?.lines().next()?.trim();
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@-_/~".contains(&byte);
    (!line.is_empty() && line.bytes().all(is_allowed)).then_some(line)
}

/// Another program answered, such as a captive portal.
#[derive(Debug)]
struct NoMetadata;

impl fmt::Display for NoMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer isn't one of the instance metadata service")
    }
}

impl Error for NoMetadata {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_is_the_first_line_of_a_valid_answer() {
        assert_eq!(word(b"AQAEAL-x_y=="), Some("AQAEAL-x_y=="));
        assert_eq!(word(b"my-role\r\nother-role\n"), Some("my-role"));
        for answer in [&b""[..], b"\n", b"<html>", b"two words", b"\xff", "r\u{f6}le".as_bytes()] {
            assert_eq!(word(answer), None, "{answer:?}");
        }
    }
}
