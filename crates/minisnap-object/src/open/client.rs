//! Making the client of the crate `object_store` for a URL: what its providers have in common.

use super::{
    Opening, ParsedUrl, invalid, invalid_with_help,
    options::OWN_OPTIONS,
    settings::{ClientKey, ClientSettings, Setting},
};
use crate::http::Connector;
#[cfg(not(all(feature = "aws", feature = "azure", feature = "gcp")))]
use minisnap_core::{ErrorContext, Operation};
use minisnap_core::{MiniSnapError, Result};
use object_store::{ClientConfigKey, ClientOptions, ObjectStore};
use std::sync::Arc;

/// The clients of a store.
pub(super) struct Clients {
    pub(super) store: Arc<dyn ObjectStore>,
    /// A client that deletes each object with a request of its own, over the same connections. `None` if `store` sends no bulk
    /// deletes, or has no such option.
    pub(super) single_deletes: Option<Arc<dyn ObjectStore>>,
    /// Whether `store` deletes each object with a request of its own.
    pub(super) deletes_one_by_one: bool,
}

impl Opening<'_> {
    pub(super) fn clients(&self) -> Result<Clients> {
        match self.url.scheme.as_str() {
            #[cfg(feature = "aws")]
            "s3" => self.aws(),
            #[cfg(not(feature = "aws"))]
            "s3" => Err(not_compiled_in(self.url.url, "aws")),
            #[cfg(feature = "azure")]
            "az" => self.azure(),
            #[cfg(not(feature = "azure"))]
            "az" => Err(not_compiled_in(self.url.url, "azure")),
            #[cfg(feature = "gcp")]
            "gs" => self.google(),
            #[cfg(not(feature = "gcp"))]
            "gs" => Err(not_compiled_in(self.url.url, "gcp")),
            _ => Err(invalid(self.url.url, "the URL of an object store begins with s3:, az: or gs:")),
        }
    }

    /// The maker of HTTP clients.
    pub(super) fn connector<K: ClientKey>(&self, settings: &ClientSettings<K>) -> Connector {
        let mut keys = settings.iter().map(|(key, _)| key.of_http_client());
        self.own.connector.with_timeout_set(keys.any(|key| key == Some(ClientConfigKey::Timeout)))
    }

    /// The options of the HTTP client. It sends unencrypted requests only if the user allows them, also where the provider's
    /// builder has another default. The builder allows them for the metadata services by itself.
    pub(super) fn http_options<K: ClientKey>(
        &self,
        settings: &ClientSettings<K>,
        ca_bundle: Option<&Setting>,
    ) -> Result<ClientOptions> {
        self.check_http_settings(settings)?;
        let http_settings = settings.iter().filter_map(|(key, value)| Some((key.of_http_client()?, value)));
        let options = http_settings.fold(ClientOptions::new(), |options, (key, value)| options.with_config(key, value));
        let certificates = match self.own.ca_bundle.as_ref().or(ca_bundle) {
            Some(ca_bundle) => self.url.read_certificates(ca_bundle)?,
            None => Vec::new(),
        };
        Ok(certificates.into_iter().fold(options, ClientOptions::with_root_certificate))
    }

    fn check_http_settings<K: ClientKey>(&self, settings: &ClientSettings<K>) -> Result<()> {
        use object_store::ClientConfigKey::{DefaultContentType, ProxyUrl};
        let setting_of = |wanted| {
            let key = settings.iter().find(|(key, _)| key.of_http_client() == Some(wanted))?.0;
            settings.get(key)
        };
        self.url.check_header_text(setting_of(DefaultContentType))?;
        let Some(proxy) = setting_of(ProxyUrl) else { return Ok(()) };
        // The user and password of a proxy belong into its URL.
        let without_user = match proxy.value.split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host)),
            None => proxy.value.rsplit_once('@').map_or(proxy.value.as_str(), |(_, host)| host).to_owned(),
        };
        self.url.check_url(&Setting { value: without_user, ..proxy.clone() })
    }
}

impl ParsedUrl<'_> {
    pub(super) fn unknown_option(&self, option: &str) -> MiniSnapError {
        let scheme = &self.scheme;
        invalid_with_help(
            self.url,
            format_args!("the backend has no option `{option}`"),
            format_args!(
                "use one of its options {OWN_OPTIONS}, or an option of the `object_store` client for {scheme}: URLs"
            ),
        )
    }

    /// The error if the client can't be built. The secrets that the client quotes are replaced.
    pub(super) fn invalid_client<K: ClientKey>(
        &self,
        error: &object_store::Error,
        settings: &ClientSettings<K>,
    ) -> MiniSnapError {
        let secrets = settings.secrets().filter(|secret| !secret.is_empty());
        let redacted = secrets.fold(error.to_string(), |text, secret| text.replace(secret, "…"));
        invalid(self.url, format_args!("its client can't be set up: {redacted}"))
    }
}

#[cfg(not(all(feature = "aws", feature = "azure", feature = "gcp")))]
fn not_compiled_in(url: &str, feature: &str) -> MiniSnapError {
    MiniSnapError::InvalidUrl {
        at: ErrorContext::of_url(Operation::Open, url),
        reason: "the client for this URL isn't compiled in".into(),
        help: Some(format!("give minisnap the cargo feature `{feature}`")),
    }
}
