//! A bare pair without a commit record, half of a pair, and their migration.

use super::*;

#[tokio::test]
async fn bare_pair_is_restored_without_changes() {
    let folder = Folder::with_bare_pair("[1]", "7");
    let before = folder.listing();
    assert_eq!(folder.restore().await.unwrap(), Some(("[1]".into(), 7)));
    assert_eq!(folder.history().await, [7]);
    assert_eq!(folder.listing(), before);
}

#[tokio::test]
async fn bare_pair_is_migrated_under_its_name() {
    let folder = Folder::with_bare_pair("[1]", "7");
    let bare = folder.backend.current().await.unwrap().expect("the bare pair");
    let stage = folder.backend.stage(8).await.unwrap();
    drop(stage);
    assert_eq!(folder.backend.current().await.unwrap(), Some(bare.clone()));
    assert!(folder.path("snapshot.json").is_symlink() && folder.path("snapshot.seq").is_symlink());
    assert_eq!((folder.cat("snapshot.json"), folder.cat("snapshot.seq")), (Some("[1]".into()), seq_file(7)));

    folder.commit_retaining(8, 2, Precondition::IfCurrent(Some(bare.clone()))).await.unwrap();
    assert_eq!(folder.history().await, [8, 7]);
    assert_eq!(folder.backend.read(&bare).await.unwrap(), "[1]");
    assert_eq!(folder.garbage().await, [""; 0]);
}

#[tokio::test]
async fn preconditions_compare_with_the_bare_pair() {
    let folder = Folder::with_bare_pair("[1]", "7");
    let refused = folder.commit_retaining(7, 2, Precondition::IfNewer).await;
    assert!(matches!(refused, Err(MiniSnapError::Stale { .. })), "{refused:?}");
    let refused = folder.commit_retaining(8, 2, Precondition::IfCurrent(None)).await;
    assert!(matches!(refused, Err(MiniSnapError::Conflict { .. })), "{refused:?}");
    assert_eq!(folder.restore().await.unwrap(), Some(("[1]".into(), 7)));
}

#[tokio::test]
async fn bare_pair_is_expired_when_replaced_during_a_read() {
    let folder = Folder::with_bare_pair("[1]", "7");
    let old = folder.backend.current().await.unwrap().expect("the bare pair");
    folder.write("snapshot.json", "[2]");
    folder.write("snapshot.seq", "8");
    let read = folder.backend.read(&old).await;
    assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "{read:?}");
    assert_eq!(folder.restore().await.unwrap(), Some(("[2]".into(), 8)));
}

#[tokio::test]
async fn seq_is_parsed_as_in_the_first_release() {
    for (text, seq) in [("10", 10), (" 10\r\n", 10), ("\u{2003}10", 10), ("18446744073709551615", u64::MAX)] {
        let folder = Folder::with_bare_pair("[1]", text);
        assert_eq!(folder.restore().await.unwrap(), Some(("[1]".into(), seq)), "{text:?}");
        folder.commit(1).await.unwrap();
        assert_eq!(folder.history().await, [1, seq], "{text:?}");
    }
}

#[tokio::test]
async fn invalid_seq_is_an_error_and_stays_unchanged() {
    let long = format!("1{}", " ".repeat(64));
    for (bytes, found) in [
        (&b""[..], "nothing"),
        (b" \n", "nothing"),
        (b"-1", "\"-1\""),
        (b"18446744073709551616", "18446744073709551616"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xff", "not UTF-8"),
        (b"10 11", "\"10 11\""),
        (long.as_bytes(), "more than 64 bytes"),
    ] {
        let folder = Folder::with_bare_pair("[1]", "");
        folder.write("snapshot.seq", bytes);
        for error in [folder.restore().await.unwrap_err(), folder.commit(1).await.unwrap_err()] {
            assert!(matches!(error, MiniSnapError::InvalidSequence { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("snapshot.seq") && text.contains(found), "{bytes:?}: {text}");
        }
        assert_eq!(fs::read(folder.path("snapshot.seq")).unwrap(), bytes);
        assert_eq!(folder.cat("snapshot.json").as_deref(), Some("[1]"));
    }
}

#[tokio::test]
async fn half_a_pair_is_moved_aside_by_the_next_commit() {
    for (existing, missing) in [("snapshot.json", "snapshot.seq"), ("snapshot.seq", "snapshot.json")] {
        let folder = Folder::new();
        folder.write(existing, "12");
        let error = folder.restore().await.unwrap_err();
        assert!(matches!(error, MiniSnapError::NotFound { .. }), "{error}");
        assert!(error.to_string().contains(&format!("{existing} without {missing}")), "{error}");

        folder.commit_retaining(1, 2, Precondition::IfCurrent(None)).await.unwrap();
        assert_eq!(folder.restore().await.unwrap(), pair_of(1));
        assert_eq!(folder.history().await, [1]);
        let aside = fs::read_dir(folder.guard.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let aside: Vec<_> = aside.filter(|name| name.to_string_lossy().contains(".aside-")).collect();
        assert_eq!(aside.len(), 1);
        assert_eq!(fs::read(folder.path(&aside[0])).unwrap(), b"12");
        folder.commit(2).await.unwrap();
        assert_eq!(fs::read(folder.path(&aside[0])).unwrap(), b"12", "later commits don't touch the file");
    }
}

#[tokio::test]
async fn interrupted_migration_is_completed_by_the_next_commit() {
    // The crash came after the commit record, and before the first link, the second link, or both.
    for replaced in [&["snapshot.json", "snapshot.seq"][..], &["snapshot.json"], &["snapshot.seq"]] {
        let folder = Folder::with_bare_pair("[1]", "7");
        drop(folder.backend.stage(8).await.unwrap());
        for name in replaced {
            let content = folder.cat(name).unwrap();
            fs::remove_file(folder.path(name)).unwrap();
            folder.write(name, content);
        }
        assert_eq!(folder.restore().await.unwrap(), Some(("[1]".into(), 7)), "{replaced:?}");
        folder.commit(8).await.unwrap();
        assert!(folder.path("snapshot.json").is_symlink() && folder.path("snapshot.seq").is_symlink(), "{replaced:?}");
        assert_eq!(folder.history().await, [8, 7], "{replaced:?}");
        assert_eq!(folder.cat("snapshot.seq"), seq_file(8), "{replaced:?}");
    }
}

#[tokio::test]
async fn migration_is_repeated_when_killed_before_its_commit() {
    let folder = Folder::with_bare_pair("[1]", "7");
    let name = folder.backend.current().await.unwrap().unwrap().name().to_owned();
    fs::create_dir_all(folder.path("snapshots").join(&name)).unwrap();
    folder.write(&format!("snapshots/{name}/snapshot.json"), "incompl");
    assert_eq!(folder.restore().await.unwrap(), Some(("[1]".into(), 7)));
    folder.commit(8).await.unwrap();
    assert_eq!(folder.history().await, [8, 7]);
    let old = &folder.backend.history().await.unwrap()[1];
    assert_eq!(folder.backend.read(old).await.unwrap(), "[1]");
}

/// It is unknown whether the pair or a generation is newer. A read must not return the pair, since no commit would accept the
/// store.
#[tokio::test]
async fn bare_pair_is_rejected_when_the_record_is_lost() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let lost = fs::read_link(folder.path("snapshots/current")).unwrap();
    fs::remove_file(folder.path("snapshots/current")).unwrap();
    for (name, content) in [("snapshot.json", "[7]"), ("snapshot.seq", "7")] {
        fs::remove_file(folder.path(name)).unwrap();
        folder.write(name, content);
    }
    let before = folder.listing();
    for error in [folder.restore().await.unwrap_err(), folder.commit(8).await.unwrap_err()] {
        assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(lost.to_str().unwrap()), "the generations are listed: {error}");
    }
    let verified = folder.backend.verify().await.unwrap();
    assert!(!verified.is_intact() && verified.orphans == 0, "{verified:?}");
    assert_eq!(folder.listing(), before);
    // The repair that the help of these errors suggests.
    let first = &verified.generations[0].generation;
    folder.backend.reset_to(first).await.unwrap().expect("the record is lost");
    folder.backend.revert_external_changes().await.unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(1));
    folder.commit(8).await.unwrap();
}

#[tokio::test]
async fn folder_of_another_format_is_not_an_empty_store() {
    for name in ["snapshot_00000000000000000042.json", "snapshot_00000000000000000042.rmp"] {
        let folder = Folder::new();
        folder.write(name, "{\"seq\":42,\"state\":1}");
        for error in [folder.restore().await.unwrap_err(), folder.commit(1).await.unwrap_err()] {
            assert!(matches!(error, MiniSnapError::ExternalChange { .. }), "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        fs::rename(folder.path(name), folder.path("snapshot_of_another_program.json")).unwrap();
        folder.commit(1).await.unwrap();
    }
}

#[tokio::test]
async fn special_files_at_the_names_are_external_changes() {
    let special_files: [fn(&Path); 3] = [
        |path| fs::create_dir(path).unwrap(),
        |path| std::os::unix::fs::symlink("/etc/passwd", path).unwrap(),
        |path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
    ];
    for name in ["snapshot.json", "snapshot.seq"] {
        for make in special_files {
            let folder = Folder::new();
            make(&folder.path(name));
            let before = folder.listing();
            let error = folder.restore().await.unwrap_err();
            assert!(matches!(error, MiniSnapError::ExternalChange { .. }), "{error}");
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(folder.listing(), before);
            let error = folder.commit(1).await.unwrap_err();
            assert!(matches!(error, MiniSnapError::ExternalChange { .. }), "{error}");
            assert_eq!(folder.listing().get(&folder.path(name)), before.get(&folder.path(name)));
        }
    }
}

// Generations compare equal by name alone. A caller that constructs one with another seq must not get the JSON under that seq.
#[tokio::test]
async fn read_is_expired_when_the_seq_differs_from_the_name() {
    for folder in [Folder::with_bare_pair("[10]", "10"), Folder::with_snapshots(&[9, 10]).await] {
        for generation in folder.backend.history().await.unwrap() {
            let other = Generation::new(generation.name(), generation.seq() + 1);
            let read = folder.backend.read(&other).await;
            assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "{read:?}");
            let chunks = folder.backend.read_chunks(&other).await;
            assert!(matches!(chunks, Err(MiniSnapError::Expired { .. })), "{chunks:?}");
            folder.backend.read(&Generation::new(generation.name(), generation.seq())).await.unwrap();
        }
    }
}

/// Version 0.1.3 ran in a folder of 0.1.1: its file is newer than the bare pair.
#[tokio::test]
async fn bare_pair_is_rejected_when_a_file_of_0_1_3_is_newer() {
    for (seq, is_newer) in [(41, false), (42, false), (43, true)] {
        let folder = Folder::with_bare_pair("[1]", "42");
        folder.write(&format!("snapshot_{seq:020}.json"), "{}");
        let restored = folder.restore().await;
        if is_newer {
            let error = restored.unwrap_err();
            let found = minisnap_core::ExternalChange::OtherFormat;
            assert!(matches!(&error, MiniSnapError::ExternalChange { found: other, .. } if *other == found), "{error}");
            assert!(folder.backend.history().await.is_err() && folder.commit(50).await.is_err());
        } else {
            assert_eq!(restored.unwrap(), Some(("[1]".into(), 42)));
            folder.commit(50).await.unwrap();
            assert_eq!(folder.history().await, [50, 42]);
        }
    }
}
