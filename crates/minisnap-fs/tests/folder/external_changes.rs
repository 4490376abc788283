//! Snapshots that a user edited, or that another program replaced: reported, then accepted or moved aside in one call.

use super::*;
use minisnap_core::{Digest, ExternalChange};

/// Replaces a file by a rename, as `sed -i` and most editors do.
pub(crate) fn replace(folder: &Folder, name: &str, content: &str) {
    folder.write("new file", content);
    fs::rename(folder.path("new file"), folder.path(name)).unwrap();
}

/// Asserts that reads and commits report an external change and change nothing.
async fn assert_external_change(folder: &Folder) {
    let before = folder.listing();
    let current = folder.backend.current().await.unwrap().expect("a snapshot").seq();
    for error in [folder.restore().await.unwrap_err(), folder.commit(9).await.unwrap_err()] {
        let text = help(&error);
        assert!(text.contains("accept_external_changes") && text.contains("revert_external_changes"), "{text}");
        let MiniSnapError::ExternalChange { found, .. } = error else { panic!("{error}") };
        assert_eq!(found, ExternalChange::Replaced { current });
    }
    assert_eq!(folder.listing(), before, "nothing changed");
}

#[tokio::test]
async fn replaced_json_is_accepted_and_the_intact_one_is_retained() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    replace(&folder, "snapshot.json", "{\"edited\": true}");
    assert_external_change(&folder).await;

    let committed = folder.backend.accept_external_changes().await.unwrap().expect("an edit");
    assert_eq!(committed.retained().iter().map(Generation::seq).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(folder.restore().await.unwrap(), Some(("{\"edited\": true}".into(), 2)));
    assert_eq!(folder.history().await, [2, 2, 1]);
    let intact = &folder.backend.history().await.unwrap()[1];
    assert_eq!(folder.backend.read(intact).await.unwrap(), json_of(2));
    assert!(folder.path("snapshot.json").is_symlink(), "the link is restored");
    assert_eq!(folder.backend.accept_external_changes().await.unwrap(), None, "a second call changes nothing");
    folder.commit(3).await.unwrap();
    assert_eq!(folder.garbage().await, [""; 0]);
}

#[tokio::test]
async fn replaced_pair_is_accepted_with_its_seq() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    replace(&folder, "snapshot.json", "[99]");
    replace(&folder, "snapshot.seq", "99");
    assert_external_change(&folder).await;
    folder.backend.accept_external_changes().await.unwrap().expect("a newer pair");
    assert_eq!(folder.restore().await.unwrap(), Some(("[99]".into(), 99)));
    assert_eq!(folder.history().await, [99, 2, 1]);
    assert_eq!((folder.cat("snapshot.json"), folder.cat("snapshot.seq")), (Some("[99]".into()), seq_file(99)));
}

#[tokio::test]
async fn replaced_seq_alone_is_accepted() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    replace(&folder, "snapshot.seq", "1\n");
    assert_external_change(&folder).await;
    folder.backend.accept_external_changes().await.unwrap().expect("another seq");
    assert_eq!(folder.restore().await.unwrap(), Some((json_of(2), 1)));
    assert_eq!(folder.history().await, [1, 2, 1]);
}

#[tokio::test]
async fn external_change_is_moved_aside_by_revert() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    replace(&folder, "snapshot.json", "[99]");
    replace(&folder, "snapshot.seq", "99");
    assert_external_change(&folder).await;
    let moved = folder.backend.revert_external_changes().await.unwrap();
    assert_eq!(moved.len(), 2);
    assert_eq!(fs::read_to_string(&moved[0]).unwrap(), "[99]");
    assert_eq!(fs::read_to_string(&moved[1]).unwrap(), "99");
    assert_eq!(folder.restore().await.unwrap(), pair_of(2));
    assert_eq!((folder.cat("snapshot.json"), folder.cat("snapshot.seq")), (Some(json_of(2)), seq_file(2)));
    assert_eq!(
        folder.backend.revert_external_changes().await.unwrap(),
        [""; 0].map(PathBuf::from),
        "a second revert changes nothing"
    );
    folder.commit(3).await.unwrap();
    assert_eq!(folder.history().await, [3, 2, 1]);
}

#[tokio::test]
async fn edit_in_place_is_corrupt_and_accepted_in_its_position() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    // Writes through the link, as `echo >` does, and editors that don't replace the file.
    folder.write("snapshot.json", "{\"edited\": true}");
    let error = folder.restore().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
    assert!(help(&error).contains("accept_external_changes"), "{error:?}");

    folder.backend.accept_external_changes().await.unwrap().expect("an edit");
    assert_eq!(folder.restore().await.unwrap(), Some(("{\"edited\": true}".into(), 2)));
    assert_eq!(folder.history().await, [2, 1], "the edit replaced the edited generation");
    assert_eq!(folder.garbage().await, [""; 0]);
    folder.commit(3).await.unwrap();
    assert_eq!(folder.history().await, [3, 2, 1]);
}

#[tokio::test]
async fn edited_first_generation_has_no_parent_when_accepted() {
    let folder = Folder::with_snapshots(&[1]).await;
    folder.write("snapshot.seq", "5");
    folder.backend.accept_external_changes().await.unwrap().expect("another seq");
    assert_eq!(folder.restore().await.unwrap(), Some((json_of(1), 5)));
    assert_eq!(folder.history().await, [5]);
    folder.commit(6).await.unwrap();
    assert_eq!(folder.history().await, [6, 5]);
}

#[tokio::test]
async fn invalid_edit_is_rejected_with_its_position() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    replace(&folder, "snapshot.json", "{\n  \"edited\": yes\n}");
    let before = folder.listing();
    let error = folder.backend.accept_external_changes().await.unwrap_err();
    assert!(matches!(&error, MiniSnapError::Serde { source, .. } if source.line() == 2), "{error}");
    assert!(error.to_string().contains("snapshot.json"), "{error}");
    let without_lock_folder = |listing: BTreeMap<PathBuf, String>| -> Vec<_> {
        listing.into_iter().filter(|(path, _)| !path.ends_with("snapshots")).collect()
    };
    assert_eq!(without_lock_folder(folder.listing()), without_lock_folder(before));

    replace(&folder, "snapshot.json", "{\n  \"edited\": true\n}");
    replace(&folder, "snapshot.seq", "two");
    let error = folder.backend.accept_external_changes().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::InvalidSequence { .. }), "{error}");
    replace(&folder, "snapshot.seq", "2");
    folder.backend.accept_external_changes().await.unwrap().expect("an edit");
    assert_eq!(folder.restore().await.unwrap(), Some(("{\n  \"edited\": true\n}".into(), 2)));
}

#[tokio::test]
async fn edit_that_no_restore_could_read_is_rejected() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for unreadable in [&b"\"saved as Latin-1: na\xefve\""[..], b"1e999", b"\"\\ud83d\"", deep.as_bytes()] {
        let folder = Folder::with_snapshots(&[1]).await;
        folder.write("new file", unreadable);
        fs::rename(folder.path("new file"), folder.path("snapshot.json")).unwrap();
        let error = folder.backend.accept_external_changes().await.unwrap_err();
        assert!(matches!(error, MiniSnapError::Serde { .. }), "{error}");
        assert_eq!(fs::read(folder.path("snapshot.json")).unwrap(), unreadable);
    }
}

#[tokio::test]
async fn edit_is_not_an_external_change_when_undone() {
    let folder = Folder::with_snapshots(&[1]).await;
    replace(&folder, "snapshot.json", &json_of(1));
    assert_eq!(folder.restore().await.unwrap(), pair_of(1));
    assert_eq!(folder.backend.accept_external_changes().await.unwrap(), None);
    assert!(folder.path("snapshot.json").is_symlink(), "the link is restored");
}

#[tokio::test]
async fn accept_and_revert_change_nothing_without_a_commit() {
    let folder = Folder::new();
    assert_eq!(folder.backend.accept_external_changes().await.unwrap(), None);
    assert_eq!(folder.backend.revert_external_changes().await.unwrap(), [""; 0].map(PathBuf::from));
    assert_eq!(folder.listing(), BTreeMap::new());

    let folder = Folder::with_bare_pair("[1]", "7");
    assert_eq!(folder.backend.accept_external_changes().await.unwrap(), None);
    assert_eq!(folder.backend.revert_external_changes().await.unwrap(), [""; 0].map(PathBuf::from));
    assert_eq!(folder.restore().await.unwrap(), Some(("[1]".into(), 7)));
}

#[tokio::test]
async fn accept_if_rejects_another_edit_than_the_expected() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    replace(&folder, "snapshot.json", "[9]");
    let reviewed = Digest::of(b"[9]");
    for (seq, digest) in [(1, reviewed), (2, Digest::of(b"[8]"))] {
        let before = folder.listing();
        let error = folder.backend.accept_external_changes_if(seq, digest).await.unwrap_err();
        let changed = matches!(error, MiniSnapError::ExternalChange { found: ExternalChange::ChangedSince, .. });
        assert!(changed, "{error}");
        assert_eq!(folder.listing(), before, "nothing changed");
    }
    folder.backend.accept_external_changes_if(2, reviewed).await.unwrap().expect("an edit");
    assert_eq!(folder.restore().await.unwrap(), Some(("[9]".into(), 2)));
    assert_eq!(
        folder.backend.accept_external_changes_if(2, reviewed).await.unwrap(),
        None,
        "a second call changes nothing"
    );
}

/// Both differ from the digest: the accepted JSON at the public name, and the JSON of the current generation. The
/// latter has no copy.
#[tokio::test]
async fn corrupt_generation_is_moved_aside_when_an_edit_is_accepted() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let current = folder.backend.current().await.unwrap().expect("a snapshot");
    folder.write(&format!("snapshots/{}/snapshot.json", current.name()), "[corrupt");
    replace(&folder, "snapshot.json", "[9]");
    folder.backend.accept_external_changes().await.unwrap().expect("an edit");
    assert_eq!(folder.history().await, [2, 1]);
    let aside = folder.path(format!("snapshots/{}.corrupt/snapshot.json", current.name()));
    assert_eq!(fs::read_to_string(aside).unwrap(), "[corrupt");
}

/// A sparse file: no operation may read all of it, and the revert must succeed.
#[tokio::test]
async fn file_too_large_for_memory_is_moved_aside_by_revert() {
    let folder = Folder::with_snapshots(&[1]).await;
    fs::remove_file(folder.path("snapshot.json")).unwrap();
    fs::File::create(folder.path("snapshot.json")).unwrap().set_len(1 << 43).unwrap();
    for error in [folder.restore().await.unwrap_err(), folder.commit(2).await.unwrap_err()] {
        assert!(matches!(error, MiniSnapError::ExternalChange { .. }), "{error}");
    }
    assert_eq!(folder.backend.revert_external_changes().await.unwrap().len(), 1);
    assert_eq!(folder.restore().await.unwrap(), Some((json_of(1), 1)));
}

/// Generations compare equal by name alone, so the caller would get the JSON under another seq.
#[tokio::test]
async fn read_committed_is_expired_when_the_seq_differs() {
    let folder = Folder::with_snapshots(&[1]).await;
    let current = folder.backend.current().await.unwrap().unwrap();
    assert_eq!(&*folder.backend.read_committed(&current).await.unwrap(), json_of(1).as_bytes());
    let renamed = Generation::new(current.name(), 7);
    let refused = folder.backend.read_committed(&renamed).await.unwrap_err();
    assert!(matches!(refused, MiniSnapError::Expired { .. }), "{refused}");
}
