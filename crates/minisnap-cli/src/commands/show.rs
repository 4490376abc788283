//! `minisnap show`: the current snapshot, and whether it is intact.

use crate::{
    args::ShowArgs,
    exit::{Exit, Failure, Outcome},
    explain::explain,
    open_store::{LOOKS, Place},
    out,
    progress::Progress,
    text,
};
use minisnap::{ErrorContext, Generation, MiniSnapError, Operation, backend::format};
use serde_json::{Value, json};

pub(crate) async fn run(args: ShowArgs) -> Outcome {
    let shown = Shown::look(&Place::of(&args.store)?).await?;
    let too_old = args.max_age.and_then(|max_age| shown.is_no_older_than(max_age).err());
    // What can't be restored is worse than what is old.
    let failure = shown.problem.as_ref().or(too_old.as_ref());
    out::print(&match args.form.json {
        true => format!("{:#}\n", shown.for_programs(failure)),
        false => shown.for_people(),
    })?;
    shown.problem.or(too_old).map_or(Ok(()), Err)
}

/// Through which seq a log can be truncated; `None` if all of it has to stay.
pub(super) async fn truncation_point(place: &Place) -> Outcome<Option<u64>> {
    Ok(Shown::look(place).await?.truncation_point())
}

/// Whether the current snapshot can be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Intact,
    Corrupt,
    ExternalChange,
    /// It could not be read.
    Unknown,
}

impl Health {
    /// In a word that programs can rely on.
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
    /// The command that looks at all of them, to be pasted.
    verify: String,
    current: Generation,
    retained: Vec<Generation>,
    /// Why the current snapshot can't be restored.
    problem: Option<Failure>,
    /// Why it can't be restored by every program.
    warning: Option<String>,
    /// A retained snapshot is not there, so that the oldest of those that are is not the oldest that may be gone back to.
    one_is_missing: bool,
}

impl Shown {
    async fn look(place: &Place) -> Outcome<Self> {
        let mut looks = 0;
        loop {
            let retained = place.history().await?;
            let current = retained[0].clone();
            let _reading = Progress::of_reading(&current);
            let (problem, warning) = match health(place, &current).await {
                Err(MiniSnapError::Expired { .. }) if looks < LOOKS => {
                    looks += 1;
                    continue;
                }
                Err(error) => (Some(explain(error.into(), place).await), None),
                Ok(warning) => (None, warning),
            };
            let one_is_missing = place.gap().await.is_some();
            let (store, verify) = (place.name().into(), place.command("verify", &[]));
            return Ok(Self { store, verify, current, retained, problem, warning, one_is_missing });
        }
    }

    /// A time ahead of the clock counts by how far it is ahead: two clocks differ by a little, and what is far ahead would
    /// count as new for ever.
    fn is_no_older_than(&self, max_age: humantime::Duration) -> Outcome {
        let found = match text::known_time(&self.current).map(|time| time.elapsed()) {
            Some(Ok(age)) if age <= *max_age => return Ok(()),
            Some(Err(ahead)) if ahead.duration() <= *max_age => return Ok(()),
            Some(Ok(age)) => format!("is {} old", text::duration(age)),
            Some(Err(ahead)) => format!("is {} ahead of this machine's clock", text::duration(ahead.duration())),
            None => "has an unknown age".into(),
        };
        let what = format!("{}: the current snapshot {found}, and --max-age is {max_age}", self.store);
        Err(Failure::new(Exit::TooOld, what).advice(
            "see whether the program that commits here runs, what it logged, and whether both clocks are right",
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

    /// Through which seq the log can be truncated. Not at all, unless the oldest retained snapshot is known.
    fn truncation_point(&self) -> Option<u64> {
        match self.problem.is_none() && !self.one_is_missing {
            true => self.retained.iter().map(Generation::seq).min(),
            false => None,
        }
    }

    fn log(&self) -> String {
        match (self.truncation_point(), &self.problem) {
            (Some(seq), _) => format!("can be truncated through seq {seq}"),
            (None, Some(_)) => "keep all of it: the snapshot can't be restored".into(),
            (None, None) => format!("keep all of it: a retained snapshot is missing ({})", self.verify),
        }
    }

    fn for_people(&self) -> String {
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

    fn for_programs(&self, failure: Option<&Failure>) -> Value {
        json!({
            "store": self.store,
            "current": text::generation(&self.current),
            "retained": self.retained.iter().map(text::generation).collect::<Vec<_>>(),
            "truncation_point": self.truncation_point(),
            "health": self.health().word(),
            "problem": self.problem.as_ref().map(Failure::text),
            "warning": self.warning,
            "error": failure.map(Failure::for_programs),
        })
    }
}

/// Reads a generation whole: its digest, its pair, and that it is JSON.
///
/// Gives a warning if it is intact, and JSON by its grammar, and not what every restore can read: committed by a version that
/// took any text from a `RawValue`.
pub(crate) async fn health(place: &Place, generation: &Generation) -> minisnap::Result<Option<String>> {
    let json = place.backend().read(generation).await?;
    match format::check_json(&json) {
        Ok(()) => Ok(None),
        Err(error) if format::is_json(&json) => {
            Ok(Some(format!("only a program that keeps the text there as it is (a RawValue) can restore it: {error}")))
        }
        Err(source) => Err(MiniSnapError::Serde {
            at: ErrorContext::new(Operation::Restore, place.name()),
            generation: Some(generation.clone()),
            source,
        }),
    }
}
