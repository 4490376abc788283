//! What is recorded of each call, and what ends the test because it isn't understood.

use super::{Step, recorded};
use crate::peers::{self, Job};
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
fn what_is_recorded_is_what_took_effect() {
    if let Some(job) = peers::job() {
        job.say("ready");
        job.hear();
        files(&job);
        names(&job);
        return job.say("done");
    }
    let disk = TempDir::new().expect("a temporary folder");
    fs::write(disk.path().join("old"), "old").expect("a file");
    let start = peers::of(what_is_recorded_is_what_took_effect).dir(disk.path());
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
    let said = |line: &str| Step::Said(line.into());
    let mut expected: Vec<_> = files.map(Step::Did).into();
    expected.push(said("files are done"));
    expected.extend(names.map(Step::Did));
    assert_eq!(recorded(disk.path(), start).steps, expected);
}

fn files(job: &Job) {
    let at = |name: &str| job.dir().join(name);
    let mut file = File::create_new(at("a")).expect("a file");
    file.write_all(b"one").expect("to write");
    let parts = [IoSlice::new(b"two"), IoSlice::new(b""), IoSlice::new(b", three")];
    assert_eq!(file.write_vectored(&parts).expect("to write"), 10);
    // At the end, wherever it stands, by a second name for the same open file.
    let mut appending = OpenOptions::new().append(true).open(at("a")).expect("the file").try_clone().expect("a copy");
    appending.rewind().expect("to go back");
    appending.write_all(b"!").expect("to write");
    file.sync_data().expect("to sync");
    thread::scope(|scope| scope.spawn(|| file.write_all_at(b"?", 14)).join()).expect("a thread").expect("to write");
    file.set_len(3).expect("to cut it");
    file.set_len(5).expect("to let it grow");
    file.sync_all().expect("to sync");
    appending.write_all(b"+").expect("to write");
    // What is there already is emptied, or left alone.
    fs::write(at("old"), "new").expect("to write");
    OpenOptions::new().write(true).create(true).truncate(false).open(at("old")).expect("the file");
    // Nothing of this has an effect.
    File::create_new(at("old")).expect_err("it is there");
    File::create(at("nowhere/a")).expect_err("there is no such folder");
    assert_eq!(fs::read(at("a")).expect("the file"), b"one\0\0+");
    job.say("files are done");
}

fn names(job: &Job) {
    env::set_current_dir(job.dir()).expect("to go there");
    fs::create_dir_all("f/g").expect("the folders");
    File::open("./f/../f").expect("the folder").sync_all().expect("to sync");
    let mut file = OpenOptions::new().append(true).open("a").expect("the file");
    fs::rename("a", "f/b").expect("to move it");
    file.write_all(b".").expect("to write");
    fs::rename("f/b", "old").expect("to put it in another's place");
    symlink("../old", "f/l").expect("a link");
    OpenOptions::new().append(true).create(true).open("f/l").expect("the file").write_all(b";").expect("to write");
    fs::remove_file("f/l").expect("to remove the link");
    // Nothing of this has an effect.
    symlink("here", "old").expect_err("it is there");
    fs::remove_dir("f").expect_err("it isn't empty");
    fs::rename("nothing", "old").expect_err("there is nothing");
    fs::rename("nowhere/a", "old").expect_err("there is no such folder");
    // Nor this, on another disk.
    let elsewhere = TempDir::new().expect("a temporary folder");
    fs::write(elsewhere.path().join("a"), "a").expect("to write");
    drop(elsewhere);
    fs::remove_dir("f/g").expect("to remove it");
    fs::remove_dir("f").expect("to remove it");
    fs::remove_file("old").expect("to remove it");
    // It has no name any more.
    file.write_all(b"lost").expect("to write");
    file.sync_all().expect("to sync");
    File::open(".").expect("the folder").sync_all().expect("to sync");
}

type Act = fn(&Path);

/// What isn't understood, with what is said of it.
const REFUSED: [(&str, Act, &str); 6] = [
    ("overwriting", |path| file(path).write_all_at(b"x", 1).expect("to write"), "only ever written to at its end"),
    ("linking", |path| fs::hard_link(path, path.with_extension("2")).expect("a link"), "isn't understood here"),
    ("copying", |path| drop(fs::copy(path, path.with_extension("2"))), "isn't understood here"),
    (
        "permitting",
        |path| fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("to"),
        "isn't understood",
    ),
    ("leaving", |path| drop(fs::rename(path, env::temp_dir().join("left"))), "to or from another disk"),
    ("beginning a process", |_| drop(Command::new("true").status()), "that it begins isn't seen"),
];

fn file(path: &Path) -> File {
    let mut file = OpenOptions::new().read(true).write(true).open(path).expect("the file");
    file.read_to_end(&mut Vec::new()).expect("to read");
    file
}

#[test]
fn what_is_not_understood_ends_the_test() {
    if let Some(job) = peers::job() {
        let (_, act, _) = REFUSED.iter().find(|(name, ..)| *name == job.role()).expect("one of them");
        job.say("ready");
        job.hear();
        act(&job.dir().join("file"));
        return job.say("done");
    }
    for (name, _, what) in REFUSED {
        let disk = TempDir::new().expect("a temporary folder");
        fs::write(disk.path().join("file"), "text").expect("a file");
        let start = peers::of(what_is_not_understood_ends_the_test).role(name).dir(disk.path());
        let refused = panic::catch_unwind(AssertUnwindSafe(|| recorded(disk.path(), start).steps));
        let panic = refused.map(|steps| format!("{steps:?}")).expect_err(name);
        let text = panic.downcast_ref::<String>().expect("text");
        assert!(text.contains(what), "{name}: {text}");
    }
}
