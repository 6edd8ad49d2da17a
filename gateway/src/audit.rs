//! The judge: executes every block again from the genesis document and believes nothing that is stored.
//!
//! Every signature is verified, every root, settlement, statement and balance computed anew and compared with the
//! seals; the first entry that differs is named. Of the node's code only the ledger's is used, and its cache of points.

mod kept;
mod pruned;
mod stored;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::thread;

use devices::batch::{Signed, Verdict, Verified, verify_batch};
use devices::{DeviceId, PublicKey};
use ledger::block::{Block, BlockResults, Entry};
use ledger::checkpoint::{Checkpoint, CheckpointError};
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::note::{Note, NoteError};
use ledger::replay::{Divergence, Trust};
use ledger::state::State;
use ledger::transaction::{Outcome, VerifiedTransaction};

use crate::key_cache::KeyCache;
use crate::limits::{AUDIT_WINDOW_ENTRIES, KEYS_CACHED_MAX, VERIFY_BATCH_MAX};

pub use kept::{Kept, KeptStatement};
pub use pruned::{PrunedAudit, PrunedAuditError, PrunedFindings};
pub use stored::{StoredStateDiffers, StoredStates};

/// What differs first.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A block is not what executing it gives.
    #[error("{place}: {divergence}")]
    Differs {
        /// Where the block was read from.
        place: String,
        /// Which entry, and how.
        divergence: Divergence,
    },
    /// Something before the base of a pruned log.
    #[error(transparent)]
    Pruned(#[from] PrunedAuditError),
    /// A stored state is not what the log gives.
    #[error(transparent)]
    Stored(#[from] StoredStateDiffers),
    /// There is no block at all.
    #[error("the log is empty: not even the genesis block is there")]
    Empty,
    /// The checkpoint is no signed note.
    #[error("the checkpoint is malformed: {0}")]
    Note(#[from] NoteError),
    /// The note is no checkpoint.
    #[error("the checkpoint is malformed: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint belongs to another log.
    #[error("the checkpoint is of {found:?}, the genesis document says {expected:?}")]
    Origin {
        /// What it says.
        found: String,
        /// What it must say.
        expected: String,
    },
    /// Too few validators signed the checkpoint.
    #[error("{good} of the validators' signatures under the checkpoint hold, {needed} must")]
    Signatures {
        /// How many hold.
        good: usize,
        /// How many must.
        needed: usize,
    },
    /// The checkpoint promises more than there is, or ends inside a block.
    #[error(
        "the signed checkpoint promises {promised} entries, but no block ends there: the log ends with {found}"
    )]
    Missing {
        /// What the checkpoint says.
        promised: u64,
        /// What the log holds.
        found: u64,
    },
    /// The checkpoint's root is another.
    #[error("the signed checkpoint of {0} entries has another root than these entries give")]
    Root(u64),
}

/// A block and where it was read from, for the sentence that names it.
#[derive(Debug, Clone)]
pub struct Located {
    /// Such as `log/00000001.segment at byte 64`.
    pub place: String,
    /// The block.
    pub block: Block,
}

/// What was computed from genesis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Findings {
    /// Blocks executed, genesis among them.
    pub blocks: u64,
    /// Entries in the log.
    pub entries: u64,
    /// Readings, each with its signature verified.
    pub readings: u64,
    /// Instructions, each with its signature verified.
    pub instructions: u64,
    /// Statements computed.
    pub statements: u64,
    /// Paid by them, micro-tokens.
    pub paid_microtokens: u128,
    /// All tokens there are, micro-tokens.
    pub issued_microtokens: u64,
    /// Epochs settled.
    pub settled_epochs: u64,
    /// Root of the log.
    pub root: [u8; 32],
    /// What was found before the base of a pruned log; none of it is in the counts above, except the entries.
    pub pruned: Option<PrunedFindings>,
    /// Stored states that were compared with what the log gives.
    pub stored_states: u64,
}

/// Executes blocks in order.
pub struct Audit {
    genesis: Genesis,
    checkpoint: Checkpoint,
    reached: bool,
    state: Option<State>,
    keys: KeyCache,
    window: Vec<Located>,
    window_entries: usize,
    findings: Findings,
    stored: Option<StoredStates>,
    kept: Option<Kept>,
}

impl Audit {
    /// An audit against a genesis document and a signed checkpoint, whose signatures are verified first.
    ///
    /// # Errors
    /// When the checkpoint is not signed by enough validators.
    pub fn new(genesis: Genesis, signed_checkpoint: &str) -> Result<Audit, AuditError> {
        let note = Note::parse(signed_checkpoint)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        if checkpoint.origin != genesis.origin {
            return Err(AuditError::Origin { found: checkpoint.origin, expected: genesis.origin });
        }
        let good = genesis.verifier_keys().iter().filter(|key| note.signed_by(key) == Some(true)).count();
        let needed = genesis.quorum();
        if good < needed {
            return Err(AuditError::Signatures { good, needed });
        }
        let (window, window_entries, findings) = (Vec::new(), 0, Findings::default());
        Ok(Audit {
            genesis,
            checkpoint,
            reached: false,
            state: None,
            keys: KeyCache::new(KEYS_CACHED_MAX),
            window,
            window_entries,
            findings,
            stored: None,
            kept: None,
        })
    }

    /// Also compares the states that a node has stored.
    #[must_use]
    pub fn with_stored(mut self, stored: StoredStates) -> Audit {
        self.stored = Some(stored);
        self
    }

    /// Also keeps the statements, for [`Self::finish_with_state`].
    #[must_use]
    pub fn keeping_statements(mut self) -> Audit {
        self.kept = Some(Kept::default());
        self
    }

    /// Begins behind the base of a pruned log, of which everything that stays was found to hold.
    ///
    /// # Errors
    /// When the pruned part contradicts itself or the checkpoint.
    pub fn begin_behind(&mut self, pruned: PrunedAudit) -> Result<(), AuditError> {
        let (state, findings) = pruned.finish()?;
        self.findings.entries = state.log_size();
        self.findings.pruned = Some(findings);
        if state.log_size() == self.checkpoint.size {
            self.compare_root(&state)?;
        }
        self.state = Some(state);
        Ok(())
    }

    fn compare_root(&mut self, state: &State) -> Result<(), AuditError> {
        if state.root() != self.checkpoint.root {
            return Err(AuditError::Root(self.checkpoint.size));
        }
        self.reached = true;
        Ok(())
    }

    /// Entries that the checkpoint promises.
    pub fn promised(&self) -> u64 {
        self.checkpoint.size
    }

    /// What was found so far; blocks that wait for a full window are not counted yet.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Takes the next block. Signatures are verified on all cores once enough blocks have come together.
    ///
    /// # Errors
    /// The first entry that differs.
    pub fn take(&mut self, located: Located) -> Result<(), AuditError> {
        self.window_entries += located.block.entries.len() + 1;
        self.window.push(located);
        if self.window_entries >= AUDIT_WINDOW_ENTRIES { self.execute_window() } else { Ok(()) }
    }

    /// Executes what is left and compares with the checkpoint.
    ///
    /// # Errors
    /// The first entry that differs, or that the checkpoint does not fit.
    pub fn finish(self) -> Result<Findings, AuditError> {
        self.finish_with_state().map(|(findings, ..)| findings)
    }

    /// The same, with the state that the last block led to and the statements that were kept.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn finish_with_state(mut self) -> Result<(Findings, State, Kept), AuditError> {
        self.execute_window()?;
        let Some(state) = self.state else { return Err(AuditError::Empty) };
        if !self.reached {
            return Err(AuditError::Missing { promised: self.checkpoint.size, found: state.log_size() });
        }
        self.findings.issued_microtokens = state.issued_microtokens();
        self.findings.root = state.root();
        self.findings.stored_states = self.stored.as_ref().map_or(0, StoredStates::compared);
        Ok((self.findings, state, self.kept.unwrap_or_default()))
    }

    fn execute_window(&mut self) -> Result<(), AuditError> {
        let window = std::mem::take(&mut self.window);
        self.window_entries = 0;
        let plans = plan(&window, self.state.as_ref());
        let counts: Vec<usize> = plans.iter().map(Vec::len).collect();
        let jobs = plans.into_iter().flatten().collect();
        let mut verdicts = verify_on_all_cores(&self.genesis.network, &self.keys, jobs).into_iter();
        for (located, count) in window.iter().zip(counts) {
            let verdicts: Vec<_> = verdicts.by_ref().take(count).collect();
            let results = self
                .execute(&located.block, verdicts)
                .map_err(|divergence| AuditError::Differs { place: located.place.clone(), divergence })?;
            self.count(&located.block, &results)?;
        }
        Ok(())
    }

    fn execute(&mut self, block: &Block, verdicts: Vec<Verdict<&[u8]>>) -> Result<BlockResults, Divergence> {
        let Some(state) = &mut self.state else {
            let (state, results) = State::replay_genesis(&self.genesis, block)?;
            self.state = Some(state);
            return Ok(results);
        };
        let transactions = verdicts.into_iter().map(transaction).collect::<Option<Vec<_>>>();
        match transactions.filter(|transactions| transactions.len() == block.entries.len()) {
            Some(transactions) => state.replay_verified(&transactions, &block.seal),
            // Something did not verify, or is nothing that could: one by one, which names it.
            None => state.replay(block, Trust::Nothing),
        }
    }

    fn count(&mut self, block: &Block, results: &BlockResults) -> Result<(), AuditError> {
        if let Some(kept) = &mut self.kept {
            kept.take(block, results);
        }
        if let (Some(stored), Some(state)) = (&mut self.stored, &self.state) {
            stored.compare(&self.genesis, state)?;
        }
        let findings = &mut self.findings;
        findings.blocks += 1;
        findings.entries = results.log_size;
        let readings =
            results.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Reading { .. })).count();
        findings.readings += readings as u64;
        findings.instructions += (results.outcomes.len() - readings) as u64;
        findings.statements += results.statements.len() as u64;
        let paid =
            results.statements.iter().map(|statement| u128::from(statement.paid_microtokens)).sum::<u128>();
        findings.paid_microtokens += paid;
        findings.settled_epochs += block.seal.settled_epochs.map_or(0, |(first, last)| last - first + 1);
        if results.log_size == self.checkpoint.size {
            let root = self.state.as_ref().map(State::root);
            if root != Some(self.checkpoint.root) {
                return Err(AuditError::Root(self.checkpoint.size));
            }
            self.reached = true;
        }
        Ok(())
    }
}

type Job<'a> = (Signed<&'a [u8]>, PublicKey);

/// Decodes the entries of each block of a window and finds the keys: in the state before the window, or in an instruction
/// before the entry. A key that was planned wrongly does no harm: executing compares it with the registry's.
fn plan<'a>(window: &'a [Located], state: Option<&State>) -> Vec<Vec<Job<'a>>> {
    let mut heard: HashMap<DeviceId, PublicKey> = HashMap::new();
    let mut job = |bytes: &'a Vec<u8>| match Entry::decode(bytes)? {
        Entry::Reading(reading) => {
            let kid = reading.kid();
            let known = state.and_then(|state| state.device_key(kid)).or_else(|| heard.get(&kid)).copied()?;
            Some((Signed::Reading(reading), known))
        }
        Entry::Instruction(instruction) => {
            let decoded = Instruction::decode(instruction.payload()).ok();
            let enrolled = decoded.as_ref().and_then(Instruction::device_key);
            let kid = instruction.kid();
            heard.extend(enrolled.map(|key| (key.kid(), *key)));
            heard.extend(instruction.key().map(|key| (kid, *key)));
            let known =
                state.and_then(|state| state.account_key(kid)).or_else(|| heard.get(&kid)).copied()?;
            Some((Signed::Instruction(instruction), known))
        }
        Entry::Seal(_) => None,
    };
    window.iter().map(|located| located.block.entries.iter().filter_map(&mut job).collect()).collect()
}

fn transaction(verdict: Verdict<&[u8]>) -> Option<VerifiedTransaction<&[u8]>> {
    match verdict.ok()? {
        Verified::Reading(reading) => Some(VerifiedTransaction::Reading(reading)),
        Verified::Instruction(instruction) => Some(VerifiedTransaction::Instruction(instruction)),
    }
}

/// Verifies in batches, each core its own; the verdicts stand in the order of the jobs.
fn verify_on_all_cores<'a>(network: &str, keys: &KeyCache, jobs: Vec<Job<'a>>) -> Vec<Verdict<&'a [u8]>> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = jobs.len().div_ceil(cores).max(1);
    let mut rest = jobs;
    let mut shares = Vec::new();
    while !rest.is_empty() {
        let later = rest.split_off(share.min(rest.len()));
        shares.push(rest);
        rest = later;
    }
    let judge = |mut share: Vec<Job<'a>>| {
        let mut verdicts = Vec::with_capacity(share.len());
        while !share.is_empty() {
            let later = share.split_off(VERIFY_BATCH_MAX.min(share.len()));
            verdicts.extend(verify_batch(network, keys.decompress(share)));
            share = later;
        }
        verdicts
    };
    thread::scope(|scope| {
        let workers: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || judge(share))).collect();
        // A worker that panicked has found a broken invariant: the audit must not go on as if it had not.
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
