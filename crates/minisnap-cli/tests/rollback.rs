use crate::{
    kit::{STORE, document, folder, places, s3_on},
    meanwhile,
};
use minisnap_s3_server::{Conditions, S3Server};
use std::{fs, time::Duration};

#[test]
fn an_older_snapshot_is_committed_again_and_history_stays() {
    for place in places() {
        place.create(10, "[10]");
        place.create(20, "[20]");
        let old = place.run(&["cat", STORE, "--at", "10"]).ok();
        let told = place.run(&["rollback", STORE, "--to", "10", "--retain", "3"]).ok();
        assert!(told.contains("committed seq 10 again") && told.contains("seq 20 stays in the history"), "{told}");
        assert!(
            told.contains("the log") && told.contains("minisnap log cut JOURNAL --after 10`") && told.contains("is 11"),
            "{told}"
        );
        assert_eq!(place.seqs(), [10, 20, 10]);
        assert_eq!(place.run(&["cat", STORE]).ok(), old);
        let again = place.run(&["rollback", STORE, "--to", "10"]).ok();
        assert!(again.contains("current snapshot already"), "to run it again changes nothing: {again}");
        assert_eq!(place.seqs(), [10, 20, 10]);
        place.run(&["rollback", STORE, "--to", "20"]).ok();
        assert_eq!(place.run(&["cat", STORE]).ok(), "[\n  20\n]", "and forward again");
    }
}

#[test]
fn no_more_is_expired_than_was_retained_unless_keep_says_so() {
    for place in places() {
        for seq in ["1", "2", "3", "4"] {
            place.feed(&["create", STORE, "--seq", seq, "--retain", "4"], seq).ok();
        }
        place.run(&["rollback", STORE, "--to", "2"]).ok();
        assert_eq!(place.seqs(), [2, 4, 3, 2]);
        let told = place.run(&["rollback", STORE, "--to", "4", "--retain", "1", "--json"]).ok();
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(told["committed"]["seq"], 4);
        assert_eq!(place.seqs(), [4]);
    }
}

#[test]
fn a_seq_that_is_not_there_is_told_with_what_is() {
    for place in places() {
        place.run(&["rollback", STORE, "--to", "1"]).fails(3);
        place.create(10, "1");
        place.create(20, "2");
        let error = place.run(&["rollback", STORE, "--to", "15"]).fails(3);
        assert!(error.contains("with seq 15; there are: seq 20 (") && error.contains("seq 10 ("), "{error}");
        assert_eq!(place.seqs(), [20, 10]);
    }
}

#[test]
fn it_leads_out_of_corruption() {
    for place in places() {
        place.create(10, "[10]");
        place.create(20, "[20]");
        fs::write(place.json_of(20), "[99]").expect("it can be written");
        let error = place.run(&["cat", STORE]).fails(1);
        assert!(error.contains("rollback"), "{error}");
        place.run(&["rollback", STORE, "--to", "10"]).ok();
        assert_eq!(place.run(&["cat", STORE]).ok(), "[\n  10\n]");
        let error = place.run(&["rollback", STORE, "--to", "20"]).fails(1);
        assert!(error.contains("help: "), "{error}");
        assert_eq!(place.seqs(), [10, 20], "corruption is not committed again");
    }
}

#[test]
fn a_current_snapshot_that_is_corrupt_is_not_where_one_wanted_to_be() {
    for place in places() {
        place.create(10, "[10]");
        fs::write(place.json_of(10), "[99]").expect("it can be written");
        place.run(&["rollback", STORE, "--to", "10"]).fails(1);
    }
    let place = folder();
    place.create(10, "[10]");
    place.create(20, "[20]");
    place.run(&["rollback", STORE, "--to", "10", "--retain", "3"]).ok();
    fs::write(place.files.join("snapshot.json"), "[99]").expect("it can be written");
    place.run(&["rollback", STORE, "--to", "10"]).ok();
    assert_eq!(place.run(&["cat", STORE]).ok(), "[\n  10\n]", "of the two that were the same, the other is intact");
}

#[test]
fn rollback_to_before_an_accepted_edit_goes_by_the_name() {
    let place = folder();
    place.create(10, "[10]");
    place.replace("snapshot.json", "[11]");
    place.run(&["accept", STORE, "--yes"]).ok();
    assert_eq!(place.run(&["cat", STORE]).ok(), "[11]");
    let error = place.run(&["rollback", STORE, "--to", "10"]).fails(4);
    let older = error.split(&['`', ' '][..]).skip_while(|word| *word != "diff").nth(2);
    let name = older.expect("the older one's name, to be compared with the other");
    place.run(&["rollback", STORE, "--to", name]).ok();
    assert_eq!(place.run(&["cat", STORE]).ok(), "[\n  10\n]");
}

#[test]
fn what_is_committed_meanwhile_is_not_gone_back_from() {
    let server = S3Server::start_with_latency(Conditions::Atomic, Duration::from_millis(100));
    let place = s3_on(&server);
    place.create(10, &document(6 << 20));
    place.create(20, "20");
    let args = ["rollback", STORE, "--to", "10"];
    let error = meanwhile::it_uploads(&server, &place, &args, || place.create(30, "30")).fails(4);
    assert!(error.contains("as expected"), "{error}");
    assert_eq!(place.seqs()[0], 30, "nobody has looked at that one");
}
