//! `minisnap prune`: reduces the retention without a commit. The current snapshot always stays.

use crate::{
    args::PruneArgs, exit::Outcome, open_store::OpenStore, pending_change::PendingChange, progress::Progress, stdio,
    text,
};
use minisnap::{Generation, SnapshotBackend};
use serde_json::json;
use std::num::NonZeroUsize;

pub(crate) async fn run(args: PruneArgs) -> Outcome {
    let store = OpenStore::of(&args.store)?;
    let before = store.history().await?;
    if args.dry_run {
        let (retained, expired) = before.split_at(args.retain.get().min(before.len()));
        let pruned = Pruned { expired: expired.to_vec(), retained: retained.to_vec(), is_dry_run: true };
        return stdio::print(&pruned.format(store.name(), args.form.json));
    }
    let pruned = Pruned::prune(&**store.backend(), args.retain).await?;
    stdio::report_of("the retention is reduced", &pruned.format(store.name(), args.form.json))
}

/// The expired and the retained snapshots, each newest first.
#[derive(Debug)]
struct Pruned {
    expired: Vec<Generation>,
    retained: Vec<Generation>,
    /// Nothing was changed: `expired` is what would expire.
    is_dry_run: bool,
}

impl Pruned {
    async fn prune(backend: &dyn SnapshotBackend, retain: NonZeroUsize) -> minisnap::Result<Self> {
        let _pruning = Progress::of_one_step("pruning");
        PendingChange::Retention.begin();
        let expired = backend.expire(retain).await?;
        // Another writer may have committed since.
        let retained = backend.history().await?;
        Ok(Self { expired, retained, is_dry_run: false })
    }

    fn format(&self, store: &str, json: bool) -> String {
        match json {
            true => self.to_json(store),
            false => self.to_text(store),
        }
    }

    fn to_text(&self, store: &str) -> String {
        let verb = if self.is_dry_run { "would expire" } else { "expired" };
        let retained = text::seqs(&self.retained);
        let lines: String = self.expired.iter().map(|expired| format!("{verb}  {}\n", text::line(expired))).collect();
        let (last, would) = match (self.expired.len(), self.is_dry_run) {
            (0, true) => ("nothing would expire".into(), ""),
            (0, false) => ("nothing expired".into(), ""),
            (expired, true) => (format!("{expired} would expire"), "would be "),
            (expired, false) => (format!("{expired} expired"), ""),
        };
        let unchanged = if self.is_dry_run { "; nothing was changed" } else { "" };
        format!("{lines}{last} in {store}; {would}retained: {retained}{unchanged}\n")
    }

    fn to_json(&self, store: &str) -> String {
        let all = |generations: &[Generation]| generations.iter().map(text::generation).collect::<Vec<_>>();
        let report = json!({
            "store": store,
            "expired": all(&self.expired),
            "retained": all(&self.retained),
            "dry_run": self.is_dry_run,
        });
        format!("{report:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisnap::{SnapStore, mem::MemBackend};

    fn seqs(generations: &[Generation]) -> Vec<u64> {
        generations.iter().map(Generation::seq).collect()
    }

    /// Uses only the trait.
    #[tokio::test]
    async fn prune_expires_all_but_the_newest_in_any_backend() {
        let backend = MemBackend::new();
        let store = SnapStore::with_backend(backend.clone()).retain(5);
        for seq in 1..=4 {
            store.create(&seq, seq).await.expect("room");
        }
        let current = store.current().await.expect("a store");
        let pruned = Pruned::prune(&backend, NonZeroUsize::new(2).expect("two")).await.expect("expired");
        assert_eq!((seqs(&pruned.expired), seqs(&pruned.retained)), (vec![2, 1], vec![4, 3]));
        assert_eq!(store.current().await.expect("a store"), current);
        let again = Pruned::prune(&backend, NonZeroUsize::new(2).expect("two")).await.expect("expired");
        assert_eq!(again.to_text("here"), "nothing expired in here; retained: seq 4, 3\n");
    }

    #[test]
    fn expired_snapshots_are_printed_a_line_each() {
        let generation = |seq: u64| Generation::new(format!("{seq:020}-a"), seq).with_size(65);
        let mut pruned =
            Pruned { expired: vec![generation(2), generation(1)], retained: vec![generation(3)], is_dry_run: false };
        assert_eq!(
            pruned.to_text("/srv/state"),
            "expired  seq 2  65 B  00000000000000000002-a\n\
             expired  seq 1  65 B  00000000000000000001-a\n\
             2 expired in /srv/state; retained: seq 3\n"
        );
        pruned.is_dry_run = true;
        assert!(pruned.to_text("x").ends_with("2 would expire in x; would be retained: seq 3; nothing was changed\n"));
        let report: serde_json::Value = serde_json::from_str(&pruned.to_json("x")).expect("JSON");
        assert_eq!((&report["dry_run"], &report["expired"][0]["seq"]), (&true.into(), &2.into()));
    }
}
