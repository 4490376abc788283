//! The variables that the providers' SDKs read, and that this build ignores. They are named when they are set: in a warning, and
//! in the help of a failure for lack of credentials.

use super::environment::Environment;
use minisnap_core::{ErrorContext, events};

/// A variable that is ignored, and what to use instead.
type Variable = (&'static str, &'static str);

const AWS: &[Variable] = &[
    ("AWS_MAX_ATTEMPTS", "set the option `max_retries`"),
    ("AWS_RETRY_MODE", "set the options `max_retries` and `retry_timeout`"),
    ("AWS_DEFAULTS_MODE", "set the options `timeout` and `connect_timeout`"),
    ("AWS_METADATA_SERVICE_TIMEOUT", "the metadata service has a second for a connection"),
    ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "set the option `max_retries`"),
    ("AWS_SECURITY_TOKEN", "set AWS_SESSION_TOKEN"),
    ("AWS_REQUEST_CHECKSUM_CALCULATION", "set the option `checksum_algorithm`"),
];

/// Without the feature, nothing reads `~/.aws`.
#[cfg(not(feature = "aws-profile"))]
const AWS_FILES: &[Variable] =
    &[("AWS_PROFILE", EXPORT), ("AWS_SHARED_CREDENTIALS_FILE", EXPORT), ("AWS_CONFIG_FILE", EXPORT)];

#[cfg(feature = "aws-profile")]
const AWS_FILES: &[Variable] = &[];

#[cfg(not(feature = "aws-profile"))]
const EXPORT: &str =
    "give minisnap the cargo feature `aws-profile`, or run `aws configure export-credentials --format env`";

/// Variables that matter only if they are true.
const AWS_FLAGS: &[Variable] = &[
    ("AWS_USE_FIPS_ENDPOINT", "set AWS_ENDPOINT_URL_S3 to https://s3-fips.REGION.amazonaws.com"),
    ("AWS_USE_DUALSTACK_ENDPOINT", "set AWS_ENDPOINT_URL_S3 to https://s3.dualstack.REGION.amazonaws.com"),
];

const AZURE: &[Variable] = &[
    ("AZURE_STORAGE_CONNECTION_STRING", "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"),
    ("AZURE_STORAGE_SERVICE_ENDPOINT", "set AZURE_STORAGE_ENDPOINT"),
    ("AZURE_STORAGE_AUTH_MODE", "set AZURE_CREDENTIAL_TYPE"),
    ("AZURE_TOKEN_CREDENTIALS", "set AZURE_CREDENTIAL_TYPE"),
    ("AZURE_CLIENT_CERTIFICATE_PATH", "set AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE"),
    ("AZURE_USERNAME", "set AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE"),
    ("AZURE_REGIONAL_AUTHORITY_NAME", "set AZURE_AUTHORITY_HOST"),
    ("MSI_ENDPOINT", "set IDENTITY_ENDPOINT and IDENTITY_HEADER"),
];

const GOOGLE: &[Variable] = &[
    ("CLOUD_STORAGE_EMULATOR_ENDPOINT", "set STORAGE_EMULATOR_HOST"),
    ("GOOGLE_CLOUD_QUOTA_PROJECT", "requests are billed to the project of the bucket"),
    ("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "set GOOGLE_BASE_URL to https://storage.DOMAIN"),
];

/// The variables that are set and ignored, as text.
pub(super) fn described(scheme: &str, environment: &Environment) -> Vec<String> {
    let ignored = ignored(scheme, environment).into_iter();
    ignored.map(|(name, instead)| format!("{name} is set and ignored: {instead}")).collect()
}

/// Warns of the variables that are set and ignored.
pub(super) fn report(at: &ErrorContext, scheme: &str, environment: &Environment) {
    for (name, instead) in ignored(scheme, environment) {
        events::setting_ignored(at, name, instead);
    }
}

pub(super) fn ignored(scheme: &str, environment: &Environment) -> Vec<Variable> {
    let is_set = |(name, _): &&Variable| environment.get(name).is_some();
    let is_true = |(name, _): &&Variable| environment.is_true(name);
    match scheme {
        "s3" => {
            let variables = AWS.iter().chain(AWS_FILES).filter(is_set).chain(AWS_FLAGS.iter().filter(is_true));
            variables.copied().chain(incomplete_role(environment)).collect()
        }
        "az" => AZURE.iter().filter(is_set).copied().collect(),
        "gs" => GOOGLE.iter().filter(is_set).copied().collect(),
        _ => Vec::new(),
    }
}

/// Only a role and a token file together are credentials.
fn incomplete_role(environment: &Environment) -> Option<Variable> {
    let (role, token_file) = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE");
    match (environment.get(role), environment.get(token_file)) {
        (Some(_), None) => Some((role, "set also AWS_WEB_IDENTITY_TOKEN_FILE")),
        (None, Some(_)) => Some((token_file, "set also AWS_ROLE_ARN")),
        _ => None,
    }
}
