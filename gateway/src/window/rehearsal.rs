//! Dry runs of a tariff for the operator's page: a few epochs, one page at a time, from the newest snapshot before them, so
//! that nobody's curiosity takes the node's time for long.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Mutex, TryLockError};

use dashboard::view::{Proposal, Rehearsal, Rehearsed, RehearsedPay};
use ledger::replay::{Divergence, Trust};
use ledger::snapshot::SnapshotError;
use ledger::state::State;
use ledger::tariff::Tariff;

use crate::clock;
use crate::dry_run::{Comparison, DryRun};
use crate::index::IndexError;
use crate::limits::{DRY_RUN_PAGE_DURATION_MAX, DRY_RUN_PAGE_ENTRIES_MAX, DRY_RUN_PAGE_EPOCHS_MAX};
use crate::log::{LogError, Position};
use crate::shared::{ReadError, Shared, epoch_at};
use crate::snapshot;

/// Where dry runs begin, and whether one is under way.
#[derive(Debug, Default)]
pub struct Rehearsals {
    /// Without them every one begins at genesis.
    snapshots: Option<PathBuf>,
    alone: Mutex<()>,
}

/// Why a proposal was not tried.
#[derive(Debug, thiserror::Error)]
enum Untried {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the node's own log cannot be executed again: {0}")]
    Divergence(#[from] Divergence),
    #[error("the state at the pruned log's base cannot be read: {0}")]
    Base(#[from] SnapshotError),
}

impl From<LogError> for Untried {
    fn from(error: LogError) -> Untried {
        Untried::Read(error.into())
    }
}

impl From<IndexError> for Untried {
    fn from(error: IndexError) -> Untried {
        Untried::Read(error.into())
    }
}

/// Where the log is executed from.
struct Start {
    state: Option<State>,
    /// The first block; the log's first one where it is `None`.
    position: Option<Position>,
    /// Log index of its first entry.
    first_index: u64,
}

impl Rehearsals {
    /// Dry runs that begin at the snapshots in this directory.
    pub fn from_snapshots(directory: PathBuf) -> Rehearsals {
        Rehearsals { snapshots: Some(directory), alone: Mutex::default() }
    }

    /// Tries a proposal; gives the `payees_max` accounts whose pay it changes most.
    ///
    /// # Errors
    /// When the node's own records cannot be read.
    pub fn rehearse(
        &self,
        shared: &Shared,
        proposal: &Proposal,
        payees_max: usize,
    ) -> Result<Rehearsal, ReadError> {
        match self.try_out(shared, proposal, payees_max) {
            Ok(rehearsed) => Ok(Rehearsal::Done(rehearsed)),
            Err(Untried::Refused(sentence)) => Ok(Rehearsal::Refused(sentence)),
            Err(Untried::Read(error)) => Err(error),
            Err(error @ (Untried::Divergence(_) | Untried::Base(_))) => {
                tracing::error!(%error, "a dry run broke off");
                Ok(Rehearsal::Refused(format!("{error}. Run lamppost audit on the data directory.")))
            }
        }
    }

    fn try_out(&self, shared: &Shared, proposal: &Proposal, payees_max: usize) -> Result<Rehearsed, Untried> {
        let refused = Untried::Refused;
        let tariff = Tariff::from_json(&proposal.json)
            .map_err(|error| refused(format!("This does not hold: {error}.")))?;
        let _alone = match self.alone.try_lock() {
            Ok(alone) => alone,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let sentence =
                    "Another dry run is under way; the node does one at a time. Ask again in a moment.";
                return Err(refused(sentence.to_owned()));
            }
        };
        let (running, next) = {
            let state = shared.state();
            let newest = state.tariffs().versions().next_back().map_or(0, |newest| newest.tariff.version);
            (state.epoch(), newest.saturating_add(1))
        };
        if tariff.version != next {
            let version = tariff.version;
            return Err(refused(format!(
                "This says version {version}, but version {next} follows. Change it: the ledger takes no other number."
            )));
        }
        let Some(last) = running.checked_sub(1) else {
            let sentence = "No epoch has closed yet, so there is nothing to settle anew. Ask again when the first one has.";
            return Err(refused(sentence.to_owned()));
        };
        let epochs = proposal.epochs.clamp(1, DRY_RUN_PAGE_EPOCHS_MAX);
        let first = (last + 1).saturating_sub(epochs);
        let version = tariff.version;
        let comparison = self.compare(shared, tariff, first..=last)?;
        Ok(rehearsed(version, first..=last, &comparison, payees_max))
    }

    fn compare(
        &self,
        shared: &Shared,
        tariff: Tariff,
        epochs: RangeInclusive<u64>,
    ) -> Result<Comparison, Untried> {
        let too_long = || {
            Untried::Refused(format!(
                "There is too much in these epochs for a page. Try fewer, or run lamppost tariff dry-run with --epochs \
                 {}..{}, which takes its time elsewhere.",
                epochs.start(),
                epochs.end()
            ))
        };
        let Start { mut state, position, first_index } = self.start(shared, *epochs.start())?;
        if shared.durable().log_size.saturating_sub(first_index) > DRY_RUN_PAGE_ENTRIES_MAX {
            return Err(too_long());
        }
        let deadline = clock::monotonic() + DRY_RUN_PAGE_DURATION_MAX;
        let mut dry_run = DryRun::new(tariff, epochs.clone());
        let blocks = match position {
            Some(position) => shared.log.blocks_from(position),
            None => shared.log.blocks(),
        };
        for block in blocks {
            let (_, _, block) = block?;
            let epoch = epoch_at(&shared.genesis, block.seal.time_unix_milliseconds);
            let taken = dry_run.take(&mut state, epoch, &block, |state| match state {
                Some(state) => state.replay(&block, Trust::OwnLog).map_err(Untried::from),
                None => {
                    let (genesis, results) = State::replay_genesis(&shared.genesis, &block)?;
                    *state = Some(genesis);
                    Ok(results)
                }
            })?;
            if taken.is_break() {
                return Ok(dry_run.finish());
            }
            if clock::monotonic() >= deadline {
                return Err(too_long());
            }
        }
        Err(Untried::Read(ReadError::Disagree))
    }

    /// The newest state that is of an epoch before `first`.
    fn start(&self, shared: &Shared, first: u64) -> Result<Start, Untried> {
        let (genesis, hash) = (&shared.genesis, shared.genesis.hash());
        let directory = self.snapshots.as_ref();
        for height in directory.into_iter().flat_map(|directory| snapshot::heights(directory)).rev() {
            let Some(next) = shared.index.block(height.saturating_add(1))? else { continue };
            let state = directory
                .and_then(|directory| snapshot::read(directory, hash, height))
                .and_then(|bytes| State::restore(genesis, &bytes).ok());
            if let Some(state) = state.filter(|state| state.height() == height && state.epoch() < first) {
                let (position, first_index) = (Some(next.position), next.first_index);
                return Ok(Start { state: Some(state), position, first_index });
            }
        }
        let Some(base) = shared.log.base() else {
            return Ok(Start { state: None, position: None, first_index: 0 });
        };
        let bytes = shared.log.base_state()?.unwrap_or_default();
        let state = State::restore(genesis, &bytes)?;
        if state.epoch() >= first {
            let sentence = "The readings of these epochs were pruned: nothing can be settled anew from them. Try fewer epochs, \
                            or a backup from before.";
            return Err(Untried::Refused(sentence.to_owned()));
        }
        Ok(Start { state: Some(state), position: None, first_index: base.entries })
    }
}

fn rehearsed(
    version: u32,
    epochs: RangeInclusive<u64>,
    comparison: &Comparison,
    payees_max: usize,
) -> Rehearsed {
    let total = comparison.total();
    let pay = |(account, pay): (&ledger::account::AccountId, &crate::dry_run::Pay)| RehearsedPay {
        account: account.to_string(),
        was_microtokens: pay.was_microtokens,
        would_be_microtokens: pay.would_be_microtokens,
    };
    let mut payees: Vec<RehearsedPay> = comparison.payees.iter().map(pay).collect();
    let difference = |pay: &RehearsedPay| pay.was_microtokens.abs_diff(pay.would_be_microtokens);
    payees.sort_by_key(|pay| std::cmp::Reverse(difference(pay)));
    payees.truncate(payees_max);
    Rehearsed {
        version,
        first_epoch: *epochs.start(),
        last_epoch: *epochs.end(),
        was_microtokens: total.was_microtokens,
        would_be_microtokens: total.would_be_microtokens,
        payees,
        payees_total: comparison.payees.len() as u64,
    }
}
