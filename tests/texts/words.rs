//! No file uses a word that the glossary rejects.
//!
//! `words.txt` lists the rejected words and what to write instead. `allowed.txt` lists where a rejected word is the right one, and why.
//! Words are found in prose and in names: `set_aside` and `SetAside` are two words, `set` and `aside`.

use super::files;
use std::{collections::HashMap, path::Path};

/// The files of this check, which contain the words.
const OWN_FILES: [&str; 3] = ["texts/words.rs", "texts/words.txt", "texts/allowed.txt"];

/// A rejected word or phrase, in all its forms.
struct Rejected {
    /// Each a sequence of words in lower case.
    forms: Vec<Vec<String>>,
    instead: String,
    /// Phrases around a form that make it right, such as "round trip".
    except: Vec<Vec<String>>,
}

/// A rejected word that is right in some files.
struct Allowed {
    form: String,
    /// The start of a path, or its end after a `*`.
    path: String,
}

/// A word of a text, in lower case.
struct Word {
    text: String,
    line: usize,
}

#[test]
fn no_file_uses_a_rejected_word() {
    let (rejected, allowed) = (rejected(), allowed());
    let mut used = vec![false; allowed.len()];
    let mut found = Vec::new();
    for path in files::all().iter().filter(|path| !OWN_FILES.iter().any(|own| path.ends_with(own))) {
        let words = words(&files::read(path));
        for (at, form, instead) in uses(&words, &rejected) {
            match allowed.iter().position(|allowed| allowed.form == form && matches(&allowed.path, path)) {
                Some(index) => used[index] = true,
                None => found.push(format!("{}:{}: \"{form}\": {instead}", path.display(), words[at].line)),
            }
        }
    }
    let unused = allowed.iter().zip(used).filter(|(_, used)| !used).map(|(allowed, _)| {
        format!("tests/texts/allowed.txt: \"{}\" isn't used in {} any more", allowed.form, allowed.path)
    });
    found.extend(unused);
    assert!(found.is_empty(), "{} rejected words:\n{}", found.len(), found.join("\n"));
}

#[test]
fn rejected_words_are_found_in_prose_and_in_names() {
    let rejected = [Rejected {
        forms: vec![phrase("set aside"), phrase("trip")],
        instead: "another word".into(),
        except: vec![phrase("round trip")],
    }];
    let count = |text: &str| uses(&words(text), &rejected).len();
    assert_eq!(count("set aside; fn set_aside(); struct SetAside; // set\n// aside"), 4);
    assert_eq!(count("TRIP a round-trip, one round_trip, strip, trips, asset aside"), 1);
}

/// The uses of rejected words: the index of the first word, the form, what to write instead.
fn uses<'a>(words: &[Word], rejected: &'a [Rejected]) -> Vec<(usize, String, &'a str)> {
    let mut by_first: HashMap<&str, Vec<(&[String], &Rejected)>> = HashMap::new();
    for (rejected, form) in rejected.iter().flat_map(|rejected| rejected.forms.iter().map(move |form| (rejected, form)))
    {
        by_first.entry(&form[0]).or_default().push((form, rejected));
    }
    let is_at = |at: usize, phrase: &[String]| {
        words.get(at..at + phrase.len()).is_some_and(|part| part.iter().zip(phrase).all(|(word, of)| word.text == *of))
    };
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        for (form, rejected) in by_first.get(word.text.as_str()).into_iter().flatten() {
            let excepted = |phrase: &Vec<String>| (0..phrase.len()).any(|back| at >= back && is_at(at - back, phrase));
            if is_at(at, form) && !rejected.except.iter().any(excepted) {
                found.push((at, form.join(" "), rejected.instead.as_str()));
            }
        }
    }
    found
}

/// The words of a text: runs of letters, divided at the capitals of a camel-case name.
fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut word = String::new();
        let mut before = ' ';
        for letter in line.chars().chain([' ']) {
            let begins_word = letter.is_ascii_uppercase() && before.is_ascii_lowercase();
            if (!letter.is_ascii_alphabetic() || begins_word) && !word.is_empty() {
                found.push(Word { text: word.to_ascii_lowercase(), line: index + 1 });
                word.clear();
            }
            if letter.is_ascii_alphabetic() {
                word.push(letter);
            }
            before = letter;
        }
    }
    found
}

fn rejected() -> Vec<Rejected> {
    let phrases = |list: &str| list.split(',').map(phrase).filter(|phrase| !phrase.is_empty()).collect();
    fields(include_str!("words.txt"))
        .map(|fields| match *fields.as_slice() {
            [forms, instead] => Rejected { forms: phrases(forms), instead: instead.into(), except: Vec::new() },
            [forms, instead, except] => {
                Rejected { forms: phrases(forms), instead: instead.into(), except: phrases(except) }
            }
            _ => panic!("words.txt: two or three fields, not {fields:?}"),
        })
        .collect()
}

fn allowed() -> Vec<Allowed> {
    fields(include_str!("allowed.txt"))
        .map(|fields| match *fields.as_slice() {
            [form, path, why] if !why.is_empty() => Allowed { form: form.into(), path: path.into() },
            _ => panic!("allowed.txt: a word, a path and a reason, not {fields:?}"),
        })
        .collect()
}

/// The fields of each line that is no comment.
fn fields(table: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split('|').map(str::trim).collect())
}

fn phrase(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn matches(pattern: &str, path: &Path) -> bool {
    let path = path.to_str().expect("a path of this repository");
    pattern.strip_prefix('*').map_or_else(|| path.starts_with(pattern), |end| path.ends_with(end))
}
