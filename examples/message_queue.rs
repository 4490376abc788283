//! The metadata of a message queue: its queues, their message counts, and the positions of their consumers.
//!
//! The metadata changes with every message. The messages themselves are stored elsewhere.
//!
//! ```console
//! $ cargo run --example message_queue
//! $ cargo test --example message_queue
//! ```
//!
//! The state stays small after many changes. `docs/recovery.md` has the start-up time after a million changes.

#![allow(clippy::cast_possible_truncation, reason = "the remainder of a division by 8 or less")]

use serde::{Deserialize, Serialize};
use state_manager::{Change, StateManager};
use std::collections::{BTreeMap, BTreeSet};

#[allow(dead_code, unreachable_pub, reason = "state_manager.rs is also a program")]
#[path = "state_manager.rs"]
pub mod state_manager;

/// The queues, by name.
pub type Queues = BTreeMap<String, Queue>;

/// The metadata of a queue.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// The offset of the next message. The first offset is 0.
    next: u64,
    /// The size of all messages.
    bytes: u64,
    consumers: BTreeMap<String, Consumer>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Consumer {
    /// The consumer has processed all messages before this offset.
    next: u64,
    /// The offsets of the processed messages after `next`.
    done: BTreeSet<u64>,
}

/// A change of a queue. The program validates a change before it logs it, so applying the change can't fail.
#[derive(Debug, Serialize, Deserialize)]
pub struct QueueChange {
    queue: String,
    event: Event,
}

#[derive(Debug, Serialize, Deserialize)]
enum Event {
    /// Creates the queue.
    Create,
    /// Adds a message with this size.
    Enqueue { bytes: u64 },
    /// A consumer has processed this message, but not necessarily the messages before it.
    Acknowledge { consumer: String, offset: u64 },
    /// A consumer has processed all messages before this offset.
    Advance { consumer: String, to: u64 },
}

impl Change<Queues> for QueueChange {
    fn apply(&self, queues: &mut Queues) {
        let queue = queues.entry(self.queue.clone()).or_default();
        match &self.event {
            Event::Create => {}
            Event::Enqueue { bytes } => {
                queue.next += 1;
                queue.bytes += bytes;
            }
            Event::Acknowledge { consumer, offset } => {
                let consumer = queue.consumers.entry(consumer.clone()).or_default();
                consumer.done.insert(*offset);
                consumer.advance(consumer.next);
            }
            Event::Advance { consumer, to } => queue.consumers.entry(consumer.clone()).or_default().advance(*to),
        }
    }
}

impl Consumer {
    /// Moves `next` forward to `to`, and past the processed messages after `to`. Never moves it back.
    fn advance(&mut self, to: u64) {
        self.next = self.next.max(to);
        self.done = self.done.split_off(&self.next);
        while self.done.remove(&self.next) {
            self.next += 1;
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let mut queues = StateManager::<Queues, QueueChange>::open(folder.path(), 100).await?;
    for number in 1..=250 {
        queues.apply(change(number)).await?;
    }
    let orders = |event| QueueChange { queue: "orders".into(), event };
    let billing_processed = |offset| orders(Event::Acknowledge { consumer: "billing".into(), offset });
    queues.apply(orders(Event::Create)).await?;
    for bytes in [250, 800, 40, 1300] {
        queues.apply(orders(Event::Enqueue { bytes })).await?;
    }
    for offset in [0, 3, 1] {
        queues.apply(billing_processed(offset)).await?;
    }
    queues.apply(orders(Event::Advance { consumer: "statistics".into(), to: 4 })).await?;
    println!("{} queues after change {}", queues.state().len(), queues.seq());

    // Drops the manager without a final checkpoint, as a crash would.
    drop(queues);
    let mut queues = StateManager::<Queues, QueueChange>::open(folder.path(), 100).await?;
    println!(
        "after a restart: {} queues, {} changes; the snapshot had the changes up to {}, and {} were replayed",
        queues.state().len(),
        queues.seq(),
        queues.snapshot_seq(),
        queues.seq() - queues.snapshot_seq(),
    );
    println!("orders: {:?}", queues.state()["orders"]);
    queues.apply(billing_processed(2)).await?;
    println!("billing processed the missing message: {:?}", queues.state()["orders"].consumers["billing"]);
    Ok(())
}

const QUEUES: u64 = 100;

/// Returns the sample change of a number from 1 on. The first changes create the queues. The later changes go round the queues, eight
/// changes a round for each queue.
///
/// In a round, a queue gets three messages. The consumer `worker` processes them one by one and out of order. The consumer `archive`
/// processes all three at once. The consumer `statistics` is always three messages behind.
#[must_use]
pub fn change(number: u64) -> QueueChange {
    let (turn, queue) = ((number - 1) / QUEUES, (number - 1) % QUEUES);
    let queue = format!("{}-{queue}", ["orders", "payments", "readings", "alerts"][(queue % 4) as usize]);
    let Some(turn) = turn.checked_sub(1) else { return QueueChange { queue, event: Event::Create } };
    let (round, step) = (turn / 8, turn % 8);
    let consumer = || ["worker", "archive", "statistics"][(step.saturating_sub(5)) as usize].to_owned();
    let event = match step {
        0..3 => Event::Enqueue { bytes: 100 + 37 * number % 900 },
        3..6 => Event::Acknowledge { consumer: consumer(), offset: 3 * round + [1, 0, 2][(step - 3) as usize] },
        6 => Event::Advance { consumer: consumer(), to: 3 * round + 3 },
        _ => Event::Advance { consumer: consumer(), to: 3 * round },
    };
    QueueChange { queue, event }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const CHANGES: u64 = 2500;

    /// Applies all changes, with a snapshot after every `checkpoint_interval` changes, and opens the manager again.
    async fn restarted(folder: &Path, checkpoint_interval: u64) -> StateManager<Queues, QueueChange> {
        let mut manager = StateManager::open(folder, checkpoint_interval).await.unwrap();
        for number in 1..=CHANGES {
            manager.apply(change(number)).await.unwrap();
        }
        drop(manager);
        StateManager::open(folder, checkpoint_interval).await.unwrap()
    }

    #[tokio::test]
    async fn log_alone_and_snapshot_with_tail_recover_the_same() {
        let mut expected = Queues::new();
        (1..=CHANGES).for_each(|number| change(number).apply(&mut expected));

        let folder = tempfile::tempdir().unwrap();
        let from_log = restarted(&folder.path().join("log"), u64::MAX).await;
        assert_eq!((from_log.snapshot_seq(), from_log.seq(), from_log.first_logged_seq()), (0, CHANGES, 1));
        let from_both = restarted(&folder.path().join("both"), 1000).await;
        assert_eq!((from_both.snapshot_seq(), from_both.seq(), from_both.first_logged_seq()), (2000, CHANGES, 1001));

        assert_eq!(*from_log.state(), expected, "from the log alone");
        assert_eq!(*from_both.state(), expected, "from a snapshot and the log's tail");
    }

    #[test]
    fn out_of_order_acknowledgements_count_after_the_gap() {
        let mut consumer = Consumer::default();
        for (offset, next) in [(1, 0), (3, 0), (0, 2), (0, 2), (2, 4)] {
            consumer.done.insert(offset);
            consumer.advance(consumer.next);
            assert_eq!(consumer.next, next, "after {offset}");
        }
        consumer.advance(2);
        assert_eq!(consumer, Consumer { next: 4, done: BTreeSet::new() });
    }

    #[test]
    fn no_consumer_is_ahead_of_its_queue() {
        let mut queues = Queues::new();
        for number in 1..=CHANGES {
            change(number).apply(&mut queues);
            for (name, queue) in &queues {
                assert!(
                    queue.consumers.values().all(|consumer| consumer.next <= queue.next),
                    "{number}, {name}: {queue:?}"
                );
            }
        }
        assert_eq!(queues.len() as u64, QUEUES);
        assert!(queues.values().all(|queue| queue.consumers.len() == 3));
    }
}
