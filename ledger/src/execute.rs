//! How a block is made: settle what has ended, execute what was verified, refuse without a trace, and seal.

use crate::account::AccountId;
use crate::block::{Block, BlockResults, Seal};
use crate::encoding::encoded_into;
use crate::instruction::{Instruction, InstructionRefusal};
use crate::limits::{BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, ENTRY_BYTES_MAX};
use crate::merkle::{Frontier, Hash, leaf_hash};
use crate::series::Intake;
use crate::settlement::Settlement;
use crate::state::{State, check_reading};
use crate::statement::Statement;
use crate::transaction::{Outcome, Refused, RefusedCounts, VerifiedTransaction};
use crate::transfer::{Transfer, TransferRecord};
use crate::workers::{Sequential, Workers};
use alloc::sync::Arc;
use alloc::vec::Vec;
use devices::instruction::VerifiedInstruction;
use devices::reading::VerifiedReading;
use devices::refusal::Refusal;

/// A block in the making; made by [`State::begin`]. What it executes is in the state at once.
#[derive(Debug)]
pub struct BlockBuilder<'s> {
    pub(crate) state: &'s mut State,
    pub(crate) height: u64,
    pub(crate) time_unix_milliseconds: u64,
    first_index: u64,
    entries: Vec<Vec<u8>>,
    entry_bytes: usize,
    refused: RefusedCounts,
    pub(crate) settled_epochs: Option<(u64, u64)>,
    pub(crate) results: Frontier,
    outcomes: Vec<Outcome>,
    pub(crate) transfers: Vec<TransferRecord>,
    pub(crate) statements: Vec<Statement>,
    pub(crate) settlement: Option<Settlement>,
    leaf_hashes: Vec<Hash>,
    pub(crate) scratch: Vec<u8>,
    pub(crate) workers: &'s dyn Workers,
}

impl<'s> BlockBuilder<'s> {
    pub(crate) fn begin(state: &'s mut State, time_unix_milliseconds: u64, workers: &'s dyn Workers) -> Self {
        let height = state.height.checked_add(1).expect("2^64 blocks are out of reach");
        let time = time_unix_milliseconds.max(state.time_unix_milliseconds);
        let mut builder = Self::new(state, height, time, workers);
        let epoch = builder.state.constants.epoch_at(time);
        if epoch > builder.state.epoch {
            builder.settle(epoch);
        }
        builder
    }

    /// Block 0, which posts what the genesis document gives.
    pub(crate) fn of_genesis(state: &'s mut State, transfers: Vec<Transfer>) -> Self {
        let time = state.time_unix_milliseconds;
        let mut builder = Self::new(state, 0, time, &Sequential);
        for transfer in transfers {
            builder.post(transfer, 0).expect("a validated genesis can be posted");
        }
        builder
    }

    fn new(state: &'s mut State, height: u64, time_unix_milliseconds: u64, workers: &'s dyn Workers) -> Self {
        Self {
            first_index: state.log.size(),
            state,
            height,
            time_unix_milliseconds,
            entries: Vec::new(),
            entry_bytes: 0,
            refused: RefusedCounts::default(),
            settled_epochs: None,
            results: Frontier::new(),
            outcomes: Vec::new(),
            transfers: Vec::new(),
            statements: Vec::new(),
            settlement: None,
            leaf_hashes: Vec::new(),
            scratch: Vec::new(),
            workers,
        }
    }

    /// The state as the block has made it so far.
    #[must_use]
    pub fn state(&self) -> &State {
        self.state
    }

    /// The block's time, Unix milliseconds.
    #[must_use]
    pub fn time_unix_milliseconds(&self) -> u64 {
        self.time_unix_milliseconds
    }

    /// Transactions taken so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// Whether no transaction was taken yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }

    /// Whether a transaction of this many bytes still fits.
    #[must_use]
    pub fn has_room(&self, transaction_bytes: usize) -> bool {
        self.outcomes.len() < BLOCK_TRANSACTIONS_MAX
            && transaction_bytes <= ENTRY_BYTES_MAX
            && self.entry_bytes.saturating_add(transaction_bytes) <= BLOCK_BYTES_MAX
    }

    /// Executes one transaction; a refused one leaves no trace in the state, but a refused reading is counted.
    ///
    /// # Errors
    /// Why it was refused.
    ///
    /// # Panics
    /// When [`Self::has_room`] says no: the caller closes the block first.
    pub fn execute<B: AsRef<[u8]>>(
        &mut self,
        transaction: &VerifiedTransaction<B>,
    ) -> Result<Outcome, Refused> {
        let outcome = self.apply(transaction)?;
        self.entries.push(transaction.bytes().to_vec());
        Ok(outcome)
    }

    /// As [`Self::execute`], for a caller that gives its bytes away: they become the block's entry as they are.
    ///
    /// # Errors
    /// Why it was refused.
    ///
    /// # Panics
    /// When [`Self::has_room`] says no.
    pub fn include(&mut self, transaction: VerifiedTransaction<Vec<u8>>) -> Result<Outcome, Refused> {
        let outcome = self.apply(&transaction)?;
        self.entries.push(transaction.into_bytes());
        Ok(outcome)
    }

    /// Executes without keeping the entry: a replay has the block already.
    pub(crate) fn apply<B: AsRef<[u8]>>(
        &mut self,
        transaction: &VerifiedTransaction<B>,
    ) -> Result<Outcome, Refused> {
        let bytes = transaction.bytes();
        assert!(self.has_room(bytes.len()), "the caller closes a full block before the next transaction");
        let outcome = match transaction {
            VerifiedTransaction::Reading(reading) => self.execute_reading(reading).map_err(|refusal| {
                self.refuse(refusal);
                Refused::Reading(refusal)
            })?,
            VerifiedTransaction::Instruction(instruction) => {
                self.execute_instruction(instruction).map_err(Refused::Instruction)?
            }
        };
        let leaf = leaf_hash(bytes);
        self.state.log.append(leaf);
        self.leaf_hashes.push(leaf);
        self.entry_bytes = self.entry_bytes.saturating_add(bytes.len());
        encoded_into(&mut self.scratch, |writer| outcome.write(writer));
        self.results.append(leaf_hash(&self.scratch));
        self.outcomes.push(outcome);
        Ok(outcome)
    }

    /// Counts a reading that was refused before it got here.
    pub fn refuse(&mut self, refusal: Refusal) {
        if let Some(count) = self.refused.get_mut(refusal.index()) {
            *count = count.saturating_add(1);
        }
    }

    /// The seal of a stored block says what was refused; a replay cannot count it again.
    pub(crate) fn set_refused(&mut self, refused: RefusedCounts) {
        self.refused = refused;
    }

    /// Closes the block: asserts the invariants, seals, and gives the block with all that it did.
    ///
    /// # Panics
    /// When debits and credits or supply and balances disagree: such a block must never be written.
    #[must_use]
    pub fn finish(mut self) -> (Block, BlockResults) {
        let seal_index = self.state.log.size();
        self.place_settlement(seal_index);
        self.take_over(seal_index);
        self.state.book.assert_balanced();
        let closes_epoch = self.settled_epochs.is_some() || self.height == 0;
        if closes_epoch {
            self.state.book.assert_balanced_in_full();
        }
        let seal = Seal {
            height: self.height,
            time_unix_milliseconds: self.time_unix_milliseconds,
            entries: u32::try_from(self.outcomes.len()).expect("a block holds few thousand transactions"),
            refused: self.refused,
            results_root: self.results.root(),
            log_root: self.state.log.root(),
            state_root: closes_epoch.then(|| self.state.state_root_with(self.workers)),
            settled_epochs: self.settled_epochs,
        };
        let leaf = leaf_hash(&seal.encode());
        self.state.log.append(leaf);
        self.leaf_hashes.push(leaf);
        let results = BlockResults {
            height: self.height,
            time_unix_milliseconds: self.time_unix_milliseconds,
            first_index: self.first_index,
            log_size: self.state.log.size(),
            outcomes: self.outcomes,
            transfers: self.transfers,
            statements: self.statements,
            settlement: self.settlement,
            leaf_hashes: self.leaf_hashes,
        };
        (Block { entries: self.entries, seal }, results)
    }

    /// The block's height, time and counts become the state's; behind a block that closes an epoch other validators may
    /// decide.
    fn take_over(&mut self, seal_index: u64) {
        if self.settled_epochs.is_some() && self.state.succession.changes_with(self.state.epoch) {
            Arc::make_mut(&mut self.state.succession).hand_over(seal_index.saturating_add(1));
        }
        self.state.height = self.height;
        self.state.time_unix_milliseconds = self.time_unix_milliseconds;
        for (total, count) in self.state.totals.refused.iter_mut().zip(self.refused) {
            *total = total.saturating_add(count);
        }
    }

    pub(crate) fn post(&mut self, transfer: Transfer, entry_index: u64) -> Result<(), InstructionRefusal> {
        self.state.book.post(&transfer)?;
        let (height, time_unix_milliseconds) = (self.height, self.time_unix_milliseconds);
        self.transfers.push(TransferRecord { transfer, height, time_unix_milliseconds, entry_index });
        Ok(())
    }

    fn execute_reading<B: AsRef<[u8]>>(&mut self, reading: &VerifiedReading<B>) -> Result<Outcome, Refusal> {
        let index = self.state.log.size();
        let (kid, order) = (reading.kid(), self.state.next_order());
        let device = self.state.devices.get_mut(&kid).map(Arc::make_mut).ok_or(Refusal::UnknownDevice)?;
        check_reading(device, reading, self.time_unix_milliseconds, true)?;
        // Verified under another key, for instance one that was replaced meanwhile: not verified for this device.
        if device.public_key != *reading.public_key() {
            return Err(Refusal::Signature);
        }
        let pack = reading.pack();
        let records = reading.record_count();
        device.window.accept(reading.sequence());
        device.accepted_envelopes = device.accepted_envelopes.saturating_add(1);
        device.accepted_records = device.accepted_records.saturating_add(records.into());
        device.last_accepted_unix_milliseconds = Some(self.time_unix_milliseconds);
        let intake = Intake {
            tariff: self.state.tariffs.in_force(),
            epoch_begins_unix_seconds: seconds_of(self.state.constants.epoch_begins(self.state.epoch)),
            epoch_seconds: seconds_of(self.state.constants.epoch_milliseconds),
            time_unix_seconds: seconds_of(self.time_unix_milliseconds),
            order,
        };
        device.tally.count(&intake, &pack, |taken| device.ownership.owner_at(taken));
        self.state.totals.envelopes = self.state.totals.envelopes.saturating_add(1);
        self.state.totals.records = self.state.totals.records.saturating_add(records.into());
        Ok(Outcome::Reading {
            index,
            id: reading.transaction_id(),
            kid,
            sequence: reading.sequence(),
            time_unix_milliseconds: self.time_unix_milliseconds,
            records,
        })
    }

    fn execute_instruction<B: AsRef<[u8]>>(
        &mut self,
        signed: &VerifiedInstruction<B>,
    ) -> Result<Outcome, InstructionRefusal> {
        let index = self.state.log.size();
        let instruction = Instruction::decode(signed.payload()).map_err(|_| InstructionRefusal::Malformed)?;
        let account = self.signer(signed)?;
        let (id, name) = (signed.transaction_id(), instruction.name());
        // Either refuses before it changes anything, or carries the instruction out.
        self.carry_out(account, instruction, signed, index)?;
        self.state.book.sign_in(account, *signed.public_key(), signed.counter());
        self.state.totals.instructions = self.state.totals.instructions.saturating_add(1);
        Ok(Outcome::Instruction { index, id, account, name })
    }

    /// The account that signed, if it may sign this instruction now.
    fn signer<B: AsRef<[u8]>>(
        &self,
        signed: &VerifiedInstruction<B>,
    ) -> Result<AccountId, InstructionRefusal> {
        let id = AccountId::of(signed.public_key());
        if id.kid() != signed.kid() {
            return Err(InstructionRefusal::Signature);
        }
        match self.state.book.account_of_kid(signed.kid()) {
            Some(known) if known != id => return Err(InstructionRefusal::KidTaken),
            None if signed.key() != Some(signed.public_key()) => {
                return Err(InstructionRefusal::UnknownAccount);
            }
            _ => {}
        }
        let last = self.state.book.account(id).map_or(0, |account| account.counter);
        if signed.counter() <= last { Err(InstructionRefusal::StaleCounter) } else { Ok(id) }
    }
}

/// Milliseconds in whole seconds.
fn seconds_of(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds / 1_000).unwrap_or(i64::MAX)
}
