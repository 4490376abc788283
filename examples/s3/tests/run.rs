//! Runs the example against a server in this process, and checks that `minisnap::open` selects the client by the URL.

use minisnap::SnapshotBackend;
use minisnap_s3_server::{Conditions, S3Server};
use std::process::Command;

#[test]
fn run_continues_from_the_previous_snapshot() {
    let server = S3Server::start(Conditions::Atomic);
    for (found, saved) in
        [("as of change 0", "committed 00000000000000000001"), ("as of change 1", "committed 00000000000000000002")]
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
fn url_scheme_selects_the_backend() {
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
