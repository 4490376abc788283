//! Giving up a store whose commit record is lost.

use super::*;
use std::os::unix::fs::symlink;

/// All JSON below a folder.
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
async fn lost_store_is_empty_and_takes_a_commit_when_given_up() {
    type Loss = fn(&Folder);
    fn record(folder: &Folder) -> PathBuf {
        fs::remove_file(folder.path("snapshots/current")).unwrap();
        folder.path("snapshots/current")
    }
    let losses: [(&str, Loss, usize); 5] = [
        ("missing", |folder| drop(record(folder)), 3),
        ("elsewhere", |folder| symlink("elsewhere", record(folder)).unwrap(), 3),
        ("a folder", |folder| fs::create_dir(record(folder)).unwrap(), 3),
        ("text", |folder| fs::write(record(folder), "text").unwrap(), 3),
        (
            "replaced by another program, too",
            |folder| {
                fs::write(record(folder), "text").unwrap();
                for (name, text) in [("snapshot.json", "[9]"), ("snapshot.seq", "9")] {
                    fs::remove_file(folder.path(name)).unwrap();
                    folder.write(name, text);
                }
            },
            3,
        ),
    ];
    for (loss, lose, count) in losses {
        let folder = Folder::with_snapshots(&[1, 2]).await;
        lose(&folder);
        let before = jsons(folder.guard.path());
        assert!(matches!(folder.commit(3).await, Err(MiniSnapError::Corrupt { .. })), "{loss}");
        let moved = folder.backend.give_up_lost_store().await.unwrap_or_else(|error| panic!("{loss}: {error}"));
        assert_eq!(moved.len(), count, "{loss}: {moved:?}");
        assert!(moved.iter().all(|path| path.symlink_metadata().is_ok()), "{loss}: {moved:?}");
        assert_eq!(jsons(folder.guard.path()), before, "{loss}: something is lost");
        assert_eq!(folder.restore().await.unwrap(), None, "{loss}");
        let aside = listing_of(moved.last().unwrap());
        folder.publish_keeping(7, 1, Precondition::IfCurrent(None)).await.unwrap();
        assert_eq!(folder.restore().await.unwrap(), pair_of(7), "{loss}");
        assert_eq!(folder.backend.give_up_lost_store().await.unwrap(), [""; 0].map(PathBuf::from), "{loss}");
        assert_eq!(listing_of(moved.last().unwrap()), aside, "{loss}: it was touched");
        assert!(folder.backend.verify().await.unwrap().is_intact(), "{loss}");
    }
}

#[tokio::test]
async fn links_to_nothing_are_moved_aside_when_given_up() {
    let folder = Folder::with_snapshots(&[1]).await;
    fs::remove_dir_all(folder.path("snapshots")).unwrap();
    assert_eq!(folder.backend.give_up_lost_store().await.unwrap().len(), 2);
    assert_eq!(folder.restore().await.unwrap(), None);
    folder.commit(7).await.unwrap();
}

#[tokio::test]
async fn readable_store_is_left_alone_when_given_up() {
    let corrupt = Folder::with_snapshots(&[1, 2]).await;
    fs::write(corrupt.in_current("snapshot.json"), "").unwrap();
    let dangling = Folder::with_snapshots(&[1, 2]).await;
    fs::remove_dir_all(dangling.in_current("")).unwrap();
    let half = Folder::new();
    half.write("snapshot.json", "[1]");
    let folders = [Folder::new(), Folder::with_plain_pair("[1]", "7"), Folder::with_snapshots(&[1]).await];
    for folder in folders.into_iter().chain([corrupt, dangling, half]) {
        let before = folder.listing();
        assert_eq!(folder.backend.give_up_lost_store().await.unwrap(), [""; 0].map(PathBuf::from));
        assert_eq!(folder.listing(), before);
    }
    // A disk that isn't mounted is no loss.
    let base = TempDir::new().unwrap();
    symlink("not mounted", base.path().join("snapshots")).unwrap();
    let error = FsBackend::new(base.path()).give_up_lost_store().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Io { .. }), "{error}");
    assert_eq!(error.at().operation(), minisnap_core::Operation::GiveUp);
}

/// Both find the store lost, and one of them waits for the other.
#[tokio::test]
async fn only_one_gives_up_when_two_do() {
    let folder = Folder::with_snapshots(&[1]).await;
    fs::remove_file(folder.path("snapshots/current")).unwrap();
    let (first, second) = (folder.backend.clone(), FsBackend::new(folder.guard.path()));
    let (first, second) = tokio::join!(first.give_up_lost_store(), second.give_up_lost_store());
    let moved = first.unwrap().len() + second.unwrap().len();
    assert_eq!(moved, 3);
    folder.commit(7).await.unwrap();
}
