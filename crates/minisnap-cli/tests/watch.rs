use crate::{
    kit::{Place, Ran, STORE, folder, places},
    meanwhile,
};
use nix::sys::signal::Signal;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A running watch, and what it prints.
struct Watch {
    child: Watcher,
    lines: BufReader<ChildStdout>,
}

/// Ends with the test, also with one that fails: by itself, it would watch for ever.
struct Watcher(Option<Child>);

impl Watcher {
    fn get(&mut self) -> &mut Child {
        self.0.as_mut().expect("it was not waited for")
    }

    fn end(mut self) -> Ran {
        Ran::of(self.0.take().expect("it was not waited for").wait_with_output().expect("it ends"))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

impl Watch {
    fn start(place: &Place, args: &[&str]) -> Self {
        let mut child = meanwhile::start(place, &[&["watch", STORE, "--every", "10ms"], args].concat());
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child: Watcher(Some(child)), lines }
    }

    fn next(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line
    }

    fn end(self) -> Ran {
        self.child.end()
    }
}

#[test]
fn there_is_a_line_for_the_current_snapshot_and_for_each_new_one() {
    for place in places() {
        place.create(1, "[1]");
        place.create(2, "[2]");
        let mut watch = Watch::start(&place, &["--count", "3"]);
        let line = watch.next();
        assert!(line.contains(" UTC  seq 2  7 B  "), "{line}");
        for seq in [3, 2] {
            place.create(seq, "[3]");
            let line = watch.next();
            assert!(line.contains(&format!("  seq {seq}  7 B  ")), "{line}");
        }
        let ended = watch.end();
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "", ""), "after three lines");
    }
}

#[test]
fn it_waits_for_the_first_snapshot_and_ends_with_ctrl_c() {
    for place in places() {
        let mut watch = Watch::start(&place, &["--json"]);
        place.create(1, "[1]");
        let told: serde_json::Value = serde_json::from_str(&watch.next()).expect("JSON on a line");
        assert_eq!((told["seq"].as_u64(), told["size"].as_u64()), (Some(1), Some(7)));
        meanwhile::send(watch.child.get(), Signal::SIGINT);
        watch.end().is_silent(130);
    }
}

#[test]
fn several_committed_between_two_looks_are_all_told_in_their_order() {
    for place in places() {
        place.create(1, "1");
        let mut watch = Watch::start(&place, &["--count", "4"]);
        assert!(watch.next().contains("  seq 1  "));
        meanwhile::send(watch.child.get(), Signal::SIGSTOP);
        for seq in ["2", "3", "4"] {
            place.feed(&["create", STORE, "--seq", seq, "--retain", "9"], seq).ok();
        }
        meanwhile::send(watch.child.get(), Signal::SIGCONT);
        for seq in [2, 3, 4] {
            let line = watch.next();
            assert!(line.contains(&format!("  seq {seq}  ")), "{line}");
        }
        watch.end().ok();
    }
}

#[test]
fn what_goes_wrong_on_the_way_is_said_once_and_it_goes_on() {
    let place = folder();
    place.create(1, "1");
    let mut watch = Watch::start(&place, &["--count", "2"]);
    assert!(watch.next().contains("  seq 1  "));
    let (record, aside) = (place.files.join("snapshots/current"), place.files.join("aside"));
    fs::rename(&record, &aside).expect("it is there");
    let mut stderr = BufReader::new(watch.child.get().stderr.take().expect("a pipe"));
    let mut said = String::new();
    stderr.read_line(&mut said).expect("a complaint");
    // Some looks more, which find the same.
    thread::sleep(Duration::from_millis(100));
    fs::rename(&aside, &record).expect("it is there");
    place.create(2, "2");
    assert!(watch.next().contains("  seq 2  "));
    watch.end().ok();
    stderr.read_to_string(&mut said).expect("text");
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
}

#[test]
fn it_goes_on_when_nobody_hears_its_complaints() {
    let place = folder();
    place.create(1, "1");
    let mut watch = Watch::start(&place, &["--count", "3"]);
    assert!(watch.next().contains("  seq 1  "));
    drop(watch.child.get().stderr.take().expect("a pipe"));
    meanwhile::send(watch.child.get(), Signal::SIGSTOP);
    for seq in ["2", "3", "4"] {
        place.feed(&["create", STORE, "--seq", seq, "--retain", "2"], seq).ok();
    }
    meanwhile::send(watch.child.get(), Signal::SIGCONT);
    for seq in [3, 4] {
        let line = watch.next();
        assert!(line.contains(&format!("  seq {seq}  ")), "{line}");
    }
    assert_eq!(watch.end().code, Some(0));
}

#[test]
fn a_store_that_went_away_is_said_once_and_looked_for() {
    for place in places() {
        place.create(1, "1");
        let mut watch = Watch::start(&place, &["--count", "2"]);
        assert!(watch.next().contains("  seq 1  "));
        let aside = place.files.with_extension("aside");
        fs::rename(&place.files, &aside).expect("it is there");
        let mut stderr = BufReader::new(watch.child.get().stderr.take().expect("a pipe"));
        let mut said = String::new();
        stderr.read_line(&mut said).expect("a complaint");
        // Some looks more, which find the same.
        thread::sleep(Duration::from_millis(100));
        fs::rename(&aside, &place.files).expect("it is there");
        place.create(2, "2");
        assert!(watch.next().contains("  seq 2  "));
        assert_eq!(watch.end().code, Some(0));
        stderr.read_to_string(&mut said).expect("text");
        assert_eq!(said.matches("there is no snapshot here any more").count(), 1, "{said}");
        assert!(!said.contains("more were committed"), "{said}");
    }
}

#[test]
fn what_cant_be_looked_at_from_the_first_ends_it() {
    let [_, mut place] = places();
    place.reach("http://127.0.0.1:1");
    place.run(&["watch", STORE]).fails(2);
    let place = folder();
    place.run(&["watch", "memory:"]).fails(64);
    let refused = place.run(&["watch", STORE, "--every", "soon"]);
    assert_eq!(refused.code, Some(64), "{refused:?}");
}

#[test]
fn it_ends_quietly_when_nobody_listens_any_more() {
    let place = folder();
    place.create(1, "1");
    let Watch { child, mut lines } = Watch::start(&place, &[]);
    lines.read_line(&mut String::new()).expect("a line");
    drop(lines);
    place.create(2, "2");
    let ended = child.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""));
}

#[test]
fn watch_ends_when_its_reader_goes_away_without_news() {
    for place in places() {
        place.create(1, "1");
        let mut child = meanwhile::start(&place, &["watch", STORE, "--every", "1h"]);
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        lines.read_line(&mut String::new()).expect("a line");
        // What waits between two looks is not the end.
        thread::sleep(Duration::from_millis(100));
        assert!(child.try_wait().expect("a child").is_none());
        drop(lines);
        let begun = Instant::now();
        while child.try_wait().expect("a child").is_none() && begun.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(5));
        }
        let mut child = Watcher(Some(child));
        assert!(child.get().try_wait().expect("a child").is_some(), "it still watches");
        child.end().is_silent(141);
    }
}

// A file has no reader that could go away, and neither has `/dev/null`.
#[test]
fn watch_goes_on_when_its_output_is_a_file() {
    let place = folder();
    place.create(1, "1");
    let lines = fs::File::create(place.path("lines")).expect("a file");
    let mut command = place.command(&["watch", STORE, "--every", "10ms", "--count", "2"]);
    let child = command.stdin(Stdio::null()).stdout(lines).stderr(Stdio::piped()).spawn().expect("it starts");
    let child = Watcher(Some(child));
    let told = || fs::read_to_string(place.path("lines")).expect("a file").lines().count();
    meanwhile::wait_until("the first line is told", || told() == 1);
    thread::sleep(Duration::from_millis(100));
    place.create(2, "2");
    child.end().is_silent(0);
    assert_eq!(told(), 2);
}
