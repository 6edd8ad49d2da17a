//! What happened, told to those who watch: numbered, and kept for a while, so that a reader who was away and names the
//! last event it has heard misses nothing, or is told that it did.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use devices::{DeviceId, Refusal, Sequence};
use tokio::sync::watch;

use crate::limits::EVENTS_MAX;

/// What happened, for those who watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A block is durable.
    Block {
        /// Its height.
        height: u64,
        /// Its time, Unix milliseconds.
        time_unix_milliseconds: u64,
        /// Entries in the log after it.
        log_size: u64,
        /// Readings it accepted.
        readings: u64,
        /// Instructions it carried out.
        instructions: u64,
    },
    /// One or more epochs were settled.
    Settlement {
        /// First epoch that was settled.
        epoch_from: u64,
        /// Last epoch that was settled.
        epoch_to: u64,
        /// Height of the block that settled them.
        height: u64,
        /// Statements written.
        statements: u64,
        /// Paid in all, micro-tokens.
        paid_microtokens: u64,
    },
    /// A reading was refused.
    Refusal {
        /// The device it claimed to come from.
        kid: DeviceId,
        /// Its number, where it could be read.
        sequence: Option<Sequence>,
        /// Why.
        reason: Refusal,
    },
}

/// An event's place in what a node tells: `height.sequence`.
///
/// The sequence alone orders; it goes on from one start of the node to the next, with a gap between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    /// Height of the newest block when it was told.
    pub height: u64,
    /// Its number.
    pub sequence: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.height, self.sequence)
    }
}

/// The text is no `height.sequence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event's id is a height and a number with a point between, as the stream gave it")]
pub struct NoEventId;

impl FromStr for EventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<Self, NoEventId> {
        let (height, sequence) = text.split_once('.').ok_or(NoEventId)?;
        let number = |digits: &str| digits.parse().map_err(|_| NoEventId);
        Ok(EventId { height: number(height)?, sequence: number(sequence)? })
    }
}

/// An event with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub event: Event,
}

/// What a reader gets at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// What it has missed before these.
    pub missed: Option<Missed>,
    /// In the order in which they were told.
    pub told: Vec<Told>,
}

/// Events that a reader can no longer be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// How many; `None` when they were told before the node was started.
    pub events: Option<u64>,
    /// The last of them.
    pub until: EventId,
}

/// The last events, and who waits for the next.
#[derive(Debug)]
pub struct Events {
    ring: Mutex<Ring>,
    /// The number of the last event; readers wait for it to change.
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    told: VecDeque<Told>,
    /// The number before this start's first event.
    begun: u64,
    /// The last event, or what stands for it before there is one.
    last: EventId,
}

impl Events {
    /// Nothing told yet; numbers go on above `begun`.
    pub fn new(begun: u64, height: u64) -> Events {
        let last = EventId { height, sequence: begun };
        let ring = Ring { told: VecDeque::new(), begun, last };
        Events { ring: Mutex::new(ring), newest: watch::Sender::new(begun) }
    }

    /// Tells an event; the oldest one makes room for it.
    pub fn tell(&self, event: Event) {
        let sequence = {
            let mut ring = self.ring();
            if let Event::Block { height, .. } | Event::Settlement { height, .. } = &event {
                ring.last.height = *height;
            }
            ring.last.sequence = ring.last.sequence.saturating_add(1);
            if ring.told.len() == EVENTS_MAX {
                ring.told.pop_front();
            }
            let id = ring.last;
            ring.told.push_back(Told { id, event });
            id.sequence
        };
        self.newest.send_replace(sequence);
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// What was told after a number.
    fn after(&self, sequence: u64) -> Batch {
        let first = self.told.front().map_or(self.last.sequence.saturating_add(1), |told| told.id.sequence);
        let before_first = EventId {
            sequence: first.saturating_sub(1),
            ..self.told.front().map_or(self.last, |told| told.id)
        };
        if sequence < self.begun || sequence > self.last.sequence {
            // Another start's number, or another node's: what lies between nobody knows.
            let missed = Some(Missed { events: None, until: before_first });
            return Batch { missed, told: self.told.iter().cloned().collect() };
        }
        let missed = first.saturating_sub(1).saturating_sub(sequence);
        let missed = (missed > 0).then_some(Missed { events: Some(missed), until: before_first });
        let known = usize::try_from(sequence.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        Batch { missed, told: self.told.iter().skip(known).cloned().collect() }
    }
}

/// A reader's place in what is told.
#[derive(Debug)]
pub struct Watcher {
    events: Arc<Events>,
    newest: watch::Receiver<u64>,
    last: EventId,
}

impl Watcher {
    /// After an event, or from now on.
    pub fn new(events: Arc<Events>, last: Option<EventId>) -> Watcher {
        let newest = events.newest.subscribe();
        let last = last.unwrap_or_else(|| events.ring().last);
        Watcher { events, newest, last }
    }

    /// The last event that the reader has heard, or may take as heard.
    pub fn last(&self) -> EventId {
        self.last
    }

    /// Waits until there is something new, and gives all of it.
    pub async fn next(&mut self) -> Batch {
        loop {
            self.newest.mark_unchanged();
            let batch = self.events.ring().after(self.last.sequence);
            if let Some(missed) = batch.missed {
                self.last = missed.until;
            }
            if let Some(told) = batch.told.last() {
                self.last = told.id;
            }
            if batch != Batch::default() {
                return batch;
            }
            // The sender lives in `events`, which is held here: it is never gone.
            let _there_is_something = self.newest.changed().await;
        }
    }
}

#[cfg(test)]
mod tests;
