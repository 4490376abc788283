//! What a message queue has to know: which queues there are, how many messages each took, and how far its consumers are. It
//! changes with every message; the messages themselves are elsewhere.
//!
//! ```console
//! $ cargo run --example message_queue
//! $ cargo test --example message_queue
//! ```
//!
//! It stays small, however many changes there are: `docs/recovery.md` shows how long it takes to start after a million.

#![allow(clippy::cast_possible_truncation, reason = "the remainder of a division by 8 or less")]

use serde::{Deserialize, Serialize};
use state_manager::{Change, StateManager};
use std::collections::{BTreeMap, BTreeSet};

#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
#[path = "state_manager.rs"]
pub mod state_manager;

/// The queues, by name.
pub type Queues = BTreeMap<String, Queue>;

/// What is known of a queue.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// Where the next message goes; the first one went to 0.
    next: u64,
    bytes: u64,
    consumers: BTreeMap<String, Consumer>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Consumer {
    /// It is done with all messages before this one,
    next: u64,
    /// and with these after it.
    done: BTreeSet<u64>,
}

/// What happens to a queue. Whether it may is decided before it is logged; from then on it is a fact.
#[derive(Debug, Serialize, Deserialize)]
pub struct QueueChange {
    queue: String,
    event: Event,
}

#[derive(Debug, Serialize, Deserialize)]
enum Event {
    /// It is there from now on.
    Create,
    /// It takes a message of so many bytes.
    Publish { bytes: u64 },
    /// A consumer is done with one message, perhaps not with those before it.
    Acknowledge { consumer: String, offset: u64 },
    /// A consumer is done with all messages before this one.
    Advance { consumer: String, to: u64 },
}

impl Change<Queues> for QueueChange {
    fn apply(&self, queues: &mut Queues) {
        let queue = queues.entry(self.queue.clone()).or_default();
        match &self.event {
            Event::Create => {}
            Event::Publish { bytes } => {
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
    /// Never back; and past all that it is done with.
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
    let billing_did = |offset| orders(Event::Acknowledge { consumer: "billing".into(), offset });
    queues.apply(orders(Event::Create)).await?;
    for bytes in [250, 800, 40, 1300] {
        queues.apply(orders(Event::Publish { bytes })).await?;
    }
    for offset in [0, 3, 1] {
        queues.apply(billing_did(offset)).await?;
    }
    queues.apply(orders(Event::Advance { consumer: "statistics".into(), to: 4 })).await?;
    println!("{} queues after change {}", queues.state().len(), queues.seq());

    // As if the power had gone.
    drop(queues);
    let mut queues = StateManager::<Queues, QueueChange>::open(folder.path(), 100).await?;
    println!(
        "after a restart {} queues, {} changes: those up to {} were in the snapshot, {} were replayed",
        queues.state().len(),
        queues.seq(),
        queues.saved(),
        queues.seq() - queues.saved(),
    );
    println!("orders: {:?}", queues.state()["orders"]);
    queues.apply(billing_did(2)).await?;
    println!("billing did the one that was left out: {:?}", queues.state()["orders"].consumers["billing"]);
    Ok(())
}

const QUEUES: u64 = 100;

/// What the change of this number might have been, from number 1: first there are the queues, then it is their turn one
/// after the other. Each takes three messages, which one consumer does one by one and not in order; of two others, one
/// says when it did them all, and one is always three behind.
#[must_use]
pub fn change(number: u64) -> QueueChange {
    let (turn, queue) = ((number - 1) / QUEUES, (number - 1) % QUEUES);
    let queue = format!("{}-{queue}", ["orders", "payments", "readings", "alerts"][(queue % 4) as usize]);
    let Some(turn) = turn.checked_sub(1) else { return QueueChange { queue, event: Event::Create } };
    let (round, step) = (turn / 8, turn % 8);
    let consumer = || ["worker", "archive", "statistics"][(step.saturating_sub(5)) as usize].to_owned();
    let event = match step {
        0..3 => Event::Publish { bytes: 100 + 37 * number % 900 },
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

    /// What a manager finds that starts after another one made the changes, with a snapshot after so many.
    async fn restarted(folder: &Path, every: u64) -> StateManager<Queues, QueueChange> {
        let mut manager = StateManager::open(folder, every).await.unwrap();
        for number in 1..=CHANGES {
            manager.apply(change(number)).await.unwrap();
        }
        drop(manager);
        StateManager::open(folder, every).await.unwrap()
    }

    #[tokio::test]
    async fn the_log_alone_and_a_snapshot_with_a_tail_give_the_same() {
        let mut expected = Queues::new();
        (1..=CHANGES).for_each(|number| change(number).apply(&mut expected));

        let folder = tempfile::tempdir().unwrap();
        let from_log = restarted(&folder.path().join("log"), u64::MAX).await;
        assert_eq!((from_log.saved(), from_log.seq(), from_log.log_begins_with()), (0, CHANGES, 1));
        let from_both = restarted(&folder.path().join("both"), 1000).await;
        assert_eq!((from_both.saved(), from_both.seq(), from_both.log_begins_with()), (2000, CHANGES, 1001));

        assert_eq!(*from_log.state(), expected, "from the log alone");
        assert_eq!(*from_both.state(), expected, "from a snapshot and the log's tail");
    }

    #[test]
    fn what_is_done_out_of_order_counts_when_the_gap_is_closed() {
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
