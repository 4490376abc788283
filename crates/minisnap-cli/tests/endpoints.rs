//! An endpoint, a bucket or a setting that no client could use: said before anything is asked, from the environment and
//! from options alike.

use crate::kit::{Place, STORE, folder, s3};

/// A place of which nothing is known but its URL.
fn at(url: &str) -> Place {
    let mut place = folder();
    place.store = url.into();
    place
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
fn an_endpoint_that_is_no_url_is_named_with_what_to_write() {
    for endpoint in NO_URLS {
        let mut place = s3();
        place.reach(endpoint);
        for said in [
            place.run(&["verify", STORE]).fails(64),
            place.run(&["show", STORE]).fails(64),
            s3().run(&["show", STORE, "--option", &format!("endpoint={endpoint}")]).fails(64),
        ] {
            assert!(said.contains(endpoint) && said.contains("http://HOST:PORT"), "{endpoint}: {said}");
        }
    }
}

#[test]
fn it_is_the_same_for_the_other_clients() {
    let azure = at("az://container/app");
    let account = ["--option", "account_name=acme", "--option", "skip_signature=true"];
    let said = azure.run(&[&["show", STORE, "--option", "endpoint=localhost:1"], &account[..]].concat()).fails(64);
    assert!(said.contains("http://HOST:PORT"), "{said}");
    let google = at("gs://bucket/app");
    let said = google.run(&["show", STORE, "--option", "base_url=localhost:1"]).fails(64);
    assert!(said.contains("http://HOST:PORT"), "{said}");
}

#[test]
fn http_in_capitals_has_to_be_meant_too() {
    let said = at("s3://bucket/app").run(&["show", STORE, "--option", "endpoint=HTTP://127.0.0.1:1"]).fails(64);
    assert!(said.contains("`allow_http`"), "{said}");
}

#[test]
fn a_bucket_that_no_url_can_name_is_a_usage_error() {
    for bucket in ["bad bucket", "bad\tbucket", "bad|bucket", "b\u{fc}cket"] {
        let mut place = s3();
        place.store = format!("s3://{bucket}/app");
        let said = place.run(&["show", STORE]).fails(64);
        assert!(said.contains("no white space in it"), "{said}");
    }
}

#[test]
fn a_setting_with_a_line_break_at_its_end_is_named_and_not_quoted() {
    for (name, value) in
        [("AWS_REGION", "somewhere\r"), ("AWS_ACCESS_KEY_ID", "a-key\r"), ("AWS_SESSION_TOKEN", "a-token\r")]
    {
        let mut place = s3();
        place.set(name, value);
        let said = place.run(&["show", STORE]).fails(64);
        assert!(said.contains(&name.to_ascii_lowercase()) && !said.contains(value.trim_end()), "{said}");
    }
}
