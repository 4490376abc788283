//! Opening a backend by URL.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
mod certificates;
#[cfg_attr(
    not(all(feature = "aws", feature = "azure", feature = "gcp")),
    allow(dead_code, reason = "each provider uses a part")
)]
mod checks;
mod client;
#[cfg_attr(
    not(all(feature = "aws", feature = "azure", feature = "gcp")),
    allow(dead_code, reason = "each provider uses a part")
)]
mod environment;
#[cfg(feature = "gcp")]
mod google;
mod ignored;
mod options;
#[cfg_attr(
    not(all(feature = "aws", feature = "azure", feature = "gcp")),
    allow(dead_code, reason = "each provider uses a part")
)]
mod settings;
#[cfg(test)]
mod tests;

use crate::ObjectBackend;
use client::Clients;
use environment::Environment;
use minisnap_core::{ErrorContext, MiniSnapError, Operation, Result};
use object_store::path::Path;
use options::OwnOptions;
use std::fmt::Display;

impl ObjectBackend {
    /// The snapshots at a URL: `s3://bucket/prefix` (feature `aws`), `az://container/prefix` (`azure`) or
    /// `gs://bucket/prefix` (`gcp`). Makes no request, so the bucket need not exist; it is never created. Reads the files that
    /// settings name, such as files with credentials.
    ///
    /// The prefix may be empty. Credentials, endpoint and region come from the environment, in the variables of the provider's
    /// SDKs and of the crate [`object_store`] (`AWS_…`, `AZURE_…`, `GOOGLE_…`), and from `options`. An option overrides the
    /// variable. An option has the name of its variable in lower case, with or without the prefix: `AWS_ENDPOINT_URL` is the
    /// option `endpoint_url` or `aws_endpoint_url`. White space around a value doesn't count, and an empty variable counts as
    /// unset. This crate adds:
    ///
    /// | option | value | default |
    /// |---|---|---|
    /// | `grace_time` | seconds, see [`with_grace_time`](Self::with_grace_time) | 3600 |
    /// | `busy_timeout` | seconds, see [`with_busy_timeout`](Self::with_busy_timeout) | 30 |
    /// | `part_size` | bytes, see [`with_part_size`](Self::with_part_size) | 8388608 |
    /// | `parts_in_flight` | a count, see [`with_parts_in_flight`](Self::with_parts_in_flight) | 8 |
    /// | `max_retries` | how often the client repeats a failed request | 3 |
    /// | `retry_timeout` | seconds; the client begins no retry later than this | 10 |
    /// | `read_timeout` | how long a request may make no progress, such as `30s` | 30s, unless `timeout` is set |
    /// | `timeout`, `connect_timeout` | the limit for a whole request, or for its connection, such as `2m` | none, 5s |
    /// | `ca_bundle` | a PEM file with certificates to trust in addition to the system's; for `s3:` also `AWS_CA_BUNDLE` | |
    /// | `profile` | for `s3:`, a profile in `~/.aws` (feature `aws-profile`); or `AWS_PROFILE` | `default` |
    ///
    /// The order in which credentials are tried is in [`docs/object-store.md`][credentials].
    ///
    /// [credentials]: https://github.com/ArcellaTeam/mini-rs/blob/main/docs/object-store.md#credentials
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`](MiniSnapError::InvalidUrl) if the URL or a setting is invalid, if the client lacks a setting, if the
    /// endpoint isn't encrypted and `allow_http` isn't set, or if the URL's feature isn't compiled in. Errors never show
    /// credentials.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap_core::Result<()> {
    /// # #[cfg(feature = "aws")] {
    /// use minisnap_object::ObjectBackend;
    /// let backend = ObjectBackend::open("s3://bucket/app/state", [("endpoint_url", "https://s3.example.org")])?;
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub fn open<K: AsRef<str>, V: AsRef<str>>(url: &str, options: impl IntoIterator<Item = (K, V)>) -> Result<Self> {
        let options: Vec<_> = options.into_iter().collect();
        let options = options.iter().map(|(key, value)| (key.as_ref(), value.as_ref()));
        Self::open_in(&Environment::of_process(), url, options)
    }

    fn open_in<'a>(
        environment: &Environment,
        url: &'a str,
        options: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self> {
        let mut parsed = ParsedUrl::parse(url, options)?;
        let own = parsed.take_own_options()?;
        let opening = Opening { url: &parsed, own: &own, environment };
        let Clients { store, single_deletes, deletes_one_by_one } = opening.clients()?;
        let at = ErrorContext::of_url(Operation::Open, url.trim_end_matches('/'));
        ignored::report(&at, &parsed.scheme, environment);
        let mut backend = Self::at_location(store, parsed.prefix, at.location().to_owned());
        backend.single_deletes = single_deletes;
        if deletes_one_by_one {
            backend.cache.deletions().skip_bulk_requests();
        }
        own.apply_to(&mut backend);
        Ok(backend)
    }
}

/// The variables that are set and that this build ignores, each with what to use instead, for a store at `location`: for the help
/// of a failure for lack of credentials.
pub(crate) fn ignored_settings(location: &str) -> Vec<String> {
    let scheme = location.split_once("://").map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
    ignored::described(&scheme, &Environment::of_process())
}

/// What a client is made from.
struct Opening<'a> {
    url: &'a ParsedUrl<'a>,
    own: &'a OwnOptions,
    environment: &'a Environment,
}

/// A URL, parsed, with its options.
struct ParsedUrl<'a> {
    url: &'a str,
    scheme: String,
    bucket: String,
    prefix: Path,
    options: Vec<(&'a str, &'a str)>,
}

impl<'a> ParsedUrl<'a> {
    fn parse(url: &'a str, options: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(invalid_with_help(
                url,
                "it isn't the URL of an object store",
                "write a URL such as s3://bucket/prefix",
            ));
        };
        if rest.contains(['@', '?', '#']) {
            return Err(invalid_with_help(
                url,
                "the URL of an object store has no user, no query and no fragment",
                "give credentials and settings in the environment or as options",
            ));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(invalid_with_help(url, "it names no bucket", "write a URL such as s3://bucket/prefix"));
        }
        // The client builds a URL from the name, and panics if that URL is invalid.
        if !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._$:".contains(&byte)) {
            return Err(invalid(
                url,
                "the name of a bucket or container must have no white space in it: only ASCII letters, digits and - . _ $ : are allowed",
            ));
        }
        let prefix = Path::from_url_path(prefix)
            .map_err(|error| invalid(url, format_args!("its prefix can't be the name of an object: {error}")))?;
        Ok(Self {
            url,
            scheme: scheme.to_ascii_lowercase(),
            bucket: bucket.to_owned(),
            prefix,
            options: options.collect(),
        })
    }
}

fn invalid(url: &str, reason: impl Display) -> MiniSnapError {
    MiniSnapError::InvalidUrl { at: ErrorContext::of_url(Operation::Open, url), reason: reason.to_string(), help: None }
}

fn invalid_with_help(url: &str, reason: impl Display, help: impl Display) -> MiniSnapError {
    MiniSnapError::InvalidUrl {
        at: ErrorContext::of_url(Operation::Open, url),
        reason: reason.to_string(),
        help: Some(help.to_string()),
    }
}
