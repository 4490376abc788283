//! `minisnap show`: prints the current snapshot, and whether it is intact.

use crate::{
    add_help::add_help,
    args::ShowArgs,
    exit::{Exit, Failure, Outcome},
    open_store::{OpenStore, READ_ATTEMPTS},
    progress::Progress,
    stdio, text,
};
use minisnap::{ErrorContext, Generation, MiniSnapError, Operation, backend::format};
use serde_json::{Value, json};

pub(crate) async fn run(args: ShowArgs) -> Outcome {
    let shown = Shown::read(&OpenStore::of(&args.store)?).await?;
    let too_old = args.max_age.and_then(|max_age| shown.check_age(max_age).err());
    // Corruption is reported before age.
    let failure = shown.problem.as_ref().or(too_old.as_ref());
    stdio::print(&match args.form.json {
        true => format!("{:#}\n", shown.to_json(failure)),
        false => shown.to_text(),
    })?;
    shown.problem.or(too_old).map_or(Ok(()), Err)
}

/// Through which seq the log can be truncated; `None` if all of it is needed.
pub(super) async fn truncation_point(store: &OpenStore) -> Outcome<Option<u64>> {
    Ok(Shown::read(store).await?.truncation_point())
}

/// Whether the current snapshot can be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Intact,
    Corrupt,
    ExternalChange,
    /// The snapshot couldn't be read.
    Unknown,
}

impl Health {
    /// The word in the output. Stable.
    fn word(self) -> &'static str {
        match self {
            Self::Intact => "intact",
            Self::Corrupt => "corrupt",
            Self::ExternalChange => "external_change",
            Self::Unknown => "unknown",
        }
    }
}

struct Shown {
    store: String,
    /// The `verify` command, for the output.
    verify: String,
    current: Generation,
    retained: Vec<Generation>,
    /// Why the current snapshot can't be restored.
    problem: Option<Failure>,
    /// Why only some programs can restore it.
    warning: Option<String>,
    /// A retained snapshot is missing, so the oldest retained seq is unknown.
    is_incomplete: bool,
}

impl Shown {
    async fn read(store: &OpenStore) -> Outcome<Self> {
        let mut retries = 0;
        loop {
            let retained = store.history().await?;
            let current = retained[0].clone();
            let _reading = Progress::of_reading(&current);
            let (problem, warning) = match health(store, &current).await {
                Err(MiniSnapError::Expired { .. }) if retries < READ_ATTEMPTS => {
                    retries += 1;
                    continue;
                }
                Err(error) => (Some(add_help(error.into(), store).await), None),
                Ok(warning) => (None, warning),
            };
            let is_incomplete = store.gap().await.is_some();
            let (store, verify) = (store.name().into(), store.command("verify", &[]));
            return Ok(Self { store, verify, current, retained, problem, warning, is_incomplete });
        }
    }

    /// Fails if the snapshot is older than `max_age`. A time ahead of the clock also fails if it is ahead by more than that:
    /// otherwise, such a snapshot would count as new for ever.
    fn check_age(&self, max_age: humantime::Duration) -> Outcome {
        let found = match text::known_time(&self.current).map(|time| time.elapsed()) {
            Some(Ok(age)) if age <= *max_age => return Ok(()),
            Some(Err(ahead)) if ahead.duration() <= *max_age => return Ok(()),
            Some(Ok(age)) => format!("is {} old", text::duration(age)),
            Some(Err(ahead)) => format!("is {} ahead of this machine's clock", text::duration(ahead.duration())),
            None => "has an unknown age".into(),
        };
        let what = format!("{}: the current snapshot {found}, and --max-age is {max_age}", self.store);
        Err(Failure::new(Exit::TooOld, what).with_help(
            "check whether the program that commits here is running and what it logged, and check both clocks",
        ))
    }

    fn health(&self) -> Health {
        match self.problem.as_ref().map(Failure::exit) {
            None => Health::Intact,
            Some(Exit::Corrupt) => Health::Corrupt,
            Some(Exit::ExternalChange) => Health::ExternalChange,
            Some(_) => Health::Unknown,
        }
    }

    /// Through which seq the log can be truncated. `None` if the oldest retained seq is unknown.
    fn truncation_point(&self) -> Option<u64> {
        match self.problem.is_none() && !self.is_incomplete {
            true => self.retained.iter().map(Generation::seq).min(),
            false => None,
        }
    }

    fn log(&self) -> String {
        match (self.truncation_point(), &self.problem) {
            (Some(seq), _) => format!("can be truncated through seq {seq}"),
            (None, Some(_)) => "keep all of it: the current snapshot can't be restored".into(),
            (None, None) => format!("keep all of it: a retained snapshot is missing (see {})", self.verify),
        }
    }

    fn to_text(&self) -> String {
        let Self { store, current, .. } = self;
        let unknown = || String::from("unknown");
        let written = current.time().map(|time| format!("{} ({})", text::time(time), text::ago(time)));
        let size = current.size().map(|size| match size {
            0..1024 => format!("{size} bytes"),
            _ => format!("{} ({size} bytes)", text::size(size)),
        });
        let digest = current.digest().map(|digest| format!("{digest} (XXH3-64)"));
        let health = match self.health() {
            Health::Intact => {
                let warning = self.warning.as_ref().map_or_else(String::new, |warning| format!("; warning: {warning}"));
                format!("{good}intact{good:#}{warning}", good = text::GOOD)
            }
            Health::ExternalChange => format!("{bad}external change{bad:#}", bad = text::BAD),
            other => format!("{bad}{}{bad:#}", other.word(), bad = text::BAD),
        };
        [
            ("store", store.clone()),
            ("seq", current.seq().to_string()),
            ("written", written.unwrap_or_else(unknown)),
            ("size", size.unwrap_or_else(unknown)),
            ("digest", digest.unwrap_or_else(unknown)),
            ("name", current.name().into()),
            ("retained", text::seqs(&self.retained)),
            ("log", self.log()),
            ("health", health),
        ]
        .map(|(what, is)| format!("{title}{what:9}{title:#} {is}\n", title = text::TITLE))
        .concat()
    }

    fn to_json(&self, failure: Option<&Failure>) -> Value {
        json!({
            "store": self.store,
            "current": text::generation(&self.current),
            "retained": self.retained.iter().map(text::generation).collect::<Vec<_>>(),
            "truncation_point": self.truncation_point(),
            "health": self.health().word(),
            "problem": self.problem.as_ref().map(Failure::text),
            "warning": self.warning,
            "error": failure.map(Failure::to_json),
        })
    }
}

/// Reads a generation and checks its digest, its seq, and that it is JSON.
///
/// Returns a warning if the generation is intact and valid JSON, but not every program can restore it. An older version
/// committed such text from a `RawValue`.
pub(crate) async fn health(store: &OpenStore, generation: &Generation) -> minisnap::Result<Option<String>> {
    let json = store.backend().read(generation).await?;
    match format::check_json(&json) {
        Ok(()) => Ok(None),
        Err(error) if format::is_json(&json) => Ok(Some(format!(
            "only a program that reads that part as text (serde_json's RawValue) can restore it: {error}"
        ))),
        Err(source) => Err(MiniSnapError::Serde {
            at: ErrorContext::new(Operation::Restore, store.name()),
            generation: Some(generation.clone()),
            source,
        }),
    }
}
