//! Which snapshot a seq or a name means: one rule for every command that takes one.
//!
//! 1. A name means the snapshot of that name.
//! 2. A seq that retained snapshots have means those. If they say the same, each is as good as the others; if not, only a
//!    name tells which one is meant.
//! 3. A seq that no snapshot has means the most recently committed one below it, as in the library's `restore_at`; or
//!    nothing, where the command demands [`Reach::Exact`].

use crate::{
    exit::{Exit, Failure, Outcome},
    open_store::Place,
    out, text,
};
use minisnap::Generation;
use std::{fmt, str::FromStr};

/// A snapshot by its seq, which several may have, or by its name, which is its own.
#[derive(Debug, Clone)]
pub(crate) enum Which {
    Seq(u64),
    Name(String),
}

impl FromStr for Which {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(seq) => Ok(Self::Seq(seq)),
            // Names begin with their seq, in twenty digits.
            Err(_) if text.len() > 20 && text.contains('-') => Ok(Self::Name(text.into())),
            Err(_) => Err("it is neither a seq nor a snapshot's name"),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(seq) => write!(f, "seq {seq}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// What a seq means that no snapshot has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nothing.
    Exact,
    /// The most recently committed snapshot below it.
    AtMost,
}

/// What was chosen: one snapshot, or several that say the same.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) newest: Generation,
    /// The others with its seq and digest, newest first.
    pub(crate) twins: Vec<Generation>,
    /// What a person who chose it by its seq should know.
    note: Option<String>,
}

impl Choice {
    /// This one, without a choice.
    pub(crate) fn only(generation: &Generation) -> Self {
        Self { newest: generation.clone(), twins: Vec::new(), note: None }
    }

    /// Says on stderr what there is to know about it.
    pub(crate) fn tell(&self) {
        if let Some(note) = &self.note {
            out::note(note);
        }
    }
}

/// Whether two snapshots say the same.
pub(crate) fn say_the_same(one: &Generation, other: &Generation) -> bool {
    one == other || one.seq() == other.seq() && one.digest().is_some() && one.digest() == other.digest()
}

/// The history of a store, or the part of it that is before the current snapshot, to choose from.
#[derive(Debug)]
pub(crate) struct Choices<'a> {
    place: &'a Place,
    history: &'a [Generation],
    /// How many of the newest can't be chosen.
    skipped: usize,
    /// The store is lost: none of them is current, and no other command finds them.
    is_lost: bool,
}

impl<'a> Choices<'a> {
    /// All of a history, newest first.
    pub(crate) fn of(place: &'a Place, history: &'a [Generation]) -> Self {
        Self { place, history, skipped: 0, is_lost: false }
    }

    /// Those before the current one.
    pub(crate) fn before_current(place: &'a Place, history: &'a [Generation]) -> Self {
        Self { place, history, skipped: 1, is_lost: false }
    }

    /// What is left of a store that is lost.
    pub(crate) fn of_lost(place: &'a Place, left: &'a [Generation]) -> Self {
        Self { place, history: left, skipped: 0, is_lost: true }
    }

    /// The newest of them.
    pub(crate) fn newest(&self) -> Outcome<Choice> {
        self.among().first().map(Choice::only).ok_or_else(|| self.none(""))
    }

    /// What is meant by `which`; see the numbered rules above.
    pub(crate) fn choose(&self, which: &Which, reach: Reach) -> Outcome<Choice> {
        match which {
            // 1.
            Which::Name(name) => {
                let found = self.among().iter().find(|generation| generation.name() == name);
                found.map(Choice::only).ok_or_else(|| self.none(&format!(" named {name}")))
            }
            Which::Seq(seq) => self.choose_seq(*seq, reach),
        }
    }

    fn choose_seq(&self, seq: u64, reach: Reach) -> Outcome<Choice> {
        let exact: Vec<_> = self.among().iter().filter(|generation| generation.seq() == seq).collect();
        match *exact.as_slice() {
            // 2.
            [newest, ref twins @ ..] => match twins.iter().find(|twin| !say_the_same(newest, twin)) {
                Some(other) => Err(self.ambiguous(seq, &exact, [other, newest])),
                None => Ok(Choice {
                    newest: newest.clone(),
                    twins: twins.iter().copied().cloned().collect(),
                    note: self.rolled_back_from(newest),
                }),
            },
            // 3.
            [] => match (reach, self.among().iter().find(|generation| generation.seq() < seq)) {
                (Reach::AtMost, Some(below)) => Ok(Choice::only(below)),
                (Reach::AtMost, None) => Err(self.none(&format!(" with a seq of at most {seq}"))),
                (Reach::Exact, _) => Err(self.none(&format!(" with seq {seq}"))),
            },
        }
    }

    fn among(&self) -> &'a [Generation] {
        self.history.get(self.skipped..).unwrap_or_default()
    }

    /// What was committed after a snapshot, with a lower seq, took the store back to before it.
    fn rolled_back_from(&self, generation: &Generation) -> Option<String> {
        let seq = generation.seq();
        let newer = self.history.iter().take_while(|newer| *newer != generation);
        let lower = newer.map(Generation::seq).find(|newer| *newer < seq)?;
        Some(format!("seq {seq} was rolled back from: seq {lower} was committed after it"))
    }

    fn ambiguous(&self, seq: u64, exact: &[&Generation], [old, new]: [&Generation; 2]) -> Failure {
        let current = self.history.first().filter(|_| !self.is_lost);
        let names: Vec<_> = exact
            .iter()
            .map(|generation| match Some(*generation) == current {
                true => format!("{generation} (the current one)"),
                false => generation.to_string(),
            })
            .collect();
        let what = format!(
            "{}: {} snapshots have seq {seq}, and they differ: {}",
            self.place.name(),
            names.len(),
            names.join(", ")
        );
        let give = "give one of these names in place of the seq";
        Failure::new(Exit::Refused, what).advice(match self.is_lost {
            true => format!("{give}; the newest is the first"),
            false => format!("{} compares them; {give}", self.place.command("diff", &[old.name(), new.name()])),
        })
    }

    /// There is no such snapshot. The current one is listed too: it may be what was meant.
    fn none(&self, such: &str) -> Failure {
        let before = if self.skipped == 0 { "" } else { " before the current one" };
        let what = format!(
            "{}: there is no snapshot{before}{such}; there are: {}",
            self.place.name(),
            text::named(self.history)
        );
        Failure::new(Exit::NoSnapshot, what).advice(
            "choose one of these, by its seq or its name; from now on, `--retain N` with each command that commits retains \
             more",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::StoreOptions;
    use minisnap::Digest;

    /// `12b` is a snapshot with seq 12 that says b. Newest first; each has the name that its position gives it.
    fn history(snapshots: &str) -> Vec<Generation> {
        let made = snapshots.split(' ').enumerate().map(|(position, snapshot)| {
            let (seq, says) = snapshot.split_at(snapshot.len() - 1);
            let seq = seq.parse().expect("digits");
            Generation::new(format!("{seq:020}-{position}"), seq).with_digest(Digest::of(says.as_bytes()))
        });
        made.collect()
    }

    fn choose(history: &[Generation], which: &str, reach: Reach) -> Outcome<(usize, usize, bool)> {
        let place = Place::open("/nowhere".as_ref(), &StoreOptions::default()).expect("a path");
        let chosen = Choices::of(&place, history).choose(&which.parse().expect("a seq or name"), reach)?;
        let position = history.iter().position(|generation| *generation == chosen.newest).expect("one of them");
        Ok((position, chosen.twins.len(), chosen.note.is_some()))
    }

    #[test]
    fn seq_means_the_exact_one_before_one_below_it() {
        let rolled_back = history("9a 12d 11c 10b 9a");
        for (seq, position, twins, is_noted) in
            [("12", 1, 0, true), ("11", 2, 0, true), ("9", 0, 1, false), ("13", 0, 0, false)]
        {
            let chosen = choose(&rolled_back, seq, Reach::AtMost).expect("one");
            assert_eq!(chosen, (position, twins, is_noted), "{seq}");
        }
        assert_eq!(choose(&rolled_back, "12", Reach::Exact).expect("one").0, 1);
        let forward_again = history("12d 9a 12d");
        assert_eq!(choose(&forward_again, "12", Reach::AtMost).expect("one"), (0, 1, false));
    }

    #[test]
    fn seq_is_ambiguous_if_snapshots_with_it_differ() {
        let accepted = history("10b 12c 10a 10b 9a");
        for reach in [Reach::Exact, Reach::AtMost] {
            let failure = choose(&accepted, "10", reach).expect_err("which one?");
            assert_eq!(failure.exit(), Exit::Refused);
            for name in [0, 2, 3].map(|position| accepted[position].name()) {
                assert!(failure.what().contains(name), "{}", failure.what());
            }
        }
        assert_eq!(choose(&accepted, accepted[2].name(), Reach::Exact).expect("its name"), (2, 0, false));
        assert_eq!(choose(&accepted, "11", Reach::AtMost).expect("the most recent").0, 0);
    }

    #[test]
    fn digest_that_is_unknown_is_no_proof_of_equality() {
        let unknown = [Generation::new("00000000000000000010-b", 10), Generation::new("00000000000000000010-a", 10)];
        assert_eq!(choose(&unknown, "10", Reach::AtMost).expect_err("which one?").exit(), Exit::Refused);
    }

    #[test]
    fn missing_snapshot_is_told_with_the_names_that_exist() {
        let there = history("20b 10a");
        for (which, reach, said) in [
            ("9", Reach::AtMost, "of at most 9"),
            ("15", Reach::Exact, "seq 15"),
            ("00000000000000000010-x", Reach::AtMost, "00000000000000000010-x"),
        ] {
            let failure = choose(&there, which, reach).expect_err("it isn't there");
            assert_eq!(failure.exit(), Exit::NoSnapshot);
            assert!(failure.what().contains(said) && there.iter().all(|one| failure.what().contains(one.name())));
        }
    }

    #[test]
    fn words_are_neither_seq_nor_name() {
        for text in ["", "ten", "-1", "1.5", "latest-and-greatest", "18446744073709551616"] {
            assert!(text.parse::<Which>().is_err(), "{text}");
        }
    }
}
