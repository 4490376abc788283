//! Saving and restoring a state, beside what one would use instead: `docs/performance.md`.
//!
//! ```console
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin compare -- --folder DIR               # from the root: all of it
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin compare -- --folder DIR 1MiB registry
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
        [turn::TURN, turn, folder] => turn::take_and_tell(turn, folder.as_ref()),
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

/// Prints, and draws, what was measured before.
fn show(arguments: &Arguments, mut stored: Vec<Figure>) -> Result<()> {
    stored.retain(|figure| arguments.are_about(figure));
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
            match turn.in_a_process(&disk.folder)? {
                Ok(measured) => {
                    measured.into_iter().for_each(|measured| measured.add_to(&mut figures, &case, contender));
                }
                Err(why) => turn::add_failure(&mut figures, &case, &turn, why),
            }
        }
    }
    progress::clear();
    // In the order of the contenders, also if one of them failed at first.
    figures.sort_by_key(|figure| contenders.iter().position(|name| *name == figure.contender));
    Ok(figures)
}
