use crate::kit::{Place, STORE, folder};
use minisnap_wal::{Journal, Log};
use serde_json::Value;
use std::fs;

const HEADER: &str = "// MINISTORE JOURNAL v0.1.4\n";

/// Records in the form of any program, each with its number in it.
fn lines(first: u64, last: u64) -> String {
    (first..=last).map(|number| format!("{{\"Add\":{number}}}\n")).collect()
}

/// A store with nothing in it yet, and beside it a journal with the records 1 to `last`.
fn with_journal(last: u64) -> Place {
    let place = folder();
    place.write("log", format!("{HEADER}{}", lines(1, last)));
    place
}

fn text(place: &Place, name: &str) -> String {
    fs::read_to_string(place.path(name)).expect("a file")
}

fn json(place: &Place, args: &[&str]) -> Value {
    serde_json::from_str(&place.run(args).ok()).expect("JSON")
}

/// The names beside the journal.
fn names(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.path("")).expect("a folder").flatten();
    let names = entries.map(|entry| entry.file_name().into_string().expect("text"));
    let mut names: Vec<_> = names.filter(|name| name != "state").collect();
    names.sort();
    names
}

#[test]
fn journal_is_shown_with_the_snapshots_that_it_reaches() {
    let place = with_journal(20);
    place.create(15, "15");
    place.create(18, "18");
    let told = place.run(&["log", "show", "log", "--store", STORE]).ok();
    for line in
        ["records   20, from 1 to 20\n", "files     1 (", "seq 18: reached, 2 after it", "seq 15: reached, 5 after"]
    {
        assert!(told.contains(line), "{told}");
    }
    let told = json(&place, &["log", "show", "log", "--store", STORE, "--json"]);
    assert_eq!((&told["first"], &told["last"], &told["reaches_current"]), (&1.into(), &20.into(), &true.into()));
    assert_eq!(told["snapshots"][1]["reached"], true);

    // Cut too far, or ending too early, for the current one.
    place.write("log", format!("// MINISTORE JOURNAL v0.1.4 after 19\n{}", lines(20, 20)));
    let failed = place.run(&["log", "show", "log", "--store", STORE]);
    assert!(failed.stdout.contains("seq 18: not reached: record 19 is missing"), "{failed:?}");
    let error = failed.fails(1);
    assert!(error.contains("minisnap log begin log --after 18 --move-aside"), "{error}");
    place.write("log", format!("{HEADER}{}", lines(1, 16)));
    let error = place.run(&["log", "show", "log", "--store", STORE]).fails(1);
    assert!(error.contains("the journal ends before, with 16"), "{error}");
    // An older one that isn't reached stops no start.
    place.write("log", format!("// MINISTORE JOURNAL v0.1.4 after 17\n{}", lines(18, 20)));
    let told = place.run(&["log", "show", "log", "--store", STORE]).ok();
    assert!(told.contains("seq 15: not reached: records 16 to 17 are missing"), "{told}");
}

#[test]
fn journal_that_is_missing_or_none_is_named_and_not_made() {
    let place = folder();
    for args in [&["show", "no/log"][..], &["cut", "no/log", "--after", "1"], &["cut", "no/log", "--before", "1"]] {
        let error = place.run(&[&["log"], args].concat()).fails(9);
        assert!(error.contains("no journal here"), "{error}");
        assert!(names(&place).is_empty(), "it makes nothing");
    }
    let other = place.write("other", "{\"a\": 1}\n");
    let error = place.run(&["log", "show", &other]).fails(9);
    assert!(error.contains("no journal that can be read") && error.contains("first line"), "{error}");
}

#[test]
fn program_starts_after_a_rollback_and_the_cut_it_names() {
    let place = with_journal(25);
    place.create(20, "20");
    place.create(25, "25");
    let told = place.run(&["rollback", STORE, "--to", "20", "--retain", "3"]).ok();
    let named = told.split('`').find(|text| text.starts_with("minisnap log cut")).expect("a command").to_owned();
    let args: Vec<_> = named.split(' ').skip(1).map(|arg| if arg == "JOURNAL" { "log" } else { arg }).collect();
    let told = place.run(&args).ok();
    assert!(told.contains("moved records 21 to 25 to ") && told.contains("log.after-20; "), "{told}");
    assert!(told.contains("holds records 1 to 20; the next one is 21"), "{told}");
    assert_eq!(text(&place, "log"), format!("{HEADER}{}", lines(1, 20)));
    assert_eq!(text(&place, "log.after-20"), format!("// MINISTORE JOURNAL v0.1.4 after 20\n{}", lines(21, 25)));
    let told = place.run(&["log", "show", "log", "--store", STORE]).ok();
    assert!(told.contains("seq 20: reached, 0 after it"), "{told}");
    assert!(told.contains("seq 25: not reached: the journal ends before"), "what was gone back from: {told}");
    // What is aside is a journal, and a second cut finds nothing.
    let aside = json(&place, &["log", "show", "log.after-20", "--json"]);
    assert_eq!((&aside["first"], &aside["records"]), (&21.into(), &5.into()));
    let told = json(&place, &["log", "cut", "log", "--after", "20", "--json"]);
    assert_eq!((&told["cut"], &told["moved_to"]), (&Value::Null, &Value::Null));
    assert_eq!(names(&place), ["log", "log.after-20"]);
}

#[test]
fn cut_before_a_number_keeps_what_a_snapshot_needs() {
    let place = with_journal(20);
    place.create(8, "8");
    place.create(18, "18");
    let told = place.run(&["log", "cut", "log", "--before", "9", "--dry-run"]).ok();
    assert!(told.contains("would remove records 1 to 8 from ") && told.contains("nothing was changed"), "{told}");
    assert_eq!(text(&place, "log"), format!("{HEADER}{}", lines(1, 20)));
    let error = place.run(&["log", "cut", "log", "--before", "10", "--store", STORE]).fails(4);
    assert!(error.contains("has seq 8") && error.contains("log cut log --before 9`"), "{error}");
    let told = place.run(&["log", "cut", "log", "--before", "9", "--store", STORE]).ok();
    assert!(told.contains("removed records 1 to 8; ") && told.contains("holds records 9 to 20"), "{told}");
    assert_eq!(text(&place, "log"), format!("// MINISTORE JOURNAL v0.1.4 after 8\n{}", lines(9, 20)));
    assert!(place.run(&["log", "cut", "log", "--before", "9"]).ok().starts_with("there was nothing to cut"));
    let told = json(&place, &["log", "cut", "log", "--before", "21", "--json"]);
    assert_eq!((&told["cut"]["first"], &told["cut"]["last"], &told["last"]), (&9.into(), &20.into(), &20.into()));
    assert_eq!(names(&place), ["log"]);
}

#[test]
fn cut_at_a_number_that_a_journal_lacks_is_refused() {
    let place = folder();
    let text_of_it = format!("// MINISTORE JOURNAL v0.1.4 after 4\n{}", lines(5, 9));
    place.write("log", &text_of_it);
    for args in [["--after", "10"], ["--after", "3"], ["--before", "11"]] {
        for dry_run in [&["--dry-run"][..], &[]] {
            let error = place.run(&[&["log", "cut", "log"], &args[..], dry_run].concat()).fails(4);
            assert!(error.contains("nothing was cut") && !error.contains("log begin"), "{error}");
            assert!(error.contains("`minisnap log show log`"), "a slip is no reason to begin another: {error}");
            // What was asked for, and not the number next to it.
            let number = if args[1] == "3" { "record 4 is missing" } else { args[1] };
            assert!(error.contains(number), "{error}");
        }
    }
    // A program could not start any more.
    place.create(9, "9");
    let error = place.run(&["log", "cut", "log", "--after", "7", "--store", STORE]).fails(4);
    assert!(error.contains("seq 9") && error.contains("rollback"), "{error}");
    assert_eq!((text(&place, "log"), names(&place)), (text_of_it, vec!["log".to_owned()]));
    for mistake in [&["log", "cut", "log"][..], &["log", "cut", "log", "--after", "1", "--before", "1"], &["log"]] {
        assert_eq!(place.run(mistake).code, Some(64), "{mistake:?}");
    }
}

#[test]
fn cut_leads_out_of_a_record_that_cannot_be_read() {
    let place = folder();
    place.write("log", format!("{HEADER}{}[\n{}\n", lines(1, 2), lines(4, 5)));
    let failed = place.run(&["log", "show", "log"]);
    assert!(failed.stdout.contains("readable  only to 2\n"), "{failed:?}");
    let error = failed.fails(1);
    assert!(error.contains("line 4") && error.contains("minisnap log cut log --after 2`"), "{error}");
    // A snapshot that holds it needs no cut, which would leave the log ending before it.
    place.create(5, "5");
    let error = place.run(&["log", "show", "log", "--store", STORE]).fails(1);
    assert!(error.contains("record 6 can't be read") && error.contains("log cut log --after 5`"), "{error}");
    place.create(6, "6");
    let error = place.run(&["log", "show", "log", "--store", STORE]).fails(1);
    assert!(error.contains("no start needs it") && !error.contains("log cut"), "{error}");
    place.run(&["log", "cut", "log", "--after", "2"]).ok();
    place.run(&["log", "show", "log"]).ok();
    assert_eq!(text(&place, "log"), format!("{HEADER}{}", lines(1, 2)));
    assert!(text(&place, "log.after-2").ends_with(&format!("\n[\n{}\n", lines(4, 5))), "nothing is lost");
}

#[test]
fn rotated_journal_is_shown_and_cut() {
    let place = folder();
    place.write("log.000001", format!("{HEADER}{}", lines(1, 2)));
    place.write("log.000002", format!("{HEADER}{}", lines(3, 4)));
    place.write("log", format!("{HEADER}{}", lines(5, 5)));
    let told = json(&place, &["log", "show", "log", "--json"]);
    assert_eq!((&told["records"], told["files"].as_array().map(Vec::len)), (&5.into(), Some(3)));
    place.run(&["log", "cut", "log", "--after", "3"]).ok();
    place.run(&["log", "cut", "log", "--before", "2"]).ok();
    let told = json(&place, &["log", "show", "log", "--json"]);
    assert_eq!((&told["first"], &told["last"]), (&2.into(), &3.into()));
    assert_eq!(json(&place, &["log", "show", "log.after-3", "--json"])["first"], 4);
    let error = place.run(&["log", "show", "log.000001"]).fails(9);
    assert!(error.contains("of a rotated file"), "{error}");
}

#[test]
fn journal_that_is_open_can_be_shown_but_not_cut() {
    let place = with_journal(9);
    let runtime = crate::kit::runtime();
    let mut journal = runtime.block_on(Journal::<Value>::open(place.path("log"))).expect("a journal");
    place.run(&["log", "show", "log"]).ok();
    for args in [&["log", "cut", "log", "--after", "3"][..], &["log", "begin", "log", "--after", "3", "--move-aside"]] {
        let error = place.run(args).fails(6);
        if cfg!(target_os = "linux") {
            assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        }
    }
    runtime.block_on(journal.append(&serde_json::json!({ "Add": 10 }))).expect("append");
    drop(journal);
    assert_eq!(json(&place, &["log", "show", "log", "--json"])["last"], 10);
}

#[test]
fn journal_begins_after_a_number_and_over_none() {
    let place = folder();
    let (note, told) = place.run(&["log", "begin", "some/log", "--after", "20"]).remarks("note");
    assert_eq!(note, "some: this makes a new folder for the journal\n");
    assert!(told.contains("holds no record; the next one is 21"), "{told}");
    assert_eq!(text(&place, "some/log"), "// MINISTORE JOURNAL v0.1.4 after 20\n");
    // Again, and further on, it is the same; back it is not.
    place.run(&["log", "begin", "some/log", "--after", "20"]).ok();
    let told = json(&place, &["log", "begin", "some/log", "--after", "30", "--json"]);
    assert_eq!((&told["first"], &told["moved_to"]), (&31.into(), &Value::Null));
    let error = place.run(&["log", "begin", "some/log", "--after", "20"]).fails(4);
    assert!(error.contains("records up to 30") && error.contains("some/log --after 20 --move-aside`"), "{error}");
    place.run(&["log", "begin", "some/log", "--after", "20", "--move-aside"]).ok();
    assert_eq!(text(&place, "some/log"), "// MINISTORE JOURNAL v0.1.4 after 20\n");

    let place = with_journal(5);
    let error = place.run(&["log", "begin", "log", "--after", "20"]).fails(4);
    assert!(error.contains("holds records 1 to 5") && error.contains("nothing was changed"), "{error}");
    assert_eq!(text(&place, "log"), format!("{HEADER}{}", lines(1, 5)));
    let told = place.run(&["log", "begin", "log", "--after", "20", "--move-aside"]).ok();
    assert!(told.contains("moved what was in it to ") && told.contains("log.after-0; "), "{told}");
    assert_eq!(text(&place, "log"), "// MINISTORE JOURNAL v0.1.4 after 20\n");
    assert_eq!(json(&place, &["log", "show", "log.after-0", "--json"])["records"], 5);
    assert_eq!(names(&place), ["log", "log.after-0"]);
}
