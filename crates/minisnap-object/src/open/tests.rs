//! Opening with an environment that the test gives, and clients that talk to a small server.

mod aws;
mod azure;
mod google;
#[cfg(feature = "aws-profile")]
mod profile;
mod server;

use super::ignored;
use crate::ObjectBackend;
use minisnap_core::{MiniSnapError, Result};

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// Opens a URL with variables and options.
fn open(url: &str, variables: Pairs<'_>, options: Pairs<'_>) -> Result<ObjectBackend> {
    ObjectBackend::open_in(&variables.into(), url, options.iter().copied())
}

/// The error of a URL that is refused, and its help. It shows no secret.
fn refusal(url: &str, variables: Pairs<'_>, options: Pairs<'_>) -> String {
    let error = open(url, variables, options).expect_err(&format!("{variables:?} {options:?}"));
    assert!(matches!(error, MiniSnapError::InvalidUrl { .. }), "{error:?}");
    let text = format!("{error}\nhelp: {}", error.help().expect("advice"));
    assert!(!text.contains("s3cr3t"), "{text}");
    text
}

/// Requires that each of the variables is refused if its value isn't a URL, or contains a user and password.
fn refuses_invalid_urls(url: &str, rest: Pairs<'_>, variables: &[&str]) {
    for variable in variables {
        for value in [
            "localhost:1",
            "localhost",
            "//host",
            "ftp://host",
            "http://bad host",
            "https://",
            "https://host:port",
            "https://h/^",
        ] {
            let text = refusal(url, &[rest, &[(variable, value)]].concat(), &[]);
            assert!(text.contains(variable) && text.contains("isn't a URL with a host"), "{variable}={value}: {text}");
        }
        for value in ["https://me:s3cr3t@host", "s3cr3t@host", "https://host?s3cr3t@host"] {
            let text = refusal(url, &[rest, &[(variable, value)]].concat(), &[]);
            assert!(text.contains(variable), "{variable}={value}: {text}");
        }
    }
}

#[test]
fn invalid_proxy_is_refused_without_its_password() {
    for (url, variable, rest) in [
        ("s3://bucket/app", "AWS_PROXY_URL", &[][..]),
        ("az://container/app", "AZURE_PROXY_URL", &[("AZURE_STORAGE_ACCOUNT_NAME", "acme")][..]),
        ("gs://bucket/app", "GOOGLE_PROXY_URL", &[][..]),
    ] {
        for proxy in [
            "proxy:3128",
            "http://me:s3cr3t@bad host",
            "socks5://me:s3cr3t@host",
            "http://me:s3cr3t@",
            "me:s3cr3t@proxy",
        ] {
            let text = refusal(url, &[rest, &[(variable, proxy)]].concat(), &[]);
            assert!(text.contains(variable), "{text}");
        }
        open(url, &[rest, &[(variable, "http://me:word@proxy:3128")]].concat(), &[]).unwrap();
    }
}

#[test]
fn value_with_a_line_break_is_trimmed_or_refused() {
    for (url, variables) in [
        (
            "s3://bucket/app",
            &["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_DEFAULT_CONTENT_TYPE"]
                [..],
        ),
        (
            "az://container/app",
            &["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_TOKEN", "AZURE_FABRIC_SESSION_TOKEN", "AZURE_TENANT_ID"],
        ),
        ("gs://bucket/app", &["GOOGLE_BEARER_TOKEN"]),
    ] {
        let rest =
            [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key"), ("AZURE_STORAGE_ACCOUNT_NAME", "acme")];
        for variable in variables {
            let with = |value| {
                let rest = rest.iter().copied().filter(|(name, _)| name != variable);
                rest.chain([(*variable, value)]).collect::<Vec<_>>()
            };
            open(url, &with("  a-token\r\n"), &[]).unwrap();
            let text = refusal(url, &with("s3cr\r\n3t"), &[]);
            assert!(text.contains(variable) && !text.contains("3t"), "{text}");
        }
    }
}

#[test]
fn file_of_certificates_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("empty"), "# none\n").unwrap();
    std::fs::write(path("broken"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for (file, problem) in [("missing", "can't be read"), ("empty", "no valid certificate"), ("broken", "")] {
        let file = path(file);
        for (url, variables, options) in [
            ("s3://bucket/app", &[("AWS_CA_BUNDLE", file.as_str())][..], &[][..]),
            ("s3://bucket/app", &[], &[("ca_bundle", file.as_str())]),
            ("gs://bucket/app", &[], &[("ca_bundle", file.as_str())]),
            ("az://container/app", &[("AZURE_STORAGE_ACCOUNT_NAME", "acme")], &[("ca_bundle", file.as_str())]),
        ] {
            let error = open(url, variables, options).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}

#[test]
fn ignored_variables_are_named_when_set() {
    let ignored = |scheme: &str, variables: Pairs<'_>| {
        let ignored = ignored::described(scheme, &variables.into());
        ignored.into_iter().map(|text| text.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let variables = [
        ("AWS_RETRY_MODE", "standard"),
        ("AWS_MAX_ATTEMPTS", ""),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
        ("AWS_ROLE_ARN", "arn"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "/cert"),
        ("GOOGLE_CLOUD_PROJECT", "harmless"),
    ];
    assert_eq!(ignored("s3", &variables), ["AWS_RETRY_MODE", "AWS_USE_FIPS_ENDPOINT", "AWS_ROLE_ARN"]);
    assert_eq!(ignored("az", &variables), ["AZURE_CLIENT_CERTIFICATE_PATH"]);
    assert_eq!(ignored("gs", &variables), [""; 0]);
    let complete = [("AWS_ROLE_ARN", "arn"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")];
    assert_eq!(ignored("s3", &complete), [""; 0]);
    #[cfg(not(feature = "aws-profile"))]
    assert_eq!(ignored("s3", &[("AWS_PROFILE", "work")]), ["AWS_PROFILE"]);
}
