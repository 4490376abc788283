//! Checks that the picture of this crate's files in `docs/design.md` is accurate: each file imports only from rows below its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The rows of the picture from the top, each with its modules.
fn rows(design: &str) -> Vec<BTreeSet<String>> {
    let (_, after) = design.split_once("### The files of the crate\n").expect("the heading");
    let picture = after.split("```").nth(1).expect("the picture");
    let modules = |line: &str| {
        let (modules, _) = line.split_once("  │").expect("modules, a bar, and a description");
        modules.split_whitespace().map(str::to_owned).collect()
    };
    picture.lines().skip(1).filter(|line| !line.is_empty()).map(modules).collect()
}

/// The modules of the crate without its tests, each with the modules that it imports from.
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

/// The modules after each `crate::` in a source file: the first part of a path, or of each path in a list.
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
    let listed: Vec<_> = rows.iter().flatten().collect();
    assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), listed.len(), "listed twice");
    assert_eq!(
        listed.into_iter().collect::<BTreeSet<_>>(),
        imports.keys().collect(),
        "the picture has exactly the files of the crate"
    );
    let row = |module: &str| rows.iter().position(|row| row.contains(module)).expect("it is in the picture");
    for (module, others) in &imports {
        for other in others {
            assert!(row(module) < row(other), "{module}.rs imports from {other}.rs, which isn't below it");
        }
    }
    assert!(
        imports["commit"].contains("public_links") && imports["sys"].is_empty(),
        "the imports were not read: {imports:?}"
    );
}

#[test]
fn imports_are_found_in_paths_and_in_lists() {
    let source =
        "use crate::{\n    a::{self, B},\n    c,\n};\nuse crate::d::E; // crate::not\nfn f() { crate::g::h() }";
    assert_eq!(modules_in(source).collect::<Vec<_>>(), ["a", "c", "d", "g"]);
}
