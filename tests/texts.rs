//! The texts of the repository: words, names of tests, references of the docs, messages.

/// The files that the checks read.
mod files;
/// `docs/messages.txt` lists every message.
mod messages;
/// The docs name files and tests that exist.
mod references;
/// Test names have at most 60 characters.
mod test_names;
/// No file uses a word that the glossary rejects.
mod words;
