//! Which batch goes to which validators and when. Pure: time (milliseconds of any clock that never goes back) is handed in.
//!
//! A batch is put into the hands of the f+1 validators that propose next: at least one of them is honest, and soon has its
//! turn. Whoever refused it or lost its connection holds it no more, and another takes that place. A batch that is not final
//! after a patience goes to f+1 more, at last to all, and then to all of them again.

use std::collections::{BTreeMap, BTreeSet};

use super::message::Reason;
use crate::consensus::proposer_of;
use crate::limits::{
    LINK_FINAL_PATIENCE_MILLISECONDS, LINK_FINAL_PATIENCE_MILLISECONDS_MAX, LINK_PAUSE_MILLISECONDS_MAX,
    LINK_REFUSED_PAUSE_MILLISECONDS, LINK_UNDER_WAY_MAX,
};

/// The plan for all batches in the outbox. Validators are numbered in the ledger's order.
#[derive(Debug)]
pub(super) struct Submitter {
    validators: Vec<Validator>,
    /// The last height that is decided, as far as is known.
    decided: u64,
    under_way: BTreeMap<u64, Batch>,
    waiting: BTreeSet<u64>,
}

#[derive(Debug, Clone, Default)]
struct Validator {
    is_connected: bool,
    /// It asked to be left alone until then.
    paused_until: u64,
}

#[derive(Debug, Default)]
struct Batch {
    /// Who has it, over the connection that is open now.
    holders: BTreeSet<usize>,
    /// Who said that it is no batch.
    malformed: BTreeSet<usize>,
    /// How often the patience has run out.
    attempts: u32,
    /// When it runs out next; none while nobody was given the batch.
    deadline: Option<u64>,
}

/// What became of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The batch goes on to others, or here again.
    GoesOn,
    /// More than f validators say that it is no batch, so an honest one does: it is given up.
    GivenUp,
}

impl Submitter {
    /// A plan for a number of validators, none of which is connected.
    pub(super) fn new(validators: usize) -> Submitter {
        let validators = vec![Validator::default(); validators];
        Submitter { validators, decided: 0, under_way: BTreeMap::new(), waiting: BTreeSet::new() }
    }

    /// The validators are others now: everything begins again, as with nobody connected.
    pub(super) fn set_validators(&mut self, validators: usize) {
        self.validators = vec![Validator::default(); validators];
        let under_way = std::mem::take(&mut self.under_way);
        self.waiting.extend(under_way.into_keys());
    }

    /// How many validators may be faulty: fewer than a third.
    fn faulty_max(&self) -> usize {
        self.validators.len().saturating_sub(1) / 3
    }

    /// How many shall hold a batch after so many attempts.
    fn holders_wanted(&self, attempts: u32) -> usize {
        let attempts = usize::try_from(attempts).unwrap_or(usize::MAX);
        (self.faulty_max() + 1).saturating_mul(attempts.saturating_add(1)).min(self.validators.len())
    }

    /// A batch is in the outbox.
    pub(super) fn offer(&mut self, sequence: u64) {
        if !self.under_way.contains_key(&sequence) {
            self.waiting.insert(sequence);
        }
    }

    /// A batch is settled.
    pub(super) fn settled(&mut self, sequence: u64) {
        self.under_way.remove(&sequence);
        self.waiting.remove(&sequence);
    }

    /// A connection to a validator is open.
    pub(super) fn connected(&mut self, validator: usize) {
        if let Some(known) = self.validators.get_mut(validator) {
            *known = Validator { is_connected: true, paused_until: 0 };
        }
    }

    /// A connection was lost. What was sent over it may never have arrived, and what arrived may be forgotten.
    pub(super) fn disconnected(&mut self, validator: usize) {
        if let Some(known) = self.validators.get_mut(validator) {
            known.is_connected = false;
        }
        for batch in self.under_way.values_mut() {
            batch.holders.remove(&validator);
        }
    }

    /// A height is decided.
    pub(super) fn decided(&mut self, height: u64) {
        self.decided = self.decided.max(height);
    }

    /// A validator did not take a batch.
    pub(super) fn refused(
        &mut self,
        validator: usize,
        sequence: u64,
        reason: Reason,
        retry_after_milliseconds: u64,
        now: u64,
    ) -> Refused {
        let faulty_max = self.faulty_max();
        let (Some(known), Some(batch)) =
            (self.validators.get_mut(validator), self.under_way.get_mut(&sequence))
        else {
            return Refused::GoesOn;
        };
        batch.holders.remove(&validator);
        let is_malformed = matches!(reason, Reason::Malformed | Reason::NotAdmitted);
        let pause = if is_malformed {
            batch.malformed.insert(validator);
            LINK_REFUSED_PAUSE_MILLISECONDS
        } else {
            retry_after_milliseconds.clamp(1, LINK_PAUSE_MILLISECONDS_MAX)
        };
        known.paused_until = known.paused_until.max(now.saturating_add(pause));
        if batch.malformed.len() > faulty_max {
            self.settled(sequence);
            return Refused::GivenUp;
        }
        Refused::GoesOn
    }

    /// Hands every message that is due to `send`, which says whether it took it. Whoever did not is left alone for a moment.
    pub(super) fn next(&mut self, now: u64, mut send: impl FnMut(usize, u64) -> bool) {
        while self.under_way.len() < LINK_UNDER_WAY_MAX
            && let Some(sequence) = self.waiting.pop_first()
        {
            self.under_way.insert(sequence, Batch::default());
        }
        let turns = self.turns();
        let sequences: Vec<u64> = self.under_way.keys().copied().collect();
        for sequence in sequences {
            self.look_at_patience(sequence, now);
            for validator in &turns {
                self.give(sequence, *validator, now, &mut send);
            }
        }
    }

    /// The validators in the order in which they propose.
    fn turns(&self) -> Vec<usize> {
        let count = self.validators.len();
        let next = self.decided.wrapping_add(1);
        (0..count as u64).map(|ahead| proposer_of(count, next.wrapping_add(ahead), 0)).collect()
    }

    fn look_at_patience(&mut self, sequence: u64, now: u64) {
        let attempts = self.under_way.get(&sequence).map_or(0, |batch| batch.attempts);
        let everybody_has_it = self.holders_wanted(attempts) == self.validators.len();
        let Some(batch) = self.under_way.get_mut(&sequence) else { return };
        if batch.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        if everybody_has_it {
            batch.holders.clear();
        }
        batch.attempts = batch.attempts.saturating_add(1);
        batch.deadline = Some(now.saturating_add(patience(batch.attempts)));
    }

    fn give(&mut self, sequence: u64, validator: usize, now: u64, send: &mut impl FnMut(usize, u64) -> bool) {
        let attempts = self.under_way.get(&sequence).map_or(0, |batch| batch.attempts);
        let wanted = self.holders_wanted(attempts);
        let (Some(known), Some(batch)) =
            (self.validators.get_mut(validator), self.under_way.get_mut(&sequence))
        else {
            return;
        };
        let may = known.is_connected && known.paused_until <= now;
        if !may || batch.holders.len() >= wanted || batch.holders.contains(&validator) {
            return;
        }
        if send(validator, sequence) {
            batch.holders.insert(validator);
            batch.deadline.get_or_insert(now.saturating_add(patience(batch.attempts)));
        } else {
            known.paused_until = now.saturating_add(LINK_REFUSED_PAUSE_MILLISECONDS);
        }
    }

    /// When [`Submitter::next`] has something to do without anything happening.
    pub(super) fn due_at(&self, now: u64) -> Option<u64> {
        let pauses = self.validators.iter().filter(|validator| validator.is_connected);
        let pauses = pauses.map(|validator| validator.paused_until).filter(|until| *until > now);
        let has_batches = !self.under_way.is_empty();
        let deadlines = self.under_way.values().filter_map(|batch| batch.deadline);
        deadlines.chain(pauses.filter(|_| has_batches)).min()
    }

    /// Batches at validators, and batches that wait.
    pub(super) fn depth(&self) -> (usize, usize) {
        (self.under_way.len(), self.waiting.len())
    }
}

/// How long a batch may take to become final in an attempt.
fn patience(attempts: u32) -> u64 {
    let doubled = LINK_FINAL_PATIENCE_MILLISECONDS.checked_shl(attempts.min(16)).unwrap_or(u64::MAX);
    doubled.min(LINK_FINAL_PATIENCE_MILLISECONDS_MAX)
}

#[cfg(test)]
mod tests;
