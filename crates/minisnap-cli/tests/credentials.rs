//! Credentials and endpoints of object stores in the program's environment.

use crate::support::{STORE, Sandbox, folder, s3};
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
};

/// A sandbox whose store is at `url`.
fn sandbox_at(url: &str) -> Sandbox {
    let mut sandbox = folder();
    sandbox.store = url.into();
    sandbox
}

/// The address of a server that answers each request with 200 and this text, and the first lines of its requests.
fn server(answer: &'static str) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (requests, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut head) = (stream.unwrap(), [0; 8192]);
            let read = stream.read(&mut head).unwrap_or(0);
            let line = String::from_utf8_lossy(&head[..read]).lines().next().unwrap_or_default().to_owned();
            let length = answer.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{answer}");
            // The client may have ended, and so may the test.
            let _ = (stream.write_all(answer.as_bytes()), requests.send(line));
        }
    });
    (address, received)
}

#[test]
fn invalid_url_in_a_variable_is_a_usage_error_that_names_it() {
    for (url, variables) in [
        (
            "s3://bucket/app",
            &[
                "AWS_ENDPOINT_URL",
                "AWS_ENDPOINT_URL_S3",
                "AWS_ENDPOINT_URL_STS",
                "AWS_METADATA_ENDPOINT",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "AWS_PROXY_URL",
            ][..],
        ),
        ("az://container/app", &["AZURE_STORAGE_ENDPOINT", "AZURE_AUTHORITY_HOST", "IDENTITY_ENDPOINT"]),
        ("gs://bucket/app", &["GOOGLE_BASE_URL", "STORAGE_EMULATOR_HOST", "GCE_METADATA_HOST", "GOOGLE_PROXY_URL"]),
    ] {
        for variable in variables {
            let mut sandbox = sandbox_at(url);
            sandbox.set("AZURE_STORAGE_ACCOUNT_NAME", "acme");
            sandbox.set(variable, "bad host");
            let message = sandbox.run(&["show", STORE]).fails(64);
            assert!(message.contains(variable), "{variable}: {message}");
        }
    }
}

#[test]
fn profile_in_the_home_has_the_credentials() {
    let mut sandbox = s3();
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let environment: Vec<_> = keys.map(|key| sandbox.variable(key)).into();
    sandbox.create(1, "[]");
    for key in keys {
        sandbox.set(key, "");
    }
    fs::create_dir(sandbox.path(".aws")).unwrap();
    let [id, secret] = [&environment[0], &environment[1]];
    let file = format!("[work]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    fs::write(sandbox.path(".aws/credentials"), file).unwrap();
    let home = sandbox.path_text("");
    sandbox.set("HOME", &home);
    sandbox.run(&["verify", STORE, "--option", "profile=work"]).succeeds();
    sandbox.set("AWS_PROFILE", "work");
    sandbox.run(&["verify", STORE]).succeeds();
    sandbox.set("AWS_PROFILE", "missing");
    let message = sandbox.run(&["verify", STORE]).fails(64);
    assert!(message.contains("AWS_PROFILE") && message.contains("aws configure list-profiles"), "{message}");
}

/// The endpoint must be encrypted. The metadata server has no encryption, and needs no option.
#[test]
fn google_metadata_server_needs_no_allow_http() {
    let (address, requests) = server(r#"{"access_token": "token", "expires_in": 3600}"#);
    let mut sandbox = sandbox_at("gs://bucket/app");
    sandbox.set("GCE_METADATA_HOST", &address);
    // No server listens on this port.
    sandbox.set("GOOGLE_BASE_URL", "https://127.0.0.1:9");
    let message = sandbox.run(&["show", STORE, "--option", "max_retries=0"]).fails(2);
    let request = requests.recv().unwrap();
    assert!(request.starts_with("GET /computeMetadata/v1/instance/service-accounts/default/token"), "{request}");
    assert!(message.contains("https://127.0.0.1:9"), "{message}");
}

#[test]
fn storage_emulator_is_used_without_credentials() {
    let (address, requests) = server("");
    let mut sandbox = sandbox_at("gs://bucket/app");
    sandbox.set("STORAGE_EMULATOR_HOST", &address);
    // The answer has no headers of an object.
    sandbox.run(&["show", STORE]).fails(2);
    assert_eq!(requests.recv().unwrap(), "GET /bucket/app%2Fsnapshots%2Fcurrent HTTP/1.1");
}
