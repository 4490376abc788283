//! `verify`: checks all of a store.

use super::*;
use minisnap_core::{Absence, Corruption, ExternalChange, Problem, Verification};
use std::os::unix::fs::symlink;

/// Runs `verify`, and asserts that it changes nothing.
async fn verified(folder: &Folder) -> Verification {
    let before = folder.listing();
    let verified = folder.backend.verify().await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(folder.listing(), before, "verify changed the folder");
    verified
}

/// The only problem of a store whose generations are intact.
async fn only_problem(folder: &Folder) -> Problem {
    let mut verified = verified(folder).await;
    assert!(!verified.is_intact());
    assert!(verified.generations.iter().all(|generation| generation.is_intact()), "{verified:?}");
    assert_eq!(verified.problems.len(), 1, "{verified:?}");
    verified.problems.remove(0)
}

fn seqs(verified: &Verification) -> Vec<(u64, bool)> {
    verified.generations.iter().map(|found| (found.generation.seq(), found.is_intact())).collect()
}

#[tokio::test]
async fn verify_reports_no_problem_in_an_intact_store() {
    assert_eq!(verified(&Folder::new()).await, Verification::default());
    let bare = Folder::with_bare_pair("[1]", "7");
    assert_eq!(seqs(&verified(&bare).await), [(7, true)]);
    let folder = Folder::with_snapshots(&[1, 2, 3, 4]).await;
    folder.backend.collect_garbage().await.unwrap();
    let found = verified(&folder).await;
    assert!(found.is_intact());
    assert_eq!(seqs(&found), [(4, true), (3, true), (2, true)]);
    assert_eq!(found.generations[0].generation.size(), Some(json_of(4).len() as u64));
    assert_eq!((found.expired, found.orphans, found.moved_aside.len()), (0, 0, 0));
    drop(folder.fresh().stage(5).await.unwrap());
    assert!(verified(&folder).await.is_intact());
}

#[tokio::test]
async fn verify_reports_each_corrupt_generation_with_its_file() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let history = folder.backend.history().await.unwrap();
    let file = |index: usize, name: &str| folder.path("snapshots").join(history[index].name()).join(name);
    fs::write(file(0, "snapshot.json"), "[").unwrap();
    fs::write(file(1, "snapshot.seq"), "7").unwrap();
    let found = verified(&folder).await;
    assert_eq!(seqs(&found), [(3, false), (2, false), (1, true)]);
    assert_eq!(found.newest_intact(), Some(&history[2]));
    assert_eq!(found.problems, []);
    let problem = |index: usize| found.generations[index].problem.as_ref().expect("a problem");
    assert_eq!(problem(0).location, file(0, "snapshot.json").to_str().unwrap());
    assert!(matches!(problem(0).found, Corruption::WrongDigest { size: 1, .. }));
    assert!(found.help(problem(0)).contains(history[2].name()));
    assert_eq!(problem(1).location, file(1, "snapshot.seq").to_str().unwrap());
    assert_eq!(problem(1).found, Corruption::WrongSeq { expected: 2, found: 7 });
    fs::remove_dir_all(folder.in_current("")).unwrap();
    let found = verified(&folder).await;
    // The oldest is the parent of another generation. Whether the one in between was committed is unknown.
    assert_eq!(seqs(&found), [(3, false), (1, true)]);
    assert_eq!(found.unconfirmed, []);
    assert_eq!(found.generations[0].problem.as_ref().unwrap().found, Corruption::ContainerMissing);
    assert_eq!(found.problems[0].found, Corruption::HistoryGap { retained: None, found: 0 });
}

#[tokio::test]
async fn verify_reports_a_record_that_is_lost_or_unreadable() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let record = folder.path("snapshots/current");
    let target = fs::read_link(&record).unwrap();
    let parent = folder.backend.history().await.unwrap().remove(1);
    fs::remove_file(&record).unwrap();
    let found = verified(&folder).await;
    assert_eq!(seqs(&found), [(1, true)], "the parent of the other");
    assert_eq!(found.unconfirmed.iter().map(Generation::name).collect::<Vec<_>>(), [target.to_str().unwrap()]);
    let [Problem { location, found, .. }] = &found.problems[..] else { panic!("{found:?}") };
    assert_eq!(*location, record.display().to_string());
    assert!(matches!(found, Corruption::RecordMissing { generations } if generations.len() == 2), "{found:?}");
    for make in [|path: &Path| symlink("elsewhere", path).unwrap(), |path: &Path| fs::create_dir(path).unwrap()] {
        make(&record);
        let found = verified(&folder).await;
        assert!(matches!(found.problems[0].found, Corruption::RecordUnreadable { .. }), "{found:?}");
        let help = found.help(&found.problems[0]);
        assert!(help.contains(&format!("reset_to` makes the newest intact generation, {},", parent.name())), "{help}");
        let _ = fs::remove_file(&record);
        let _ = fs::remove_dir(&record);
    }
}

#[tokio::test]
async fn verify_reports_missing_unexpected_and_text_links() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    for name in ["snapshot.json", "snapshot.seq"] {
        let (path, expected) = (folder.path(name), format!("snapshots/current/{name}"));
        fs::remove_file(&path).unwrap();
        let problem = only_problem(&folder).await;
        assert_eq!(problem.location, path.display().to_string());
        assert_eq!(problem.found, Corruption::WrongLink { expected: expected.clone(), found: None });
        symlink("elsewhere", &path).unwrap();
        let problem = only_problem(&folder).await;
        let found = Some("elsewhere".to_owned());
        assert_eq!(problem.found, Corruption::WrongLink { expected: expected.clone(), found });
        fs::remove_file(&path).unwrap();
        fs::write(&path, &expected).unwrap();
        let problem = only_problem(&folder).await;
        assert_eq!(problem.found, Corruption::LinkAsText { expected: expected.clone() });
        fs::remove_file(&path).unwrap();
        symlink(&expected, &path).unwrap();
        assert!(verified(&folder).await.is_intact());
    }
}

#[tokio::test]
async fn verify_reports_external_changes_with_their_help() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    for (path, make) in [
        ("snapshot.json", (|path: &Path| fs::write(path, "[9]").unwrap()) as fn(&Path)),
        ("snapshot.seq", |path| fs::create_dir(path).unwrap()),
    ] {
        fs::remove_file(folder.path(path)).unwrap();
        make(&folder.path(path));
    }
    let found = verified(&folder).await;
    let problems: Vec<_> = found.problems.iter().map(|problem| problem.found.clone()).collect();
    let taken = ExternalChange::NameTaken { found: "this is a folder".into() };
    let expected = [ExternalChange::Replaced { current: 2 }, taken].map(Corruption::ExternalChange);
    assert_eq!(problems, expected);
    assert!(found.help(&found.problems[0]).contains("accept_external_changes"));
    // Files with the same content aren't a problem: an interrupted migration leaves them.
    let folder = Folder::with_snapshots(&[1]).await;
    fs::remove_file(folder.path("snapshot.json")).unwrap();
    folder.write("snapshot.json", json_of(1));
    assert!(verified(&folder).await.is_intact());
    let half = Folder::new();
    half.write("snapshot.json", "[1]");
    let absence = Absence::HalfPair { there: "snapshot.json", missing: "snapshot.seq" };
    assert_eq!(only_problem(&half).await.found, Corruption::NoSnapshot(absence));
    let invalid = Folder::with_bare_pair("[1]", "one");
    assert_eq!(only_problem(&invalid).await.location, invalid.path("snapshot.seq").display().to_string());
}

#[tokio::test]
async fn verify_reports_unexpected_links_of_a_generation() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    for (link, index) in [("parent", 0), ("retained", 0), ("parent", 1), ("retained", 2)] {
        let history = folder.backend.history().await.unwrap();
        let path = folder.path("snapshots").join(history[index].name()).join(link);
        let target = fs::read_link(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, format!("{}\n", target.display())).unwrap();
        let problem = only_problem(&folder).await;
        assert_eq!(problem.location, path.display().to_string());
        assert_eq!(problem.found, Corruption::LinkAsText { expected: target.display().to_string() });
        fs::remove_file(&path).unwrap();
        symlink(&target, &path).unwrap();
        assert!(verified(&folder).await.is_intact());
        if index < 2 && path.ends_with("parent") || index == 0 {
            let expected = if link == "parent" { "a generation" } else { "a number" };
            fs::remove_file(&path).unwrap();
            symlink("elsewhere", &path).unwrap();
            let unexpected = Corruption::WrongLink { expected: expected.into(), found: Some("elsewhere".into()) };
            assert_eq!(only_problem(&folder).await.found, unexpected);
            fs::remove_file(&path).unwrap();
            let retained = (link == "parent").then_some(3);
            let found = if link == "parent" { index as u64 + 1 } else { 3 };
            assert_eq!(only_problem(&folder).await.found, Corruption::HistoryGap { retained, found });
            symlink(&target, &path).unwrap();
        }
    }
}

/// Garbage of killed writers, and the stage of a running writer, which isn't an orphan.
#[tokio::test]
async fn verify_counts_the_garbage_that_a_collection_removes() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let running = folder.fresh().stage(4).await.unwrap();
    let retained = folder.in_current("retained");
    fs::remove_file(&retained).unwrap();
    symlink("1", &retained).unwrap();
    for orphan in [".stage-4k0q8w1z7m3x5r2t", "00000000000000000009-9f86d081884c7d65-4k0q8w1z7m3x5r2t"] {
        fs::create_dir(folder.path("snapshots").join(orphan)).unwrap();
        fs::write(folder.path("snapshots").join(orphan).join("snapshot.json"), "[").unwrap();
    }
    let found = verified(&folder).await;
    assert!(found.is_intact(), "garbage isn't a problem");
    let orphans = if cfg!(target_os = "linux") { 2 } else { 3 };
    assert_eq!((found.expired, found.orphans), (2, orphans));
    let collected = folder.backend.collect_garbage().await.unwrap();
    assert_eq!((collected.expired, collected.orphans), (2, 2));
    drop(running);
    let found = verified(&folder).await;
    assert_eq!((found.expired, found.orphans), (0, 0));
}

#[tokio::test]
async fn verify_fails_only_when_it_cannot_read_the_store() {
    let folder = Folder::with_snapshots(&[1]).await;
    let inside = FsBackend::new(folder.path("snapshots")).verify().await.unwrap_err();
    assert!(matches!(inside, MiniSnapError::InsideStore { .. }), "{inside}");
    let base = TempDir::new().unwrap();
    symlink("not mounted", base.path().join("link")).unwrap();
    let error = FsBackend::new(base.path().join("link")).verify().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Io { .. }), "{error}");
    fs::remove_dir_all(folder.path("snapshots")).unwrap();
    assert_eq!(only_problem(&folder).await.found, Corruption::DanglingLinks);
}
