//! What the residents earn and why: their statements, multiplied out.

use dashboard::view::*;

use super::ledger::{BEATS_PER_EPOCH, seal_of};
use super::residents::{Habit, Measure, Resident, kid};
use super::{City, EPOCH_SECONDS, GENESIS, POOL, account};

/// What the devices of one cell share: too little for the four of the crowded one.
const CELL_BUDGET: u64 = 5_000;

impl City {
    /// Statements of closed epochs in which something was accepted, oldest first.
    pub fn statements_of<'a>(
        &'a self,
        resident: &'a Resident,
    ) -> impl DoubleEndedIterator<Item = Statement> + 'a {
        let closed = 0..self.epoch();
        closed
            .filter(|epoch| self.beats_of_epoch(resident, *epoch) > 0)
            .map(|epoch| self.statement_of(resident, epoch))
    }

    pub(super) fn statement_of(&self, resident: &Resident, epoch: u64) -> Statement {
        let lines = self.lines(resident, epoch);
        let due_microtokens = due(&lines);
        let cell_share = self.cell_share(resident, epoch, due_microtokens);
        let left = due_microtokens - cell_share.withheld_microtokens;
        // The pool ran short once, and everybody got three quarters.
        let short = (epoch == 117).then_some(PoolScale {
            pool_microtokens: 3_000,
            due_of_all_microtokens: 4_000,
            withheld_microtokens: left - left * 3_000 / 4_000,
        });
        let paid_microtokens = left - short.map_or(0, |short| short.withheld_microtokens);
        let ends = GENESIS + (epoch + 1) * EPOCH_SECONDS * 1_000;
        let former = resident.former.filter(|(_, until)| ends <= *until).map(|(owner, _)| account(owner));
        Statement {
            kid: resident.kid.clone(),
            epoch,
            payee: former
                .or_else(|| resident.owner.clone())
                .unwrap_or_else(|| account(500 + resident.number)),
            escrow: resident.owner.is_none(),
            starts_milliseconds: GENESIS + epoch * EPOCH_SECONDS * 1_000,
            ends_milliseconds: ends,
            tariff_version: 1,
            lines,
            due_microtokens,
            cell_share,
            pool_scale: short,
            paid_microtokens,
            seal: (epoch < self.epoch()).then(|| seal_of(self, (epoch + 1) * BEATS_PER_EPOCH)),
        }
    }

    fn lines(&self, resident: &Resident, epoch: u64) -> Vec<StatementLine> {
        let accepted_records = self.beats_of_epoch(resident, epoch);
        resident.measures.iter().map(|measure| line(resident, measure, accepted_records)).collect()
    }

    /// Four residents live in one cell, and its budget is too small for them.
    fn cell_share(&self, resident: &Resident, epoch: u64, due_microtokens: u64) -> CellShare {
        let crowded = 8..=11;
        let together = self.residents.iter().filter(|other| {
            other.number == resident.number
                || (crowded.contains(&other.number) && crowded.contains(&resident.number))
        });
        let dues: Vec<u64> = together
            .filter(|other| self.beats_of_epoch(other, epoch) > 0)
            .map(|other| due(&self.lines(other, epoch)))
            .collect();
        let due_of_all: u64 = dues.iter().sum();
        let left = if due_of_all > CELL_BUDGET {
            due_microtokens * CELL_BUDGET / due_of_all
        } else {
            due_microtokens
        };
        CellShare {
            cell: cell_of(resident),
            budget_microtokens: CELL_BUDGET,
            devices: dues.len() as u64,
            due_of_all_microtokens: due_of_all,
            withheld_microtokens: due_microtokens - left,
        }
    }

    pub(super) fn settlement(&self, epoch: u64) -> Settlement {
        let statements: Vec<Statement> =
            self.residents.iter().map(|resident| self.statement_of(resident, epoch)).collect();
        let sum = |amount: fn(&Statement) -> u64| statements.iter().map(amount).sum::<u64>();
        let paid_microtokens = sum(|statement| statement.paid_microtokens);
        Settlement {
            pool_before_microtokens: POOL,
            due_microtokens: sum(|statement| statement.due_microtokens),
            cut_by_cells_microtokens: sum(|statement| statement.cell_share.withheld_microtokens),
            cut_by_pool_microtokens: sum(|statement| {
                statement.pool_scale.map_or(0, |scale| scale.withheld_microtokens)
            }),
            paid_microtokens,
            remainder_microtokens: POOL - paid_microtokens,
        }
    }
}

/// Where a resident stands: most have a cell of their own, four share one.
pub(super) fn cell_of(resident: &Resident) -> Option<String> {
    match resident.number {
        2 => None,
        8..=11 => Some("891f1d4882bffff".to_owned()),
        alone => Some(format!("891f1d48{alone:02x}3ffff")),
    }
}

fn due(lines: &[StatementLine]) -> u64 {
    lines.iter().map(|line| line.amount_microtokens).sum()
}

fn line(resident: &Resident, measure: &Measure, accepted_records: u64) -> StatementLine {
    let paid_records = if measure.price == 0 { 0 } else { accepted_records.min(measure.cap) };
    let base_microtokens = paid_records * measure.price;
    let factors = if base_microtokens > 0 { factors(resident, accepted_records) } else { Vec::new() };
    let mut amount_microtokens = base_microtokens;
    let factors = factors.into_iter().map(|factor| {
        amount_microtokens = amount_microtokens * u64::from(factor.permille) / 1_000;
        Factor { amount_microtokens, ..factor }
    });
    let factors = factors.collect();
    StatementLine {
        quantity: measure.name.to_owned(),
        unit: measure.unit.to_owned(),
        accepted_records,
        paid_records,
        paid_records_max: (measure.price > 0).then_some(measure.cap),
        price_microtokens: measure.price,
        base_microtokens,
        factors,
        amount_microtokens,
        reason: (measure.price == 0).then(|| "not in the tariff".to_owned()),
    }
}

fn factors(resident: &Resident, accepted: u64) -> Vec<Factor> {
    let factor = |name: &str, numerator: u64, denominator: u64, cut: &str| Factor {
        name: name.to_owned(),
        numerator,
        denominator,
        permille: u32::try_from((numerator * 1_000 / denominator).min(1_000)).unwrap_or(1_000),
        cut: (numerator < denominator).then(|| cut.to_owned()),
        ..Factor::default()
    };
    let plausible = if resident.habit == Habit::Spiking { accepted - 1 } else { accepted };
    let mut factors = vec![
        factor("completeness", accepted, BEATS_PER_EPOCH, "expected intervals without a record"),
        factor("plausibility", plausible, accepted, "1 value out of range"),
        factor("freshness", accepted * 1_000, accepted * 1_000, ""),
        factor("repetition", accepted, accepted, ""),
    ];
    if let (Habit::CopiedFrom(original), Some(repetition)) = (resident.habit, factors.last_mut()) {
        *repetition = Factor {
            original: Some(kid(original)),
            ..factor("repetition", 0, accepted, "another device sent the same values first")
        };
    }
    factors
}
