//! The import of folders that version 0.1.3 wrote. That version itself wrote the files in `data/0.1.3`.

/// Arbitrary documents and bytes.
mod properties;
/// The state in the files.
mod state;
/// Files that the import skips or rejects.
mod unusable_files;

use crate::folder_contents::listing;
use minisnap::{
    ExternalChange, MiniSnapError, SnapStore,
    import::{OldFormat, OldSnapshot},
    mem::MemBackend,
};
use serde_json::{Value, json};
use state::State;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Returns a folder that 0.1.3 wrote.
fn folder_of_0_1_3(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/0.1.3").join(name)
}

/// Creates a folder with these files.
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

/// Returns a JSON file as 0.1.3 wrote it.
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

async fn rejected(old: &Path) -> MiniSnapError {
    let store = memory();
    let error = minisnap::import(old, &store).await.expect_err("the import is rejected");
    assert!(error.to_string().starts_with(&format!("import ({}", old.display())), "{error}");
    assert_eq!(store.current().await.unwrap(), None);
    error
}

/// For both formats: the state is restored bit for bit, and the JSON equals that of a create.
#[tokio::test]
async fn newest_of_0_1_3_is_restored_bit_for_bit() {
    for (folder, kind) in [("json", OldFormat::Json), ("messagepack", OldFormat::MessagePack)] {
        let new = tempfile::tempdir().unwrap();
        let store = SnapStore::new(new.path());
        let imported = minisnap::import(folder_of_0_1_3(folder), &store).await.unwrap();
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
        // MessagePack stores a struct as a list. A create writes the names of its fields again.
        store.create(&restored, 21).await.unwrap();
        let json = fs::read_to_string(new.path().join("snapshot.json")).unwrap();
        assert_eq!(json, serde_json::to_string_pretty(&State::of(20)).unwrap());
    }
}

#[tokio::test]
async fn import_does_not_change_the_old_folder() {
    let old = folder(&[(&name(1), &json_file(1, &json!(1))), (&name(2), b""), (".tmpAbCdEf", b"{")]);
    let before = listing(old.path());
    minisnap::import(old.path(), &memory()).await.unwrap();
    assert_eq!(listing(old.path()), before);
}

#[tokio::test]
async fn repeated_import_changes_nothing() {
    let new = tempfile::tempdir().unwrap();
    let store = SnapStore::new(new.path().join("state"));
    minisnap::import(folder_of_0_1_3("json"), &store).await.unwrap();
    let (history, before) = (store.history().await.unwrap(), listing(new.path()));
    let again = minisnap::import(folder_of_0_1_3("json"), &store).await.unwrap();
    assert!(again.committed().is_none());
    assert!(again.snapshot().is_same(&history[0]));
    assert_eq!((store.history().await.unwrap(), listing(new.path())), (history, before));
}

/// This includes a store with another snapshot of the same seq.
#[tokio::test]
async fn import_is_stale_when_the_store_is_as_new() {
    for seq in [20, 21] {
        let store = memory();
        store.create("newer", seq).await.unwrap();
        let error = minisnap::import(folder_of_0_1_3("json"), &store).await.expect_err("the store is as new");
        assert!(matches!(error, MiniSnapError::Stale { seq: 20, ref current, .. } if current.seq() == seq), "{error}");
        assert_eq!(store.restore::<String>().await.unwrap(), ("newer".into(), seq));
    }
    let store = memory();
    store.create("older", 19).await.unwrap();
    let imported = minisnap::import(folder_of_0_1_3("json"), &store).await.unwrap();
    assert_eq!(imported.committed().unwrap().truncation_point(), 19, "the older one is retained");
}

/// For the same seq, JSON is read first. The two files normally hold the same state.
#[tokio::test]
async fn json_file_wins_when_both_formats_have_the_seq() {
    let packed = messagepack(2, &"packed");
    let old = folder(&[(&name(2), &json_file(2, &json!("json"))), ("snapshot_00000000000000000002", &packed)]);
    assert_eq!(&OldSnapshot::newest(old.path()).await.unwrap().json()[..], b"\"json\"");
    fs::write(old.path().join(name(2)), "").unwrap();
    assert_eq!(&OldSnapshot::newest(old.path()).await.unwrap().json()[..], b"\"packed\"");
}

/// A store in the old folder is rejected, with help. A store in a folder below works.
#[tokio::test]
async fn store_in_the_old_folder_is_rejected_with_help() {
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
fn blocking_import_works_without_a_runtime() {
    let store = minisnap::blocking::SnapStore::with_backend(MemBackend::new());
    let imported = minisnap::blocking::import(folder_of_0_1_3("messagepack"), &store).unwrap();
    assert_eq!(imported.snapshot().seq(), 20);
    assert_eq!(store.restore::<State>().unwrap(), (State::of(20), 20));
}
