//! Files that the import skips (incomplete files, and other files than snapshots), and files that it rejects.

use super::{folder, folder_of_0_1_3, json_file, memory, messagepack, name, rejected};
use minisnap::{
    Absence, Corruption, MiniSnapError, Operation,
    import::{Flaw, OldSnapshot},
};
use serde_json::json;
use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    path::PathBuf,
};

/// On a full disk, 0.1.3 returns `Ok`, but loses the content of its 8 KiB buffer.
#[tokio::test]
async fn empty_and_truncated_files_are_skipped_and_listed() {
    let complete = fs::read(folder_of_0_1_3("json").join(name(20))).unwrap();
    let packed = fs::read(folder_of_0_1_3("messagepack").join("snapshot_00000000000000000020")).unwrap();
    for length in 0..complete.len() {
        let old = folder(&[(&name(10), &json_file(10, &json!({ "counter": 10 }))), (&name(20), &complete[..length])]);
        let snapshot = OldSnapshot::newest(old.path()).await.unwrap();
        assert_eq!((snapshot.seq(), snapshot.path()), (10, &*old.path().join(name(10))), "{length} bytes");
        let [passed_over] = snapshot.passed_over() else { panic!("one skipped file") };
        assert_eq!(passed_over.path, old.path().join(name(20)));
        match length {
            0 => assert_eq!(passed_over.flaw, Flaw::Empty),
            _ => assert!(matches!(passed_over.flaw, Flaw::Incomplete { .. }), "{passed_over}"),
        }
    }
    for length in 0..packed.len() {
        let old = folder(&[("snapshot_10", &messagepack(10, &10)), ("snapshot_20", &packed[..length])]);
        let snapshot = OldSnapshot::newest(old.path()).await.unwrap();
        assert_eq!((snapshot.seq(), &snapshot.json()[..]), (10, &b"10"[..]), "{length} bytes");
        assert!(matches!(snapshot.passed_over()[0].flaw, Flaw::Empty | Flaw::Incomplete { .. }), "{length} bytes");
    }
    // A file with an additional byte.
    let longer = [&packed[..], &[0]].concat();
    let old = folder(&[("snapshot_10", &messagepack(10, &10)), ("snapshot_20", &longer)]);
    assert_eq!(OldSnapshot::newest(old.path()).await.unwrap().seq(), 10);
}

#[tokio::test]
async fn import_fails_with_a_list_when_no_file_is_intact() {
    let old = folder(&[(&name(1), b""), (&name(2), b"{\n  \"seq\": 2"), (".tmpAbCdEf", &json_file(3, &json!(3)))]);
    let error = rejected(old.path()).await;
    let MiniSnapError::Corrupt { found: Corruption::Other(ref found), .. } = error else { panic!("{error}") };
    for part in [&name(1), "it is empty", &name(2), "EOF"] {
        assert!(found.contains(part), "{found}");
    }
    assert!(error.help().unwrap().contains("backup"), "{error}");
}

#[tokio::test]
async fn import_fails_when_the_folder_has_no_old_snapshot() {
    let empty = rejected(folder(&[("snapshot.txt", b"")]).path()).await;
    assert!(matches!(empty, MiniSnapError::NotFound { found: Absence::NothingToImport { is_store: false }, .. }));
    // Versions 0.1.1 and 0.1.2 wrote a bare pair.
    let pair = rejected(folder(&[("snapshot.json", b"1"), ("snapshot.seq", b"1")]).path()).await;
    assert!(matches!(pair, MiniSnapError::NotFound { found: Absence::NothingToImport { is_store: true }, .. }));
    assert!(pair.help().unwrap().contains("minisnap copy"), "{pair:?}");
    // The same folder has an older file of 0.1.3.
    let files = [("snapshot.json", &b"1"[..]), ("snapshot.seq", b"50"), (&name(42), &json_file(42, &json!(1)))];
    let newer = rejected(folder(&files).path()).await;
    assert!(matches!(newer, MiniSnapError::NotFound { found: Absence::NothingToImport { is_store: true }, .. }));
    let missing = rejected(&missing_path()).await;
    assert!(matches!(missing, MiniSnapError::Io { action: "list the folder", .. }), "{missing}");
}

fn missing_path() -> PathBuf {
    tempfile::tempdir().unwrap().path().join("nothing")
}

/// The import doesn't wait for a pipe.
#[tokio::test]
async fn special_files_and_invalid_names_are_skipped() {
    let old = folder(&[(&name(1), &json_file(1, &json!(1))), ("snapshot_18446744073709551616.json", b"{}")]);
    let path = |seq| old.path().join(name(seq));
    fs::create_dir(path(2)).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path(3)).status().unwrap().success());
    let _socket = UnixListener::bind(path(4)).unwrap();
    symlink("/dev/zero", path(5)).unwrap();
    symlink(".", path(6)).unwrap();
    let snapshot = OldSnapshot::newest(old.path()).await.unwrap();
    let flaws: Vec<_> = snapshot.passed_over().iter().map(|passed_over| passed_over.flaw.clone()).collect();
    assert_eq!(snapshot.seq(), 1);
    assert_eq!(flaws[..1], [Flaw::NoSeq]);
    assert_eq!(flaws[1..], vec![Flaw::NotAFile; 5]);
}

/// A link to a file is followed. A dangling link may lead to an unmounted disk, so no older file is imported instead.
#[tokio::test]
async fn link_is_followed_and_rejected_when_it_dangles() {
    let old = folder(&[(&name(1), &json_file(1, &json!(1)))]);
    symlink(folder_of_0_1_3("json").join(name(20)), old.path().join(name(20))).unwrap();
    let folder_link = old.path().join("link");
    symlink(".", &folder_link).unwrap();
    assert_eq!(OldSnapshot::newest(&folder_link).await.unwrap().seq(), 20);
    symlink("nothing", old.path().join(name(30))).unwrap();
    let error = rejected(old.path()).await;
    assert!(matches!(error, MiniSnapError::Io { action: "read the file", .. }), "{error}");
}

/// The newest file is complete, but can't be imported. An import of the older file would lose the last snapshot.
#[tokio::test]
async fn import_fails_when_the_newest_complete_file_is_unusable() {
    let deep = format!("{{\"seq\": 2, \"state\": {}{}}}", "[".repeat(200), "]".repeat(200));
    type Is = fn(&MiniSnapError) -> bool;
    let cases: [(&str, &[u8], Is); 9] = [
        ("snapshot_2.json", b"[1]", |error| matches!(error, MiniSnapError::Corrupt { .. })),
        ("snapshot_2.json", br#"{"seq":2}"#, |error| matches!(error, MiniSnapError::Corrupt { .. })),
        ("snapshot_2.json", br#"{"seq":2,"state":1,"more":2}"#, |error| matches!(error, MiniSnapError::Corrupt { .. })),
        ("snapshot_2.json", br#"{"seq":3,"state":1}"#, |error| matches!(error, MiniSnapError::Corrupt { .. })),
        ("snapshot_2.json", br#"{"seq":2,"state":1e999}"#, |error| matches!(error, MiniSnapError::Serde { .. })),
        ("snapshot_2.json", deep.as_bytes(), |error| matches!(error, MiniSnapError::Serde { .. })),
        ("snapshot_2.cbor", b"\xa2", |error| matches!(error, MiniSnapError::Unsupported { .. })),
        ("snapshot_2", br#"{"seq":2,"state":1}"#, |error| matches!(error, MiniSnapError::Unsupported { .. })),
        ("snapshot_2", b"\x92\x03\x01", |error| matches!(error, MiniSnapError::Corrupt { .. })),
    ];
    for (file, bytes, is_expected) in cases {
        let old = folder(&[(&name(1), &json_file(1, &json!(1))), (file, bytes)]);
        let error = rejected(old.path()).await;
        assert!(is_expected(&error) && error.at().location().ends_with(file), "{error:?}");
        assert_eq!(error.at().operation(), Operation::Import);
        // The remedy in the help works.
        assert!(matches!(error, MiniSnapError::Serde { .. }) || error.help().unwrap().contains("move this file"));
        fs::remove_file(old.path().join(file)).unwrap();
        assert_eq!(OldSnapshot::newest(old.path()).await.unwrap().seq(), 1);
    }
}

#[tokio::test]
async fn messagepack_without_json_form_is_rejected_with_its_path() {
    for (folder, reason) in [("nan", "/0/1 is a NaN"), ("u128", "/1 is bytes, or an integer of 128 bits")] {
        let error = rejected(&folder_of_0_1_3(folder)).await;
        let MiniSnapError::Unrestorable { reason: ref found, .. } = error else { panic!("{error:?}") };
        assert_eq!(*found, format!("{reason}, which JSON can't hold"));
    }
    let error = rejected(&folder_of_0_1_3("keys")).await;
    assert!(
        matches!(error, MiniSnapError::MapKey { ref path, key_type: "a list", .. } if path.is_empty()),
        "{error:?}"
    );
    // Values that rmp-serde never writes.
    let bytes = |state: &[u8]| [b"\x92\x02\x81\xa3a/b", state].concat();
    for (state, reason) in [
        (&b"\xca\x7f\x80\x00\x00"[..], "/a~1b is an infinity"),
        (b"\xc4\x01\xff", "/a~1b is bytes, or an integer of 128 bits"),
        (b"\xa1\xff", "/a~1b is bytes, or an integer of 128 bits"),
        (b"\xd4\x01\x02", "/a~1b is a MessagePack extension"),
    ] {
        let error = rejected(folder(&[("snapshot_2", &bytes(state))]).path()).await;
        assert!(error.to_string().contains(reason), "{error}");
    }
    for key in [&b"\xc0"[..], b"\xc4\x01\xff", b"\x90", b"\x80", b"\xd4\x01\x02", b"\xcb\x7f\xf8\0\0\0\0\0\0"] {
        let error = rejected(folder(&[("snapshot_2", &bytes(&[b"\x81", key, b"\x01"].concat()))]).path()).await;
        assert!(matches!(error, MiniSnapError::MapKey { ref path, .. } if path == "/a~1b"), "{error:?}");
    }
}

/// The depth limit is that of a restore.
#[tokio::test]
async fn messagepack_depth_limit_equals_that_of_json() {
    for (depth, is_allowed) in [(127, true), (128, false), (3000, false)] {
        let state = [&b"\x92\x02"[..], &vec![0x91; depth], b"\x01"].concat();
        let old = folder(&[("snapshot_2", &state)]);
        match minisnap::import(old.path(), &memory()).await {
            Ok(_) => assert!(is_allowed, "{depth} levels"),
            Err(error) => {
                assert!(!is_allowed && matches!(error, MiniSnapError::Unrestorable { .. }), "{depth}: {error:?}");
            }
        }
    }
}
