//! Committing over corruption: a corrupt generation doesn't count towards the retention, and is moved aside.

use super::*;

/// Commits with a retention of three, and returns the retained seqs.
async fn commit(folder: &Folder, seq: u64) -> Vec<u64> {
    let committed = folder.commit(seq).await.unwrap_or_else(|error| panic!("{error}"));
    let seqs: Vec<_> = committed.retained().iter().map(Generation::seq).collect();
    assert_eq!(folder.history().await, seqs, "`retained` differs from the history");
    seqs
}

/// Replaces the handle by a new one, as after a restart.
fn reopened(folder: Folder) -> Folder {
    Folder { backend: FsBackend::new(folder.guard.path()), guard: folder.guard }
}

async fn file(folder: &Folder, seq: u64, name: &str) -> PathBuf {
    let history = folder.backend.history().await.unwrap();
    let generation = history.iter().find(|generation| generation.seq() == seq).expect("a retained generation");
    folder.path("snapshots").join(generation.name()).join(name)
}

/// Asserts that the generation of `path` was moved aside with this text in the file, that `verify` lists it, and that no
/// operation removes it.
async fn assert_moved_aside(folder: &Folder, path: &Path, text: Option<&str>) {
    let generation = path.parent().expect("a folder");
    let aside = PathBuf::from(format!("{}.corrupt", generation.display()));
    for seq in 100..104 {
        assert!(!generation.exists());
        assert_eq!(fs::read_to_string(aside.join(path.file_name().unwrap())).ok().as_deref(), text);
        let verified = folder.backend.verify().await.unwrap();
        assert!(verified.is_intact(), "{verified:?}");
        assert_eq!(verified.moved_aside, [aside.display().to_string()]);
        folder.commit(seq).await.unwrap();
        folder.backend.collect_garbage().await.unwrap();
    }
}

#[tokio::test]
async fn commit_moves_current_aside_when_visibly_corrupt() {
    type Corrupt = fn(&Path);
    let cases: [(&str, Corrupt, Option<&str>); 6] = [
        ("snapshot.json", |path| fs::write(path, "").unwrap(), Some("")),
        ("snapshot.json", |path| fs::remove_file(path).unwrap(), None),
        ("snapshot.seq", |path| fs::remove_file(path).unwrap(), None),
        ("snapshot.seq", |path| fs::write(path, "4\n").unwrap(), Some("4\n")),
        ("snapshot.seq", |path| fs::write(path, "three").unwrap(), Some("three")),
        ("snapshot.seq", |path| fs::write(path, "").unwrap(), Some("")),
    ];
    for (name, corrupt, text) in cases {
        let folder = Folder::with_snapshots(&[1, 2, 3]).await;
        let path = folder.in_current(name);
        corrupt(&path);
        let folder = reopened(folder);
        assert_eq!(commit(&folder, 4).await, [4, 2, 1], "{name}: {text:?}");
        assert_eq!(folder.restore().await.unwrap(), pair_of(4));
        let parent = fs::read_link(folder.in_current("parent")).unwrap();
        assert_eq!(parent, Path::new("..").join(file(&folder, 2, "").await.file_name().unwrap()));
        assert_moved_aside(&folder, &path, text).await;
    }
}

#[tokio::test]
async fn commit_moves_aside_a_generation_its_handle_found_corrupt() {
    for detection in ["restore", "clone", "chunks", "verify", "another handle"] {
        let folder = Folder::with_snapshots(&[1, 2, 3]).await;
        let path = folder.in_current("snapshot.json");
        fs::write(&path, "[").unwrap();
        match detection {
            "restore" => drop(folder.restore().await.unwrap_err()),
            "clone" => {
                let clone = folder.backend.clone();
                let current = clone.current().await.unwrap().unwrap();
                clone.read(&current).await.unwrap_err();
            }
            "chunks" => {
                let current = folder.backend.current().await.unwrap().unwrap();
                let mut chunks = folder.backend.read_chunks(&current).await.unwrap();
                while let Some(Ok(_)) = chunks.next().await {}
            }
            "verify" => assert!(!folder.backend.verify().await.unwrap().is_intact()),
            _ => drop(FsBackend::new(folder.guard.path()).verify().await.unwrap()),
        }
        if detection == "another handle" {
            assert_eq!(commit(&folder, 4).await, [4, 3, 2], "a commit reads no JSON");
            continue;
        }
        assert_eq!(commit(&folder, 4).await, [4, 2, 1], "{detection}");
        assert_moved_aside(&folder, &path, Some("[")).await;
    }
}

#[tokio::test]
async fn commit_retains_a_generation_again_when_restored() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    fs::write(folder.in_current("snapshot.json"), "[").unwrap();
    folder.restore().await.unwrap_err();
    fs::write(folder.in_current("snapshot.json"), json_of(3)).unwrap();
    assert_eq!(commit(&folder, 4).await, [4, 3, 2]);
    assert_eq!(folder.garbage().await, [""; 0]);
}

/// The corrupt generation stays between two intact ones, and neither expires because of it.
#[tokio::test]
async fn commit_counts_only_intact_generations() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let path = file(&folder, 2, "snapshot.json").await;
    fs::write(&path, "").unwrap();
    let folder = reopened(folder);
    assert_eq!(commit(&folder, 4).await, [4, 3, 2, 1]);
    assert_eq!(commit(&folder, 5).await, [5, 4, 3], "the oldest is not counted");
    assert_moved_aside(&folder, &path, Some("")).await;
    // A corrupt generation that is the oldest from the beginning.
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let path = file(&folder, 1, "snapshot.json").await;
    fs::write(&path, "").unwrap();
    let folder = reopened(folder);
    assert_eq!(commit(&folder, 3).await, [3, 2]);
    assert_moved_aside(&folder, &path, Some("")).await;
}

/// A handle checks a generation at the first use, and again before it expires. A corrupt generation isn't deleted.
#[tokio::test]
async fn corrupt_generation_is_moved_aside_when_it_would_expire() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let path = file(&folder, 2, "snapshot.json").await;
    fs::write(&path, "").unwrap();
    assert_eq!(commit(&folder, 4).await, [4, 3, 2]);
    assert_eq!(commit(&folder, 5).await, [5, 4, 3]);
    assert_moved_aside(&folder, &path, Some("")).await;
}

#[tokio::test]
async fn commit_starts_a_new_history_when_nothing_is_intact() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    for seq in [1, 2] {
        fs::write(file(&folder, seq, "snapshot.json").await, "").unwrap();
    }
    assert_eq!(commit(&folder, 3).await, [3]);
    assert!(!folder.in_current("parent").is_symlink());
    let verified = folder.backend.verify().await.unwrap();
    assert!(verified.is_intact());
    assert_eq!(verified.moved_aside.len(), 2);
    assert_eq!(commit(&folder, 4).await, [4, 3]);
}

/// Generations before a gap may be the only intact ones.
#[tokio::test]
async fn commit_removes_nothing_when_a_corrupt_history_has_a_gap() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let lost = file(&folder, 2, "").await;
    fs::rename(&lost, folder.path("lost")).unwrap();
    fs::write(folder.in_current("snapshot.json"), "").unwrap();
    let corrupt = folder.in_current("");
    assert_eq!(commit(&folder, 4).await, [4]);
    assert!(corrupt.is_dir());
    fs::rename(folder.path("lost"), &lost).unwrap();
    assert_eq!(folder.history().await, [4, 2, 1], "the history is complete again");
    folder.backend.collect_garbage().await.unwrap();
    assert!(!corrupt.exists());
    assert_eq!(folder.backend.verify().await.unwrap().moved_aside.len(), 1);
}

#[tokio::test]
async fn expire_retains_an_intact_one_when_the_current_is_corrupt() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    fs::write(folder.in_current("snapshot.json"), "").unwrap();
    let expired = folder.backend.expire(NonZeroUsize::MIN).await.unwrap();
    assert_eq!(expired.iter().map(Generation::seq).collect::<Vec<_>>(), [1]);
    assert_eq!(folder.history().await, [3, 2]);
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let path = file(&folder, 2, "snapshot.json").await;
    fs::write(&path, "").unwrap();
    let expired = folder.backend.expire(NonZeroUsize::MIN).await.unwrap();
    assert_eq!(expired.iter().map(Generation::seq).collect::<Vec<_>>(), [2, 1]);
    assert_moved_aside(&folder, &path, Some("")).await;
}

/// A writer was killed after its commit: the next writer moves the marked generation aside.
#[tokio::test]
async fn corrupt_generation_is_moved_aside_by_the_next_writer() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let path = folder.in_current("snapshot.json");
    fs::write(&path, "[").unwrap();
    let name = path.parent().unwrap();
    std::os::unix::fs::symlink("snapshot.json", name.join("corrupt")).unwrap();
    let second = file(&folder, 2, "").await;
    for record in ["snapshots/current", "snapshots/last-commit"] {
        fs::remove_file(folder.path(record)).unwrap();
        std::os::unix::fs::symlink(second.file_name().unwrap(), folder.path(record)).unwrap();
    }
    let folder = reopened(folder);
    drop(folder.backend.stage(4).await.unwrap());
    assert_moved_aside(&folder, &path, Some("[")).await;
}
