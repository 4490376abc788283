use crate::{
    processes,
    support::{RunResult, STORE, Sandbox, folder, sandboxes},
};
use nix::sys::signal::Signal;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A running `watch`, and its output.
struct Watch {
    child: Watcher,
    lines: BufReader<ChildStdout>,
}

/// Kills the process on drop: otherwise it would run for ever after a failed test.
struct Watcher(Option<Child>);

impl Watcher {
    fn get(&mut self) -> &mut Child {
        self.0.as_mut().expect("a child that was not waited for")
    }

    fn end(mut self) -> RunResult {
        RunResult::of(
            self.0.take().expect("a child that was not waited for").wait_with_output().expect("the program ends"),
        )
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
    fn start(sandbox: &Sandbox, args: &[&str]) -> Self {
        let mut child = processes::start(sandbox, &[&["watch", STORE, "--every", "10ms"], args].concat());
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child: Watcher(Some(child)), lines }
    }

    fn next(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line
    }

    fn end(self) -> RunResult {
        self.child.end()
    }
}

#[test]
fn watch_prints_the_current_and_each_new_snapshot() {
    for sandbox in sandboxes() {
        sandbox.create(1, "[1]");
        sandbox.create(2, "[2]");
        let mut watch = Watch::start(&sandbox, &["--count", "3"]);
        let line = watch.next();
        assert!(line.contains(" UTC  seq 2  7 B  "), "{line}");
        for seq in [3, 2] {
            sandbox.create(seq, "[3]");
            let line = watch.next();
            assert!(line.contains(&format!("  seq {seq}  7 B  ")), "{line}");
        }
        let ended = watch.end();
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "", ""), "after three lines");
    }
}

#[test]
fn watch_waits_for_the_first_snapshot() {
    for sandbox in sandboxes() {
        let mut watch = Watch::start(&sandbox, &["--json"]);
        sandbox.create(1, "[1]");
        let output: serde_json::Value = serde_json::from_str(&watch.next()).expect("JSON on a line");
        assert_eq!((output["seq"].as_u64(), output["size"].as_u64()), (Some(1), Some(7)));
        processes::send(watch.child.get(), Signal::SIGINT);
        watch.end().is_silent(130);
    }
}

#[test]
fn watch_prints_all_commits_between_checks_in_order() {
    for sandbox in sandboxes() {
        sandbox.create(1, "1");
        let mut watch = Watch::start(&sandbox, &["--count", "4"]);
        assert!(watch.next().contains("  seq 1  "));
        processes::send(watch.child.get(), Signal::SIGSTOP);
        for seq in ["2", "3", "4"] {
            sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "9"], seq).ok();
        }
        processes::send(watch.child.get(), Signal::SIGCONT);
        for seq in [2, 3, 4] {
            let line = watch.next();
            assert!(line.contains(&format!("  seq {seq}  ")), "{line}");
        }
        watch.end().ok();
    }
}

#[test]
fn watch_prints_a_failure_once_and_continues() {
    let sandbox = folder();
    sandbox.create(1, "1");
    sandbox.create(2, "2");
    let mut watch = Watch::start(&sandbox, &["--count", "2"]);
    assert!(watch.next().contains("  seq 2  "));
    let (record, aside) = (sandbox.files.join("snapshots/current"), sandbox.files.join("aside"));
    fs::rename(&record, &aside).expect("an existing file");
    let mut stderr = BufReader::new(watch.child.get().stderr.take().expect("a pipe"));
    let mut message = String::new();
    stderr.read_line(&mut message).expect("an error");
    // Time for more checks with the same failure, but with another help: the newest generation isn't intact any more.
    thread::sleep(Duration::from_millis(50));
    let json = sandbox.json_of(2);
    fs::write(&json, "corrupt").expect("an existing file");
    thread::sleep(Duration::from_millis(100));
    fs::write(&json, "2").expect("an existing file");
    fs::rename(&aside, &record).expect("an existing file");
    sandbox.create(3, "3");
    assert!(watch.next().contains("  seq 3  "));
    watch.end().ok();
    stderr.read_to_string(&mut message).expect("text");
    assert_eq!(message.matches("error: ").count(), 1, "{message}");
}

#[test]
fn watch_continues_when_stderr_is_closed() {
    let sandbox = folder();
    sandbox.create(1, "1");
    let mut watch = Watch::start(&sandbox, &["--count", "3"]);
    assert!(watch.next().contains("  seq 1  "));
    drop(watch.child.get().stderr.take().expect("a pipe"));
    processes::send(watch.child.get(), Signal::SIGSTOP);
    for seq in ["2", "3", "4"] {
        sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "2"], seq).ok();
    }
    processes::send(watch.child.get(), Signal::SIGCONT);
    for seq in [3, 4] {
        let line = watch.next();
        assert!(line.contains(&format!("  seq {seq}  ")), "{line}");
    }
    assert_eq!(watch.end().code, Some(0));
}

#[test]
fn watch_reports_a_missing_store_once_and_continues() {
    for sandbox in sandboxes() {
        sandbox.create(1, "1");
        let mut watch = Watch::start(&sandbox, &["--count", "2"]);
        assert!(watch.next().contains("  seq 1  "));
        let aside = sandbox.files.with_extension("aside");
        fs::rename(&sandbox.files, &aside).expect("an existing file");
        let mut stderr = BufReader::new(watch.child.get().stderr.take().expect("a pipe"));
        let mut message = String::new();
        stderr.read_line(&mut message).expect("an error");
        // Time for more checks with the same result.
        thread::sleep(Duration::from_millis(100));
        fs::rename(&aside, &sandbox.files).expect("an existing file");
        sandbox.create(2, "2");
        assert!(watch.next().contains("  seq 2  "));
        assert_eq!(watch.end().code, Some(0));
        stderr.read_to_string(&mut message).expect("text");
        assert_eq!(message.matches("no snapshot any more").count(), 1, "{message}");
        assert!(!message.contains("more were committed"), "{message}");
    }
}

#[test]
fn watch_ends_when_the_first_check_fails() {
    let [_, mut sandbox] = sandboxes();
    sandbox.set_endpoint("http://127.0.0.1:1");
    let message = sandbox.run(&["watch", STORE]).fails(2);
    assert!(message.contains("help: check that the server runs"), "{message}");
    let sandbox = folder();
    sandbox.run(&["watch", "memory:"]).fails(64);
    let refused = sandbox.run(&["watch", STORE, "--every", "soon"]);
    assert_eq!(refused.code, Some(64), "{refused:?}");
}

#[test]
fn watch_ends_without_a_message_when_its_output_is_closed() {
    let sandbox = folder();
    sandbox.create(1, "1");
    let Watch { child, mut lines } = Watch::start(&sandbox, &[]);
    lines.read_line(&mut String::new()).expect("a line");
    drop(lines);
    sandbox.create(2, "2");
    let ended = child.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""));
}

#[test]
fn watch_ends_when_its_output_is_closed_while_idle() {
    for sandbox in sandboxes() {
        sandbox.create(1, "1");
        let mut child = processes::start(&sandbox, &["watch", STORE, "--every", "1h"]);
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        lines.read_line(&mut String::new()).expect("a line");
        // It doesn't end while it waits between two checks.
        thread::sleep(Duration::from_millis(100));
        assert!(child.try_wait().expect("a child").is_none());
        drop(lines);
        let begun = Instant::now();
        while child.try_wait().expect("a child").is_none() && begun.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(5));
        }
        let mut child = Watcher(Some(child));
        assert!(child.get().try_wait().expect("a child").is_some(), "it still runs");
        child.end().is_silent(141);
    }
}

// A file has no reader that could close it.
#[test]
fn watch_continues_when_its_output_is_a_file() {
    let sandbox = folder();
    sandbox.create(1, "1");
    let lines = fs::File::create(sandbox.path("lines")).expect("a file");
    let mut command = sandbox.command(&["watch", STORE, "--every", "10ms", "--count", "2"]);
    let child = command.stdin(Stdio::null()).stdout(lines).stderr(Stdio::piped()).spawn().expect("the program starts");
    let child = Watcher(Some(child));
    let output = || fs::read_to_string(sandbox.path("lines")).expect("a file").lines().count();
    processes::wait_until("the first line is output", || output() == 1);
    thread::sleep(Duration::from_millis(100));
    sandbox.create(2, "2");
    child.end().is_silent(0);
    assert_eq!(output(), 2);
}
