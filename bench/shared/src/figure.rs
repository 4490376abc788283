//! A measured quantity: a cell of a table, a point of a plot.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A quantity with its values, one of each round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub case: Case,
    pub contender: String,
    /// The measured operation, which is the header of its column: `create`.
    pub operation: String,
    pub unit: Unit,
    /// One value of each round. Empty if the contender can't do the operation; then `note` is the reason.
    pub values: Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The circumstances of a measurement. Each case has its own table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The disk's name: `ext4, 2 ms a flush`. Empty if no disk is involved.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub disk: String,
    pub workload: String,
    /// The approximate size of the JSON.
    pub bytes: usize,
    /// A special circumstance: `8 writers`. Empty for none.
    pub circumstance: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Seconds,
    /// Seconds, without ratios.
    Lateness,
    Bytes,
    PerSecond,
    /// A multiple of a duration that the operation's name states.
    Times,
}

impl Figure {
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        (!self.values.is_empty()).then(|| median(self.values.clone()))
    }

    /// Whether `other` belongs to the same cell.
    #[must_use]
    pub fn is_same_cell(&self, other: &Self) -> bool {
        (&self.case, &self.contender, &self.operation) == (&other.case, &other.contender, &other.operation)
    }
}

/// The median; for an even number of values, the larger of the two in the middle.
///
/// # Panics
///
/// If there are no values.
#[must_use]
pub fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

/// The quantile of the values; `part` is between 0 and 1.
///
/// # Panics
///
/// If there are no values.
pub fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[((values.len() as f64 * part) as usize).min(values.len() - 1)]
}

/// The median of times, in seconds.
///
/// # Panics
///
/// If there are no values.
pub fn median_seconds(times: &[Duration]) -> f64 {
    median(times.iter().map(Duration::as_secs_f64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_quantiles_are_exact_values() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![1.0, 2.0]), 2.0);
        let thousand: Vec<_> = (0..1000).map(f64::from).collect();
        assert_eq!(quantile(thousand.clone(), 0.999), 999.0);
        assert_eq!(quantile(thousand, 1.0), 999.0);
    }
}
