//! Folders of version 0.1.3, brought into a store. The files in `data/0.1.3` were written by that version itself.

/// What the files hold.
mod state;

use crate::folders::listing;
use minisnap::{
    Absence, Corruption, ExternalChange, MiniSnapError, Operation, SnapStore,
    backend::format,
    import::{Flaw, OldFormat, OldSnapshot},
    mem::MemBackend,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use state::State;
use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A folder that 0.1.3 wrote.
fn written(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/0.1.3").join(name)
}

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn name(seq: u64) -> String {
    format!("snapshot_{seq:020}.json")
}

/// As 0.1.3 wrote it.
fn json_file(seq: u64, state: &Value) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Envelope<'a> {
        seq: u64,
        state: &'a Value,
    }
    serde_json::to_vec_pretty(&Envelope { seq, state }).unwrap()
}

fn messagepack(seq: u64, state: &impl serde::Serialize) -> Vec<u8> {
    rmp_serde::to_vec(&(seq, state)).unwrap()
}

fn memory() -> SnapStore<MemBackend> {
    SnapStore::with_backend(MemBackend::new())
}

async fn refused(old: &Path) -> MiniSnapError {
    let store = memory();
    let error = minisnap::import(old, &store).await.expect_err("it is refused");
    assert!(error.to_string().starts_with(&format!("import ({}", old.display())), "{error}");
    assert_eq!(store.current().await.unwrap(), None);
    error
}

/// Both formats, and both into a folder: the type is restored bit for bit, and the JSON is that of a create.
#[tokio::test]
async fn newest_of_0_1_3_is_restored_bit_for_bit() {
    for (folder, kind) in [("json", OldFormat::Json), ("messagepack", OldFormat::MessagePack)] {
        let new = tempfile::tempdir().unwrap();
        let store = SnapStore::new(new.path());
        let imported = minisnap::import(written(folder), &store).await.unwrap();
        let snapshot = imported.snapshot();
        assert_eq!((snapshot.seq(), snapshot.format(), snapshot.passed_over()), (20, kind, &[][..]));
        assert_eq!(imported.committed().unwrap().generation().seq(), 20);
        assert_eq!(imported.committed().unwrap().truncation_point(), 20);
        let (restored, seq) = store.restore::<State>().await.unwrap();
        assert_eq!((&restored, seq), (&State::of(20), 20), "{folder}");
        assert!(restored.has_the_same_bits(&State::of(20)), "{folder}");
        let json = fs::read(new.path().join("snapshot.json")).unwrap();
        assert_eq!(snapshot.json(), &json);
        if kind == OldFormat::Json {
            assert_eq!(String::from_utf8(json).unwrap(), serde_json::to_string_pretty(&State::of(20)).unwrap());
        }
        // What was a list without names has them again.
        store.create(&restored, 21).await.unwrap();
        let json = fs::read_to_string(new.path().join("snapshot.json")).unwrap();
        assert_eq!(json, serde_json::to_string_pretty(&State::of(20)).unwrap());
    }
}

#[tokio::test]
async fn old_folder_is_left_as_it_is() {
    let old = folder(&[(&name(1), &json_file(1, &json!(1))), (&name(2), b""), (".tmpAbCdEf", b"{")]);
    let before = listing(old.path());
    minisnap::import(old.path(), &memory()).await.unwrap();
    assert_eq!(listing(old.path()), before);
}

#[tokio::test]
async fn import_again_changes_nothing() {
    let new = tempfile::tempdir().unwrap();
    let store = SnapStore::new(new.path().join("state"));
    minisnap::import(written("json"), &store).await.unwrap();
    let (history, before) = (store.history().await.unwrap(), listing(new.path()));
    let again = minisnap::import(written("json"), &store).await.unwrap();
    assert!(again.committed().is_none());
    assert!(again.snapshot().is_same(&history[0]));
    assert_eq!((store.history().await.unwrap(), listing(new.path())), (history, before));
}

/// Also if the store has another snapshot with the same seq.
#[tokio::test]
async fn import_is_stale_when_the_store_is_as_new() {
    for seq in [20, 21] {
        let store = memory();
        store.create("newer", seq).await.unwrap();
        let error = minisnap::import(written("json"), &store).await.expect_err("it is newer");
        assert!(matches!(error, MiniSnapError::Stale { seq: 20, ref current, .. } if current.seq() == seq), "{error}");
        assert_eq!(store.restore::<String>().await.unwrap(), ("newer".into(), seq));
    }
    let store = memory();
    store.create("older", 19).await.unwrap();
    let imported = minisnap::import(written("json"), &store).await.unwrap();
    assert_eq!(imported.committed().unwrap().truncation_point(), 19, "the older one is retained");
}

/// What 0.1.3 leaves when the disk is full: it answers `Ok`, less what its buffer of 8 KiB held.
#[tokio::test]
async fn empty_and_torn_files_are_passed_over_and_listed() {
    let whole = fs::read(written("json").join(name(20))).unwrap();
    let packed = fs::read(written("messagepack").join("snapshot_00000000000000000020")).unwrap();
    for length in 0..whole.len() {
        let old = folder(&[(&name(10), &json_file(10, &json!({ "counter": 10 }))), (&name(20), &whole[..length])]);
        let snapshot = OldSnapshot::newest(old.path()).await.unwrap();
        assert_eq!((snapshot.seq(), snapshot.path()), (10, &*old.path().join(name(10))), "{length} bytes");
        let [passed_over] = snapshot.passed_over() else { panic!("one was passed over") };
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
    // And more than was written.
    let longer = [&packed[..], &[0]].concat();
    let old = folder(&[("snapshot_10", &messagepack(10, &10)), ("snapshot_20", &longer)]);
    assert_eq!(OldSnapshot::newest(old.path()).await.unwrap().seq(), 10);
}

#[tokio::test]
async fn none_intact_is_an_error_that_lists_them() {
    let old = folder(&[(&name(1), b""), (&name(2), b"{\n  \"seq\": 2"), (".tmpAbCdEf", &json_file(3, &json!(3)))]);
    let error = refused(old.path()).await;
    let MiniSnapError::Corrupt { found: Corruption::Other(ref found), .. } = error else { panic!("{error}") };
    for part in [&name(1), "it is empty", &name(2), "EOF"] {
        assert!(found.contains(part), "{found}");
    }
    assert!(error.help().unwrap().contains("backup"), "{error}");
}

#[tokio::test]
async fn folder_without_old_snapshots_says_what_it_is() {
    let empty = refused(folder(&[("snapshot.txt", b"")]).path()).await;
    assert!(matches!(empty, MiniSnapError::NotFound { found: Absence::NothingToImport { is_store: false }, .. }));
    // As 0.1.1 and 0.1.2 wrote it.
    let pair = refused(folder(&[("snapshot.json", b"1"), ("snapshot.seq", b"1")]).path()).await;
    assert!(matches!(pair, MiniSnapError::NotFound { found: Absence::NothingToImport { is_store: true }, .. }));
    assert!(pair.help().unwrap().contains("minisnap copy"), "{pair:?}");
    // In the same folder, 0.1.3 wrote something older than the pair.
    let files = [("snapshot.json", &b"1"[..]), ("snapshot.seq", b"50"), (&name(42), &json_file(42, &json!(1)))];
    let newer = refused(folder(&files).path()).await;
    assert!(matches!(newer, MiniSnapError::NotFound { found: Absence::NothingToImport { is_store: true }, .. }));
    let missing = refused(&empty_path()).await;
    assert!(matches!(missing, MiniSnapError::Io { action: "list the folder", .. }), "{missing}");
}

fn empty_path() -> PathBuf {
    tempfile::tempdir().unwrap().path().join("nothing")
}

/// A pipe is not waited for.
#[tokio::test]
async fn what_is_no_file_or_no_number_is_passed_over() {
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

/// A link is followed to a file. One that leads nowhere may lead to a disk that isn't mounted: nothing older is taken for it.
#[tokio::test]
async fn link_is_followed_and_an_error_when_it_dangles() {
    let old = folder(&[(&name(1), &json_file(1, &json!(1)))]);
    symlink(written("json").join(name(20)), old.path().join(name(20))).unwrap();
    let folder_link = old.path().join("link");
    symlink(".", &folder_link).unwrap();
    assert_eq!(OldSnapshot::newest(&folder_link).await.unwrap().seq(), 20);
    symlink("nothing", old.path().join(name(30))).unwrap();
    let error = refused(old.path()).await;
    assert!(matches!(error, MiniSnapError::Io { action: "read the file", .. }), "{error}");
}

/// Complete, and newer than one that could be imported: what was saved last is not what is asked for then.
#[tokio::test]
async fn what_is_complete_and_unfit_stands_in_the_way() {
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
        let error = refused(old.path()).await;
        assert!(is_expected(&error) && error.at().location().ends_with(file), "{error:?}");
        assert_eq!(error.at().operation(), Operation::Import);
        // The way out that the help names.
        assert!(matches!(error, MiniSnapError::Serde { .. }) || error.help().unwrap().contains("move this file"));
        fs::remove_file(old.path().join(file)).unwrap();
        assert_eq!(OldSnapshot::newest(old.path()).await.unwrap().seq(), 1);
    }
}

#[tokio::test]
async fn messagepack_that_json_has_not_is_refused_with_its_place() {
    for (folder, reason) in [("nan", "/0/1 is a NaN"), ("u128", "/1 is bytes, or an integer of 128 bits")] {
        let error = refused(&written(folder)).await;
        let MiniSnapError::Unrestorable { reason: ref found, .. } = error else { panic!("{error:?}") };
        assert_eq!(*found, format!("{reason}, which JSON can't hold"));
    }
    let error = refused(&written("keys")).await;
    assert!(
        matches!(error, MiniSnapError::MapKey { ref path, key_type: "a list", .. } if path.is_empty()),
        "{error:?}"
    );
    // What rmp-serde doesn't write of itself.
    let bytes = |state: &[u8]| [b"\x92\x02\x81\xa3a/b", state].concat();
    for (state, reason) in [
        (&b"\xca\x7f\x80\x00\x00"[..], "/a~1b is an infinity"),
        (b"\xc4\x01\xff", "/a~1b is bytes, or an integer of 128 bits"),
        (b"\xa1\xff", "/a~1b is bytes, or an integer of 128 bits"),
        (b"\xd4\x01\x02", "/a~1b is a MessagePack extension"),
    ] {
        let error = refused(folder(&[("snapshot_2", &bytes(state))]).path()).await;
        assert!(error.to_string().contains(reason), "{error}");
    }
    for key in [&b"\xc0"[..], b"\xc4\x01\xff", b"\x90", b"\x80", b"\xd4\x01\x02", b"\xcb\x7f\xf8\0\0\0\0\0\0"] {
        let error = refused(folder(&[("snapshot_2", &bytes(&[b"\x81", key, b"\x01"].concat()))]).path()).await;
        assert!(matches!(error, MiniSnapError::MapKey { ref path, .. } if path == "/a~1b"), "{error:?}");
    }
}

/// As deep as a store restores, and no deeper.
#[tokio::test]
async fn messagepack_is_too_deep_where_json_is() {
    for (depth, is_fit) in [(127, true), (128, false), (3000, false)] {
        let state = [&b"\x92\x02"[..], &vec![0x91; depth], b"\x01"].concat();
        let old = folder(&[("snapshot_2", &state)]);
        match minisnap::import(old.path(), &memory()).await {
            Ok(_) => assert!(is_fit, "{depth} levels"),
            Err(error) => assert!(!is_fit && matches!(error, MiniSnapError::Unrestorable { .. }), "{depth}: {error:?}"),
        }
    }
}

/// Of the same seq, JSON is read first; both hold the same state.
#[tokio::test]
async fn json_is_taken_when_both_have_the_seq() {
    let packed = messagepack(2, &"packed");
    let old = folder(&[(&name(2), &json_file(2, &json!("json"))), ("snapshot_00000000000000000002", &packed)]);
    assert_eq!(&OldSnapshot::newest(old.path()).await.unwrap().json()[..], b"\"json\"");
    fs::write(old.path().join(name(2)), "").unwrap();
    assert_eq!(&OldSnapshot::newest(old.path()).await.unwrap().json()[..], b"\"packed\"");
}

/// A store in that folder refuses it, and says the way; in another folder, that is it.
#[tokio::test]
async fn store_in_the_old_folder_is_refused_with_the_way_out() {
    let old = folder(&[(&name(1), &json_file(1, &json!(1)))]);
    let store = SnapStore::new(old.path());
    for error in [
        minisnap::import(old.path(), &store).await.expect_err("the same folder"),
        store.create(&1, 2).await.expect_err("no store"),
        store.restore::<u8>().await.expect_err("no store"),
    ] {
        assert!(matches!(error, MiniSnapError::ExternalChange { found: ExternalChange::OtherFormat, .. }), "{error}");
        let help = error.help().unwrap();
        assert!(help.contains("`minisnap import OLD STORE`") && help.contains("`minisnap::import`"), "{help}");
    }
    let below = SnapStore::new(old.path().join("new"));
    minisnap::import(old.path(), &below).await.unwrap();
    assert_eq!(below.restore::<u8>().await.unwrap(), (1, 1));
}

#[test]
fn blocking_store_imports_too() {
    let store = minisnap::blocking::SnapStore::with_backend(MemBackend::new());
    let imported = minisnap::blocking::import(written("messagepack"), &store).unwrap();
    assert_eq!(imported.snapshot().seq(), 20);
    assert_eq!(store.restore::<State>().unwrap(), (State::of(20), 20));
}

/// Any JSON without floats that two types would write in two ways.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has none other", |float| float.is_finite()).prop_map(Value::from),
        "\\PC{0,9}|[\\x00-\\x20\"\\\\/~]{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 40, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..40).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,9}", inner, 0..20)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// From both formats, it is byte for byte what a create would have written.
    #[test]
    fn any_document_is_imported_as_a_create_writes_it(document in document(), seq: u64) {
        let expected = serde_json::to_string_pretty(&document).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (ending, bytes) in [(".json", json_file(seq, &document)), ("", messagepack(seq, &document))] {
            let old = folder(&[(&format!("snapshot_{seq:020}{ending}"), &bytes)]);
            let snapshot = runtime.block_on(OldSnapshot::newest(old.path())).unwrap();
            prop_assert_eq!(snapshot.seq(), seq);
            prop_assert_eq!(std::str::from_utf8(snapshot.json()).unwrap(), &expected);
        }
    }

    /// Whatever a file holds, the answer is an error or JSON that restores.
    #[test]
    fn any_bytes_are_refused_or_restore_as_json(head in 0..3_usize, bytes: Vec<u8>) {
        let head = [&b""[..], b"\x92\x07", b"{\"seq\": 7, \"state\": "][head];
        let old = folder(&[("snapshot_7", &[head, &bytes].concat()), ("snapshot_6.json", &[head, &bytes].concat())]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if let Ok(snapshot) = runtime.block_on(OldSnapshot::newest(old.path())) {
            prop_assert!(format::check_json(snapshot.json()).is_ok(), "{:?}", snapshot.json());
        }
    }
}
