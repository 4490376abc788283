//! Committing over corruption: what is corrupt takes no place in the retention, and is moved aside.

use super::*;

/// Retains three.
async fn committed(folder: &Folder, seq: u64) -> Vec<u64> {
    let committed = folder.commit(seq).await.unwrap_or_else(|error| panic!("{error}"));
    let seqs: Vec<_> = committed.retained().iter().map(Generation::seq).collect();
    assert_eq!(folder.history().await, seqs, "what is told is what is retained");
    seqs
}

/// The same folder, by a program that knows nothing yet.
fn reopened(folder: Folder) -> Folder {
    Folder { backend: FsBackend::new(folder.guard.path()), guard: folder.guard }
}

async fn file(folder: &Folder, seq: u64, name: &str) -> PathBuf {
    let history = folder.backend.history().await.unwrap();
    let generation = history.iter().find(|generation| generation.seq() == seq).expect("it is retained");
    folder.path("snapshots").join(generation.name()).join(name)
}

/// Where it was, and its text, are now where corrupt ones are moved; a check lists it, and nothing removes it.
async fn assert_moved_aside(folder: &Folder, was: &Path, text: Option<&str>) {
    let generation = was.parent().expect("a folder");
    let aside = PathBuf::from(format!("{}.corrupt", generation.display()));
    for seq in 100..104 {
        assert!(!generation.exists());
        assert_eq!(fs::read_to_string(aside.join(was.file_name().unwrap())).ok().as_deref(), text);
        let verified = folder.backend.verify().await.unwrap();
        assert!(verified.is_intact(), "{verified:?}");
        assert_eq!(verified.moved_aside, [aside.display().to_string()]);
        folder.commit(seq).await.unwrap();
        folder.backend.collect_garbage().await.unwrap();
    }
}

#[tokio::test]
async fn commit_moves_the_current_aside_when_it_shows_to_be_corrupt() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm, Option<&str>); 6] = [
        ("snapshot.json", |path| fs::write(path, "").unwrap(), Some("")),
        ("snapshot.json", |path| fs::remove_file(path).unwrap(), None),
        ("snapshot.seq", |path| fs::remove_file(path).unwrap(), None),
        ("snapshot.seq", |path| fs::write(path, "4\n").unwrap(), Some("4\n")),
        ("snapshot.seq", |path| fs::write(path, "three").unwrap(), Some("three")),
        ("snapshot.seq", |path| fs::write(path, "").unwrap(), Some("")),
    ];
    for (name, make, text) in harms {
        let folder = Folder::with_snapshots(&[1, 2, 3]).await;
        let path = folder.in_current(name);
        make(&path);
        let folder = reopened(folder);
        assert_eq!(committed(&folder, 4).await, [4, 2, 1], "{name}: {text:?}");
        assert_eq!(folder.restore().await.unwrap(), pair_of(4));
        let parent = fs::read_link(folder.in_current("parent")).unwrap();
        assert_eq!(parent, Path::new("..").join(file(&folder, 2, "").await.file_name().unwrap()));
        assert_moved_aside(&folder, &path, text).await;
    }
}

#[tokio::test]
async fn commit_moves_aside_what_this_handle_found_corrupt() {
    for meet in ["restore", "clone", "chunks", "verify", "another"] {
        let folder = Folder::with_snapshots(&[1, 2, 3]).await;
        let path = folder.in_current("snapshot.json");
        fs::write(&path, "[").unwrap();
        match meet {
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
        if meet == "another" {
            assert_eq!(committed(&folder, 4).await, [4, 3, 2], "a commit reads no JSON");
            continue;
        }
        assert_eq!(committed(&folder, 4).await, [4, 2, 1], "{meet}");
        assert_moved_aside(&folder, &path, Some("[")).await;
    }
}

#[tokio::test]
async fn commit_counts_it_again_when_it_was_brought_back() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    fs::write(folder.in_current("snapshot.json"), "[").unwrap();
    folder.restore().await.unwrap_err();
    fs::write(folder.in_current("snapshot.json"), json_of(3)).unwrap();
    assert_eq!(committed(&folder, 4).await, [4, 3, 2]);
    assert_eq!(folder.garbage().await, [""; 0]);
}

/// It stays between the two that are intact, and neither of them expires in its favour.
#[tokio::test]
async fn commit_counts_intact_ones_only_when_an_older_is_corrupt() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let path = file(&folder, 2, "snapshot.json").await;
    fs::write(&path, "").unwrap();
    let folder = reopened(folder);
    assert_eq!(committed(&folder, 4).await, [4, 3, 2, 1]);
    assert_eq!(committed(&folder, 5).await, [5, 4, 3], "it is the oldest, and not counted");
    assert_moved_aside(&folder, &path, Some("")).await;
    // And one that is the oldest from the first.
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let path = file(&folder, 1, "snapshot.json").await;
    fs::write(&path, "").unwrap();
    let folder = reopened(folder);
    assert_eq!(committed(&folder, 3).await, [3, 2]);
    assert_moved_aside(&folder, &path, Some("")).await;
}

/// A handle looks at a generation once, and again when it would expire: it isn't deleted then.
#[tokio::test]
async fn corrupt_one_is_moved_aside_when_it_would_expire() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let path = file(&folder, 2, "snapshot.json").await;
    fs::write(&path, "").unwrap();
    assert_eq!(committed(&folder, 4).await, [4, 3, 2]);
    assert_eq!(committed(&folder, 5).await, [5, 4, 3]);
    assert_moved_aside(&folder, &path, Some("")).await;
}

#[tokio::test]
async fn commit_starts_a_new_history_when_nothing_is_intact() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    for seq in [1, 2] {
        fs::write(file(&folder, seq, "snapshot.json").await, "").unwrap();
    }
    assert_eq!(committed(&folder, 3).await, [3]);
    assert!(!folder.in_current("parent").is_symlink());
    let verified = folder.backend.verify().await.unwrap();
    assert!(verified.is_intact());
    assert_eq!(verified.moved_aside.len(), 2);
    assert_eq!(committed(&folder, 4).await, [4, 3]);
}

/// What is beyond a gap can't be told from what is intact.
#[tokio::test]
async fn commit_removes_nothing_when_a_corrupt_history_has_a_gap() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let lost = file(&folder, 2, "").await;
    fs::rename(&lost, folder.path("lost")).unwrap();
    fs::write(folder.in_current("snapshot.json"), "").unwrap();
    let corrupt = folder.in_current("");
    assert_eq!(committed(&folder, 4).await, [4]);
    assert!(corrupt.is_dir());
    fs::rename(folder.path("lost"), &lost).unwrap();
    assert_eq!(folder.history().await, [4, 2, 1], "brought back, it is whole again");
    folder.backend.collect_garbage().await.unwrap();
    assert!(!corrupt.exists());
    assert_eq!(folder.backend.verify().await.unwrap().moved_aside.len(), 1);
}

#[tokio::test]
async fn expire_spares_the_intact_when_the_current_is_corrupt() {
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

/// As a writer leaves it that is killed after its commit: the next one, which hasn't met it, moves it aside.
#[tokio::test]
async fn corrupt_one_is_moved_aside_by_the_next_writer() {
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
