//! The profiles in `~/.aws`.

use super::{open, refusal, server::Server};
use minisnap_core::SnapshotBackend;
use tempfile::TempDir;

const URL: &str = "s3://bucket/app";

/// A home with the two files of AWS, and a store that they name as `STORE`.
struct Home {
    folder: TempDir,
    store: Server,
}

impl Home {
    fn new(config: &str, credentials: &str) -> Self {
        let (folder, store) = (tempfile::tempdir().unwrap(), Server::empty_store());
        std::fs::create_dir(folder.path().join(".aws")).unwrap();
        for (file, text) in [("config", config), ("credentials", credentials)] {
            std::fs::write(folder.path().join(".aws").join(file), text.replace("STORE", &store.url)).unwrap();
        }
        Self { folder, store }
    }

    /// With the variables of this home.
    fn variables<'a>(&'a self, variables: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        [&[("HOME", self.folder.path().to_str().unwrap()), ("AWS_ALLOW_HTTP", "true")], variables].concat()
    }

    /// The key and region with which a request to the store is signed, and its token.
    async fn signature(&self, variables: &[(&str, &str)], options: &[(&str, &str)]) -> String {
        let backend = open(URL, &self.variables(variables), options).unwrap();
        assert_eq!(backend.current().await.unwrap(), None);
        let authorization = self.store.last_header("authorization").unwrap();
        let mut scope = authorization.split_once("Credential=").unwrap().1.split('/');
        let (key, region) = (scope.next().unwrap(), scope.nth(1).unwrap());
        format!("{key} {region} {}", self.store.last_header("x-amz-security-token").unwrap_or_default())
            .trim()
            .to_owned()
    }
}

const CONFIG: &str = "# a comment
[default]
region = eu-central-1
endpoint_url = STORE
s3 =
    addressing_style = path
    aws_access_key_id = not-of-the-profile

[profile \"my work\"]
region = us-west-2 ; a comment
endpoint_url=STORE
aws_access_key_id = overridden

[profile web]
role_arn = arn
web_identity_token_file = /token

[profile chained]
role_arn = arn
source_profile = default
aws_access_key_id = s3cr3t

[profile login]
sso_session = one

[profile services]
services = local
";
const CREDENTIALS: &str = "[default]
aws_access_key_id = default-id
aws_secret_access_key = a#secret;with=signs
[my work]
aws_access_key_id=work-id
aws_secret_access_key=key
aws_session_token=work-token
[default-id]
x = y
";
const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];

#[tokio::test]
async fn profile_has_keys_region_and_endpoint() {
    let home = Home::new(CONFIG, CREDENTIALS);
    assert_eq!(home.signature(&[], &[]).await, "default-id eu-central-1");
    let work = ("AWS_PROFILE", "my work");
    assert_eq!(home.signature(&[work], &[]).await, "work-id us-west-2 work-token");
    assert_eq!(home.signature(&[], &[("profile", "my work")]).await, "work-id us-west-2 work-token");
    assert_eq!(home.signature(&[work, ("AWS_DEFAULT_REGION", "eu-west-1")], &[]).await, "work-id eu-west-1 work-token");
}

#[tokio::test]
async fn keys_in_variables_come_before_a_profile_in_one() {
    let home = Home::new(CONFIG, CREDENTIALS);
    let variables = [&KEYS[..], &[("AWS_PROFILE", "my work")]].concat();
    assert_eq!(home.signature(&variables, &[]).await, "id us-west-2");
    // A profile that an option names comes first.
    let variables = [&KEYS[..], &[("AWS_SESSION_TOKEN", "token")]].concat();
    assert_eq!(home.signature(&variables, &[("profile", "default")]).await, "default-id eu-central-1");
    let stray_token = [("AWS_SESSION_TOKEN", "token")];
    assert_eq!(home.signature(&stray_token, &[]).await, "default-id eu-central-1");
}

#[tokio::test]
async fn variables_name_the_files_of_profiles() {
    let home = Home::new(CONFIG, CREDENTIALS);
    let other = tempfile::tempdir().unwrap();
    let file = other.path().join("keys");
    std::fs::write(&file, "[default]\naws_access_key_id = other\naws_secret_access_key = key\n").unwrap();
    let variables = [("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap())];
    assert_eq!(home.signature(&variables, &[]).await, "other eu-central-1");
}

#[test]
fn profile_that_cannot_be_used_is_refused_with_a_remedy() {
    let home = Home::new(CONFIG, CREDENTIALS);
    for (profile, part) in [
        ("missing", "a profile that doesn't exist: missing"),
        ("chained", "unsupported credentials: role_arn"),
        ("login", "unsupported credentials: sso_session"),
        ("services", "unsupported setting: services"),
    ] {
        let text = refusal(URL, &home.variables(&[("AWS_PROFILE", profile)]), &[]);
        assert!(text.contains(part) && text.contains("aws configure") != (profile == "services"), "{text}");
    }
    open(URL, &home.variables(&[("AWS_PROFILE", "web")]), &[]).unwrap();
    // Keys in variables make the profile's credentials needless.
    open(URL, &home.variables(&[&KEYS[..], &[("AWS_PROFILE", "chained")]].concat()), &[]).unwrap();
}

#[test]
fn unreadable_profile_is_refused_without_its_text() {
    let home = Home::new("[default\naws_secret_access_key = s3cr3t", "");
    let text = refusal(URL, &home.variables(&[]), &[]);
    assert!(text.contains("line 1") && text.contains(".aws/config"), "{text}");
    let endpoint = Home::new("[default]\nendpoint_url = me:s3cr3t@host\n", "");
    let text = refusal(URL, &endpoint.variables(&[]), &[]);
    assert!(text.contains("endpoint_url in the profile default"), "{text}");
    let bundle = Home::new("[default]\nca_bundle = /missing\n", "");
    let text = refusal(URL, &bundle.variables(&[]), &[]);
    assert!(text.contains("ca_bundle in the profile default"), "{text}");
}

#[test]
fn machine_without_profiles_needs_none() {
    let empty = tempfile::tempdir().unwrap();
    open(URL, &[("HOME", empty.path().to_str().unwrap())], &[]).unwrap();
    open(URL, &[], &[]).unwrap();
}
