//! The cause of a failed request, found by the types of its error's causes.

use super::{resolver::LookupFailed, target::Target};
use crate::{
    failure::{Cause, CertificateProblem},
    redact::causes,
};
use hyper_util::client::legacy;
use object_store::client::{HttpError, HttpErrorKind};
use rustls::CertificateError;
use std::{
    error::Error,
    io::{self, ErrorKind},
};

impl Target {
    /// Replaces the cause of an error by a [`Failure`](crate::failure::Failure), which has the old causes as its own. The kind, which
    /// decides whether the client retries, stays.
    pub(super) fn explain(&self, error: HttpError) -> HttpError {
        let kind = error.kind();
        let cause = self.cause_of(&error);
        self.failed(kind, cause, Some(error.into()))
    }

    fn cause_of(&self, error: &HttpError) -> Cause {
        let is_connecting = error.kind() == HttpErrorKind::Connect
            || causes(error).any(|cause| cause.downcast_ref().is_some_and(legacy::Error::is_connect));
        match causes(error).find_map(|cause| of_one(cause, is_connecting)) {
            // The connection ended before there was a tunnel.
            Some(Cause::Disconnected) | None if is_connecting && self.is_proxied() => Cause::Tunnel,
            Some(cause) => cause,
            // All other limits of time are those of this layer.
            None if error.kind() == HttpErrorKind::Timeout => Cause::ConnectTimeout,
            None => Cause::Other,
        }
    }
}

/// The cause that one error of a chain stands for, if its type shows one.
fn of_one(cause: &(dyn Error + 'static), is_connecting: bool) -> Option<Cause> {
    if cause.is::<LookupFailed>() {
        return Some(Cause::UnknownHost);
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(of_tls(error));
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return of_http(error);
    }
    let error = cause.downcast_ref::<io::Error>()?;
    match error.kind() {
        ErrorKind::ConnectionRefused => Some(Cause::Refused),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => Some(Cause::Unroutable),
        ErrorKind::TimedOut if is_connecting => Some(Cause::ConnectTimeout),
        ErrorKind::TimedOut => Some(Cause::Unacknowledged),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Some(Cause::Disconnected),
        _ => None,
    }
}

fn of_http(error: &hyper::Error) -> Option<Cause> {
    if error.is_parse() {
        Some(Cause::NotHttp)
    } else if error.is_incomplete_message() || error.is_closed() || error.is_body_write_aborted() {
        Some(Cause::Disconnected)
    } else {
        None
    }
}

fn of_tls(error: &rustls::Error) -> Cause {
    use rustls::Error::{InvalidCertificate, InvalidMessage, NoCertificatesPresented};
    match error {
        InvalidCertificate(problem) => Cause::Certificate(of_certificate(problem)),
        NoCertificatesPresented => Cause::Certificate(CertificateProblem::Other),
        InvalidMessage(_) => Cause::NotTls,
        _ => Cause::Handshake,
    }
}

fn of_certificate(problem: &CertificateError) -> CertificateProblem {
    use CertificateError as E;
    match problem {
        E::UnknownIssuer => CertificateProblem::UnknownIssuer,
        E::Expired | E::ExpiredContext { .. } => CertificateProblem::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => CertificateProblem::NotYetValid,
        E::NotValidForName | E::NotValidForNameContext { .. } => CertificateProblem::OtherName,
        _ => CertificateProblem::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::proxies::Proxies;
    use object_store::{
        ClientOptions,
        client::{HttpRequest, HttpRequestBody},
    };
    use std::sync::Arc;

    /// The text of the failure that replaces an error of the network.
    fn explained(kind: HttpErrorKind, error: io::Error) -> String {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = "https://store.invalid/a".parse().unwrap();
        let target = Target::new(&request, &Proxies::new(&ClientOptions::new().with_proxy_excludes("*")));
        let explained = target.explain(HttpError::new(kind, error));
        assert_eq!(explained.kind(), kind);
        explained.source().unwrap().to_string()
    }

    #[test]
    fn cause_is_found_by_the_types_of_an_error() {
        let tls = |error: rustls::Error| io::Error::new(ErrorKind::InvalidData, error);
        let certificate = |problem| tls(rustls::Error::InvalidCertificate(problem));
        let other = rustls::OtherError(Arc::new(io::Error::other("broken")));
        for (kind, error, text) in [
            (HttpErrorKind::Connect, certificate(CertificateError::NotValidForName), "it is for another name"),
            (HttpErrorKind::Connect, certificate(CertificateError::Revoked), "isn't valid: the check failed"),
            (HttpErrorKind::Connect, tls(rustls::Error::Other(other)), "the TLS handshake with the server"),
            (HttpErrorKind::Connect, ErrorKind::HostUnreachable.into(), "there is no route to the server"),
            (HttpErrorKind::Connect, ErrorKind::TimedOut.into(), "accepts no connection in time"),
            (HttpErrorKind::Timeout, io::Error::other("the client's limit"), "accepts no connection in time"),
            // The system's limit for data that isn't acknowledged.
            (HttpErrorKind::Timeout, ErrorKind::TimedOut.into(), "acknowledges no more data"),
            (HttpErrorKind::Interrupted, ErrorKind::ConnectionReset.into(), "closed the connection before"),
            (HttpErrorKind::Decode, io::Error::other("something"), "the request to the server"),
        ] {
            let explained = explained(kind, error);
            assert!(explained.contains(text) && explained.contains("store.invalid:443"), "{text}: {explained}");
        }
    }
}
