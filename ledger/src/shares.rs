//! What of their dues an epoch's statements are paid: the budget of each cell is shared by its devices, and the pool by all.

use crate::cell::Cell;
use crate::reward::share_of;
use crate::statement::{PoolScale, Statement};
use crate::workers::{Workers, in_parts, slices, slices_mut};
use alloc::vec::Vec;
use devices::identity::DeviceId;

/// Statements below which hands are not worth sharing the work.
const PART_MIN: usize = 1_024;

/// What the devices of a cell, or those without a position, come to.
#[derive(Clone, Copy, Debug, Default)]
struct CellSum {
    due_microtokens: u128,
    devices: u32,
}

/// Cuts the dues of each cell whose devices are due more than its budget, then all dues to what the pool holds. The
/// statements are in the order of kids.
pub(crate) fn share(statements: &mut [Statement], pool_microtokens: u64, workers: &dyn Workers) {
    let sums = cell_sums(statements);
    let cut = |part: &mut [Statement]| part.iter_mut().for_each(|statement| cut_by_cell(statement, &sums));
    in_parts(workers, slices_mut(workers, statements, PART_MIN), cut);
    let due_of = |part: &[Statement]| {
        part.iter().map(|statement| u128::from(after_cell(statement))).fold(0, u128::saturating_add)
    };
    let due_total = in_parts(workers, slices(workers, statements, PART_MIN), due_of)
        .into_iter()
        .fold(0, u128::saturating_add);
    let pay = |part: &mut [Statement]| {
        part.iter_mut().for_each(|statement| pay_share(statement, due_total, pool_microtokens));
    };
    in_parts(workers, slices_mut(workers, statements, PART_MIN), pay);
}

/// The sums of all cells, in the order of cells.
fn cell_sums(statements: &[Statement]) -> Vec<(Option<Cell>, CellSum)> {
    let mut all: Vec<(Option<Cell>, DeviceId, u64)> = statements
        .iter()
        .map(|statement| (statement.cell_share.cell, statement.kid, statement.due_microtokens))
        .collect();
    all.sort_unstable();
    let sum = |of_cell: &[(Option<Cell>, DeviceId, u64)]| {
        let due = of_cell.iter().map(|(_, _, due)| u128::from(*due)).fold(0, u128::saturating_add);
        // A device that changed hands has several statements.
        let devices = of_cell.chunk_by(|(_, one, _), (_, next, _)| one == next).count();
        let sum = CellSum { due_microtokens: due, devices: u32::try_from(devices).unwrap_or(u32::MAX) };
        of_cell.first().map(|(cell, _, _)| (*cell, sum))
    };
    all.chunk_by(|(one, _, _), (next, _, _)| one == next).filter_map(sum).collect()
}

fn cut_by_cell(statement: &mut Statement, sums: &[(Option<Cell>, CellSum)]) {
    let share = &mut statement.cell_share;
    let sum = sums.binary_search_by_key(&share.cell, |(cell, _)| *cell).ok().and_then(|at| sums.get(at));
    let sum = sum.map(|(_, sum)| *sum).unwrap_or_default();
    (share.due_total_microtokens, share.devices) = (sum.due_microtokens, sum.devices);
    let kept = share_of(statement.due_microtokens, sum.due_microtokens, share.budget_microtokens);
    share.withheld_microtokens = statement.due_microtokens.saturating_sub(kept);
}

fn after_cell(statement: &Statement) -> u64 {
    statement.due_microtokens.saturating_sub(statement.cell_share.withheld_microtokens)
}

/// Pays what the cell left, all of it or its share of the pool.
fn pay_share(statement: &mut Statement, due_total: u128, pool_microtokens: u64) {
    let due = after_cell(statement);
    statement.paid_microtokens = share_of(due, due_total, pool_microtokens);
    statement.pool_scale = (due_total > u128::from(pool_microtokens)).then(|| PoolScale {
        pool_microtokens,
        due_total_microtokens: due_total,
        withheld_microtokens: due.saturating_sub(statement.paid_microtokens),
    });
}
