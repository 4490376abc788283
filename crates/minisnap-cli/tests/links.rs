//! A store's links are missing, or something else stands in their place.

use crate::{
    kit::STORE,
    lost::{record, with_three},
};
use std::{fs, os::unix::fs::symlink, path::Path};

pub(crate) fn is_link(path: &Path) -> bool {
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

/// `cp --remove-destination $(realpath state/snapshot.seq) state/`. Nothing is wrong with it, and it is no link.
#[test]
fn file_that_says_the_same_becomes_a_link_again() {
    for args in [&["revert", STORE][..], &["rollback", STORE, "--to", "12"], &["accept", STORE, "--yes"]] {
        let place = with_three();
        let links = ["snapshot.json", "snapshot.seq"].map(|name| place.files.join(name));
        for link in &links {
            let content = fs::read(link).expect("a link");
            fs::remove_file(link).expect("it can go");
            fs::write(link, content).expect("room for a few bytes");
        }
        place.run(&["verify", STORE]).ok();
        let told = place.run(args).ok();
        for link in &links {
            assert!(
                is_link(link) && told.contains(&format!("put back the link {}", link.display())),
                "{args:?}: {told}"
            );
        }
        place.run(&["verify", STORE]).ok();
    }
}

/// The JSON is the one that was committed: only the seq was changed.
#[test]
fn replaced_seq_is_accepted_when_the_json_link_is_missing() {
    let place = with_three();
    fs::remove_file(place.files.join("snapshot.json")).expect("it can go");
    place.replace("snapshot.seq", "99\n");
    let told = place.run(&["accept", STORE, "--yes"]).ok();
    assert!(told.contains("accepted as seq 99"), "{told}");
    assert_eq!(place.run(&["cat", STORE]).ok(), "[\n  12\n]");
    place.run(&["verify", STORE]).ok();
}

/// What the links of a generation said is said nowhere else: `revert` can't put them back.
#[test]
fn no_revert_is_advised_when_it_would_not_help() {
    for link in ["parent", "retained"] {
        let place = with_three();
        let link = fs::canonicalize(record(&place)).expect("a generation").join(link);
        fs::remove_file(&link).expect("it can go");
        symlink("elsewhere", &link).expect("a link");
        let said = place.run(&["verify", STORE]).fails(1);
        assert!(said.contains("bring this link back from a backup") && !said.contains("revert"), "{said}");
    }
}
