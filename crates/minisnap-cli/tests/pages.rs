//! Completions, man pages, and the help.

use crate::kit::{Ran, STORE, folder};
use std::{
    fs,
    process::{Command, Stdio},
};

/// All commands, by the help.
fn commands() -> Vec<String> {
    let help = folder().run(&["--help"]).ok();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<_> = commands
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().expect("a name").to_owned())
        .collect();
    assert!(commands.len() > 8, "{help}");
    commands
}

#[test]
fn every_shell_gets_a_script_that_knows_every_command() {
    let place = folder();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.run(&["completions", shell]).ok();
        for command in commands() {
            assert!(script.contains(&command), "{shell} doesn't know {command}");
        }
    }
    assert_eq!(place.run(&["completions", "command.com"]).code, Some(64));
}

#[test]
fn bash_completes_commands_with_its_script() {
    let place = folder();
    let script = place.write("completions", place.run(&["completions", "bash"]).ok());
    let ask = format!(
        "source '{script}'; COMP_WORDS=(minisnap ver); COMP_CWORD=1; _minisnap minisnap ver minisnap; echo \"${{COMPREPLY[@]}}\""
    );
    let mut bash = Command::new("bash");
    bash.args(["-c", &ask]).stdin(Stdio::null());
    assert_eq!(Ran::of(bash.output().expect("bash")).ok(), "verify\n");
}

#[test]
fn there_is_a_man_page_and_one_for_each_command() {
    let place = folder();
    let page = place.run(&["man"]).ok();
    assert!(page.contains(".TH minisnap 1") && page.contains("Exit codes:"), "{page}");
    place.run(&["man", "pages/man1"]).ok();
    for command in commands().into_iter().filter(|command| command != "help") {
        let name = format!("minisnap-{command}");
        let page = fs::read_to_string(place.path(&format!("pages/man1/{name}.1"))).expect("a page");
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
    }
    let blocked = place.write("file", "");
    assert!(place.run(&["man", &blocked]).fails(9).contains(&blocked));
}

#[test]
fn the_help_lists_every_exit_code_and_a_mistake_has_one_of_its_own() {
    let place = folder();
    let help = place.run(&["--help"]).ok();
    for code in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 64, 130, 141, 143] {
        assert!(help.lines().any(|line| line.starts_with(&format!("  {code:3}  "))), "{code}: {help}");
    }
    assert!(place.run(&["--version"]).ok().starts_with("minisnap "));
    for mistake in [
        &["shw"][..],
        &[],
        &["show"],
        &["create", STORE],
        &["create", STORE, "--seq", "-1"],
        &["create", STORE, "--seq", "1", "--retain", "0"],
    ] {
        let ran = place.run(mistake);
        assert_eq!(ran.code, Some(64), "{mistake:?}: {ran:?}");
        assert!(
            ran.stdout.is_empty() && ran.stderr.contains("Usage: minisnap") | ran.stderr.contains("--help"),
            "{ran:?}"
        );
    }
    for command in commands() {
        place.run(&["help", &command]).ok();
    }
}
