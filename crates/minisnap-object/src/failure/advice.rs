//! The advice for a failed request.

use super::{Cause, CertificateProblem, Failure, Service};

impl Failure {
    /// The advice, if there is a better one than to try again later.
    pub(crate) fn help(&self) -> Option<String> {
        let advice = match &self.cause {
            Cause::Refused | Cause::Unroutable | Cause::UnknownHost | Cause::ConnectTimeout | Cause::Tunnel
                if self.proxy.is_some() =>
            {
                "check the proxy; to connect without it, add the server to `NO_PROXY`, or to the option `proxy_excludes`"
            }
            Cause::Refused | Cause::Tunnel => "check that the server runs, and the host and port of the endpoint",
            Cause::Unroutable | Cause::ConnectTimeout => {
                "check the network and its firewall, and the host and port of the endpoint"
            }
            Cause::UnknownHost => "check the host in the endpoint and the region, and this machine's name resolution",
            Cause::ProxyAuthentication => "give the user and the password in the URL of the proxy",
            Cause::Certificate(problem) => advice_on_certificate(*problem),
            Cause::NotTls => {
                "if the server needs no encryption, set an endpoint that begins with http://, and the option `allow_http` to `true`"
            }
            Cause::NotHttp => {
                "check the port of the endpoint; if the server expects TLS, set an endpoint that begins with https://"
            }
            Cause::Handshake => "check that the endpoint is the intended server, and which versions of TLS it accepts",
            Cause::Timeout { .. } => {
                "raise the option `timeout`, or leave it out: then a request fails only after 30 seconds without progress"
            }
            Cause::WebPage => "check the endpoint, and whether the network needs a login or a proxy",
            Cause::NoBucket => {
                "check the name of the bucket or container and the endpoint; create the bucket if it is missing"
            }
            Cause::OtherRegion(Some(region)) => {
                return Some(format!("set the option `region` (AWS_REGION) to `{region}`"));
            }
            Cause::OtherRegion(None) => "set the option `region` (AWS_REGION) to the bucket's region",
            Cause::NoCredentials(service) => advice_on_credentials(*service),
            Cause::Disconnected
            | Cause::Unacknowledged
            | Cause::UploadStalled { .. }
            | Cause::NoAnswer { .. }
            | Cause::AnswerStalled { .. }
            | Cause::Status(_)
            | Cause::Other => return None,
        };
        Some(advice.into())
    }
}

fn advice_on_certificate(problem: CertificateProblem) -> &'static str {
    match problem {
        CertificateProblem::UnknownIssuer => {
            "check that the endpoint is the intended server; if it is, set the option `ca_bundle` (AWS_CA_BUNDLE) to a PEM file \
             with its certificate authority"
        }
        CertificateProblem::Expired => "renew the server's certificate, or correct this machine's clock",
        CertificateProblem::NotYetValid => "correct this machine's clock, or the server's certificate",
        CertificateProblem::OtherName => "set an endpoint with a name that is in the server's certificate",
        CertificateProblem::Other => "check the server's certificate",
    }
}

fn advice_on_credentials(service: Service) -> &'static str {
    match service {
        Service::Aws => {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; if the bucket needs no credentials, set the option `skip_signature` to `true`"
        }
        Service::Azure => {
            "set AZURE_STORAGE_ACCOUNT_KEY, or other credentials of the account; if the container needs none, set the option `skip_signature` to `true`"
        }
        Service::Google => {
            "set GOOGLE_SERVICE_ACCOUNT to the file of a service account's key; if the bucket needs no credentials, set the option `skip_signature` to `true`"
        }
    }
}
