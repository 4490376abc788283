//! File modes: the first generation follows the umask or the bare pair, each further one inherits the modes of the previous.

use super::*;
use std::os::unix::fs::PermissionsExt;

const BOTH: [&str; 2] = ["snapshot.json", "snapshot.seq"];

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("the file exists").mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("to set a mode");
}

/// The modes that a new file and a new folder get in this process.
fn by_umask() -> (u32, u32) {
    let folder = TempDir::new().expect("a temporary folder");
    let (file, new) = (folder.path().join("file"), folder.path().join("folder"));
    fs::write(&file, "").expect("a file");
    fs::create_dir(&new).expect("a folder");
    (mode(&file), mode(&new))
}

impl Folder {
    /// The modes of the current generation: of its folder, its JSON and its seq.
    fn modes(&self) -> [u32; 3] {
        ["", BOTH[0], BOTH[1]].map(|name| mode(&self.in_current(name)))
    }

    /// Changes the modes through the public links, as an operator does.
    fn chmod(&self, modes: [u32; 2]) {
        BOTH.iter().zip(modes).for_each(|(name, mode)| set_mode(&self.path(name), mode));
    }

    /// Replaces a link by a file, as `sed -i` and most editors do.
    fn replace(&self, name: &str, content: &str, mode: u32) {
        self.write("edited", content);
        set_mode(&self.path("edited"), mode);
        fs::rename(self.path("edited"), self.path(name)).expect("to replace a file");
    }
}

/// Private files stay private under any umask. A setgid folder passes its group on.
#[tokio::test]
async fn chmod_lasts_across_commits() {
    let folder = Folder::with_snapshots(&[1]).await;
    let (of_files, of_folders) = by_umask();
    assert_eq!(folder.modes(), [of_folders, of_files, of_files]);
    folder.chmod([0o600, 0o640]);
    for seq in 2..=5 {
        folder.commit(seq).await.unwrap();
        assert_eq!(folder.modes(), [of_folders, 0o600, 0o640], "of {seq}");
    }
    for of_folder in [0o700, 0o2750, 0o750] {
        set_mode(&folder.in_current(""), of_folder);
        for seq in 6..=7 {
            folder.commit(seq).await.unwrap();
            assert_eq!(folder.modes(), [of_folder, 0o600, 0o640], "of {seq}");
        }
    }
    folder.chmod([0o664, 0o664]);
    folder.commit(8).await.unwrap();
    assert_eq!(folder.modes(), [0o750, 0o664, 0o664], "the operator's wider mode is preserved");
}

/// The commit has read the modes and waits for the lock. Then an operator makes the current generation private.
#[tokio::test(flavor = "multi_thread")]
async fn chmod_lasts_when_a_commit_waits_for_the_lock() {
    let folder = Folder::with_snapshots(&[1]).await;
    let mut staged = folder.fresh().stage(2).await.unwrap();
    staged.write_all(b"[2]").unwrap();
    let other = fs::File::open(folder.path("snapshots/.lock")).unwrap();
    other.lock().unwrap();
    let commit = tokio::spawn(staged.commit(CommitOptions::new(NonZeroUsize::MIN)));
    let is_complete = || {
        let entries = fs::read_dir(folder.path("snapshots")).unwrap().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("00000000000000000002")).count() == 1
    };
    while !is_complete() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    folder.chmod([0o600, 0o640]);
    other.unlock().unwrap();
    commit.await.unwrap().unwrap();
    assert_eq!((folder.cat("snapshot.seq"), folder.modes()[1..].to_vec()), (seq_file(2), vec![0o600, 0o640]));
}

/// Commits to a lower seq, with a retention of one.
#[tokio::test]
async fn chmod_lasts_when_the_generation_before_expires() {
    let folder = Folder::with_snapshots(&[1]).await;
    folder.chmod([0o600, 0o600]);
    for seq in [5, 3, 4] {
        folder.commit_retaining(seq, 1, Precondition::Always).await.unwrap();
        assert_eq!(folder.modes()[1..], [0o600, 0o600]);
    }
    assert_eq!(folder.history().await, [4]);
}

/// Regression: the migration of a bare pair made its JSON readable by all users.
#[tokio::test]
async fn bare_pair_preserves_its_modes_when_migrated() {
    for modes in [[0o600, 0o600], [0o600, 0o640], [0o440, 0o444]] {
        let folder = Folder::with_bare_pair(&json_of(7), "7");
        set_mode(folder.guard.path(), 0o755);
        folder.chmod(modes);
        folder.commit(8).await.unwrap();
        assert_eq!(folder.modes()[1..], modes);
        assert_eq!(folder.modes()[0], by_umask().1);
        let first = &folder.backend.history().await.unwrap()[1];
        let first = folder.path("snapshots").join(first.name());
        assert_eq!(BOTH.map(|name| mode(&first.join(name))), modes, "of the copy, too");
    }
}

/// A user may read the new generation only if they could read both the previous one and the editor's file.
#[tokio::test]
async fn accept_grants_no_wider_access() {
    for (before, edited, after) in
        [(0o600, 0o644, 0o600), (0o644, 0o600, 0o600), (0o640, 0o604, 0o600), (0o644, 0o644, 0o644)]
    {
        let folder = Folder::with_snapshots(&[1, 2]).await;
        folder.chmod([before, before]);
        BOTH.iter().for_each(|name| folder.replace(name, "9", edited));
        folder.backend.accept_external_changes().await.unwrap().expect("a change");
        assert_eq!(folder.modes()[1..], [after, after], "{before:o} and {edited:o}");
        folder.commit(10).await.unwrap();
        assert_eq!(folder.modes()[1..], [after, after], "{before:o} and {edited:o}");
    }
}

#[tokio::test]
async fn accept_preserves_modes_when_edited_in_place() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    folder.chmod([0o600, 0o640]);
    folder.write("snapshot.json", "[9]");
    folder.backend.accept_external_changes().await.unwrap().expect("a change");
    assert_eq!(folder.modes()[1..], [0o600, 0o640]);
}

/// A mount point is often writable by all users. Its mode doesn't apply to a snapshot.
#[tokio::test]
async fn first_generation_is_not_open_when_snapshots_is() {
    let (of_files, of_folders) = by_umask();
    for of_snapshots in [0o1777, 0o777, 0o700] {
        for is_bare_pair in [false, true] {
            let folder = if is_bare_pair { Folder::with_bare_pair(&json_of(1), "1") } else { Folder::new() };
            fs::create_dir(folder.path("snapshots")).unwrap();
            set_mode(&folder.path("snapshots"), of_snapshots);
            folder.commit(2).await.unwrap();
            assert_eq!(folder.modes(), [of_folders, of_files, of_files], "in {of_snapshots:o}");
            assert_eq!(mode(&folder.path("snapshots")), of_snapshots);
        }
    }
}

#[tokio::test]
async fn group_is_inherited_when_snapshots_has_setgid() {
    let folder = Folder::new();
    fs::create_dir(folder.path("snapshots")).unwrap();
    set_mode(&folder.path("snapshots"), 0o2775);
    for seq in 1..=2 {
        folder.commit(seq).await.unwrap();
        assert_eq!(folder.modes()[0], by_umask().1 | 0o2000, "of {seq}");
    }
}

/// If a generation lost one file, the mode of the other file applies to both.
#[tokio::test]
async fn mode_is_that_of_the_other_file_when_one_is_missing() {
    for (lost, remaining) in [(0, 1), (1, 0)] {
        let folder = Folder::with_snapshots(&[1, 2]).await;
        folder.chmod([0o640, 0o640]);
        fs::remove_file(folder.in_current(BOTH[lost])).unwrap();
        folder.commit(3).await.unwrap();
        assert_eq!(folder.modes()[1..], [0o640, 0o640], "with {}", BOTH[remaining]);
    }
}

/// A new file must not become a program that runs as its owner.
#[tokio::test]
async fn setuid_is_not_inherited() {
    let folder = Folder::with_snapshots(&[1]).await;
    folder.chmod([0o6755, 0o644]);
    folder.commit(2).await.unwrap();
    assert_eq!(folder.modes()[1], 0o755);
}
