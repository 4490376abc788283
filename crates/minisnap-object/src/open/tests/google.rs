//! The settings of `gs:` URLs.

use super::{open, refusal, refuses_invalid_urls, server::Server};
use minisnap_core::SnapshotBackend;
use std::path::{Path, PathBuf};

const URL: &str = "gs://bucket/app";

/// A service account without a usable key.
fn account(endpoint: &str) -> String {
    format!(
        r#"{{"type": "service_account", "gcs_base_url": "{endpoint}", "disable_oauth": true, "private_key": "s3cr3t", "private_key_id": "", "client_email": ""}}"#
    )
}

fn write(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("account.json");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn invalid_url_in_any_google_setting_is_refused() {
    refuses_invalid_urls(URL, &[], &["GOOGLE_BASE_URL"]);
    for variable in ["GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"] {
        for value in ["", "bad host", "http://host", "me:s3cr3t@host", "host\n"] {
            let text = refusal(URL, &[(variable, value)], &[]);
            assert!(text.contains(variable), "{variable}={value}: {text}");
        }
    }
    for value in ["bad host", "ftp://host", "me:s3cr3t@host", "host:port"] {
        let text = refusal(URL, &[("STORAGE_EMULATOR_HOST", value)], &[]);
        assert!(text.contains("STORAGE_EMULATOR_HOST"), "{value}: {text}");
    }
}

#[test]
fn endpoint_in_credentials_is_checked_like_others() {
    let folder = tempfile::tempdir().unwrap();
    for (endpoint, problem) in [
        ("localhost:1", "isn't a URL"),
        ("https://me:s3cr3t@host", "contains a user, password"),
        ("http://me:s3cr3t@127.0.0.1:1", "contains a user, password"),
        ("http://127.0.0.1:1", "set the option `allow_http`"),
        ("http://bad host", "isn't a URL"),
    ] {
        let text = account(endpoint);
        let path = write(folder.path(), &text);
        let file = path.to_str().unwrap();
        for (variable, value) in [
            ("GOOGLE_SERVICE_ACCOUNT", file),
            ("GOOGLE_SERVICE_ACCOUNT_PATH", file),
            ("SERVICE_ACCOUNT", file),
            ("GOOGLE_SERVICE_ACCOUNT_KEY", &text),
            ("GOOGLE_APPLICATION_CREDENTIALS", file),
        ] {
            // Application default credentials can't disable OAuth.
            let value = match variable {
                "GOOGLE_APPLICATION_CREDENTIALS" => {
                    let other = folder.path().join("default.json");
                    std::fs::write(&other, text.replace("true", "false")).unwrap();
                    other.to_str().unwrap().to_owned()
                }
                _ => value.to_owned(),
            };
            let text = refusal(URL, &[(variable, &value)], &[]);
            assert!(text.contains(problem) && text.contains(variable), "{variable}: {text}");
        }
    }
}

#[test]
fn unencrypted_google_endpoint_needs_allow_http() {
    let endpoint = ("GOOGLE_BASE_URL", "http://127.0.0.1:1");
    for credentials in [("GOOGLE_BEARER_TOKEN", "s3cr3t"), ("GOOGLE_SKIP_SIGNATURE", "true")] {
        let text = refusal(URL, &[endpoint, credentials], &[]);
        assert!(text.contains("`allow_http`"), "{text}");
        open(URL, &[endpoint, credentials, ("GOOGLE_ALLOW_HTTP", "true")], &[]).unwrap();
    }
    refusal(URL, &[("STORAGE_EMULATOR_HOST", "emulator:4443")], &[]);
    open(URL, &[("STORAGE_EMULATOR_HOST", "emulator:4443"), ("GOOGLE_ALLOW_HTTP", "true")], &[]).unwrap();
    open(URL, &[("STORAGE_EMULATOR_HOST", "https://emulator:4443")], &[]).unwrap();
}

/// Requires that the last requests to the server were for the store, with this token.
fn assert_token(server: &Server, token: Option<&str>) {
    let heads = server.heads();
    assert!(heads[heads.len() - 2].starts_with("GET /bucket/app%2Fsnapshots%2Fcurrent HTTP/1.1"), "{heads:?}");
    assert_eq!(server.last_header("authorization").as_deref(), token);
}

#[tokio::test]
async fn emulator_gets_requests_without_credentials() {
    let server = Server::empty_store();
    let host = server.url.strip_prefix("http://").unwrap();
    for emulator in [server.url.as_str(), host, &format!("{host}/")] {
        let variables = [("STORAGE_EMULATOR_HOST", emulator), ("GOOGLE_BEARER_TOKEN", "token")];
        assert_eq!(open(URL, &variables, &[]).unwrap().current().await.unwrap(), None);
        assert_token(&server, None);
    }
    let variables = [("STORAGE_EMULATOR_HOST", "emulator.example.org"), ("GOOGLE_BEARER_TOKEN", "token")];
    let options = [("base_url", server.url.as_str()), ("allow_http", "true")];
    assert_eq!(open(URL, &variables, &options).unwrap().current().await.unwrap(), None);
    assert_token(&server, Some("Bearer token"));
}

#[tokio::test]
async fn endpoint_of_a_service_account_is_used() {
    let (server, folder) = (Server::empty_store(), tempfile::tempdir().unwrap());
    let path = write(folder.path(), &account(&server.url));
    let options = [("service_account", path.to_str().unwrap()), ("allow_http", "true")];
    assert_eq!(open(URL, &[], &options).unwrap().current().await.unwrap(), None);
    assert_token(&server, None);
}

#[test]
fn unusable_google_credentials_are_refused_by_type() {
    let folder = tempfile::tempdir().unwrap();
    for (text, part) in [
        (r#"{"type": "external_account", "x": "s3cr3t"}"#, "unsupported type: \"external_account\""),
        (r#"{"type": "service_account", "disable_oauth": true}"#, "have `disable_oauth`"),
        ("s3cr3t", "aren't JSON: line 1, column 1"),
    ] {
        let path = write(folder.path(), text);
        let file = ("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap());
        let text = refusal(URL, &[file], &[]);
        assert!(text.contains(part) && text.contains("GOOGLE_APPLICATION_CREDENTIALS"), "{text}");
        // Anonymous requests need no credentials.
        open(URL, &[file, ("GOOGLE_SKIP_SIGNATURE", "true")], &[]).unwrap();
    }
    let text = refusal(URL, &[("GOOGLE_SERVICE_ACCOUNT", "/missing")], &[]);
    assert!(text.contains("can't be read"), "{text}");
    let default = folder.path().join("application_default_credentials.json");
    std::fs::write(default, r#"{"type": "impersonated_service_account"}"#).unwrap();
    let text = refusal(URL, &[("CLOUDSDK_CONFIG", folder.path().to_str().unwrap())], &[]);
    assert!(text.contains("impersonated_service_account"), "{text}");
}
