//! Batching: verified transactions that wait for their block, closed by count, bytes or age. Pure: time is handed in.

use std::collections::VecDeque;

use crate::limits;
use crate::verify::Verified;

/// The waiting room before a block.
#[derive(Debug, Default)]
pub struct Batch {
    waiting: VecDeque<(u64, Verified)>,
    bytes: usize,
}

impl Batch {
    /// Adds a transaction that was verified at `now` (Unix milliseconds).
    pub fn push(&mut self, now: u64, verified: Verified) {
        self.bytes += verified.transaction.bytes().len();
        self.waiting.push_back((now, verified));
    }

    /// Transactions that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When the oldest has waited long enough, Unix milliseconds.
    pub fn due_at(&self) -> Option<u64> {
        self.waiting.front().map(|(since, _)| since.saturating_add(limits::BLOCK_AGE_MAX_MILLISECONDS))
    }

    /// Whether a block should be made now: enough transactions, enough bytes, or one that waited long enough. A clock
    /// that was set back makes it due as well.
    pub fn is_due(&self, now: u64) -> bool {
        let aged = self
            .waiting
            .front()
            .is_some_and(|(since, _)| now < *since || now - since >= limits::BLOCK_AGE_MAX_MILLISECONDS);
        aged || self.waiting.len() >= limits::BLOCK_TRANSACTIONS_MAX || self.bytes >= limits::BLOCK_BYTES_MAX
    }

    /// Takes what fits into one block, oldest first.
    pub fn take(&mut self) -> Vec<Verified> {
        let mut taken = Vec::with_capacity(self.waiting.len().min(limits::BLOCK_TRANSACTIONS_MAX));
        let mut bytes = 0;
        while taken.len() < limits::BLOCK_TRANSACTIONS_MAX
            && let Some((_, next)) = self.waiting.front()
        {
            bytes += next.transaction.bytes().len();
            if bytes > limits::BLOCK_BYTES_MAX {
                break;
            }
            if let Some((_, verified)) = self.waiting.pop_front() {
                self.bytes -= verified.transaction.bytes().len();
                taken.push(verified);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::{SignedInstruction, SigningKey};
    use ledger::account::AccountId;
    use ledger::instruction::Instruction;
    use ledger::transaction::VerifiedTransaction;

    fn transaction(counter: u64, memo_bytes: usize) -> Verified {
        let key = SigningKey::from_seed([5; 32]);
        let memo = Some("m".repeat(memo_bytes));
        let payload =
            Instruction::Transfer { to: AccountId::pool("devnet"), amount_microtokens: 1, memo }.encode();
        let mut bytes = vec![0; 16_384];
        let length = devices::sign_instruction(&key, "devnet", counter, &payload, false, &mut bytes).unwrap();
        bytes.truncate(length);
        let signed = SignedInstruction::decode(bytes).map_err(|(refusal, _)| refusal).unwrap();
        let verified = signed.verify(&key.public_key(), "devnet").map_err(|(refusal, _)| refusal).unwrap();
        Verified { transaction: VerifiedTransaction::Instruction(verified), ticket: Some(counter) }
    }

    #[test]
    fn a_block_is_due_when_the_oldest_has_waited_long_enough() {
        let mut batch = Batch::default();
        assert!(!batch.is_due(1_000) && batch.due_at().is_none());
        batch.push(1_000, transaction(1, 1));
        batch.push(1_005, transaction(2, 1));
        let due = 1_000 + limits::BLOCK_AGE_MAX_MILLISECONDS;
        assert!(!batch.is_due(due - 1));
        assert!(batch.is_due(due));
        assert_eq!(batch.due_at(), Some(due));
        assert!(batch.is_due(500), "a clock that was set back makes nobody wait for it");
        assert_eq!(
            batch.take().iter().map(|verified| verified.ticket).collect::<Vec<_>>(),
            [Some(1), Some(2)]
        );
        assert!(batch.is_empty());
    }

    #[test]
    fn a_block_takes_no_more_bytes_than_it_holds() {
        let mut batch = Batch::default();
        let one = transaction(1, 16_000);
        let size = one.transaction.bytes().len();
        let fitting = limits::BLOCK_BYTES_MAX / size;
        for _ in 0..=fitting {
            batch.push(1_000, one.clone());
        }
        assert!(batch.is_due(1_000), "enough bytes");
        assert_eq!(batch.take().len(), fitting);
        assert_eq!(batch.len(), 1);
    }
}
