use crate::support::{STORE, Sandbox, folder};
use minisnap_wal::{Journal, Log};
use serde_json::Value;
use std::fs;

const HEADER: &str = "// MINISTORE JOURNAL v0.1.4\n";

/// Records of some program, each with its number.
fn lines(first: u64, last: u64) -> String {
    (first..=last).map(|number| format!("{{\"Add\":{number}}}\n")).collect()
}

/// A sandbox without a store, and with a journal of the records 1 to `last`.
fn with_journal(last: u64) -> Sandbox {
    let sandbox = folder();
    sandbox.write("log", format!("{HEADER}{}", lines(1, last)));
    sandbox
}

fn text(sandbox: &Sandbox, name: &str) -> String {
    fs::read_to_string(sandbox.path(name)).expect("a file")
}

fn json(sandbox: &Sandbox, args: &[&str]) -> Value {
    serde_json::from_str(&sandbox.run(args).ok()).expect("JSON")
}

/// The files in the folder of the journal.
fn names(sandbox: &Sandbox) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path("")).expect("a folder").flatten();
    let names = entries.map(|entry| entry.file_name().into_string().expect("text"));
    let mut names: Vec<_> = names.filter(|name| name != "state").collect();
    names.sort();
    names
}

#[test]
fn log_show_lists_the_snapshots_that_the_journal_reaches() {
    let sandbox = with_journal(20);
    sandbox.create(15, "15");
    sandbox.create(18, "18");
    let output = sandbox.run(&["log", "show", "log", "--store", STORE]).ok();
    for line in
        ["records   20, from 1 to 20\n", "files     1 (", "seq 18: reached, 2 after it", "seq 15: reached, 5 after"]
    {
        assert!(output.contains(line), "{output}");
    }
    let output = json(&sandbox, &["log", "show", "log", "--store", STORE, "--json"]);
    assert_eq!((&output["first"], &output["last"], &output["reaches_current"]), (&1.into(), &20.into(), &true.into()));
    assert_eq!(output["snapshots"][1]["reached"], true);

    // The journal starts too late, or ends too early, for the current snapshot.
    sandbox.write("log", format!("// MINISTORE JOURNAL v0.1.4 after 19\n{}", lines(20, 20)));
    let failed = sandbox.run(&["log", "show", "log", "--store", STORE]);
    assert!(failed.stdout.contains("seq 18: not reached: record 19 is missing"), "{failed:?}");
    let error = failed.fails(1);
    assert!(error.contains("minisnap log begin log --after 18 --move-aside"), "{error}");
    sandbox.write("log", format!("{HEADER}{}", lines(1, 16)));
    let error = sandbox.run(&["log", "show", "log", "--store", STORE]).fails(1);
    assert!(error.contains("the journal ends before it, with 16"), "{error}");
    // An older snapshot that isn't reached is no failure.
    sandbox.write("log", format!("// MINISTORE JOURNAL v0.1.4 after 17\n{}", lines(18, 20)));
    let output = sandbox.run(&["log", "show", "log", "--store", STORE]).ok();
    assert!(output.contains("seq 15: not reached: records 16 to 17 are missing"), "{output}");
}

#[test]
fn missing_or_invalid_journal_is_named_and_not_created() {
    let sandbox = folder();
    for args in [&["show", "no/log"][..], &["cut", "no/log", "--after", "1"], &["cut", "no/log", "--before", "1"]] {
        let error = sandbox.run(&[&["log"], args].concat()).fails(9);
        assert!(error.contains("no journal here"), "{error}");
        assert!(names(&sandbox).is_empty(), "no file is created");
    }
    let other = sandbox.write("other", "{\"a\": 1}\n");
    let error = sandbox.run(&["log", "show", &other]).fails(9);
    assert!(error.contains("not a readable journal") && error.contains("first line"), "{error}");
}

#[test]
fn rollback_prints_the_log_cut_that_a_restart_needs() {
    let sandbox = with_journal(25);
    sandbox.create(20, "20");
    sandbox.create(25, "25");
    let output = sandbox.run(&["rollback", STORE, "--to", "20", "--retain", "3"]).ok();
    let named = output.split('`').find(|text| text.starts_with("minisnap log cut")).expect("a command").to_owned();
    let args: Vec<_> = named.split(' ').skip(1).map(|arg| if arg == "JOURNAL" { "log" } else { arg }).collect();
    let output = sandbox.run(&args).ok();
    assert!(output.contains("moved records 21 to 25 to ") && output.contains("log.after-20; "), "{output}");
    assert!(output.contains("holds records 1 to 20; the next one is 21"), "{output}");
    assert_eq!(text(&sandbox, "log"), format!("{HEADER}{}", lines(1, 20)));
    assert_eq!(text(&sandbox, "log.after-20"), format!("// MINISTORE JOURNAL v0.1.4 after 20\n{}", lines(21, 25)));
    let output = sandbox.run(&["log", "show", "log", "--store", STORE]).ok();
    assert!(output.contains("seq 20: reached, 0 after it"), "{output}");
    assert!(output.contains("seq 25: not reached: the journal ends before it"), "the replaced snapshot: {output}");
    // The moved records are a journal, and a second cut changes nothing.
    let aside = json(&sandbox, &["log", "show", "log.after-20", "--json"]);
    assert_eq!((&aside["first"], &aside["records"]), (&21.into(), &5.into()));
    let output = json(&sandbox, &["log", "cut", "log", "--after", "20", "--json"]);
    assert_eq!((&output["cut"], &output["moved_to"]), (&Value::Null, &Value::Null));
    assert_eq!(names(&sandbox), ["log", "log.after-20"]);
}

#[test]
fn cut_before_preserves_the_records_that_a_snapshot_needs() {
    let sandbox = with_journal(20);
    sandbox.create(8, "8");
    sandbox.create(18, "18");
    let output = sandbox.run(&["log", "cut", "log", "--before", "9", "--dry-run"]).ok();
    assert!(output.contains("would delete records 1 to 8 from ") && output.contains("nothing was changed"), "{output}");
    assert_eq!(text(&sandbox, "log"), format!("{HEADER}{}", lines(1, 20)));
    let error = sandbox.run(&["log", "cut", "log", "--before", "10", "--store", STORE]).fails(4);
    assert!(error.contains("seq 8, needs") && error.contains("log cut log --before 9`"), "{error}");
    let output = sandbox.run(&["log", "cut", "log", "--before", "9", "--store", STORE]).ok();
    assert!(output.contains("deleted records 1 to 8; ") && output.contains("holds records 9 to 20"), "{output}");
    assert_eq!(text(&sandbox, "log"), format!("// MINISTORE JOURNAL v0.1.4 after 8\n{}", lines(9, 20)));
    assert!(sandbox.run(&["log", "cut", "log", "--before", "9"]).ok().starts_with("nothing to cut"));
    let output = json(&sandbox, &["log", "cut", "log", "--before", "21", "--json"]);
    assert_eq!((&output["cut"]["first"], &output["cut"]["last"], &output["last"]), (&9.into(), &20.into(), &20.into()));
    assert_eq!(names(&sandbox), ["log"]);
}

#[test]
fn cut_at_a_number_outside_the_journal_is_refused() {
    let sandbox = folder();
    let content = format!("// MINISTORE JOURNAL v0.1.4 after 4\n{}", lines(5, 9));
    sandbox.write("log", &content);
    for args in [["--after", "10"], ["--after", "3"], ["--before", "11"]] {
        for dry_run in [&["--dry-run"][..], &[]] {
            let error = sandbox.run(&[&["log", "cut", "log"], &args[..], dry_run].concat()).fails(4);
            assert!(error.contains("nothing was cut") && !error.contains("log begin"), "{error}");
            assert!(error.contains("`minisnap log show log`"), "no new journal is recommended: {error}");
            // The message has the given number.
            let number = if args[1] == "3" { "record 4 is missing" } else { args[1] };
            assert!(error.contains(number), "{error}");
        }
    }
    // With this cut, the program could not start any more.
    sandbox.create(9, "9");
    let error = sandbox.run(&["log", "cut", "log", "--after", "7", "--store", STORE]).fails(4);
    assert!(error.contains("seq 9") && error.contains("rollback"), "{error}");
    assert_eq!((text(&sandbox, "log"), names(&sandbox)), (content, vec!["log".to_owned()]));
    for mistake in [&["log", "cut", "log"][..], &["log", "cut", "log", "--after", "1", "--before", "1"], &["log"]] {
        assert_eq!(sandbox.run(mistake).code, Some(64), "{mistake:?}");
    }
}

#[test]
fn cut_removes_a_record_that_cannot_be_read() {
    let sandbox = folder();
    sandbox.write("log", format!("{HEADER}{}[\n{}\n", lines(1, 2), lines(4, 5)));
    let failed = sandbox.run(&["log", "show", "log"]);
    assert!(failed.stdout.contains("readable  only to 2\n"), "{failed:?}");
    let error = failed.fails(1);
    assert!(error.contains("line 4") && error.contains("minisnap log cut log --after 2`"), "{error}");
    // If a snapshot contains the record, a cut is not recommended: the journal would end before the snapshot.
    sandbox.create(5, "5");
    let error = sandbox.run(&["log", "show", "log", "--store", STORE]).fails(1);
    assert!(error.contains("record 6 can't be read") && error.contains("log cut log --after 5`"), "{error}");
    sandbox.create(6, "6");
    let error = sandbox.run(&["log", "show", "log", "--store", STORE]).fails(1);
    assert!(error.contains("the program doesn't need it") && !error.contains("log cut"), "{error}");
    sandbox.run(&["log", "cut", "log", "--after", "2"]).ok();
    sandbox.run(&["log", "show", "log"]).ok();
    assert_eq!(text(&sandbox, "log"), format!("{HEADER}{}", lines(1, 2)));
    assert!(text(&sandbox, "log.after-2").ends_with(&format!("\n[\n{}\n", lines(4, 5))), "nothing is lost");
}

#[test]
fn rotated_journal_is_shown_and_cut() {
    let sandbox = folder();
    sandbox.write("log.000001", format!("{HEADER}{}", lines(1, 2)));
    sandbox.write("log.000002", format!("{HEADER}{}", lines(3, 4)));
    sandbox.write("log", format!("{HEADER}{}", lines(5, 5)));
    let output = json(&sandbox, &["log", "show", "log", "--json"]);
    assert_eq!((&output["records"], output["files"].as_array().map(Vec::len)), (&5.into(), Some(3)));
    sandbox.run(&["log", "cut", "log", "--after", "3"]).ok();
    sandbox.run(&["log", "cut", "log", "--before", "2"]).ok();
    let output = json(&sandbox, &["log", "show", "log", "--json"]);
    assert_eq!((&output["first"], &output["last"]), (&2.into(), &3.into()));
    assert_eq!(json(&sandbox, &["log", "show", "log.after-3", "--json"])["first"], 4);
    let error = sandbox.run(&["log", "show", "log.000001"]).fails(9);
    assert!(error.contains("of a rotated file"), "{error}");
}

#[test]
fn open_journal_can_be_shown_but_not_cut() {
    let sandbox = with_journal(9);
    let runtime = crate::support::runtime();
    let mut journal = runtime.block_on(Journal::<Value>::open(sandbox.path("log"))).expect("a journal");
    sandbox.run(&["log", "show", "log"]).ok();
    for args in [&["log", "cut", "log", "--after", "3"][..], &["log", "begin", "log", "--after", "3", "--move-aside"]] {
        let error = sandbox.run(args).fails(6);
        if cfg!(target_os = "linux") {
            assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        }
    }
    runtime.block_on(journal.append(&serde_json::json!({ "Add": 10 }))).expect("append");
    drop(journal);
    assert_eq!(json(&sandbox, &["log", "show", "log", "--json"])["last"], 10);
}

#[test]
fn begin_creates_a_journal_and_replaces_none() {
    let sandbox = folder();
    let (note, output) = sandbox.run(&["log", "begin", "some/log", "--after", "20"]).note_or_warning("note");
    assert_eq!(note, "some: creating this folder for the journal\n");
    assert!(output.contains("holds no record; the next one is 21"), "{output}");
    assert_eq!(text(&sandbox, "some/log"), "// MINISTORE JOURNAL v0.1.4 after 20\n");
    // A second run with the same or a higher number succeeds; a lower number is refused.
    sandbox.run(&["log", "begin", "some/log", "--after", "20"]).ok();
    let output = json(&sandbox, &["log", "begin", "some/log", "--after", "30", "--json"]);
    assert_eq!((&output["first"], &output["moved_to"]), (&31.into(), &Value::Null));
    let error = sandbox.run(&["log", "begin", "some/log", "--after", "20"]).fails(4);
    assert!(error.contains("records up to 30") && error.contains("some/log --after 20 --move-aside`"), "{error}");
    sandbox.run(&["log", "begin", "some/log", "--after", "20", "--move-aside"]).ok();
    assert_eq!(text(&sandbox, "some/log"), "// MINISTORE JOURNAL v0.1.4 after 20\n");

    let sandbox = with_journal(5);
    let error = sandbox.run(&["log", "begin", "log", "--after", "20"]).fails(4);
    assert!(error.contains("holds records 1 to 5") && error.contains("nothing was changed"), "{error}");
    assert_eq!(text(&sandbox, "log"), format!("{HEADER}{}", lines(1, 5)));
    let output = sandbox.run(&["log", "begin", "log", "--after", "20", "--move-aside"]).ok();
    assert!(output.contains("moved its records to ") && output.contains("log.after-0; "), "{output}");
    assert_eq!(text(&sandbox, "log"), "// MINISTORE JOURNAL v0.1.4 after 20\n");
    assert_eq!(json(&sandbox, &["log", "show", "log.after-0", "--json"])["records"], 5);
    assert_eq!(names(&sandbox), ["log", "log.after-0"]);
}
