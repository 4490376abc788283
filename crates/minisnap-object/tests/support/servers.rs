//! Clients for the servers that the tests use.

use minisnap_object::object_store::{
    ObjectStore, aws::AmazonS3Builder, azure::MicrosoftAzureBuilder, gcp::GoogleCloudStorageBuilder,
};
use minisnap_s3_server::{Conditions, S3Server};
use std::{
    env,
    sync::{Arc, LazyLock},
};

/// A client for the S3 server that all tests of this process share.
pub(crate) fn s3s() -> Arc<dyn ObjectStore> {
    static SERVER: LazyLock<S3Server> = LazyLock::new(|| S3Server::start(Conditions::Atomic));
    client_of(&SERVER)
}

/// A client for an S3 server in this process.
pub(crate) fn client_of(server: &S3Server) -> Arc<dyn ObjectStore> {
    client_at(server.endpoint())
}

/// A client for the S3 server at this endpoint, which may be in another process.
pub(crate) fn client_at(endpoint: &str) -> Arc<dyn ObjectStore> {
    let builder = AmazonS3Builder::new().with_bucket_name(minisnap_s3_server::BUCKET);
    let configured = minisnap_s3_server::options(endpoint).into_iter().fold(builder, |builder, (key, value)| {
        builder.with_config(key.parse().expect("an option of object_store"), value)
    });
    Arc::new(configured.build().expect("a client"))
}

/// A client for the Google server at this endpoint, which may be in another process.
pub(crate) fn google_at(endpoint: &str) -> Arc<dyn ObjectStore> {
    let builder = GoogleCloudStorageBuilder::new().with_bucket_name(minisnap_gcs_server::BUCKET);
    let configured = minisnap_gcs_server::options(endpoint).into_iter().fold(builder, |builder, (key, value)| {
        builder.with_config(key.parse().expect("an option of object_store"), value)
    });
    Arc::new(configured.build().expect("a client"))
}

/// A client for the `MiniStack` that `scripts/with-ministack` started.
pub(crate) fn ministack() -> Arc<dyn ObjectStore> {
    s3_by("MINISNAP_TEST_MINISTACK", "scripts/with-ministack", ("test", "test"))
}

/// A client for the `SeaweedFS` that `scripts/with-seaweedfs` started.
pub(crate) fn seaweedfs() -> Arc<dyn ObjectStore> {
    s3_by("MINISNAP_TEST_SEAWEEDFS", "scripts/with-seaweedfs", ("test", "test-secret"))
}

/// A client for the Ceph that `scripts/with-ceph` started.
pub(crate) fn ceph() -> Arc<dyn ObjectStore> {
    s3_by("MINISNAP_TEST_CEPH", "scripts/with-ceph", ("test", "test-secret"))
}

/// A client for the Swift that `scripts/with-swift` started.
pub(crate) fn swift() -> Arc<dyn ObjectStore> {
    s3_by("MINISNAP_TEST_SWIFT", "scripts/with-swift", ("test:tester", "test-secret"))
}

/// A client for the `LocalBucket` that `scripts/with-localbucket` started.
pub(crate) fn localbucket() -> Arc<dyn ObjectStore> {
    s3_by("MINISNAP_TEST_LOCALBUCKET", "scripts/with-localbucket", ("test", "test-secret"))
}

/// A client for the bucket `minisnap` on the S3 server that a script started, with a key and its secret.
fn s3_by(variable: &str, script: &str, (key, secret): (&str, &str)) -> Arc<dyn ObjectStore> {
    let client = AmazonS3Builder::new()
        .with_endpoint(self::variable(variable, script))
        .with_allow_http(true)
        .with_bucket_name("minisnap")
        .with_access_key_id(key)
        .with_secret_access_key(secret)
        .build();
    Arc::new(client.expect("a client"))
}

/// The key of all emulators, as Microsoft documents it.
const EMULATOR_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A client for the Azurite that `scripts/with-azurite` started.
pub(crate) fn azurite() -> Arc<dyn ObjectStore> {
    // Not `with_use_emulator`, which also sets the port.
    let client = MicrosoftAzureBuilder::new()
        .with_account("devstoreaccount1")
        .with_access_key(EMULATOR_KEY)
        .with_endpoint(variable("MINISNAP_TEST_AZURITE", "scripts/with-azurite"))
        .with_allow_http(true)
        .with_container_name("minisnap")
        .build();
    Arc::new(client.expect("a client"))
}

fn variable(name: &str, script: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the test with {script}"))
}
