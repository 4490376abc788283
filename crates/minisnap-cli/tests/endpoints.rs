//! An invalid endpoint, bucket or setting is refused before a request is sent, from the environment and from options.

use crate::support::{STORE, Sandbox, folder, s3};

/// A sandbox whose store is at `url`.
fn sandbox_at(url: &str) -> Sandbox {
    let mut sandbox = folder();
    sandbox.store = url.into();
    sandbox
}

const NO_URLS: [&str; 10] = [
    "localhost:9000",
    "127.0.0.1:9000",
    "http://",
    "https://:9000",
    "http:///path",
    "http://bad host",
    "http://host:port",
    "http://1.2.3.4.5",
    "ftp://host",
    "http://host/pa^th",
];

#[test]
fn endpoint_that_is_no_url_is_refused_with_an_example() {
    for endpoint in NO_URLS {
        let mut sandbox = s3();
        sandbox.set_endpoint(endpoint);
        for message in [
            sandbox.run(&["verify", STORE]).fails(64),
            sandbox.run(&["show", STORE]).fails(64),
            s3().run(&["show", STORE, "--option", &format!("endpoint={endpoint}")]).fails(64),
        ] {
            assert!(message.contains(endpoint) && message.contains("http://HOST:PORT"), "{endpoint}: {message}");
        }
    }
}

#[test]
fn invalid_endpoint_is_refused_by_azure_and_google() {
    let azure = sandbox_at("az://container/app");
    let account = ["--option", "account_name=acme", "--option", "skip_signature=true"];
    let message = azure.run(&[&["show", STORE, "--option", "endpoint=localhost:1"], &account[..]].concat()).fails(64);
    assert!(message.contains("http://HOST:PORT"), "{message}");
    let google = sandbox_at("gs://bucket/app");
    let message = google.run(&["show", STORE, "--option", "base_url=localhost:1"]).fails(64);
    assert!(message.contains("http://HOST:PORT"), "{message}");
}

#[test]
fn http_in_capitals_needs_allow_http() {
    let message =
        sandbox_at("s3://bucket/app").run(&["show", STORE, "--option", "endpoint=HTTP://127.0.0.1:1"]).fails(64);
    assert!(message.contains("`allow_http`"), "{message}");
}

#[test]
fn bucket_name_with_invalid_characters_is_a_usage_error() {
    for bucket in ["bad bucket", "bad\tbucket", "bad|bucket", "b\u{fc}cket"] {
        let mut sandbox = s3();
        sandbox.store = format!("s3://{bucket}/app");
        let message = sandbox.run(&["show", STORE]).fails(64);
        assert!(message.contains("no white space in it"), "{message}");
    }
}

#[test]
fn setting_with_a_line_break_is_named_without_its_value() {
    for (name, value) in
        [("AWS_REGION", "some\rwhere"), ("AWS_ACCESS_KEY_ID", "a\rkey"), ("AWS_SESSION_TOKEN", "a\rtoken")]
    {
        let mut sandbox = s3();
        sandbox.set(name, value);
        let message = sandbox.run(&["show", STORE]).fails(64);
        let part = value.split('\r').next_back().unwrap();
        assert!(message.contains(name) && !message.contains(part), "{message}");
    }
}

#[test]
fn line_break_at_the_end_of_a_setting_does_not_count() {
    let mut sandbox = s3();
    sandbox.create(1, "[]");
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        let value = match name {
            "AWS_REGION" => "us-east-1".into(),
            name => sandbox.variable(name),
        };
        sandbox.set(name, &format!("{value}\r\n"));
    }
    sandbox.run(&["show", STORE]).succeeds();
}
