//! Making the client of the crate `object_store` for a URL. Settings with which the client would panic are errors.

use super::{
    ParsedUrl, invalid, invalid_with_help,
    options::{OWN_OPTIONS, OwnOptions},
};
#[cfg(not(all(feature = "aws", feature = "azure", feature = "gcp")))]
use minisnap_core::{ErrorContext, Operation};
use minisnap_core::{MiniSnapError, Result};
use object_store::{ObjectStore, ObjectStoreScheme};
use std::{str::FromStr, sync::Arc};

/// Builds a client. The builders of the crate `object_store` are similar, but have no common trait.
macro_rules! client {
    ($url:expr, $own:expr, $builder:ty, $bucket:ident, $key:ty, [$($endpoint:expr),+], [$($header:expr),*]) => {{
        let (url, mut builder) = ($url, <$builder>::from_env().with_retry($own.retry()));
        for (option, value) in &url.options {
            let key = option.to_ascii_lowercase().parse::<$key>();
            builder = builder.with_config(key.map_err(|_| url.unknown_option(option))?, *value);
        }
        let allow_http = builder.get_config_value(&<$key>::Client(object_store::ClientConfigKey::AllowHttp));
        for endpoint in [$(builder.get_config_value(&$endpoint)),+].into_iter().flatten() {
            url.check_endpoint(&endpoint, allow_http.as_deref())?;
        }
        $(url.check_header_value($header.as_ref(), builder.get_config_value(&$header))?;)*
        let is_timeout_set = url.is_set(&<$key>::Client(object_store::ClientConfigKey::Timeout));
        let connector = $own.connector.with_timeout_set(is_timeout_set);
        let built = builder.$bucket(url.bucket.as_str()).with_http_connector(connector).build();
        Ok(Arc::new(built.map_err(|error| url.invalid_client(&error))?))
    }};
}

impl ParsedUrl<'_> {
    pub(super) fn client(&self, own: &OwnOptions) -> Result<Arc<dyn ObjectStore>> {
        match self.scheme.as_str() {
            #[cfg(feature = "aws")]
            "s3" => {
                use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};
                client!(
                    self,
                    own,
                    AmazonS3Builder,
                    with_bucket_name,
                    Key,
                    [Key::Endpoint, Key::S3Endpoint],
                    [Key::Region, Key::AccessKeyId, Key::Token]
                )
            }
            #[cfg(not(feature = "aws"))]
            "s3" => Err(not_compiled_in(self.url, "aws")),
            #[cfg(feature = "azure")]
            "az" => {
                use object_store::azure::{AzureConfigKey as Key, MicrosoftAzureBuilder};
                client!(self, own, MicrosoftAzureBuilder, with_container_name, Key, [Key::Endpoint], [Key::AccountName])
            }
            #[cfg(not(feature = "azure"))]
            "az" => Err(not_compiled_in(self.url, "azure")),
            #[cfg(feature = "gcp")]
            "gs" => {
                use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey as Key};
                client!(self, own, GoogleCloudStorageBuilder, with_bucket_name, Key, [Key::BaseUrl], [])
            }
            #[cfg(not(feature = "gcp"))]
            "gs" => Err(not_compiled_in(self.url, "gcp")),
            _ => Err(invalid(self.url, "the URL of an object store begins with s3:, az: or gs:")),
        }
    }

    /// Whether an option or a variable sets this setting. The client doesn't tell a default from a value that was set.
    fn is_set<K: FromStr + PartialEq>(&self, key: &K) -> bool {
        let prefix = match self.scheme.as_str() {
            "s3" => "AWS_",
            "az" => "AZURE_",
            _ => "GOOGLE_",
        };
        let names_it = |name: &str| name.to_ascii_lowercase().parse::<K>().is_ok_and(|parsed| parsed == *key);
        let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        self.options.iter().any(|(option, _)| names_it(option))
            || variables.filter(|name| name.starts_with(prefix)).any(|name| names_it(&name))
    }

    /// A client like [`client`](Self::client) that deletes each object with a request of its own, over the same connections. `None`
    /// if `client` sends no bulk deletes, or has no such option.
    pub(super) fn single_deletes_client(&mut self, own: &OwnOptions) -> Result<Option<Arc<dyn ObjectStore>>> {
        if self.scheme != "s3" {
            return Ok(None);
        }
        self.options.push(("disable_bulk_delete", "true"));
        let client = self.client(own);
        self.options.pop();
        client.map(Some)
    }

    fn unknown_option(&self, option: &str) -> MiniSnapError {
        let scheme = &self.scheme;
        invalid_with_help(
            self.url,
            format_args!("the backend has no option `{option}`"),
            format_args!(
                "use one of its options {OWN_OPTIONS}, or an option of the `object_store` client for {scheme}: URLs"
            ),
        )
    }

    /// Rejects an endpoint that contains a secret, because errors show the endpoint. Rejects an invalid URL, because the client
    /// panics at it. Rejects an endpoint without TLS, unless the options allow it.
    fn check_endpoint(&self, endpoint: &str, allow_http: Option<&str>) -> Result<()> {
        if endpoint.contains(['@', '?', '#']) {
            let reason = "its endpoint contains a user, password, query or fragment";
            return Err(invalid_with_help(self.url, reason, "give credentials as options, and not in the endpoint"));
        }
        if !is_http_url(endpoint) {
            return Err(invalid_with_help(
                self.url,
                format_args!("its endpoint {endpoint:?} isn't a URL with a host"),
                "set the endpoint, in the environment or as an option, to https://HOST or http://HOST:PORT",
            ));
        }
        let allowed = |allow: &str| ["true", "1", "yes", "y", "on"].contains(&allow.to_ascii_lowercase().as_str());
        if !starts_with(endpoint, "https://") && !allow_http.is_some_and(allowed) {
            return Err(invalid_with_help(
                self.url,
                format_args!("its endpoint {endpoint} is not encrypted"),
                "set the option `allow_http` to `true`, if the connection needs no encryption",
            ));
        }
        Ok(())
    }

    /// Rejects a value that can't be sent in an HTTP header, because the client panics at it. The error doesn't show the value,
    /// which may be secret.
    #[cfg(any(feature = "aws", feature = "azure"))]
    fn check_header_value(&self, name: &str, value: Option<String>) -> Result<()> {
        match value.is_none_or(|value| value.bytes().all(|byte| byte.is_ascii_graphic())) {
            true => Ok(()),
            false => Err(invalid_with_help(
                self.url,
                format_args!("its {name} contains white space or other characters that can't be sent in a header"),
                "check the environment and the options, for example for a line break at the end",
            )),
        }
    }

    /// The error if the client can't be built. The secrets that the client quotes are replaced.
    fn invalid_client(&self, error: &object_store::Error) -> MiniSnapError {
        let is_secret = |name: &str| {
            let name = name.to_ascii_lowercase();
            ["key", "secret", "token", "password", "sas", "proxy"].iter().any(|part| name.contains(part))
        };
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let is_client_setting = ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|start| name.starts_with(start));
            is_client_setting.then_some((name, value.into_string().ok()?))
        });
        let options = self.options.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let redacted = options
            .chain(environment)
            .filter(|(name, value)| is_secret(name) && !value.is_empty())
            .fold(error.to_string(), |text, (_, value)| text.replace(&value, "…"));
        invalid(self.url, format_args!("its client can't be set up: {redacted}"))
    }
}

/// Whether the client can send requests to this URL.
fn is_http_url(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    // The type that `ObjectStoreScheme::parse` takes is the URL type of the client.
    let parses = || text.parse().map(|url| ObjectStoreScheme::parse(&url)).is_ok();
    (starts_with(text, "http://") || starts_with(text, "https://"))
        // `ObjectStoreScheme::parse` corrects these, but the client's HTTP library rejects them.
        && !rest.starts_with(['/', ':'])
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
        && parses()
}

/// Whether `text` starts with `start`, in upper or lower case.
fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

#[cfg(not(all(feature = "aws", feature = "azure", feature = "gcp")))]
fn not_compiled_in(url: &str, feature: &str) -> MiniSnapError {
    MiniSnapError::InvalidUrl {
        at: ErrorContext::of_url(Operation::Open, url),
        reason: "the client for this URL isn't compiled in".into(),
        help: Some(format!("give minisnap the cargo feature `{feature}`")),
    }
}
