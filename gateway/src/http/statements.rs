//! Statements as JSON and CSV: what a device earned in an epoch and why, line by line.

use serde::Serialize;
use utoipa::ToSchema;

use super::amount::Amount;
use super::csv::Table;
use super::instant::rfc3339;
use super::problem::Problem;
use crate::shared::Shared;
use crate::stored::EntryIds;

/// What one device earned in one epoch, and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct Statement {
    /// The device.
    kid: String,
    /// The epoch.
    epoch: u64,
    /// When it began.
    from: String,
    /// When it ended; not part of it.
    to: String,
    /// The device's owner when the epoch was settled.
    owner: Option<String>,
    /// Who was paid: the owner, or the device's escrow.
    payee: String,
    /// The price list.
    tariff_version: u32,
    /// Accepted envelopes.
    envelopes: u32,
    /// One for each quantity; the amounts sum to `due`.
    lines: Vec<Line>,
    /// Sum of the lines.
    due: Amount,
    /// How the due compares with the budget of the device's cell.
    cell_share: CellShare,
    /// Present where the pool held less than all devices were due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pool_scale: Option<PoolScale>,
    /// What was posted.
    paid: Amount,
    /// The entry that posted it.
    seal: SealPlace,
}

/// One quantity of a statement.
#[derive(Debug, Serialize, ToSchema)]
pub struct Line {
    /// The records' full SenML name; empty in the line that sums up the rest.
    #[schema(example = "pm2.5")]
    quantity: String,
    /// Their unit.
    #[schema(example = "ug/m3")]
    unit: Option<String>,
    /// Records accepted.
    accepted_records: u32,
    /// Records paid.
    paid_records: u32,
    /// Price of one record.
    price: Amount,
    /// Price times paid records.
    base: Amount,
    /// The factors of quality, in order.
    factors: Vec<Factor>,
    /// What the last factor leaves.
    amount: Amount,
    /// Why the base is less than price times accepted records, or nothing: `capped`, `price_zero`, `not_in_tariff`, `not_a_number`,
    /// `further_not_in_tariff`.
    reason: Option<&'static str>,
    /// The reason in words.
    explanation: Option<String>,
}

/// One factor of quality: permille = floor(1000 × numerator ÷ denominator), at most 1000, and
/// amount = floor(amount before × permille ÷ 1000).
#[derive(Debug, Serialize, ToSchema)]
pub struct Factor {
    /// `completeness`, `plausibility`, `agreement`, `freshness` or `repetition`.
    name: &'static str,
    /// What held.
    numerator: u64,
    /// Out of what.
    denominator: u64,
    /// The factor in thousandths.
    permille: u32,
    /// What it leaves.
    amount: Amount,
    /// What was cut for, or nothing: `gaps`, `implausible`, `disagrees`, `late`, `repeated`, `copied`.
    reason: Option<&'static str>,
    /// The reason in words.
    explanation: Option<String>,
}

/// The budget that all devices of a cell share.
#[derive(Debug, Serialize, ToSchema)]
pub struct CellShare {
    /// The H3 cell; nothing for devices without a position, which share one budget.
    #[schema(example = "891976bb2d3ffff")]
    cell: Option<String>,
    /// What the cell's devices are paid together, at most.
    budget: Amount,
    /// Devices of the cell that sent anything.
    devices: u32,
    /// What all of them were due, in micro-tokens.
    due_total_microtokens: String,
    /// What this device's due was cut by.
    withheld: Amount,
    /// `cell_budget` where it was cut.
    reason: Option<&'static str>,
}

/// How the pool fell short.
#[derive(Debug, Serialize, ToSchema)]
pub struct PoolScale {
    /// What the pool held.
    pool: Amount,
    /// What all devices were due, in micro-tokens.
    due_total_microtokens: String,
    /// What this device's due was cut by.
    withheld: Amount,
}

/// Where the log says it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SealPlace {
    /// The block.
    pub height: u64,
    /// The seal's place in the log.
    pub index: u64,
    /// The seal's id; its receipt proves the posting.
    pub transaction: String,
}

/// Statements as JSON shapes, in their order.
///
/// # Errors
/// When the log cannot be read.
pub fn describe(
    shared: &Shared,
    statements: Vec<ledger::statement::Statement>,
) -> Result<Vec<Statement>, Problem> {
    let mut seals = EntryIds::new(shared);
    statements.into_iter().map(|statement| statement_of(&mut seals, statement)).collect()
}

fn statement_of(
    seals: &mut EntryIds<'_>,
    statement: ledger::statement::Statement,
) -> Result<Statement, Problem> {
    let transaction = seals.id(statement.seal_index).map_err(Problem::internal)?;
    Ok(shape(statement, transaction))
}

/// A statement as the API says it; `transaction` is the id of the seal that posted it.
pub fn shape(statement: ledger::statement::Statement, transaction: String) -> Statement {
    Statement {
        kid: statement.kid.to_string(),
        epoch: statement.epoch,
        from: rfc3339(statement.from_unix_milliseconds),
        to: rfc3339(statement.to_unix_milliseconds),
        owner: statement.owner.map(|owner| owner.to_string()),
        payee: statement.payee.to_string(),
        tariff_version: statement.tariff_version,
        envelopes: statement.envelopes,
        lines: statement.lines.into_iter().map(Line::from).collect(),
        due: Amount::new(statement.due_microtokens),
        cell_share: CellShare::from(statement.cell_share),
        pool_scale: statement.pool_scale.map(PoolScale::from),
        paid: Amount::new(statement.paid_microtokens),
        seal: SealPlace { height: statement.height, index: statement.seal_index, transaction },
    }
}

impl From<ledger::statement_line::StatementLine> for Line {
    fn from(line: ledger::statement_line::StatementLine) -> Line {
        Line {
            quantity: line.quantity,
            unit: line.unit,
            accepted_records: line.accepted_records,
            paid_records: line.paid_records,
            price: Amount::new(line.price_microtokens),
            base: Amount::new(line.base_microtokens),
            factors: line.factors.into_iter().map(Factor::from).collect(),
            amount: Amount::new(line.amount_microtokens),
            reason: line.reason.map(|reason| reason.as_str()),
            explanation: line.reason.map(|reason| reason.to_string()),
        }
    }
}

impl From<ledger::factor::Factor> for Factor {
    fn from(factor: ledger::factor::Factor) -> Factor {
        Factor {
            name: factor.name.as_str(),
            numerator: factor.numerator,
            denominator: factor.denominator,
            permille: factor.permille,
            amount: Amount::new(factor.amount_microtokens),
            reason: factor.cut.map(|cut| cut.as_str()),
            explanation: factor.cut.map(|cut| cut.to_string()),
        }
    }
}

impl From<ledger::statement::CellShare> for CellShare {
    fn from(share: ledger::statement::CellShare) -> CellShare {
        CellShare {
            cell: share.cell.map(|cell| cell.to_string()),
            budget: Amount::new(share.budget_microtokens),
            devices: share.devices,
            due_total_microtokens: share.due_total_microtokens.to_string(),
            withheld: Amount::new(share.withheld_microtokens),
            reason: share.reason(),
        }
    }
}

impl From<ledger::statement::PoolScale> for PoolScale {
    fn from(scale: ledger::statement::PoolScale) -> PoolScale {
        PoolScale {
            pool: Amount::new(scale.pool_microtokens),
            due_total_microtokens: scale.due_total_microtokens.to_string(),
            withheld: Amount::new(scale.withheld_microtokens),
        }
    }
}

/// One row a line; a statement's own figures stand in each of its rows. One without lines has a row all the same.
pub fn table(statements: &[Statement]) -> Table {
    let mut table = Table::new(&[
        "kid",
        "epoch",
        "from",
        "to",
        "payee",
        "tariff_version",
        "quantity",
        "unit",
        "accepted_records",
        "paid_records",
        "price_microtokens",
        "amount_microtokens",
        "reason",
        "statement_due_microtokens",
        "statement_paid_microtokens",
        "seal_height",
        "seal_transaction",
    ]);
    for statement in statements {
        let (epoch, version) = (statement.epoch.to_string(), statement.tariff_version.to_string());
        let height = statement.seal.height.to_string();
        let before = [&statement.kid, &epoch, &statement.from, &statement.to, &statement.payee, &version];
        let after =
            [&statement.due.microtokens, &statement.paid.microtokens, &height, &statement.seal.transaction];
        let mut row = |line: [&str; 7]| {
            table.row(
                before
                    .into_iter()
                    .map(String::as_str)
                    .chain(line)
                    .chain(after.into_iter().map(String::as_str)),
            );
        };
        if statement.lines.is_empty() {
            row([""; 7]);
        }
        for line in &statement.lines {
            row([
                &line.quantity,
                line.unit.as_deref().unwrap_or_default(),
                &line.accepted_records.to_string(),
                &line.paid_records.to_string(),
                &line.price.microtokens,
                &line.amount.microtokens,
                line.reason.unwrap_or_default(),
            ]);
        }
    }
    table
}
