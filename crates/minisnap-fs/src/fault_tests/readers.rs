//! A read, or the migration of a bare pair, while another process changes the store before any of its system calls. The result is the
//! state before or after the change, never a mixture, and never an error about a state in between.

use super::{interleave::Interleaved, *};

/// The change by another process.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    /// An old version of the program replaces the bare pair, one file after the other.
    Replaced,
    /// An old version rewrites the files of the bare pair in place.
    Rewritten,
    /// An old version saves for the first time.
    Appeared,
    /// A create migrates the bare pair and retains it.
    Migrated,
    /// A create migrates the bare pair, and retains only its own generation.
    MigratedAndExpired,
    /// The first create in an empty store.
    First,
    /// A create that retains only its own generation, in a store with two.
    Expired,
    /// The retention is reduced to one.
    Reduced,
}

const CHANGES: [Change; 8] = [
    Change::Replaced,
    Change::Rewritten,
    Change::Appeared,
    Change::Migrated,
    Change::MigratedAndExpired,
    Change::First,
    Change::Expired,
    Change::Reduced,
];

impl Change {
    async fn store(self) -> Store {
        let store = Store::prepared_for(match self {
            Self::Replaced | Self::Rewritten | Self::Migrated | Self::MigratedAndExpired => Action::Migration,
            Self::First | Self::Appeared => Action::FirstCommit,
            Self::Expired | Self::Reduced => Action::ExpiringCommit,
        })
        .await;
        if self == Self::Reduced {
            let mut stage = store.backend.stage(3).await.unwrap();
            stage.write_all(b"[3]").unwrap();
            stage.commit(CommitOptions::new(NonZeroUsize::new(3).unwrap())).await.unwrap();
        }
        store
    }

    /// The seqs of the history before the change and after it.
    fn histories(self) -> [&'static [u64]; 2] {
        match self {
            Self::Replaced | Self::Rewritten => [&[2], &[30]],
            Self::Migrated => [&[2], &[30, 2]],
            Self::MigratedAndExpired => [&[2], &[30]],
            Self::First | Self::Appeared => [&[], &[30]],
            Self::Expired => [&[2, 1], &[30]],
            Self::Reduced => [&[3, 2, 1], &[3]],
        }
    }

    fn apply(self, dir: &Path) {
        let retain = NonZeroUsize::new(if self == Self::Migrated { 2 } else { 1 }).expect("not zero");
        match self {
            Self::Replaced | Self::Appeared => {
                fs::create_dir_all(dir).unwrap();
                replace(dir, "snapshot.json", JSON);
                replace(dir, "snapshot.seq", "30");
            }
            Self::Rewritten => {
                fs::write(dir.join("snapshot.json"), JSON).unwrap();
                fs::write(dir.join("snapshot.seq"), "30").unwrap();
            }
            Self::Reduced => drop(block_on(FsBackend::new(dir).expire(NonZeroUsize::MIN)).unwrap()),
            _ => block_on(async {
                let backend = FsBackend::new(dir);
                let mut stage = backend.stage(30).await.unwrap();
                stage.write_all(JSON.as_bytes()).unwrap();
                stage.commit(CommitOptions::new(retain)).await.unwrap();
            }),
        }
    }
}

/// The JSON after the change. Its length differs from the old JSON's, since a file's time may stay equal for some milliseconds.
const JSON: &str = "[30]";

/// Replaces a file as version 0.1.1 did.
fn replace(dir: &Path, name: &str, text: &str) {
    let new = dir.join("new file");
    fs::write(&new, text).unwrap();
    fs::rename(new, dir.join(name)).unwrap();
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Runs `act` once for each of its system calls, with the change before that call, and passes the result to `check`. Returns the number
/// of calls.
fn at_each_call<T>(change: Change, act: impl AsyncFn(&Store, &Pair) -> T, check: impl Fn(&Store, &str, T)) -> usize {
    for call in 0.. {
        let done = block_on(async {
            let store = change.store().await;
            let before = store.restore().await.unwrap();
            let dir = store.path("");
            let interleaved = Interleaved::before_nth_call(call, store.folder.path(), move || change.apply(&dir));
            let found = act(&store, &before).await;
            let is_done = interleaved.is_done();
            is_done.then(|| check(&store, &format!("{change:?} before call {call}"), found))
        });
        if done.is_none() {
            return call;
        }
    }
    unreachable!("a reader makes a finite number of calls")
}

fn json_of(seq: u64) -> String {
    format!("[{seq}]")
}

/// Whether a generation's digest is that of the JSON with its seq.
fn is_complete(generation: &Generation) -> bool {
    generation.digest() == Some(minisnap_core::Digest::of(json_of(generation.seq()).as_bytes()))
}

#[test]
fn current_is_old_or_new_when_it_changes_at_any_call() {
    for change in CHANGES {
        let calls = at_each_call(
            change,
            async |store, _| store.backend.current().await,
            |_, context, current| {
                let current = current.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert!(current.iter().all(is_complete), "{context}: {current:?}");
                let seq = current.map(|generation| generation.seq());
                assert!(change.histories().iter().any(|seqs| seqs.first() == seq.as_ref()), "{context}: {seq:?}");
            },
        );
        assert!(calls > 0);
    }
}

#[test]
fn history_is_old_or_new_when_it_changes_at_any_call() {
    for change in CHANGES {
        let calls = at_each_call(
            change,
            async |store, _| store.backend.history().await,
            |_, context, history| {
                let history = history.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert!(history.iter().all(is_complete), "{context}: {history:?}");
                let seqs: Vec<_> = history.iter().map(Generation::seq).collect();
                assert!(change.histories().contains(&&*seqs), "{context}: {seqs:?}");
            },
        );
        assert!(calls > 3);
    }
}

#[test]
fn verify_reports_no_problem_when_it_changes_at_any_call() {
    for change in CHANGES {
        let calls = at_each_call(
            change,
            async |store, _| store.backend.verify().await,
            |_, context, verified| {
                let verified = verified.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert!(verified.is_intact(), "{context}: {verified:?}");
                let seqs: Vec<_> = verified.generations.iter().map(|found| found.generation.seq()).collect();
                assert!(change.histories().contains(&&*seqs), "{context}: {seqs:?}");
            },
        );
        assert!(calls > 3);
    }
}

#[test]
fn read_is_complete_or_expired_when_it_changes_at_any_call() {
    for change in CHANGES.into_iter().filter(|change| !change.histories()[0].is_empty()) {
        let generation = block_on(async { change.store().await.backend.current().await }).unwrap();
        let calls = at_each_call(
            change,
            // Each run has a new store. A bare pair has the same name in each store. The name of a generation differs, and is looked up.
            async |store, _| {
                if let Some(generation) =
                    generation.as_ref().filter(|_| !matches!(change, Change::Expired | Change::Reduced))
                {
                    store.backend.read(generation).await
                } else {
                    let names = fs::read_dir(store.path("snapshots")).unwrap();
                    let name = names
                        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                        .find(|name| name.starts_with("00000000000000000002-"))
                        .expect("it is retained");
                    store.backend.read(&Generation::new(name, 2)).await
                }
            },
            |_, context, read| match read {
                Ok(json) => assert_eq!(json, json_of(2), "{context}"),
                Err(error) => assert!(matches!(error, MiniSnapError::Expired { .. }), "{context}: {error}"),
            },
        );
        assert!(calls > 5);
    }
}

/// A restore makes two calls of the trait. Both return the old pair, or both the new pair, or the second call returns `Expired`.
#[test]
fn restore_is_old_or_new_when_it_changes_at_any_call() {
    for change in CHANGES {
        at_each_call(
            change,
            async |store, _| store.restore().await,
            |_, context, restored| match restored {
                Ok(None) => assert!(change.histories()[0].is_empty(), "{context}"),
                Ok(Some((json, seq))) => assert_eq!(json, json_of(seq), "{context}"),
                Err(error) => assert!(matches!(error, MiniSnapError::Expired { .. }), "{context}: {error}"),
            },
        );
    }
}

/// A change of a bare pair, one file or both: a description, the change, and the content after the change.
type Rewrite = (&'static str, fn(&Path), [&'static str; 2]);

const REWRITES: [Rewrite; 4] = [
    ("both replaced", |dir| Change::Replaced.apply(dir), [JSON, "30"]),
    ("both rewritten", |dir| Change::Rewritten.apply(dir), [JSON, "30"]),
    ("the JSON replaced", |dir| replace(dir, "snapshot.json", JSON), [JSON, "2"]),
    ("the seq replaced", |dir| replace(dir, "snapshot.seq", "30"), ["[2]", "30"]),
];

/// A change by an old version before the migration's last check of the bare pair is migrated. A change between that check and the commit
/// is reported, and stays. After the commit, a change can't be distinguished from a file that the migration is replacing by a link: the
/// two versions can't share a folder.
#[test]
fn migration_takes_the_last_pair_when_it_changes_at_any_call() {
    for (rewrite, apply, pair) in REWRITES {
        let (mut migrated, mut reported) = (0, 0);
        for call in 0.. {
            let store = block_on(Store::prepared_for(Action::Migration));
            let (dir, current) = (store.path(""), store.path("snapshots/current"));
            let (send, receive) = std::sync::mpsc::channel();
            let _interleaved = Interleaved::before_nth_call(call, store.folder.path(), move || {
                send.send(current.is_symlink()).unwrap();
                apply(&dir);
            });
            let staged = block_on(store.backend.stage(40)).map(drop);
            if receive.try_recv().expect("a migration has a commit") {
                break;
            }
            let context = format!("{rewrite} before call {call}: {staged:?}");
            let public_files =
                ["snapshot.json", "snapshot.seq"].map(|name| fs::read_to_string(store.path(name)).unwrap());
            assert_eq!([&public_files[0], public_files[1].trim_end()], pair, "{context}");
            match (staged, block_on(store.restore())) {
                (Ok(()), restored) => {
                    let expected = (pair[0].to_owned(), pair[1].parse().unwrap());
                    assert_eq!(restored.unwrap(), Some(expected), "{context}");
                    assert_eq!(reported, 0, "{context}: migrated although an earlier change was reported");
                    migrated += 1;
                }
                (Err(MiniSnapError::ExternalChange { .. }), Err(MiniSnapError::ExternalChange { .. })) => reported += 1,
                (_, restored) => panic!("{context}, {restored:?}"),
            }
        }
        println!("{rewrite}: {migrated} migrated, {reported} reported");
        assert!(migrated > 20, "{rewrite}: {migrated}");
        assert!(reported <= CALLS_OF_A_COMMIT, "{rewrite}: {reported} were reported before the last check");
    }
}

/// The calls from the last check of the bare pair to the rename of the commit record.
const CALLS_OF_A_COMMIT: usize = 9;

/// `history` syncs the bare pair before it returns it. If the pair changes before the sync, `history` returns the new one.
#[test]
fn history_returns_the_bare_pair_that_it_synced() {
    for (rewrite, apply, pair) in REWRITES {
        let store = block_on(Store::prepared_for(Action::Migration));
        let dir = store.path("");
        let is_sync = |action: &str, path: &Path| action == "sync" && path.ends_with("snapshot.json");
        let interleaved = Interleaved::before_matching_call(store.folder.path(), is_sync, move || apply(&dir));
        let history = block_on(store.backend.history()).unwrap();
        assert!(interleaved.is_done());
        let returned: Vec<_> = history.iter().map(|found| (found.seq().to_string(), found.digest())).collect();
        let synced = (pair[1].to_owned(), Some(minisnap_core::Digest::of(pair[0].as_bytes())));
        assert_eq!(returned, [synced], "{rewrite}");
    }
}
