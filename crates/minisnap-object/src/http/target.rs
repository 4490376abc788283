//! The server of a request, and the purpose of the request.

use super::{listing::is_listing, proxies::Proxies};
use crate::{
    failure::{Cause, Failure, Proxy, Service},
    redact::Source,
};
use hyper::{HeaderMap, Method, Uri};
use object_store::client::{HttpError, HttpErrorKind, HttpRequest};

/// The properties of a request that explain its answer or its error.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// `HOST:PORT`
    server: String,
    proxy: Option<Proxy>,
    pub(super) method: Method,
    pub(super) is_listing: bool,
    /// The service whose metadata the request asks for credentials.
    credentials_of: Option<Service>,
    /// The region of the request's signature.
    pub(super) signed_region: Option<String>,
}

impl Target {
    pub(super) fn new(request: &HttpRequest, proxies: &Proxies) -> Self {
        let uri = request.uri();
        Self {
            server: host_and_port(uri),
            proxy: proxies.of(uri),
            method: request.method().clone(),
            is_listing: is_listing(request),
            credentials_of: metadata_service(request.headers(), uri.path()),
            signed_region: signed_region(request.headers()),
        }
    }

    pub(super) fn is_proxied(&self) -> bool {
        self.proxy.is_some()
    }

    pub(super) fn asks_for_credentials(&self) -> bool {
        self.credentials_of.is_some()
    }

    /// The error for a failed request. A failed request for credentials means that there are none.
    pub(super) fn failed(&self, kind: HttpErrorKind, cause: Cause, source: Option<Source>) -> HttpError {
        let failure = Failure::new(cause, self.server.clone(), self.proxy.clone(), source);
        HttpError::new(
            kind,
            match self.credentials_of {
                None => failure,
                Some(service) => {
                    Failure::new(Cause::NoCredentials(service), self.server.clone(), None, Some(failure.into()))
                }
            },
        )
    }
}

/// The host and the port of a URL, without its user and its query.
pub(super) fn host_and_port(uri: &Uri) -> String {
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    format!("{}:{}", uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(default))
}

/// The service whose metadata a request asks for. Each has headers of its own, and its address can be changed.
fn metadata_service(headers: &HeaderMap, path: &str) -> Option<Service> {
    let has = |name: &str| headers.contains_key(name);
    if has("x-aws-ec2-metadata-token-ttl-seconds") || path.starts_with("/latest/meta-data/iam/security-credentials") {
        Some(Service::Aws)
    } else if has("metadata-flavor") {
        Some(Service::Google)
    } else if has("metadata") {
        Some(Service::Azure)
    } else {
        None
    }
}

/// The region of a signature: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn signed_region(headers: &HeaderMap) -> Option<String> {
    let (_, credential) = headers.get("authorization")?.to_str().ok()?.split_once("Credential=")?;
    credential.split('/').nth(2).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_is_named_without_user_and_query() {
        for (uri, server) in [
            ("https://key:secret@host.example/a?sig=secret", "host.example:443"),
            ("http://host.example/a", "host.example:80"),
            ("http://[::1]:9000/", "[::1]:9000"),
        ] {
            assert_eq!(host_and_port(&uri.parse().unwrap()), server);
        }
    }

    #[test]
    fn region_is_that_of_the_signature() {
        let mut headers = HeaderMap::new();
        assert_eq!(signed_region(&headers), None);
        let signature =
            "AWS4-HMAC-SHA256 Credential=AKID/20261101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        headers.insert("authorization", signature.parse().unwrap());
        assert_eq!(signed_region(&headers).as_deref(), Some("eu-west-1"));
    }
}
