//! Generations that are corrupt, incomplete, removed, or never committed.

use super::*;
use std::os::unix::fs::symlink;

/// Asserts that a restore returns `Corrupt` and changes nothing, and returns the error.
pub(crate) async fn assert_corrupt(folder: &Folder) -> MiniSnapError {
    let before = folder.listing();
    let error = folder.restore().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
    assert_eq!(folder.listing(), before, "reading changed the folder");
    error
}

fn intact_seqs(error: &MiniSnapError) -> Vec<u64> {
    match error {
        MiniSnapError::Corrupt { intact, .. } => intact.iter().map(Generation::seq).collect(),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn corrupt_generation_is_reported_with_the_intact_older_ones() {
    type Corrupt = fn(&Path);
    let cases: [(&str, &str, Corrupt); 7] = [
        ("truncated", "snapshot.json", |path| fs::write(path, &fs::read(path).unwrap()[..5]).unwrap()),
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
    for (case, file, corrupt_file) in cases {
        let folder = Folder::with_snapshots(&[1, 2, 3]).await;
        corrupt_file(&folder.in_current(file));
        let error = assert_corrupt(&folder).await;
        assert_eq!(intact_seqs(&error), [2, 1], "{file} {case}");
        let text = error.to_string();
        assert!(text.contains(folder.in_current(file).to_str().unwrap()), "{file} {case}: {text}");

        // The listed generations are readable, and a commit succeeds.
        let MiniSnapError::Corrupt { intact, .. } = error else { unreachable!() };
        assert_eq!(folder.backend.read(&intact[0]).await.unwrap(), json_of(2), "{file} {case}");
        folder.commit(4).await.unwrap();
        assert_eq!(folder.restore().await.unwrap(), pair_of(4), "{file} {case}");
    }
}

#[tokio::test]
async fn corrupt_generation_is_not_listed_as_intact() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let older = folder.backend.history().await.unwrap()[1].clone();
    fs::write(folder.path("snapshots").join(older.name()).join("snapshot.json"), "[").unwrap();
    fs::write(folder.in_current("snapshot.json"), "[").unwrap();
    assert_eq!(intact_seqs(&assert_corrupt(&folder).await), [1]);
}

#[tokio::test]
async fn help_suggests_an_older_generation_only_when_one_is_intact() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let history = folder.backend.history().await.unwrap();
    fs::write(folder.in_current("snapshot.json"), "[").unwrap();
    let text = help(&assert_corrupt(&folder).await);
    assert!(text.contains(&format!("the newest intact generation, {}", history[1])), "{text}");
    fs::write(folder.path("snapshots").join(history[1].name()).join("snapshot.json"), "[").unwrap();
    let text = help(&assert_corrupt(&folder).await);
    assert!(text.contains("no generation is known to be intact") && !text.contains("restore_generation"), "{text}");
}

#[tokio::test]
async fn special_file_in_a_generation_is_corrupt_without_blocking() {
    for name in ["snapshot.json", "snapshot.seq"] {
        let folder = Folder::with_snapshots(&[1]).await;
        let path = folder.in_current(name);
        // A link to an identical file outside the store is corrupt, too.
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
            assert_corrupt(&folder).await;
        }
    }
}

#[tokio::test]
async fn commit_fails_when_its_generation_was_removed() {
    let folder = Folder::with_snapshots(&[1]).await;
    let mut stage = folder.fresh().stage(2).await.unwrap();
    stage.write_all(b"[2]").unwrap();
    let lock = fs::File::open(folder.path("snapshots/.lock")).unwrap();
    lock.lock().unwrap();
    let commit = tokio::spawn(stage.commit(CommitOptions::new(NonZeroUsize::MIN)));
    let name = loop {
        let names = fs::read_dir(folder.path("snapshots")).unwrap().map(|entry| entry.unwrap().path());
        let moved = names.into_iter().find(|path| path.to_string_lossy().contains("/00000000000000000002-"));
        match moved {
            Some(path) => break path,
            None => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
        }
    };
    // Now the commit waits for the lock. On a slow machine it may still sync, and fails there.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    fs::rename(&name, folder.path("removed")).unwrap();
    lock.unlock().unwrap();
    let error = commit.await.unwrap().unwrap_err();
    assert!(matches!(error, MiniSnapError::StageLost { .. } | MiniSnapError::Io { .. }), "{error}");
    assert_eq!(folder.restore().await.unwrap(), pair_of(1));
}

#[tokio::test]
async fn complete_generation_is_not_read_when_never_committed() {
    let folder = Folder::with_snapshots(&[1]).await;
    let current = folder.backend.current().await.unwrap().expect("a snapshot");
    // A writer was killed right before its commit.
    let uncommitted = format!("{}-4k0q8w1z7m3x5r2t", current.name().rsplit_once('-').expect("a name").0);
    fs::create_dir(folder.path("snapshots").join(&uncommitted)).unwrap();
    for file in ["snapshot.json", "snapshot.seq"] {
        fs::copy(folder.in_current(file), folder.path("snapshots").join(&uncommitted).join(file)).unwrap();
    }
    let read = folder.backend.read(&Generation::new(uncommitted, 1)).await;
    assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "{read:?}");
}

#[tokio::test]
async fn history_with_a_gap_expires_nothing() {
    let folder = Folder::new();
    for seq in 1..=4 {
        folder.commit_retaining(seq, 10, Precondition::Always).await.unwrap();
    }
    let second = folder.backend.history().await.unwrap()[2].clone();
    assert_eq!(second.seq(), 2);
    fs::rename(folder.path("snapshots").join(second.name()), folder.path("moved")).unwrap();
    assert_eq!(folder.history().await, [4, 3]);
    folder.commit_retaining(5, 10, Precondition::Always).await.unwrap();
    assert_eq!(folder.history().await, [5, 4, 3]);

    // The history is complete when the generation is restored.
    fs::rename(folder.path("moved"), folder.path("snapshots").join(second.name())).unwrap();
    assert_eq!(folder.history().await, [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn history_with_a_cycle_ends() {
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
