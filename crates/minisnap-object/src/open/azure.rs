//! The client for `az:` URLs.

use super::{
    Opening,
    checks::is_loopback,
    client::Clients,
    settings::{ClientKey, ClientSettings, Setting},
};
use minisnap_core::Result;
use object_store::{
    ClientConfigKey,
    azure::{AzureConfigKey as Key, MicrosoftAzureBuilder},
};
use std::sync::Arc;

type Settings = ClientSettings<Key>;

impl ClientKey for Key {
    const VARIABLES: &'static str = "AZURE_";

    fn of_http_client(self) -> Option<ClientConfigKey> {
        match self {
            Self::Client(key) => Some(key),
            _ => None,
        }
    }
}

/// Variables of Azure's own tools that have another name in the client.
const OTHER_NAMES: [(&str, Key); 3] = [
    ("AZURE_STORAGE_ACCOUNT", Key::AccountName),
    ("AZURE_STORAGE_KEY", Key::AccessKey),
    ("IDENTITY_ENDPOINT", Key::MsiEndpoint),
];

impl Opening<'_> {
    pub(super) fn azure(&self) -> Result<Clients> {
        let mut settings = Settings::gather(self.url, self.environment, &OTHER_NAMES)?;
        complete_authority(&mut settings);
        self.check_azure(&settings)?;
        let mut builder = MicrosoftAzureBuilder::new()
            .with_retry(self.own.retry())
            .with_client_options(self.http_options(&settings, None)?)
            .with_http_connector(self.connector(&settings));
        for (key, value) in settings.iter().filter(|(key, _)| key.of_http_client().is_none()) {
            builder = builder.with_config(key, value);
        }
        let built = builder.with_container_name(self.url.bucket.as_str()).build();
        let store = Arc::new(built.map_err(|error| self.url.invalid_client(&error, &settings))?);
        Ok(Clients { store, single_deletes: None, deletes_one_by_one: false })
    }

    fn check_azure(&self, settings: &Settings) -> Result<()> {
        let (url, allow_http) = (self.url, settings.is_true(Key::Client(ClientConfigKey::AllowHttp)));
        // The client sends secrets to all of these.
        for key in [Key::Endpoint, Key::AuthorityHost, Key::FabricTokenServiceUrl] {
            if let Some(endpoint) = settings.get(key) {
                url.check_endpoint(endpoint, allow_http)?;
            }
        }
        if let Some(identity) = settings.get(Key::MsiEndpoint) {
            url.check_url(identity)?;
        }
        for key in [
            Key::AccountName,
            Key::Token,
            Key::FabricSessionToken,
            Key::FabricClusterIdentifier,
            Key::FabricWorkloadHost,
        ] {
            url.check_header_value(settings.get(key))?;
        }
        url.check_url_part(settings.get(Key::AccountName))?;
        url.check_url_part(settings.get(Key::AuthorityId))?;
        // The client reads these variables by itself.
        let variable = |name| self.environment.unchanged(name).map(|value| Setting::of_variable(name, value));
        url.check_header_value(variable("IDENTITY_HEADER").as_ref())?;
        match variable("AZURITE_BLOB_STORAGE_URL").filter(|_| settings.is_true(Key::UseEmulator)) {
            Some(emulator) => self.check_emulator(&emulator, allow_http),
            None => Ok(()),
        }
    }

    /// The client sends unencrypted requests to an emulator. Without the user's consent, the emulator must be on this machine.
    fn check_emulator(&self, emulator: &Setting, allow_http: bool) -> Result<()> {
        self.url.check_endpoint(emulator, allow_http || is_loopback(&emulator.value))
    }
}

/// Completes the URL of the authority, which the SDKs of Azure also take without its scheme.
fn complete_authority(settings: &mut Settings) {
    if let Some(mut authority) = settings.remove(Key::AuthorityHost) {
        if !authority.value.contains("://") {
            authority.value = format!("https://{}", authority.value);
        }
        authority.value.truncate(authority.value.trim_end_matches('/').len());
        settings.set(Key::AuthorityHost, authority);
    }
}
