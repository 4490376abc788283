//! Completions, man pages, and the help.

use crate::support::{RunResult, STORE, folder};
use std::{
    fs,
    process::{Command, Stdio},
};

/// All commands that the help lists.
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
fn completion_script_of_each_shell_has_every_command() {
    let sandbox = folder();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = sandbox.run(&["completions", shell]).ok();
        for command in commands() {
            assert!(script.contains(&command), "{shell} doesn't know {command}");
        }
    }
    assert_eq!(sandbox.run(&["completions", "command.com"]).code, Some(64));
}

#[test]
fn bash_completes_commands_with_its_script() {
    let sandbox = folder();
    let script = sandbox.write("completions", sandbox.run(&["completions", "bash"]).ok());
    let ask = format!(
        "source '{script}'; COMP_WORDS=(minisnap ver); COMP_CWORD=1; _minisnap minisnap ver minisnap; echo \"${{COMPREPLY[@]}}\""
    );
    let mut bash = Command::new("bash");
    bash.args(["-c", &ask]).stdin(Stdio::null());
    assert_eq!(RunResult::of(bash.output().expect("bash")).ok(), "verify\n");
}

#[test]
fn man_writes_a_page_for_each_command() {
    let sandbox = folder();
    let page = sandbox.run(&["man"]).ok();
    assert!(page.contains(".TH minisnap 1") && page.contains("Exit codes:"), "{page}");
    sandbox.run(&["man", "pages/man1"]).ok();
    for command in commands().into_iter().filter(|command| command != "help") {
        let name = format!("minisnap-{command}");
        let page = fs::read_to_string(sandbox.path(&format!("pages/man1/{name}.1"))).expect("a page");
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
    }
    let blocked = sandbox.write("file", "");
    assert!(sandbox.run(&["man", &blocked]).fails(9).contains(&blocked));
}

#[test]
fn help_lists_every_exit_code_and_usage_errors_exit_64() {
    let sandbox = folder();
    let help = sandbox.run(&["--help"]).ok();
    for code in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 64, 130, 141, 143] {
        assert!(help.lines().any(|line| line.starts_with(&format!("  {code:3}  "))), "{code}: {help}");
    }
    assert!(sandbox.run(&["--version"]).ok().starts_with("minisnap "));
    for mistake in [
        &["shw"][..],
        &[],
        &["show"],
        &["create", STORE],
        &["create", STORE, "--seq", "-1"],
        &["create", STORE, "--seq", "1", "--retain", "0"],
    ] {
        let result = sandbox.run(mistake);
        assert_eq!(result.code, Some(64), "{mistake:?}: {result:?}");
        assert!(
            result.stdout.is_empty() && result.stderr.contains("Usage: minisnap") | result.stderr.contains("--help"),
            "{result:?}"
        );
    }
    for command in commands() {
        sandbox.run(&["help", &command]).ok();
    }
}
