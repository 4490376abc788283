//! The settings of `az:` URLs.

use super::{open, refusal, refuses_invalid_urls};

const URL: &str = "az://container/app";
const ACCOUNT: (&str, &str) = ("AZURE_STORAGE_ACCOUNT_NAME", "acme");

#[test]
fn invalid_url_in_any_azure_setting_is_refused() {
    let variables = [
        "AZURE_ENDPOINT",
        "AZURE_STORAGE_ENDPOINT",
        "AZURE_MSI_ENDPOINT",
        "IDENTITY_ENDPOINT",
        "AZURE_FABRIC_TOKEN_SERVICE_URL",
    ];
    refuses_invalid_urls(URL, &[ACCOUNT], &variables);
    refuses_invalid_urls(URL, &[ACCOUNT, ("AZURE_STORAGE_USE_EMULATOR", "true")], &["AZURITE_BLOB_STORAGE_URL"]);
    for value in ["ftp://host", "bad host", "https://", "https://me:s3cr3t@host"] {
        let text = refusal(URL, &[ACCOUNT, ("AZURE_AUTHORITY_HOST", value)], &[]);
        assert!(text.contains("AZURE_AUTHORITY_HOST"), "{value}: {text}");
    }
}

#[test]
fn unencrypted_azure_endpoint_needs_allow_http() {
    for variable in ["AZURE_STORAGE_ENDPOINT", "AZURE_AUTHORITY_HOST", "AZURE_FABRIC_TOKEN_SERVICE_URL"] {
        let text = refusal(URL, &[ACCOUNT, (variable, "http://127.0.0.1:1")], &[]);
        assert!(text.contains("`allow_http`") && text.contains(variable), "{text}");
        open(URL, &[ACCOUNT, (variable, "http://127.0.0.1:1"), ("AZURE_ALLOW_HTTP", "true")], &[]).unwrap();
    }
    let emulator = ("AZURE_STORAGE_USE_EMULATOR", "true");
    refusal(URL, &[emulator, ("AZURITE_BLOB_STORAGE_URL", "http://azurite:10000")], &[]);
    open(URL, &[emulator, ("AZURITE_BLOB_STORAGE_URL", "http://127.0.0.1:10000")], &[]).unwrap();
}

#[test]
fn names_of_azure_tools_are_understood() {
    refusal(URL, &[], &[("account_key", "AAAA"), ("account_name", "a/b")]);
    open(URL, &[("AZURE_STORAGE_ACCOUNT", "acme"), ("AZURE_STORAGE_KEY", "AAAA")], &[]).unwrap();
    open(URL, &[ACCOUNT, ("AZURE_AUTHORITY_HOST", "login.microsoftonline.us")], &[]).unwrap();
    let text = refusal(URL, &[ACCOUNT, ("IDENTITY_HEADER", "s3cr3t\n")], &[]);
    assert!(text.contains("IDENTITY_HEADER"), "{text}");
}
