//! Damaged generations, commit records that are lost or point elsewhere, and hostile folders.

use super::*;
use std::os::unix::fs::symlink;

/// The error of a restore that finds damage, and that the folder is as before.
async fn corrupt(folder: &Folder) -> MiniSnapError {
    let before = folder.listing();
    let error = folder.restore().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
    assert_eq!(folder.listing(), before, "reading changed something");
    error
}

fn intact(error: &MiniSnapError) -> Vec<u64> {
    match error {
        MiniSnapError::Corrupt { intact, .. } => intact.iter().map(Generation::seq).collect(),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_damaged_generation_is_corrupt_and_the_intact_older_ones_are_listed() {
    type Harm = fn(&Path);
    let harms: [(&str, &str, Harm); 7] = [
        ("cut", "snapshot.json", |path| fs::write(path, &fs::read(path).unwrap()[..5]).unwrap()),
        ("one bit flipped", "snapshot.json", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[7] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("emptied", "snapshot.json", |path| fs::write(path, "").unwrap()),
        ("missing", "snapshot.json", |path| fs::remove_file(path).unwrap()),
        ("missing", "snapshot.seq", |path| fs::remove_file(path).unwrap()),
        ("another seq", "snapshot.seq", |path| fs::write(path, "11\n").unwrap()),
        ("no number", "snapshot.seq", |path| fs::write(path, "ten").unwrap()),
    ];
    for (harm, file, make) in harms {
        let folder = Folder::with_snapshots(&[1, 2, 3]).await;
        make(&folder.in_current(file));
        let error = corrupt(&folder).await;
        assert_eq!(intact(&error), [2, 1], "{file} {harm}");
        let text = error.to_string();
        assert!(text.contains(folder.in_current(file).to_str().unwrap()), "{file} {harm}: {text}");

        // The older ones it lists can be read, and a new one published.
        let MiniSnapError::Corrupt { intact, .. } = error else { unreachable!() };
        assert_eq!(folder.backend.read(&intact[0]).await.unwrap(), json_of(2), "{file} {harm}");
        folder.commit(4).await.unwrap();
        assert_eq!(folder.restore().await.unwrap(), pair_of(4), "{file} {harm}");
    }
}

#[tokio::test]
async fn only_what_is_whole_is_listed_as_intact() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let older = folder.backend.history().await.unwrap()[1].clone();
    fs::write(folder.path("snapshots").join(older.name()).join("snapshot.json"), "[").unwrap();
    fs::write(folder.in_current("snapshot.json"), "[").unwrap();
    assert_eq!(intact(&corrupt(&folder).await), [1]);
}

#[tokio::test]
async fn remedy_goes_back_only_where_something_is_intact() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let history = folder.backend.history().await.unwrap();
    fs::write(folder.in_current("snapshot.json"), "[").unwrap();
    let text = help(&corrupt(&folder).await);
    assert!(text.contains(&format!("the newest intact generation, {}", history[1])), "{text}");
    fs::write(folder.path("snapshots").join(history[1].name()).join("snapshot.json"), "[").unwrap();
    let text = help(&corrupt(&folder).await);
    assert!(text.contains("no generation is known to be intact") && !text.contains("restore_generation"), "{text}");
}

#[tokio::test]
async fn files_of_a_generation_that_are_no_files_are_damage_and_nothing_hangs() {
    for name in ["snapshot.json", "snapshot.seq"] {
        let folder = Folder::with_snapshots(&[1]).await;
        let path = folder.in_current(name);
        // What is outside is not the store's, though it says the same.
        fs::copy(&path, folder.path("copy")).unwrap();
        for make in [
            |path: &Path| symlink("../../copy", path).unwrap(),
            |path: &Path| symlink("/dev/zero", path).unwrap(),
            |path: &Path| symlink(path.file_name().unwrap(), path).unwrap(),
            |path: &Path| fs::create_dir(path).unwrap(),
            |path: &Path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
        ] {
            fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).unwrap();
            make(&path);
            corrupt(&folder).await;
        }
    }
}

#[tokio::test]
async fn a_commit_record_that_points_elsewhere_is_corrupt_and_never_followed() {
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
        let text = corrupt(&folder).await.to_string();
        assert!(text.contains("snapshots/current"), "{text}");
        let before = folder.listing();
        let error = folder.commit(2).await.unwrap_err();
        assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
        assert_eq!(folder.listing(), before, "nothing is published over what nobody understands");
    }
}

#[tokio::test]
async fn a_dangling_commit_record_is_corrupt() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let lost = folder.in_current("");
    fs::rename(&lost, folder.path("lost")).unwrap();
    let text = corrupt(&folder).await.to_string();
    assert!(text.contains(lost.to_str().unwrap()), "{text}");
    // A publish over it goes well, and removes nothing: what lies beyond the gap may be all that is left.
    let generations = || fs::read_dir(folder.path("snapshots")).unwrap().count();
    let before = generations();
    // Also when it keeps no more than itself and the one that is lost.
    folder.publish_keeping(3, 2, Precondition::Always).await.unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(3));
    assert_eq!(generations(), before + 1);
}

#[tokio::test]
async fn a_lost_commit_record_is_no_empty_store() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let current = fs::read_link(folder.path("snapshots/current")).unwrap();
    fs::remove_file(folder.path("snapshots/current")).unwrap();
    let text = corrupt(&folder).await.to_string();
    assert!(text.contains(current.to_str().unwrap()), "the generations are listed: {text}");
    let error = folder.commit(3).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");

    // As the error says.
    symlink(&current, folder.path("snapshots/current")).unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(2));
    folder.commit(3).await.unwrap();
    assert_eq!(folder.history().await, [3, 2, 1]);
}

#[tokio::test]
async fn after_a_copy_without_links_the_way_out_loses_no_generation() {
    let folder = Folder::new();
    for seq in 1..=5 {
        folder.publish_keeping(seq, 3, Precondition::Always).await.unwrap();
    }
    let current = fs::read_link(folder.path("snapshots/current")).unwrap();
    for (path, facts) in folder.listing() {
        if facts.contains("->") {
            fs::remove_file(path).unwrap();
        }
    }
    corrupt(&folder).await;
    symlink(&current, folder.path("snapshots/current")).unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(5));
    // With the links, what came before is lost to the history, but not to a person.
    let generations = || {
        fs::read_dir(folder.path("snapshots"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("0000"))
    };
    assert_eq!(generations().count(), 3);
    for (seq, count) in [(6, 4), (7, 3)] {
        folder.publish_keeping(seq, 3, Precondition::Always).await.unwrap();
        assert_eq!(generations().count(), count, "as many as are kept have to be there first");
    }
}

#[tokio::test]
async fn a_store_that_lost_its_snapshots_folder_is_no_empty_store() {
    let folder = Folder::with_snapshots(&[1]).await;
    fs::rename(folder.path("snapshots"), folder.path("elsewhere")).unwrap();
    corrupt(&folder).await;
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

    // To start anew, as the README says.
    fs::remove_dir_all(folder.path("snapshots")).unwrap();
    fs::remove_file(folder.path("snapshot.json")).unwrap();
    fs::remove_file(folder.path("snapshot.seq")).unwrap();
    assert_eq!(folder.restore().await.unwrap(), None);
    folder.publish_keeping(7, 1, Precondition::IfCurrent(None)).await.unwrap();
}

#[tokio::test]
async fn an_adopted_generation_is_no_debris_when_its_commit_record_is_lost() {
    let folder = Folder::with_plain_pair("[1]", "7");
    drop(folder.backend.stage(8).await.unwrap());
    for link in ["snapshot.json", "snapshot.seq", "snapshots/current"] {
        fs::remove_file(folder.path(link)).unwrap();
    }
    corrupt(&folder).await;
    let error = folder.commit(8).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn a_generation_that_is_removed_before_its_commit_is_not_published() {
    let folder = Folder::with_snapshots(&[1]).await;
    let mut stage = folder.fresh().stage(2).await.unwrap();
    stage.write_all(b"[2]").unwrap();
    let lock = fs::File::open(folder.path("snapshots/.lock")).unwrap();
    lock.lock().unwrap();
    let publish = tokio::spawn(stage.commit(CommitOptions::new(NonZeroUsize::MIN)));
    let name = loop {
        let names = fs::read_dir(folder.path("snapshots")).unwrap().map(|entry| entry.unwrap().path());
        let moved = names.into_iter().find(|path| path.to_string_lossy().contains("/00000000000000000002-"));
        match moved {
            Some(path) => break path,
            None => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
        }
    };
    // By then it waits for the lock; on a slow machine it may still be syncing, and finds out there.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    fs::rename(&name, folder.path("removed")).unwrap();
    lock.unlock().unwrap();
    let error = publish.await.unwrap().unwrap_err();
    assert!(matches!(error, MiniSnapError::StageLost { .. } | MiniSnapError::Io { .. }), "{error}");
    assert_eq!(folder.restore().await.unwrap(), pair_of(1));
}

#[tokio::test]
async fn a_whole_generation_that_was_not_published_is_not_read() {
    let folder = Folder::with_snapshots(&[1]).await;
    let current = folder.backend.current().await.unwrap().expect("a snapshot");
    // As a writer leaves it that is killed just before its commit.
    let unpublished = format!("{}-4k0q8w1z7m3x5r2t", current.name().rsplit_once('-').expect("a name").0);
    fs::create_dir(folder.path("snapshots").join(&unpublished)).unwrap();
    for file in ["snapshot.json", "snapshot.seq"] {
        fs::copy(folder.in_current(file), folder.path("snapshots").join(&unpublished).join(file)).unwrap();
    }
    let read = folder.backend.read(&Generation::new(unpublished, 1)).await;
    assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "{read:?}");
}

#[tokio::test]
async fn a_lock_that_is_no_file_is_an_error_and_leads_nowhere() {
    let makes: [fn(&Path); 2] = [
        |path| symlink("../outside", path).unwrap(),
        |path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
    ];
    for make in makes {
        let folder = Folder::with_snapshots(&[1]).await;
        fs::remove_file(folder.path("snapshots/.lock")).unwrap();
        make(&folder.path("snapshots/.lock"));
        let error = folder.commit(2).await.unwrap_err();
        assert!(matches!(error, MiniSnapError::Io { .. }), "{error}");
        assert!(error.to_string().contains("snapshots/.lock"), "{error}");
        assert!(!folder.path("outside").exists());
        assert_eq!(folder.restore().await.unwrap(), pair_of(1));
    }
}

#[tokio::test]
async fn a_copy_that_followed_links_is_told_apart_and_has_a_way_out() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let copy = Folder::new();
    // Ends with an error about links to nothing, as it does for the operator.
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

#[tokio::test]
async fn a_history_with_a_gap_retires_nothing_until_the_gap_is_past() {
    let folder = Folder::new();
    for seq in 1..=4 {
        folder.publish_keeping(seq, 10, Precondition::Always).await.unwrap();
    }
    let second = folder.backend.history().await.unwrap()[2].clone();
    assert_eq!(second.seq(), 2);
    fs::rename(folder.path("snapshots").join(second.name()), folder.path("moved away")).unwrap();
    assert_eq!(folder.history().await, [4, 3]);
    folder.publish_keeping(5, 10, Precondition::Always).await.unwrap();
    assert_eq!(folder.history().await, [5, 4, 3]);

    // Put back, it is whole again.
    fs::rename(folder.path("moved away"), folder.path("snapshots").join(second.name())).unwrap();
    assert_eq!(folder.history().await, [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn a_history_that_goes_in_a_circle_ends() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let history = folder.backend.history().await.unwrap();
    let first = folder.path("snapshots").join(history[1].name());
    symlink(format!("../{}", history[0].name()), first.join("parent")).unwrap();
    for count in ["2", "18446744073709551615", "0", "many", "-1"] {
        let retained = folder.in_current("retained");
        fs::remove_file(&retained).unwrap();
        symlink(count, &retained).unwrap();
        assert_eq!(folder.history().await, [2, 1], "{count}");
    }
    folder.commit(3).await.unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(3));
}

#[tokio::test]
async fn what_is_not_ours_is_never_removed() {
    let folder = Folder::with_snapshots(&[1]).await;
    for name in ["wal.log", "snapshots/notes.txt", "snapshots/.stage-notours", "snapshots/00000000000000000001-x"] {
        folder.write(name, "mine");
    }
    fs::create_dir(folder.path("snapshots/a folder")).unwrap();
    // A generation that somebody moved to a larger disk and linked to.
    let outside = folder.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("snapshot.json"), "mine").unwrap();
    for link in ["00000000000000000001-9f86d081884c7d65-4k0q8w1z7m3x5r2t", ".stage-4k0q8w1z7m3x5r2t"] {
        symlink(&outside, folder.path("snapshots").join(link)).unwrap();
    }
    let retired = folder.in_current("");
    fs::write(retired.join("notes.txt"), "mine").unwrap();
    for seq in 2..6 {
        folder.publish_keeping(seq, 1, Precondition::Always).await.unwrap();
    }
    folder.backend.collect_garbage().await.unwrap_err();
    for name in ["wal.log", "snapshots/notes.txt", "snapshots/.stage-notours", "snapshots/00000000000000000001-x"] {
        assert_eq!(folder.cat(name).as_deref(), Some("mine"), "{name}");
    }
    assert!(folder.path("snapshots/a folder").is_dir());
    assert_eq!(fs::read_to_string(outside.join("snapshot.json")).unwrap(), "mine");
    // A file that somebody put into a generation stays, with the folder, when the generation is retired.
    assert_eq!(fs::read_dir(&retired).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(retired.join("notes.txt")).unwrap(), "mine");
}
