//! Commit records that are lost, dangling, or lead outside the store.

use super::*;
use crate::corrupt_generation::assert_corrupt;
use std::os::unix::fs::symlink;

#[tokio::test]
async fn record_that_leads_outside_is_corrupt_and_not_followed() {
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("snapshot.json"), "[666]").unwrap();
    fs::write(outside.path().join("snapshot.seq"), "666").unwrap();
    for target in [outside.path().to_str().unwrap(), "../../etc", ".", "", "00000000000000000010", ".lock"] {
        let folder = Folder::with_snapshots(&[1]).await;
        let record = folder.path("snapshots/current");
        fs::remove_file(&record).unwrap();
        if target.is_empty() {
            fs::write(&record, "").unwrap();
        } else {
            symlink(target, &record).unwrap();
        }
        let text = assert_corrupt(&folder).await.to_string();
        assert!(text.contains("snapshots/current"), "{text}");
        let before = folder.listing();
        let error = folder.commit(2).await.unwrap_err();
        assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
        assert_eq!(folder.listing(), before, "the commit changed the folder");
    }
}

#[tokio::test]
async fn dangling_record_is_corrupt() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let lost = folder.in_current("");
    fs::rename(&lost, folder.path("lost")).unwrap();
    let text = assert_corrupt(&folder).await.to_string();
    assert!(text.contains(lost.to_str().unwrap()), "{text}");
    // A commit over it succeeds and removes nothing: the generations before the gap may be the only intact ones.
    let generations = || fs::read_dir(folder.path("snapshots")).unwrap().count();
    let before = generations();
    // Also with a retention of two: the new generation and the missing one.
    folder.commit_retaining(3, 2, Precondition::Always).await.unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(3));
    assert_eq!(generations(), before + 1);
}

#[tokio::test]
async fn lost_record_is_corrupt_not_an_empty_store() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let current = fs::read_link(folder.path("snapshots/current")).unwrap();
    fs::remove_file(folder.path("snapshots/current")).unwrap();
    let text = assert_corrupt(&folder).await.to_string();
    assert!(text.contains(current.to_str().unwrap()), "the generations are listed: {text}");
    let error = folder.commit(3).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");

    // The repair that the error's help suggests.
    symlink(&current, folder.path("snapshots/current")).unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(2));
    folder.commit(3).await.unwrap();
    assert_eq!(folder.history().await, [3, 2, 1]);
}

#[tokio::test]
async fn copy_without_links_loses_nothing_when_record_is_restored() {
    let folder = Folder::new();
    for seq in 1..=5 {
        folder.commit_retaining(seq, 3, Precondition::Always).await.unwrap();
    }
    let current = fs::read_link(folder.path("snapshots/current")).unwrap();
    for (path, facts) in folder.listing() {
        if facts.contains("->") {
            fs::remove_file(path).unwrap();
        }
    }
    assert_corrupt(&folder).await;
    symlink(&current, folder.path("snapshots/current")).unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(5));
    // Without the parent links the history is lost, but the generations still exist.
    let generations = || {
        fs::read_dir(folder.path("snapshots"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("0000"))
    };
    assert_eq!(generations().count(), 3);
    for (seq, count) in [(6, 4), (7, 3)] {
        folder.commit_retaining(seq, 3, Precondition::Always).await.unwrap();
        assert_eq!(generations().count(), count, "nothing expires before the retention is reached");
    }
}

#[tokio::test]
async fn missing_snapshots_folder_is_corrupt_not_an_empty_store() {
    let folder = Folder::with_snapshots(&[1]).await;
    fs::rename(folder.path("snapshots"), folder.path("elsewhere")).unwrap();
    assert_corrupt(&folder).await;
    let error = folder.commit(2).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
    fs::remove_dir_all(folder.path("snapshots")).unwrap();

    symlink("not mounted", folder.path("snapshots")).unwrap();
    for error in [folder.restore().await.unwrap_err(), folder.commit(2).await.unwrap_err()] {
        assert!(causes(&error).contains("not mounted"), "{error:?}");
    }
    fs::remove_file(folder.path("snapshots")).unwrap();
    fs::rename(folder.path("elsewhere"), folder.path("snapshots")).unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(1));

    // The documented way to start with an empty store.
    fs::remove_dir_all(folder.path("snapshots")).unwrap();
    fs::remove_file(folder.path("snapshot.json")).unwrap();
    fs::remove_file(folder.path("snapshot.seq")).unwrap();
    assert_eq!(folder.restore().await.unwrap(), None);
    folder.commit_retaining(7, 1, Precondition::IfCurrent(None)).await.unwrap();
}

#[tokio::test]
async fn migrated_generation_is_not_an_orphan_when_record_is_lost() {
    let folder = Folder::with_bare_pair("[1]", "7");
    drop(folder.backend.stage(8).await.unwrap());
    for link in ["snapshot.json", "snapshot.seq", "snapshots/current"] {
        fs::remove_file(folder.path(link)).unwrap();
    }
    assert_corrupt(&folder).await;
    let error = folder.commit(8).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn copy_that_followed_links_is_corrupt_and_can_be_repaired() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let copy = Folder::new();
    // `cp` fails for the dangling links, as it does for the operator.
    let copied = std::process::Command::new("cp")
        .args(["-rL", folder.path(".").to_str().unwrap(), copy.guard.path().to_str().unwrap()])
        .stderr(std::process::Stdio::null())
        .status();
    copied.unwrap();
    assert!(!copy.path("snapshots/current").is_symlink() && copy.path("snapshots/current").is_dir());
    let error = copy.restore().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
    assert!(help(&error).contains("copy again with links kept (cp -a, tar, rsync -a)"), "{error:?}");
    assert!(matches!(copy.commit(3).await, Err(MiniSnapError::Corrupt { .. })));

    fs::rename(copy.path("snapshots"), copy.path("snapshots.copied")).unwrap();
    assert_eq!(copy.restore().await.unwrap(), pair_of(2));
    copy.commit(3).await.unwrap();
    assert_eq!(copy.history().await, [3, 2]);
}
