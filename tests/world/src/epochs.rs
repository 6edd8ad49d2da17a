//! What each device sent in each epoch for whom, counted from the log beside the ledger, and held against the
//! statements.

use std::collections::{BTreeMap, BTreeSet};

use devices::{DeviceId, Pack};
use ledger::account::AccountId;
use ledger::block::{Block, BlockResults};
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::settlement::Settlement;
use ledger::state::State;
use ledger::statement::Statement;
use ledger::transfer::TransferReason;

use crate::checker::Violation;
use crate::owners::{Consequence, Owners};

/// An epoch, a device, and who is paid; nobody yet, when absent.
type Part = (u64, DeviceId, Option<AccountId>);

/// Counts of the epochs that are not settled yet, and what was settled.
pub struct Epochs {
    genesis_milliseconds: u64,
    epoch_milliseconds: u64,
    owners: Owners,
    sent: BTreeMap<Part, Sent>,
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
            owners: Owners::new(genesis.tariff.version),
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
        for (place, record) in pack.resolved().enumerate() {
            let own = record.time_unix_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            let owner = self.owners.owner_at(kid, own.unwrap_or(time_unix_milliseconds / 1_000));
            let sent = self.sent.entry((epoch, kid, owner)).or_default();
            sent.records += 1;
            sent.envelopes += u64::from(place == 0);
        }
    }

    /// An instruction is in the log, in a block of this time.
    pub fn instructed(&mut self, signer: AccountId, instruction: &Instruction, time_unix_milliseconds: u64) {
        let epoch = self.epoch_at(time_unix_milliseconds);
        let seconds = time_unix_milliseconds / 1_000;
        let Some(consequence) = self.owners.instructed(signer, instruction, seconds, epoch) else { return };
        for (part, sent) in std::mem::take(&mut self.sent) {
            let (epoch, kid, owner) = part;
            let part = match consequence {
                Consequence::FirstOwner(claimed, first) if claimed == kid && owner.is_none() => {
                    (epoch, kid, Some(first))
                }
                Consequence::Replaced(old, new) if old == kid => (epoch, new, owner),
                _ => part,
            };
            let sum = self.sent.entry(part).or_default();
            sum.envelopes += sent.envelopes;
            sum.records += sent.records;
        }
    }

    /// A block's settlement, before its transactions: every part of what was sent has one statement, by the price list
    /// of its epoch; no epoch is settled twice; what is stated is posted once, and nothing beside; and what is not paid
    /// stays in the pool.
    ///
    /// # Errors
    /// The first thing that is not so.
    pub fn settled(&mut self, state: &State, block: &Block, results: &BlockResults) -> Result<(), Violation> {
        let posted = rewards(results)?;
        let (Some((from, to)), Some(settlement)) = (block.seal.settled_epochs, &results.settlement) else {
            let nothing = results.statements.is_empty() && posted.is_empty();
            return if nothing { Ok(()) } else { Err("rewards without a settlement".to_owned()) };
        };
        if self.last.is_some_and(|last| from <= last) || from > to || to >= state.epoch() {
            return Err(format!("epochs {from} to {to} are settled out of order"));
        }
        self.last = Some(to);
        let mut stated: BTreeMap<Part, Sent> = BTreeMap::new();
        for statement in &results.statements {
            self.stated(statement, &posted)?;
            let owner = (statement.payee != state.escrow(statement.kid)).then_some(statement.payee);
            let sum = stated.entry((statement.epoch, statement.kid, owner)).or_default();
            sum.envelopes += u64::from(statement.envelopes);
            sum.records += statement.lines.iter().map(|line| u64::from(line.accepted_records)).sum::<u64>();
        }
        adds_up(settlement, results, posted.values().sum())?;
        let sent: BTreeMap<Part, Sent> = self
            .sent
            .iter()
            .filter(|((epoch, ..), _)| *epoch <= to)
            .map(|(part, sent)| (*part, *sent))
            .collect();
        if stated != sent {
            return Err(format!("the statements to epoch {to} are of {stated:?}, the log holds {sent:?}"));
        }
        self.sent.retain(|(epoch, ..), _| *epoch > to);
        Ok(())
    }

    fn stated(
        &mut self,
        statement: &Statement,
        posted: &BTreeMap<(u64, DeviceId, AccountId), u64>,
    ) -> Result<(), Violation> {
        self.statements += 1;
        let (kid, epoch, paid) = (statement.kid, statement.epoch, statement.paid_microtokens);
        let part = (epoch, kid, statement.payee);
        if !self.settled.insert(part) {
            return Err(format!("{kid} has two statements of epoch {epoch} for {}", statement.payee));
        }
        let posted = posted.get(&part).copied().unwrap_or_default();
        if posted != paid {
            return Err(format!("{kid} is stated {paid} micro-tokens for epoch {epoch} and posted {posted}"));
        }
        if self.owners.tariff_of(epoch) != Some(statement.tariff_version) {
            let version = statement.tariff_version;
            return Err(format!("{kid} is paid for epoch {epoch} by version {version} of the tariff"));
        }
        let lines: u64 = statement.lines.iter().map(|line| line.amount_microtokens).sum();
        let by_pool = statement.pool_scale.map_or(0, |scale| scale.withheld_microtokens);
        let withheld = statement.cell_share.withheld_microtokens + by_pool;
        if lines != statement.due_microtokens || lines != paid + withheld {
            return Err(format!("{kid}'s lines come to {lines}, {paid} are paid and {withheld} withheld"));
        }
        Ok(())
    }

    /// No device with an owner has anything left that waits for one.
    ///
    /// # Errors
    /// Names the device.
    pub fn nothing_waits_for_an_owner(&self, state: &State) -> Result<(), Violation> {
        match self.owners.owned().find(|kid| state.balance_microtokens(state.escrow(*kid)) > 0) {
            Some(kid) => Err(format!("{kid} has an owner, and its escrow account still holds something")),
            None => Ok(()),
        }
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

fn adds_up(settlement: &Settlement, results: &BlockResults, posted: u64) -> Result<(), Violation> {
    let stated: u64 = results.statements.iter().map(|statement| statement.paid_microtokens).sum();
    let (before, remainder) = (settlement.pool_before_microtokens, settlement.remainder_microtokens);
    if stated != posted || stated != settlement.paid_microtokens || before != stated + remainder {
        return Err(format!(
            "of {before} in the pool {posted} are posted, {stated} stated, {remainder} remain"
        ));
    }
    Ok(())
}
