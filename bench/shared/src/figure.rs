//! One thing that was measured: a cell of a table, a point of a plot.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What was measured where, once in each round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub case: Case,
    pub contender: String,
    /// What was measured, as it stands over its column: `create`.
    pub operation: String,
    pub unit: Unit,
    /// One of each round; none if it couldn't be done, and then the note says why.
    pub values: Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What has a table of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The disk's name: `ext4, 2 ms a flush`. Empty where no disk is a part of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub disk: String,
    pub workload: String,
    /// Of its JSON, about.
    pub bytes: usize,
    /// What is special: `8 writers`. Empty if nothing is.
    pub circumstance: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Seconds,
    /// In seconds, too, but ratios of it say nothing.
    Lateness,
    Bytes,
    PerSecond,
    /// How many times as long as something that the operation names.
    Times,
}

impl Figure {
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        (!self.values.is_empty()).then(|| median(self.values.clone()))
    }

    /// Whether `other` is of the same cell.
    #[must_use]
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        (&self.case, &self.contender, &self.operation) == (&other.case, &other.contender, &other.operation)
    }
}

/// The one in the middle; of an even number, the larger one of the two.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

/// The value that this part of the others is below.
///
/// # Panics
///
/// If there is none.
pub fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[((values.len() as f64 * part) as usize).min(values.len() - 1)]
}

/// The median of times, in seconds.
///
/// # Panics
///
/// If there is none.
pub fn median_seconds(times: &[Duration]) -> f64 {
    median(times.iter().map(Duration::as_secs_f64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle_and_the_last_quantile_the_largest() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![1.0, 2.0]), 2.0);
        let thousand: Vec<_> = (0..1000).map(f64::from).collect();
        assert_eq!(quantile(thousand.clone(), 0.999), 999.0);
        assert_eq!(quantile(thousand, 1.0), 999.0);
    }
}
