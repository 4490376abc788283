//! The files of this crate depend on each other in one direction: as in the picture in `docs/design.md`, where each imports only
//! from rows below its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The rows of the picture, from the top, each with its modules.
fn rows(design: &str) -> Vec<BTreeSet<String>> {
    let (_, after) = design.split_once("### The files of the crate\n").expect("the heading");
    let picture = after.split("```").nth(1).expect("the picture");
    let modules = |line: &str| {
        let (modules, _) = line.split_once("  │").expect("modules, a bar, and words about them");
        modules.split_whitespace().map(str::to_owned).collect()
    };
    picture.lines().skip(1).filter(|line| !line.is_empty()).map(modules).collect()
}

/// The product's modules, with those that each imports from.
fn imports(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut imports: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    let mut todo = vec![(source.to_path_buf(), None)];
    while let Some((folder, of)) = todo.pop() {
        for entry in fs::read_dir(folder).expect("the sources") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
            let module = of.clone().unwrap_or_else(|| name.clone());
            if ["lib", "fuzzing", "crash_tests", "fault_tests"].contains(&&*module) {
                continue;
            }
            if path.is_dir() {
                todo.push((path, Some(name)));
                continue;
            }
            let text = fs::read_to_string(&path).expect("text");
            let product = text.split("#[cfg(test)]\nmod tests").next().expect("a first part");
            imports.entry(module.clone()).or_default().extend(modules_in(product).filter(|other| *other != module));
        }
    }
    imports
}

/// What comes after `crate::` in a file: a path's first part, or each of a list's.
fn modules_in(source: &str) -> impl Iterator<Item = String> {
    let without_comments: String = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let mut modules = Vec::new();
    for after in without_comments.split("crate::").skip(1) {
        let Some(list) = after.strip_prefix('{') else {
            modules.push(after.to_owned());
            continue;
        };
        let mut depth = 0;
        let mut end = |char| {
            depth += i32::from(char == '{') - i32::from(char == '}');
            depth < 0 || depth == 0 && char == ','
        };
        let mut rest = list;
        while let Some(at) = rest.find(&mut end) {
            modules.push(rest[..at].trim().to_owned());
            if rest[at..].starts_with('}') {
                break;
            }
            rest = &rest[at + 1..];
        }
    }
    let is_part = |char: char| char.is_ascii_lowercase() || char == '_';
    let first = move |path: String| path.chars().take_while(|char| is_part(*char)).collect::<String>();
    modules.into_iter().map(first).filter(|name| !["", "crash_tests", "fault_tests"].contains(&&**name))
}

#[test]
fn each_file_imports_only_from_rows_below_its_own() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rows = rows(&fs::read_to_string(package.join("../../docs/design.md")).expect("the page"));
    let imports = imports(&package.join("src"));
    let drawn: Vec<_> = rows.iter().flatten().collect();
    assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), drawn.len(), "drawn twice");
    assert_eq!(
        drawn.into_iter().collect::<BTreeSet<_>>(),
        imports.keys().collect(),
        "each file is drawn, and no other"
    );
    let row = |module: &str| rows.iter().position(|row| row.contains(module)).expect("it is drawn");
    for (module, others) in &imports {
        for other in others {
            assert!(row(module) < row(other), "{module}.rs imports from {other}.rs, which isn't below it");
        }
    }
    assert!(imports["commit"].contains("settle") && imports["sys"].is_empty(), "nothing was read: {imports:?}");
}

#[test]
fn imports_are_found_in_paths_and_in_lists() {
    let source =
        "use crate::{\n    a::{self, B},\n    c,\n};\nuse crate::d::E; // crate::not\nfn f() { crate::g::h() }";
    assert_eq!(modules_in(source).collect::<Vec<_>>(), ["a", "c", "d", "g"]);
}
