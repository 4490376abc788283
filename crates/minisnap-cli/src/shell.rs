//! Shell commands for messages: quoted, and with the store and its options from the command line, so that they can be pasted.

use std::{
    ffi::{OsStr, OsString},
    fmt::Write,
    os::unix::ffi::OsStrExt,
};

/// An option whose name contains one of these words is a secret, which is not printed.
const SECRET: [&str; 7] = ["secret", "key", "token", "password", "sas", "credential", "service_account"];

/// A store and its options, as they are on the command line.
#[derive(Debug, Clone)]
pub(crate) struct ShellStore {
    store: OsString,
    options: Vec<(String, String)>,
}

impl ShellStore {
    pub(crate) fn new(store: &OsStr, options: &[(String, String)]) -> Self {
        Self { store: store.into(), options: options.to_vec() }
    }

    /// A command about this store, in backticks: `` `minisnap show 'my state'` ``. Repeats the options that are no secrets.
    pub(crate) fn command(&self, command: &str, rest: &[&str]) -> String {
        let mut line = format!("minisnap {command} {}", word(&self.store));
        self.add_options(&mut line, "--option");
        add_words(&mut line, rest);
        format!("`{line}`")
    }

    /// A copy from this store to `to`, in backticks.
    pub(crate) fn copy_command(&self, to: &Self, rest: &[&str]) -> String {
        let mut line = format!("minisnap copy {} {}", word(&self.store), word(&to.store));
        self.add_options(&mut line, "--from-option");
        to.add_options(&mut line, "--to-option");
        add_words(&mut line, rest);
        format!("`{line}`")
    }

    fn add_options(&self, line: &mut String, flag: &str) {
        for (name, value) in &self.options {
            let is_secret = SECRET.iter().any(|secret| name.to_ascii_lowercase().contains(secret));
            // A URL with an `@` may hold a password.
            if !is_secret && !value.contains('@') {
                let _ = write!(line, " {flag} {}", quoted(format!("{name}={value}").as_ref()));
            }
        }
    }
}

fn add_words(line: &mut String, words: &[&str]) {
    for word in words {
        let _ = write!(line, " {}", quoted(word.as_ref()));
    }
}

/// A path as a word that isn't parsed as an option.
fn word(path: &OsStr) -> String {
    match path.as_bytes().first() {
        Some(b'-') => quoted(&[OsStr::new("./"), path].join(OsStr::new(""))),
        _ => quoted(path),
    }
}

/// One word of a shell's command line: unchanged if it needs no quotes; in quotes; or, if it has bytes that a terminal can't
/// show, as `$'…'` for bash, zsh and ksh.
pub(crate) fn quoted(word: &OsStr) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+:=,@%".contains(byte);
    let is_shown = |text: &&str| !text.contains(char::is_control) && !text.contains('`');
    match word.to_str().filter(is_shown) {
        Some(text) if !text.is_empty() && text.bytes().all(|byte| is_plain(&byte)) => text.into(),
        Some(text) => format!("'{}'", text.replace('\'', r"'\''")),
        None => {
            let mut quoted = String::from("$'");
            for byte in word.as_bytes() {
                let _ = match byte {
                    b'\'' | b'\\' => write!(quoted, "\\{}", char::from(*byte)),
                    b' '..=b'~' if *byte != b'`' => write!(quoted, "{}", char::from(*byte)),
                    // Three digits, so that a following digit is not part of the escape.
                    byte => write!(quoted, "\\{byte:03o}"),
                };
            }
            quoted + "'"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Bash parses each quoted word back to the same bytes.
    #[test]
    fn quoted_word_round_trips_through_bash() {
        let words: [&[u8]; 9] = [
            b"state",
            b"my state",
            b"it's",
            b"",
            b"a\nb",
            b"caf\xe97",
            "\u{e9}t\u{e9} $HOME".as_bytes(),
            b"`id`",
            b"back\\slash\x01'",
        ];
        for bytes in words {
            let word = OsStr::from_bytes(bytes);
            let script = format!("printf %s {}", quoted(word));
            let printed = Command::new("bash").args(["-c", &script]).output().expect("bash");
            assert_eq!(printed.stdout, bytes, "{script}");
            assert!(!quoted(word).contains('\n'), "{script}: one line");
        }
    }

    #[test]
    fn command_repeats_options_but_no_secrets() {
        let options = [("busy_timeout", "5"), ("secret_access_key", "word"), ("endpoint", "http://a:word@host")];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let store = ShellStore::new("my state".as_ref(), &options);
        assert_eq!(store.command("show", &["--json"]), "`minisnap show 'my state' --option busy_timeout=5 --json`");
        assert_eq!(ShellStore::new("-x".as_ref(), &[]).command("show", &[]), "`minisnap show ./-x`");
    }
}
