//! One contender's turn, in its own process, so that its memory is measured separately.

use crate::job::Job;
use serde::{Deserialize, Serialize};
use shared::{
    Result,
    figure::{Case, Figure, Unit},
    progress,
    workload::{Floats, Registry, Text, Workload},
};
use std::{env, path::Path, process::Command};

/// The argument that makes this program take a turn.
pub const TURN: &str = "--turn";

/// The job, the contender and the workload of a turn.
#[derive(Debug, Serialize, Deserialize)]
pub struct Turn {
    pub job: Job,
    pub contender: String,
    pub workload: String,
    pub bytes: usize,
}

/// A measured value.
#[derive(Debug, Serialize, Deserialize)]
pub struct Measured {
    pub operation: String,
    pub unit: Unit,
    pub value: f64,
}

impl Measured {
    pub fn seconds(operation: &str, value: f64) -> Self {
        Self { operation: operation.into(), unit: Unit::Seconds, value }
    }

    /// Adds the value to its figure.
    pub fn add_to(self, figures: &mut Vec<Figure>, case: &Case, contender: &str) {
        let Self { operation, unit, value } = self;
        let contender = contender.to_owned();
        let new = Figure { case: case.clone(), contender, operation, unit, values: vec![value], note: None };
        match figures.iter_mut().find(|figure| figure.is_same_cell(&new)) {
            Some(figure) => figure.values.push(value),
            None => figures.push(new),
        }
    }
}

/// Records the reason why a contender can't do its job.
pub fn add_failure(figures: &mut Vec<Figure>, case: &Case, turn: &Turn, reason: String) {
    let operation = turn.job.operation();
    let contender = turn.contender.clone();
    let (unit, note) = (turn.job.unit(), Some(reason));
    let new = Figure { case: case.clone(), contender, operation: operation.into(), unit, values: Vec::new(), note };
    match figures.iter_mut().find(|figure| figure.is_same_cell(&new)) {
        Some(figure) => figure.note = new.note,
        None => figures.push(new),
    }
}

impl Turn {
    /// Runs the turn in a new process, in a new folder in `parent`. The inner error is one line: why the contender failed.
    pub fn run_in_process(&self, parent: &Path) -> Result<Result<Vec<Measured>, String>> {
        let folder = tempfile::tempdir_in(parent)?;
        let mut command = Command::new(env::current_exe()?);
        let output = command.arg(TURN).arg(serde_json::to_string(self)?).arg(folder.path()).output()?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let reason = stderr.lines().next().map_or_else(|| output.status.to_string(), |line| line.replace('|', "/"));
            progress::clear();
            eprintln!("{}, {}: {}", self.contender, self.job.name(), stderr.trim());
            return Ok(Err(reason));
        }
        Ok(Ok(serde_json::from_slice(&output.stdout)?))
    }
}

/// Takes a turn in this process, and prints the values as JSON.
pub fn take_and_print(turn: &str, folder: &Path) -> Result<()> {
    let turn: Turn = serde_json::from_str(turn)?;
    let measured = match &*turn.workload {
        Registry::NAME => turn.job.take::<Registry>(&turn, folder),
        Floats::NAME => turn.job.take::<Floats>(&turn, folder),
        Text::NAME => turn.job.take::<Text>(&turn, folder),
        other => Err(format!("no workload {other:?}").into()),
    }?;
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}
