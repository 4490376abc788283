//! Tests of the recording: the event of each supported call, and the panic for unsupported ones.

use super::{Step, record};
use crate::child_process::{self, Job};
use minisnap_crash_model::Event;
use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{IoSlice, Read, Seek, Write},
    os::unix::fs::{FileExt, PermissionsExt, symlink},
    panic::{self, AssertUnwindSafe},
    path::Path,
    process::Command,
    thread,
};
use tempfile::TempDir;

#[test]
fn recording_holds_each_change_to_the_disk() {
    if let Some(job) = child_process::job() {
        job.send("ready");
        job.receive();
        files(&job);
        names(&job);
        return job.send("done");
    }
    let disk = TempDir::new().expect("a temporary folder");
    fs::write(disk.path().join("old"), "old").expect("a file");
    let start = child_process::of(recording_holds_each_change_to_the_disk).dir(disk.path());
    let create = |path: &str| Event::CreateFile(path.into());
    let write = |path: &str, text: &str| Event::Write(path.into(), text.as_bytes().to_vec());
    let set_length = |path: &str, length| Event::SetLength(path.into(), length);
    let sync = |path: &str| Event::Sync(path.into());
    let rename = |from: &str, to: &str| Event::Rename(from.into(), to.into());
    let link = |target: &str, path: &str| Event::Link(target.into(), path.into());
    let remove = |path: &str| Event::Remove(path.into());
    let folder = |path: &str| Event::CreateFolder(path.into());
    let files = [
        create("a"),
        write("a", "one"),
        write("a", "two, three"),
        write("a", "!"),
        sync("a"),
        write("a", "?"),
        set_length("a", 3),
        set_length("a", 5),
        sync("a"),
        write("a", "+"),
        set_length("old", 0),
        write("old", "new"),
    ];
    let names = [
        folder("f"),
        folder("f/g"),
        sync("f"),
        rename("a", "f/b"),
        write("f/b", "."),
        rename("f/b", "old"),
        link("../old", "f/l"),
        write("old", ";"),
        remove("f/l"),
        remove("f/g"),
        remove("f"),
        remove("old"),
        sync(""),
    ];
    let output = |line: &str| Step::Printed(line.into());
    let mut expected: Vec<_> = files.map(Step::Changed).into();
    expected.push(output("files done"));
    expected.extend(names.map(Step::Changed));
    assert_eq!(record(disk.path(), start).steps, expected);
}

fn files(job: &Job) {
    let at = |name: &str| job.dir().join(name);
    let mut file = File::create_new(at("a")).expect("a file");
    file.write_all(b"one").expect("to write");
    let parts = [IoSlice::new(b"two"), IoSlice::new(b""), IoSlice::new(b", three")];
    assert_eq!(file.write_vectored(&parts).expect("to write"), 10);
    // Appends at the end, independent of the position, through a duplicated file descriptor.
    let mut appending = OpenOptions::new().append(true).open(at("a")).expect("the file").try_clone().expect("a copy");
    appending.rewind().expect("to go back");
    appending.write_all(b"!").expect("to write");
    file.sync_data().expect("to sync");
    thread::scope(|scope| scope.spawn(|| file.write_all_at(b"?", 14)).join()).expect("a thread").expect("to write");
    file.set_len(3).expect("a truncation");
    file.set_len(5).expect("an extension");
    file.sync_all().expect("to sync");
    appending.write_all(b"+").expect("to write");
    // An existing file is truncated, or not changed.
    fs::write(at("old"), "new").expect("to write");
    OpenOptions::new().write(true).create(true).truncate(false).open(at("old")).expect("the file");
    // These calls have no effect.
    File::create_new(at("old")).expect_err("an existing file");
    File::create(at("nowhere/a")).expect_err("a missing folder");
    assert_eq!(fs::read(at("a")).expect("the file"), b"one\0\0+");
    job.send("files done");
}

fn names(job: &Job) {
    env::set_current_dir(job.dir()).expect("to change the folder");
    fs::create_dir_all("f/g").expect("the folders");
    File::open("./f/../f").expect("the folder").sync_all().expect("to sync");
    let mut file = OpenOptions::new().append(true).open("a").expect("the file");
    fs::rename("a", "f/b").expect("a rename");
    file.write_all(b".").expect("to write");
    fs::rename("f/b", "old").expect("to replace a file");
    symlink("../old", "f/l").expect("a link");
    OpenOptions::new().append(true).create(true).open("f/l").expect("the file").write_all(b";").expect("to write");
    fs::remove_file("f/l").expect("to remove the link");
    // These calls have no effect.
    symlink("here", "old").expect_err("an existing file");
    fs::remove_dir("f").expect_err("the folder isn't empty");
    fs::rename("nothing", "old").expect_err("a missing file");
    fs::rename("nowhere/a", "old").expect_err("a missing folder");
    // Calls on another disk have no effect, either.
    let elsewhere = TempDir::new().expect("a temporary folder");
    fs::write(elsewhere.path().join("a"), "a").expect("to write");
    drop(elsewhere);
    fs::remove_dir("f/g").expect("a removal");
    fs::remove_dir("f").expect("a removal");
    fs::remove_file("old").expect("a removal");
    // These calls have no effect, because the file was deleted.
    file.write_all(b"lost").expect("to write");
    file.sync_all().expect("to sync");
    File::open(".").expect("the folder").sync_all().expect("to sync");
}

type Action = fn(&Path);

/// Unsupported calls, with a part of the panic message.
const UNSUPPORTED: [(&str, Action, &str); 6] = [
    ("overwriting", |path| file(path).write_all_at(b"x", 1).expect("to write"), "only ever written to at its end"),
    ("linking", |path| fs::hard_link(path, path.with_extension("2")).expect("a link"), "isn't supported here"),
    ("copying", |path| drop(fs::copy(path, path.with_extension("2"))), "isn't supported here"),
    (
        "permitting",
        |path| fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions"),
        "isn't supported",
    ),
    ("leaving", |path| drop(fs::rename(path, env::temp_dir().join("left"))), "to or from another disk"),
    ("starting a process", |_| drop(Command::new("true").status()), "isn't traced"),
];

fn file(path: &Path) -> File {
    let mut file = OpenOptions::new().read(true).write(true).open(path).expect("the file");
    file.read_to_end(&mut Vec::new()).expect("to read");
    file
}

#[test]
fn unsupported_system_call_fails_the_test() {
    if let Some(job) = child_process::job() {
        let (_, act, _) = UNSUPPORTED.iter().find(|(name, ..)| *name == job.role()).expect("a known case");
        job.send("ready");
        job.receive();
        act(&job.dir().join("file"));
        return job.send("done");
    }
    for (name, _, what) in UNSUPPORTED {
        let disk = TempDir::new().expect("a temporary folder");
        fs::write(disk.path().join("file"), "text").expect("a file");
        let start = child_process::of(unsupported_system_call_fails_the_test).role(name).dir(disk.path());
        let refused = panic::catch_unwind(AssertUnwindSafe(|| record(disk.path(), start).steps));
        let panic = refused.map(|steps| format!("{steps:?}")).expect_err(name);
        let text = panic.downcast_ref::<String>().expect("text");
        assert!(text.contains(what), "{name}: {text}");
    }
}
