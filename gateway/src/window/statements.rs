//! Statements and transfers in the shapes that pages are drawn from.

use dashboard::view;
use ledger::factor::{Cut, Factor};
use ledger::settlement::Settlement;
use ledger::statement::{CellShare, PoolScale, Statement};
use ledger::statement_line::{LineReason, StatementLine};
use ledger::transfer::{TransferReason, TransferRecord};

use crate::shared::{ReadError, Shared};
use crate::stored::EntryIds;

/// A statement of the running epoch as it stands; no seal has posted it.
pub fn running(statement: Statement) -> view::Statement {
    described(statement, None)
}

fn described(statement: Statement, seal: Option<view::Seal>) -> view::Statement {
    view::Statement {
        kid: statement.kid.to_string(),
        epoch: statement.epoch,
        payee: statement.payee.to_string(),
        escrow: statement.owner.is_none(),
        starts_milliseconds: statement.from_unix_milliseconds,
        ends_milliseconds: statement.to_unix_milliseconds,
        tariff_version: statement.tariff_version,
        lines: statement.lines.into_iter().map(line).collect(),
        due_microtokens: statement.due_microtokens,
        cell_share: cell_share(statement.cell_share),
        paid_microtokens: statement.paid_microtokens,
        pool_scale: statement.pool_scale.map(pool_scale),
        seal,
    }
}

fn line(line: StatementLine) -> view::StatementLine {
    let capped = |reason| match reason {
        LineReason::Capped { paid_records_max } => Some(u64::from(paid_records_max)),
        _ => None,
    };
    view::StatementLine {
        quantity: if line.quantity.is_empty() { "other".to_owned() } else { line.quantity },
        unit: line.unit.unwrap_or_default(),
        accepted_records: line.accepted_records.into(),
        paid_records: line.paid_records.into(),
        paid_records_max: line.reason.and_then(capped),
        price_microtokens: line.price_microtokens,
        base_microtokens: line.base_microtokens,
        factors: line.factors.into_iter().map(factor).collect(),
        amount_microtokens: line.amount_microtokens,
        reason: line.reason.map(|reason| reason.to_string()),
    }
}

fn factor(factor: Factor) -> view::Factor {
    view::Factor {
        name: factor.name.as_str().to_owned(),
        numerator: factor.numerator,
        denominator: factor.denominator,
        permille: factor.permille,
        amount_microtokens: factor.amount_microtokens,
        original: match factor.cut {
            Some(Cut::Copied { original }) => Some(original.to_string()),
            _ => None,
        },
        cut: factor.cut.map(|cut| cut.to_string()),
    }
}

fn cell_share(share: CellShare) -> view::CellShare {
    view::CellShare {
        cell: share.cell.map(|cell| cell.to_string()),
        budget_microtokens: share.budget_microtokens,
        devices: share.devices.into(),
        due_of_all_microtokens: u64::try_from(share.due_total_microtokens).unwrap_or(u64::MAX),
        withheld_microtokens: share.withheld_microtokens,
    }
}

fn pool_scale(scale: PoolScale) -> view::PoolScale {
    view::PoolScale {
        pool_microtokens: scale.pool_microtokens,
        due_of_all_microtokens: u64::try_from(scale.due_total_microtokens).unwrap_or(u64::MAX),
        withheld_microtokens: scale.withheld_microtokens,
    }
}

/// How a settlement adds up.
pub fn settlement(settlement: &Settlement) -> view::Settlement {
    let narrow = |sum: u128| u64::try_from(sum).unwrap_or(u64::MAX);
    view::Settlement {
        pool_before_microtokens: settlement.pool_before_microtokens,
        due_microtokens: narrow(settlement.due_microtokens),
        cut_by_cells_microtokens: narrow(settlement.withheld_by_cells_microtokens),
        cut_by_pool_microtokens: narrow(settlement.withheld_by_pool_microtokens),
        paid_microtokens: settlement.paid_microtokens,
        remainder_microtokens: settlement.remainder_microtokens,
    }
}

/// The transfers that paid these statements. All that a payee was paid at an epoch's end stands together, so they are looked
/// for there.
pub fn transfers_of(shared: &Shared, statements: &[Statement]) -> Result<Vec<TransferRecord>, ReadError> {
    let mut paid = Vec::new();
    for statement in statements.iter().filter(|statement| statement.paid_microtokens > 0) {
        let reward = TransferReason::Reward { kid: statement.kid, epoch: statement.epoch };
        let of_block = shared.index.transfers_at(statement.payee, statement.height)?;
        let is_reward = |record: &TransferRecord| {
            record.transfer.reason == reward && record.transfer.credit == statement.payee
        };
        paid.extend(of_block.into_iter().filter(is_reward));
    }
    Ok(paid)
}

/// Statements and transfers with the ids of the entries that they name.
pub struct Seals<'s> {
    ids: EntryIds<'s>,
}

impl<'s> Seals<'s> {
    /// Nothing looked up yet.
    pub fn new(shared: &'s Shared) -> Seals<'s> {
        Seals { ids: EntryIds::new(shared) }
    }

    /// Statements with their seals.
    pub fn statements(&mut self, statements: Vec<Statement>) -> Result<Vec<view::Statement>, ReadError> {
        statements.into_iter().map(|statement| self.statement(statement)).collect()
    }

    /// A statement with its seal.
    pub fn statement(&mut self, statement: Statement) -> Result<view::Statement, ReadError> {
        let transaction = self.ids.id(statement.seal_index)?;
        let (height, index) = (statement.height, statement.seal_index);
        Ok(described(statement, Some(view::Seal { height, index, transaction })))
    }

    /// Transfers with the entries that caused them.
    pub fn transfers<'t>(
        &mut self,
        records: impl Iterator<Item = &'t TransferRecord>,
    ) -> Result<Vec<view::Transfer>, ReadError> {
        let mut transfers = Vec::new();
        for record in records {
            let posted = &record.transfer;
            transfers.push(view::Transfer {
                debit: posted.debit.to_string(),
                credit: posted.credit.to_string(),
                amount_microtokens: posted.amount_microtokens,
                reason: posted.reason.as_str().to_owned(),
                cause: self.cause(&posted.reason)?,
                transaction: self.ids.id(record.entry_index)?,
                index: record.entry_index,
                height: record.height,
                time_milliseconds: record.time_unix_milliseconds,
            });
        }
        Ok(transfers)
    }

    /// What a transfer is about, with links to it.
    fn cause(&mut self, reason: &TransferReason) -> Result<view::TransferCause, ReadError> {
        Ok(match reason {
            TransferReason::Reward { kid, epoch } => {
                view::TransferCause::Statement { kid: kid.to_string(), epoch: *epoch }
            }
            TransferReason::Transfer { memo: Some(memo) } => view::TransferCause::Memo(memo.clone()),
            TransferReason::Claim { kid } => view::TransferCause::Claim { kid: kid.to_string() },
            TransferReason::Correct { entry_index, why } => view::TransferCause::Correction {
                index: *entry_index,
                transaction: self.ids.id(*entry_index)?,
                why: why.clone(),
            },
            TransferReason::Genesis | TransferReason::Issue | TransferReason::Transfer { memo: None } => {
                view::TransferCause::Plain
            }
        })
    }
}
