//! The figures of one or several runs, in a JSON file.

use crate::{Result, figure::Figure, machine};
use serde::{Deserialize, Serialize};
use std::{fs, io::ErrorKind, path::Path};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    /// The machine of the newest figures.
    pub machine: String,
    pub figures: Vec<Figure>,
}

impl Results {
    /// Loads the file. A missing file is empty.
    ///
    /// # Errors
    ///
    /// If the file can't be read or parsed.
    pub fn load(path: &Path) -> Result<Self> {
        match fs::read(path) {
            Ok(json) => serde_json::from_slice(&json).map_err(|error| format!("{}: {error}", path.display()).into()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display()).into()),
        }
    }

    /// Adds new figures. They replace all older figures of the same contenders in the same cases.
    pub fn merge(&mut self, new: impl IntoIterator<Item = Figure>) {
        let new: Vec<_> = new.into_iter().collect();
        let key = |figure: &Figure| (figure.case.clone(), figure.contender.clone());
        let measured: Vec<_> = new.iter().map(key).collect();
        self.figures.retain(|old| !measured.contains(&key(old)));
        self.figures.extend(new);
        self.machine = machine::describe();
    }

    /// Replaces the file.
    ///
    /// # Errors
    ///
    /// If the file can't be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        let new = path.with_extension("new");
        fs::write(&new, json)
            .and_then(|()| fs::rename(&new, path))
            .map_err(|error| format!("{}: {error}", path.display()).into())
    }
}

/// Adds figures to a file immediately, so that an interrupted run preserves them.
///
/// # Errors
///
/// If the file can't be read or written.
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
    fn merge_replaces_older_figures_of_the_same_contender() {
        let mut results = Results::default();
        results.merge([figure("xfs", "a", 1.0), figure("xfs", "b", 2.0), figure("ext4", "a", 5.0)]);
        results.merge([figure("xfs", "a", 3.0), figure("xfs", "c", 4.0)]);
        let expected =
            [figure("xfs", "b", 2.0), figure("ext4", "a", 5.0), figure("xfs", "a", 3.0), figure("xfs", "c", 4.0)];
        assert_eq!(results.figures, expected);
    }

    #[test]
    fn figure_without_a_disk_round_trips() {
        // The format before several disks were measured.
        let old = r#"{"workload":"text","bytes":1024,"circumstance":""}"#;
        let case: Case = serde_json::from_str(old).expect("a case");
        assert_eq!((case.disk.as_str(), serde_json::to_string(&case).expect("JSON").as_str()), ("", old));
    }
}
