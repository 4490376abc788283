//! The options of this crate. All other options are the client's.

use super::{ParsedUrl, invalid, settings::Setting};
use crate::{ObjectBackend, http::Connector};
use minisnap_core::Result;
use object_store::{BackoffConfig, RetryConfig};
use std::{str::FromStr, time::Duration};

/// The names of the options of this crate, for errors.
pub(super) const OWN_OPTIONS: &str =
    "grace_time, busy_timeout, part_size, parts_in_flight, max_retries, retry_timeout, ca_bundle, profile";

/// The values of the options of this crate.
#[derive(Default)]
pub(super) struct OwnOptions {
    grace_time: Option<Duration>,
    busy_timeout: Option<Duration>,
    part_size: Option<usize>,
    parts_in_flight: Option<usize>,
    max_retries: Option<usize>,
    retry_timeout: Option<Duration>,
    /// All clients of the store share it.
    pub(super) connector: Connector,
    pub(super) ca_bundle: Option<Setting>,
    /// Only for `s3:`.
    pub(super) profile: Option<Setting>,
}

impl ParsedUrl<'_> {
    /// Takes this crate's options out of the client's.
    pub(super) fn take_own_options(&mut self) -> Result<OwnOptions> {
        let mut own = OwnOptions::default();
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
                "ca_bundle" | "aws_ca_bundle" => own.ca_bundle = Some(text(option, value)),
                "profile" | "aws_profile" if self.scheme == "s3" => own.profile = Some(text(option, value)),
                _ => rest.push((option, value)),
            }
        }
        self.options = rest;
        Ok(own)
    }
}

impl OwnOptions {
    pub(super) fn retry(&self) -> RetryConfig {
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

    pub(super) fn apply_to(&self, backend: &mut ObjectBackend) {
        let settings = &mut backend.settings;
        settings.grace_time = self.grace_time.unwrap_or(settings.grace_time);
        settings.busy_timeout = self.busy_timeout.unwrap_or(settings.busy_timeout);
        settings.part_size = self.part_size.unwrap_or(settings.part_size);
        settings.parts_in_flight = self.parts_in_flight.unwrap_or(settings.parts_in_flight);
    }
}

fn text(option: &str, value: &str) -> Setting {
    Setting { name: option.into(), value: value.trim().into(), is_option: true }
}

fn seconds(url: &str, option: &str, value: &str) -> Result<Duration> {
    let seconds = value.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| invalid(url, format_args!("the option {option} takes a number of seconds, not `{value}`")))
}

fn number(url: &str, option: &str, value: &str, minimum: usize) -> Result<usize> {
    let number = usize::from_str(value.trim()).ok().filter(|number| *number >= minimum);
    number.ok_or_else(|| {
        invalid(url, format_args!("the option {option} takes an integer of at least {minimum}, not `{value}`"))
    })
}
