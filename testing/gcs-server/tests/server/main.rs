//! The server, tested with a client of the crate `object_store`, and with requests that this client never sends.

mod access;
mod conditions;
mod lists;
mod objects;
mod raw;
mod uploads;
mod write_limit;

use minisnap_gcs_server::{GcsServer, Limits};
use object_store::{
    Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, PutResult, RetryConfig, UpdateVersion,
    gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder},
    path::Path,
};

fn server() -> GcsServer {
    GcsServer::start(Limits::default())
}

/// A client without retries, so that a test sees each answer of the server.
fn client(server: &GcsServer) -> GoogleCloudStorage {
    client_with(server.options())
}

/// A client without retries, with these options.
fn client_with(options: Vec<(&'static str, String)>) -> GoogleCloudStorage {
    let builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(minisnap_gcs_server::BUCKET)
        .with_retry(RetryConfig { max_retries: 0, ..Default::default() });
    let configured = options
        .into_iter()
        .fold(builder, |builder, (option, value)| builder.with_config(option.parse().expect("an option"), value));
    configured.build().expect("a client")
}

async fn put(
    store: &GoogleCloudStorage,
    key: &str,
    body: impl Into<PutPayload>,
    mode: PutMode,
) -> Result<PutResult, Error> {
    store.put_opts(&Path::from(key), body.into(), PutOptions::from(mode)).await
}

async fn bytes(store: &GoogleCloudStorage, key: &str) -> Vec<u8> {
    let found = store.get(&Path::from(key)).await.expect("an object");
    found.bytes().await.expect("the bytes of the object").into()
}

fn update(from: &PutResult) -> PutMode {
    PutMode::Update(UpdateVersion { e_tag: None, version: from.version.clone() })
}
