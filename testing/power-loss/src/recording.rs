//! The recording of a disk.

use crate::Image;

/// A completed request to a disk.
#[derive(Debug, Clone)]
pub enum Event {
    /// Bytes were written.
    Write {
        /// The first byte.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Bytes were discarded, and read as zeros from now on.
    Clear {
        /// The first byte.
        offset: u64,
        /// The number of bytes.
        length: u64,
    },
    /// All earlier writes became durable.
    Flush,
}

/// The initial content of a disk, and all events since, in order. A moment is a number of events.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The initial content, which is durable.
    pub start: Image,
    /// The events since then.
    pub events: Vec<Event>,
}

impl Recording {
    /// Returns the number of flushes.
    #[must_use]
    pub fn flushes(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Flush)).count()
    }

    /// Returns the moments immediately before each flush, when most writes can be lost.
    #[must_use]
    pub fn before_flushes(&self) -> Vec<usize> {
        self.events.iter().enumerate().filter_map(|(at, event)| matches!(event, Event::Flush).then_some(at)).collect()
    }
}

impl Image {
    /// Applies an event.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Write { offset, bytes } => self.write(*offset, bytes),
            Event::Clear { offset, length } => self.clear(*offset, *length),
            Event::Flush => {}
        }
    }
}
