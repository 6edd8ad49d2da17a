//! An epoch's end: every device's statement, and what all of them come to.

use crate::cell::Cell;
use crate::encoding::{Written, write_wide};
use crate::reward::{share_of, share_of_pool, statement_lines};
use crate::state::State;
use crate::statement::{CellShare, Statement};
use crate::tally::Tally;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use devices::cbor::Writer;
use devices::identity::DeviceId;

/// What the statements of an epoch come to: due − withheld by cells − withheld by the pool = paid, and
/// paid + remainder = the pool before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The first epoch that was closed; the statements are this one's.
    pub first_epoch: u64,
    /// The last epoch that was closed; those after the first had no readings.
    pub last_epoch: u64,
    /// The price list.
    pub tariff_version: u32,
    /// How many statements there are.
    pub statements: u64,
    /// What the pool held before.
    pub pool_before_microtokens: u64,
    /// What all lines come to.
    pub due_microtokens: u128,
    /// What the cells' budgets withheld.
    pub withheld_by_cells_microtokens: u128,
    /// What the pool did not hold, and what rounding its shares down left in it.
    pub withheld_by_pool_microtokens: u128,
    /// What was paid.
    pub paid_microtokens: u64,
    /// What the pool holds after.
    pub remainder_microtokens: u64,
}

impl Settlement {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(11)?;
        writer.text("settlement")?;
        writer.unsigned(self.first_epoch)?;
        writer.unsigned(self.last_epoch)?;
        writer.unsigned(self.tariff_version.into())?;
        writer.unsigned(self.statements)?;
        writer.unsigned(self.pool_before_microtokens)?;
        write_wide(writer, self.due_microtokens)?;
        write_wide(writer, self.withheld_by_cells_microtokens)?;
        write_wide(writer, self.withheld_by_pool_microtokens)?;
        writer.unsigned(self.paid_microtokens)?;
        writer.unsigned(self.remainder_microtokens)
    }
}

impl State {
    /// Writes the running epoch's statements and what they come to, and clears the tallies. Nothing is posted here: the
    /// block does that, and places the seal's index into the statements.
    ///
    /// # Panics
    /// When the shares come to more than the pool.
    pub(crate) fn settle(&mut self, height: u64, last_epoch: u64) -> (Vec<Statement>, Settlement) {
        let pool_microtokens = self.balance_microtokens(self.constants.pool);
        let sent = self.devices.iter().filter(|(_, device)| device.tally.envelopes > 0);
        let kids: Vec<DeviceId> = sent.map(|(kid, _)| *kid).collect();
        let mut statements: Vec<Statement> =
            kids.into_iter().filter_map(|kid| self.close(kid, height)).collect();
        share_cells(&mut statements);
        share_pool(&mut statements, pool_microtokens);
        for statement in &statements {
            if let Some(device) = self.devices.get_mut(&statement.kid) {
                device.earned_microtokens =
                    device.earned_microtokens.saturating_add(statement.paid_microtokens);
            }
        }
        let settlement = self.sum_up(&statements, last_epoch, pool_microtokens);
        self.totals.paid_microtokens =
            self.totals.paid_microtokens.saturating_add(settlement.paid_microtokens.into());
        self.due_total_microtokens = 0;
        (statements, settlement)
    }

    fn sum_up(&self, statements: &[Statement], last_epoch: u64, pool_microtokens: u64) -> Settlement {
        let sum = |amount: fn(&Statement) -> u64| {
            statements.iter().map(|statement| u128::from(amount(statement))).fold(0, u128::saturating_add)
        };
        let by_pool =
            |statement: &Statement| statement.pool_scale.map_or(0, |scale| scale.withheld_microtokens);
        let paid = u64::try_from(sum(|statement| statement.paid_microtokens)).ok();
        let remainder = paid.and_then(|paid| pool_microtokens.checked_sub(paid));
        Settlement {
            first_epoch: self.epoch,
            last_epoch,
            tariff_version: self.tariff().version,
            statements: u64::try_from(statements.len()).unwrap_or(u64::MAX),
            pool_before_microtokens: pool_microtokens,
            due_microtokens: sum(|statement| statement.due_microtokens),
            withheld_by_cells_microtokens: sum(|statement| statement.cell_share.withheld_microtokens),
            withheld_by_pool_microtokens: sum(by_pool),
            paid_microtokens: paid.expect("payouts must never exceed the pool"),
            remainder_microtokens: remainder.expect("payouts must never exceed the pool"),
        }
    }

    /// One device's statement, before the pool is looked at; its tally is emptied.
    fn close(&mut self, kid: DeviceId, height: u64) -> Option<Statement> {
        let (epoch, escrow) = (self.epoch, self.escrow(kid));
        let device = self.devices.get_mut(&kid)?;
        let cell = device.position.and_then(Cell::of);
        let tally = core::mem::take(&mut device.tally);
        let Tally { envelopes, .. } = tally;
        let lines = statement_lines(self.tariffs.in_force(), &tally);
        let due = lines.iter().try_fold(0_u64, |sum, line| sum.checked_add(line.amount_microtokens));
        Some(Statement {
            kid,
            epoch,
            from_unix_milliseconds: self.constants.epoch_begins(epoch),
            to_unix_milliseconds: self.constants.epoch_begins(epoch.saturating_add(1)),
            owner: device.owner(),
            payee: device.owner().unwrap_or(escrow),
            tariff_version: self.tariffs.in_force().version,
            envelopes,
            lines,
            due_microtokens: due.expect("the tariff's bounds keep a device's due within a u64"),
            cell_share: CellShare {
                cell: cell.map(|cell| cell.parent(self.tariffs.in_force().cell_resolution)),
                budget_microtokens: self.tariffs.in_force().cell_budget_microtokens,
                devices: 0,
                due_total_microtokens: 0,
                withheld_microtokens: 0,
            },
            pool_scale: None,
            paid_microtokens: 0,
            height,
            seal_index: 0,
        })
    }
}

/// Cuts the dues of each cell whose devices are due more than its budget.
fn share_cells(statements: &mut [Statement]) {
    let mut cells: BTreeMap<Option<Cell>, (u128, u32, Option<DeviceId>)> = BTreeMap::new();
    for statement in &*statements {
        let (due, devices, last) = cells.entry(statement.cell_share.cell).or_default();
        *due = due.saturating_add(statement.due_microtokens.into());
        // A device's statements follow one another.
        if *last != Some(statement.kid) {
            (*devices, *last) = (devices.saturating_add(1), Some(statement.kid));
        }
    }
    for statement in statements {
        let share = &mut statement.cell_share;
        let (due_total, devices, _) = cells.get(&share.cell).copied().unwrap_or_default();
        (share.due_total_microtokens, share.devices) = (due_total, devices);
        let kept = share_of(statement.due_microtokens, due_total, share.budget_microtokens);
        share.withheld_microtokens = statement.due_microtokens.saturating_sub(kept);
    }
}

/// Pays what the cells left, all of it or each its share of the pool.
fn share_pool(statements: &mut [Statement], pool_microtokens: u64) {
    let after_cell = |statement: &Statement| {
        statement.due_microtokens.saturating_sub(statement.cell_share.withheld_microtokens)
    };
    let due_total =
        statements.iter().map(|statement| u128::from(after_cell(statement))).fold(0, u128::saturating_add);
    for statement in statements {
        let due = after_cell(statement);
        (statement.paid_microtokens, statement.pool_scale) = share_of_pool(due, due_total, pool_microtokens);
    }
}
