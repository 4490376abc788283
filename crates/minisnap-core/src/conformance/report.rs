//! The report at the end of a run: which guarantees were tested, refused as unsupported, or not tested for want of a hook.

use super::{Capability, Case, Flavour, Hook, StoreUnderTest, cases};
use std::{
    any::type_name,
    collections::BTreeMap,
    fmt,
    io::Write,
    sync::{Mutex, PoisonError},
};

/// What a run of the suite has tested. Its text is printed at the end of the run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The type of the store under test.
    pub store: &'static str,
    /// The tests that passed: the cases' names, each with its runtime.
    pub passed: Vec<(&'static str, Flavour)>,
    /// The tests that failed.
    pub failed: Vec<(&'static str, Flavour)>,
    /// The capabilities that the backend lacks. A case checks that the backend refuses them.
    pub refused: Vec<Capability>,
    /// The size of the largest JSON that the backend stores, in bytes, if it has a limit. If it is 32 MiB or less, a case checks that the
    /// backend refuses a larger JSON.
    pub max_size: Option<usize>,
    /// The hooks that the store doesn't offer. Their cases were not tested.
    pub not_tested: Vec<Hook>,
}

impl Report {
    pub(super) fn new<T: StoreUnderTest>(hooks: &[Hook]) -> Self {
        let not_tested = Hook::ALL.into_iter().filter(|hook| !hooks.contains(hook)).collect();
        let (passed, failed) = Default::default();
        let (refused, max_size) = (T::lacks().to_vec(), T::max_size());
        Self { store: type_name::<T>(), passed, failed, refused, max_size, not_tested }
    }

    pub(super) fn add(&mut self, case: Case, flavour: Flavour, has_passed: bool) {
        if has_passed { &mut self.passed } else { &mut self.failed }.push((case.name(), flavour));
    }
}

/// Prints which guarantees were tested, which were refused as unsupported, and which were not tested.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, passed, failed, refused, max_size, not_tested } = self;
        writeln!(f, "conformance of {store}: {} tests passed, {} failed", passed.len(), failed.len())?;
        let mut groups = BTreeMap::<&str, usize>::new();
        for (name, _) in passed {
            *groups.entry(name.split("::").next().unwrap_or(name)).or_default() += 1;
        }
        let groups: Vec<String> = groups.iter().map(|(group, count)| format!("{group} {count}")).collect();
        writeln!(f, "  tested: {}", groups.join(", "))?;
        for (name, flavour) in failed {
            writeln!(f, "  FAILED: {name} ({flavour})")?;
        }
        for capability in refused {
            writeln!(f, "  refused as unsupported: {capability:?}")?;
        }
        if let Some(max_size) = max_size {
            writeln!(f, "  refused as unsupported: a JSON of more than {max_size} bytes")?;
        }
        for hook in not_tested {
            writeln!(f, "  NOT TESTED: {} (the store under test has no hook `{hook}`)", hook.guarantee())?;
        }
        Ok(())
    }
}

/// The reports of the stores whose tests run in this process, by type.
static REPORTS: Mutex<BTreeMap<&str, Report>> = Mutex::new(BTreeMap::new());

/// Adds the result of a test. Prints the report after the last test of the store. A run with a filter prints none.
pub(super) fn record<T: StoreUnderTest>(case: Case, flavour: Flavour, hooks: &[Hook], has_passed: bool) {
    let mut reports = REPORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let report = reports.entry(type_name::<T>()).or_insert_with(|| Report::new::<T>(hooks));
    report.add(case, flavour, has_passed);
    let offered = cases::<T>().iter().filter(|case| case.hook().is_none_or(|hook| hooks.contains(&hook))).count();
    if report.passed.len() + report.failed.len() == 2 * offered {
        // Best effort. The macros `print` and `eprint` are captured for tests that pass.
        let _ = write!(std::io::stderr(), "\n{report}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SnapshotBackend, async_trait};
    use std::sync::Arc;

    struct Limited;

    #[async_trait]
    impl StoreUnderTest for Limited {
        async fn fresh() -> Self {
            unreachable!("no case runs")
        }

        async fn open(&self) -> Arc<dyn SnapshotBackend> {
            unreachable!("no case runs")
        }

        async fn garbage(&self) -> Vec<String> {
            unreachable!("no case runs")
        }

        fn lacks() -> &'static [Capability] {
            &[Capability::IfCurrent]
        }

        fn max_size() -> Option<usize> {
            Some(1 << 20)
        }
    }

    #[test]
    fn report_has_what_was_tested_refused_and_not_tested() {
        let mut report = Report::new::<Limited>(&[Hook::Corrupt, Hook::Processes]);
        let cases = cases::<Limited>();
        report.add(cases[0], Flavour::CurrentThread, true);
        report.add(cases[0], Flavour::MultiThread, true);
        report.add(cases[1], Flavour::MultiThread, false);
        let text = report.to_string();
        for expected in [
            "Limited: 2 tests passed, 1 failed\n".to_owned(),
            "  tested: round_trip 2\n".to_owned(),
            format!("  FAILED: {} (multi_thread)\n", cases[1].name()),
            "  refused as unsupported: IfCurrent\n".to_owned(),
            "  refused as unsupported: a JSON of more than 1048576 bytes\n".to_owned(),
        ] {
            assert!(text.contains(&expected), "{expected}{text}");
        }
        for hook in Hook::ALL {
            let is_listed =
                text.contains(&format!("NOT TESTED: {} (the store under test has no hook `{hook}`)", hook.guarantee()));
            assert_eq!(is_listed, ![Hook::Corrupt, Hook::Processes].contains(&hook), "{hook}: {text}");
        }
    }
}
