//! Statements: what one device earned in one epoch, and why.

use super::{Device, Network, Transfer};

/// What one device earned in one epoch, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statement {
    /// The device.
    pub kid: String,
    /// The epoch.
    pub epoch: u64,
    /// Who is paid: the owner's account or the device's escrow.
    pub payee: String,
    /// Whether `payee` is the escrow.
    pub escrow: bool,
    /// The epoch's start.
    pub starts_milliseconds: u64,
    /// The epoch's end.
    pub ends_milliseconds: u64,
    /// The tariff's version.
    pub tariff_version: u32,
    /// One line a quantity.
    pub lines: Vec<StatementLine>,
    /// The sum of the lines' amounts.
    pub due_microtokens: u64,
    /// How the due compares with the budget of the device's cell.
    pub cell_share: CellShare,
    /// How the pool fell short, where it did.
    pub pool_scale: Option<PoolScale>,
    /// What was posted: `due`, less what the cell's budget and the pool did not hold.
    pub paid_microtokens: u64,
    /// The seal that posted it; `None` while the epoch runs.
    pub seal: Option<Seal>,
}

/// One line of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatementLine {
    /// SenML name the tariff knows (`temp`), or `other`.
    pub quantity: String,
    /// SenML unit.
    pub unit: String,
    /// Accepted records.
    pub accepted_records: u64,
    /// Those that pay: at most the cap.
    pub paid_records: u64,
    /// The tariff's cap a device and epoch, where it is known.
    pub paid_records_max: Option<u64>,
    /// Price of one record.
    pub price_microtokens: u64,
    /// `paid_records` × `price_microtokens`.
    pub base_microtokens: u64,
    /// What the base is multiplied by, in order.
    pub factors: Vec<Factor>,
    /// What the last factor leaves of the base.
    pub amount_microtokens: u64,
    /// Why the base is zero or capped, in words.
    pub reason: Option<String>,
}

/// One factor of quality: `permille` = min(1000, floor(1000 × `numerator` ÷ `denominator`)), and what it leaves of the
/// amount before it: floor(before × `permille` ÷ 1000).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Factor {
    /// `completeness`, `plausibility`, …
    pub name: String,
    /// What held.
    pub numerator: u64,
    /// Out of what.
    pub denominator: u64,
    /// The factor in thousandths.
    pub permille: u32,
    /// What it leaves.
    pub amount_microtokens: u64,
    /// What was cut for, in words; `None` where nothing was.
    pub cut: Option<String>,
    /// The device that sent the same series first, where that is what was cut for.
    pub original: Option<String>,
}

/// The budget that all devices of a cell share. Where they are due more than it together, each gets
/// floor(due × budget ÷ due of all).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CellShare {
    /// The H3 cell; `None` for the devices without a position, which share a budget of their own.
    pub cell: Option<String>,
    /// What the cell's devices are paid together, at most.
    pub budget_microtokens: u64,
    /// Devices of the cell that sent anything.
    pub devices: u64,
    /// What they were due together.
    pub due_of_all_microtokens: u64,
    /// What this statement's due was cut by.
    pub withheld_microtokens: u64,
}

/// Every statement of an epoch shrinks alike when the pool holds less than all are due after their cells' budgets:
/// paid = floor(what the cell left × pool ÷ due of all).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolScale {
    /// What the pool held.
    pub pool_microtokens: u64,
    /// What all devices together were due.
    pub due_of_all_microtokens: u64,
    /// What this statement's due was cut by.
    pub withheld_microtokens: u64,
}

/// Where something was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seal {
    /// Block.
    pub height: u64,
    /// The seal's place in the log.
    pub index: u64,
    /// The seal's id.
    pub transaction: String,
}

/// The list of a device's statements.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatementsPage {
    /// Figures of the network at the same moment.
    pub network: Network,
    /// The device.
    pub device: Device,
    /// Newest first.
    pub statements: Vec<Statement>,
    /// Whether older ones exist.
    pub more: bool,
}

/// What a device earned in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatementPage {
    /// Figures of the network at the same moment.
    pub network: Network,
    /// The device.
    pub device: Device,
    /// Its statements: one, or one for each owner where the device changed hands within the epoch. Never none.
    pub statements: Vec<Statement>,
    /// The transfers that paid them; none for what came to nothing.
    pub transfers: Vec<Transfer>,
}
