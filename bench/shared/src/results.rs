//! What came out of one run or of several, as JSON in a file.

use crate::{Result, figure::Figure, machine};
use serde::{Deserialize, Serialize};
use std::{fs, io::ErrorKind, path::Path};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    /// On what the newest was measured.
    pub machine: String,
    pub figures: Vec<Figure>,
}

impl Results {
    /// What is in the file; nothing, if there is none yet.
    ///
    /// # Errors
    ///
    /// When it can't be read.
    pub fn load(path: &Path) -> Result<Self> {
        match fs::read(path) {
            Ok(json) => serde_json::from_slice(&json).map_err(|error| format!("{}: {error}", path.display()).into()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display()).into()),
        }
    }

    /// Adds new ones, in the place of all that was measured before of the same contenders in the same cases.
    pub fn merge(&mut self, new: impl IntoIterator<Item = Figure>) {
        let new: Vec<_> = new.into_iter().collect();
        let of_whom = |figure: &Figure| (figure.case.clone(), figure.contender.clone());
        let measured: Vec<_> = new.iter().map(of_whom).collect();
        self.figures.retain(|old| !measured.contains(&of_whom(old)));
        self.figures.extend(new);
        self.machine = machine::describe();
    }

    /// Replaces the file.
    ///
    /// # Errors
    ///
    /// When it can't be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        let new = path.with_extension("new");
        fs::write(&new, json)
            .and_then(|()| fs::rename(&new, path))
            .map_err(|error| format!("{}: {error}", path.display()).into())
    }
}

/// Adds what was measured to a file, at once, so that a run that is cut short leaves what it has.
///
/// # Errors
///
/// When the file can't be read or written.
pub fn add(path: &Path, new: impl IntoIterator<Item = Figure>) -> Result<()> {
    let mut results = Results::load(path)?;
    results.merge(new);
    results.save(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Case, Unit};

    fn figure(disk: &str, contender: &str, value: f64) -> Figure {
        Figure {
            case: Case { disk: disk.into(), workload: "registry".into(), bytes: 1024, circumstance: String::new() },
            contender: contender.into(),
            operation: "create".into(),
            unit: Unit::Seconds,
            values: vec![value],
            note: None,
        }
    }

    #[test]
    fn what_is_measured_again_takes_the_place_of_what_was_and_the_rest_stays() {
        let mut results = Results::default();
        results.merge([figure("xfs", "a", 1.0), figure("xfs", "b", 2.0), figure("ext4", "a", 5.0)]);
        results.merge([figure("xfs", "a", 3.0), figure("xfs", "c", 4.0)]);
        let expected =
            [figure("xfs", "b", 2.0), figure("ext4", "a", 5.0), figure("xfs", "a", 3.0), figure("xfs", "c", 4.0)];
        assert_eq!(results.figures, expected);
    }

    #[test]
    fn figures_without_a_disk_are_read_and_stay_without_one() {
        // As they were written before there were several disks.
        let old = r#"{"workload":"text","bytes":1024,"circumstance":""}"#;
        let case: Case = serde_json::from_str(old).expect("a case");
        assert_eq!((case.disk.as_str(), serde_json::to_string(&case).expect("JSON").as_str()), ("", old));
    }
}
