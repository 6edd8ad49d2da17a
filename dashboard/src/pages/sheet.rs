//! A statement written out with its arithmetic: every step that led to the amount, in order, to be multiplied out.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::marks::{Link, Name};
use crate::view::{Factor, Statement, StatementLine};
use crate::{names, numbers, reasons};

/// A statement written out.
#[derive(Debug, Clone, Template)]
#[template(path = "sheet.html")]
pub struct Sheet {
    /// The statement.
    pub statement: Statement,
}

impl HtmlSafe for Sheet {}

impl Sheet {
    fn quantity(&self, line: &StatementLine) -> Name {
        Name(line.quantity.clone())
    }

    /// `60 × 0.000100`, said as a formula.
    fn formula(&self, line: &StatementLine) -> String {
        format!("{} × {}", numbers::grouped(line.paid_records), numbers::tokens(line.price_microtokens))
    }

    /// The factors that cut something, in order.
    fn cuts<'l>(&self, line: &'l StatementLine) -> Vec<&'l Factor> {
        line.factors.iter().filter(|factor| factor.permille < 1_000).collect()
    }

    /// The factors that cut nothing: `completeness 12 of 12, freshness 12 of 12`; "" where there is none.
    fn whole(&self, line: &StatementLine) -> String {
        let whole = line.factors.iter().filter(|factor| factor.permille >= 1_000);
        whole.map(counts).collect::<Vec<_>>().join(", ")
    }

    fn counts(&self, factor: &Factor) -> String {
        counts(factor)
    }

    /// A factor as it is multiplied by: `0.917`.
    fn share(&self, factor: &Factor) -> String {
        numbers::decimal(factor.permille.into(), 3)
    }

    /// What the cell's budget leaves of the due.
    fn after_cell_microtokens(&self) -> u64 {
        self.statement.due_microtokens.saturating_sub(self.statement.cell_share.withheld_microtokens)
    }

    /// Whose budget it is, in words.
    fn cell(&self) -> String {
        match &self.statement.cell_share.cell {
            Some(cell) => format!("cell {}", names::shown(cell, 16)),
            None => "all devices without a position".to_owned(),
        }
    }

    /// What the lines come to, reckoned here: the page says so when the statement claims something else.
    fn lines_sum_microtokens(&self) -> u64 {
        self.statement.lines.iter().map(multiplied_out).fold(0, u64::saturating_add)
    }

    fn adds_up(&self) -> bool {
        self.lines_sum_microtokens() == self.statement.due_microtokens
    }

    /// Why nothing was paid; "" when something was.
    fn zero(&self) -> &'static str {
        if self.statement.paid_microtokens > 0 {
            ""
        } else if self.statement.due_microtokens == 0 {
            "Every line is zero, for the reasons beside them."
        } else if self.after_cell_microtokens() == 0 {
            "The cell's budget left nothing for it."
        } else {
            "The pool held nothing to pay it from."
        }
    }
}

/// `completeness 11 of 12`. More than was expected counts as all of it; freshness is counted in thousandths of records,
/// because a late one counts for a part.
fn counts(factor: &Factor) -> String {
    let held = factor.numerator.min(factor.denominator);
    let counted = |count: u64| match factor.name.as_str() {
        "freshness" if count.is_multiple_of(1_000) => numbers::grouped(count / 1_000),
        "freshness" => numbers::decimal(count.into(), 3),
        _ => numbers::grouped(count),
    };
    format!("{} {} of {}", names::shown(&factor.name, 24), counted(held), counted(factor.denominator))
}

/// Price times records, times every factor in thousandths, rounded down at each step.
fn multiplied_out(line: &StatementLine) -> u64 {
    let base = line.paid_records.saturating_mul(line.price_microtokens);
    line.factors.iter().fold(base, |amount, factor| {
        let product = u128::from(amount).saturating_mul(factor.permille.into());
        u64::try_from(product / 1_000).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(factors: &[u32]) -> StatementLine {
        let factor = |permille: &u32| Factor { permille: *permille, ..Factor::default() };
        let factors = factors.iter().map(factor).collect();
        StatementLine { paid_records: 11, price_microtokens: 1_000, factors, ..StatementLine::default() }
    }

    #[test]
    fn every_step_is_rounded_down() {
        assert_eq!(multiplied_out(&line(&[])), 11_000);
        assert_eq!(multiplied_out(&line(&[1_000, 917])), 10_087);
        assert_eq!(multiplied_out(&line(&[917, 917])), 9_249);
        assert_eq!(multiplied_out(&line(&[917, 0, 1_000])), 0);
    }

    #[test]
    fn counts_are_said_as_records_and_never_beyond_the_whole() {
        let said = |name: &str, numerator, denominator| {
            counts(&Factor { name: name.to_owned(), numerator, denominator, ..Factor::default() })
        };
        assert_eq!(said("completeness", 3, 2), "completeness 2 of 2");
        assert_eq!(said("freshness", 6_000, 6_000), "freshness 6 of 6");
        assert_eq!(said("freshness", 5_500, 6_000), "freshness 5.500 of 6");
    }

    #[test]
    fn a_statement_that_claims_more_than_its_lines_does_not_add_up() {
        let lines = vec![line(&[500]), line(&[])];
        let sheet = |due_microtokens| Sheet {
            statement: Statement { lines: lines.clone(), due_microtokens, ..Statement::default() },
        };
        assert!(sheet(16_500).adds_up());
        assert!(!sheet(16_501).adds_up());
    }
}
