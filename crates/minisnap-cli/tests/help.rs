//! The help in every situation is about this store, contains no placeholder that the program could fill in, and its
//! commands run.

use crate::support::{RunResult, STORE, Sandbox, folder, name_of, s3};
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

/// Placeholders that must not occur, since the program knows the values.
const PLACEHOLDERS: [&str; 5] = ["STORE", "SEQ", "NAME", "FILE", "SECONDS"];

/// A store with two snapshots, whose path needs quotes in a shell.
fn with_two() -> Sandbox {
    let mut sandbox = folder();
    sandbox.rename("it's my state");
    sandbox.create(1, "[1]");
    sandbox.create(2, "[2]");
    sandbox
}

/// The parts in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Runs a command in a shell, as if it was pasted.
fn paste(sandbox: &Sandbox, command: &str) -> RunResult {
    let mut shell = Command::new("bash");
    sandbox.prepare(&mut shell);
    let program = Path::new(env!("CARGO_BIN_EXE_minisnap")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("a PATH"));
    let result = shell.args(["-c", command]).env("PATH", path).stdin(Stdio::null()).output();
    RunResult::of(result.expect("bash"))
}

/// Checks that stderr contains no placeholder, and that the program accepts each command in the help. Returns stderr.
#[track_caller]
fn check(sandbox: &Sandbox, result: RunResult) -> String {
    let message = result.stderr.clone();
    assert!(message.contains("\nhelp: "), "{result:?}");
    for word in message.split(|char: char| !char.is_alphanumeric()) {
        assert!(!PLACEHOLDERS.contains(&word), "{word}: {message}");
    }
    for command in quoted(&message).into_iter().filter(|quoted| quoted.starts_with("minisnap ")) {
        let result = paste(sandbox, command);
        assert!(result.code != Some(64) && result.code.is_some(), "{command}: {result:?}");
    }
    message
}

fn corrupt(sandbox: &Sandbox, seqs: &[u64]) {
    for seq in seqs {
        fs::write(sandbox.json_of(*seq), "[9]").expect("room for a file");
    }
}

/// Replaces the store by a folder with these files.
fn with_files(sandbox: &Sandbox, files: &[(&str, &str)]) {
    fs::remove_dir_all(&sandbox.files).expect("a folder");
    fs::create_dir(&sandbox.files).expect("a folder");
    for (name, content) in files {
        fs::write(sandbox.files.join(name), content).expect("room for a file");
    }
}

fn lose_folder(sandbox: &Sandbox, seq: u64) {
    fs::rename(sandbox.json_of(seq).parent().expect("a folder"), sandbox.path("elsewhere")).expect("moved");
}

fn accept_edit(sandbox: &Sandbox) {
    sandbox.replace("snapshot.json", "[22]");
    sandbox.run(&["accept", STORE, "--yes"]).ok();
}

/// A change of the store, and the command lines that fail afterwards.
type Situation = (fn(&Sandbox), &'static [&'static [&'static str]]);

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
        |sandbox| sandbox.replace("snapshot.json", "[22]"),
        &[&["show", STORE], &["verify", STORE], &["create", STORE, "--seq", "3", "3.json"], &["accept", STORE]],
    ),
    (
        |sandbox| corrupt(sandbox, &[2]),
        &[
            &["restore", STORE],
            &["show", STORE],
            &["verify", STORE],
            &["rollback", STORE, "--to", "2"],
            &["copy", STORE, "to"],
        ],
    ),
    (
        |sandbox| corrupt(sandbox, &[1]),
        &[&["restore", STORE, "--at", "1"], &["rollback", STORE, "--to", "1"], &["verify", STORE]],
    ),
    (|sandbox| corrupt(sandbox, &[1, 2]), &[&["restore", STORE], &["show", STORE], &["verify", STORE]]),
    (
        |sandbox| fs::remove_file(sandbox.files.join("snapshots/current")).expect("a link"),
        &[&["show", STORE], &["verify", STORE], &["create", STORE, "--seq", "3", "3.json"]],
    ),
    (|sandbox| fs::remove_file(sandbox.files.join("snapshot.seq")).expect("a link"), &[&["verify", STORE]]),
    (|sandbox| lose_folder(sandbox, 1), &[&["verify", STORE]]),
    (accept_edit, &[&["rollback", STORE, "--to", "2"]]),
    (|sandbox| with_files(sandbox, &[]), &[&["show", STORE], &["verify", STORE], &["diff", STORE]]),
    (|sandbox| with_files(sandbox, &[("snapshot.json", "[1]")]), &[&["show", STORE], &["cat", STORE]]),
    (
        |sandbox| with_files(sandbox, &[("snapshot.json", "[1"), ("snapshot.seq", "1")]),
        &[&["show", STORE], &["verify", STORE]],
    ),
];

#[test]
fn help_can_be_pasted_in_every_situation() {
    for (arrange, commands) in SITUATIONS {
        for command in commands {
            // A new store for each, since the commands in the help are run.
            let sandbox = with_two();
            sandbox.write("3.json", "[3]");
            sandbox.write("no.json", "[3");
            arrange(&sandbox);
            let result = sandbox.run(command);
            assert!(result.code != Some(0), "{command:?}: {result:?}");
            check(&sandbox, result);
        }
    }
}

/// A `snapshot.seq` that holds no number.
#[test]
fn help_describes_the_content_of_an_invalid_seq_file() {
    let sandbox = with_two();
    with_files(&sandbox, &[("snapshot.json", "[1]"), ("snapshot.seq", "ten")]);
    for command in ["show", "verify", "history"] {
        let message = check(&sandbox, sandbox.run(&[command, STORE]));
        assert!(message.contains("write the seq of the last change in snapshot.json"), "{message}");
    }
}

#[test]
fn help_names_the_url_and_seq_of_an_object_store() {
    let sandbox = s3();
    assert!(check(&sandbox, sandbox.run(&["show", STORE])).contains(&format!("minisnap create {}", sandbox.store)));
    sandbox.create(1, "[1]");
    sandbox.create(2, "[2]");
    let message = check(&sandbox, sandbox.run(&["accept", STORE]));
    assert!(message.contains(&format!("`minisnap create {} --seq 2 edited.json`", sandbox.store)), "{message}");
    // A new store, since the commands in the help were run.
    let sandbox = s3();
    sandbox.create(1, "[1]");
    sandbox.create(2, "[2]");
    fs::write(sandbox.json_of(2), "[9]").expect("room for a file");
    let newest = name_of(sandbox.json_of(1).parent().expect("a folder")).to_owned();
    let message = check(&sandbox, sandbox.run(&["cat", STORE]));
    assert!(message.contains(&format!("`minisnap rollback {} --to {newest}`", sandbox.store)), "{message}");
}

#[test]
fn help_recommends_a_rollback_to_the_newest_intact_snapshot() {
    let rollback_to = |sandbox: &Sandbox, seq| {
        let folder = sandbox.json_of(seq);
        format!("`minisnap rollback {} --to {}`", sandbox.store, name_of(folder.parent().expect("a folder")))
    };
    for sandbox in [folder(), s3()] {
        for seq in ["1", "2", "3"] {
            sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "3"], format!("[{seq}]")).ok();
        }
        let break_json = |seq| fs::write(sandbox.json_of(seq), "[!]").expect("room for a file");
        for (seq, back_to) in [(3, Some(2)), (2, Some(1)), (1, None)] {
            break_json(seq);
            for command in ["restore", "show", "verify"] {
                let message = sandbox.run(&[command, STORE]).fails(1);
                if let Some(seq) = back_to {
                    assert!(message.contains(&rollback_to(&sandbox, seq)), "{message}");
                } else {
                    assert!(!message.contains("rollback") && !message.contains("goes back"), "{message}");
                    assert!(message.contains("no snapshot is intact"), "{message}");
                }
            }
        }
    }
}

/// The newest intact snapshot may have a lower seq than an older one. The newest of all is possibly uncommitted, and is listed
/// separately.
#[test]
fn help_recommends_the_newest_intact_when_the_record_is_lost() {
    type Replace = fn(&Sandbox);
    let replacements: [Replace; 2] =
        [|_| {}, |sandbox| symlink("nonsense", sandbox.files.join("snapshots/current")).expect("a link")];
    for (replace, command) in replacements.into_iter().zip(["show", "verify"]) {
        let sandbox = with_two();
        sandbox.create(3, "[3]");
        let third = sandbox.json_of(3);
        sandbox.run(&["rollback", STORE, "--to", "2"]).ok();
        let newest = fs::read_link(sandbox.files.join("snapshots/current")).expect("a link");
        fs::remove_file(sandbox.files.join("snapshots/current")).expect("a link");
        replace(&sandbox);
        let message = sandbox.run(&[command, STORE]).fails(1);
        let unconfirmed = format!(
            "--to {}` makes seq 2 current, which is intact, but possibly was never committed",
            newest.display()
        );
        assert!(message.contains(&unconfirmed), "{message}");
        let third_name = name_of(third.parent().expect("a folder"));
        assert!(message.contains(&format!(" --to {third_name}` goes back to the newest intact snapshot")), "{message}");
        assert!(message.contains("copy the store again with its links preserved (cp -a, tar, rsync -a)"), "{message}");
        fs::write(&third, "[!]").expect("room for a file");
        let message = sandbox.run(&[command, STORE]).fails(1);
        assert!(message.contains(&unconfirmed) && !message.contains("goes back to"), "{message}");
        for generation in sandbox.generations() {
            fs::write(generation.join("snapshot.json"), "[!]").expect("room for a file");
        }
        let message = check(&sandbox, sandbox.run(&[command, STORE]));
        assert!(message.contains("no snapshot is intact") && !message.contains("rollback"), "{message}");
    }
}

/// The command in the help is the complete repair.
#[test]
fn help_repairs_the_store_when_the_record_is_lost() {
    let sandbox = with_two();
    fs::remove_file(sandbox.files.join("snapshots/current")).expect("a link");
    let message = check(&sandbox, sandbox.run(&["show", STORE]));
    assert!(message.contains("goes back to the newest intact snapshot"), "{message}");
    sandbox.run(&["verify", STORE]).ok();
}

/// Objects have no links, and no command of the tool creates a commit record.
#[test]
fn help_restores_the_object_when_a_bucket_lost_its_record() {
    let sandbox = s3();
    sandbox.create(1, "[1]");
    fs::remove_file(sandbox.files.join("snapshots/current")).expect("the record");
    for command in ["show", "verify"] {
        let message = check(&sandbox, sandbox.run(&[command, STORE]));
        assert!(
            message.contains("restore the latest valid version of this object") && !message.contains("rollback"),
            "{message}"
        );
    }
}

/// A later version can read it, so it is not corrupt.
#[test]
fn newer_format_is_reported_with_both_versions() {
    let sandbox = s3();
    sandbox.create(1, "[1]");
    fs::write(sandbox.files.join("snapshots/current"), "minisnap-record 7\n").expect("room for a file");
    let message = sandbox.run(&["show", STORE]).fails(10);
    assert!(
        message.contains("the store has format 7, but this version of minisnap supports formats up to 1"),
        "{message}"
    );
    assert!(message.contains("help: use the version of minisnap that wrote it, or a later one"), "{message}");
    let output = sandbox.run(&["show", STORE, "--json"]);
    assert!(output.stdout.contains(r#""kind": "newer_format""#), "{output:?}");
}

/// The lock holder is reported with its process id: while it runs, is stopped, or if a child inherited the lock.
#[cfg(target_os = "linux")]
#[test]
fn busy_store_is_reported_with_the_lock_holder() {
    let sandbox = with_two();
    let lock = sandbox.files.join("snapshots/.lock");
    let message = || {
        let result = sandbox.run_with_input(&["create", STORE, "--seq", "3", "--option", "busy_timeout=0.1"], "[3]");
        assert_eq!(result.code, Some(6), "{result:?}");
        check(&sandbox, sandbox.run_with_input(&["create", STORE, "--seq", "3", "--option", "busy_timeout=0.1"], "[3]"))
    };
    let held = File::open(&lock).expect("the lock's file");
    held.lock().expect("a free lock");
    assert!(
        message().contains(&format!("another writer holds the lock: process {} (", std::process::id())),
        "{}",
        message()
    );
    drop(held);

    // `flock` takes the lock, and its child, a shell, inherits it.
    let hold = |script: &str| {
        let mut flock = Command::new("flock");
        flock.arg(&lock).args(["sh", "-c", script]).stdout(Stdio::piped()).stdin(Stdio::piped());
        flock.spawn().expect("flock, of util-linux")
    };
    let mut child = hold("echo ready; read line");
    let mut ready = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().expect("a pipe"), &mut ready).expect("a line");
    let holder = child.id();
    assert!(message().contains(&format!("process {holder} (flock)")), "{}", message());
    crate::processes::send(&child, nix::sys::signal::Signal::SIGSTOP);
    assert!(message().contains(&format!("process {holder} (flock, stopped)")), "{}", message());
    crate::processes::send(&child, nix::sys::signal::Signal::SIGCONT);
    // `flock` ends, and its child, which inherited the lock, runs until its input ends.
    let input = child.stdin.take();
    child.kill().expect("a running process");
    child.wait().expect("the program ends");
    let inherited = message();
    assert!(inherited.contains(&format!("(sh), which inherited it from process {holder}")), "{inherited}");
    drop(input);
}
