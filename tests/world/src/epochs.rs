//! What each device sent in each epoch, counted from the log beside the ledger, and held against the statements.

use std::collections::{BTreeMap, BTreeSet};

use devices::{DeviceId, Pack};
use ledger::account::AccountId;
use ledger::block::{Block, BlockResults};
use ledger::genesis::Genesis;
use ledger::state::State;
use ledger::statement::Statement;
use ledger::transfer::TransferReason;

use crate::checker::Violation;

/// Counts of the epochs that are not settled yet, and what was settled.
pub struct Epochs {
    genesis_milliseconds: u64,
    epoch_milliseconds: u64,
    sent: BTreeMap<(u64, DeviceId), Sent>,
    settled: BTreeSet<(u64, DeviceId, AccountId)>,
    statements: u64,
    /// The last epoch that was settled.
    last: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sent {
    envelopes: u64,
    records: u64,
}

impl Epochs {
    /// Before the first.
    pub fn of(genesis: &Genesis) -> Epochs {
        Epochs {
            genesis_milliseconds: genesis.time_unix_milliseconds,
            epoch_milliseconds: genesis.epoch_seconds * 1_000,
            sent: BTreeMap::new(),
            settled: BTreeSet::new(),
            statements: 0,
            last: None,
        }
    }

    /// Whether nothing waits for a settlement.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Statements so far.
    pub fn statements(&self) -> u64 {
        self.statements
    }

    fn epoch_at(&self, time_unix_milliseconds: u64) -> u64 {
        (time_unix_milliseconds - self.genesis_milliseconds) / self.epoch_milliseconds
    }

    /// A reading is in the log, in a block of this time.
    pub fn read(&mut self, kid: DeviceId, pack: &Pack<'_>, time_unix_milliseconds: u64) {
        let epoch = self.epoch_at(time_unix_milliseconds);
        let sent = self.sent.entry((epoch, kid)).or_default();
        sent.envelopes += 1;
        sent.records += pack.record_count() as u64;
    }

    /// A block's settlement: every device that sent anything has a statement of it, no epoch is settled twice, what is
    /// paid is posted once, and nothing is paid beside.
    ///
    /// # Errors
    /// The first thing that is not so.
    pub fn settled(&mut self, state: &State, block: &Block, results: &BlockResults) -> Result<(), Violation> {
        let paid = rewards(results)?;
        let Some((from, to)) = block.seal.settled_epochs else {
            let nothing = results.statements.is_empty() && paid.is_empty();
            return if nothing { Ok(()) } else { Err("rewards without a settlement".to_owned()) };
        };
        if self.last.is_some_and(|last| from <= last) || from > to || to >= state.epoch() {
            return Err(format!("epochs {from} to {to} are settled out of order"));
        }
        self.last = Some(to);
        let mut stated: BTreeMap<(u64, DeviceId), Sent> = BTreeMap::new();
        for statement in &results.statements {
            self.statements += 1;
            let (kid, epoch) = (statement.kid, statement.epoch);
            if !self.settled.insert((epoch, kid, statement.payee)) {
                return Err(format!("{kid} has two statements of epoch {epoch}"));
            }
            let posted = paid.get(&(epoch, kid, statement.payee)).copied().unwrap_or_default();
            if posted != statement.paid_microtokens {
                return Err(format!(
                    "{kid} is stated {} micro-tokens for epoch {epoch} and posted {posted}",
                    statement.paid_microtokens
                ));
            }
            let sum = stated.entry((epoch, kid)).or_default();
            sum.envelopes += u64::from(statement.envelopes);
            sum.records += records(statement);
        }
        if paid.len() > results.statements.len() {
            return Err("a reward was posted without a statement".to_owned());
        }
        let sent: BTreeMap<_, _> = self
            .sent
            .iter()
            .filter(|((epoch, _), _)| *epoch <= to)
            .map(|(key, sent)| (*key, *sent))
            .collect();
        if stated != sent {
            return Err(format!(
                "the statements of epochs {from} to {to} are of {stated:?}, the log holds {sent:?}"
            ));
        }
        self.sent.retain(|(epoch, _), _| *epoch > to);
        Ok(())
    }
}

/// Rewards posted, by epoch, device and payee.
fn rewards(results: &BlockResults) -> Result<BTreeMap<(u64, DeviceId, AccountId), u64>, Violation> {
    let mut paid = BTreeMap::new();
    for record in &results.transfers {
        let TransferReason::Reward { kid, epoch } = record.transfer.reason else { continue };
        let key = (epoch, kid, record.transfer.credit);
        if paid.insert(key, record.transfer.amount_microtokens).is_some() {
            return Err(format!("{kid} is paid twice for epoch {epoch}"));
        }
    }
    Ok(paid)
}

fn records(statement: &Statement) -> u64 {
    statement.lines.iter().map(|line| u64::from(line.accepted_records)).sum()
}
