//! The profiles in `~/.aws/config` and `~/.aws/credentials`: static keys, a web identity, region, endpoint and certificates.

use super::{Key, Settings, has_keys, has_web_identity, remove_variables};
use crate::open::{Opening, invalid_with_help, settings::Setting};
use configparser::ini::{Ini, IniDefault};
use minisnap_core::Result;
use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// The credentials that a profile may have, and that this crate can't get. `aws configure export-credentials` can.
const UNSUPPORTED: [&str; 6] =
    ["role_arn", "credential_process", "credential_source", "sso_session", "sso_start_url", "login_session"];

/// The keys and values of a profile.
type Profile = BTreeMap<String, String>;

impl Opening<'_> {
    /// Adds what the profile has and the settings don't. Returns its file of certificates.
    ///
    /// A profile named by an option comes before the credentials in variables. A profile named by a variable, and the profile
    /// `default`, come after them, and before a container and the instance metadata service.
    pub(super) fn apply_profile(&self, settings: &mut Settings) -> Result<Option<Setting>> {
        let variable = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].iter().find_map(|name| {
            let profile = self.environment.get(name)?;
            Some(Setting::of_variable(name, profile))
        });
        let named = self.own.profile.clone().or(variable);
        let name = named.as_ref().map_or("default", |named| named.value.as_str());
        let Some(profile) = self.read_profile(name, named.as_ref())? else { return Ok(None) };
        if self.own.profile.is_some() {
            let keys = [Key::AccessKeyId, Key::SecretAccessKey, Key::Token, Key::WebIdentityTokenFile, Key::RoleArn];
            remove_variables(settings, &keys);
        }
        let setting = |key: &str| {
            let value = profile.get(key)?;
            Some(Setting::of_variable(&format!("{key} in the profile {name}"), value))
        };
        if settings.get(Key::DefaultRegion).is_none() {
            add(settings, Key::Region, setting("region"));
        }
        let ignores_endpoints = profile.get("ignore_configured_endpoint_urls").is_some_and(|value| value == "true")
            || self.environment.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        if !ignores_endpoints {
            self.add_endpoint(settings, &profile, name, setting("endpoint_url"))?;
        }
        self.add_credentials(settings, &profile, name, setting)?;
        Ok(setting("ca_bundle"))
    }

    fn add_endpoint(&self, settings: &mut Settings, profile: &Profile, name: &str, url: Option<Setting>) -> Result<()> {
        if settings.get(Key::Endpoint).is_some() || settings.get(Key::S3Endpoint).is_some() {
            return Ok(());
        }
        // It may name another endpoint for S3 alone.
        if profile.contains_key("services") {
            return Err(invalid_with_help(
                self.url.url,
                format_args!("the profile {name} has an unsupported setting: services"),
                "set AWS_ENDPOINT_URL_S3 to the endpoint of the service s3",
            ));
        }
        add(settings, Key::Endpoint, url);
        Ok(())
    }

    fn add_credentials(
        &self,
        settings: &mut Settings,
        profile: &Profile,
        name: &str,
        setting: impl Fn(&str) -> Option<Setting>,
    ) -> Result<()> {
        if has_keys(settings) || has_web_identity(settings) || settings.is_true(Key::SkipSignature) {
            return Ok(());
        }
        // With keys, `role_arn` needs another request: the keys alone are another identity.
        if profile.contains_key("role_arn") && profile.contains_key("web_identity_token_file") {
            for (key, name) in [
                (Key::RoleArn, "role_arn"),
                (Key::WebIdentityTokenFile, "web_identity_token_file"),
                (Key::RoleSessionName, "role_session_name"),
            ] {
                settings.remove(key);
                add(settings, key, setting(name));
            }
            return Ok(());
        }
        let has_static_keys = profile.contains_key("aws_access_key_id");
        let unsupported = UNSUPPORTED.iter().find(|key| profile.contains_key(**key));
        match unsupported.filter(|key| **key == "role_arn" || !has_static_keys) {
            Some(key) => Err(invalid_with_help(
                self.url.url,
                format_args!("the profile {name} has unsupported credentials: {key}"),
                format_args!(
                    "run `eval \"$(aws configure export-credentials --profile {name} --format env)\"`, which sets \
                     AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
                ),
            )),
            None => {
                settings.remove(Key::Token);
                add(settings, Key::AccessKeyId, setting("aws_access_key_id"));
                add(settings, Key::SecretAccessKey, setting("aws_secret_access_key"));
                add(settings, Key::Token, setting("aws_session_token"));
                Ok(())
            }
        }
    }

    /// The profile, as both files together have it: for the same key, the file of credentials counts. `None` if neither has it.
    fn read_profile(&self, name: &str, named: Option<&Setting>) -> Result<Option<Profile>> {
        let config = self.profile_file("AWS_CONFIG_FILE", "config");
        let credentials = self.profile_file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let in_config: &[String] = &if name == "default" {
            vec![name.into(), format!("profile {name}")]
        } else {
            vec![format!("profile {name}")]
        };
        let mut found = None;
        for (file, sections) in [(&config, in_config), (&credentials, &[name.to_owned()])] {
            let Some(file) = file else { continue };
            for (section, values) in self.read_sections(file)? {
                let section = section.split_whitespace().collect::<Vec<_>>().join(" ").replace('"', "");
                if sections.contains(&section) {
                    found.get_or_insert_with(Profile::new).extend(values);
                }
            }
        }
        match named.filter(|_| found.is_none()) {
            Some(named) => Err(invalid_with_help(
                self.url.url,
                format_args!("`{}` names a profile that doesn't exist: {name}", named.name),
                "run `aws configure list-profiles`",
            )),
            None => Ok(found),
        }
    }

    fn profile_file(&self, variable: &str, file: &str) -> Option<PathBuf> {
        let home = self.environment.get(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(Path::new);
        match self.environment.get(variable) {
            Some(path) => match (path.strip_prefix("~/"), home) {
                (Some(rest), Some(home)) => Some(home.join(rest)),
                _ => Some(path.into()),
            },
            None => Some(home?.join(".aws").join(file)),
        }
    }

    /// The sections of a file, each with its keys and values. A missing file has none.
    fn read_sections(&self, file: &Path) -> Result<Vec<(String, Profile)>> {
        let unreadable = |problem: String| {
            let reason = format_args!("its profile can't be read ({problem}): {}", file.display());
            invalid_with_help(
                self.url.url,
                reason,
                "correct the file, or set AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE",
            )
        };
        let text = match std::fs::read_to_string(file) {
            // A service may have no home folder, or one that it may not read.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
                ) =>
            {
                return Ok(Vec::new());
            }
            read => read.map_err(|error| unreadable(error.to_string()))?,
        };
        // The parser's errors name a line, and don't quote it.
        let sections = Ini::new_from_defaults(syntax()).read(text).map_err(unreadable)?;
        let profile = |values: std::collections::HashMap<String, Option<String>>| {
            let values = values.into_iter().filter_map(|(key, value)| {
                let value = without_comment(&value?).to_owned();
                (!value.is_empty()).then_some((key.to_ascii_lowercase(), value))
            });
            values.collect()
        };
        Ok(sections.into_iter().map(|(section, values)| (section, profile(values))).collect())
    }
}

/// The syntax of AWS: indented lines belong to the value above, and a comment needs white space before it.
fn syntax() -> IniDefault {
    let mut syntax = Ini::new_cs().defaults();
    syntax.delimiters = vec!['='];
    syntax.multiline = true;
    syntax.enable_inline_comments = false;
    syntax
}

fn without_comment(value: &str) -> &str {
    let end = value.match_indices(['#', ';']).find(|(at, _)| value[..*at].ends_with(char::is_whitespace));
    value[..end.map_or(value.len(), |(at, _)| at)].trim()
}

fn add(settings: &mut Settings, key: Key, setting: Option<Setting>) {
    if let Some(setting) = setting {
        settings.set_if_unset(key, setting);
    }
}
