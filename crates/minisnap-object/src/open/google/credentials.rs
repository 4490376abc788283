//! The files with Google's credentials. They may name an endpoint, which is checked like any other.

use super::{Key, Settings};
use crate::open::{Opening, invalid_with_help, settings::Setting};
use minisnap_core::{MiniSnapError, Result};
use serde_json::Value;
use std::{fmt::Display, path::Path};

impl Opening<'_> {
    /// Reads the service account or the application default credentials, and takes the endpoint that they name.
    pub(super) fn apply_credentials(&self, settings: &mut Settings) -> Result<()> {
        if let Some(path) = settings.get(Key::ServiceAccount).filter(|_| settings.get(Key::ServiceAccountKey).is_none())
        {
            // The client gets the text that was checked, and not a file that may change.
            let text = self.read(path, &path.value)?;
            let key = Setting { value: text, ..path.clone() };
            settings.remove(Key::ServiceAccount);
            settings.set(Key::ServiceAccountKey, key);
        }
        if let Some(key) = settings.get(Key::ServiceAccountKey).cloned() {
            let account = self.parse(&key, &key.value)?;
            self.apply_endpoint(settings, &key, &account);
        } else if settings.get(Key::BearerToken).is_none() {
            self.apply_default_credentials(settings)?;
        }
        Ok(())
    }

    /// The application default credentials: the file that the settings name, or else the one of the Google Cloud CLI.
    fn apply_default_credentials(&self, settings: &mut Settings) -> Result<()> {
        if settings.get(Key::ApplicationCredentials).is_none() {
            match self.default_credentials() {
                Some(file) => settings.set(Key::ApplicationCredentials, file),
                None => return Ok(()),
            }
        }
        let Some(file) = settings.get(Key::ApplicationCredentials).cloned() else { return Ok(()) };
        let credentials = self.parse(&file, &self.read(&file, &file.value)?)?;
        let kind = credentials.get("type").and_then(Value::as_str).unwrap_or_default();
        if !["service_account", "authorized_user"].contains(&kind) {
            let reason = format_args!("the credentials of `{}` have an unsupported type: {kind:?}", file.name);
            return Err(self.unsupported(reason));
        }
        if credentials.get("disable_oauth") == Some(&Value::Bool(true)) {
            let reason = format_args!("the application default credentials of `{}` have `disable_oauth`", file.name);
            let help = "name the file in GOOGLE_SERVICE_ACCOUNT, or set the option `skip_signature` to `true`";
            return Err(invalid_with_help(self.url.url, reason, help));
        }
        self.apply_endpoint(settings, &file, &credentials);
        Ok(())
    }

    /// The file that `gcloud auth application-default login` writes, if it exists.
    fn default_credentials(&self) -> Option<Setting> {
        let (variable, folder) = match self.environment.get("CLOUDSDK_CONFIG") {
            Some(folder) => ("CLOUDSDK_CONFIG", Path::new(folder).to_owned()),
            None if cfg!(windows) => ("APPDATA", Path::new(self.environment.get("APPDATA")?).join("gcloud")),
            None => ("HOME", Path::new(self.environment.get("HOME")?).join(".config/gcloud")),
        };
        let file = folder.join("application_default_credentials.json");
        file.exists().then_some(())?;
        Some(Setting::of_variable(variable, file.to_str()?))
    }

    fn apply_endpoint(&self, settings: &mut Settings, origin: &Setting, credentials: &Value) {
        if let Some(endpoint) = credentials.get("gcs_base_url").and_then(Value::as_str) {
            let name = format!("gcs_base_url in {}", origin.name);
            settings.set_if_unset(Key::BaseUrl, Setting { name, value: endpoint.trim().into(), ..origin.clone() });
        }
    }

    fn read(&self, setting: &Setting, path: &str) -> Result<String> {
        std::fs::read_to_string(path).map_err(|error| {
            let reason = format_args!("the file of `{}` can't be read ({error}): {path}", setting.name);
            invalid_with_help(self.url.url, reason, format_args!("set `{}` to a file with credentials", setting.name))
        })
    }

    /// Doesn't quote the text, which contains a private key.
    fn parse(&self, setting: &Setting, text: &str) -> Result<Value> {
        serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let reason =
                format_args!("the credentials of `{}` aren't JSON: line {line}, column {column}", setting.name);
            self.unsupported(reason)
        })
    }

    fn unsupported(&self, reason: impl Display) -> MiniSnapError {
        let help = "use the key of a service account, run `gcloud auth application-default login`, or set GOOGLE_BEARER_TOKEN \
                    to the output of `gcloud auth print-access-token`";
        invalid_with_help(self.url.url, reason, help)
    }
}
