//! What an epoch's accepted records are worth: price times records, at most the tariff's cap, and never more than the
//! pool holds. Integers only; what rounding leaves over stays in the pool.

use crate::statement::PoolScale;
use crate::statement_line::{LineReason, StatementLine};
use crate::tally::Tally;
use crate::tariff::{Quantity, Tariff};
use alloc::string::String;
use alloc::vec::Vec;

/// One line for each quantity that was sent, in the tariff's order, then what the tariff does not price.
#[must_use]
pub fn statement_lines(tariff: &Tariff, tally: &Tally) -> Vec<StatementLine> {
    let sent = tariff.quantities.iter().zip(&tally.records).filter(|(_, records)| **records > 0);
    let priced = sent.map(|(quantity, records)| priced_line(quantity, *records));
    let unpriced = tally.unpriced.iter().map(|line| {
        let reason = if line.not_a_number { LineReason::NotANumber } else { LineReason::NotInTariff };
        unpaid_line(line.name.clone(), line.unit.clone(), line.records, reason)
    });
    let rest = (tally.unpriced_rest > 0)
        .then(|| unpaid_line(String::new(), None, tally.unpriced_rest, LineReason::FurtherNotInTariff));
    priced.chain(unpriced).chain(rest).collect()
}

fn priced_line(quantity: &Quantity, accepted_records: u32) -> StatementLine {
    let paid_records = accepted_records.min(quantity.paid_records_max);
    let reason = if quantity.price_microtokens == 0 {
        Some(LineReason::PriceZero)
    } else {
        let paid_records_max = quantity.paid_records_max;
        (paid_records < accepted_records).then_some(LineReason::Capped { paid_records_max })
    };
    let base = quantity.price_microtokens.checked_mul(paid_records.into());
    let base_microtokens = base.expect("the tariff's bounds keep a line within a u64");
    StatementLine {
        quantity: quantity.name.clone(),
        unit: Some(quantity.unit.clone()),
        accepted_records,
        paid_records,
        price_microtokens: quantity.price_microtokens,
        base_microtokens,
        factors: Vec::new(),
        amount_microtokens: base_microtokens,
        reason,
    }
}

fn unpaid_line(quantity: String, unit: Option<String>, records: u32, reason: LineReason) -> StatementLine {
    StatementLine {
        quantity,
        unit,
        accepted_records: records,
        paid_records: 0,
        price_microtokens: 0,
        base_microtokens: 0,
        factors: Vec::new(),
        amount_microtokens: 0,
        reason: Some(reason),
    }
}

/// What a device is paid of its due: all of it, or its share of a pool that holds less than all are due, rounded down.
///
/// ```
/// use ledger::reward::share_of_pool;
/// assert_eq!(share_of_pool(10, 30, 100), (10, None));
/// assert_eq!(share_of_pool(10, 30, 20).0, 6);
/// ```
#[must_use]
pub fn share_of_pool(
    due_microtokens: u64,
    due_total_microtokens: u128,
    pool_microtokens: u64,
) -> (u64, Option<PoolScale>) {
    if due_total_microtokens <= u128::from(pool_microtokens) {
        return (due_microtokens, None);
    }
    let paid = share_of(due_microtokens, due_total_microtokens, pool_microtokens);
    let withheld_microtokens = due_microtokens.checked_sub(paid).expect("a share is at most the due");
    (paid, Some(PoolScale { pool_microtokens, due_total_microtokens, withheld_microtokens }))
}

/// All of a due, or its share of less than all are due together, rounded down.
pub(crate) fn share_of(due_microtokens: u64, due_total_microtokens: u128, held_microtokens: u64) -> u64 {
    if due_total_microtokens <= u128::from(held_microtokens) {
        return due_microtokens;
    }
    let product = u128::from(due_microtokens).checked_mul(held_microtokens.into());
    // The total exceeds what is held, so it is above zero and the quotient at most the due.
    let share = product.and_then(|product| product.checked_div(due_total_microtokens));
    share.and_then(|share| u64::try_from(share).ok()).expect("a share is at most the due")
}
