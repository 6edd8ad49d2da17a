//! Executing stored blocks again, at a node's start or in an audit: the results must be those of the seals, byte for
//! byte. The first difference is named.

use crate::block::{Block, BlockResults, Entry, Seal};
use crate::execute::BlockBuilder;
use crate::genesis::Genesis;
use crate::instruction::{Instruction, InstructionRefusal};
use crate::state::State;
use crate::transaction::{Refused, VerifiedTransaction};
use crate::workers::{Sequential, Workers};
use devices::instruction::VerifiedInstruction;
use devices::reading::VerifiedReading;
use devices::refusal::Refusal;

/// How far stored transactions are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The node's own log: every signature was verified before it was written, and checksums and the seals' log roots
    /// show that it is what was written.
    OwnLog,
    /// Nothing: every signature is verified again.
    Nothing,
}

/// What differs first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// The block does not follow the last one.
    #[error("the block has height {found}, {expected} follows")]
    Height {
        /// What the seal says.
        found: u64,
        /// What follows.
        expected: u64,
    },
    /// The block is older than its parent.
    #[error("the block is older than the one before it")]
    Time,
    /// More transactions or bytes than a block may hold.
    #[error("the block exceeds its bounds at this entry")]
    TooLarge,
    /// The bytes are no transaction.
    #[error("the entry is no transaction")]
    NotATransaction,
    /// The device or account is unknown, or its key does not explain the signature.
    #[error("the entry does not verify: {0}")]
    NotVerified(Refused),
    /// The entry was verified, but would not have been accepted.
    #[error("the entry would have been refused: {0}")]
    Refused(Refused),
    /// A field of the seal is not what executing the block gives.
    #[error("the seal's {0} is not what executing the block gives")]
    Seal(&'static str),
    /// The entries do not lead to the root in the seal.
    #[error("an entry from the one named to the seal was altered: they do not hash to the seal's log root")]
    LogRoot,
}

/// Where a stored log differs from what executing it gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {height}, entry {index}: {difference}")]
pub struct Divergence {
    /// The block, counted from genesis: not what a damaged seal says.
    pub height: u64,
    /// The entry's index in the log.
    pub index: u64,
    /// What differs.
    pub difference: Difference,
}

impl State {
    /// Begins from the genesis document and checks that the stored block 0 is what it gives.
    ///
    /// # Errors
    /// When it differs.
    pub fn replay_genesis(genesis: &Genesis, block: &Block) -> Result<(Self, BlockResults), Divergence> {
        let (state, expected, results) = Self::genesis(genesis);
        if block.entries.is_empty() {
            compare(&block.seal, &expected.seal, 0, 0)?;
            return Ok((state, results));
        }
        Err(Divergence { height: 0, index: 0, difference: Difference::Seal("number of entries") })
    }

    /// Executes a stored block and compares its seal byte for byte. After an error the state is of no use any more.
    ///
    /// # Errors
    /// The first entry that differs, and how.
    pub fn replay(&mut self, block: &Block, trust: Trust) -> Result<BlockResults, Divergence> {
        self.replay_with(block, trust, &Sequential)
    }

    /// Like [`Self::replay`]; where the block closes an epoch, `workers` do it together.
    ///
    /// # Errors
    /// The first entry that differs, and how.
    pub fn replay_with(
        &mut self,
        block: &Block,
        trust: Trust,
        workers: &dyn Workers,
    ) -> Result<BlockResults, Divergence> {
        let mut replay = Replay::begin(self, &block.seal, workers)?;
        for entry in &block.entries {
            let transaction = replay.verify(entry, trust)?;
            replay.execute(&transaction)?;
        }
        replay.finish()
    }

    /// Like [`Self::replay_with`], for callers that have verified the block's transactions already, for instance in
    /// batches on all cores.
    ///
    /// # Errors
    /// The first entry that differs, and how.
    pub fn replay_verified<B: AsRef<[u8]>>(
        &mut self,
        transactions: &[VerifiedTransaction<B>],
        seal: &Seal,
        workers: &dyn Workers,
    ) -> Result<BlockResults, Divergence> {
        let mut replay = Replay::begin(self, seal, workers)?;
        transactions.iter().try_for_each(|transaction| replay.execute(transaction))?;
        replay.finish()
    }

    /// Executes a block of a log that was accepted already, and compares nothing: for a copy of the state that pays by
    /// another tariff. Entries that this state refuses are left out, and so
    /// are the changes of the tariff that the log holds.
    ///
    /// # Errors
    /// When the block does not follow the last one.
    pub(crate) fn rehearse(&mut self, block: &Block) -> Result<BlockResults, Divergence> {
        let mut replay = Replay::begin(self, &block.seal, &Sequential)?;
        for entry in &block.entries {
            match replay.verify(entry, Trust::OwnLog) {
                Ok(transaction) if !sets_tariff(&transaction) => {
                    let _refused_here = replay.builder.apply(&transaction);
                }
                _ => {}
            }
        }
        Ok(replay.builder.finish().1)
    }
}

/// Whether a transaction would put another price list into the place of the one that is tried.
fn sets_tariff<B: AsRef<[u8]>>(transaction: &VerifiedTransaction<B>) -> bool {
    match transaction {
        VerifiedTransaction::Reading(_) => false,
        VerifiedTransaction::Instruction(signed) => {
            matches!(Instruction::decode(signed.payload()), Ok(Instruction::SetTariff { .. }))
        }
    }
}

/// A block that is being executed again.
struct Replay<'s> {
    builder: BlockBuilder<'s>,
    seal: &'s Seal,
    first_index: u64,
}

impl<'s> Replay<'s> {
    fn begin(state: &'s mut State, seal: &'s Seal, workers: &'s dyn Workers) -> Result<Self, Divergence> {
        let first_index = state.log_size();
        let expected = state.height().saturating_add(1);
        let differs = |difference| Divergence { height: expected, index: first_index, difference };
        if seal.height != expected {
            return Err(differs(Difference::Height { found: seal.height, expected }));
        }
        if seal.time_unix_milliseconds < state.time_unix_milliseconds() {
            return Err(differs(Difference::Time));
        }
        let mut builder = state.begin_with(seal.time_unix_milliseconds, workers);
        builder.set_refused(seal.refused);
        Ok(Self { builder, seal, first_index })
    }

    fn differs(&self, difference: Difference) -> Divergence {
        Divergence { height: self.builder.height, index: self.builder.state().log_size(), difference }
    }

    fn verify<'e>(&self, entry: &'e [u8], trust: Trust) -> Result<VerifiedTransaction<&'e [u8]>, Divergence> {
        let state = self.builder.state();
        let reading_refused = |refusal| self.differs(Difference::NotVerified(Refused::Reading(refusal)));
        let instruction_refused =
            |refusal| self.differs(Difference::NotVerified(Refused::Instruction(refusal)));
        match Entry::decode(entry) {
            Some(Entry::Reading(reading)) => {
                let key = state.device_key(reading.kid()).ok_or(reading_refused(Refusal::UnknownDevice))?;
                let verified = match trust {
                    Trust::OwnLog => VerifiedReading::from_own_log(reading, key, state.network()),
                    Trust::Nothing => reading
                        .verify(key, state.network())
                        .map_err(|(refusal, _)| reading_refused(refusal))?,
                };
                Ok(VerifiedTransaction::Reading(verified))
            }
            Some(Entry::Instruction(instruction)) => {
                let verified = match trust {
                    Trust::OwnLog => {
                        let key = state.account_key(instruction.kid()).or(instruction.key()).copied();
                        let key = key.ok_or(instruction_refused(InstructionRefusal::UnknownAccount))?;
                        VerifiedInstruction::from_own_log(instruction, &key, state.network())
                    }
                    Trust::Nothing => state
                        .verify_instruction(instruction)
                        .map_err(|(refusal, _)| instruction_refused(refusal))?,
                };
                Ok(VerifiedTransaction::Instruction(verified))
            }
            _ => Err(self.differs(Difference::NotATransaction)),
        }
    }

    fn execute<B: AsRef<[u8]>>(&mut self, transaction: &VerifiedTransaction<B>) -> Result<(), Divergence> {
        if !self.builder.has_room(transaction.bytes().len()) {
            return Err(self.differs(Difference::TooLarge));
        }
        match self.builder.apply(transaction) {
            Ok(_) => Ok(()),
            Err(refused) => Err(self.differs(Difference::Refused(refused))),
        }
    }

    fn finish(self) -> Result<BlockResults, Divergence> {
        let Self { builder, seal, first_index } = self;
        let (block, results) = builder.finish();
        compare(seal, &block.seal, first_index, results.seal_index())?;
        Ok(results)
    }
}

/// Names the first field in which a stored seal differs from the computed one.
fn compare(stored: &Seal, computed: &Seal, first_index: u64, seal_index: u64) -> Result<(), Divergence> {
    let differs = |index, difference| Divergence { height: computed.height, index, difference };
    let fields = [
        ("height", stored.height == computed.height),
        ("time", stored.time_unix_milliseconds == computed.time_unix_milliseconds),
        ("number of entries", stored.entries == computed.entries),
    ];
    if let Some((field, _)) = fields.into_iter().find(|(_, equal)| !equal) {
        return Err(differs(seal_index, Difference::Seal(field)));
    }
    if stored.log_root != computed.log_root {
        return Err(differs(first_index, Difference::LogRoot));
    }
    let fields = [
        ("refused counts", stored.refused == computed.refused),
        ("results root", stored.results_root == computed.results_root),
        ("settled epochs", stored.settled_epochs == computed.settled_epochs),
        ("state root", stored.state_root == computed.state_root),
    ];
    match fields.into_iter().find(|(_, equal)| !equal) {
        Some((field, _)) => Err(differs(seal_index, Difference::Seal(field))),
        None => Ok(()),
    }
}
