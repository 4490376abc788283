//! Checks of settings with which the client would panic, show a secret in an error, or send data in clear.

use super::{ParsedUrl, invalid_with_help, settings::Setting};
use minisnap_core::Result;
use object_store::ObjectStoreScheme;
use std::net::IpAddr;

impl ParsedUrl<'_> {
    /// Rejects what isn't a URL to which the client can send requests. Rejects a URL that contains a secret, because errors show
    /// URLs.
    pub(super) fn check_url(&self, setting: &Setting) -> Result<()> {
        let Setting { name, value, .. } = setting;
        if value.contains(['@', '?', '#']) {
            return Err(invalid_with_help(
                self.url,
                format_args!("`{name}` contains a user, password, query or fragment"),
                "give credentials as options or in the environment, and not in a URL",
            ));
        }
        if !is_http_url(value) {
            return Err(invalid_with_help(
                self.url,
                format_args!("`{name}` isn't a URL with a host: {value:?}"),
                format_args!("set `{name}` to https://HOST or http://HOST:PORT"),
            ));
        }
        Ok(())
    }

    /// Rejects also a URL without TLS, unless the settings allow it.
    pub(super) fn check_endpoint(&self, setting: &Setting, allow_http: bool) -> Result<()> {
        self.check_url(setting)?;
        if allow_http || is_encrypted(&setting.value) {
            return Ok(());
        }
        Err(invalid_with_help(
            self.url,
            format_args!("`{}` is not encrypted: {}", setting.name, setting.value),
            "set the option `allow_http` to `true`, if the connection needs no encryption",
        ))
    }

    /// Rejects a value that can't be sent in an HTTP header. The error doesn't show the value, which may be secret.
    pub(super) fn check_header_value(&self, setting: Option<&Setting>) -> Result<()> {
        self.check_characters(setting, "can't be sent in a header", |byte| byte.is_ascii_graphic())
    }

    /// Rejects a value that can't be sent in an HTTP header, in which blanks are allowed.
    pub(super) fn check_header_text(&self, setting: Option<&Setting>) -> Result<()> {
        self.check_characters(setting, "can't be sent in a header", |byte| byte.is_ascii_graphic() || byte == b' ')
    }

    /// Rejects a value that can't be part of a host's name or of a path. It could send requests to another host.
    pub(super) fn check_url_part(&self, setting: Option<&Setting>) -> Result<()> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        self.check_characters(setting, "can't be part of a URL", is_allowed)
    }

    fn check_characters(&self, setting: Option<&Setting>, problem: &str, allowed: impl Fn(u8) -> bool) -> Result<()> {
        match setting {
            Some(Setting { name, value, .. }) if !value.bytes().all(allowed) => Err(invalid_with_help(
                self.url,
                format_args!("`{name}` contains white space or other characters that {problem}"),
                format_args!("check `{name}`, for example for a line break or quotes"),
            )),
            _ => Ok(()),
        }
    }
}

/// Whether requests to this URL are encrypted.
pub(super) fn is_encrypted(url: &str) -> bool {
    starts_with(url, "https://")
}

/// Whether the host of this URL is this machine.
pub(super) fn is_loopback(url: &str) -> bool {
    let host = host(url);
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The host in a URL, without its port.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    match authority.rsplit_once(':') {
        // In an IPv6 address, the port comes after the bracket.
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Whether the client can send requests to this URL.
fn is_http_url(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    // The type that `ObjectStoreScheme::parse` takes is the URL type of the client.
    let parses = || text.parse().map(|url| ObjectStoreScheme::parse(&url)).is_ok();
    (starts_with(text, "http://") || is_encrypted(text))
        // `ObjectStoreScheme::parse` corrects these, but the client's HTTP library rejects them.
        && !rest.starts_with(['/', ':'])
        && !rest.split('/').next().is_some_and(|authority| authority.ends_with(':'))
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
        && parses()
}

/// Whether `text` starts with `start`, in upper or lower case.
fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognized_by_host() {
        for url in
            ["http://localhost", "http://LOCALHOST:1/a:2", "http://127.0.0.9:80", "http://[::1]:80", "http://[::1]"]
        {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "http://localhost.example.org",
            "http://10.0.0.1",
            "http://[2001:db8::1]:1",
            "http://127.0.0.1.example.org",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
