//! `minisnap restore` and `minisnap cat`.

use crate::kit::{Place, Ran, STORE, document, folder, places};
use std::{
    fs,
    io::Read,
    os::unix::fs::{PermissionsExt, symlink},
    process::Stdio,
};

fn with_three(place: &Place) {
    for (seq, keep) in [("10", "3"), ("30", "3"), ("20", "3")] {
        place.feed(&["create", STORE, "--seq", seq, "--retain", keep], format!("[{seq}]")).done();
    }
}

#[test]
fn at_restores_the_most_recent_one_below_a_seq_that_none_has() {
    for place in places() {
        with_three(&place);
        for (at, expected) in [("20", "20"), ("29", "20"), ("99", "20"), ("19", "10"), ("10", "10")] {
            for command in ["restore", "cat"] {
                assert_eq!(place.run(&[command, STORE, "--at", at]).ok(), format!("[\n  {expected}\n]"), "{at}");
            }
        }
        assert_eq!(place.run(&["restore", STORE]).ok(), "[\n  20\n]");
        assert_eq!(place.run(&["cat", STORE]).ok(), "[\n  20\n]", "on a pipe, the bytes and nothing more");
        let said = place.run(&["restore", STORE, "--at", "9"]).fails(3);
        assert!(said.contains("at most 9; there are: seq 20 (0"), "{said}");
        assert!(said.find("seq 30 (") < said.find("seq 10 ("), "newest first: {said}");
    }
}

#[test]
fn a_file_is_there_whole_or_not_at_all() {
    for place in places() {
        with_three(&place);
        let said = place.run(&["restore", STORE, "--output", "out.json", "--at", "10"]).ok();
        assert_eq!(said, "restored seq 10 (8 B) to out.json\n");
        assert_eq!(fs::read(place.path("out.json")).expect("a file"), b"[\n  10\n]");
        // What was there is replaced, and keeps its permissions; a link keeps leading to it.
        fs::set_permissions(place.path("out.json"), fs::Permissions::from_mode(0o666)).expect("permissions");
        symlink("out.json", place.path("link")).expect("a link");
        place.run(&["restore", STORE, "--output", "link"]).ok();
        assert!(place.path("link").is_symlink());
        let out = fs::metadata(place.path("out.json")).expect("a file");
        assert_eq!(
            (fs::read(place.path("link")).expect("a file"), out.permissions().mode() & 0o777),
            (b"[\n  20\n]".to_vec(), 0o666)
        );

        for (output, why) in [("no/such/folder", "No such file or directory"), (".", "directory")] {
            let said = place.run(&["restore", STORE, "--output", output]).fails(9);
            assert!(said.contains(output) && said.contains(why), "{said}");
        }
        let mut left: Vec<_> = fs::read_dir(place.path("."))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        left.sort();
        left.retain(|name| name != "state");
        assert_eq!(left, ["link", "out.json"], "nothing else is left");
    }
}

#[test]
fn a_new_file_has_the_permissions_of_any_new_file() {
    let place = folder();
    place.create(1, "1");
    place.write("any new file", "");
    place.run(&["restore", STORE, "-o", "out"]).ok();
    let mode = |name: &str| fs::metadata(place.path(name)).expect("a file").permissions().mode();
    assert_eq!(mode("out"), mode("any new file"));
}

#[test]
fn what_is_no_regular_file_is_written_to_and_stays_what_it_is() {
    let place = folder();
    place.create(1, "1");
    let pipe = place.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a named pipe");
    let child = place
        .command(&["restore", STORE, "-o", "pipe"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it");
    assert_eq!(fs::read(&pipe).expect("a pipe that is written to"), b"1");
    Ran::of(child.wait_with_output().expect("it ends")).ok();
    assert!(!fs::symlink_metadata(&pipe).expect("it is still there").is_file());
}

#[test]
fn a_reader_that_goes_away_is_no_news() {
    let json = document(4 << 20);
    for place in places() {
        place.create(1, &json);
        for command in ["restore", "cat"] {
            let mut child =
                place.command(&[command, STORE]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it");
            let mut output = child.stdout.take().expect("a pipe");
            output.read_exact(&mut [0; 10]).expect("a beginning");
            drop(output);
            let ran = Ran::of(child.wait_with_output().expect("it ends"));
            assert_eq!((ran.code, ran.stderr.as_str()), (Some(141), ""), "{command}");
        }
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let place = folder();
    place.create(1, "1");
    for command in ["restore", "cat", "show", "history", "verify", "man"] {
        let args: &[&str] = if command == "man" { &["man"] } else { &[command, STORE] };
        let full = fs::File::options().write(true).open("/dev/full").expect("Linux");
        let ran = Ran::of(
            place
                .command(args)
                .stdout(full)
                .stderr(Stdio::piped())
                .spawn()
                .expect("it")
                .wait_with_output()
                .expect("it ends"),
        );
        let said = ran.fails(9);
        assert!(said.contains("standard output\ncause: No space left"), "{command}: {said}");
    }
}
