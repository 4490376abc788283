//! The two measured examples.

use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

#[allow(dead_code, reason = "the example is a program with its own main")]
#[path = "../../../examples/component_registry.rs"]
mod component_registry;
#[allow(dead_code, reason = "the example is a program with its own main")]
#[path = "../../../examples/message_queue.rs"]
mod message_queue;

/// A state, and the changes that are made to it.
pub trait Domain {
    const NAME: &str;
    type State: Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + Debug;
    type Change: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The change with this number.
    fn change(number: u64) -> Self::Change;

    fn apply(change: &Self::Change, state: &mut Self::State);
}

pub struct ComponentRegistry;

impl Domain for ComponentRegistry {
    const NAME: &str = "component registry";
    type State = component_registry::Registry;
    type Change = component_registry::RegistryChange;

    fn change(number: u64) -> Self::Change {
        component_registry::change(number)
    }

    fn apply(change: &Self::Change, state: &mut Self::State) {
        component_registry::state_manager::Change::apply(change, state);
    }
}

pub struct MessageQueue;

impl Domain for MessageQueue {
    const NAME: &str = "message queue";
    type State = message_queue::Queues;
    type Change = message_queue::QueueChange;

    fn change(number: u64) -> Self::Change {
        message_queue::change(number)
    }

    fn apply(change: &Self::Change, state: &mut Self::State) {
        message_queue::state_manager::Change::apply(change, state);
    }
}

/// The state after these changes, beginning with the empty state.
pub fn state_after<D: Domain>(numbers: impl IntoIterator<Item = u64>) -> D::State {
    let mut state = D::State::default();
    numbers.into_iter().for_each(|number| D::apply(&D::change(number), &mut state));
    state
}
