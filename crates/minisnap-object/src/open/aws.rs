//! The client for `s3:` URLs. Its settings and their precedence are those of the SDKs of AWS.
//
// 1. The settings: options, then variables, then the profile.
// 2. Each setting from which the client makes a request is checked.
// 3. The credentials are the first of: keys; a web identity; a container; the instance metadata service. The client has providers
//    for all of them, but the one for containers knows no token in a variable, and panics at a token file with a line break.

mod container;
mod metadata;
#[cfg(feature = "aws-profile")]
mod profile;

use super::{
    Opening,
    checks::{host, is_encrypted, is_loopback},
    client::Clients,
    ignored, invalid_with_help,
    settings::{ClientKey, ClientSettings, Setting},
};
use container::{ContainerCredentials, Token};
use metadata::AwsConnector;
use minisnap_core::{MiniSnapError, Result};
use object_store::{
    ClientConfigKey, ClientOptions,
    aws::{AmazonS3Builder, AmazonS3ConfigKey as Key, AwsCredentialProvider},
};
use std::sync::Arc;

type Settings = ClientSettings<Key>;

impl ClientKey for Key {
    const VARIABLES: &'static str = "AWS_";

    fn of_http_client(self) -> Option<ClientConfigKey> {
        match self {
            Self::Client(key) => Some(key),
            _ => None,
        }
    }
}

/// Variables of the SDKs that have another name in the client.
const OTHER_NAMES: [(&str, Key); 1] = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", Key::MetadataEndpoint)];

/// The hosts that may get the container's token without encryption: those of Amazon ECS and Amazon EKS.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

impl Opening<'_> {
    pub(super) fn aws(&self) -> Result<Clients> {
        // 1.
        let mut settings = Settings::gather(self.url, self.environment, &OTHER_NAMES)?;
        prefer_options(&mut settings);
        if self.environment.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            remove_variables(&mut settings, &[Key::Endpoint, Key::S3Endpoint, Key::StsEndpoint]);
        }
        #[cfg(feature = "aws-profile")]
        let profile_bundle = self.apply_profile(&mut settings)?;
        #[cfg(not(feature = "aws-profile"))]
        let profile_bundle = self.reject_profile()?;
        let variable = self.environment.get("AWS_CA_BUNDLE").map(|path| Setting::of_variable("AWS_CA_BUNDLE", path));
        let ca_bundle = variable.or(profile_bundle);
        // 2.
        self.check_aws(&settings)?;
        let http = self.http_options(&settings, ca_bundle.as_ref())?;
        // 3.
        let mut builder = AmazonS3Builder::new()
            .with_retry(self.own.retry())
            .with_client_options(http.clone())
            .with_http_connector(AwsConnector::new(self.connector(&settings)));
        if let Some(credentials) = self.container_credentials(&settings, http)? {
            builder = builder.with_credentials(credentials);
        }
        for (key, value) in settings.iter().filter(|(key, _)| key.of_http_client().is_none()) {
            builder = builder.with_config(key, value);
        }
        let builder = builder.with_bucket_name(self.url.bucket.as_str());
        let invalid = |error: object_store::Error| self.url.invalid_client(&error, &settings);
        let store = Arc::new(builder.clone().build().map_err(invalid)?);
        let deletes_one_by_one = settings.is_true(Key::DisableBulkDelete);
        let single_deletes = match deletes_one_by_one {
            true => None,
            false => Some(Arc::new(builder.with_disable_bulk_delete(true).build().map_err(invalid)?) as _),
        };
        Ok(Clients { store, single_deletes, deletes_one_by_one })
    }

    fn check_aws(&self, settings: &Settings) -> Result<()> {
        let (url, allow_http) = (self.url, settings.is_true(Key::Client(ClientConfigKey::AllowHttp)));
        for endpoint in [Key::Endpoint, Key::S3Endpoint].into_iter().filter_map(|key| settings.get(key)) {
            url.check_endpoint(endpoint, allow_http)?;
        }
        if let Some(metadata) = settings.get(Key::MetadataEndpoint) {
            url.check_url(metadata)?;
        }
        if let Some(sts) = settings.get(Key::StsEndpoint) {
            url.check_url(sts)?;
            if !is_encrypted(&sts.value) {
                let reason = format!("`{}` is not encrypted: {}", sts.name, sts.value);
                return Err(invalid_with_help(url.url, reason, "the client sends a web identity only to https: URLs"));
            }
        }
        for key in [Key::Region, Key::DefaultRegion, Key::AccessKeyId, Key::Token] {
            url.check_header_value(settings.get(key))?;
        }
        // Without an endpoint, the region is part of the host's name.
        let has_endpoint = settings.get(Key::Endpoint).or(settings.get(Key::S3Endpoint)).is_some();
        let has_sts_endpoint = settings.get(Key::StsEndpoint).is_some() || !has_web_identity(settings);
        if !(has_endpoint && has_sts_endpoint) {
            url.check_url_part(settings.get(Key::Region))?;
            url.check_url_part(settings.get(Key::DefaultRegion))?;
        }
        Ok(())
    }

    /// The credentials of a container, if the settings name no others. Without any, the client asks the instance metadata
    /// service, unless the user has disabled it.
    fn container_credentials(&self, settings: &Settings, http: ClientOptions) -> Result<Option<AwsCredentialProvider>> {
        if has_keys(settings) || has_web_identity(settings) || settings.is_true(Key::SkipSignature) {
            return Ok(None);
        }
        let Some(uri) = self.container_uri(settings)? else {
            return match self.environment.is_true("AWS_EC2_METADATA_DISABLED") {
                true => Err(self.no_credentials()),
                false => Ok(None),
            };
        };
        let token = match settings.get(Key::ContainerAuthorizationTokenFile) {
            Some(file) => Some(Token::File(file.value.clone().into())),
            None => {
                let name = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
                let token = self.environment.get(name).map(|token| Setting::of_variable(name, token));
                self.url.check_header_text(token.as_ref())?;
                token.map(|token| Token::Value(token.value))
            }
        };
        let provider = ContainerCredentials::new(uri, token, &self.connector(settings), http, self.own.retry());
        Ok(Some(Arc::new(provider.map_err(|error| self.url.invalid_client(&error, settings))?)))
    }

    fn no_credentials(&self) -> MiniSnapError {
        let ignored = ignored::described("s3", self.environment);
        let help =
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the option `skip_signature` for anonymous requests";
        let help = ignored.into_iter().fold(help.to_owned(), |help, ignored| format!("{help}; {ignored}"));
        invalid_with_help(self.url.url, "it has no credentials, and AWS_EC2_METADATA_DISABLED is set", help)
    }

    /// The URL at which a container gets credentials.
    fn container_uri(&self, settings: &Settings) -> Result<Option<String>> {
        let (uri, is_relative) = match (
            settings.get(Key::ContainerCredentialsRelativeUri),
            settings.get(Key::ContainerCredentialsFullUri),
        ) {
            (Some(relative), _) => {
                (Setting { value: format!("http://169.254.170.2{}", relative.value), ..relative.clone() }, true)
            }
            (None, Some(full)) => (full.clone(), false),
            (None, None) => return Ok(None),
        };
        // A query is allowed here: it names the credentials.
        let without_query = uri.value.split_once('?').map_or(uri.value.as_str(), |(url, _)| url).to_owned();
        self.url.check_url(&Setting { value: without_query, ..uri.clone() })?;
        self.url.check_header_value(Some(&uri))?;
        let host = host(&uri.value);
        let is_known = CONTAINER_HOSTS.contains(&host);
        if (is_relative && !is_known) || !(is_known || is_encrypted(&uri.value) || is_loopback(&uri.value)) {
            return Err(invalid_with_help(
                self.url.url,
                format_args!("`{}` would send a token unencrypted to the host {host}", uri.name),
                "use an https: URL, or a host of Amazon ECS, Amazon EKS or this machine",
            ));
        }
        Ok(Some(uri.value))
    }

    /// Without the feature, a profile by an option is an error. A profile by a variable is ignored, with a warning.
    #[cfg(not(feature = "aws-profile"))]
    fn reject_profile(&self) -> Result<Option<Setting>> {
        match &self.own.profile {
            None => Ok(None),
            Some(profile) => Err(invalid_with_help(
                self.url.url,
                format_args!("the option `{}` isn't supported by this build", profile.name),
                "give minisnap the cargo feature `aws-profile`, or run `aws configure export-credentials --format env`",
            )),
        }
    }
}

/// An option overrides each variable that would contradict it.
fn prefer_options(settings: &mut Settings) {
    // The client prefers the endpoint of S3 to the general one.
    if settings.is_option(Key::Endpoint) {
        remove_variables(settings, &[Key::S3Endpoint]);
    }
    if settings.is_option(Key::DefaultRegion) {
        remove_variables(settings, &[Key::Region]);
    }
    // A session token belongs to its keys.
    if settings.is_option(Key::AccessKeyId) || settings.is_option(Key::SecretAccessKey) {
        remove_variables(settings, &[Key::Token]);
    }
}

fn remove_variables(settings: &mut Settings, keys: &[Key]) {
    for &key in keys {
        if !settings.is_option(key) {
            settings.remove(key);
        }
    }
}

fn has_keys(settings: &Settings) -> bool {
    settings.get(Key::AccessKeyId).is_some() || settings.get(Key::SecretAccessKey).is_some()
}

fn has_web_identity(settings: &Settings) -> bool {
    !has_keys(settings) && settings.get(Key::WebIdentityTokenFile).is_some() && settings.get(Key::RoleArn).is_some()
}
