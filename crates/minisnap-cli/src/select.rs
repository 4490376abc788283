//! Selects a snapshot by its seq or its name. All commands use the same rules.
//!
//! 1. A name selects the snapshot with that name.
//! 2. A seq selects the retained snapshots with that seq. If their contents are equal, any of them may be read; if they
//!    differ, the seq is ambiguous, and the operator must give a name.
//! 3. If no snapshot has that seq, it selects the most recently committed snapshot below it, as in the library's `restore_at`.
//!    With [`SeqMatch::Exact`], it selects none.

use crate::{
    exit::{Exit, Failure, Outcome},
    open_store::OpenStore,
    stdio, text,
};
use minisnap::Generation;
use std::{fmt, str::FromStr};

/// A snapshot on the command line: by its seq, which several may share, or by its unique name.
#[derive(Debug, Clone)]
pub(crate) enum SnapshotRef {
    Seq(u64),
    Name(String),
}

impl FromStr for SnapshotRef {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(seq) => Ok(Self::Seq(seq)),
            // Names begin with their seq, in twenty digits.
            Err(_) if text.len() > 20 && text.contains('-') => Ok(Self::Name(text.into())),
            Err(_) => Err("expected a seq or the name of a snapshot"),
        }
    }
}

impl fmt::Display for SnapshotRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(seq) => write!(f, "seq {seq}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// What a seq selects if no snapshot has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeqMatch {
    /// Nothing.
    Exact,
    /// The most recently committed snapshot below it.
    AtMost,
}

/// The selected snapshot, or several with the same content.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) newest: Generation,
    /// The others with the same seq and digest, newest first.
    pub(crate) equivalents: Vec<Generation>,
    /// A note for the operator who selected it by its seq.
    note: Option<String>,
}

impl Selection {
    /// Only this snapshot.
    pub(crate) fn only(generation: &Generation) -> Self {
        Self { newest: generation.clone(), equivalents: Vec::new(), note: None }
    }

    /// Prints the note about it to stderr.
    pub(crate) fn print_note(&self) {
        if let Some(note) = &self.note {
            stdio::note(note);
        }
    }
}

/// Whether two snapshots have the same seq and content.
pub(crate) fn have_same_content(one: &Generation, other: &Generation) -> bool {
    one == other || one.seq() == other.seq() && one.digest().is_some() && one.digest() == other.digest()
}

/// The snapshots to select from: the history of a store, or its part before the current snapshot.
#[derive(Debug)]
pub(crate) struct Candidates<'a> {
    store: &'a OpenStore,
    history: &'a [Generation],
    /// How many of the newest can't be selected.
    skipped: usize,
    /// The commit record is lost: none of them is current, and no other command finds them.
    is_lost: bool,
}

impl<'a> Candidates<'a> {
    /// The complete history, newest first.
    pub(crate) fn of(store: &'a OpenStore, history: &'a [Generation]) -> Self {
        Self { store, history, skipped: 0, is_lost: false }
    }

    /// The snapshots before the current one.
    pub(crate) fn before_current(store: &'a OpenStore, history: &'a [Generation]) -> Self {
        Self { store, history, skipped: 1, is_lost: false }
    }

    /// The intact snapshots of a store whose commit record is lost.
    pub(crate) fn of_lost(store: &'a OpenStore, intact: &'a [Generation]) -> Self {
        Self { store, history: intact, skipped: 0, is_lost: true }
    }

    /// The newest of them.
    pub(crate) fn newest(&self) -> Outcome<Selection> {
        self.among().first().map(Selection::only).ok_or_else(|| self.not_found(""))
    }

    /// Selects by the numbered rules above.
    pub(crate) fn choose(&self, which: &SnapshotRef, reach: SeqMatch) -> Outcome<Selection> {
        match which {
            // 1.
            SnapshotRef::Name(name) => {
                let found = self.among().iter().find(|generation| generation.name() == name);
                found.map(Selection::only).ok_or_else(|| self.not_found(&format!(" named {name}")))
            }
            SnapshotRef::Seq(seq) => self.choose_seq(*seq, reach),
        }
    }

    fn choose_seq(&self, seq: u64, reach: SeqMatch) -> Outcome<Selection> {
        let exact: Vec<_> = self.among().iter().filter(|generation| generation.seq() == seq).collect();
        match *exact.as_slice() {
            // 2.
            [newest, ref equivalents @ ..] => {
                match equivalents.iter().find(|equivalent| !have_same_content(newest, equivalent)) {
                    Some(other) => Err(self.ambiguous(seq, &exact, [other, newest])),
                    None => Ok(Selection {
                        newest: newest.clone(),
                        equivalents: equivalents.iter().copied().cloned().collect(),
                        note: self.rolled_back_from(newest),
                    }),
                }
            }
            // 3.
            [] => match (reach, self.among().iter().find(|generation| generation.seq() < seq)) {
                (SeqMatch::AtMost, Some(below)) => Ok(Selection::only(below)),
                (SeqMatch::AtMost, None) => Err(self.not_found(&format!(" with a seq of at most {seq}"))),
                (SeqMatch::Exact, _) => Err(self.not_found(&format!(" with seq {seq}"))),
            },
        }
    }

    fn among(&self) -> &'a [Generation] {
        self.history.get(self.skipped..).unwrap_or_default()
    }

    /// A note if a snapshot with a lower seq was committed after this one: the store was rolled back.
    fn rolled_back_from(&self, generation: &Generation) -> Option<String> {
        let seq = generation.seq();
        let newer = self.history.iter().take_while(|newer| *newer != generation);
        let lower = newer.map(Generation::seq).find(|newer| *newer < seq)?;
        Some(format!("the store was rolled back from seq {seq}: seq {lower} was committed after it"))
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
            self.store.name(),
            names.len(),
            names.join(", ")
        );
        let give = "give one of these names instead of the seq";
        Failure::new(Exit::Refused, what).with_help(match self.is_lost {
            true => format!("{give}; the newest is the first"),
            false => format!("{} compares them; {give}", self.store.command("diff", &[old.name(), new.name()])),
        })
    }

    /// The error that there is no such snapshot. It also lists the current one, which may have been meant.
    fn not_found(&self, such: &str) -> Failure {
        let before = if self.skipped == 0 { "" } else { " before the current one" };
        let what =
            format!("{}: no snapshot{before}{such}; retained are: {}", self.store.name(), text::named(self.history));
        let retain_more = "to retain more in future, use `--retain N` with each command that commits";
        Failure::new(Exit::NoSnapshot, what).with_help(match self.among() {
            [] => retain_more.into(),
            _ => format!("choose one of these by its seq or name; {retain_more}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::StoreOptions;
    use minisnap::Digest;

    /// `12b` is a snapshot with seq 12 and content b. Newest first; the name contains the position.
    fn history(snapshots: &str) -> Vec<Generation> {
        let generations = snapshots.split(' ').enumerate().map(|(position, snapshot)| {
            let (seq, content) = snapshot.split_at(snapshot.len() - 1);
            let seq = seq.parse().expect("digits");
            Generation::new(format!("{seq:020}-{position}"), seq).with_digest(Digest::of(content.as_bytes()))
        });
        generations.collect()
    }

    fn choose(history: &[Generation], which: &str, reach: SeqMatch) -> Outcome<(usize, usize, bool)> {
        let store = OpenStore::open("/nowhere".as_ref(), &StoreOptions::default()).expect("a path");
        let selected = Candidates::of(&store, history).choose(&which.parse().expect("a seq or name"), reach)?;
        let position =
            history.iter().position(|generation| *generation == selected.newest).expect("a retained snapshot");
        Ok((position, selected.equivalents.len(), selected.note.is_some()))
    }

    #[test]
    fn seq_selects_an_exact_match_before_a_lower_one() {
        let rolled_back = history("9a 12d 11c 10b 9a");
        for (seq, position, equivalents, is_noted) in
            [("12", 1, 0, true), ("11", 2, 0, true), ("9", 0, 1, false), ("13", 0, 0, false)]
        {
            let chosen = choose(&rolled_back, seq, SeqMatch::AtMost).expect("a snapshot");
            assert_eq!(chosen, (position, equivalents, is_noted), "{seq}");
        }
        assert_eq!(choose(&rolled_back, "12", SeqMatch::Exact).expect("a snapshot").0, 1);
        let forward_again = history("12d 9a 12d");
        assert_eq!(choose(&forward_again, "12", SeqMatch::AtMost).expect("a snapshot"), (0, 1, false));
    }

    #[test]
    fn seq_is_ambiguous_when_snapshots_with_it_differ() {
        let accepted = history("10b 12c 10a 10b 9a");
        for reach in [SeqMatch::Exact, SeqMatch::AtMost] {
            let failure = choose(&accepted, "10", reach).expect_err("an ambiguous seq");
            assert_eq!(failure.exit(), Exit::Refused);
            for name in [0, 2, 3].map(|position| accepted[position].name()) {
                assert!(failure.what().contains(name), "{}", failure.what());
            }
        }
        assert_eq!(choose(&accepted, accepted[2].name(), SeqMatch::Exact).expect("its name"), (2, 0, false));
        assert_eq!(choose(&accepted, "11", SeqMatch::AtMost).expect("the most recent").0, 0);
    }

    #[test]
    fn seq_is_ambiguous_when_digests_are_unknown() {
        let unknown = [Generation::new("00000000000000000010-b", 10), Generation::new("00000000000000000010-a", 10)];
        assert_eq!(choose(&unknown, "10", SeqMatch::AtMost).expect_err("an ambiguous seq").exit(), Exit::Refused);
    }

    #[test]
    fn missing_snapshot_error_lists_the_existing_names() {
        let existing = history("20b 10a");
        for (which, reach, text) in [
            ("9", SeqMatch::AtMost, "of at most 9"),
            ("15", SeqMatch::Exact, "seq 15"),
            ("00000000000000000010-x", SeqMatch::AtMost, "00000000000000000010-x"),
        ] {
            let failure = choose(&existing, which, reach).expect_err("a missing snapshot");
            assert_eq!(failure.exit(), Exit::NoSnapshot);
            assert!(failure.what().contains(text) && existing.iter().all(|one| failure.what().contains(one.name())));
        }
    }

    #[test]
    fn other_words_are_rejected() {
        for text in ["", "ten", "-1", "1.5", "latest-and-greatest", "18446744073709551616"] {
            assert!(text.parse::<SnapshotRef>().is_err(), "{text}");
        }
    }
}
