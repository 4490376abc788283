//! Files in the store's folder that belong to the user or to another program.

use super::*;
use std::os::unix::fs::symlink;

#[tokio::test]
async fn unrelated_files_are_never_removed() {
    let folder = Folder::with_snapshots(&[1]).await;
    for name in ["wal.log", "snapshots/notes.txt", "snapshots/.stage-notours", "snapshots/00000000000000000001-x"] {
        folder.write(name, "unrelated");
    }
    fs::create_dir(folder.path("snapshots/a folder")).unwrap();
    // Links to a folder outside of the store, as if a user had moved a generation to a larger disk.
    let outside = folder.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("snapshot.json"), "unrelated").unwrap();
    for link in ["00000000000000000001-9f86d081884c7d65-4k0q8w1z7m3x5r2t", ".stage-4k0q8w1z7m3x5r2t"] {
        symlink(&outside, folder.path("snapshots").join(link)).unwrap();
    }
    let expired = folder.in_current("");
    fs::write(expired.join("notes.txt"), "unrelated").unwrap();
    for seq in 2..6 {
        folder.commit_retaining(seq, 1, Precondition::Always).await.unwrap();
    }
    folder.backend.collect_garbage().await.unwrap_err();
    for name in ["wal.log", "snapshots/notes.txt", "snapshots/.stage-notours", "snapshots/00000000000000000001-x"] {
        assert_eq!(folder.cat(name).as_deref(), Some("unrelated"), "{name}");
    }
    assert!(folder.path("snapshots/a folder").is_dir());
    assert_eq!(fs::read_to_string(outside.join("snapshot.json")).unwrap(), "unrelated");
    // A user's file in a generation stays, with the folder, when the generation expires.
    assert_eq!(fs::read_dir(&expired).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(expired.join("notes.txt")).unwrap(), "unrelated");
}

#[tokio::test]
async fn lock_is_an_error_and_not_followed_when_it_is_no_file() {
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
