//! The docs name files, headings and tests that exist.

use super::{files, test_names};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// A path in a code span begins with one of these; other code spans are commands, names, values.
const FOLDERS: [&str; 11] = [
    ".ci/",
    ".cargo/",
    ".config/",
    "bench/",
    "crates/",
    "docs/",
    "examples/",
    "fuzz/",
    "scripts/",
    "testing/",
    "tests/",
];

#[test]
fn every_link_of_the_docs_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for doc in docs() {
        let text = files::read(&doc);
        for target in links(&text) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { doc.clone() } else { doc.parent().unwrap_or(Path::new("")).join(path) };
            let is_heading = || headings(&files::read(&file)).contains(heading);
            if !files::root().join(&file).exists() || (!heading.is_empty() && !is_heading()) {
                broken.push(format!("{}: {target}", doc.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_path_in_the_docs_exists() {
    let (all, mut missing) = (files::all(), Vec::new());
    let exists = |path: &str| files::root().join(path).exists();
    for doc in docs() {
        let text = files::read(&doc);
        for span in code_spans(&text).filter(|span| !span.contains(['*', '<', ' '])) {
            let is_path = FOLDERS.iter().any(|folder| span.starts_with(folder));
            let is_missing_source = span.ends_with(".rs") && !all.iter().any(|path| path.ends_with(span));
            if (is_path && !exists(span)) || (!is_path && is_missing_source) {
                missing.push(format!("{}: {span}", doc.display()));
            }
        }
    }
    assert!(missing.is_empty(), "paths that don't exist:\n{}", missing.join("\n"));
}

#[test]
fn every_test_that_the_docs_name_exists() {
    let sources: Vec<String> = files::rust().iter().map(|path| files::read(path)).collect();
    let names: HashSet<&str> = sources.iter().flat_map(|text| test_names::functions_and_modules(text)).collect();
    let (mut named, mut missing) = (0, Vec::new());
    for doc in docs() {
        let text = files::read(&doc);
        for test in code_spans(&text).filter_map(|span| test_of(span, doc.ends_with("guarantees.md"))) {
            named += 1;
            if !names.contains(test) {
                missing.push(format!("{}: {test}", doc.display()));
            }
        }
    }
    assert!(named > 100, "only {named} tests are named");
    assert!(missing.is_empty(), "tests that don't exist:\n{}", missing.join("\n"));
}

/// The function or module that a code span names, if it names a test: a name of four words or more, or with `is_path` the
/// end of any path.
fn test_of(span: &str, is_path: bool) -> Option<&str> {
    let (path, name) = span.rsplit_once("::").unwrap_or(("", span));
    let is_name = name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    let is_test = name.matches('_').count() > 2 || (is_path && !path.is_empty());
    (is_name && is_test).then_some(name)
}

fn docs() -> Vec<PathBuf> {
    files::all().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The targets of links into this repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.is_empty() && !target.contains(' '))
}

/// The texts between single backquotes, outside of code blocks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2))
}

/// The anchors of a page's headings, as GitHub makes them.
fn headings(text: &str) -> HashSet<String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let letters = title.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
        letters.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    };
    lines.map(anchor).collect()
}
