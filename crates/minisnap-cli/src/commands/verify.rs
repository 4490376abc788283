//! `minisnap verify`: every retained snapshot, whole, and what ties them together.
//!
//! Its exit codes are its own: 0 intact, 1 corrupt, 2 could not look. So that a job that runs it at night needs to know no
//! other, and never takes a store that isn't there for one that is intact.

use crate::{
    args::VerifyArgs,
    commands::show::health,
    exit::{Exit, Failure, Outcome},
    help::{self, Left},
    links, out,
    place::{LOOKS, Place},
    progress::Progress,
    text,
};
use minisnap::{Generation, MiniSnapError};
use serde_json::{Value, json};

pub(crate) async fn run(args: VerifyArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let lines = match args.form.json {
        true => Lines::None,
        false if args.quiet => Lines::OfWrong,
        false => Lines::All,
    };
    let verified = Verified::check(&place, lines).await?;
    let verdict = verified.verdict(&place);
    match lines {
        Lines::None => out::print(&format!("{:#}\n", verified.for_programs(&place, verdict.as_ref())))?,
        // Nothing is printed, so it doesn't matter who reads it.
        Lines::OfWrong if verified.links.is_empty() => {}
        Lines::OfWrong | Lines::All => out::print(&verified.last_lines(&place))?,
    }
    verdict.map_or(Ok(()), Err)
}

/// Which snapshots are told on a line of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    All,
    OfWrong,
    None,
}

/// What was found out.
#[derive(Default)]
struct Verified {
    snapshots: Vec<(Generation, Health)>,
    links: Vec<links::Fault>,
    /// One that is retained is not there.
    one_is_missing: bool,
}

enum Health {
    /// As committed, perhaps with a warning.
    Intact(Option<String>),
    Wrong(Failure),
}

impl Health {
    fn is_corrupt(&self) -> bool {
        matches!(self, Self::Wrong(failure) if failure.exit() == Exit::Corrupt)
    }
}

impl Verified {
    /// Checks until all that is retained was checked: what a writer expires meanwhile can't be, and what it commits is to
    /// be.
    async fn check(place: &Place, lines: Lines) -> Outcome<Self> {
        let mut verified = Self::default();
        for _ in 0..LOOKS {
            let history = place.history().await.map_err(as_verify_says_it)?;
            verified.check_new_ones(place, &history, lines).await?;
            let links = faults(place, &history);
            if place.history().await.map_err(as_verify_says_it)? == history {
                (verified.links, verified.one_is_missing) = links?;
                verified.snapshots.sort_by_key(|(known, _)| history.iter().position(|generation| generation == known));
                return Ok(verified);
            }
        }
        let what = format!("{}: snapshots were committed faster than they could be checked", place.name());
        Err(Failure::new(Exit::CouldNotLook, what).advice("keep more of them, or try again when it is quieter"))
    }

    /// Checks what wasn't checked before, with a line for each.
    async fn check_new_ones(&mut self, place: &Place, history: &[Generation], lines: Lines) -> Outcome {
        self.snapshots.retain(|(generation, _)| history.contains(generation));
        let todo: Vec<_> = history.iter().filter(|generation| !self.knows(generation)).collect();
        let progress = Progress::of_bytes("verifying", todo.iter().filter_map(|generation| generation.size()).sum());
        for generation in todo {
            let health = match health(place, generation).await {
                // The next look shows it.
                Err(MiniSnapError::Expired { .. }) => continue,
                Err(error) => Health::Wrong(as_verify_says_it(error.into())),
                Ok(warning) => Health::Intact(warning),
            };
            progress.add(generation.size().unwrap_or_default());
            if lines == Lines::All || lines == Lines::OfWrong && !matches!(health, Health::Intact(_)) {
                progress.aside(|| out::print(&line(generation, &health)))?;
            }
            self.snapshots.push((generation.clone(), health));
        }
        Ok(())
    }

    fn knows(&self, generation: &Generation) -> bool {
        self.snapshots.iter().any(|(known, _)| known == generation)
    }

    fn last_lines(&self, place: &Place) -> String {
        if place.folder().is_none() {
            return String::new();
        }
        let (good, bad) = (text::GOOD, text::BAD);
        match self.links.as_slice() {
            [] => format!("{good}intact {good:#}  links\n"),
            faults => faults.iter().map(|fault| format!("{bad}corrupt{bad:#}  links: {}\n", fault.what)).collect(),
        }
    }

    fn for_programs(&self, place: &Place, verdict: Option<&Failure>) -> Value {
        let snapshots = self.snapshots.iter().map(|(generation, health)| {
            let mut snapshot = text::generation(generation);
            let (word, problem, warning) = match health {
                Health::Intact(warning) => ("intact", None, warning.as_deref()),
                Health::Wrong(failure) => (word(failure), Some(failure.what()), None),
            };
            snapshot["health"] = json!(word);
            snapshot["problem"] = json!(problem);
            snapshot["warning"] = json!(warning);
            snapshot
        });
        json!({
            "store": place.name(),
            "intact": self.links.is_empty() && self.wrong().next().is_none(),
            "snapshots": snapshots.collect::<Vec<_>>(),
            "links": self.links.iter().map(|fault| &fault.what).collect::<Vec<_>>(),
            "error": verdict.map(Failure::for_programs),
        })
    }

    fn wrong(&self) -> impl Iterator<Item = &Failure> {
        self.snapshots.iter().filter_map(|(_, health)| match health {
            Health::Intact(_) => None,
            Health::Wrong(failure) => Some(failure),
        })
    }

    /// Corruption before doubt: what is certainly wrong must be acted on. `None` if all is intact.
    fn verdict(&self, place: &Place) -> Option<Failure> {
        let (corrupt, total) = (self.corrupt().len(), self.snapshots.len());
        let name = place.name();
        let (exit, what) = if corrupt > 0 {
            (Exit::Corrupt, format!("of {total} snapshots, {corrupt} can't be restored as committed"))
        } else if self.one_is_missing {
            (
                Exit::Corrupt,
                format!("the {total} snapshots that are there are intact, and one that is retained is missing"),
            )
        } else if !self.links.is_empty() {
            (Exit::Corrupt, "the snapshots are intact, and the links are not".into())
        } else if self.wrong().next().is_some() {
            (Exit::CouldNotLook, format!("not all of {total} snapshots could be read"))
        } else {
            return None;
        };
        Some(Failure::new(exit, format!("{name}: {what}")).advice(self.help(place)).with_intact(self.intact()))
    }

    fn corrupt(&self) -> Vec<Generation> {
        self.of_health(Health::is_corrupt)
    }

    fn intact(&self) -> Vec<Generation> {
        self.of_health(|health| matches!(health, Health::Intact(_)))
    }

    fn of_health(&self, is_it: impl Fn(&Health) -> bool) -> Vec<Generation> {
        let those = self.snapshots.iter().filter(|(_, health)| is_it(health));
        those.map(|(generation, _)| generation.clone()).collect()
    }

    fn help(&self, place: &Place) -> String {
        let of_snapshots = match self.one_is_missing && self.intact().is_empty() {
            true => Some(format!("{} tells what is left to go back to", place.command("verify", &[]))),
            false => self.help_about_snapshots(place),
        };
        match (self.one_is_missing, of_snapshots) {
            (true, then) => {
                // A commit would no longer know of it.
                let first = "bring the missing folder back (from a backup, or from where it was moved) BEFORE anything is \
                             committed";
                then.map_or_else(|| first.into(), |then| format!("{first}; then: {then}"))
            }
            (false, Some(help)) => help,
            (false, None) => self.help_about_links(),
        }
    }

    fn help_about_links(&self) -> String {
        let commands: Vec<_> = self.links.iter().filter_map(|fault| fault.command.as_deref()).collect();
        match commands.as_slice() {
            [] => "the next snapshot that is committed makes the links anew".into(),
            commands => format!("make the links again, in a shell: `{}`", commands.join(" && ")),
        }
    }

    /// `None` if all snapshots are intact.
    fn help_about_snapshots(&self, place: &Place) -> Option<String> {
        let (corrupt, intact) = (self.corrupt(), self.intact());
        let current = &self.snapshots.first()?.0;
        if intact.first() == Some(current) && !corrupt.is_empty() {
            return Some(format!(
                "the current snapshot is intact: there is nothing to go back from; but {} can't be gone back to",
                text::seqs(&corrupt)
            ));
        }
        let error = self.wrong().find_map(Failure::error)?;
        Some(match error {
            MiniSnapError::ExternalChange { .. } => help::help(error, place),
            _ if corrupt.is_empty() => help::help(error, place),
            _ => help::of_corruption(error, place, &Left::InHistory { current: current.clone(), intact }),
        })
    }
}

fn line(generation: &Generation, health: &Health) -> String {
    let (good, bad) = (text::GOOD, text::BAD);
    let size = generation.size().map_or_else(|| "size unknown".into(), text::size);
    let what = format!("seq {}  {size}  {}", generation.seq(), generation.name());
    match health {
        Health::Intact(None) => format!("{good}intact {good:#}  {what}\n"),
        Health::Intact(Some(warning)) => format!("{good}intact {good:#}  {what}; warning: {warning}\n"),
        Health::Wrong(failure) => format!("{bad}{:7}{bad:#}  {what}: {}\n", word(failure), failure.what()),
    }
}

fn word(failure: &Failure) -> &'static str {
    if failure.exit() == Exit::Corrupt { "corrupt" } else { "unknown" }
}

/// What is wrong with the links, and whether a retained generation is missing.
fn faults(place: &Place, history: &[Generation]) -> Outcome<(Vec<links::Fault>, bool)> {
    let Some(folder) = place.folder() else { return Ok((Vec::new(), false)) };
    let faults = || Ok((links::faults(&folder, history)?, links::one_is_missing(&folder, history)?));
    faults().map_err(|error| place.unreadable(&error))
}

/// What another program wrote in the snapshot's place is corruption to who wants to know whether the snapshot is intact; and
/// where there is nothing, there was nothing to look at.
fn as_verify_says_it(failure: Failure) -> Failure {
    let exit = match failure.exit() {
        Exit::Corrupt | Exit::ExternalChange => Exit::Corrupt,
        _ => Exit::CouldNotLook,
    };
    failure.with_exit(exit)
}
