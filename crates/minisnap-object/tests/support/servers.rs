//! The servers that the tests use.

use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, aws::AmazonS3Builder, azure::MicrosoftAzureBuilder, gcp::GoogleCloudStorageBuilder},
};
use minisnap_s3_server::{Conditions, S3Server};
use std::{
    env,
    fmt::Debug,
    str::FromStr,
    sync::{Arc, LazyLock},
};

type Options = Vec<(&'static str, String)>;

/// A bucket on a server.
pub(crate) struct Bucket {
    /// `SCHEME://NAME`
    url: &'static str,
    options: Options,
}

impl Bucket {
    /// A handle, opened as a program opens it.
    pub(crate) fn open(&self, prefix: &str) -> ObjectBackend {
        let options = self.options.iter().map(|(option, value)| (*option, value.as_str()));
        ObjectBackend::open(&format!("{}/{prefix}", self.url), options).expect("a handle")
    }

    /// A client without minisnap's HTTP layer.
    pub(crate) fn client(&self) -> Arc<dyn ObjectStore> {
        let options = self.options.clone().into_iter();
        let (scheme, name) = self.url.split_once("://").expect("a URL");
        match scheme {
            "s3" => {
                let builder = AmazonS3Builder::new().with_bucket_name(name);
                let builder = options.fold(builder, |builder, (option, value)| builder.with_config(key(option), value));
                Arc::new(builder.build().expect("a client"))
            }
            "az" => {
                let builder = MicrosoftAzureBuilder::new().with_container_name(name);
                let builder = options.fold(builder, |builder, (option, value)| builder.with_config(key(option), value));
                Arc::new(builder.build().expect("a client"))
            }
            _ => {
                let builder = GoogleCloudStorageBuilder::new().with_bucket_name(name);
                let builder = options.fold(builder, |builder, (option, value)| builder.with_config(key(option), value));
                Arc::new(builder.build().expect("a client"))
            }
        }
    }
}

fn key<K: FromStr<Err: Debug>>(option: &str) -> K {
    option.parse().expect("an option of object_store")
}

/// A client for the S3 server that all tests of this process share.
pub(crate) fn s3s() -> Arc<dyn ObjectStore> {
    static SERVER: LazyLock<S3Server> = LazyLock::new(|| S3Server::start(Conditions::Atomic));
    client_of(&SERVER)
}

/// A client for an S3 server in this process.
pub(crate) fn client_of(server: &S3Server) -> Arc<dyn ObjectStore> {
    client_at(server.endpoint())
}

/// A client for the S3 server at this endpoint.
pub(crate) fn client_at(endpoint: &str) -> Arc<dyn ObjectStore> {
    s3_at(endpoint).client()
}

/// The S3 server at this endpoint, which may be in another process.
pub(crate) fn s3_at(endpoint: &str) -> Bucket {
    Bucket { url: "s3://minisnap", options: minisnap_s3_server::options(endpoint) }
}

/// The Google server at this endpoint, which may be in another process.
pub(crate) fn google_at(endpoint: &str) -> Bucket {
    Bucket { url: "gs://minisnap", options: minisnap_gcs_server::options(endpoint) }
}

/// The `MiniStack` that `scripts/with-ministack` started.
pub(crate) fn ministack() -> Bucket {
    s3_by("MINISNAP_TEST_MINISTACK", "scripts/with-ministack", ("test", "test"))
}

/// The `SeaweedFS` that `scripts/with-seaweedfs` started.
pub(crate) fn seaweedfs() -> Bucket {
    s3_by("MINISNAP_TEST_SEAWEEDFS", "scripts/with-seaweedfs", ("test", "test-secret"))
}

/// The Ceph that `scripts/with-ceph` started.
pub(crate) fn ceph() -> Bucket {
    s3_by("MINISNAP_TEST_CEPH", "scripts/with-ceph", ("test", "test-secret"))
}

/// The Swift that `scripts/with-swift` started.
pub(crate) fn swift() -> Bucket {
    s3_by("MINISNAP_TEST_SWIFT", "scripts/with-swift", ("test:tester", "test-secret"))
}

/// The `LocalBucket` that `scripts/with-localbucket` started.
pub(crate) fn localbucket() -> Bucket {
    s3_by("MINISNAP_TEST_LOCALBUCKET", "scripts/with-localbucket", ("test", "test-secret"))
}

/// The S3 server that a script started, with a key and its secret.
fn s3_by(variable: &str, script: &str, (key, secret): (&str, &str)) -> Bucket {
    let options = vec![
        ("aws_endpoint", self::variable(variable, script)),
        ("aws_access_key_id", key.to_owned()),
        ("aws_secret_access_key", secret.to_owned()),
        ("aws_region", "us-east-1".to_owned()),
        ("aws_allow_http", "true".to_owned()),
    ];
    Bucket { url: "s3://minisnap", options }
}

/// The key of all emulators, as Microsoft documents it.
const EMULATOR_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The Azurite that `scripts/with-azurite` started.
pub(crate) fn azurite() -> Bucket {
    // Not `use_emulator`, which also sets the port.
    let options = vec![
        ("azure_storage_account_name", "devstoreaccount1".to_owned()),
        ("azure_storage_account_key", EMULATOR_KEY.to_owned()),
        ("azure_endpoint", variable("MINISNAP_TEST_AZURITE", "scripts/with-azurite")),
        ("azure_allow_http", "true".to_owned()),
    ];
    Bucket { url: "az://minisnap", options }
}

fn variable(name: &str, script: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the test with {script}"))
}
