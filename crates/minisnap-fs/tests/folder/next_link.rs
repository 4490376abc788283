//! `.snapshot.next`, the name under which the public links are created before their rename.

use super::*;
use minisnap_core::ExternalChange;
use std::os::unix::fs::symlink;

const NEXT: &str = ".snapshot.next";

/// Creates an unrelated file of a user at that name.
fn occupy_name(folder: &Folder, kind: &str) {
    let path = folder.path(NEXT);
    match kind {
        "file" => fs::write(path, "unrelated").unwrap(),
        "link" => symlink("../unrelated", path).unwrap(),
        // A link to another file of the store.
        "link to snapshots" => symlink("snapshots/current", path).unwrap(),
        _ => fs::create_dir(path).unwrap(),
    }
}

const KINDS: [&str; 4] = ["file", "link", "link to snapshots", "folder"];

/// A writer was killed between the creation and the rename of the link.
#[tokio::test]
async fn link_of_a_killed_writer_is_removed_when_links_are_made() {
    for made in ["snapshot.json", "snapshot.seq"] {
        for missing in [&["snapshot.json"][..], &["snapshot.seq"], &["snapshot.json", "snapshot.seq"]] {
            let folder = Folder::with_snapshots(&[1]).await;
            symlink(Path::new("snapshots/current").join(made), folder.path(NEXT)).unwrap();
            folder.commit(2).await.unwrap();
            assert_eq!(folder.restore().await.unwrap(), pair_of(2), "the link doesn't prevent a commit");
            missing.iter().for_each(|name| fs::remove_file(folder.path(name)).unwrap());
            folder.commit(3).await.unwrap();
            assert_eq!((folder.cat("snapshot.json"), folder.cat("snapshot.seq")), (Some(json_of(3)), seq_file(3)));
            assert!(fs::symlink_metadata(folder.path(NEXT)).is_err(), "{made}, {missing:?}");
        }
    }
}

#[tokio::test]
async fn unrelated_file_is_unchanged_when_no_link_is_missing() {
    for kind in KINDS {
        let folder = Folder::with_snapshots(&[1]).await;
        occupy_name(&folder, kind);
        let unrelated = folder.listing().remove(&folder.path(NEXT)).unwrap();
        folder.commit(2).await.unwrap();
        folder.write("snapshot.json", "[9]");
        folder.backend.accept_external_changes().await.unwrap().expect("a change");
        assert_eq!(folder.backend.revert_external_changes().await.unwrap(), [""; 0].map(PathBuf::from));
        folder.backend.expire(NonZeroUsize::MIN).await.unwrap();
        folder.backend.collect_garbage().await.unwrap();
        assert_eq!(folder.listing().remove(&folder.path(NEXT)).unwrap(), unrelated, "{kind}");
    }
}

/// The first commit, the migration of a bare pair, a commit over half a pair, and the revert of an external change fail
/// before any change.
#[tokio::test]
async fn unrelated_file_is_an_error_when_a_link_is_missing() {
    for kind in KINDS {
        for case in ["empty", "bare pair", "half a pair", "replaced", "missing"] {
            let folder = match case {
                "replaced" | "missing" => Folder::with_snapshots(&[1, 2]).await,
                "bare pair" => Folder::with_bare_pair("[1]", "1"),
                _ => Folder::new(),
            };
            match case {
                "half a pair" => folder.write("snapshot.json", "[1]"),
                "replaced" => {
                    folder.write("edited", "[9]");
                    fs::rename(folder.path("edited"), folder.path("snapshot.json")).unwrap();
                }
                "missing" => fs::remove_file(folder.path("snapshot.seq")).unwrap(),
                _ => {}
            }
            occupy_name(&folder, kind);
            let before = folder.listing();
            let mut errors = vec![folder.backend.revert_external_changes().await.map(drop)];
            if case != "replaced" {
                errors.push(folder.commit(3).await.map(drop));
            }
            errors.retain(|result| result.is_err() || !matches!(case, "empty" | "bare pair" | "half a pair"));
            assert!(!errors.is_empty());
            for error in errors {
                let error = error.unwrap_err();
                let MiniSnapError::ExternalChange { at, found } = &error else { panic!("{case}, {kind}: {error:?}") };
                assert!(matches!(found, ExternalChange::NameTaken { .. }), "{case}, {kind}: {error}");
                assert_eq!(at.location(), folder.path(NEXT).to_str().unwrap());
                assert!(help(&error).contains("move the file or folder at this path elsewhere"), "{error:?}");
            }
            let mut after = folder.listing();
            // A writer takes the lock before it reads the names.
            after.retain(|path, _| {
                before.contains_key(path) || !path.ends_with("snapshots") && !path.ends_with(".lock")
            });
            assert_eq!(after, before, "{case}, {kind}");

            fs::rename(folder.path(NEXT), folder.path("elsewhere")).unwrap();
            folder.backend.revert_external_changes().await.unwrap();
            folder.commit(3).await.unwrap();
            assert_eq!(folder.restore().await.unwrap(), pair_of(3), "{case}, {kind}");
            assert_eq!(folder.cat("snapshot.json"), Some(json_of(3)), "{case}, {kind}");
        }
    }
}
