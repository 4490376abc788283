//! The public links of a store are missing or replaced.

use crate::{
    lost_record::{record, with_three},
    support::STORE,
};
use std::{fs, os::unix::fs::symlink, path::Path};

pub(crate) fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_symlink())
}

#[test]
fn missing_link_is_reported_and_restored_by_each_command() {
    let sandbox = with_three();
    let links = ["snapshot.json", "snapshot.seq"].map(|name| sandbox.files.join(name));
    for missing in [&links[..1], &links[1..], &links[..]] {
        for args in [
            &["revert", STORE][..],
            &["rollback", STORE, "--to", "12"],
            &["accept", STORE, "--yes"],
            &["create", STORE, "--seq", "12", "same.json"],
        ] {
            sandbox.write("same.json", "[12]");
            missing.iter().for_each(|link| fs::remove_file(link).expect("permission to delete"));
            let verified = sandbox.run(&["verify", STORE]);
            let result = sandbox.run(args).succeeds();
            for link in missing {
                let output = format!("corrupt  store: {}: the link to ", link.display());
                assert!(verified.stdout.contains(&output), "{verified:?}");
                assert!(
                    args[0] == "create" || result.contains(&format!("restored the link {}\n", link.display())),
                    "{result}"
                );
            }
            verified.fails(1);
            assert!(links.iter().all(|link| is_link(link)), "{args:?}");
            assert!(!result.contains("nothing was changed"), "{result}");
            sandbox.run(&["verify", STORE]).ok();
        }
    }
    let output = sandbox.run(&["rollback", STORE, "--to", "12"]).ok();
    assert!(output.contains("nothing was changed"), "{output}");
}

#[test]
fn replaced_link_is_reported_and_restored() {
    let sandbox = with_three();
    let seq = sandbox.files.join("snapshot.seq");
    sandbox.replace("snapshot.seq", "99\n");
    let message = sandbox.run(&["rollback", STORE, "--to", "12"]).fails(5);
    assert!(message.contains("revert"), "{message}");
    let verified = sandbox.run(&["verify", STORE]);
    assert!(verified.stdout.contains(&format!("corrupt  store: {}: another program", seq.display())), "{verified:?}");
    let output = sandbox.run(&["revert", STORE]).ok();
    assert!(
        output.starts_with("moved aside: ") && output.contains(&format!("restored the link {}", seq.display())),
        "{output}"
    );
    assert!(is_link(&seq));
    sandbox.replace("snapshot.json", "[99]");
    let output = sandbox.run(&["accept", STORE, "--yes"]).ok();
    assert!(output.contains("restored the link") && output.contains("snapshot.json\naccepted as seq 12"), "{output}");
    sandbox.run(&["verify", STORE]).ok();
}

/// As after `cp --remove-destination $(realpath state/snapshot.seq) state/`: the content is valid, but it is no link.
#[test]
fn file_with_equal_content_is_replaced_by_the_link() {
    for args in [&["revert", STORE][..], &["rollback", STORE, "--to", "12"], &["accept", STORE, "--yes"]] {
        let sandbox = with_three();
        let links = ["snapshot.json", "snapshot.seq"].map(|name| sandbox.files.join(name));
        for link in &links {
            let content = fs::read(link).expect("a link");
            fs::remove_file(link).expect("permission to delete");
            fs::write(link, content).expect("room for a few bytes");
        }
        sandbox.run(&["verify", STORE]).ok();
        let output = sandbox.run(args).ok();
        for link in &links {
            assert!(
                is_link(link) && output.contains(&format!("restored the link {}", link.display())),
                "{args:?}: {output}"
            );
        }
        sandbox.run(&["verify", STORE]).ok();
    }
}

/// The committed JSON counts: only the seq was changed.
#[test]
fn replaced_seq_is_accepted_when_the_json_link_is_missing() {
    let sandbox = with_three();
    fs::remove_file(sandbox.files.join("snapshot.json")).expect("permission to delete");
    sandbox.replace("snapshot.seq", "99\n");
    let output = sandbox.run(&["accept", STORE, "--yes"]).ok();
    assert!(output.contains("accepted as seq 99"), "{output}");
    assert_eq!(sandbox.run(&["cat", STORE]).ok(), "[\n  12\n]");
    sandbox.run(&["verify", STORE]).ok();
}

/// The targets of the links inside a generation are stored nowhere else, so `revert` can't restore them.
#[test]
fn revert_is_not_recommended_when_it_cannot_help() {
    for link in ["parent", "retained"] {
        let sandbox = with_three();
        let link = fs::canonicalize(record(&sandbox)).expect("a generation").join(link);
        fs::remove_file(&link).expect("permission to delete");
        symlink("elsewhere", &link).expect("a link");
        let message = sandbox.run(&["verify", STORE]).fails(1);
        assert!(message.contains("bring this link back from a backup") && !message.contains("revert"), "{message}");
    }
}
