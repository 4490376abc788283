//! How much work the cases do: less on a store behind a network.

use std::time::Duration;

/// The amount of work of the cases.
///
/// More commits find rarer violations and take longer. [`local`](Self::local) is for a disk or memory, [`remote`](Self::remote) for a
/// store that takes milliseconds for each request. Cases that cancel calls need no number: they measure how long a call takes, and
/// cancel it at fractions of this time.
///
/// # Time of a run
///
/// With [`remote`](Self::remote) and 20 ms for each request, the cases take at most nine minutes, one after the other. `cargo test` runs
/// one for each core concurrently. The cases mostly wait, so run more of them: with `cargo test -- --test-threads=32` all end within two
/// minutes. The time grows in proportion to the latency. A test of the suite checks this limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    commits: u64,
    history: u64,
    limit: Duration,
}

impl Profile {
    /// The smallest number of [commits](Self::with_commits). The suite's own tests check that this number still detects every fault that
    /// they inject. Rarer violations need more commits.
    pub const MIN_COMMITS: u64 = 20;

    /// The time of a case with racing writers, on both runtimes together: its rounds are repeated until this time has passed. A slow store
    /// gets [`RACE_ROUNDS`](Self::RACE_ROUNDS), and no more than a quarter of the limit.
    pub(super) const RACE_TIME: Duration = Duration::from_secs(2);

    /// The smallest number of rounds of a case with racing writers.
    pub(super) const RACE_ROUNDS: u64 = 5;

    /// The profile for a disk or memory: 200 commits, a history of 1 050 generations, two minutes a case.
    #[must_use]
    pub const fn local() -> Self {
        Self { commits: 200, history: 1_050, limit: Duration::from_secs(120) }
    }

    /// The profile for a store behind a network: 40 commits, a history of 260 generations, five minutes a case.
    #[must_use]
    pub const fn remote() -> Self {
        Self { commits: 40, history: 260, limit: Duration::from_secs(300) }
    }

    /// Sets the number of commits of the case whose readers look for mixed pairs. Other cases with concurrent calls make a part of them,
    /// from 5 to 50 percent.
    ///
    /// # Panics
    ///
    /// Panics if there are fewer than [`MIN_COMMITS`](Self::MIN_COMMITS).
    #[must_use]
    pub const fn with_commits(mut self, commits: u64) -> Self {
        assert!(commits >= Self::MIN_COMMITS, "a case needs at least Profile::MIN_COMMITS commits");
        self.commits = commits;
        self
    }

    /// Sets the length of the history in the case that detects a history that is cut: at 100, 250 or 1 000 generations, for example.
    ///
    /// The case makes as many commits of small states, one after the other, on each runtime. With 1 050 generations and 30 ms for a
    /// commit, both take a minute together.
    #[must_use]
    pub const fn with_history(mut self, generations: u64) -> Self {
        self.history = generations;
        self
    }

    /// Sets the time limit of a case. A case that exceeds it fails.
    #[must_use]
    pub const fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub(super) const fn commits(self) -> u64 {
        self.commits
    }

    /// The number of commits of a case that does `part` hundredths of the work, and at least `least`.
    pub(super) const fn percent_of_commits(self, part: u64, least: u64) -> u64 {
        let commits = self.commits * part / 100;
        if commits < least { least } else { commits }
    }

    pub(super) const fn history(self) -> u64 {
        self.history
    }

    pub(super) const fn limit(self) -> Duration {
        self.limit
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::local()
    }
}
