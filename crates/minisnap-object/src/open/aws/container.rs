//! Credentials from the service of a container: Amazon ECS, EKS Pod Identity, and services with the same interface.
//
// 1. Credentials are used until five minutes before they expire.
// 2. Then the service is asked, with the token as it is now: a token file changes.
// 3. A failed request is repeated after a backoff. If all fail, the old credentials are used as long as they are valid.

use crate::http::Connector;
use minisnap_core::{Bytes, async_trait};
use object_store::{
    ClientOptions, CredentialProvider, Error, HeaderValue, Result, RetryConfig,
    aws::AwsCredential,
    client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody},
};
use std::{
    fmt, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{sync::Mutex, time::Instant};

/// How long before their end credentials are renewed.
const RENEWAL: Duration = Duration::from_secs(5 * 60);

type StdError = Box<dyn std::error::Error + Send + Sync>;

/// What proves to the service that the caller is the container.
pub(super) enum Token {
    Value(String),
    File(PathBuf),
}

pub(super) struct ContainerCredentials {
    uri: String,
    token: Option<Token>,
    http: HttpClient,
    retry: RetryConfig,
    cached: Mutex<Option<Cached>>,
}

#[derive(Clone)]
struct Cached {
    credential: Arc<AwsCredential>,
    /// `None` if they don't expire.
    expires: Option<SystemTime>,
}

impl Cached {
    fn is_valid_for(&self, time: Duration) -> bool {
        self.expires.is_none_or(|expires| expires > SystemTime::now() + time)
    }
}

impl ContainerCredentials {
    /// `uri` must have been checked to be a URL.
    pub(super) fn new(
        uri: String,
        token: Option<Token>,
        connector: &Connector,
        http: ClientOptions,
        retry: RetryConfig,
    ) -> Result<Self> {
        let http = http.with_allow_http(true).with_connect_timeout(Duration::from_secs(2));
        let http = connector.connect(&http)?;
        Ok(Self { uri, token, http, retry, cached: Mutex::default() })
    }

    async fn fetch(&self) -> Result<Cached, StdError> {
        let (start, mut backoff, mut retries) = (Instant::now(), self.retry.backoff.init_backoff, 0);
        loop {
            let failure = match self.request().await {
                Ok(answer) => return parse(&answer),
                Err(failure) => failure,
            };
            let is_late = start.elapsed() + backoff > self.retry.retry_timeout;
            if !failure.is_transient || retries == self.retry.max_retries || is_late {
                return Err(failure.source);
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(self.retry.backoff.max_backoff);
            retries += 1;
        }
    }

    async fn request(&self) -> Result<Bytes, Failure> {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = self.uri.parse().map_err(Failure::permanent)?;
        if let Some(token) = self.token().await? {
            let mut token = HeaderValue::try_from(token).map_err(|_| Failure::permanent(INVALID_TOKEN))?;
            token.set_sensitive(true);
            request.headers_mut().insert("authorization", token);
        }
        let response = self.http.execute(request).await.map_err(Failure::transient)?;
        let status = response.status();
        if !status.is_success() {
            let failed = format!("Server returned non-2xx status code: {status}");
            let is_transient = status.is_server_error() || status.as_u16() == 429;
            return Err(Failure { source: failed.into(), is_transient });
        }
        response.into_body().bytes().await.map_err(Failure::transient)
    }

    /// The token without white space at its ends: many files end with a line break.
    async fn token(&self) -> Result<Option<String>, Failure> {
        match &self.token {
            None => Ok(None),
            Some(Token::Value(token)) => Ok(Some(token.clone())),
            Some(Token::File(path)) => {
                let unreadable =
                    |error: io::Error| Failure::permanent(format!("the token file {}: {error}", path.display()));
                let file = path.clone();
                let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(file)).await;
                let token = read.map_err(Failure::permanent)?.map_err(unreadable)?;
                Ok(Some(token.trim().to_owned()))
            }
        }
    }
}

#[async_trait]
impl CredentialProvider for ContainerCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> Result<Arc<AwsCredential>> {
        let mut cached = self.cached.lock().await;
        // 1.
        if let Some(valid) = cached.as_ref().filter(|cached| cached.is_valid_for(RENEWAL)) {
            return Ok(valid.credential.clone());
        }
        // 2.
        match (self.fetch().await, cached.as_ref()) {
            (Ok(fetched), _) => Ok(cached.insert(fetched).credential.clone()),
            // 3.
            (Err(_), Some(old)) if old.is_valid_for(Duration::ZERO) => Ok(old.credential.clone()),
            (Err(source), _) => Err(Error::Generic { store: "container credentials", source }),
        }
    }
}

/// Without the token.
impl fmt::Debug for ContainerCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerCredentials").field("uri", &self.uri).finish_non_exhaustive()
    }
}

const INVALID_TOKEN: &str = "the token contains characters that can't be sent in a header";
const INVALID_ANSWER: &str = "the answer has no valid AccessKeyId, SecretAccessKey, Token and Expiration";

/// A request that failed.
struct Failure {
    source: StdError,
    is_transient: bool,
}

impl Failure {
    fn permanent(source: impl Into<StdError>) -> Self {
        Self { source: source.into(), is_transient: false }
    }

    fn transient(source: impl Into<StdError>) -> Self {
        Self { source: source.into(), is_transient: true }
    }
}

/// The credentials in an answer. Errors don't quote it.
fn parse(answer: &[u8]) -> Result<Cached, StdError> {
    let answer: serde_json::Value = serde_json::from_slice(answer).map_err(|_| INVALID_ANSWER)?;
    // The client panics at other characters.
    let is_valid = |value: &&str| value.bytes().all(|byte| byte.is_ascii_graphic());
    let required =
        |name: &str| answer.get(name).and_then(|value| value.as_str()).filter(is_valid).ok_or(INVALID_ANSWER);
    let token = answer.get("Token").map(|_| required("Token")).transpose()?;
    let expires = answer.get("Expiration").map(|_| required("Expiration")).transpose()?;
    let expires = expires.map(|text| chrono::DateTime::parse_from_rfc3339(text).map(SystemTime::from)).transpose();
    Ok(Cached {
        credential: Arc::new(AwsCredential {
            key_id: required("AccessKeyId")?.into(),
            secret_key: required("SecretAccessKey")?.into(),
            token: token.map(Into::into),
        }),
        expires: expires.map_err(|_| INVALID_ANSWER)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str =
        r#"{"AccessKeyId": "id", "SecretAccessKey": "key", "Token": "token", "Expiration": "2999-01-01T00:00:00Z"}"#;

    #[test]
    fn answer_is_parsed_with_its_expiration() {
        let cached = parse(ANSWER.as_bytes()).unwrap();
        let expected = AwsCredential { key_id: "id".into(), secret_key: "key".into(), token: Some("token".into()) };
        assert_eq!(*cached.credential, expected);
        assert!(cached.is_valid_for(RENEWAL));
        let expired = parse(ANSWER.replace("2999", "1999").as_bytes()).unwrap();
        assert!(!expired.is_valid_for(Duration::ZERO));
        let forever = parse(br#"{"AccessKeyId": "id", "SecretAccessKey": "key"}"#).unwrap();
        assert!(forever.credential.token.is_none() && forever.is_valid_for(RENEWAL));
    }

    #[test]
    fn answer_without_credentials_is_not_quoted() {
        for answer in [
            "<html>s3cr3t</html>".to_owned(),
            r#"{"SecretAccessKey": "s3cr3t"}"#.to_owned(),
            ANSWER.replace("\"token\"", r#""s3cr3t\n""#),
            ANSWER.replace("2999-01-01T00:00:00Z", "s3cr3t"),
        ] {
            assert_eq!(parse(answer.as_bytes()).err().unwrap().to_string(), INVALID_ANSWER, "{answer}");
        }
    }
}
