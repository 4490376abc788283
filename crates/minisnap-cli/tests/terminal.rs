//! Output on a pseudo-terminal has colours and a progress bar; output on a pipe has neither.

use crate::support::{STORE, Sandbox, document, folder, s3_on, sandboxes};
use minisnap_s3_server::{Conditions, S3Server};
use nix::pty::{OpenptyResult, Winsize, openpty};
use std::{
    fs::{self, File},
    io::{Read, Write},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// The program with a terminal of its own, which can send Ctrl-C.
struct OnTerminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl OnTerminal {
    fn start(sandbox: &Sandbox, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(Some(&size), None).expect("a pseudo-terminal");
        let stdio = || Stdio::from(slave.try_clone().expect("another handle"));
        // `setsid --ctty` makes it the controlling terminal, so that Ctrl-C reaches the program.
        let mut command = Command::new("setsid");
        sandbox.prepare(&mut command);
        command.arg("--ctty").arg(env!("CARGO_BIN_EXE_minisnap")).args(sandbox.args(args));
        command.env("TERM", "xterm-256color").envs(variables.iter().copied());
        let child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().expect("setsid, of util-linux");
        // Closes all handles of this process, so that the terminal closes when the program ends.
        drop((command, slave));
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut output, shown) = (File::from(master.try_clone().expect("another handle")), Arc::clone(&screen));
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Reading a terminal fails when no process has it open any more.
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                shown.lock().expect("no panic").extend_from_slice(&buffer[..length]);
            }
        });
        Self { child, keyboard: master.into(), screen, reader }
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().expect("no panic")).into_owned()
    }

    fn wait_until_it_shows(&self, what: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.screen().contains(what) {
            assert!(Instant::now() < deadline, "it never shows {what:?}: {:?}", self.screen());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).expect("a terminal");
    }

    /// Its exit code, and the complete output.
    fn end(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.child.try_wait().expect("a child").is_none() {
            if Instant::now() > deadline {
                self.child.kill().expect("a running process");
                panic!("it doesn't end: {:?}", self.screen());
            }
            thread::sleep(Duration::from_millis(5));
        }
        let code = self.child.wait().expect("the program ended").code();
        self.reader.join().expect("no panic");
        (code, String::from_utf8(self.screen.lock().expect("no panic").clone()).expect("text"))
    }
}

fn on_terminal(sandbox: &Sandbox, args: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    OnTerminal::start(sandbox, args, variables).end()
}

/// Options for an upload that takes a second or two.
const SLOW_UPLOAD: [&str; 4] = ["--option", "part_size=5242880", "--option", "parts_in_flight=1"];

fn slow_server() -> S3Server {
    S3Server::start_with_latency(Conditions::Atomic, Duration::from_millis(150))
}

#[test]
fn long_create_shows_a_progress_bar_and_clears_it() {
    let server = slow_server();
    let sandbox = s3_on(&server);
    let file = sandbox.write("large.json", document(48 << 20));
    let (code, screen) =
        on_terminal(&sandbox, &[&["create", STORE, "--seq", "1", &file], &SLOW_UPLOAD[..]].concat(), &[]);
    assert_eq!(code, Some(0), "{screen}");
    let bars: Vec<_> = screen.split('\r').filter(|line| line.contains("writing")).collect();
    assert!(bars.len() > 2, "{screen:?}");
    let moving =
        bars.iter().filter(|bar| bar.contains("MiB/s") && bar.contains("s left") && bar.contains("MiB/4")).count();
    assert!(moving > 2, "{bars:?}");
    let last = screen.trim_end().rsplit(['\r', '\n']).next().expect("a line");
    assert!(last.contains("committed seq 1") && !last.contains("left"), "{last:?}");
}

#[test]
fn pipe_gets_no_progress_bar_and_no_colours() {
    let server = slow_server();
    let sandbox = s3_on(&server);
    let file = sandbox.write("large.json", document(16 << 20));
    let message = sandbox.run(&[&["create", STORE, "--seq", "1", &file], &SLOW_UPLOAD[..]].concat()).ok();
    assert_eq!(message.lines().count(), 1, "{message:?}");
    for args in
        [&["show", STORE][..], &["history", STORE], &["verify", STORE], &["--help"], &["restore", STORE, "-o", "out"]]
    {
        let message = sandbox.run(args).ok();
        assert!(!message.contains('\x1b') && !message.contains('\r'), "{message:?}");
    }
}

#[test]
fn progress_is_shown_when_only_stdout_is_a_pipe() {
    let server = slow_server();
    let sandbox = s3_on(&server);
    sandbox.create(1, &document(24 << 20));
    // A shell redirects only stdout.
    let command = format!("{} restore {} > out", env!("CARGO_BIN_EXE_minisnap"), sandbox.store);
    let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(Some(&size), None).expect("a pseudo-terminal");
    let mut shell = Command::new("sh");
    sandbox.prepare(&mut shell);
    let mut child = shell
        .args(["-c", &command])
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(slave)
        .spawn()
        .expect("sh");
    drop(shell);
    let mut screen = Vec::new();
    let _ = File::from(master).read_to_end(&mut screen);
    assert!(child.wait().expect("the program ends").success());
    let screen = String::from_utf8(screen).expect("text");
    assert!(screen.contains("reading"), "{screen:?}");
    assert_eq!(fs::metadata(sandbox.path("out")).expect("a file").len(), document(24 << 20).len() as u64);
}

#[test]
fn terminal_gets_colours_unless_no_color_is_set() {
    for sandbox in sandboxes() {
        sandbox.create(1, "[1]");
        let good = "\x1b[32mintact\x1b[0m";
        for command in ["show", "verify"] {
            let (code, screen) = on_terminal(&sandbox, &[command, STORE], &[]);
            assert!(code == Some(0) && screen.contains(good.trim_end_matches("\x1b[0m")), "{screen:?}");
            let (code, screen) = on_terminal(&sandbox, &[command, STORE], &[("NO_COLOR", "1")]);
            assert!(code == Some(0) && screen.contains("intact") && !colours(&screen), "{screen:?}");
        }
        let (code, screen) = on_terminal(&sandbox, &["restore", STORE, "--at", "0"], &[]);
        assert!(code == Some(3) && screen.contains("\x1b[31m") && screen.contains("error:"), "{screen:?}");
        let (_, screen) = on_terminal(&sandbox, &["restore", STORE, "--at", "0"], &[("NO_COLOR", "1")]);
        assert!(screen.contains("error:") && !colours(&screen), "{screen:?}");
    }
}

/// Whether a colour or style is set. Cursor movements don't count.
fn colours(screen: &str) -> bool {
    screen
        .split("\x1b[")
        .skip(1)
        .any(|rest| rest.trim_start_matches(|byte: char| byte.is_ascii_digit() || byte == ';').starts_with('m'))
}

#[test]
fn cat_ends_its_line_on_a_terminal() {
    for sandbox in sandboxes() {
        sandbox.create(1, "[1]");
        let (code, screen) = on_terminal(&sandbox, &["cat", STORE], &[]);
        assert_eq!(code, Some(0));
        assert!(screen.ends_with("[\r\n  1\r\n]\r\n"), "{screen:?}");
    }
}

#[test]
fn ctrl_c_keeps_the_old_snapshot_and_clears_the_bar() {
    let server = slow_server();
    let sandbox = s3_on(&server);
    sandbox.create(1, "[1]");
    let before = sandbox.generations();
    let file = sandbox.write("large.json", document(64 << 20));
    let mut running =
        OnTerminal::start(&sandbox, &[&["create", STORE, "--seq", "2", &file], &SLOW_UPLOAD[..]].concat(), &[]);
    running.wait_until_it_shows("writing");
    running.press(b"\x03");
    let (code, screen) = running.end();
    assert_eq!(code, Some(130), "{screen:?}");
    let last = screen.trim_end().rsplit(['\r', '\n']).nth(2).unwrap_or_default();
    assert!(screen.contains("interrupted") && !last.contains("left"), "{screen:?}");
    assert_eq!(sandbox.generations(), before, "orphans");
    assert_eq!(sandbox.run(&["restore", STORE]).ok(), "[\n  1\n]");
}

#[test]
fn create_reads_a_document_from_the_terminal() {
    let sandbox = folder();
    let mut running = OnTerminal::start(&sandbox, &["create", STORE, "--seq", "1"], &[]);
    running.wait_until_it_shows("Ctrl-D");
    running.press(b"[1,\n2]\n\x04");
    let (code, screen) = running.end();
    assert_eq!(code, Some(0), "{screen:?}");
    assert_eq!(sandbox.run(&["restore", STORE]).ok(), "[\n  1,\n  2\n]");
}
