//! Answers that no store gives, or that need a repair of the configuration. None of them is retried.

use super::{failure, failure_of, open};
use crate::support::scripted_server::{ScriptedServer, answer};
use minisnap_core::SnapshotBackend;
use std::io::Write;

const PAGE: &str = "<!DOCTYPE html><html><title>Log in to this network</title></html>";
const HTML: &str = "Content-Type: text/html; charset=utf-8\r\n";

/// A record that names no generation.
const RECORD: &str = "minisnap-record 1\npublished 0\nsweeps 0\nretained 0\n";

/// The headers that every store sends with an object.
const OBJECT: &str = "ETag: \"a\"\r\nLast-Modified: Wed, 01 Jan 2025 00:00:00 GMT\r\n";

/// A server with this answer, and three retries, of which none is needed.
async fn failure_after_one_request(status: &str, headers: &str, body: &str) -> (super::Failed, String) {
    let server = ScriptedServer::that_answers(status, headers, body);
    let failed = failure(&server.endpoint(), &[("max_retries", "3"), ("region", "us-east-1")]).await;
    assert_eq!(server.requests(), 1, "{failed:#?}");
    (failed, server.address().to_string())
}

#[tokio::test]
async fn web_page_is_not_taken_for_a_corrupt_record() {
    for (status, headers) in [
        ("200 OK", HTML),
        // With all headers of an object.
        ("200 OK", OBJECT),
        ("403 Forbidden", HTML),
    ] {
        let (failed, address) = failure_after_one_request(status, headers, PAGE).await;
        failed.assert_is(
            &format!("the server {address} answered with a web page, and not like an object store"),
            "whether the network needs a login or a proxy",
            false,
        );
    }
}

#[tokio::test]
async fn web_page_is_recognized_after_a_redirect() {
    let portal = ScriptedServer::that_answers("200 OK", HTML, PAGE);
    let location = format!("Location: {}/login\r\n", portal.endpoint());
    let (failed, address) = failure_after_one_request("302 Found", &location, "").await;
    assert_eq!(portal.requests(), 1);
    failed.assert_is(
        &format!("the server {address} answered with a web page, and not like an object store"),
        "check the endpoint",
        false,
    );
}

/// A missing record is no error. Then the store is listed, and a site that is no store says that the list doesn't exist, too.
#[tokio::test]
async fn site_without_objects_is_not_taken_for_an_empty_store() {
    let server = ScriptedServer::that_answers("404 Not Found", HTML, PAGE);
    let failed = failure(&server.endpoint(), &[("max_retries", "3")]).await;
    failed.assert_is("answered with a web page, and not like an object store", "check the endpoint", false);
    assert_eq!(server.requests(), 2);
}

/// Servers written with a web framework give every answer the type of a web page.
#[tokio::test]
async fn record_with_the_type_of_a_web_page_is_read() {
    let server = ScriptedServer::that_answers("200 OK", &format!("{HTML}{OBJECT}"), RECORD);
    let endpoint = server.endpoint();
    assert_eq!(open("s3://bucket/app", &[("endpoint_url", &endpoint)]).current().await.unwrap(), None);
}

#[tokio::test]
async fn reads_ask_caches_to_revalidate() {
    let server = ScriptedServer::start(|head, connection| {
        let status = match head.to_lowercase().contains("\r\ncache-control: no-cache\r\n") {
            true => "200 OK",
            false => "400 Bad Request",
        };
        connection.write_all(answer(status, OBJECT, RECORD).as_bytes()).unwrap();
    });
    let endpoint = server.endpoint();
    assert_eq!(open("s3://bucket/app", &[("endpoint_url", &endpoint)]).current().await.unwrap(), None);
}

#[tokio::test]
async fn missing_bucket_is_reported() {
    let xml = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>No bucket</Message></Error>";
    let (failed, address) = failure_after_one_request("404 Not Found", "", xml).await;
    failed.assert_is(
        &format!("the server {address} has no such bucket or container"),
        "check the name of the bucket",
        false,
    );
}

#[tokio::test]
async fn missing_container_is_reported() {
    let server = ScriptedServer::that_answers("404 Not Found", "x-ms-error-code: ContainerNotFound\r\n", "");
    let endpoint = server.endpoint();
    let backend = open("az://container/app", &[("account_name", "acme"), ("azure_endpoint", &endpoint)]);
    let failed = failure_of(&backend).await;
    let address = server.address();
    failed.assert_is(
        &format!("the server {address} has no such bucket or container"),
        "check the name of the bucket",
        false,
    );
}

#[tokio::test]
async fn missing_object_is_no_missing_bucket() {
    let server = ScriptedServer::start(|head, connection| {
        let xml = "<Error><Code>NoSuchKey</Code></Error>";
        let list = "<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>";
        let answer = match head.contains("list-type=2") {
            true => answer("200 OK", "", list),
            false => answer("404 Not Found", "", xml),
        };
        connection.write_all(answer.as_bytes()).unwrap();
    });
    let endpoint = server.endpoint();
    assert_eq!(open("s3://bucket/app", &[("endpoint_url", &endpoint)]).current().await.unwrap(), None);
}

#[tokio::test]
async fn region_of_the_bucket_is_reported() {
    let malformed =
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>eu-west-1</Region></Error>";
    for (status, headers, body) in
        [("301 Moved Permanently", "x-amz-bucket-region: eu-west-1\r\n", ""), ("400 Bad Request", "", malformed)]
    {
        let (failed, _) = failure_after_one_request(status, headers, body).await;
        failed.assert_is(
            "the bucket is in the region eu-west-1, and not in the region that is set",
            "set the option `region` (AWS_REGION) to `eu-west-1`",
            false,
        );
    }
    let moved = "<Error><Code>PermanentRedirect</Code><Endpoint>bucket.s3.example</Endpoint></Error>";
    let (failed, _) = failure_after_one_request("301 Moved Permanently", "", moved).await;
    failed.assert_is("the bucket is in another region than the one that is set", "to the bucket's region", false);
}
