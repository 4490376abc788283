//! The server, tested with a client of the crate `object_store`.

mod conditions;
mod lifecycle;
mod objects;
mod uploads;

use minisnap_s3_server::S3Server;
use object_store::{
    Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, PutResult, RetryConfig, UpdateVersion,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};

/// A client without retries, so that a test sees each answer of the server.
fn client(server: &S3Server) -> AmazonS3 {
    client_with(server, &[])
}

/// A client without retries, and with additional options.
fn client_with(server: &S3Server, additional: &[(&'static str, &str)]) -> AmazonS3 {
    let mut builder = AmazonS3Builder::new()
        .with_url(server.url(""))
        .with_retry(RetryConfig { max_retries: 0, ..Default::default() });
    let additional = additional.iter().map(|(key, value)| (*key, (*value).to_owned()));
    for (key, value) in server.options().into_iter().chain(additional) {
        builder = builder.with_config(key.parse().expect("a key"), value);
    }
    builder.build().expect("a client")
}

async fn put(store: &AmazonS3, key: &str, body: impl Into<PutPayload>, mode: PutMode) -> Result<PutResult, Error> {
    store.put_opts(&Path::from(key), body.into(), PutOptions::from(mode)).await
}

async fn bytes(store: &AmazonS3, key: &str) -> Vec<u8> {
    let found = store.get(&Path::from(key)).await.expect("an object");
    found.bytes().await.expect("the bytes of the object").into()
}

fn update(from: &PutResult) -> PutMode {
    PutMode::Update(UpdateVersion { e_tag: from.e_tag.clone(), version: None })
}

/// The names of all files in a folder and its subfolders.
fn files(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.file_name().into_string().expect("a text"));
        }
    }
    found
}
