//! What was done to a disk.

use crate::Image;

/// What a disk was asked to do, and did.
#[derive(Debug, Clone)]
pub enum Event {
    /// To write bytes.
    Write {
        /// Where.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// To forget bytes: they read as zeros from then on.
    Clear {
        /// Where.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// To keep what was written before, whatever happens.
    Flush,
}

/// What a disk held, and what was done to it since, in the order in which it was done. A number of events is a moment.
#[derive(Debug, Clone)]
pub struct Recording {
    /// At the beginning, and durably so.
    pub start: Image,
    /// Since.
    pub events: Vec<Event>,
}

impl Recording {
    /// How many flushes there are.
    #[must_use]
    pub fn flushes(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Flush)).count()
    }

    /// The moments right before a flush is done, when most is at stake.
    #[must_use]
    pub fn before_flushes(&self) -> Vec<usize> {
        self.events.iter().enumerate().filter_map(|(at, event)| matches!(event, Event::Flush).then_some(at)).collect()
    }
}

impl Image {
    /// Does it.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Write { offset, bytes } => self.write(*offset, bytes),
            Event::Clear { offset, length } => self.clear(*offset, *length),
            Event::Flush => {}
        }
    }
}
