//! The advice in every situation: about this store, with names and numbers that are known, and each command in it runs.

use crate::kit::{Place, Ran, STORE, folder, name_of, s3};
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

/// What a person would have to fill in, though the program knows it.
const PLACEHOLDERS: [&str; 5] = ["STORE", "SEQ", "NAME", "FILE", "SECONDS"];

/// A store whose path a shell would take apart, with two snapshots.
fn with_two() -> Place {
    let mut place = folder();
    place.rename("it's my state");
    place.create(1, "[1]");
    place.create(2, "[2]");
    place
}

/// Whatever is in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Runs a command as it is pasted into a shell.
fn paste(place: &Place, command: &str) -> Ran {
    let mut shell = Command::new("bash");
    place.prepare(&mut shell);
    let program = Path::new(env!("CARGO_BIN_EXE_minisnap")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("a PATH"));
    let ran = shell.args(["-c", command]).env("PATH", path).stdin(Stdio::null()).output();
    Ran::of(ran.expect("bash"))
}

/// Sees that what was said holds no placeholder, and that each command in the advice is one that the program understands.
/// Returns what was said.
#[track_caller]
fn check(place: &Place, ran: Ran) -> String {
    let said = ran.stderr.clone();
    assert!(said.contains("\nhelp: "), "{ran:?}");
    for word in said.split(|char: char| !char.is_alphanumeric()) {
        assert!(!PLACEHOLDERS.contains(&word), "{word}: {said}");
    }
    for command in quoted(&said).into_iter().filter(|quoted| quoted.starts_with("minisnap ")) {
        let ran = paste(place, command);
        assert!(ran.code != Some(64) && ran.code.is_some(), "{command}: {ran:?}");
    }
    said
}

fn corrupt(place: &Place, seqs: &[u64]) {
    for seq in seqs {
        fs::write(place.json_of(*seq), "[9]").expect("room for a file");
    }
}

/// A folder with these files instead of a store.
fn with_files(place: &Place, files: &[(&str, &str)]) {
    fs::remove_dir_all(&place.files).expect("a folder");
    fs::create_dir(&place.files).expect("a folder");
    for (name, content) in files {
        fs::write(place.files.join(name), content).expect("room for a file");
    }
}

fn lose_folder(place: &Place, seq: u64) {
    fs::rename(place.json_of(seq).parent().expect("a folder"), place.path("elsewhere")).expect("moved");
}

fn accept_edit(place: &Place) {
    place.replace("snapshot.json", "[22]");
    place.run(&["accept", STORE, "--yes"]).ok();
}

/// Brings a store into a situation, and the command lines that then fail.
type Situation = (fn(&Place), &'static [&'static [&'static str]]);

const SITUATIONS: [Situation; 12] = [
    (
        |_| {},
        &[
            &["create", STORE, "--seq", "2", "--if-newer", "3.json"],
            &["create", STORE, "--seq", "3", "no.json"],
            &["rollback", STORE, "--to", "7"],
            &["cat", STORE, "--at", "0"],
            &["restore", STORE, "--output", "it's my state/snapshot.json"],
            &["show", STORE, "--option", "nonsense=1"],
        ],
    ),
    (
        |place| place.replace("snapshot.json", "[22]"),
        &[&["show", STORE], &["verify", STORE], &["create", STORE, "--seq", "3", "3.json"], &["accept", STORE]],
    ),
    (
        |place| corrupt(place, &[2]),
        &[
            &["restore", STORE],
            &["show", STORE],
            &["verify", STORE],
            &["rollback", STORE, "--to", "2"],
            &["copy", STORE, "to"],
        ],
    ),
    (
        |place| corrupt(place, &[1]),
        &[&["restore", STORE, "--at", "1"], &["rollback", STORE, "--to", "1"], &["verify", STORE]],
    ),
    (|place| corrupt(place, &[1, 2]), &[&["restore", STORE], &["show", STORE], &["verify", STORE]]),
    (
        |place| fs::remove_file(place.files.join("snapshots/current")).expect("a link"),
        &[&["show", STORE], &["verify", STORE], &["create", STORE, "--seq", "3", "3.json"]],
    ),
    (|place| fs::remove_file(place.files.join("snapshot.seq")).expect("a link"), &[&["verify", STORE]]),
    (|place| lose_folder(place, 1), &[&["verify", STORE]]),
    (accept_edit, &[&["rollback", STORE, "--to", "2"]]),
    (|place| with_files(place, &[]), &[&["show", STORE], &["verify", STORE], &["diff", STORE]]),
    (|place| with_files(place, &[("snapshot.json", "[1]")]), &[&["show", STORE], &["cat", STORE]]),
    (
        |place| with_files(place, &[("snapshot.json", "[1"), ("snapshot.seq", "1")]),
        &[&["show", STORE], &["verify", STORE]],
    ),
];

#[test]
fn advice_can_be_pasted_in_every_situation() {
    for (arrange, commands) in SITUATIONS {
        for command in commands {
            // Made anew for each, since the commands in the advice are run.
            let place = with_two();
            place.write("3.json", "[3]");
            place.write("no.json", "[3");
            arrange(&place);
            let ran = place.run(command);
            assert!(ran.code != Some(0), "{command:?}: {ran:?}");
            check(&place, ran);
        }
    }
}

/// A `snapshot.seq` that holds no number.
#[test]
fn advice_says_what_to_write_when_the_seq_is_none() {
    let place = with_two();
    with_files(&place, &[("snapshot.json", "[1]"), ("snapshot.seq", "ten")]);
    for command in ["show", "verify", "history"] {
        let said = check(&place, place.run(&[command, STORE]));
        assert!(said.contains("write the seq of the last change in snapshot.json"), "{said}");
    }
}

#[test]
fn advice_names_the_url_and_the_seq_in_an_object_store() {
    let place = s3();
    assert!(check(&place, place.run(&["show", STORE])).contains(&format!("minisnap create {}", place.store)));
    place.create(1, "[1]");
    place.create(2, "[2]");
    let said = check(&place, place.run(&["accept", STORE]));
    assert!(said.contains(&format!("`minisnap create {} --seq 2 edited.json`", place.store)), "{said}");
    // The commands above were run.
    let place = s3();
    place.create(1, "[1]");
    place.create(2, "[2]");
    fs::write(place.json_of(2), "[9]").expect("room for a file");
    let newest = name_of(place.json_of(1).parent().expect("a folder")).to_owned();
    let said = check(&place, place.run(&["cat", STORE]));
    assert!(said.contains(&format!("`minisnap rollback {} --to {newest}`", place.store)), "{said}");
}

/// To go back is advised only where something intact is left, and only to the newest of that.
#[test]
fn going_back_is_advised_to_the_newest_intact_one_only() {
    let rollback_to = |place: &Place, seq| {
        let folder = place.json_of(seq);
        format!("`minisnap rollback {} --to {}`", place.store, name_of(folder.parent().expect("a folder")))
    };
    for place in [folder(), s3()] {
        for seq in ["1", "2", "3"] {
            place.feed(&["create", STORE, "--seq", seq, "--retain", "3"], format!("[{seq}]")).ok();
        }
        let break_json = |seq| fs::write(place.json_of(seq), "[!]").expect("room for a file");
        for (seq, back_to) in [(3, Some(2)), (2, Some(1)), (1, None)] {
            break_json(seq);
            for command in ["restore", "show", "verify"] {
                let said = place.run(&[command, STORE]).fails(1);
                if let Some(seq) = back_to {
                    assert!(said.contains(&rollback_to(&place, seq)), "{said}");
                } else {
                    assert!(!said.contains("rollback") && !said.contains("goes back"), "{said}");
                    assert!(said.contains("no intact snapshot is left here"), "{said}");
                }
            }
        }
    }
}

/// Also if the highest seq isn't the newest. The newest of all may never have been committed, and is named apart.
#[test]
fn advice_goes_back_to_the_newest_intact_when_the_record_is_lost() {
    type Leave = fn(&Place);
    let leftovers: [Leave; 2] =
        [|_| {}, |place| symlink("nonsense", place.files.join("snapshots/current")).expect("a link")];
    for (leave, command) in leftovers.into_iter().zip(["show", "verify"]) {
        let place = with_two();
        place.create(3, "[3]");
        let third = place.json_of(3);
        place.run(&["rollback", STORE, "--to", "2"]).ok();
        let newest = fs::read_link(place.files.join("snapshots/current")).expect("a link");
        fs::remove_file(place.files.join("snapshots/current")).expect("a link");
        leave(&place);
        let said = place.run(&[command, STORE]).fails(1);
        let takes = format!("--to {}` takes seq 2, intact, and possibly never committed", newest.display());
        assert!(said.contains(&takes), "{said}");
        let third_name = name_of(third.parent().expect("a folder"));
        assert!(said.contains(&format!(" --to {third_name}` goes back to the newest intact snapshot")), "{said}");
        assert!(said.contains("copy again with links kept (cp -a, tar, rsync -a)"), "{said}");
        fs::write(&third, "[!]").expect("room for a file");
        let said = place.run(&[command, STORE]).fails(1);
        assert!(said.contains(&takes) && !said.contains("goes back to"), "{said}");
        for generation in place.generations() {
            fs::write(generation.join("snapshot.json"), "[!]").expect("room for a file");
        }
        let said = check(&place, place.run(&[command, STORE]));
        assert!(said.contains("no intact snapshot is left here") && !said.contains("rollback"), "{said}");
    }
}

/// The command that is advised is the whole remedy.
#[test]
fn advice_is_the_remedy_when_the_record_is_lost() {
    let place = with_two();
    fs::remove_file(place.files.join("snapshots/current")).expect("a link");
    let said = check(&place, place.run(&["show", STORE]));
    assert!(said.contains("goes back to the newest intact snapshot"), "{said}");
    place.run(&["verify", STORE]).ok();
}

/// Objects have no links, and no command of the tool makes a commit record.
#[test]
fn advice_puts_the_record_back_when_it_is_lost_in_a_bucket() {
    let place = s3();
    place.create(1, "[1]");
    fs::remove_file(place.files.join("snapshots/current")).expect("the record");
    for command in ["show", "verify"] {
        let said = check(&place, place.run(&[command, STORE]));
        assert!(said.contains("put back the latest version of this object") && !said.contains("rollback"), "{said}");
    }
}

/// A later version can read it: it is not corrupt.
#[test]
fn newer_format_is_named_with_both_versions() {
    let place = s3();
    place.create(1, "[1]");
    fs::write(place.files.join("snapshots/current"), "minisnap-record 7\n").expect("room for a file");
    let said = place.run(&["show", STORE]).fails(10);
    assert!(said.contains("the store has the format 7, and this version of minisnap knows those up to 1"), "{said}");
    assert!(said.contains("help: use the version of minisnap that wrote it, or a later one"), "{said}");
    let told = place.run(&["show", STORE, "--json"]);
    assert!(told.stdout.contains(r#""kind": "newer_format""#), "{told:?}");
}

/// The holder is named with its number, whether it runs, was stopped, or left the lock to a child.
#[cfg(target_os = "linux")]
#[test]
fn a_busy_store_is_named_with_the_process_that_holds_it() {
    let place = with_two();
    let lock = place.files.join("snapshots/.lock");
    let said = || {
        let ran = place.feed(&["create", STORE, "--seq", "3", "--option", "busy_timeout=0.1"], "[3]");
        assert_eq!(ran.code, Some(6), "{ran:?}");
        check(&place, place.feed(&["create", STORE, "--seq", "3", "--option", "busy_timeout=0.1"], "[3]"))
    };
    let held = File::open(&lock).expect("the lock's file");
    held.lock().expect("nobody else has it");
    assert!(said().contains(&format!("another writer holds the lock: process {} (", std::process::id())), "{}", said());
    drop(held);

    // `flock` takes the lock, and its child, a shell, inherits it; the shell tells its number and stops itself.
    let hold = |script: &str| {
        let mut flock = Command::new("flock");
        flock.arg(&lock).args(["sh", "-c", script]).stdout(Stdio::piped()).stdin(Stdio::piped());
        flock.spawn().expect("flock, of util-linux")
    };
    let mut child = hold("echo ready; read line");
    let mut ready = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().expect("a pipe"), &mut ready).expect("it is ready");
    let taker = child.id();
    assert!(said().contains(&format!("process {taker} (flock)")), "{}", said());
    crate::meanwhile::send(&child, nix::sys::signal::Signal::SIGSTOP);
    assert!(said().contains(&format!("process {taker} (flock, stopped)")), "{}", said());
    crate::meanwhile::send(&child, nix::sys::signal::Signal::SIGCONT);
    // The taker ends, and its child, which inherited the lock, goes on until its input ends.
    let input = child.stdin.take();
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let heir = said();
    assert!(heir.contains(&format!("(sh), which inherited it from process {taker}")), "{heir}");
    drop(input);
}
