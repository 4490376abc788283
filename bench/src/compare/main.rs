//! Saving and restoring a state, beside what one would use instead: `docs/performance.md`.
//!
//! ```console
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin compare                # from the root: all of it
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin compare -- 1MiB registry
//! ```
//!
//! 1. For each case, let each contender take a turn in a process of its own, and so on, in rounds: what disturbs the
//!    machine for a while disturbs them all.
//! 2. Take the medians over the rounds, and print them, with the ratios to minisnap's.
//! 3. Add them to a file, and draw what is in it.
//!
//! What else it can be told is in `arguments.rs`.

mod arguments;
mod by_hand;
mod contender;
mod job;
mod memory;
mod plan;
mod plots;
mod slow_fsync;
mod turn;

use arguments::Arguments;
use plan::Plan;
use shared::{
    Result,
    figure::{Case, Figure},
    progress,
    results::{self, Results},
    table,
};
use std::{env, process::ExitCode, time::Duration};
use turn::Turn;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [turn::TURN, turn, folder] => turn::take_and_tell(turn, folder.as_ref()),
        arguments => Arguments::parse(arguments).and_then(run),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    if let Some(file) = &arguments.from {
        let stored = Results::load(file)?.figures;
        print!("{}", table::all(&stored));
        return arguments.plots.map_or(Ok(()), |folder| plots::draw(&folder, &stored));
    }
    let mut all = Vec::new();
    for plan in plan::of(&arguments) {
        // 1.
        let figures = measure(&plan, arguments.slow_fsync)?;
        // 2.
        print!("{}", table::all(&figures));
        // 3.
        if let Some(file) = &arguments.json {
            results::add(file, figures.clone())?;
        }
        all.extend(figures);
    }
    if let Some(folder) = arguments.plots {
        let stored = arguments.json.map(|file| Results::load(&file)).transpose()?;
        plots::draw(&folder, &stored.map_or(all, |stored| stored.figures))?;
    }
    Ok(())
}

fn measure(plan: &Plan, slow_fsync: Option<Duration>) -> Result<Vec<Figure>> {
    let circumstance = match slow_fsync {
        Some(delay) => format!("each fsync {} ms slower", delay.as_millis()),
        None => plan.job.circumstance().into(),
    };
    let case = Case { workload: plan.workload.into(), bytes: plan.bytes, circumstance };
    let mut figures = Vec::new();
    for round in 1..=plan.rounds {
        for contender in plan.job.contenders() {
            progress::show(&format!(
                "{}, {}: round {round} of {}, {contender}",
                plan.workload,
                plan.size(),
                plan.rounds
            ));
            let turn = Turn {
                job: plan.job,
                contender: (*contender).into(),
                workload: plan.workload.into(),
                bytes: plan.bytes,
            };
            match turn.in_a_process(slow_fsync)? {
                Ok(measured) => {
                    measured.into_iter().for_each(|measured| measured.add_to(&mut figures, &case, contender));
                }
                Err(why) => turn::add_failure(&mut figures, &case, &turn, why),
            }
        }
    }
    progress::clear();
    // In the order of the contenders, also if one of them failed at first.
    figures.sort_by_key(|figure| plan.job.contenders().iter().position(|name| *name == figure.contender));
    Ok(figures)
}
