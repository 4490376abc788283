//! Malicious folders: links that lead outside, endless files and special files, one at a time. `tests/hostile` generates
//! combinations of them.

use super::*;
use minisnap_core::Digest;
use std::{
    os::unix::{fs::symlink, net::UnixListener},
    process::Command,
};

/// Another user's readable store next to this one, with a generation whose name would be valid here.
struct Victim(TempDir, String);

impl Victim {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let name = format!("{:020}-{}-{}", 666, Digest::of(b"[666]"), "a".repeat(16));
        let generation = folder.path().join(&name);
        fs::create_dir(&generation).unwrap();
        fs::write(generation.join("snapshot.json"), "[666]").unwrap();
        fs::write(generation.join("snapshot.seq"), "666\n").unwrap();
        symlink("1", generation.join("retained")).unwrap();
        Self(folder, name)
    }

    fn generation(&self) -> PathBuf {
        self.0.path().join(&self.1)
    }

    fn listing(&self) -> BTreeMap<PathBuf, String> {
        let mut listing = BTreeMap::new();
        list(self.0.path(), &mut listing);
        listing
    }
}

fn relink(target: impl AsRef<Path>, link: &Path) {
    fs::remove_file(link).or_else(|_| fs::remove_dir_all(link)).expect("something to replace");
    symlink(target, link).expect("a link");
}

fn from_root(path: &Path) -> PathBuf {
    Path::new(&"../".repeat(32)).join(path.strip_prefix("/").expect("an absolute path"))
}

/// A sparse file that is larger than any memory.
fn endless(path: &Path) {
    fs::File::create(path).unwrap().set_len(8 << 40).expect("a file system with sparse files");
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn socket(path: &Path) {
    UnixListener::bind(path).unwrap();
}

fn device(path: &Path) {
    let made = Command::new("mknod").arg(path).args(["c", "1", "5"]).output().unwrap();
    if !made.status.success() {
        // Only root can create devices; otherwise use a link to one.
        symlink("/dev/zero", path).unwrap();
    }
}

#[tokio::test]
async fn record_is_not_followed_to_a_generation_outside() {
    let victim = Victim::new();
    let before = victim.listing();
    for target in [victim.generation(), from_root(&victim.generation()), Path::new("../..").join(&victim.1)] {
        let folder = Folder::with_snapshots(&[1]).await;
        relink(&target, &folder.path("snapshots/current"));
        for error in [
            folder.restore().await.map(drop).unwrap_err(),
            folder.backend.history().await.map(drop).unwrap_err(),
            folder.commit(2).await.map(drop).unwrap_err(),
            folder.backend.accept_external_changes().await.map(drop).unwrap_err(),
            folder.backend.collect_garbage().await.unwrap_err(),
        ] {
            assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{target:?}: {error}");
            assert!(error.to_string().contains("snapshots/current"), "{error}");
        }
    }
    assert_eq!(victim.listing(), before);
}

#[tokio::test]
async fn generation_that_is_a_link_outside_is_rejected() {
    let victim = Victim::new();
    let before = victim.listing();
    let folder = Folder::with_snapshots(&[1, 2]).await;
    symlink(victim.generation(), folder.path("snapshots").join(&victim.1)).unwrap();
    relink(&victim.1, &folder.path("snapshots/current"));
    let error = folder.restore().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
    let error = folder.backend.accept_external_changes().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::NotFound { .. }), "{error}");
    folder.commit_retaining(3, 1, Precondition::Always).await.unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(3));
    assert_eq!(folder.history().await, [3]);
    assert_eq!(victim.listing(), before);
}

#[tokio::test]
async fn generation_that_is_a_link_to_another_loses_none() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let history = folder.backend.history().await.unwrap();
    relink(history[1].name(), &folder.path("snapshots").join(history[0].name()));
    let error = folder.restore().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
    folder.backend.accept_external_changes().await.unwrap_err();
    folder.commit(4).await.unwrap();
    for (generation, seq) in history[1..].iter().zip([2, 1]) {
        let json = folder.path("snapshots").join(generation.name()).join("snapshot.json");
        assert_eq!(fs::read_to_string(json).unwrap(), json_of(seq), "a generation before the gap was removed");
    }
}

#[tokio::test]
async fn parent_is_not_followed_to_a_generation_outside() {
    let victim = Victim::new();
    let before = victim.listing();
    let inside = Path::new("..").join(&victim.1);
    for target in [victim.generation(), from_root(&victim.generation()), "../../etc".into(), inside] {
        let folder = Folder::with_snapshots(&[1, 2]).await;
        symlink(victim.generation(), folder.path("snapshots").join(&victim.1)).unwrap();
        relink(&target, &folder.in_current("parent"));
        assert_eq!(folder.history().await, [2], "{target:?}");
        let read = folder.backend.read(&Generation::new(victim.1.clone(), 666)).await;
        assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "{read:?}");
        folder.commit_retaining(3, 1, Precondition::Always).await.unwrap();
        assert_eq!(folder.restore().await.unwrap(), pair_of(3));
    }
    assert_eq!(victim.listing(), before);
}

#[tokio::test]
async fn special_and_endless_files_are_errors() {
    for make in [fifo, socket, device, endless] {
        for name in ["snapshot.json", "snapshot.seq"] {
            let folder = Folder::with_snapshots(&[1, 2]).await;
            let path = folder.in_current(name);
            fs::remove_file(&path).unwrap();
            make(&path);
            let error = folder.restore().await.unwrap_err();
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
            folder.backend.accept_external_changes().await.unwrap_err();
            let older = &folder.backend.history().await.unwrap()[1];
            assert_eq!(folder.backend.read(older).await.unwrap(), json_of(1), "the older generation is intact");

            let folder = Folder::with_bare_pair("[1]", "7");
            fs::remove_file(folder.path(name)).unwrap();
            make(&folder.path(name));
            let before = fs::symlink_metadata(folder.path(name)).unwrap().ino();
            for error in [folder.restore().await.unwrap_err(), folder.commit(8).await.map(drop).unwrap_err()] {
                assert!(error.to_string().contains(name), "{error}");
            }
            assert_eq!(fs::symlink_metadata(folder.path(name)).unwrap().ino(), before, "the file was replaced");
        }
    }
}

#[tokio::test]
async fn sparse_file_is_read_and_reported_as_corrupt() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let path = folder.in_current("snapshot.json");
    fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let error = folder.restore().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("its 67108864 bytes"), "{error}");
}

#[tokio::test]
async fn special_file_as_a_lock_or_mark_does_not_block() {
    for make in
        [fifo, socket, |path: &Path| fs::create_dir(path).unwrap(), |path: &Path| symlink("/dev/zero", path).unwrap()]
    {
        for name in [".lock", ".next", ".settling"] {
            let folder = Folder::with_snapshots(&[1]).await;
            let path = folder.path("snapshots").join(name);
            let _ = fs::remove_file(&path);
            make(&path);
            let committed = folder.commit(2).await;
            match &committed {
                Ok(_) => assert_eq!(folder.restore().await.unwrap(), pair_of(2)),
                Err(error) => {
                    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
                    assert_eq!(folder.restore().await.unwrap(), pair_of(1));
                }
            }
        }
    }
}

#[tokio::test]
async fn link_cycles_are_errors() {
    for name in ["snapshots/current", "snapshots", "snapshot.json"] {
        let folder = Folder::with_snapshots(&[1]).await;
        relink(folder.path(name), &folder.path(name));
        let error = folder.commit(2).await.unwrap_err();
        assert!(error.to_string().contains(folder.path(name).to_str().unwrap()), "{error}");
    }
    let folder = Folder::with_snapshots(&[1]).await;
    let name = fs::read_link(folder.path("snapshots/current")).unwrap();
    relink(&name, &folder.path("snapshots").join(&name));
    let error = folder.restore().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");

    let folder = Folder::new();
    symlink("circle", folder.path("circle")).unwrap();
    for dir in ["circle", "circle/store"] {
        let backend = FsBackend::new(folder.path(dir));
        for error in [backend.current().await.map(drop).unwrap_err(), backend.stage(1).await.map(drop).unwrap_err()] {
            assert!(error.to_string().contains("circle"), "{error}");
        }
    }
}

#[tokio::test]
async fn file_instead_of_a_generation_is_corrupt() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let name = fs::read_link(folder.path("snapshots/current")).unwrap();
    fs::remove_dir_all(folder.path("snapshots").join(&name)).unwrap();
    fs::write(folder.path("snapshots").join(&name), "").unwrap();
    let error = folder.restore().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains(name.to_str().unwrap()), "{error}");
    folder.commit(3).await.unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(3));
}
