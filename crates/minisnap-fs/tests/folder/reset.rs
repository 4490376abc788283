//! `reset_to`: makes a generation current in a store whose commit record is lost or dangling.

use super::*;
use minisnap_core::{Corruption, Problem};
use std::os::unix::fs::symlink;

fn seqs(generations: &[Generation]) -> Vec<u64> {
    generations.iter().map(Generation::seq).collect()
}

/// The intact and the possibly uncommitted generations that the error of a restore lists.
async fn listed_generations(folder: &Folder) -> (Vec<Generation>, Vec<Generation>) {
    match folder.restore().await.expect_err("the record is lost") {
        MiniSnapError::Corrupt { intact, unconfirmed, .. } => (intact, unconfirmed),
        error => panic!("{error}"),
    }
}

type Lose = fn(&Folder);

/// The ways in which a record is lost or unreadable.
const CASES: [(&str, Lose); 5] = [
    ("the record is missing", |folder| fs::remove_file(folder.path("snapshots/current")).unwrap()),
    ("the record leads elsewhere", |folder| {
        fs::remove_file(folder.path("snapshots/current")).unwrap();
        symlink("elsewhere", folder.path("snapshots/current")).unwrap();
    }),
    // As `cp -L` copies it.
    ("the record is a folder", |folder| {
        fs::remove_file(folder.path("snapshots/current")).unwrap();
        fs::create_dir(folder.path("snapshots/current")).unwrap();
        fs::write(folder.path("snapshots/current/snapshot.json"), "[3]").unwrap();
    }),
    ("the version of the format is no number", |folder| {
        fs::remove_file(folder.path("snapshots/format")).unwrap();
        symlink("first", folder.path("snapshots/format")).unwrap();
    }),
    ("the current generation's folder is missing", |folder| fs::remove_dir_all(folder.in_current("")).unwrap()),
];

#[tokio::test]
async fn only_parents_are_certainly_committed_without_the_record() {
    for (case, lose) in CASES {
        let folder = Folder::with_snapshots(&[1, 2, 3]).await;
        lose(&folder);
        let (intact, unconfirmed) = listed_generations(&folder).await;
        let expected: (&[u64], &[u64]) = match case {
            "the version of the format is no number" => (&[3, 2, 1], &[]),
            "the current generation's folder is missing" => (&[1], &[2]),
            _ => (&[2, 1], &[3]),
        };
        assert_eq!((&*seqs(&intact), &*seqs(&unconfirmed)), expected, "{case}");
        let verified = folder.backend.verify().await.unwrap();
        let is_listed = |generation: &Generation| {
            verified.generations.iter().any(|found| found.is_intact() && found.generation == *generation)
        };
        assert!(intact.iter().all(is_listed) && verified.unconfirmed == unconfirmed, "{case}: {verified:?}");
        assert!(!verified.is_intact());
    }
}

/// A reset to each listed generation gives an intact store.
#[tokio::test]
async fn store_is_intact_after_a_reset_to_any_generation() {
    for (case, lose) in CASES {
        for choice in 0.. {
            // Two generations have expired, so `retained` of the older ones is larger than their number of ancestors.
            let folder = Folder::with_snapshots(&[1, 2, 3, 4, 5]).await;
            lose(&folder);
            let (intact, unconfirmed) = listed_generations(&folder).await;
            let all: Vec<_> = intact.into_iter().chain(unconfirmed).collect();
            let Some(chosen) = all.get(choice) else { break };
            let context = format!("{case}, to {chosen}");
            let committed = folder.backend.reset_to(chosen).await.unwrap().unwrap_or_else(|| panic!("{context}"));
            assert_eq!(committed.generation(), chosen, "{context}");
            assert_eq!(folder.backend.history().await.unwrap(), committed.retained(), "{context}");
            assert_eq!(folder.restore().await.unwrap(), Some((json_of(chosen.seq()), chosen.seq())), "{context}");
            let verified = folder.backend.verify().await.unwrap();
            assert!(verified.is_intact() && verified.unconfirmed.is_empty(), "{context}: {verified:?}");
            // The generations that aren't its ancestors are moved aside, and none is deleted.
            let others: Vec<_> = all.iter().filter(|other| !committed.retained().contains(other)).collect();
            let aside = verified.moved_aside.iter().filter(|path| path.ends_with(".corrupt"));
            assert_eq!(aside.count(), others.len(), "{context}");
            for other in others {
                let json = folder.path("snapshots").join(format!("{}.corrupt/snapshot.json", other.name()));
                assert_eq!(fs::read_to_string(json).unwrap(), json_of(other.seq()), "{context}");
            }
            assert_eq!(
                folder.backend.reset_to(chosen).await.unwrap(),
                None,
                "{context}: the record isn't lost any more"
            );
            folder.commit(9).await.unwrap();
            assert_eq!(folder.history().await[..2], [9, chosen.seq()], "{context}");
            assert!(folder.backend.verify().await.unwrap().is_intact(), "{context}");
        }
    }
}

#[tokio::test]
async fn reset_fails_when_the_generation_is_corrupt_or_missing() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let history = folder.backend.history().await.unwrap();
    fs::remove_file(folder.path("snapshots/current")).unwrap();
    fs::write(folder.path("snapshots").join(history[1].name()).join("snapshot.json"), "[").unwrap();
    let before = folder.listing();
    let refused = folder.backend.reset_to(&history[1]).await.unwrap_err();
    assert!(matches!(refused, MiniSnapError::Corrupt { .. }), "{refused}");
    let renamed = Generation::new(history[0].name(), 7);
    for other in [Generation::new("../../etc", 3), Generation::new(history[0].name().replace('3', "4"), 3), renamed] {
        let refused = folder.backend.reset_to(&other).await.unwrap_err();
        assert!(matches!(refused, MiniSnapError::Expired { .. }), "{refused}");
    }
    assert_eq!(folder.listing(), before);
}

/// A reset changes neither a readable nor an empty store.
#[tokio::test]
async fn reset_changes_nothing_when_the_store_is_not_lost() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let history = folder.backend.history().await.unwrap();
    // A commit replaces a corrupt current generation, so no reset is needed.
    fs::write(folder.in_current("snapshot.json"), "[").unwrap();
    let before = folder.listing();
    assert_eq!(folder.backend.reset_to(&history[1]).await.unwrap(), None);
    assert_eq!(folder.listing(), before);
    let empty = Folder::new();
    drop(empty.backend.stage(1).await.unwrap());
    let orphan = empty.path("snapshots").join(history[1].name());
    fs::create_dir(&orphan).unwrap();
    fs::write(orphan.join("snapshot.json"), json_of(1)).unwrap();
    fs::write(orphan.join("snapshot.seq"), "1\n").unwrap();
    assert_eq!(
        empty.backend.reset_to(&history[1]).await.unwrap(),
        None,
        "the record states that nothing was committed"
    );
    assert_eq!(empty.restore().await.unwrap(), None);
}

/// The folder of the current generation was removed by hand. It can't be restored, so it mustn't count for the truncation
/// point.
#[tokio::test]
async fn commit_lists_only_existing_ones_when_current_is_missing() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let history = folder.backend.history().await.unwrap();
    fs::remove_dir_all(folder.in_current("")).unwrap();
    let error = folder.backend.history().await.unwrap_err();
    let MiniSnapError::Corrupt { found, intact, unconfirmed, .. } = error else { panic!("{error}") };
    assert_eq!(
        (found, intact, unconfirmed),
        (Corruption::ContainerMissing, history[2..].to_vec(), history[1..2].to_vec())
    );
    let committed = folder.commit(4).await.unwrap();
    assert_eq!(seqs(committed.retained()), [4]);
    assert_eq!(committed.truncation_point(), 4);
    assert!(folder.backend.history_gap().await.unwrap().is_some());
    assert_eq!(seqs(&folder.backend.history().await.unwrap()), [4]);
}

#[tokio::test]
async fn broken_links_are_listed_until_they_are_restored() {
    let folder = Folder::new();
    assert!(!folder.backend.is_store());
    assert!(!Folder::with_bare_pair("[1]", "7").backend.is_store());
    let folder = Folder::with_snapshots(&[1, 2]).await;
    assert!(folder.backend.is_store());
    assert_eq!(folder.backend.broken_links().await.unwrap(), []);
    fs::remove_file(folder.path("snapshot.seq")).unwrap();
    fs::remove_file(folder.path("snapshots/current")).unwrap();
    let name = folder.backend.verify().await.unwrap().unconfirmed.remove(0);
    fs::write(folder.path("snapshots/current"), name.name()).unwrap();
    let broken = |name: &str| vec![folder.path(name).display().to_string()];
    let found = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.location).collect::<Vec<_>>();
    assert_eq!(found(folder.backend.broken_links().await.unwrap()), broken("snapshots/current"));
    fs::remove_file(folder.path("snapshots/current")).unwrap();
    symlink(name.name(), folder.path("snapshots/current")).unwrap();
    assert_eq!(found(folder.backend.broken_links().await.unwrap()), broken("snapshot.seq"));
    folder.backend.revert_external_changes().await.unwrap();
    assert_eq!(folder.backend.broken_links().await.unwrap(), []);
}

/// An interrupted reset has marked the current generation as one to move aside.
#[tokio::test]
async fn mark_of_an_interrupted_reset_is_removed_by_the_next() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let current = folder.backend.current().await.unwrap().unwrap();
    let mark = folder.path("snapshots").join(current.name()).join("corrupt");
    fs::remove_file(folder.path("snapshots/current")).unwrap();
    symlink("snapshot.json", &mark).unwrap();
    folder.backend.reset_to(&current).await.unwrap().expect("the record is lost");
    assert!(mark.symlink_metadata().is_err());
    for seq in [3, 4, 5, 6] {
        folder.commit(seq).await.unwrap();
    }
    assert_eq!(
        folder.backend.verify().await.unwrap().moved_aside,
        [] as [String; 0],
        "the generation expired as usual"
    );
}

/// `cp -rL` creates folders instead of links. A folder `parent` in a generation must not prevent its later deletion.
#[tokio::test]
async fn reset_of_a_copy_that_followed_links_leaves_no_garbage() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let parent = folder.in_current("parent");
    for link in [parent, folder.path("snapshots/current")] {
        fs::remove_file(&link).unwrap();
        fs::create_dir(&link).unwrap();
        fs::write(link.join("snapshot.json"), "[1]").unwrap();
    }
    let (_, unconfirmed) = listed_generations(&folder).await;
    let second = unconfirmed.into_iter().find(|generation| generation.seq() == 2).expect("it is intact");
    folder.backend.reset_to(&second).await.unwrap().expect("the record is lost");
    let aside = folder.backend.verify().await.unwrap().moved_aside;
    for link in ["current", "parent"] {
        let found = aside.iter().find(|path| path.contains(&format!("/{link}.aside-"))).expect("it is listed");
        assert!(Path::new(found).join("snapshot.json").exists());
    }
    for seq in 3..=5 {
        folder.commit_retaining(seq, 2, Precondition::Always).await.unwrap();
    }
    let verified = folder.backend.verify().await.unwrap();
    assert!(verified.is_intact() && verified.expired + verified.orphans == 0, "{verified:?}");
    assert_eq!(folder.history().await, [5, 4]);
}
