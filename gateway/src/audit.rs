//! The judge: executes every block again from the genesis document and believes nothing that is stored.
//!
//! Every signature is verified, every root, settlement, statement and balance computed anew and compared with the
//! seals; the first entry that differs is named. Of the node's code only the ledger's is used, and its cache of points.

mod ahead;
mod certificates;
mod kept;
mod pruned;
mod stored;

use ledger::block::{Block, BlockResults, Seal};
use ledger::checkpoint::{Checkpoint, SignedCheckpoint, SignedCheckpointError};
use ledger::genesis::Genesis;
use ledger::handovers::Handovers;
use ledger::note::{Note, NoteError};
use ledger::replay::{Divergence, Trust};
use ledger::state::State;
use ledger::transaction::Outcome;

use crate::limits::{AUDIT_WINDOW_BYTES, AUDIT_WINDOW_ENTRIES, AUDIT_WINDOWS_AHEAD};
use crate::workers::Cores;
use ahead::{Ahead, Entries, Judged};

pub use certificates::CertificateFault;
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
    /// The checkpoint is not believed.
    #[error(transparent)]
    Signed(#[from] SignedCheckpointError),
    /// It is not shown that the validators decided a block.
    #[error("{place}: block {height}: {fault}")]
    Certificate {
        /// Where the block was read from.
        place: String,
        /// Its height.
        height: u64,
        /// What is wrong.
        fault: CertificateFault,
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
    /// What lies beside it to show that several validators decided it.
    pub certificate: Option<Vec<u8>>,
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
    /// Blocks of which a certificate shows that the validators of their height decided them.
    pub certificates: u64,
}

/// Executes blocks in order.
pub struct Audit {
    genesis: Genesis,
    note: Note,
    checkpoint: Checkpoint,
    with_certificates: bool,
    reached: bool,
    state: Option<State>,
    gathered: Vec<Located>,
    gathered_entries: usize,
    gathered_bytes: usize,
    /// Windows close with this many entries.
    window_entries: usize,
    ahead: Ahead,
    findings: Findings,
    stored: Option<StoredStates>,
    kept: Option<Kept>,
}

impl Audit {
    /// An audit against a genesis document and a signed checkpoint, whose signatures are verified first, by what somebody
    /// says of the validators' changes; once the log has led to the checkpoint, by what the log says of them.
    ///
    /// # Errors
    /// When the checkpoint is not signed by enough validators.
    pub fn new(
        genesis: Genesis,
        handovers: &Handovers,
        signed_checkpoint: &str,
    ) -> Result<Audit, AuditError> {
        let note = Note::parse(signed_checkpoint)?;
        let checkpoint = SignedCheckpoint::verify(&note, handovers)?.checkpoint().clone();
        let ahead = Ahead::new(&genesis.network);
        Ok(Audit {
            genesis,
            note,
            checkpoint,
            with_certificates: false,
            reached: false,
            state: None,
            gathered: Vec::new(),
            gathered_entries: 0,
            gathered_bytes: 0,
            window_entries: AUDIT_WINDOW_ENTRIES,
            ahead,
            findings: Findings::default(),
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

    /// Also demands of each block the certificate of those who decided it, where the network began with several validators.
    #[must_use]
    pub fn with_certificates(mut self) -> Audit {
        self.with_certificates = self.genesis.validators.len() > 1;
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
        SignedCheckpoint::verify(&self.note, state.handovers())?;
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

    /// Takes the next block. Signatures are verified on all cores once enough blocks have come together, and blocks are
    /// executed when those before them have been, while signatures behind them are verified.
    ///
    /// # Errors
    /// The first entry that differs.
    pub fn take(&mut self, located: Located) -> Result<(), AuditError> {
        let entries = &located.block.entries;
        self.gathered_entries += entries.len() + 1;
        self.gathered_bytes += entries.iter().map(Vec::len).sum::<usize>();
        self.gathered.push(located);
        if self.state.is_none() {
            // Nobody's key is known before genesis.
            return self.catch_up();
        }
        if self.gathered_entries >= self.window_entries || self.gathered_bytes >= AUDIT_WINDOW_BYTES {
            self.verify_gathered();
        }
        if self.ahead.windows() > AUDIT_WINDOWS_AHEAD { self.execute_oldest() } else { Ok(()) }
    }

    /// Executes all that was taken: where nothing more can be read, something before may differ.
    ///
    /// # Errors
    /// The first entry that differs.
    pub fn catch_up(&mut self) -> Result<(), AuditError> {
        self.verify_gathered();
        while self.ahead.windows() > 0 {
            self.execute_oldest()?;
        }
        Ok(())
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
        self.catch_up()?;
        let Some(state) = self.state else { return Err(AuditError::Empty) };
        if !self.reached {
            return Err(AuditError::Missing { promised: self.checkpoint.size, found: state.log_size() });
        }
        self.findings.issued_microtokens = state.issued_microtokens();
        self.findings.root = state.root();
        self.findings.stored_states = self.stored.as_ref().map_or(0, StoredStates::compared);
        Ok((self.findings, state, self.kept.unwrap_or_default()))
    }

    /// Hands what was gathered over to be verified.
    fn verify_gathered(&mut self) {
        let blocks = std::mem::take(&mut self.gathered);
        (self.gathered_entries, self.gathered_bytes) = (0, 0);
        if !blocks.is_empty() {
            self.ahead.push(blocks, self.state.as_ref());
        }
    }

    /// Executes the oldest window once its signatures are judged. After an error nothing waits any more: what follows a
    /// difference cannot be judged.
    fn execute_oldest(&mut self) -> Result<(), AuditError> {
        let executed = self.ahead.pop().try_for_each(|judged| self.execute(judged));
        if executed.is_err() {
            self.gathered.clear();
            self.ahead.clear();
        }
        executed
    }

    fn execute(&mut self, judged: Judged) -> Result<(), AuditError> {
        let Judged { place, seal, certificate, entries } = judged;
        if let Some(state) = self.state.as_ref().filter(|_| self.with_certificates) {
            let judged =
                certificates::judge(certificate.as_deref(), &seal, state.genesis_hash(), state.validators());
            let height = seal.height;
            judged.map_err(|fault| AuditError::Certificate { place: place.clone(), height, fault })?;
            self.findings.certificates += 1;
        }
        let results = match (&mut self.state, entries) {
            (Some(state), Entries::Verified(transactions)) => {
                state.replay_verified(&transactions, &seal, &Cores)
            }
            // Something did not verify, or is nothing that could: one by one, which names it.
            (Some(state), Entries::Doubtful(entries)) => {
                let block = Block { entries, seal: seal.clone() };
                state.replay_with(&block, Trust::Nothing, &Cores)
            }
            (None, entries) => {
                let block = Block { entries: entries.into_stored(), seal: seal.clone() };
                State::replay_genesis(&self.genesis, &block).map(|(state, results)| {
                    self.state = Some(state);
                    results
                })
            }
        };
        let results = results.map_err(|divergence| AuditError::Differs { place, divergence })?;
        self.count(&seal, &results)
    }

    fn count(&mut self, seal: &Seal, results: &BlockResults) -> Result<(), AuditError> {
        if let Some(kept) = &mut self.kept {
            kept.take(seal, results);
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
        findings.settled_epochs += seal.settled_epochs.map_or(0, |(first, last)| last - first + 1);
        if results.log_size == self.checkpoint.size
            && let Some(state) = self.state.take()
        {
            let compared = self.compare_root(&state);
            self.state = Some(state);
            compared?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
