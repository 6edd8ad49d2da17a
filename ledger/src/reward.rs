//! What one owner's records of an epoch are worth: price times records, at most the tariff's cap, times the factors of
//! quality. Integers only; what rounding leaves over stays in the pool.

use crate::quality::Findings;
use crate::statement_line::{LineReason, StatementLine};
use crate::tally::Part;
use crate::tariff::Quantity;
use alloc::string::String;
use alloc::vec::Vec;

/// One line for each quantity that was sent, in the tariff's order, then what the tariff does not price. `findings` gives
/// what is known of the series of a quantity by its place in the tariff.
pub(crate) fn statement_lines<'t>(
    part: &Part,
    findings: impl Fn(u8) -> Option<Findings<'t>>,
) -> Vec<StatementLine> {
    let priced = part.counts.iter().filter_map(|count| {
        let findings = findings(count.place)?;
        Some(priced_line(count.accepted_records, count.paid_records, &findings))
    });
    let unpriced = part.unpriced().iter().map(|line| {
        let reason = if line.not_a_number { LineReason::NotANumber } else { LineReason::NotInTariff };
        unpaid_line(line.name.clone(), line.unit.clone(), line.records, reason)
    });
    let rest = (part.unpriced_rest() > 0)
        .then(|| unpaid_line(String::new(), None, part.unpriced_rest(), LineReason::FurtherNotInTariff));
    // Mostly it is one line; a vector that is left to grow begins with room for four.
    let known = part.counts.len().saturating_add(part.unpriced().len());
    let mut lines = Vec::with_capacity(known.saturating_add(usize::from(part.unpriced_rest() > 0)));
    lines.extend(priced.chain(unpriced).chain(rest));
    lines
}

fn priced_line(accepted_records: u32, paid_records: u32, findings: &Findings<'_>) -> StatementLine {
    let Quantity { name, unit, price_microtokens, paid_records_max, .. } = findings.quantity;
    let base = base_of(*price_microtokens, paid_records);
    let base_microtokens = base.expect("the tariff's bounds keep a line within a u64");
    let factors = if base_microtokens == 0 { Vec::new() } else { findings.factors(base_microtokens) };
    let reason = if *price_microtokens == 0 {
        Some(LineReason::PriceZero)
    } else {
        let paid_records_max = *paid_records_max;
        (paid_records < accepted_records).then_some(LineReason::Capped { paid_records_max })
    };
    StatementLine {
        quantity: name.clone(),
        unit: Some(unit.clone()),
        accepted_records,
        paid_records,
        price_microtokens: *price_microtokens,
        base_microtokens,
        amount_microtokens: factors.last().map_or(base_microtokens, |factor| factor.amount_microtokens),
        factors,
        reason,
    }
}

/// Price times records; `None` where no tariff within its bounds comes so far.
pub(crate) fn base_of(price_microtokens: u64, paid_records: u32) -> Option<u64> {
    price_microtokens.checked_mul(paid_records.into())
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

/// All of a due, or its share of less than all are due together, rounded down.
///
/// ```
/// use ledger::reward::share_of;
/// assert_eq!(share_of(10, 30, 100), 10);
/// assert_eq!(share_of(10, 30, 20), 6);
/// ```
#[must_use]
pub fn share_of(due_microtokens: u64, due_total_microtokens: u128, held_microtokens: u64) -> u64 {
    if due_total_microtokens <= u128::from(held_microtokens) {
        return due_microtokens;
    }
    let product = u128::from(due_microtokens).checked_mul(held_microtokens.into());
    // The total exceeds what is held, so it is above zero and the quotient at most the due.
    let share = product.and_then(|product| product.checked_div(due_total_microtokens));
    share.and_then(|share| u64::try_from(share).ok()).expect("a share is at most the due")
}
