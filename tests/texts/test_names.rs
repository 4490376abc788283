//! Test names have at most 60 characters, so that a list of results fits a line.

use super::files;

/// In characters.
const LONGEST: usize = 60;

#[test]
fn every_test_name_has_at_most_60_characters() {
    let (mut tests, mut too_long) = (0, Vec::new());
    for path in files::rust() {
        for name in test_names(&files::read(&path)) {
            tests += 1;
            if name.len() > LONGEST {
                too_long.push(format!("{}: {name} has {}", path.display(), name.len()));
            }
        }
    }
    assert!(tests > 1000, "only {tests} tests were found");
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}

/// The names of the functions that have an attribute `test`.
fn test_names(text: &str) -> Vec<&str> {
    let (mut names, mut is_test) = (Vec::new(), false);
    for line in text.lines().map(str::trim_start) {
        is_test |= ["#[test]", "#[tokio::test"].iter().any(|attribute| line.starts_with(attribute));
        if let Some(name) = function_name(line) {
            names.extend(is_test.then_some(name));
            is_test = false;
        }
    }
    names
}

/// The names of all functions and modules.
pub(super) fn functions_and_modules(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim_start).filter_map(|line| function_name(line).or_else(|| declared(line, "mod ")))
}

/// The name of the function that a line declares.
fn function_name(line: &str) -> Option<&str> {
    declared(line, "fn ")
}

/// The name that a line declares with this keyword.
fn declared<'a>(line: &'a str, keyword: &str) -> Option<&'a str> {
    let modifiers = ["pub ", "pub(super) ", "pub(crate) ", "async "];
    let line = modifiers.iter().fold(line, |line, modifier| line.strip_prefix(modifier).unwrap_or(line));
    line.strip_prefix(keyword)?.split(['(', '<', ';', ' ']).next()
}
