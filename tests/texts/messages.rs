//! `docs/messages.txt` lists every message of the library and the tool, so that a reviewer reads them in one sitting.
//!
//! The list holds each text literal of product code that has two words or more, and the help of the tool's commands and options.
//! After a change: `UPDATE_MESSAGES=1 cargo test --package minisnap-tests messages`.

use super::files;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

const LIST: &str = "docs/messages.txt";
const INTRODUCTION: &str = "\
# Every message of the library and the tool, for review: each text of two words or more in product code, file by file.
# {} stands for a value. A line of a longer text may be one of several parts. Written by tests/texts/messages.rs.
";

#[test]
fn messages_txt_lists_every_message() {
    let mut list = INTRODUCTION.to_owned();
    for path in product_files() {
        let tokens: TokenStream =
            files::read(&path).parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut messages = Vec::new();
        collect(tokens, is_help(&path), &mut messages);
        if !messages.is_empty() {
            list += &format!("\n{}\n", path.display());
            messages.iter().for_each(|message| list += &format!("    {}\n", message.trim().replace('\n', "\\n")));
        }
    }
    if env::var_os("UPDATE_MESSAGES").is_some() {
        fs::write(files::root().join(LIST), &list).unwrap();
    }
    let listed = files::read(Path::new(LIST));
    let differs = list.lines().find(|line| !listed.lines().any(|of| of == *line));
    let stale = listed.lines().find(|line| !list.lines().any(|of| of == *line));
    assert!(
        list == listed,
        "{LIST} isn't up to date: UPDATE_MESSAGES=1 cargo test --package minisnap-tests messages\nnew: {differs:?}\nold: {stale:?}"
    );
}

#[test]
fn messages_are_collected_without_tests_and_comments() {
    let code = r#"
        /// A comment on it.
        #[error("can't read {path}")]
        fn f() { g("two words"); h(format!("three {} words \
            here", 1)); k("one"); }
        #[cfg(test)]
        mod tests { fn f() { panic!("not a message"); } }
    "#;
    let mut messages = Vec::new();
    collect(code.parse().unwrap(), false, &mut messages);
    assert_eq!(messages, ["can't read {path}", "two words", "three {} words here"]);
}

/// The files of product code: sources of the released crates, without their tests.
fn product_files() -> Vec<PathBuf> {
    let is_test = |part: &str| part.contains("test") || part == "interleavings.rs" || part == "fuzzing.rs";
    let is_product = |path: &PathBuf| {
        let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        let source = match *parts.as_slice() {
            ["src", ref rest @ ..] | ["crates", _, "src", ref rest @ ..] => rest.to_vec(),
            _ => return false,
        };
        !source.iter().any(|part| is_test(part))
    };
    files::rust().into_iter().filter(is_product).collect()
}

/// Whether doc comments of a file are printed, by the tool's `--help`.
fn is_help(path: &Path) -> bool {
    path.starts_with("crates/minisnap-cli/src/args") || path.ends_with("minisnap-cli/src/args.rs")
}

/// Collects the messages in code, but not in tests; in doc comments only if `help`.
fn collect(tokens: TokenStream, help: bool, messages: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                if let Some(TokenTree::Punct(_)) = tokens.peek() {
                    tokens.next(); // the mark of an inner attribute
                }
                let Some(TokenTree::Group(attribute)) = tokens.next() else { continue };
                let text = attribute.stream().to_string();
                if text.starts_with("cfg") && text.contains("(test)") {
                    skip_item(&mut tokens);
                } else if help || !text.starts_with("doc") {
                    collect(attribute.stream(), help, messages);
                }
            }
            TokenTree::Group(group) => collect(group.stream(), help, messages),
            TokenTree::Literal(literal) => {
                let text = syn::parse_str::<syn::LitStr>(&literal.to_string()).map(|text| text.value());
                messages.extend(text.ok().filter(|text| is_message(text)));
            }
            TokenTree::Punct(_) | TokenTree::Ident(_) => {}
        }
    }
}

/// Skips an item: through its block or its semicolon.
fn skip_item(tokens: &mut impl Iterator<Item = TokenTree>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            TokenTree::Punct(mark) if mark.as_char() == ';' => return,
            _ => {}
        }
    }
}

/// Whether a text has two words or more.
fn is_message(text: &str) -> bool {
    let is_word = |word: &&str| word.chars().filter(|letter| letter.is_alphabetic()).count() > 1;
    text.split_whitespace().filter(is_word).count() > 1
}
