//! The pool: verified transactions that wait until several validators have agreed on a block with them. Pure.

use std::collections::{HashMap, VecDeque};

use devices::TransactionId;
use ledger::transaction::VerifiedTransaction;

use crate::admit::Ticket;
use crate::limits;
use crate::verify::Verified;

/// One that waits.
#[derive(Debug)]
pub struct Waiting {
    /// The transaction.
    pub transaction: VerifiedTransaction<Vec<u8>>,
    /// Who waits for the answer: whoever submitted it, however often.
    pub tickets: Vec<Ticket>,
    /// Since when, Unix milliseconds.
    pub since: u64,
    /// Whether it is in a batch for the validators; a validator's own pool has none.
    pub submitted: bool,
}

/// Those that wait, in the order of their arrival, each once.
#[derive(Debug, Default)]
pub struct Pool {
    waiting: HashMap<TransactionId, Waiting>,
    /// Names of those that have left stay in it until it is walked.
    order: VecDeque<TransactionId>,
    bytes: usize,
    /// Those that are in a batch.
    submitted: usize,
}

impl Pool {
    /// Adds one that was verified at `now` (Unix milliseconds). What waits already is not taken twice: only who waits for
    /// its answer is noted.
    pub fn push(&mut self, now: u64, verified: Verified) {
        let Verified { transaction, ticket } = verified;
        let id = transaction.id();
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.tickets.extend(ticket);
            return;
        }
        self.bytes += transaction.bytes().len();
        let tickets = ticket.into_iter().collect();
        self.waiting.insert(id, Waiting { transaction, tickets, since: now, submitted: false });
        self.order.push_back(id);
    }

    /// Takes one out.
    pub fn remove(&mut self, id: &TransactionId) -> Option<Waiting> {
        let waiting = self.waiting.remove(id)?;
        self.bytes -= waiting.transaction.bytes().len();
        self.submitted -= usize::from(waiting.submitted);
        if self.waiting.is_empty() {
            self.order.clear();
        } else if self.order.len() > 2 * self.waiting.len() + limits::VERIFY_BATCH_MAX {
            self.order.retain(|id| self.waiting.contains_key(id));
        }
        Some(waiting)
    }

    /// One that waits.
    pub fn get(&self, id: &TransactionId) -> Option<&Waiting> {
        self.waiting.get(id)
    }

    /// All that wait, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&TransactionId, &Waiting)> {
        self.order.iter().filter_map(|id| self.waiting.get_key_value(id))
    }

    /// Adds one that is in a batch already.
    pub fn push_submitted(&mut self, now: u64, verified: Verified) {
        let id = verified.transaction.id();
        self.push(now, verified);
        self.mark(&[id], true);
    }

    /// The oldest that are in no batch yet, as far as they fit into one of so many bytes, each as many as `bytes_of` says,
    /// and so many transactions: they are in one from now on. Their ids, and their bytes.
    pub fn take_for_batch(
        &mut self,
        bytes_max: usize,
        transactions_max: usize,
        bytes_of: impl Fn(&[u8]) -> usize,
    ) -> (Vec<TransactionId>, Vec<Vec<u8>>) {
        let (mut ids, mut taken) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        for id in &self.order {
            let Some(waiting) = self.waiting.get(id).filter(|waiting| !waiting.submitted) else {
                continue;
            };
            let transaction = waiting.transaction.bytes();
            bytes += bytes_of(transaction);
            if bytes > bytes_max || taken.len() == transactions_max {
                break;
            }
            ids.push(*id);
            taken.push(transaction.to_vec());
        }
        self.mark(&ids, true);
        (ids, taken)
    }

    /// These are in no batch any more.
    pub fn unsubmit(&mut self, ids: &[TransactionId]) {
        self.mark(ids, false);
    }

    fn mark(&mut self, ids: &[TransactionId], submitted: bool) {
        for id in ids {
            let Some(waiting) = self.waiting.get_mut(id) else { continue };
            self.submitted -= usize::from(waiting.submitted);
            self.submitted += usize::from(submitted);
            waiting.submitted = submitted;
        }
    }

    /// How many are in no batch yet.
    pub fn unsubmitted(&self) -> usize {
        self.waiting.len() - self.submitted
    }

    /// Since when the oldest waits that is in no batch yet, Unix milliseconds.
    pub fn oldest_unsubmitted(&self) -> Option<u64> {
        self.iter()
            .map(|(_, waiting)| waiting)
            .find(|waiting| !waiting.submitted)
            .map(|waiting| waiting.since)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether another verified batch may come in.
    pub fn has_room(&self) -> bool {
        self.waiting.len() + limits::VERIFY_BATCH_MAX <= limits::BATCH_MAX
            && self.bytes <= limits::POOL_BYTES_MAX
    }
}
