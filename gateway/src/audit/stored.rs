//! States that a node has stored beside its log: a start believes them, so the audit compares them with what it
//! computed itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ledger::genesis::Genesis;
use ledger::state::State;

use crate::snapshot;

/// A stored state is not what the log gives.
#[derive(Debug, thiserror::Error)]
#[error("{file} is not what the log gives after block {height}: {difference}; delete it, it is made anew")]
pub struct StoredStateDiffers {
    /// The snapshot's file.
    pub file: PathBuf,
    /// The block after which it was taken.
    pub height: u64,
    /// What differs first.
    pub difference: String,
}

/// The snapshots of a data directory that the audit has not come to yet.
#[derive(Debug)]
pub struct StoredStates {
    directory: PathBuf,
    heights: BTreeSet<u64>,
    compared: u64,
}

impl StoredStates {
    /// Those that lie in `directory`.
    pub fn of(directory: &Path) -> StoredStates {
        let heights = snapshot::heights(directory).into_iter().collect();
        StoredStates { directory: directory.to_owned(), heights, compared: 0 }
    }

    /// How many were compared and found to be what the log gives.
    pub fn compared(&self) -> u64 {
        self.compared
    }

    /// Compares the snapshot of this state's block, if there is one. One whose checksum fails is passed over, as a start
    /// passes over it.
    ///
    /// # Errors
    /// What differs first.
    pub fn compare(&mut self, genesis: &Genesis, state: &State) -> Result<(), StoredStateDiffers> {
        let height = state.height();
        if !self.heights.remove(&height) {
            return Ok(());
        }
        let Some(stored) = snapshot::read(&self.directory, genesis.hash(), height) else { return Ok(()) };
        let computed = state.snapshot();
        if stored != computed {
            let file = self.directory.join(format!("{height}.snapshot"));
            let difference = difference(genesis, state, &stored, &computed);
            return Err(StoredStateDiffers { file, height, difference });
        }
        self.compared += 1;
        Ok(())
    }
}

/// The first amount that differs where both are states, else the first byte.
fn difference(genesis: &Genesis, state: &State, stored: &[u8], computed: &[u8]) -> String {
    if let Ok(stored) = State::restore(genesis, stored) {
        for (id, account) in state.accounts() {
            let held = stored.account(id).map_or((0, 0), |held| (held.credits_posted, held.debits_posted));
            if held != (account.credits_posted, account.debits_posted) {
                return format!(
                    "account {id} has {} micro-tokens in and {} out, the log gives {} and {}",
                    held.0, held.1, account.credits_posted, account.debits_posted
                );
            }
        }
        for (kid, device) in state.devices() {
            match stored.device(kid) {
                Some(held) if held == device => {}
                Some(held) => {
                    return format!(
                        "device {kid} differs: it has {} envelopes and {} micro-tokens earned, the log gives {} and {}",
                        held.accepted_envelopes,
                        held.earned_microtokens,
                        device.accepted_envelopes,
                        device.earned_microtokens
                    );
                }
                None => return format!("device {kid} is missing"),
            }
        }
        if stored.tariffs() != state.tariffs() {
            return "its tariffs differ".to_owned();
        }
    }
    let equal = stored.iter().zip(computed).take_while(|(stored, computed)| stored == computed).count();
    format!("byte {equal} of the state differs")
}
