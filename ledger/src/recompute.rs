//! A statement reckoned again from what it says was counted, by the functions that settled it, step by step.
//!
//! The counts themselves (which records were accepted, which intervals had one) are the log's: `lamppost device explain`
//! counts them again from every entry. Here is shown that from these counts, and the tariff, no other amount follows.

use crate::factor::{FactorName, part_of, permille_of};
use crate::reward::{base_of, share_of};
use crate::statement::Statement;
use crate::statement_line::StatementLine;
use crate::tariff::{Quantity, Tariff};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

/// One step: what was reckoned, from what, what came out and what the statement says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was reckoned: `temp, completeness`.
    pub what: String,
    /// From what: `6000 × 0.916`.
    pub formula: String,
    /// What comes out, micro-tokens or a count.
    pub found: String,
    /// What the statement says.
    pub said: String,
    /// Whether the two agree.
    pub holds: bool,
}

/// All steps of a statement, in the order in which it was settled.
#[derive(Debug, Default)]
struct Sheet {
    steps: Vec<Step>,
}

impl Sheet {
    /// A step that came out as a number, or could not be reckoned at all.
    fn add(&mut self, what: String, formula: String, found: Option<u64>, said: u64) {
        let holds = found == Some(said);
        let found = found.map_or_else(|| "more than there is".to_string(), |found| found.to_string());
        self.steps.push(Step { what, formula, found, said: said.to_string(), holds });
    }

    fn line(&mut self, line: &StatementLine, tariff: &Tariff) {
        let name = if line.quantity.is_empty() { "other" } else { &line.quantity };
        let is_priced = |quantity: &&Quantity| {
            quantity.name == line.quantity && line.unit.as_ref() == Some(&quantity.unit)
        };
        let quantity = tariff.quantities.iter().find(is_priced);
        // Numbers alone are paid: the line of a quantity's yes and no has its name too, and pays nothing.
        let price = quantity.map_or(0, |quantity| quantity.price_microtokens);
        let is_paid = line.paid_records > 0 || line.price_microtokens > 0;
        let expected = if is_paid { price } else { line.price_microtokens };
        self.add(
            format!("{name}, price"),
            format!("tariff {}", tariff.version),
            Some(expected),
            line.price_microtokens,
        );
        self.records(name, line, quantity);
        let formula = format!("{} × {}", line.paid_records, line.price_microtokens);
        let base = base_of(line.price_microtokens, line.paid_records);
        self.add(format!("{name}, paid records × price"), formula, base, line.base_microtokens);
        let mut left = line.base_microtokens;
        for (place, factor) in line.factors.iter().enumerate() {
            let named = FactorName::ALL.get(place) == Some(&factor.name);
            let permille = permille_of(factor.numerator, factor.denominator);
            let counts = format!("1000 × {} ÷ {}, at most 1000", factor.numerator, factor.denominator);
            let found = named.then_some(u64::from(permille));
            self.add(
                format!("{name}, {} in thousandths", factor.name),
                counts,
                found,
                factor.permille.into(),
            );
            let formula = format!("{left} × {permille} ÷ 1000");
            let kept = part_of(left, permille);
            self.add(
                format!("{name}, after {}", factor.name),
                formula,
                Some(kept),
                factor.amount_microtokens,
            );
            left = kept;
        }
        let factors = line.factors.len();
        let is_whole = factors == if line.base_microtokens == 0 { 0 } else { FactorName::ALL.len() };
        let formula = format!("what {factors} factors leave");
        self.add(format!("{name}, amount"), formula, is_whole.then_some(left), line.amount_microtokens);
    }

    /// At most the tariff's cap is paid; less where the device changed hands and its owners share the cap.
    fn records(&mut self, name: &str, line: &StatementLine, quantity: Option<&Quantity>) {
        let cap = quantity.map_or(0, |quantity| quantity.paid_records_max);
        let most = line.accepted_records.min(cap);
        self.steps.push(Step {
            what: format!("{name}, paid records"),
            formula: format!("at most {} accepted and {cap} that the tariff pays", line.accepted_records),
            found: format!("at most {most}"),
            said: line.paid_records.to_string(),
            holds: line.paid_records <= most,
        });
    }
}

/// Reckons a statement again by a tariff, which must be of the statement's version.
#[must_use]
pub fn recompute(statement: &Statement, tariff: &Tariff) -> Vec<Step> {
    let mut sheet = Sheet::default();
    let (version, said) = (Some(tariff.version.into()), statement.tariff_version.into());
    sheet.add("tariff".to_string(), "the version that was in force".to_string(), version, said);
    statement.lines.iter().for_each(|line| sheet.line(line, tariff));
    let amounts = statement.lines.iter().map(|line| line.amount_microtokens);
    let due = amounts.clone().try_fold(0_u64, u64::checked_add);
    let formula = amounts.map(|amount| amount.to_string()).collect::<Vec<_>>().join(" + ");
    sheet.add("due".to_string(), formula, due, statement.due_microtokens);

    let share = &statement.cell_share;
    let (budget, total) = (share.budget_microtokens, share.due_total_microtokens);
    let found = Some(tariff.cell_budget_microtokens);
    sheet.add("the cell's budget".to_string(), format!("tariff {}", tariff.version), found, budget);
    let after_cell = share_of(statement.due_microtokens, total, budget);
    let formula = if total > u128::from(budget) {
        format!("{} × {budget} ÷ {total}, rounded down", statement.due_microtokens)
    } else {
        format!("all of it: {total} are due of a budget of {budget}")
    };
    let said = statement.due_microtokens.saturating_sub(share.withheld_microtokens);
    sheet.add("what the cell's budget leaves".to_string(), formula, Some(after_cell), said);

    let (paid, formula) = match &statement.pool_scale {
        Some(scale) => {
            let (pool, total) = (scale.pool_microtokens, scale.due_total_microtokens);
            let formula = format!("{after_cell} × {pool} ÷ {total}, rounded down");
            (share_of(after_cell, total, pool), formula)
        }
        None => (after_cell, "all of it: the pool held enough".to_string()),
    };
    sheet.add("paid".to_string(), formula, Some(paid), statement.paid_microtokens);
    sheet.steps
}
