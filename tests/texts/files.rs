//! The text files of the repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders without hand-written text: build output, samples, generated files.
const SKIPPED: [&str; 9] = [".git", "target", "state", "data", "seeds", "corpus", "artifacts", "api", "mutants.out"];

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a folder of the repository")
}

/// The paths of all text files, relative to the root, sorted.
pub(crate) fn all() -> Vec<PathBuf> {
    let mut found = Vec::new();
    list(root(), &mut found);
    found.sort();
    found
}

/// The paths of all Rust files, relative to the root, sorted.
pub(crate) fn rust() -> Vec<PathBuf> {
    all().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The text of a file; the path is relative to the root.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap_or_default());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            list(&path, found);
        } else if kind.is_file() && is_text(&name) {
            found.push(path.strip_prefix(root()).unwrap().to_path_buf());
        }
    }
}

/// Whether a file of this name is written by hand.
fn is_text(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    match extension {
        None => !name.starts_with("LICENSE") && !name.starts_with(".git"), // scripts
        Some(extension) => ["rs", "md", "toml", "yml", "patch", "txt"].contains(&extension),
    }
}
