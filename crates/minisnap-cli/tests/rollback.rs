use crate::{
    processes,
    support::{STORE, document, folder, s3_on, sandboxes},
};
use minisnap_s3_server::{Conditions, S3Server};
use std::{fs, time::Duration};

#[test]
fn rollback_commits_an_older_snapshot_and_keeps_the_history() {
    for sandbox in sandboxes() {
        sandbox.create(10, "[10]");
        sandbox.create(20, "[20]");
        let old = sandbox.run(&["cat", STORE, "--at", "10"]).ok();
        let output = sandbox.run(&["rollback", STORE, "--to", "10", "--retain", "3"]).ok();
        assert!(
            output.contains("committed seq 10 again") && output.contains("seq 20 stays in the history"),
            "{output}"
        );
        assert!(
            output.contains("the log")
                && output.contains("minisnap log cut JOURNAL --after 10`")
                && output.contains("is 11"),
            "{output}"
        );
        assert_eq!(sandbox.seqs(), [10, 20, 10]);
        assert_eq!(sandbox.run(&["cat", STORE]).ok(), old);
        let again = sandbox.run(&["rollback", STORE, "--to", "10"]).ok();
        assert!(again.contains("already the current snapshot"), "a second run changes nothing: {again}");
        assert_eq!(sandbox.seqs(), [10, 20, 10]);
        sandbox.run(&["rollback", STORE, "--to", "20"]).ok();
        assert_eq!(sandbox.run(&["cat", STORE]).ok(), "[\n  20\n]", "and forward again");
    }
}

#[test]
fn rollback_expires_no_more_than_before_without_retain() {
    for sandbox in sandboxes() {
        for seq in ["1", "2", "3", "4"] {
            sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "4"], seq).ok();
        }
        sandbox.run(&["rollback", STORE, "--to", "2"]).ok();
        assert_eq!(sandbox.seqs(), [2, 4, 3, 2]);
        let output = sandbox.run(&["rollback", STORE, "--to", "4", "--retain", "1", "--json"]).ok();
        let output: serde_json::Value = serde_json::from_str(&output).expect("JSON");
        assert_eq!(output["committed"]["seq"], 4);
        assert_eq!(sandbox.seqs(), [4]);
    }
}

#[test]
fn missing_seq_error_lists_the_retained_ones() {
    for sandbox in sandboxes() {
        sandbox.run(&["rollback", STORE, "--to", "1"]).fails(3);
        sandbox.create(10, "1");
        sandbox.create(20, "2");
        let error = sandbox.run(&["rollback", STORE, "--to", "15"]).fails(3);
        assert!(error.contains("with seq 15; retained are: seq 20 (") && error.contains("seq 10 ("), "{error}");
        assert_eq!(sandbox.seqs(), [20, 10]);
    }
}

#[test]
fn rollback_repairs_a_corrupt_current_snapshot() {
    for sandbox in sandboxes() {
        sandbox.create(10, "[10]");
        sandbox.create(20, "[20]");
        fs::write(sandbox.json_of(20), "[99]").expect("permission to write");
        let error = sandbox.run(&["cat", STORE]).fails(1);
        assert!(error.contains("rollback"), "{error}");
        let output = sandbox.run(&["rollback", STORE, "--to", "10"]).ok();
        // The program needs every record after seq 10.
        assert!(output.contains("replays every record after seq 10\n") && !output.contains("log cut"), "{output}");
        assert_eq!(sandbox.run(&["cat", STORE]).ok(), "[\n  10\n]");
        let error = sandbox.run(&["rollback", STORE, "--to", "20"]).fails(1);
        assert!(error.contains("help: "), "{error}");
        assert_eq!(sandbox.seqs(), [10, 20], "corruption is not committed again");
    }
}

#[test]
fn rollback_to_a_corrupt_current_snapshot_fails() {
    for sandbox in sandboxes() {
        sandbox.create(10, "[10]");
        fs::write(sandbox.json_of(10), "[99]").expect("permission to write");
        sandbox.run(&["rollback", STORE, "--to", "10"]).fails(1);
    }
    let sandbox = folder();
    sandbox.create(10, "[10]");
    sandbox.create(20, "[20]");
    sandbox.run(&["rollback", STORE, "--to", "10", "--retain", "3"]).ok();
    fs::write(sandbox.files.join("snapshot.json"), "[99]").expect("permission to write");
    sandbox.run(&["rollback", STORE, "--to", "10"]).ok();
    assert_eq!(sandbox.run(&["cat", STORE]).ok(), "[\n  10\n]", "the equal snapshot is intact");
}

#[test]
fn rollback_of_an_accepted_edit_needs_a_name() {
    let sandbox = folder();
    sandbox.create(10, "[10]");
    sandbox.replace("snapshot.json", "[11]");
    sandbox.run(&["accept", STORE, "--yes"]).ok();
    assert_eq!(sandbox.run(&["cat", STORE]).ok(), "[11]");
    let error = sandbox.run(&["rollback", STORE, "--to", "10"]).fails(4);
    let older = error.split(&['`', ' '][..]).skip_while(|word| *word != "diff").nth(2);
    let name = older.expect("the name of the older snapshot");
    sandbox.run(&["rollback", STORE, "--to", name]).ok();
    assert_eq!(sandbox.run(&["cat", STORE]).ok(), "[\n  10\n]");
}

#[test]
fn rollback_fails_when_another_writer_commits() {
    let server = S3Server::start_with_latency(Conditions::Atomic, Duration::from_millis(100));
    let sandbox = s3_on(&server);
    sandbox.create(10, &document(6 << 20));
    sandbox.create(20, "20");
    let args = ["rollback", STORE, "--to", "10"];
    let error = processes::run_during_upload(&server, &sandbox, &args, || sandbox.create(30, "30")).fails(4);
    assert!(error.contains("as expected"), "{error}");
    assert_eq!(sandbox.seqs()[0], 30, "the concurrent commit stays current");
}
