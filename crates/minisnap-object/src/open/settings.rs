//! The settings of a client: those of the environment, and the options, which override them.

use super::{ParsedUrl, environment::Environment, environment::is_true};
use minisnap_core::Result;
use object_store::ClientConfigKey;
use std::str::FromStr;

/// The name of a setting, as a type of the crate `object_store`.
pub(super) trait ClientKey: FromStr + AsRef<str> + Copy + Eq {
    /// How the provider's variables begin.
    const VARIABLES: &'static str;

    /// The setting of the HTTP client that this key is for.
    fn of_http_client(self) -> Option<ClientConfigKey>;
}

/// A value, and where it comes from.
#[derive(Clone)]
pub(super) struct Setting {
    /// The variable or option, as the user wrote it, for errors.
    pub(super) name: String,
    pub(super) value: String,
    /// False if it comes from the environment.
    pub(super) is_option: bool,
}

impl Setting {
    /// A variable, or a setting that is computed from one.
    pub(super) fn of_variable(name: &str, value: &str) -> Self {
        Self { name: name.into(), value: value.into(), is_option: false }
    }
}

/// At most one setting for each key.
pub(super) struct ClientSettings<K>(Vec<(K, Setting)>);

impl<K: ClientKey> ClientSettings<K> {
    /// Takes the settings, from the least to the most important: variables with other names than the client's, the client's
    /// variables, and the options. White space around a value doesn't count: many files end with a line break.
    pub(super) fn gather(url: &ParsedUrl<'_>, environment: &Environment, other_names: &[(&str, K)]) -> Result<Self> {
        let mut settings = Self(Vec::new());
        for &(name, key) in other_names {
            if let Some(value) = environment.get(name) {
                settings.set(key, Setting::of_variable(name, value));
            }
        }
        for (name, value) in environment.with_prefix(K::VARIABLES) {
            // Other programs have variables with the same prefix.
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                settings.set(key, Setting::of_variable(name, value));
            }
        }
        for &(name, value) in &url.options {
            let key = name.to_ascii_lowercase().parse().map_err(|_| url.unknown_option(name))?;
            settings.set(key, Setting { name: name.into(), value: value.trim().into(), is_option: true });
        }
        Ok(settings)
    }

    pub(super) fn set(&mut self, key: K, setting: Setting) {
        self.remove(key);
        self.0.push((key, setting));
    }

    pub(super) fn set_if_unset(&mut self, key: K, setting: Setting) {
        if self.get(key).is_none() {
            self.set(key, setting);
        }
    }

    pub(super) fn remove(&mut self, key: K) -> Option<Setting> {
        let position = self.0.iter().position(|(other, _)| *other == key)?;
        Some(self.0.remove(position).1)
    }

    pub(super) fn get(&self, key: K) -> Option<&Setting> {
        self.0.iter().find_map(|(other, setting)| (*other == key).then_some(setting))
    }

    /// Whether the setting comes from an option.
    pub(super) fn is_option(&self, key: K) -> bool {
        self.get(key).is_some_and(|setting| setting.is_option)
    }

    pub(super) fn is_true(&self, key: K) -> bool {
        self.get(key).is_some_and(|setting| is_true(&setting.value))
    }

    /// All keys with their values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &str)> {
        self.0.iter().map(|(key, setting)| (*key, setting.value.as_str()))
    }

    /// The values that errors must not show.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        let is_secret =
            |key: &K| ["key", "secret", "token", "sas", "proxy"].iter().any(|part| key.as_ref().contains(part));
        self.0.iter().filter(move |(key, _)| is_secret(key)).map(|(_, setting)| setting.value.as_str())
    }
}
