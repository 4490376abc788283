//! A component registry: many small records that change rarely. Each change is logged before it is visible.
//!
//! ```console
//! $ cargo run --example component_registry
//! $ cargo test --example component_registry
//! ```
//!
//! The state grows with the number of changes. `docs/recovery.md` has the start-up times after up to a million changes.

use serde::{Deserialize, Serialize};
use state_manager::{Change, StateManager};
use std::collections::BTreeMap;

#[allow(dead_code, unreachable_pub, reason = "state_manager.rs is also a program")]
#[path = "state_manager.rs"]
pub mod state_manager;

/// The components, by name.
pub type Registry = BTreeMap<String, Component>;

/// The metadata of a component. Its bytes are stored elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Component {
    version: String,
    digest: String,
    dependencies: Vec<String>,
}

/// A change of a component. The program validates a change before it logs it, so applying the change can't fail.
#[derive(Debug, Serialize, Deserialize)]
pub struct RegistryChange {
    name: String,
    event: Event,
}

#[derive(Debug, Serialize, Deserialize)]
enum Event {
    /// Adds the component.
    Register(Component),
    /// Sets another version, with the same dependencies.
    Upgrade { version: String, digest: String },
    /// Removes the component.
    Remove,
}

impl Change<Registry> for RegistryChange {
    fn apply(&self, registry: &mut Registry) {
        match &self.event {
            Event::Register(component) => {
                registry.insert(self.name.clone(), component.clone());
            }
            Event::Upgrade { version, digest } => {
                if let Some(component) = registry.get_mut(&self.name) {
                    component.version.clone_from(version);
                    component.digest.clone_from(digest);
                }
            }
            Event::Remove => {
                registry.remove(&self.name);
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let mut registry = StateManager::<Registry, RegistryChange>::open(folder.path(), 100).await?;
    for number in 1..=250 {
        registry.apply(change(number)).await?;
    }
    let shell = |event| RegistryChange { name: "shell".into(), event };
    let dependencies = vec![name(1), name(2)];
    let first = Component { version: "1.0.0".into(), digest: digest(0), dependencies };
    registry.apply(shell(Event::Register(first))).await?;
    registry.apply(shell(Event::Upgrade { version: "1.1.0".into(), digest: digest(1) })).await?;
    let number = registry.apply(RegistryChange { name: name(4), event: Event::Remove }).await?;
    println!("{} components after change {number}", registry.state().len());

    // Drops the manager without a final checkpoint, as a crash would.
    drop(registry);
    let registry = StateManager::<Registry, RegistryChange>::open(folder.path(), 100).await?;
    println!(
        "after a restart: {} components, {} changes; the snapshot had the changes up to {}, and {} were replayed",
        registry.state().len(),
        registry.seq(),
        registry.snapshot_seq(),
        registry.seq() - registry.snapshot_seq(),
    );
    println!("shell is {:#?}", registry.state()["shell"]);
    assert!(!registry.state().contains_key(&name(4)), "the component was removed");
    Ok(())
}

/// Returns the sample change of a number from 1 on. Of ten changes, three add components, and most others are upgrades. Every third
/// component is removed five hundred changes after it was added.
#[must_use]
pub fn change(number: u64) -> RegistryChange {
    let (round, step) = ((number - 1) / 10, (number - 1) % 10);
    let (id, event) = match step {
        0..3 => {
            let id = 3 * round + step;
            let dependencies = (1..=id % 4).map(|nth| name(mix(id + nth) % (id + 1))).collect();
            (id, Event::Register(Component { version: "1.0.0".into(), digest: digest(number), dependencies }))
        }
        3 if round >= 50 => (3 * (round - 50), Event::Remove),
        _ => {
            let id = 3 * (mix(number) % (round + 1)) + 1 + step % 2;
            let version = format!("1.{}.{}", number / 1000, number % 1000);
            (id, Event::Upgrade { version, digest: digest(number) })
        }
    };
    RegistryChange { name: name(id), event }
}

fn name(id: u64) -> String {
    let part = (mix(id) % 12) as usize;
    format!("{}/{}-{id}", ["acme", "contoso", "initech"][part / 4], ["codec", "parser", "router", "sensor"][part % 4])
}

/// A sample digest: 64 hexadecimal digits, as a SHA-256 has.
fn digest(number: u64) -> String {
    (0..4).map(|part| format!("{:016x}", mix(4 * number + part))).collect()
}

/// A deterministic number that looks random.
fn mix(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const CHANGES: u64 = 2500;

    /// Applies all changes, with a snapshot after every `checkpoint_interval` changes, and opens the manager again.
    async fn restarted(folder: &Path, checkpoint_interval: u64) -> StateManager<Registry, RegistryChange> {
        let mut manager = StateManager::open(folder, checkpoint_interval).await.unwrap();
        for number in 1..=CHANGES {
            manager.apply(change(number)).await.unwrap();
        }
        drop(manager);
        StateManager::open(folder, checkpoint_interval).await.unwrap()
    }

    #[tokio::test]
    async fn log_alone_and_snapshot_with_tail_recover_the_same() {
        let mut expected = Registry::new();
        (1..=CHANGES).for_each(|number| change(number).apply(&mut expected));

        let folder = tempfile::tempdir().unwrap();
        let from_log = restarted(&folder.path().join("log"), u64::MAX).await;
        assert_eq!((from_log.snapshot_seq(), from_log.seq(), from_log.first_logged_seq()), (0, CHANGES, 1));
        let from_both = restarted(&folder.path().join("both"), 1000).await;
        assert_eq!((from_both.snapshot_seq(), from_both.seq(), from_both.first_logged_seq()), (2000, CHANGES, 1001));

        assert!(*from_log.state() == expected, "from the log alone");
        assert!(*from_both.state() == expected, "from a snapshot and the log's tail");
    }

    #[test]
    fn every_change_finds_its_component() {
        let (mut registry, mut removed) = (Registry::new(), 0);
        for number in 1..=CHANGES {
            let change = change(number);
            let exists = registry.contains_key(&change.name);
            assert_eq!(exists, !matches!(change.event, Event::Register(_)), "{number}: {change:?}");
            removed += usize::from(matches!(change.event, Event::Remove));
            change.apply(&mut registry);
        }
        assert_eq!((registry.len(), removed), (550, 200));
    }
}
