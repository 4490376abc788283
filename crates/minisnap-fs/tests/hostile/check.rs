//! Does with a hostile folder what a program may do with any, and holds the answers to what is promised of every folder.

use crate::{
    case::{Case, Deed, Of},
    listing::{Facts, Kind, Listing},
    names::{SECRET, name_of, seq_of},
    sandbox::Sandbox,
};
use minisnap_core::{
    Bytes, CommitOptions, Committed, Digest, Generation, MiniSnapError, Operation, Precondition, Result,
    SnapshotBackend,
};
use minisnap_fs::FsBackend;
use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::Write,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

/// Longer than any of it takes on a machine that has much else to do.
const DEADLINE: Duration = Duration::from_secs(60);

/// Never dropped: it would wait for what hangs. With one thread for what blocks, which does one thing after the other.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().max_blocking_threads(1).enable_time().build().expect("a runtime"));

/// Runs a case. Panics if a promise is broken, and ends the process if something hangs.
pub(crate) fn check(sandbox: &Sandbox, case: &Case) {
    let dir = sandbox.lay_out(case);
    let run = async { timeout(DEADLINE, Store::new(sandbox, dir).run(case)).await };
    if RUNTIME.block_on(run).is_err() {
        // What hangs in the system can't be unwound, and the next case would only hang as well. Not by `eprintln`, which the
        // test harness would keep to itself.
        let _ = writeln!(std::io::stderr(), "it hangs: {case:#?}");
        std::process::abort();
    }
    sandbox.clear();
}

struct Store<'a> {
    sandbox: &'a Sandbox,
    dir: PathBuf,
    backend: FsBackend,
}

/// What there is to read.
struct Reading {
    current: Result<Option<Generation>, String>,
    history: Result<Vec<Generation>, String>,
    /// By the generation's name, of those that can be read.
    texts: BTreeMap<String, Bytes>,
    listing: Listing,
}

impl Reading {
    /// The current generation, if it can be read.
    fn readable(&self) -> Option<(&Generation, &Bytes)> {
        let current = self.current.as_ref().ok()?.as_ref()?;
        Some((current, self.texts.get(current.name())?))
    }
}

impl<'a> Store<'a> {
    fn new(sandbox: &'a Sandbox, dir: PathBuf) -> Self {
        // Nobody else is here, so whoever waits for the lock, waits in vain.
        let backend = fresh(&dir);
        Self { sandbox, dir, backend }
    }

    async fn run(&self, case: &Case) {
        let retain = NonZeroUsize::new(case.retain.into()).unwrap_or(NonZeroUsize::MIN);
        let mut before = self.read_everything().await;
        for deed in case.deeds.into_iter().chain([Deed::PublishAlways]) {
            before = self.attempt(deed, retain, before).await;
        }
    }

    /// Reads all there is, and checks that reading changes nothing.
    async fn read_everything(&self) -> Reading {
        let listing = self.sandbox.list(&self.dir);
        let current = self.told(Operation::Current, self.backend.current().await);
        let history = self.told(Operation::History, self.backend.history().await);
        match (&current, &history) {
            (Ok(current), Ok(history)) => assert_eq!(current.as_ref(), history.first()),
            (Err(error), Ok(_)) => panic!("there is a history, but what is current is not known: {error}"),
            (_, Err(_)) => {}
        }
        // Also what is not in the history: it is never read.
        let named = [Of::Newest, Of::Middle, Of::Oldest, Of::Orphan, Of::Victim];
        let named = named.map(|of| Generation::new(name_of(of), seq_of(of)));
        let all: HashSet<_> = history.iter().flatten().chain(current.iter().flatten()).chain(&named).collect();
        let mut texts = BTreeMap::new();
        for generation in all {
            match self.backend.read(generation).await {
                Ok(json) => {
                    check_text(generation, &json, history.as_ref());
                    texts.insert(generation.name().to_owned(), json);
                }
                Err(MiniSnapError::Expired { .. }) => {
                    let is_retained = history.iter().flatten().any(|retained| retained == generation);
                    assert!(!is_retained, "{generation} is in the history, and not to be read");
                }
                error => drop(self.told(Operation::Read, error)),
            }
        }
        assert_eq!(self.sandbox.list(&self.dir), listing, "reading changed something");
        self.sandbox.check_outside();
        Reading { current, history, texts, listing }
    }

    async fn attempt(&self, deed: Deed, retain: NonZeroUsize, before: Reading) -> Reading {
        // Whether all that could be read before must still be there to read.
        let mut loses_nothing = true;
        let mut published = None;
        match deed {
            // By a handle that remembers nothing: its stage is on the disk.
            Deed::Stage => drop(self.told(Operation::Stage, fresh(self.backend.dir()).stage(1).await)),
            Deed::Sweep => drop(self.told(Operation::CollectGarbage, self.backend.collect_garbage().await)),
            Deed::Reseal => {
                published = self
                    .told(Operation::AcceptExternalChanges, self.backend.accept_external_changes().await)
                    .ok()
                    .flatten();
            }
            Deed::SetAside => {
                let moved = self.told(Operation::RevertExternalChanges, self.backend.revert_external_changes().await);
                for path in moved.iter().flatten() {
                    assert!(fs::symlink_metadata(path).is_ok(), "{path:?} isn't there");
                }
            }
            Deed::GoBack => {
                let lost = match self.backend.current().await {
                    Ok(Some(current)) => self.backend.read(&current).await.err(),
                    found => found.err(),
                };
                if let Some(MiniSnapError::Corrupt { intact, unconfirmed, .. }) = lost
                    && let Some(target) = intact.iter().chain(&unconfirmed).next()
                {
                    let reset = self.told(Operation::Reset, self.backend.reset_to(target).await).ok().flatten();
                    if let Some(reset) = reset {
                        assert_eq!(
                            self.backend.current().await.expect("it is known").as_ref(),
                            Some(reset.generation())
                        );
                        self.backend.read_committed(target).await.expect("it is intact");
                    }
                }
            }
            _ => {
                published = self.commit(precondition(deed, &before), retain).await;
                loses_nothing = published.is_none();
            }
        }
        let after = self.read_everything().await;
        check_others(&before.listing, &after.listing, &self.dir);
        if loses_nothing {
            for (name, json) in &before.texts {
                assert_eq!(after.texts.get(name), Some(json), "{name} could be read before");
            }
            self.check_files_are_kept(&before.listing, &after.listing);
        }
        match &published {
            Some(published) => self.check_published(deed, published, &before, &after),
            None if before.readable().is_some() => assert_eq!(before.readable(), after.readable()),
            None => {}
        }
        after
    }

    /// Publishes; `None` if that failed.
    async fn commit(&self, when: Precondition, retain: NonZeroUsize) -> Option<Committed> {
        let mut stage = self.told(Operation::Stage, self.backend.stage(SEQ).await).ok()?;
        let written = stage.write_all(JSON).map_err(|error| MiniSnapError::from_write(error, || unreachable!()));
        self.told(Operation::Write, written).ok()?;
        self.told(Operation::Commit, stage.commit(CommitOptions::new(retain).with_precondition(when)).await).ok()
    }

    fn check_published(&self, deed: Deed, published: &Committed, before: &Reading, after: &Reading) {
        let (current, json) = after.readable().expect("what was published can be read");
        assert_eq!(current, published.generation());
        let history = after.history.as_deref().expect("a history with it at its head");
        let lost = published.retained().iter().find(|retained| !history.contains(retained));
        assert!(
            lost.is_none_or(|lost| !before.texts.contains_key(lost.name())),
            "{lost:?} was there, and isn't retained"
        );
        assert!(
            history.iter().all(|retained| published.retained().contains(retained)),
            "{history:?} isn't {published:?}"
        );
        if deed != Deed::Reseal {
            assert_eq!((current.seq(), &json[..]), (SEQ, JSON));
        }
        for generation in published.retained() {
            if let Some(json) = before.texts.get(generation.name()) {
                assert_eq!(after.texts.get(generation.name()), Some(json), "{generation} is retained");
            }
        }
        let cat = |name| fs::read(self.dir.join(name)).expect("cat shows it");
        assert_eq!(cat("snapshot.json"), json[..]);
        assert_eq!(cat("snapshot.seq").trim_ascii_end(), current.seq().to_string().as_bytes());
        // What was resealed may stand beside its generation, if something is in the way of a link.
        if deed != Deed::Reseal {
            for name in [".next", ".settling"] {
                let left = fs::symlink_metadata(self.dir.join("snapshots").join(name));
                assert!(left.is_err(), "{name} is left over");
            }
        }
    }

    /// Plain files at the two names are somebody's, and go nowhere without being saved.
    fn check_files_are_kept(&self, before: &Listing, after: &Listing) {
        let path = self.dir.join("snapshot.json");
        if let Some(Facts { kind: Kind::File(Some(bytes)), .. }) = before.get(&path) {
            let same = |facts: &Facts| matches!(&facts.kind, Kind::File(Some(found)) if found == bytes);
            assert!(after.values().any(same), "what stood at {path:?} is gone");
        }
    }

    /// Checks what an error tells, which is all that matters of it here.
    fn told<T>(&self, operation: Operation, result: Result<T>) -> Result<T, String> {
        result.map_err(|error| {
            assert_eq!(error.at().operation(), operation, "{error}");
            assert!(error.outcome_known(), "no call to the disk failed in between: {error}");
            let location = &error.at().location();
            let dir = self.dir.display().to_string();
            // Or a folder on the way there, which may be given by its real name.
            let root = self.sandbox.path("").display().to_string();
            let is_named = location.starts_with(&dir) || dir.starts_with(location) || location.starts_with(&root);
            assert!(is_named, "it should name a path in {dir}: {error}");
            assert!(!error.to_string().contains(SECRET), "{error}");
            error.to_string()
        })
    }
}

const SEQ: u64 = 1000;
const JSON: &[u8] = b"{\n  \"published\": true\n}";

fn precondition(deed: Deed, before: &Reading) -> Precondition {
    match deed {
        Deed::PublishIfNewer => Precondition::IfNewer,
        Deed::PublishIfCurrent => Precondition::IfCurrent(before.current.clone().ok().flatten()),
        Deed::PublishIfNone => Precondition::IfCurrent(None),
        _ => Precondition::Always,
    }
}

fn check_text(generation: &Generation, json: &Bytes, history: Result<&Vec<Generation>, &String>) {
    assert!(!String::from_utf8_lossy(json).contains(SECRET), "it read what isn't the store's");
    if let Ok(history) = history {
        let retained = history.iter().find(|retained| *retained == generation);
        let retained = retained.unwrap_or_else(|| panic!("{generation} isn't in the history, and was read"));
        assert_eq!(retained.digest(), Some(Digest::of(json)));
        assert!(retained.size().is_none_or(|size| size == json.len() as u64));
    }
}

/// Whatever isn't by its name the store's own, is as it was; and nothing is left of a stage that wasn't there before.
fn check_others(before: &Listing, after: &Listing, dir: &Path) {
    for (path, facts) in before {
        if !is_ours(path, dir) {
            let moved = || after.iter().find(|(now, _)| before_the_move(now) == *path).map(|(_, facts)| facts);
            let found = after.get(path).or_else(moved).map(Facts::of_itself);
            assert_eq!(found, Some(facts.of_itself()), "{path:?} is not the store's");
        }
    }
    for path in after.keys() {
        let is_stage = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".stage-"));
        assert!(before.contains_key(path) || !is_stage, "{path:?} is left over");
    }
}

/// Where a path was before the corrupt generation that it is in was moved aside, or what stood in a link's place, with all that
/// is in it.
fn before_the_move(path: &Path) -> PathBuf {
    let before = |name: &str| {
        let generation = name.strip_suffix(".corrupt").filter(|generation| is_generation_or_stage(generation));
        let link = name.split_once(".aside-").map(|(link, _)| link);
        generation.or(link).map(str::to_owned)
    };
    path.iter().map(|name| name.to_str().and_then(before).map_or(name.to_owned(), Into::into)).collect()
}

/// Whether a path is of the layout: what a writer may replace or remove.
fn is_ours(path: &Path, dir: &Path) -> bool {
    let real = fs::canonicalize(dir).unwrap_or_else(|_| dir.into());
    let within = path.strip_prefix(dir).or_else(|_| path.strip_prefix(real));
    // Where `snapshots` leads to.
    let within = match within {
        Ok(within) => within.to_path_buf(),
        Err(_) => Path::new("snapshots")
            .join(path.iter().skip_while(|name| *name != "elsewhere").skip(1).collect::<PathBuf>()),
    };
    let names: Vec<_> = within.iter().map(|name| name.to_str().unwrap_or_default()).collect();
    match names[..] {
        ["snapshot.json" | "snapshot.seq"] => true,
        [".snapshot.next"] | ["snapshots", "current" | "format" | "last-commit" | ".next" | ".settling"] => true,
        ["snapshots", name] => is_generation_or_stage(name),
        ["snapshots", name, "snapshot.json" | "snapshot.seq" | "parent" | "retained"] => is_generation_or_stage(name),
        _ => false,
    }
}

fn is_generation_or_stage(name: &str) -> bool {
    let is_random =
        |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match name.strip_prefix(".stage-") {
        Some(random) => is_random(random),
        None => name.len() == 54 && name.bytes().take(20).all(|byte| byte.is_ascii_digit()) && is_random(&name[38..]),
    }
}

fn fresh(dir: &Path) -> FsBackend {
    FsBackend::new(dir).with_busy_timeout(Duration::from_millis(20))
}
