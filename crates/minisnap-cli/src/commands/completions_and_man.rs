//! `minisnap completions` and `minisnap man`: generated from the definition of the command line.

use crate::{
    args::{Cli, CompletionsArgs, ManArgs},
    exit::{Exit, Failure, Outcome},
    stdio,
};
use clap::CommandFactory;
use clap_mangen::Man;
use std::{fs, io};

pub(crate) fn completions(args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "minisnap", &mut script);
    stdio::print_raw(&script)
}

pub(crate) fn man(args: &ManArgs) -> Outcome {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page).map_err(stdio::failed)?;
        return stdio::print_raw(&page);
    };
    let cannot = |error: io::Error| {
        Failure::new(Exit::LocalFile, format!("cannot write man pages to {}", dir.display()))
            .with_cause(&error)
            .with_help("check the folder and its permissions")
    };
    fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(Cli::command(), dir)).map_err(cannot)
}
