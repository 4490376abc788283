//! Links that a copy turned into text files with their targets: `unzip`, or git with `core.symlinks=false`.

use super::*;
use minisnap_core::Corruption;

const NAMES: [&str; 2] = ["snapshot.json", "snapshot.seq"];

impl Folder {
    /// A store in a folder whose name needs quotes in a shell.
    async fn with_quotes_in_its_name(seqs: &[u64]) -> (Self, PathBuf) {
        let guard = TempDir::new().expect("a temporary folder");
        let dir = guard.path().join("it's \"my\" $state");
        let folder = Self { backend: FsBackend::new(&dir), guard };
        for seq in seqs {
            folder.commit(*seq).await.expect("a commit");
        }
        (folder, dir)
    }
}

/// Replaces the links that `selects` accepts by text files.
fn replace_by_text(folder: &Path, selects: &dyn Fn(&Path) -> bool, end: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if let Ok(target) = fs::read_link(&path) {
            if selects(&path) {
                fs::remove_file(&path).unwrap();
                fs::write(&path, format!("{}{end}", target.display())).unwrap();
            }
        } else if path.is_dir() {
            replace_by_text(&path, selects, end);
        }
    }
}

/// Asserts that every operation except `revert_external_changes` fails and changes nothing. Returns one of the errors.
async fn assert_rejected(folder: &Folder) -> MiniSnapError {
    let before = folder.listing();
    let errors = [
        folder.fresh().stage(9).await.map(drop).unwrap_err(),
        folder.commit(9).await.map(drop).unwrap_err(),
        folder.backend.accept_external_changes().await.map(drop).unwrap_err(),
        folder.restore().await.map(drop).unwrap_err(),
    ];
    for error in &errors {
        let MiniSnapError::Corrupt { found, .. } = error else { panic!("{error}") };
        assert!(matches!(found, Corruption::LinkAsText { .. }), "{error}");
    }
    let without = |mut listing: BTreeMap<PathBuf, String>| {
        // A writer takes the lock before it reads the public names, and a copy may lack the lock file.
        listing.retain(|path, _| !path.ends_with(".lock") && !path.ends_with("snapshots"));
        listing
    };
    assert_eq!(without(folder.listing()), without(before));
    let [.., error] = errors;
    error
}

/// All links, and some of them; with and without a line break, selects an editor adds.
#[tokio::test]
async fn revert_restores_links_that_are_text() {
    type Selects = fn(&Path) -> bool;
    let cases: [(&str, Selects); 5] = [
        ("all", |_| true),
        ("the commit record", |path| path.ends_with("current")),
        ("the names", |path| NAMES.iter().any(|name| path.ends_with(name))),
        ("one name", |path| path.ends_with("snapshot.seq")),
        ("all but the names", |path| NAMES.iter().all(|name| !path.ends_with(name))),
    ];
    for (case, selects) in cases {
        for end in ["", "\n"] {
            let (folder, dir) = Folder::with_quotes_in_its_name(&[1, 2, 3, 4]).await;
            let before = links(&dir);
            let oldest = dir.join("snapshots").join(folder.backend.history().await.unwrap()[2].name());
            replace_by_text(&dir, &selects, end);
            // A copy may lack the lock file.
            fs::remove_file(dir.join("snapshots/.lock")).unwrap();
            let error = assert_rejected(&folder).await;
            let MiniSnapError::Corrupt { intact, .. } = &error else { unreachable!() };
            assert_eq!(intact.iter().map(Generation::seq).collect::<Vec<_>>(), [4, 3, 2], "{case}");
            assert!(help(&error).contains("revert_external_changes"), "{error}");
            assert_eq!(folder.backend.revert_external_changes().await.unwrap(), [] as [PathBuf; 0], "{case}");
            // The parent of the oldest generation has expired, so its link isn't needed.
            let after = links(&dir);
            let is_needed = |link: &&(PathBuf, PathBuf)| !link.0.starts_with(&oldest) || link.0.ends_with("retained");
            assert!(
                before.iter().filter(is_needed).all(|link| after.contains(link)),
                "{case}: {after:?}, was {before:?}"
            );
            assert_eq!(folder.history().await, [4, 3, 2]);
            assert!(folder.backend.verify().await.unwrap().is_intact());
        }
    }
}

/// A failed first commit leaves a record with the target `none` and both public links. They can be restored, too.
#[tokio::test]
async fn revert_restores_text_links_before_the_first_commit() {
    type Selects = fn(&Path) -> bool;
    let cases: [(&str, Selects); 3] = [
        ("all", |_| true),
        ("the commit record", |path| path.ends_with("current")),
        ("the names", |path| NAMES.iter().any(|name| path.ends_with(name))),
    ];
    for (case, selects) in cases {
        let folder = Folder::new();
        folder.backend.stage(1).await.unwrap().discard().await.unwrap();
        let before = links(folder.backend.dir());
        replace_by_text(folder.backend.dir(), &selects, "");
        let errors = [folder.backend.stage(1).await.map(drop), folder.restore().await.map(drop)];
        for error in errors.map(Result::unwrap_err) {
            let MiniSnapError::Corrupt { found: Corruption::LinkAsText { .. }, .. } = error else { panic!("{error}") };
        }
        assert!(!folder.backend.broken_links().await.unwrap().is_empty(), "{case}");
        assert_eq!(folder.backend.revert_external_changes().await.unwrap(), [] as [PathBuf; 0], "{case}");
        assert_eq!(links(folder.backend.dir()), before, "{case}");
        assert_eq!(folder.restore().await.unwrap(), None);
        folder.commit(1).await.unwrap();
    }
}

/// All links below a folder, with their targets.
fn links(folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut links = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match fs::read_link(&path) {
            Ok(target) => links.push((path, target)),
            Err(_) if path.is_dir() => links.extend(self::links(&path)),
            Err(_) => {}
        }
    }
    links
}

#[tokio::test]
async fn text_links_error_lists_intact_generations() {
    let (folder, dir) = Folder::with_quotes_in_its_name(&[1, 2, 3, 4]).await;
    let corrupt = dir.join("snapshots").join(fs::read_link(dir.join("snapshots/current")).unwrap());
    fs::write(corrupt.join("snapshot.json"), "[").unwrap();
    replace_by_text(&dir, &|_| true, "");
    let MiniSnapError::Corrupt { intact, .. } = assert_rejected(&folder).await else { unreachable!() };
    assert_eq!(intact.iter().map(Generation::seq).collect::<Vec<_>>(), [3, 2]);
}

#[tokio::test]
async fn help_suggests_no_older_generation_when_none_is_intact() {
    let (folder, dir) = Folder::with_quotes_in_its_name(&[1, 2]).await;
    for name in fs::read_dir(dir.join("snapshots")).unwrap().map(|entry| entry.unwrap().path().join("snapshot.json")) {
        // `current` may be a text file, selects has no JSON in it.
        if name.exists() {
            fs::write(name, "[").unwrap();
        }
    }
    for text in [false, true] {
        if text {
            replace_by_text(&dir, &|_| true, "");
            assert!(matches!(folder.restore().await, Err(MiniSnapError::Corrupt { intact, .. }) if intact.is_empty()));
            folder.backend.revert_external_changes().await.unwrap();
        }
        let error = folder.restore().await.unwrap_err();
        let advice = help(&error);
        let MiniSnapError::Corrupt { intact, .. } = error else { panic!("{error}") };
        assert!(intact.is_empty() && advice.contains("no generation is known to be intact"), "{advice}");
    }
}

/// The commit record is lost, too. Then only the parent of another generation was certainly committed.
#[tokio::test]
async fn only_the_parent_is_intact_when_record_is_lost_too() {
    let (folder, dir) = Folder::with_quotes_in_its_name(&[1, 2]).await;
    replace_by_text(&dir, &|_| true, "");
    fs::remove_file(dir.join("snapshots/current")).unwrap();
    let MiniSnapError::Corrupt { intact, unconfirmed, .. } = folder.restore().await.unwrap_err() else { panic!() };
    let seqs = |generations: &[Generation]| generations.iter().map(Generation::seq).collect::<Vec<_>>();
    assert_eq!((seqs(&intact), seqs(&unconfirmed)), (vec![1], vec![2]));
}

/// A reader parses the text, so the history is complete before the links are restored.
#[tokio::test]
async fn history_is_complete_when_its_links_are_text() {
    let (folder, dir) = Folder::with_quotes_in_its_name(&[1, 2, 3]).await;
    replace_by_text(&dir, &|path| path.ends_with("parent") || path.ends_with("retained"), "\n");
    assert_eq!(folder.history().await, [3, 2, 1]);
    folder.commit(4).await.unwrap();
    assert_eq!(folder.history().await, [4, 3, 2]);
}
