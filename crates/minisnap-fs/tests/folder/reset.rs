//! Going back to a generation of a store whose commit record is lost, or leads nowhere.

use super::*;
use minisnap_core::{Corruption, Problem};
use std::os::unix::fs::symlink;

fn seqs(generations: &[Generation]) -> Vec<u64> {
    generations.iter().map(Generation::seq).collect()
}

/// What an error says is intact, and what may never have been committed.
async fn what_is_left(folder: &Folder) -> (Vec<Generation>, Vec<Generation>) {
    match folder.restore().await.expect_err("it is lost") {
        MiniSnapError::Corrupt { intact, unconfirmed, .. } => (intact, unconfirmed),
        error => panic!("{error}"),
    }
}

type Loss = fn(&Folder);

const LOSSES: [(&str, Loss); 5] = [
    ("the record is missing", |folder| fs::remove_file(folder.path("snapshots/current")).unwrap()),
    ("the record leads elsewhere", |folder| {
        fs::remove_file(folder.path("snapshots/current")).unwrap();
        symlink("elsewhere", folder.path("snapshots/current")).unwrap();
    }),
    // As after `cp -L`.
    ("the record is a folder", |folder| {
        fs::remove_file(folder.path("snapshots/current")).unwrap();
        fs::create_dir(folder.path("snapshots/current")).unwrap();
        fs::write(folder.path("snapshots/current/snapshot.json"), "[3]").unwrap();
    }),
    ("the version of the format is no number", |folder| {
        fs::remove_file(folder.path("snapshots/format")).unwrap();
        symlink("first", folder.path("snapshots/format")).unwrap();
    }),
    ("the current generation's folder is gone", |folder| fs::remove_dir_all(folder.in_current("")).unwrap()),
];

#[tokio::test]
async fn only_a_parent_is_certain_when_the_record_is_lost() {
    for (loss, lose) in LOSSES {
        let folder = Folder::with_snapshots(&[1, 2, 3]).await;
        lose(&folder);
        let (intact, unconfirmed) = what_is_left(&folder).await;
        let expected: (&[u64], &[u64]) = match loss {
            "the version of the format is no number" => (&[3, 2, 1], &[]),
            "the current generation's folder is gone" => (&[1], &[2]),
            _ => (&[2, 1], &[3]),
        };
        assert_eq!((&*seqs(&intact), &*seqs(&unconfirmed)), expected, "{loss}");
        let verified = folder.backend.verify().await.unwrap();
        let is_listed = |generation: &Generation| {
            verified.generations.iter().any(|found| found.is_intact() && found.generation == *generation)
        };
        assert!(intact.iter().all(is_listed) && verified.unconfirmed == unconfirmed, "{loss}: {verified:?}");
        assert!(!verified.is_intact());
    }
}

/// To each of them by name; and then the store is whole.
#[tokio::test]
async fn store_is_whole_when_it_was_reset() {
    for (loss, lose) in LOSSES {
        for choice in 0.. {
            // Two have expired: each says that more are retained than are there.
            let folder = Folder::with_snapshots(&[1, 2, 3, 4, 5]).await;
            lose(&folder);
            let (intact, unconfirmed) = what_is_left(&folder).await;
            let all: Vec<_> = intact.into_iter().chain(unconfirmed).collect();
            let Some(chosen) = all.get(choice) else { break };
            let context = format!("{loss}, to {chosen}");
            let committed = folder.backend.reset_to(chosen).await.unwrap().unwrap_or_else(|| panic!("{context}"));
            assert_eq!(committed.generation(), chosen, "{context}");
            assert_eq!(folder.backend.history().await.unwrap(), committed.retained(), "{context}");
            assert_eq!(folder.restore().await.unwrap(), Some((json_of(chosen.seq()), chosen.seq())), "{context}");
            let verified = folder.backend.verify().await.unwrap();
            assert!(verified.is_intact() && verified.unconfirmed.is_empty(), "{context}: {verified:?}");
            // What it isn't committed over is moved aside, and nothing is deleted.
            let others: Vec<_> = all.iter().filter(|other| !committed.retained().contains(other)).collect();
            let aside = verified.moved_aside.iter().filter(|path| path.ends_with(".corrupt"));
            assert_eq!(aside.count(), others.len(), "{context}");
            for other in others {
                let json = folder.path("snapshots").join(format!("{}.corrupt/snapshot.json", other.name()));
                assert_eq!(fs::read_to_string(json).unwrap(), json_of(other.seq()), "{context}");
            }
            assert_eq!(folder.backend.reset_to(chosen).await.unwrap(), None, "{context}: it isn't lost any more");
            folder.commit(9).await.unwrap();
            assert_eq!(folder.history().await[..2], [9, chosen.seq()], "{context}");
            assert!(folder.backend.verify().await.unwrap().is_intact(), "{context}");
        }
    }
}

#[tokio::test]
async fn reset_is_refused_when_the_generation_is_not_intact_or_not_there() {
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

/// A store that can be read, an empty one and a bare pair have nothing to go back from.
#[tokio::test]
async fn reset_changes_nothing_when_the_store_is_not_lost() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let history = folder.backend.history().await.unwrap();
    // A corrupt current generation is committed over.
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
    assert_eq!(empty.backend.reset_to(&history[1]).await.unwrap(), None, "it says that nothing was committed");
    assert_eq!(empty.restore().await.unwrap(), None);
}

/// Its folder was removed by hand: nobody can go back to it, and no log may be truncated because of it.
#[tokio::test]
async fn create_lists_only_what_is_there_when_current_is_gone() {
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
async fn broken_links_are_listed_until_they_are_put_back() {
    let folder = Folder::new();
    assert!(!folder.backend.is_store());
    assert!(!Folder::with_plain_pair("[1]", "7").backend.is_store());
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

/// A reset that was cut short has marked it as one to be moved aside.
#[tokio::test]
async fn mark_of_a_reset_is_removed_when_it_goes_back_to_that() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let current = folder.backend.current().await.unwrap().unwrap();
    let mark = folder.path("snapshots").join(current.name()).join("corrupt");
    fs::remove_file(folder.path("snapshots/current")).unwrap();
    symlink("snapshot.json", &mark).unwrap();
    folder.backend.reset_to(&current).await.unwrap().expect("it is lost");
    assert!(mark.symlink_metadata().is_err());
    for seq in [3, 4, 5, 6] {
        folder.commit(seq).await.unwrap();
    }
    assert_eq!(folder.backend.verify().await.unwrap().moved_aside, [] as [String; 0], "it expired like any other");
}

/// As `cp -rL` makes of it: folders in the place of links. One that is in the way of the removal would stay for ever.
#[tokio::test]
async fn copy_that_followed_links_is_left_without_a_rest() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let parent = folder.in_current("parent");
    for link in [parent, folder.path("snapshots/current")] {
        fs::remove_file(&link).unwrap();
        fs::create_dir(&link).unwrap();
        fs::write(link.join("snapshot.json"), "[1]").unwrap();
    }
    let (_, unconfirmed) = what_is_left(&folder).await;
    let second = unconfirmed.into_iter().find(|generation| generation.seq() == 2).expect("it is intact");
    folder.backend.reset_to(&second).await.unwrap().expect("it is lost");
    let aside = folder.backend.verify().await.unwrap().moved_aside;
    for link in ["current", "parent"] {
        let found = aside.iter().find(|path| path.contains(&format!("/{link}.aside-"))).expect("it is listed");
        assert!(Path::new(found).join("snapshot.json").exists());
    }
    for seq in 3..=5 {
        folder.publish_keeping(seq, 2, Precondition::Always).await.unwrap();
    }
    let verified = folder.backend.verify().await.unwrap();
    assert!(verified.is_intact() && verified.expired + verified.orphans == 0, "{verified:?}");
    assert_eq!(folder.history().await, [5, 4]);
}
