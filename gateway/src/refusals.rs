//! The last refused readings of each reason, for the operator who asks what stands behind a count.
//!
//! A ring of a fixed size a reason, so a flood of one reason pushes out only its own, and nothing here grows. What is
//! accepted never comes here.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use devices::{DeviceId, Refusal, Sequence};

use crate::limits::REFUSED_SAMPLES_PER_REASON_MAX;

/// A reading that was refused, as much of it as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedReading {
    /// The device it claims to come from, or the topic names.
    pub kid: Option<DeviceId>,
    /// Its number, where it could be read.
    pub sequence: Option<Sequence>,
    /// Whether the registry knows the device.
    pub known: bool,
    /// Why.
    pub reason: Refusal,
    /// Bytes of the envelope as it arrived.
    pub size_bytes: usize,
}

/// A refused reading and when it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// What was refused.
    pub refused: RefusedReading,
    /// When, Unix milliseconds.
    pub time_unix_milliseconds: u64,
}

/// The last ones of each reason, since the node started.
#[derive(Debug)]
pub struct Refusals(Mutex<[VecDeque<Sample>; 8]>);

impl Default for Refusals {
    fn default() -> Refusals {
        Refusals(Mutex::new(Refusal::ALL.map(|_| VecDeque::with_capacity(REFUSED_SAMPLES_PER_REASON_MAX))))
    }
}

impl Refusals {
    fn rings(&self) -> MutexGuard<'_, [VecDeque<Sample>; 8]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a refused reading; the oldest of its reason makes room.
    pub fn note(&self, time_unix_milliseconds: u64, refused: RefusedReading) {
        let mut rings = self.rings();
        let ring = &mut rings[refused.reason.index()];
        if ring.len() >= REFUSED_SAMPLES_PER_REASON_MAX {
            ring.pop_front();
        }
        ring.push_back(Sample { refused, time_unix_milliseconds });
    }

    /// What is kept, by reason in the order of `Refusal::ALL`, the newest first.
    pub fn newest(&self) -> [Vec<Sample>; 8] {
        let rings = self.rings();
        Refusal::ALL.map(|reason| rings[reason.index()].iter().rev().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: Refusal, size_bytes: usize) -> RefusedReading {
        RefusedReading { kid: None, sequence: None, known: false, reason, size_bytes }
    }

    #[test]
    fn a_flood_of_one_reason_pushes_out_only_its_own() {
        let refusals = Refusals::default();
        refusals.note(1, refused(Refusal::Signature, 7));
        for number in 0..10 * REFUSED_SAMPLES_PER_REASON_MAX {
            refusals.note(number as u64, refused(Refusal::Replayed, number));
        }
        let newest = refusals.newest();
        assert_eq!(newest[Refusal::Signature.index()].len(), 1);
        let replayed = &newest[Refusal::Replayed.index()];
        assert_eq!(replayed.len(), REFUSED_SAMPLES_PER_REASON_MAX);
        assert_eq!(replayed[0].refused.size_bytes, 10 * REFUSED_SAMPLES_PER_REASON_MAX - 1);
        assert!(newest[Refusal::Malformed.index()].is_empty());
    }
}
