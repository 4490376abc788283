//! `give_up_lost_store`: moves a store without a commit record aside.

use super::*;
use std::os::unix::fs::symlink;

/// The texts of all JSON files below a folder.
fn jsons(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for (path, _) in listing_of(folder) {
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snapshot.json")) {
            found.extend(fs::read_to_string(path).ok());
        }
    }
    found.sort();
    found.dedup();
    found
}

fn listing_of(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut listing = BTreeMap::new();
    list(folder, &mut listing);
    listing
}

#[tokio::test]
async fn lost_store_is_empty_and_usable_when_given_up() {
    type Lose = fn(&Folder);
    fn remove_record(folder: &Folder) -> PathBuf {
        fs::remove_file(folder.path("snapshots/current")).unwrap();
        folder.path("snapshots/current")
    }
    let cases: [(&str, Lose, usize); 5] = [
        ("missing", |folder| drop(remove_record(folder)), 3),
        ("elsewhere", |folder| symlink("elsewhere", remove_record(folder)).unwrap(), 3),
        ("a folder", |folder| fs::create_dir(remove_record(folder)).unwrap(), 3),
        ("text", |folder| fs::write(remove_record(folder), "text").unwrap(), 3),
        (
            "replaced by another program",
            |folder| {
                fs::write(remove_record(folder), "text").unwrap();
                for (name, text) in [("snapshot.json", "[9]"), ("snapshot.seq", "9")] {
                    fs::remove_file(folder.path(name)).unwrap();
                    folder.write(name, text);
                }
            },
            3,
        ),
    ];
    for (case, lose, count) in cases {
        let folder = Folder::with_snapshots(&[1, 2]).await;
        lose(&folder);
        let before = jsons(folder.guard.path());
        assert!(matches!(folder.commit(3).await, Err(MiniSnapError::Corrupt { .. })), "{case}");
        let moved = folder.backend.give_up_lost_store().await.unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(moved.len(), count, "{case}: {moved:?}");
        assert!(moved.iter().all(|path| path.symlink_metadata().is_ok()), "{case}: {moved:?}");
        assert_eq!(jsons(folder.guard.path()), before, "{case}: a JSON file is lost");
        assert_eq!(folder.restore().await.unwrap(), None, "{case}");
        let aside = listing_of(moved.last().unwrap());
        folder.commit_retaining(7, 1, Precondition::IfCurrent(None)).await.unwrap();
        assert_eq!(folder.restore().await.unwrap(), pair_of(7), "{case}");
        assert_eq!(folder.backend.give_up_lost_store().await.unwrap(), [""; 0].map(PathBuf::from), "{case}");
        assert_eq!(listing_of(moved.last().unwrap()), aside, "{case}: the moved folder changed");
        assert!(folder.backend.verify().await.unwrap().is_intact(), "{case}");
    }
}

#[tokio::test]
async fn dangling_links_are_moved_aside_when_given_up() {
    let folder = Folder::with_snapshots(&[1]).await;
    fs::remove_dir_all(folder.path("snapshots")).unwrap();
    assert_eq!(folder.backend.give_up_lost_store().await.unwrap().len(), 2);
    assert_eq!(folder.restore().await.unwrap(), None);
    folder.commit(7).await.unwrap();
}

#[tokio::test]
async fn readable_store_is_unchanged_when_given_up() {
    let corrupt = Folder::with_snapshots(&[1, 2]).await;
    fs::write(corrupt.in_current("snapshot.json"), "").unwrap();
    let dangling = Folder::with_snapshots(&[1, 2]).await;
    fs::remove_dir_all(dangling.in_current("")).unwrap();
    let half = Folder::new();
    half.write("snapshot.json", "[1]");
    let folders = [Folder::new(), Folder::with_bare_pair("[1]", "7"), Folder::with_snapshots(&[1]).await];
    for folder in folders.into_iter().chain([corrupt, dangling, half]) {
        let before = folder.listing();
        assert_eq!(folder.backend.give_up_lost_store().await.unwrap(), [""; 0].map(PathBuf::from));
        assert_eq!(folder.listing(), before);
    }
    // A disk that isn't mounted isn't a lost record.
    let base = TempDir::new().unwrap();
    symlink("not mounted", base.path().join("snapshots")).unwrap();
    let error = FsBackend::new(base.path()).give_up_lost_store().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Io { .. }), "{error}");
    assert_eq!(error.at().operation(), minisnap_core::Operation::GiveUp);
}

/// Both calls find the record lost, and one of them waits for the lock of the other.
#[tokio::test]
async fn only_one_of_two_concurrent_calls_gives_up() {
    let folder = Folder::with_snapshots(&[1]).await;
    fs::remove_file(folder.path("snapshots/current")).unwrap();
    let (first, second) = (folder.backend.clone(), FsBackend::new(folder.guard.path()));
    let (first, second) = tokio::join!(first.give_up_lost_store(), second.give_up_lost_store());
    let moved = first.unwrap().len() + second.unwrap().len();
    assert_eq!(moved, 3);
    folder.commit(7).await.unwrap();
}
