//! The client for `gs:` URLs.
//
// 1. The endpoint is the first of: `base_url`; the emulator in STORAGE_EMULATOR_HOST; the `gcs_base_url` in the credentials.
// 2. Each setting from which the client makes a request is checked. Google's builder allows unencrypted requests by default, for
//    the metadata server. Here, the endpoint needs the user's consent; the metadata server needs none.

mod credentials;

use super::{
    Opening,
    checks::is_loopback,
    client::Clients,
    settings::{ClientKey, ClientSettings, Setting},
};
use minisnap_core::Result;
use object_store::{
    ClientConfigKey, StaticCredentialProvider,
    gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey as Key},
};
use std::sync::Arc;

type Settings = ClientSettings<Key>;

impl ClientKey for Key {
    const VARIABLES: &'static str = "GOOGLE_";

    fn of_http_client(self) -> Option<ClientConfigKey> {
        match self {
            Self::Client(key) => Some(key),
            _ => None,
        }
    }
}

/// Variables that have another name in the client.
const OTHER_NAMES: [(&str, Key); 1] = [("SERVICE_ACCOUNT", Key::ServiceAccount)];

const ALLOW_HTTP: Key = Key::Client(ClientConfigKey::AllowHttp);

impl Opening<'_> {
    pub(super) fn google(&self) -> Result<Clients> {
        let mut settings = Settings::gather(self.url, self.environment, &OTHER_NAMES)?;
        // 1.
        self.apply_emulator(&mut settings);
        let is_anonymous = settings.is_true(Key::SkipSignature);
        if !is_anonymous {
            self.apply_credentials(&mut settings)?;
        }
        // 2.
        self.check_google(&settings)?;
        let mut builder = GoogleCloudStorageBuilder::new()
            .with_retry(self.own.retry())
            .with_client_options(self.http_options(&settings, None)?)
            .with_http_connector(self.connector(&settings));
        for (key, value) in settings.iter().filter(|(key, _)| key.of_http_client().is_none()) {
            builder = builder.with_config(key, value);
        }
        if is_anonymous {
            // Otherwise the client reads the files of the credentials, and fails if it doesn't know their type.
            let none = GcpCredential { bearer: String::new() };
            builder = builder.with_credentials(Arc::new(StaticCredentialProvider::new(none)));
        }
        let built = builder.with_bucket_name(self.url.bucket.as_str()).build();
        let store = Arc::new(built.map_err(|error| self.url.invalid_client(&error, &settings))?);
        // Google's API has no bulk delete.
        Ok(Clients { store, single_deletes: None, deletes_one_by_one: true })
    }

    /// Applies `STORAGE_EMULATOR_HOST` as the SDKs of Google do: the scheme may be missing, and the emulator gets no credentials.
    fn apply_emulator(&self, settings: &mut Settings) {
        let name = "STORAGE_EMULATOR_HOST";
        let Some(host) = self.environment.get(name).filter(|_| settings.get(Key::BaseUrl).is_none()) else { return };
        let host = host.trim_end_matches('/');
        let url = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
        if is_loopback(&url) {
            settings.set_if_unset(ALLOW_HTTP, Setting::of_variable(name, "true"));
        }
        settings.set(Key::BaseUrl, Setting::of_variable(name, &url));
        settings.set_if_unset(Key::SkipSignature, Setting::of_variable(name, "true"));
    }

    fn check_google(&self, settings: &Settings) -> Result<()> {
        if let Some(endpoint) = settings.get(Key::BaseUrl) {
            self.url.check_endpoint(endpoint, settings.is_true(ALLOW_HTTP))?;
        }
        self.url.check_header_value(settings.get(Key::BearerToken))?;
        // The client reads these variables by itself, and puts them into a URL.
        for name in ["GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"] {
            if let Some(host) = self.environment.unchanged(name) {
                self.url.check_url(&Setting::of_variable(name, &format!("http://{host}")))?;
            }
        }
        Ok(())
    }
}
