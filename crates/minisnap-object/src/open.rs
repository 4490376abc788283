//! Opening by URL: which client, with which settings.

use crate::ObjectBackend;
use minisnap_core::{ErrorContext, MiniSnapError, Operation, Result};
use object_store::{BackoffConfig, ObjectStore, ObjectStoreScheme, RetryConfig, path::Path};
use std::{fmt::Display, str::FromStr, sync::Arc, time::Duration};

/// The options of this crate. All others are the client's.
const OWN_OPTIONS: &str = "grace_time, busy_timeout, part_size, parts_in_flight, max_retries, retry_timeout";

impl ObjectBackend {
    /// The snapshots at a URL: `s3://bucket/prefix` (feature `aws`), `az://container/prefix` (`azure`) or
    /// `gs://bucket/prefix` (`gcp`). The prefix may be empty. No I/O, so the bucket need not exist; it is not made.
    ///
    /// Credentials, endpoint and region come from the environment, as the crate [`object_store`] reads it (variables that
    /// begin with `AWS_`, `AZURE_` or `GOOGLE_`), and from `options`, which win: the same names, in lower case, with or
    /// without what they begin with. So `AWS_ENDPOINT_URL` is the option `endpoint_url`. Beyond these:
    ///
    /// | option | value | unless set |
    /// |---|---|---|
    /// | `grace_time` | seconds, see [`with_grace_time`](Self::with_grace_time) | 3600 |
    /// | `busy_timeout` | seconds, see [`with_busy_timeout`](Self::with_busy_timeout) | 30 |
    /// | `part_size` | bytes, see [`with_part_size`](Self::with_part_size) | 8388608 |
    /// | `parts_in_flight` | see [`with_parts_in_flight`](Self::with_parts_in_flight) | 8 |
    /// | `max_retries` | how often the client repeats a request that failed | 3 |
    /// | `retry_timeout` | seconds; no repetition begins later than that | 10 |
    /// | `timeout`, `connect_timeout` | the client's, for one request, such as `30s` | 30s, 5s |
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`](MiniSnapError::InvalidUrl) if the URL or an option can't be understood, if something is missing that
    /// the client needs, or if the URL's feature isn't compiled in. Errors never show credentials.
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
        let mut wanted = Wanted::parse(url, options.iter().map(|(key, value)| (key.as_ref(), value.as_ref())))?;
        let own = wanted.take_own()?;
        let store = wanted.client(&own)?;
        let location = ErrorContext::of_url(Operation::Open, url.trim_end_matches('/')).location().to_owned();
        let mut backend = Self::at_location(store, wanted.prefix, location);
        own.apply_to(&mut backend);
        Ok(backend)
    }
}

/// A URL, taken apart.
struct Wanted<'a> {
    url: &'a str,
    scheme: String,
    bucket: String,
    prefix: Path,
    options: Vec<(&'a str, &'a str)>,
}

/// What the options of this crate say.
#[derive(Default)]
struct Own {
    grace_time: Option<Duration>,
    busy_timeout: Option<Duration>,
    part_size: Option<usize>,
    parts_in_flight: Option<usize>,
    max_retries: Option<usize>,
    retry_timeout: Option<Duration>,
}

/// A client of the crate `object_store`. Its builders look alike, and have no trait in common.
macro_rules! client {
    ($wanted:expr, $own:expr, $builder:ty, $bucket:ident, $key:ty, [$($endpoint:expr),+], [$($word:expr),*]) => {{
        let (wanted, mut builder) = ($wanted, <$builder>::from_env().with_retry($own.retry()));
        for (option, value) in &wanted.options {
            let known = option.to_ascii_lowercase().parse::<$key>();
            builder = builder.with_config(known.map_err(|_| wanted.unknown_option(option))?, *value);
        }
        let allow_http = builder.get_config_value(&<$key>::Client(object_store::ClientConfigKey::AllowHttp));
        for endpoint in [$(builder.get_config_value(&$endpoint)),+].into_iter().flatten() {
            wanted.check_endpoint(&endpoint, allow_http.as_deref())?;
        }
        $(wanted.check_word($word.as_ref(), builder.get_config_value(&$word))?;)*
        let built = builder.$bucket(wanted.bucket.as_str()).build();
        Ok(Arc::new(built.map_err(|error| wanted.unusable(&error))?))
    }};
}

impl<'a> Wanted<'a> {
    fn parse(url: &'a str, options: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(invalid(url, "the URL of an object store looks like s3://bucket/prefix"));
        };
        if rest.contains(['@', '?', '#']) {
            return Err(invalid(
                url,
                "the URL of an object store has no user, no query and no fragment; credentials and settings come from the \
                 environment or as options",
            ));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(invalid(url, "it names no bucket: s3://bucket/prefix"));
        }
        // The client makes a URL of it, and panics if that is none.
        if !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._$:".contains(&byte)) {
            return Err(invalid(
                url,
                "the name of a bucket or container has no white space in it, and of other characters than letters and \
                 digits only - . _ and $",
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

    /// Takes this crate's options out of the client's.
    fn take_own(&mut self) -> Result<Own> {
        let mut own = Own::default();
        let url = self.url;
        let mut rest = Vec::new();
        for (option, value) in std::mem::take(&mut self.options) {
            match option.to_ascii_lowercase().as_str() {
                "grace_time" => own.grace_time = Some(seconds(url, option, value)?),
                "busy_timeout" => own.busy_timeout = Some(seconds(url, option, value)?),
                "retry_timeout" => own.retry_timeout = Some(seconds(url, option, value)?),
                "part_size" => own.part_size = Some(number(url, option, value, 1)?),
                "parts_in_flight" => own.parts_in_flight = Some(number(url, option, value, 1)?),
                "max_retries" => own.max_retries = Some(number(url, option, value, 0)?),
                _ => rest.push((option, value)),
            }
        }
        self.options = rest;
        Ok(own)
    }

    fn client(&self, own: &Own) -> Result<Arc<dyn ObjectStore>> {
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

    fn unknown_option(&self, option: &str) -> MiniSnapError {
        invalid(
            self.url,
            format_args!(
                "it has no option `{option}`; it has {OWN_OPTIONS}, and those of the crate object_store's client for {}:",
                self.scheme
            ),
        )
    }

    /// An endpoint ends up in errors, so it must have no secret in it; it must be a URL, or the client panics at its first
    /// request; and one without TLS has to be meant.
    fn check_endpoint(&self, endpoint: &str, allow_http: Option<&str>) -> Result<()> {
        if endpoint.contains(['@', '?', '#']) {
            let reason =
                "its endpoint has a user or password, or a query or fragment in it: give credentials as options";
            return Err(invalid(self.url, reason));
        }
        if !is_http_url(endpoint) {
            return Err(invalid(
                self.url,
                format_args!(
                    "its endpoint {endpoint:?} is no URL with a host; write https://HOST or http://HOST:PORT (in the \
                     environment or as an option)"
                ),
            ));
        }
        let allowed = |allow: &str| ["true", "1", "yes", "y", "on"].contains(&allow.to_ascii_lowercase().as_str());
        if !begins_with(endpoint, "https://") && !allow_http.is_some_and(allowed) {
            return Err(invalid(
                self.url,
                format_args!(
                    "its endpoint {endpoint} is not encrypted; to use it all the same, set the option `allow_http` to `true`"
                ),
            ));
        }
        Ok(())
    }

    /// What ends up in the head of each request can't have just any character: there, too, the client panics. A secret is
    /// not quoted.
    #[cfg(any(feature = "aws", feature = "azure"))]
    fn check_word(&self, name: &str, value: Option<String>) -> Result<()> {
        match value.is_none_or(|value| value.bytes().all(|byte| byte.is_ascii_graphic())) {
            true => Ok(()),
            false => Err(invalid(
                self.url,
                format_args!(
                    "its {name} has white space or other characters in it that can't be sent; see to the environment and \
                     the options (a line break at the end?)"
                ),
            )),
        }
    }

    /// The client can't be built: what it said, less any secret that it quotes.
    fn unusable(&self, error: &object_store::Error) -> MiniSnapError {
        let secret = |name: &str| {
            let name = name.to_ascii_lowercase();
            ["key", "secret", "token", "password", "sas", "proxy"].iter().any(|part| name.contains(part))
        };
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let is_ours = ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|start| name.starts_with(start));
            is_ours.then_some((name, value.into_string().ok()?))
        });
        let options = self.options.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let said = options
            .chain(environment)
            .filter(|(name, value)| secret(name) && !value.is_empty())
            .fold(error.to_string(), |said, (_, value)| said.replace(&value, "…"));
        invalid(self.url, format_args!("its client can't be set up: {said}"))
    }
}

impl Own {
    fn retry(&self) -> RetryConfig {
        RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(2),
                base: 2.0,
            },
            max_retries: self.max_retries.unwrap_or(3),
            retry_timeout: self.retry_timeout.unwrap_or(Duration::from_secs(10)),
        }
    }

    fn apply_to(&self, backend: &mut ObjectBackend) {
        let settings = &mut backend.settings;
        settings.grace_time = self.grace_time.unwrap_or(settings.grace_time);
        settings.busy_timeout = self.busy_timeout.unwrap_or(settings.busy_timeout);
        settings.part_size = self.part_size.unwrap_or(settings.part_size);
        settings.parts_in_flight = self.parts_in_flight.unwrap_or(settings.parts_in_flight);
    }
}

/// Whether the client can make requests to it.
fn is_http_url(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    // By the type that the scheme's function takes, this is the parser of the client.
    let parses = || text.parse().map(|url| ObjectStoreScheme::parse(&url)).is_ok();
    (begins_with(text, "http://") || begins_with(text, "https://"))
        // What that parser would mend, and the client's other one refuses.
        && !rest.starts_with(['/', ':'])
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
        && parses()
}

fn begins_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

fn seconds(url: &str, option: &str, value: &str) -> Result<Duration> {
    let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| invalid(url, format_args!("the option {option} takes a number of seconds, not `{value}`")))
}

fn number(url: &str, option: &str, value: &str, least: usize) -> Result<usize> {
    let number = usize::from_str(value).ok().filter(|number| *number >= least);
    number.ok_or_else(|| {
        invalid(url, format_args!("the option {option} takes a whole number, at least {least}, not `{value}`"))
    })
}

#[cfg(not(all(feature = "aws", feature = "azure", feature = "gcp")))]
fn not_compiled_in(url: &str, feature: &str) -> MiniSnapError {
    MiniSnapError::InvalidUrl {
        at: ErrorContext::of_url(Operation::Open, url),
        reason: "its client isn't compiled in".into(),
        help: Some(format!("give minisnap the cargo feature `{feature}`")),
    }
}

fn invalid(url: &str, reason: impl Display) -> MiniSnapError {
    MiniSnapError::InvalidUrl { at: ErrorContext::of_url(Operation::Open, url), reason: reason.to_string(), help: None }
}
