//! Compares saving and restoring a state with minisnap and with its alternatives: `docs/performance.md`.
//!
//! ```console
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin compare -- --folder DIR               # everything
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin compare -- --folder DIR 1MiB registry
//! ```
//!
//! 1. For each case, run rounds in which each contender takes a turn in its own process. So a disturbance of the machine
//!    affects all contenders.
//! 2. Print the medians over the rounds, with their ratios to minisnap's.
//! 3. Add them to a file, and plot the file.
//!
//! `arguments.rs` has all options.

mod arguments;
mod by_hand;
mod contender;
mod job;
mod load;
mod memory;
mod plan;
mod plots;
mod turn;

use arguments::Arguments;
use plan::Plan;
use shared::{
    Result,
    disk::Disk,
    figure::{Case, Figure},
    progress,
    results::{self, Results},
    summary, table,
};
use std::{env, process::ExitCode};
use turn::Turn;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    shared::end(match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [turn::TURN, turn, folder] => turn::take_and_print(turn, folder.as_ref()),
        [load::SPIN, threads] => load::spin(threads),
        arguments => Arguments::parse(arguments).and_then(run),
    })
}

fn run(arguments: Arguments) -> Result<()> {
    if let Some(file) = &arguments.from {
        return show(&arguments, Results::load(file)?.figures);
    }
    let plans = plan::of(&arguments);
    let Arguments { json, plots, disk, .. } = arguments;
    let disk = disk.find()?;
    let mut all = Vec::new();
    for plan in plans {
        // 1.
        let figures = measure(&plan, &disk)?;
        // 2.
        print!("{}", table::all(&figures));
        // 3.
        if let Some(file) = &json {
            results::add(file, figures.clone())?;
        }
        all.extend(figures);
    }
    if let Some(folder) = plots {
        let stored = json.map(|file| Results::load(&file)).transpose()?;
        plots::draw(&folder, &stored.map_or(all, |stored| stored.figures), Some(&disk.name))?;
    }
    Ok(())
}

/// Prints and plots stored figures.
fn show(arguments: &Arguments, mut stored: Vec<Figure>) -> Result<()> {
    stored.retain(|figure| arguments.select(figure));
    print!("{}", if arguments.summary { summary::all(&stored) } else { table::all(&stored) });
    let disk = arguments.disk.name();
    arguments.plots.as_ref().map_or(Ok(()), |folder| plots::draw(folder, &stored, disk))
}

fn measure(plan: &Plan, disk: &Disk) -> Result<Vec<Figure>> {
    let case = Case {
        disk: disk.name.clone(),
        workload: plan.workload.into(),
        bytes: plan.bytes,
        circumstance: plan.job.circumstance().into(),
    };
    let contenders = plan.contenders();
    let mut figures = Vec::new();
    for round in 1..=plan.rounds {
        for contender in &contenders {
            progress::show(&format!(
                "{}, {}, {}: round {round} of {}, {contender}",
                disk.name,
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
            match turn.run_in_process(&disk.folder)? {
                Ok(measured) => {
                    measured.into_iter().for_each(|measured| measured.add_to(&mut figures, &case, contender));
                }
                Err(reason) => turn::add_failure(&mut figures, &case, &turn, reason),
            }
        }
    }
    progress::clear();
    // In the order of the contenders, also if one failed in the first round.
    figures.sort_by_key(|figure| contenders.iter().position(|name| *name == figure.contender));
    Ok(figures)
}
