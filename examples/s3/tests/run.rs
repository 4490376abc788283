//! The example, against a server in this process; and that `minisnap::open` leads each kind of URL to its client.

use minisnap::SnapshotBackend;
use minisnap_s3_server::{Conditions, S3Server};
use std::process::Command;

#[test]
fn each_run_goes_on_from_the_snapshot_of_the_one_before() {
    let server = S3Server::start(Conditions::Atomic);
    for (found, saved) in
        [("as of change 0", "published 00000000000000000001"), ("as of change 1", "published 00000000000000000002")]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_example-s3"))
            .arg(server.url("example"))
            .envs(server.options().into_iter().map(|(name, value)| (name.to_uppercase(), value)))
            .output()
            .expect("the example runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(found) && text.contains(saved), "{text}");
    }
}

#[test]
fn each_scheme_opens_its_store() {
    for (url, options) in [
        ("s3://bucket/app", vec![]),
        ("gs://bucket/app", vec![]),
        ("az://container/app", vec![("account_name", "acme"), ("use_emulator", "true")]),
    ] {
        let store = minisnap::open_with(url, options).expect("a store");
        assert_eq!(store.backend().location(), url);
        assert!(format!("{:?}", store.backend()).contains("ObjectBackend"), "{store:?}");
    }
}

#[test]
fn options_reach_the_backend() {
    let store = minisnap::open_with("s3://bucket/app", [("busy_timeout", "2.5")]).expect("a store");
    assert!(format!("{:?}", store.backend()).contains("busy_timeout: 2.5s"), "{store:?}");
}
