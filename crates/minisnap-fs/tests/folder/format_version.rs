//! The format version that a store states. A store without one has the first version.

use super::*;
use minisnap_core::{Corruption, Digest};
use std::os::unix::fs::symlink;

impl Folder {
    /// States another version, as a link, or as a text file, which `unzip` may create.
    fn state_format(&self, version: &str, by_link: bool) {
        let path = self.path("snapshots/format");
        fs::remove_file(&path).unwrap();
        if by_link { symlink(version, &path).unwrap() } else { fs::write(&path, format!("{version}\n")).unwrap() }
    }
}

/// The errors of all operations on the store. `read` is one of its generations.
async fn errors_of(folder: &Folder, read: &Generation) -> Vec<MiniSnapError> {
    let backend = &folder.backend;
    vec![
        backend.current().await.map(drop).unwrap_err(),
        backend.history().await.map(drop).unwrap_err(),
        backend.read(read).await.map(drop).unwrap_err(),
        backend.read_chunks(read).await.map(drop).unwrap_err(),
        backend.read_committed(read).await.map(drop).unwrap_err(),
        folder.fresh().stage(9).await.map(drop).unwrap_err(),
        folder.commit(9).await.map(drop).unwrap_err(),
        backend.accept_external_changes().await.map(drop).unwrap_err(),
        backend.accept_external_changes_if(9, Digest::of(b"")).await.map(drop).unwrap_err(),
        backend.revert_external_changes().await.map(drop).unwrap_err(),
        backend.expire(NonZeroUsize::MIN).await.map(drop).unwrap_err(),
        backend.collect_garbage().await.map(drop).unwrap_err(),
        backend.history_gap().await.map(drop).unwrap_err(),
    ]
}

/// The content of a store of a later version is unknown: no operation reads, writes or removes it.
#[tokio::test]
async fn newer_format_is_rejected_without_changes() {
    for by_link in [true, false] {
        for lost in [None, Some("current"), Some(".lock")] {
            let folder = Folder::with_snapshots(&[1, 2, 3]).await;
            let newest = folder.backend.current().await.unwrap().expect("a snapshot");
            // An orphan must stay, too.
            fs::create_dir(folder.path("snapshots/.stage-4k0q8w1z7m3x5r2t")).unwrap();
            if let Some(lost) = lost {
                fs::remove_file(folder.path("snapshots").join(lost)).unwrap();
            }
            folder.state_format("2", by_link);
            let before = folder.listing();
            let mut errors = errors_of(&folder, &newest).await;
            errors.push(folder.backend.verify().await.map(drop).unwrap_err());
            errors.push(folder.backend.give_up_lost_store().await.map(drop).unwrap_err());
            errors.push(folder.backend.reset_to(&newest).await.map(drop).unwrap_err());
            for error in errors {
                let MiniSnapError::NewerFormat { at, found, supported } = &error else { panic!("{error:?}") };
                assert_eq!((*found, *supported), (2, 1));
                assert!(at.location().ends_with("snapshots/format"), "{error}");
                assert!(help(&error).contains("version of minisnap"), "{error:?}");
                assert!(error.outcome_known());
            }
            assert_eq!(folder.listing(), before, "{lost:?}");
        }
    }
}

/// A later version migrated the store during a stage.
#[tokio::test]
async fn commit_fails_when_the_format_became_newer() {
    let is_stage = |path: &Path| path.to_string_lossy().contains(".stage-");
    for on_disk in [false, true] {
        let folder = Folder::with_snapshots(&[1, 2]).await;
        let backend = if on_disk { folder.fresh() } else { folder.backend.clone() };
        let mut stage = backend.stage(3).await.unwrap();
        stage.write_all(b"[3]").unwrap();
        let mut before = folder.listing();
        assert_eq!(before.keys().any(|path| is_stage(path)), on_disk);
        folder.state_format("2", true);
        let error = stage.commit(CommitOptions::new(NonZeroUsize::MIN)).await.unwrap_err();
        assert!(matches!(error, MiniSnapError::NewerFormat { found: 2, .. }), "{error:?}");
        let mut after = folder.listing();
        let is_unrelated = |path: &Path| !path.ends_with("format") && !path.ends_with("snapshots");
        after.retain(|path, _| is_unrelated(path));
        before.retain(|path, _| is_unrelated(path) && !is_stage(path));
        assert_eq!(after, before, "more than its own stage was removed");
    }
}

/// A stored sample, as written by a release that stated no version.
#[tokio::test]
async fn sample_without_a_version_accepts_commits() {
    let folder = Folder::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store-without-a-version");
    // `-P` copies the links.
    let copied = std::process::Command::new("cp").arg("-RP").arg(sample.join(".")).arg(folder.path("")).status();
    assert!(copied.unwrap().success());
    let before = folder.listing();
    let text =
        |seq| format!("{{\n  \"count\": {seq},\n  \"ratio\": 0.1,\n  \"names\": [\n    \"Ann\",\n    \"Zoë\"\n  ]\n}}");
    assert_eq!(folder.restore().await.unwrap(), Some((text(13), 13)));
    assert_eq!(folder.history().await, [13, 12, 11]);
    for generation in folder.backend.history().await.unwrap() {
        assert_eq!(&*folder.backend.read(&generation).await.unwrap(), text(generation.seq()).as_bytes());
    }
    assert!(folder.backend.verify().await.unwrap().is_intact());
    assert_eq!(folder.listing(), before);
    for seq in 14..=16 {
        folder.commit(seq).await.unwrap();
    }
    assert_eq!(folder.history().await, [16, 15, 14]);
    assert_eq!(folder.garbage().await, [""; 0]);
    assert!(folder.backend.verify().await.unwrap().is_intact());
}

/// New and migrated stores state their version.
#[tokio::test]
async fn store_states_its_format_when_created() {
    for folder in [Folder::new(), Folder::with_bare_pair("[1]", "1")] {
        folder.commit(2).await.unwrap();
        assert_eq!(fs::read_link(folder.path("snapshots/format")).unwrap(), Path::new("1"));
    }
}

/// An unreadable version may be that of a later release.
#[tokio::test]
async fn unreadable_format_is_corrupt_until_a_reset() {
    for case in ["link", "file", "long file", "zero", "folder"] {
        let folder = Folder::with_snapshots(&[1, 2, 3]).await;
        let newest = folder.backend.current().await.unwrap().expect("a snapshot");
        match case {
            "link" => folder.state_format("../elsewhere", true),
            "file" => folder.state_format("", false),
            "long file" => folder.state_format(&"{ \"version\": 2 }".repeat(20), false),
            "zero" => folder.state_format("0", true),
            _ => {
                fs::remove_file(folder.path("snapshots/format")).unwrap();
                fs::create_dir(folder.path("snapshots/format")).unwrap();
            }
        }
        let before = folder.listing();
        for error in errors_of(&folder, &newest).await {
            let MiniSnapError::Corrupt { at, found, intact, .. } = &error else { panic!("{case}: {error:?}") };
            assert!(matches!(found, Corruption::RecordUnreadable { .. }), "{case}: {error}");
            assert!(at.location().ends_with("snapshots/format"), "{error}");
            assert_eq!(intact.iter().map(Generation::seq).collect::<Vec<_>>(), [3, 2, 1], "{case}: {error}");
        }
        let verified = folder.backend.verify().await.unwrap();
        assert_eq!(verified.problems.len(), 1, "{case}: {verified:?}");
        assert_eq!(folder.listing(), before, "{case}");

        folder.backend.reset_to(&newest).await.unwrap().expect("the record is lost");
        assert_eq!(folder.history().await, [3, 2, 1], "{case}");
        folder.commit(4).await.unwrap();
        assert!(folder.backend.verify().await.unwrap().is_intact(), "{case}");
    }
}

/// `unzip` may create a text file instead of the link.
#[tokio::test]
async fn format_is_read_when_its_link_is_text() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    folder.state_format("1", false);
    folder.commit(3).await.unwrap();
    assert_eq!(folder.history().await, [3, 2, 1]);
    let verified = folder.backend.verify().await.unwrap();
    let found = verified.problems.iter().map(|problem| &problem.found).collect::<Vec<_>>();
    assert!(matches!(found[..], [Corruption::LinkAsText { .. }]), "{verified:?}");
    folder.backend.revert_external_changes().await.unwrap();
    assert_eq!(fs::read_link(folder.path("snapshots/format")).unwrap(), Path::new("1"));
    assert!(folder.backend.verify().await.unwrap().is_intact());
}
