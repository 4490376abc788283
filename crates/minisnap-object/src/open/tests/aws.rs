//! The settings of `s3:` URLs.

use super::{open, refusal, refuses_invalid_urls, server::Server};
use minisnap_core::SnapshotBackend;

const URL: &str = "s3://bucket/app";
const CREDENTIALS: &str = r#"{"AccessKeyId": "the-id", "SecretAccessKey": "key", "Token": "the-token", "Expiration": "2999-01-01T00:00:00Z"}"#;

#[test]
fn invalid_url_in_any_aws_setting_is_refused() {
    let variables = [
        "AWS_ENDPOINT",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL_STS",
        "AWS_METADATA_ENDPOINT",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    ];
    refuses_invalid_urls(URL, &[], &variables);
    for value in
        ["localhost:1", "ftp://host", "http://bad host", "https://", "https://me:s3cr3t@host", "http://127.0.0.1/?a b"]
    {
        let text = refusal(URL, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", value)], &[]);
        assert!(text.contains("AWS_CONTAINER_CREDENTIALS_FULL_URI"), "{value}: {text}");
    }
    for value in ["@evil.example.org/", ".evil.example.org/", "/a b", "/a\u{1}"] {
        let text = refusal(URL, &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", value)], &[]);
        assert!(text.contains("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), "{value}: {text}");
    }
}

#[test]
fn region_that_changes_the_host_is_refused() {
    for region in ["eu@evil.example.org/", "eu#", "eu/x", "a b"] {
        let text = refusal(URL, &[("AWS_REGION", region)], &[]);
        assert!(text.contains("AWS_REGION"), "{region}: {text}");
    }
    open(URL, &[("AWS_REGION", "zone:1"), ("AWS_ENDPOINT", "https://host")], &[]).unwrap();
}

#[test]
fn unencrypted_services_for_secrets_are_refused() {
    for variables in [
        [("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1"), ("AWS_ALLOW_HTTP", "true")],
        [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://10.0.0.1/creds"), ("AWS_ALLOW_HTTP", "true")],
        [("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_ALLOW_HTTP", "false")],
    ] {
        let text = refusal(URL, &variables, &[]);
        assert!(text.contains(variables[0].0), "{text}");
    }
    for uri in [
        "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1",
        "https://10.0.0.1/creds?id=1",
        "http://localhost:1/",
    ] {
        open(URL, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)], &[]).unwrap();
    }
}

/// The requests of `current` with these variables on an empty store. They are signed with the key of this name.
async fn key_in_request(variables: &[(&str, &str)], options: &[(&str, &str)]) -> String {
    let store = Server::empty_store();
    let all = [&[("AWS_ENDPOINT_URL", store.url.as_str()), ("AWS_ALLOW_HTTP", "true")], variables].concat();
    let backend = open(URL, &all, options).unwrap();
    assert_eq!(backend.current().await.unwrap(), None);
    let authorization = store.last_header("authorization").unwrap();
    let (_, key) = authorization.split_once("Credential=").unwrap();
    let token = store.last_header("x-amz-security-token").unwrap_or_default();
    format!("{} {token}", key.split('/').next().unwrap())
}

#[tokio::test]
async fn keys_of_options_are_not_mixed_with_a_variable() {
    let variables = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key"), ("AWS_SESSION_TOKEN", "token")];
    assert_eq!(key_in_request(&variables, &[]).await, "id token");
    let options = [("access_key_id", "other"), ("secret_access_key", "other")];
    assert_eq!(key_in_request(&variables, &options).await, "other ");
}

#[tokio::test]
async fn endpoint_of_an_option_overrides_each_variable() {
    let store = Server::empty_store();
    let variables = [
        ("AWS_ENDPOINT_URL_S3", "https://unreachable.example.org"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
    ];
    let options = [("endpoint_url", store.url.as_str()), ("allow_http", "true")];
    assert_eq!(open(URL, &variables, &options).unwrap().current().await.unwrap(), None);
    let ignored = [&variables[..], &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]].concat();
    assert_eq!(open(URL, &ignored, &options).unwrap().current().await.unwrap(), None);
    refusal(URL, &[("AWS_ENDPOINT_URL", "http://host")], &[]);
    open(URL, &[("AWS_ENDPOINT_URL", "http://host"), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")], &[]).unwrap();
}

#[tokio::test]
async fn container_gets_credentials_with_a_token() {
    let service = Server::start(|_| ("200 OK", CREDENTIALS.into()));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "of-the-file\r\n").unwrap();
    let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", service.url.as_str());
    let value = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic of-the-variable\n");
    let in_file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap());
    for (variables, token) in [
        (vec![uri], None),
        (vec![uri, value], Some("Basic of-the-variable")),
        (vec![uri, value, in_file], Some("of-the-file")),
    ] {
        assert_eq!(key_in_request(&variables, &[]).await, "the-id the-token");
        assert_eq!(service.last_header("authorization").as_deref(), token);
    }
    let keys = [uri, ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];
    assert_eq!(key_in_request(&keys, &[]).await, "id ");
    assert_eq!(service.heads().len(), 3);
}

#[tokio::test]
async fn container_without_credentials_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "s3cr3t\r\ns3cr3t").unwrap();
    let in_file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap());
    for (status, part, requests, variables) in [
        ("503 Service Unavailable", "503", 2, vec![]),
        ("403 Forbidden", "403", 1, vec![]),
        ("200 OK", "no valid AccessKeyId", 1, vec![]),
        ("200 OK", "the token contains", 0, vec![in_file]),
        (
            "200 OK",
            "the token file /missing: No such file",
            0,
            vec![("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/missing")],
        ),
    ] {
        let service = Server::start(move |_| (status, "{\"s3cr3t\": \"s3cr3t\"}".into()));
        let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", service.url.as_str());
        let backend = open(URL, &[&[uri], &variables[..]].concat(), &[("max_retries", "1")]).unwrap();
        let error = backend.current().await.unwrap_err();
        let text = format!("{error} {:?}", std::error::Error::source(&error).map(ToString::to_string));
        assert!(text.contains(part) && !text.contains("s3cr3t"), "{text}");
        assert_eq!(service.heads().len(), requests, "{text}");
    }
}

#[tokio::test]
async fn container_renews_its_credentials_before_their_end() {
    let service = Server::start(|_| ("200 OK", CREDENTIALS.replace("2999", "1999")));
    let store = Server::empty_store();
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", service.url.as_str()),
        ("AWS_ENDPOINT_URL", store.url.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let backend = open(URL, &variables, &[]).unwrap();
    backend.current().await.unwrap();
    assert_eq!((service.heads().len(), store.heads().len()), (2, 2));
}

#[tokio::test]
async fn metadata_service_with_line_breaks_is_understood() {
    let service = Server::start(|line| match line {
        line if line.starts_with("PUT /latest/api/token ") => ("200 OK", "session==\n".into()),
        line if line.contains("/security-credentials/ ") => ("200 OK", "my-role\n".into()),
        line if line.contains("/security-credentials/my-role ") => ("200 OK", CREDENTIALS.into()),
        _ => ("404 Not Found", String::new()),
    });
    for variable in ["AWS_METADATA_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT"] {
        assert_eq!(key_in_request(&[(variable, &service.url)], &[]).await, "the-id the-token");
        assert_eq!(service.last_header("x-aws-ec2-metadata-token").as_deref(), Some("session=="));
    }
}

#[tokio::test]
async fn page_instead_of_metadata_is_an_error() {
    let portal = Server::start(|_| ("200 OK", "<html>\n<p>Log in</p>\n</html>".into()));
    let backend = open(URL, &[("AWS_METADATA_ENDPOINT", &portal.url)], &[("max_retries", "0")]).unwrap();
    let error = backend.current().await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("isn't one of the instance metadata service"), "{source}");
}

#[test]
fn disabled_metadata_service_is_named_without_credentials() {
    let disabled = ("AWS_EC2_METADATA_DISABLED", "true");
    let text = refusal(URL, &[disabled, ("AWS_ROLE_ARN", "arn")], &[]);
    assert!(
        text.contains("AWS_EC2_METADATA_DISABLED") && text.contains("set also AWS_WEB_IDENTITY_TOKEN_FILE"),
        "{text}"
    );
    for variables in [
        vec![disabled, ("AWS_SKIP_SIGNATURE", "true")],
        vec![disabled, ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")],
        vec![disabled, ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1")],
        vec![disabled, ("AWS_ROLE_ARN", "arn"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")],
    ] {
        open(URL, &variables, &[]).unwrap();
    }
}
