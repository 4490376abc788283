//! Classifies failed requests: a transient failure may not happen again if the same request is repeated later.

use crate::{failure::Failure, redact::causes};
use object_store::Error;
use std::{error::Error as StdError, io::ErrorKind};

/// Whether the error is transient: a timeout, a broken connection, or an overloaded server. All other errors are permanent:
/// those with a variant of their own (not found, not permitted, unsupported, precondition), and unknown ones.
pub(crate) fn is_transient(error: &Error) -> bool {
    let Error::Generic { .. } = error else { return false };
    let by_failure = Failure::of(error).and_then(Failure::is_transient);
    by_failure
        .or_else(|| causes(error).find_map(is_transient_transport_error))
        .unwrap_or_else(|| status(&error.to_string()).is_some_and(is_transient_status))
}

/// Whether no connection to the store came about, after the retries of the client. So the request did not arrive, and further
/// retries within the same operation rarely help.
pub(crate) fn is_unreachable(error: &Error) -> bool {
    match Failure::of(error) {
        Some(failure) => failure.is_unreachable(),
        None => causes(error).any(is_connect_error),
    }
}

/// Whether the request got no answer, because the connection failed or the time was over.
pub(crate) fn is_unanswered(error: &Error) -> bool {
    is_transient(error) && causes(error).any(|cause| is_transient_transport_error(cause).is_some())
}

fn is_connect_error(cause: &(dyn StdError + 'static)) -> bool {
    #[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
    if let Some(failed) = cause.downcast_ref::<object_store::client::HttpError>() {
        return failed.kind() == object_store::client::HttpErrorKind::Connect;
    }
    let refused = cause.downcast_ref::<std::io::Error>();
    refused.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// Whether an error of the connection is transient; `None` if this is another error.
fn is_transient_transport_error(cause: &(dyn StdError + 'static)) -> Option<bool> {
    #[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
    if let Some(failed) = cause.downcast_ref::<object_store::client::HttpError>() {
        use object_store::client::HttpErrorKind::{Connect, Interrupted, Request, Timeout};
        return Some(matches!(failed.kind(), Connect | Interrupted | Request | Timeout));
    }
    let failed = cause.downcast_ref::<std::io::Error>()?;
    Some(matches!(
        failed.kind(),
        ErrorKind::TimedOut
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::NotConnected
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::Interrupted
    ))
}

/// The HTTP status of an answer. The client has the status in a private type, so it is taken from the message;
/// `tests/open.rs` tests its form. An error without a status is a 200 with an error in its body, which only overloaded
/// servers send.
fn status(message: &str) -> Option<u16> {
    match message.split_once("non-2xx status code: ") {
        Some((_, rest)) => rest.get(..3)?.parse().ok(),
        None => message.contains("Server returned error response").then_some(503),
    }
}

fn is_transient_status(status: u16) -> bool {
    // 501 is "not implemented", and 505 an unknown version of HTTP.
    matches!(status, 408 | 429 | 500 | 502..=504 | 506..=599)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn generic(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error::Generic { store: "S3", source: source.into() }
    }

    #[test]
    fn transience_depends_on_kind_and_status() {
        use object_store::client::{HttpError, HttpErrorKind};
        let http = |kind| generic(HttpError::new(kind, io::Error::other("the connection broke")));
        for transient in [
            http(HttpErrorKind::Connect),
            http(HttpErrorKind::Timeout),
            http(HttpErrorKind::Interrupted),
            generic(io::Error::from(ErrorKind::ConnectionReset)),
            generic("Server returned non-2xx status code: 503 Service Unavailable: SlowDown"),
            generic("Server returned non-2xx status code: 429 Too Many Requests: "),
            generic("Server returned error response: <Error><Code>InternalError</Code></Error>"),
        ] {
            assert!(is_transient(&transient), "{transient}");
        }
        let source = || "503".into();
        for permanent in [
            http(HttpErrorKind::Decode),
            generic("Server returned non-2xx status code: 400 Bad Request: ExpiredToken"),
            generic("the runtime was shut down"),
            Error::NotFound { path: "a".into(), source: source() },
            Error::PermissionDenied { path: "a".into(), source: source() },
            Error::Unauthenticated { path: "a".into(), source: source() },
            Error::Precondition { path: "a".into(), source: source() },
            Error::AlreadyExists { path: "a".into(), source: source() },
            Error::NotSupported { source: source() },
        ] {
            assert!(!is_transient(&permanent), "{permanent}");
        }
    }

    #[test]
    fn store_is_unreachable_when_no_connection_came_about() {
        use crate::failure::Cause;
        use object_store::client::{HttpError, HttpErrorKind};
        let failed = |cause| {
            let failure = Failure::new(cause, "store.invalid:443".into(), None, None);
            generic(HttpError::new(HttpErrorKind::Unknown, failure))
        };
        for cause in [Cause::Refused, Cause::Unroutable, Cause::UnknownHost, Cause::ConnectTimeout, Cause::Tunnel] {
            let error = failed(cause);
            assert!(is_unreachable(&error) && is_transient(&error), "{error}");
        }
        for (cause, transient) in
            [(Cause::Disconnected, true), (Cause::WebPage, false), (Cause::NotTls, false), (Cause::Other, false)]
        {
            let error = failed(cause);
            assert!(!is_unreachable(&error) && is_transient(&error) == transient, "{error}");
        }
        // Clients without our HTTP layer.
        let http = |kind| generic(HttpError::new(kind, io::Error::other("the connection broke")));
        assert!(is_unreachable(&http(HttpErrorKind::Connect)) && !is_unreachable(&http(HttpErrorKind::Timeout)));
        assert!(is_unreachable(&generic(io::Error::from(ErrorKind::ConnectionRefused))));
    }
}
