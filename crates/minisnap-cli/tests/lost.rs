//! The generation that is current is gone, or the commit record is; or a link that people open.

use crate::kit::{Place, STORE, folder, name_of};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// An accident.
type Loss = fn(&Place);

/// A store with seqs 10 to 12, and a journal.
fn with_three() -> Place {
    let place = folder();
    for seq in ["10", "11", "12"] {
        place.feed(&["create", STORE, "--seq", seq, "--retain", "3"], format!("[{seq}]")).done();
    }
    place.run(&["log", "begin", "journal", "--after", "12"]).ok();
    place.write("new.json", "[13]");
    place
}

fn record(place: &Place) -> PathBuf {
    place.files.join("snapshots/current")
}

fn lose_current(place: &Place) {
    fs::remove_dir_all(fs::canonicalize(record(place)).expect("a generation")).expect("it can go");
}

fn lose_record(place: &Place) {
    fs::remove_file(record(place)).expect("it can go");
}

/// As `cp -rL` makes of it: folders in place of links.
fn follow_links(place: &Place) {
    let copied = Command::new("sh")
        .args(["-c", "cp -rL state copy 2>/dev/null; rm -r state; mv copy state"])
        .current_dir(place.path("."))
        .status();
    assert!(copied.expect("sh").success() && record(place).is_dir());
}

fn name(place: &Place, seq: u64) -> String {
    name_of(place.json_of(seq).parent().expect("a generation")).into()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Nobody would take a snapshot that may never have been committed for one that was; and no number is printed that nobody wrote.
#[test]
fn each_command_tells_what_is_left_when_the_store_is_lost() {
    let losses: [(Loss, &[u64], &[u64]); 3] = [
        (lose_current, &[10], &[11]),
        (lose_record, &[11, 10], &[12]),
        // With the links, what says which is whose parent is lost.
        (follow_links, &[], &[10, 11, 12]),
    ];
    for (lose, intact, unconfirmed) in losses {
        let place = with_three();
        lose(&place);
        let before = place.generations();
        for args in [
            &["show", STORE][..],
            &["history", STORE],
            &["cat", STORE],
            &["cat", STORE, "--at", "11"],
            &["restore", STORE, "--output", "out"],
            &["verify", STORE],
            &["diff", STORE, "11"],
            &["copy", STORE, "other"],
            &["prune", STORE, "--retain", "1"],
            &["log", "show", "journal", "--store", STORE],
            &["log", "cut", "journal", "--before", "12", "--store", STORE],
            &["accept", STORE, "--yes"],
            &["rollback", STORE, "--to", "12"],
        ] {
            let ran = place.run(args);
            assert!(!ran.stdout.contains("18446744073709551615"), "{ran:?}");
            let said = ran.fails(1);
            assert!(!said.contains("18446744073709551615"), "{said}");
            for seq in intact.iter().take(1) {
                assert!(said.contains(&format!("--to {}` goes back", name(&place, *seq))), "{args:?}: {said}");
            }
            for seq in unconfirmed {
                let take =
                    format!("--to {}` takes seq {seq}, intact, and possibly never committed", name(&place, *seq));
                assert!(said.contains(&take), "{args:?}: {said}");
            }
        }
        let shown = json(&place.run(&["show", STORE, "--json"]).stdout);
        let seqs = |list: &str| shown["error"][list].as_array().expect("a list").len();
        assert_eq!((seqs("intact"), seqs("unconfirmed")), (intact.len(), unconfirmed.len()), "{shown}");
        assert_eq!(place.generations(), before, "nothing was changed");
    }
}

#[test]
fn rollback_makes_a_lost_store_whole_in_one_command() {
    let losses: [(Loss, u64); 3] = [(lose_current, 10), (lose_record, 11), (lose_record, 10)];
    for (lose, seq) in losses {
        let place = with_three();
        lose(&place);
        let told = place.run(&["rollback", STORE, "--to", &seq.to_string()]).ok();
        assert!(told.contains("is the current snapshot") && !told.contains("never committed"), "{told}");
        assert!(told.contains(&format!("`minisnap log cut JOURNAL --after {seq}`")), "{told}");
        is_whole(&place, seq);
    }
}

/// By name only: no seq means it, since its writer may have been killed before its commit.
#[test]
fn rollback_takes_an_unconfirmed_snapshot_only_by_name() {
    let losses: [(Loss, u64); 3] = [(lose_current, 11), (lose_record, 12), (follow_links, 12)];
    for (lose, seq) in losses {
        let place = with_three();
        lose(&place);
        let said = place.run(&["rollback", STORE, "--to", &seq.to_string()]).fails(1);
        assert!(said.contains(&format!("seq {seq} is none of those that are intact and were committed")), "{said}");
        let told = place.run(&["rollback", STORE, "--to", &name(&place, seq), "--json"]).ok();
        let told = json(&told);
        assert_eq!(told["possibly_never_committed"], true, "{told}");
        assert_eq!(told["committed"]["seq"], seq);
        is_whole(&place, seq);
    }
    let place = with_three();
    lose_record(&place);
    let told = place.run(&["rollback", STORE, "--to", &name(&place, 12)]).ok();
    assert!(told.contains("which was possibly never committed"), "{told}");
}

fn is_whole(place: &Place, seq: u64) {
    assert_eq!(place.run(&["cat", STORE]).ok(), format!("[\n  {seq}\n]"));
    place.run(&["verify", STORE]).ok();
    assert_eq!(fs::read_to_string(place.files.join("snapshot.seq")).expect("a link"), format!("{seq}\n"));
    place.run(&["create", STORE, "--seq", "13", "new.json"]).ok();
    place.run(&["verify", STORE]).ok();
    assert_eq!(place.run(&["cat", STORE]).ok(), "[\n  13\n]");
}

/// It used to name the snapshot that was gone as retained, and that the log up to it may go, which `show` denied.
#[test]
fn create_and_show_say_the_same_of_the_log_over_a_gap() {
    let place = with_three();
    lose_current(&place);
    let ran = place.run(&["create", STORE, "--seq", "13", "new.json"]);
    assert!(!ran.stderr.contains("new store"), "{ran:?}");
    let told = ran.done();
    assert!(told.contains("retained: seq 13; keep all of the log"), "{told}");
    let shown = place.run(&["show", STORE]).ok();
    assert!(shown.contains("log       keep all of it"), "{shown}");
    let told = json(&place.run(&["create", STORE, "--seq", "14", "new.json", "--json"]).done());
    assert_eq!(told["truncation_point"], Value::Null, "{told}");
    assert_eq!(told["retained"].as_array().expect("a list").len(), 2, "{told}");
    // Given up, the gap is closed.
    place.run(&["create", STORE, "--seq", "15", "new.json", "--retain", "2"]).done();
    let told = place.run(&["create", STORE, "--seq", "16", "new.json"]).ok();
    assert!(told.contains("the log can be truncated through seq 15"), "{told}");
    assert!(place.run(&["show", STORE]).ok().contains("can be truncated through seq 15"));
    place.run(&["verify", STORE]).ok();
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_symlink())
}

#[test]
fn missing_link_is_told_and_put_back_by_each_command() {
    let place = with_three();
    let links = ["snapshot.json", "snapshot.seq"].map(|name| place.files.join(name));
    for missing in [&links[..1], &links[1..], &links[..]] {
        for args in [
            &["revert", STORE][..],
            &["rollback", STORE, "--to", "12"],
            &["accept", STORE, "--yes"],
            &["create", STORE, "--seq", "12", "same.json"],
        ] {
            place.write("same.json", "[12]");
            missing.iter().for_each(|link| fs::remove_file(link).expect("it can go"));
            let verified = place.run(&["verify", STORE]);
            let ran = place.run(args).done();
            for link in missing {
                let told = format!("corrupt  store: {}: the link to ", link.display());
                assert!(verified.stdout.contains(&told), "{verified:?}");
                assert!(
                    args[0] == "create" || ran.contains(&format!("put back the link {}\n", link.display())),
                    "{ran}"
                );
            }
            verified.fails(1);
            assert!(links.iter().all(|link| is_link(link)), "{args:?}");
            assert!(!ran.contains("nothing was changed"), "{ran}");
            place.run(&["verify", STORE]).ok();
        }
    }
    let told = place.run(&["rollback", STORE, "--to", "12"]).ok();
    assert!(told.contains("nothing was changed"), "{told}");
}

#[test]
fn replaced_link_is_told_and_put_back() {
    let place = with_three();
    let seq = place.files.join("snapshot.seq");
    place.replace("snapshot.seq", "99\n");
    let said = place.run(&["rollback", STORE, "--to", "12"]).fails(5);
    assert!(said.contains("revert"), "{said}");
    let verified = place.run(&["verify", STORE]);
    assert!(verified.stdout.contains(&format!("corrupt  store: {}: another program", seq.display())), "{verified:?}");
    let told = place.run(&["revert", STORE]).ok();
    assert!(
        told.starts_with("moved aside: ") && told.contains(&format!("put back the link {}", seq.display())),
        "{told}"
    );
    assert!(is_link(&seq));
    place.replace("snapshot.json", "[99]");
    let told = place.run(&["accept", STORE, "--yes"]).ok();
    assert!(told.contains("put back the link") && told.contains("snapshot.json\naccepted as seq 12"), "{told}");
    place.run(&["verify", STORE]).ok();
}
