//! What an epoch would have paid by another tariff: the same blocks on a copy of the state, of which nothing is kept.

use crate::block::{Block, BlockResults};
use crate::replay::Divergence;
use crate::state::State;
use crate::tariff::Tariff;
use alloc::sync::Arc;

/// A copy of a state, taken before an epoch begins, whose next epoch is settled by another tariff.
#[derive(Clone, Debug)]
pub struct Trial {
    state: State,
}

impl State {
    /// A copy of this state in which `tariff` holds from the next epoch on; right after genesis, from epoch 0 on. What
    /// has ended by then is settled by the tariff that was in force. The tariff's own version number is not looked at.
    ///
    /// Take it before the block that begins the epoch, and run that block and all that follow on it.
    #[must_use]
    pub fn trial(&self, tariff: &Tariff) -> Trial {
        let mut state = self.clone();
        let from_epoch = if state.height == 0 { 0 } else { state.epoch.saturating_add(1) };
        Arc::make_mut(&mut state.tariffs).try_out(from_epoch, state.epoch, tariff.clone());
        Trial { state }
    }
}

impl Trial {
    /// Executes a block that the ledger itself has accepted. What the copy refuses, because its accounts hold other
    /// amounts, is left out.
    ///
    /// # Errors
    /// When the block does not follow the last one.
    pub fn run(&mut self, block: &Block) -> Result<BlockResults, Divergence> {
        self.state.rehearse(block)
    }
}
