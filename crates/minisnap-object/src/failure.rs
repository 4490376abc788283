//! The cause of a failed request, as a type.

mod advice;

use crate::redact::{Source, causes};
use std::{error::Error, fmt, time::Duration};

/// A failed request: the cause of an `HttpError`. Its text names the server as `HOST:PORT`, and never shows credentials.
#[derive(Debug)]
pub(crate) struct Failure {
    cause: Cause,
    server: String,
    proxy: Option<Proxy>,
    source: Option<Source>,
}

/// A proxy that a request goes through.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    /// `HOST:PORT`
    pub(crate) address: String,
    /// The option or the variable that sets it.
    pub(crate) set_by: &'static str,
}

/// The cause of a failed request.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    not(any(feature = "aws", feature = "azure", feature = "gcp")),
    allow(dead_code, reason = "without a client of its own, the crate knows only web pages")
)]
pub(crate) enum Cause {
    Refused,
    Unroutable,
    UnknownHost,
    ConnectTimeout,
    /// The proxy didn't connect to the server.
    Tunnel,
    /// The proxy asks for credentials.
    ProxyAuthentication,
    Certificate(CertificateProblem),
    /// TLS was spoken to a server that doesn't speak it.
    NotTls,
    /// The answer isn't HTTP. A server that expects TLS answers so.
    NotHttp,
    /// The TLS handshake failed for another reason.
    Handshake,
    Disconnected,
    /// The server's system acknowledges nothing more.
    Unacknowledged,
    /// The server stopped reading.
    UploadStalled {
        sent: usize,
        size: usize,
        limit: Duration,
    },
    NoAnswer {
        /// The size of the upload that may have been sent in part or in whole, or 0.
        upload: usize,
        limit: Duration,
    },
    /// The server stopped in the middle of its answer.
    AnswerStalled {
        limit: Duration,
    },
    /// The user's limit for a whole request has passed.
    Timeout {
        limit: Duration,
    },
    WebPage,
    NoBucket,
    /// The bucket's region, if the store names it.
    OtherRegion(Option<String>),
    NoCredentials(Service),
    Status(u16),
    /// Something else, which the source describes.
    Other,
}

/// Why a certificate isn't valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(any(feature = "aws", feature = "azure", feature = "gcp")),
    allow(dead_code, reason = "without a client of its own, the crate sees no certificates")
)]
pub(crate) enum CertificateProblem {
    UnknownIssuer,
    Expired,
    NotYetValid,
    OtherName,
    Other,
}

/// The cloud whose metadata service was asked for credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(any(feature = "aws", feature = "azure", feature = "gcp")),
    allow(dead_code, reason = "without a client of its own, the crate asks for no credentials")
)]
pub(crate) enum Service {
    Aws,
    Azure,
    Google,
}

impl Failure {
    pub(crate) fn new(cause: Cause, server: String, proxy: Option<Proxy>, source: Option<Source>) -> Self {
        Self { cause, server, proxy, source }
    }

    /// A web page instead of an object, for a client without the HTTP layer.
    pub(crate) fn web_page(store: &dyn fmt::Display) -> Self {
        Self::new(Cause::WebPage, store.to_string(), None, None)
    }

    /// The failure that caused an error of a client, if the HTTP layer found one.
    pub(crate) fn of(error: &object_store::Error) -> Option<&Self> {
        causes(error).find_map(<dyn Error>::downcast_ref)
    }

    /// Whether the same request may succeed later, without a repair. `None` if only the kind of the `HttpError` tells.
    ///
    /// An unknown host is transient, because resolvers fail temporarily, and their errors don't differ by type from those of a
    /// misspelt name.
    pub(crate) fn is_transient(&self) -> Option<bool> {
        match self.cause {
            Cause::Other => None,
            Cause::Refused
            | Cause::Unroutable
            | Cause::UnknownHost
            | Cause::ConnectTimeout
            | Cause::Tunnel
            | Cause::Disconnected
            | Cause::Unacknowledged
            | Cause::UploadStalled { .. }
            | Cause::NoAnswer { .. }
            | Cause::AnswerStalled { .. }
            | Cause::Timeout { .. } => Some(true),
            Cause::ProxyAuthentication
            | Cause::Certificate(_)
            | Cause::NotTls
            | Cause::NotHttp
            | Cause::Handshake
            | Cause::WebPage
            | Cause::NoBucket
            | Cause::OtherRegion(_)
            | Cause::NoCredentials(_)
            | Cause::Status(_) => Some(false),
        }
    }

    /// Whether no credentials are set.
    #[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
    pub(crate) fn lacks_credentials(&self) -> bool {
        matches!(self.cause, Cause::NoCredentials(_))
    }

    /// Whether no connection came about. The request did not arrive, and an immediate retry rarely helps.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(
            self.cause,
            Cause::Refused | Cause::Unroutable | Cause::UnknownHost | Cause::ConnectTimeout | Cause::Tunnel
        )
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.server;
        // A request through a proxy connects to the proxy.
        let peer = self.proxy.as_ref().map_or_else(|| format!("the server {server}"), Proxy::to_string);
        match &self.cause {
            Cause::Refused => return write!(f, "{peer} refuses connections"),
            Cause::Unroutable => return write!(f, "there is no route to {peer}"),
            Cause::UnknownHost => return write!(f, "no address is found for {peer}"),
            Cause::ConnectTimeout => return write!(f, "{peer} accepts no connection in time"),
            Cause::Tunnel => return write!(f, "{peer} doesn't connect to the server {server}"),
            Cause::ProxyAuthentication => return write!(f, "{peer} asks for a user and a password"),
            Cause::Certificate(problem) => write!(f, "the certificate of the server {server} isn't valid: {problem}")?,
            Cause::NotTls => write!(f, "the server {server} doesn't speak TLS, but the URL begins with https:")?,
            Cause::NotHttp => write!(f, "the answer of the server {server} isn't HTTP")?,
            Cause::Handshake => write!(f, "the TLS handshake with the server {server} failed")?,
            Cause::Disconnected => {
                write!(f, "the server {server} closed the connection before its answer was complete")?;
            }
            Cause::Unacknowledged => write!(f, "the server {server} acknowledges no more data")?,
            Cause::UploadStalled { sent, size, limit } => {
                write!(f, "the server {server} accepted {sent} of {size} bytes, and then none for {limit:?}")?;
            }
            Cause::NoAnswer { upload: 0, limit } => write!(f, "the server {server} gave no answer for {limit:?}")?,
            Cause::NoAnswer { upload, limit } => {
                write!(f, "the server {server} gave no answer to an upload of {upload} bytes for {limit:?}")?;
            }
            Cause::AnswerStalled { limit } => {
                write!(f, "the server {server} stopped in the middle of its answer, for {limit:?}")?;
            }
            Cause::Timeout { limit } => {
                write!(f, "the server {server} didn't complete the request within the `timeout` of {limit:?}")?;
            }
            Cause::WebPage => write!(f, "the server {server} answered with a web page, and not like an object store")?,
            Cause::NoBucket => write!(f, "the server {server} has no such bucket or container")?,
            Cause::OtherRegion(Some(region)) => {
                write!(f, "the bucket is in the region {region}, and not in the region that is set")?;
            }
            Cause::OtherRegion(None) => write!(f, "the bucket is in another region than the one that is set")?,
            Cause::NoCredentials(service) => {
                write!(f, "no credentials are set, and the metadata service of {service} ({server}) gives none")?;
            }
            Cause::Status(status) => write!(f, "the server {server} answered with status {status}")?,
            Cause::Other => write!(f, "the request to the server {server} failed")?,
        }
        match &self.proxy {
            Some(proxy) => write!(f, ", through {proxy}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} (set by `{}`)", self.address, self.set_by)
    }
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownIssuer => "its issuer is unknown",
            Self::Expired => "it has expired",
            Self::NotYetValid => "it isn't valid yet",
            Self::OtherName => "it is for another name",
            Self::Other => "the check failed",
        })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aws => "AWS",
            Self::Azure => "Azure",
            Self::Google => "Google Cloud",
        })
    }
}
