//! What the pages are drawn from: the `View` trait and its plain structs.
//!
//! One method answers one page, so that an implementation can take everything a page shows at one moment
//! (under one lock): two figures on a page never come from two states of the ledger.
//!
//! Shapes, everywhere: amounts are micro-tokens (`u64`), times are Unix milliseconds (`u64`), a `kid` is 16
//! lower-case hex digits, a transaction id 64 lower-case hex digits, an account id bech32m text. Text that
//! comes from devices or people is passed as it is: the pages cut, mark and escape it.

/// Why the view could not answer. The sentence is shown to the reader, so it says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewError(pub String);

impl core::fmt::Display for ViewError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl core::error::Error for ViewError {}

/// An answer of the view: `Ok(None)` where there is no such thing (the page is then a 404).
pub type Answer<T> = Result<Option<T>, ViewError>;

/// What the dashboard reads. Calls may block for some milliseconds: the router makes them off the event loop.
///
/// Everything returned is durable on the ledger, except the refused counts and what is named an estimate.
pub trait View: Send + Sync + 'static {
    /// The home page: `limit` devices from `offset`, in the order of their kids.
    fn home(&self, offset: u64, limit: usize) -> Result<Home, ViewError>;

    /// A device with its newest `readings_max` readings (newest first) and newest `statements_max` statements
    /// (newest first).
    fn device(&self, kid: &str, readings_max: usize, statements_max: usize) -> Answer<DevicePage>;

    /// A device's statements, newest first: those of epochs before `before_epoch` (all, when `None`), at most
    /// `limit` of them.
    fn statements(&self, kid: &str, before_epoch: Option<u64>, limit: usize) -> Answer<StatementsPage>;

    /// One statement of one device.
    fn statement(&self, kid: &str, epoch: u64) -> Answer<StatementPage>;

    /// An account with its newest `transfers_max` transfers (newest first), at most `devices_max` of its devices
    /// and at most `statements_max` statements of those (newest first).
    fn account(
        &self,
        id: &str,
        devices_max: usize,
        transfers_max: usize,
        statements_max: usize,
    ) -> Answer<AccountPage>;

    /// A durable transaction or seal by its id, with the first `transfers_max` of the transfers it caused.
    fn transaction(&self, id: &str, transfers_max: usize) -> Answer<TransactionPage>;

    /// A durable block: `limit` of its entries from `offset`, the seal not among them.
    fn block(&self, height: u64, offset: u64, limit: usize) -> Answer<BlockPage>;

    /// The figures of the network alone, for pages about nothing in particular (404).
    fn network(&self) -> Result<Network, ViewError>;
}

/// Figures of the whole network at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// The genesis' network name.
    pub name: String,
    /// The checkpoint's first line.
    pub origin: String,
    /// The program's version.
    pub version: String,
    /// Where this node answers HTTP, `http://host:port` without a slash at the end.
    pub http_url: String,
    /// Where devices publish, `mqtt://host:port`.
    pub mqtt_url: String,
    /// The operator's key file, as commands on this machine name it (`lamppost-data/keys/operator.pem`).
    pub operator_key_path: String,
    /// The wall clock when the view was taken.
    pub now_milliseconds: u64,
    /// Height of the newest durable block.
    pub height: u64,
    /// Block time of that block.
    pub last_block_milliseconds: u64,
    /// Entries in the log.
    pub log_size: u64,
    /// The running epoch.
    pub epoch: u64,
    /// Length of an epoch.
    pub epoch_seconds: u64,
    /// When the running epoch ends.
    pub epoch_ends_milliseconds: u64,
    /// Seconds without an accepted reading after which a device counts as silent.
    pub silent_after_seconds: u64,
    /// Accepted in all.
    pub accepted: Count,
    /// Refused by reason: on the ledger's seals, or since the start, as `/api/v1/status` says it.
    pub refused: Refused,
    /// Balance of the reward pool.
    pub pool_microtokens: u64,
    /// The pool's account id.
    pub pool_account: String,
    /// Estimate for the running epoch over all devices: what would be posted if it closed now.
    pub earned_epoch_microtokens: u64,
    /// Posted by all statements so far, all devices together.
    pub earned_total_microtokens: u64,
    /// Enrolled devices by status.
    pub devices: DeviceCounts,
}

/// Enrolled devices by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceCounts {
    /// Enrolled, nothing accepted yet.
    pub new: u64,
    /// Heard within `silent_after_seconds`.
    pub online: u64,
    /// Heard, but not lately.
    pub silent: u64,
    /// Revoked by their owner or the operator.
    pub revoked: u64,
}

impl DeviceCounts {
    /// All enrolled devices.
    pub fn total(&self) -> u64 {
        self.new.saturating_add(self.online).saturating_add(self.silent).saturating_add(self.revoked)
    }
}

/// How many envelopes, and how many records within them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Envelopes.
    pub envelopes: u64,
    /// SenML records.
    pub records: u64,
}

/// Refused envelopes by reason, in the order of [`REFUSAL_REASONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refused(pub [u64; 8]);

/// The contract's words for a refusal, in the order of `devices::refusal::Refusal::ALL`.
pub const REFUSAL_REASONS: [&str; 8] =
    ["malformed", "unknown_device", "revoked", "signature", "replayed", "too_old", "in_future", "over_quota"];

impl Refused {
    /// Refused for any reason.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// The home page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Home {
    /// Figures of the network.
    pub network: Network,
    /// The devices asked for; how many there are in all stands in `network.devices`.
    pub devices: Vec<Device>,
}

/// How a device does; the same words as `/api/v1/devices`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceStatus {
    /// Enrolled, nothing accepted yet.
    #[default]
    New,
    /// Heard lately.
    Online,
    /// Heard, but not lately.
    Silent,
    /// Admitted no more.
    Revoked,
}

/// One device as lists and its own page show it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// 16 hex digits.
    pub kid: String,
    /// The owner's account; `None` while its earnings go to its escrow.
    pub owner: Option<String>,
    /// The escrow account's id, where `owner` is `None`.
    pub escrow: Option<String>,
    /// Where it stands; shown rounded to about a kilometre.
    pub position: Option<Position>,
    /// How it does.
    pub status: DeviceStatus,
    /// Height of the block that enrolled it.
    pub enrolled_height: u64,
    /// Block time of its last accepted reading.
    pub last_reading_milliseconds: Option<u64>,
    /// Its highest accepted (boot, count).
    pub last_sequence: Option<Sequence>,
    /// Accepted in all.
    pub accepted: Count,
    /// Accepted in the running epoch.
    pub accepted_epoch: Count,
    /// Refused by reason, as `/api/v1/devices/{kid}` says it.
    pub refused: Refused,
    /// Estimate for the running epoch: what would be posted if it closed now. Not part of `earned_total`.
    pub earned_epoch_microtokens: u64,
    /// The sum of `paid_microtokens` over all its statements.
    pub earned_total_microtokens: u64,
    /// How many statements it has.
    pub statements_total: u64,
}

/// WGS 84, in millionths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// North positive.
    pub latitude_microdegrees: i32,
    /// East positive.
    pub longitude_microdegrees: i32,
}

/// A device's own numbering of its envelopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Sequence {
    /// How often it has booted.
    pub boot: u32,
    /// Envelopes since then.
    pub count: u32,
}

/// The page of one device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DevicePage {
    /// Figures of the network at the same moment.
    pub network: Network,
    /// The device.
    pub device: Device,
    /// 64 hex digits.
    pub public_key: String,
    /// The newest readings, newest first.
    pub readings: Vec<Reading>,
    /// The running epoch's lines as they stand (`seal` is `None`); `None` while nothing was accepted in it.
    pub running: Option<Statement>,
    /// The newest statements, newest first.
    pub statements: Vec<Statement>,
}

/// One accepted envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// Its transaction id.
    pub transaction: String,
    /// Its place in the log.
    pub index: u64,
    /// The block it is in.
    pub height: u64,
    /// That block's time.
    pub accepted_milliseconds: u64,
    /// The device's own number of it.
    pub sequence: Sequence,
    /// The SenML records, resolved, in the envelope's order.
    pub records: Vec<Measurement>,
}

/// One resolved SenML record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Measurement {
    /// The record's full name; for charts the part after the base name is enough (`temp`).
    pub name: String,
    /// SenML unit, "" where there is none.
    pub unit: String,
    /// What was measured; a boolean is 1 or 0.
    pub value: Exact,
    /// When, as the device says; `None` where the pack has no absolute time (then the block's time is shown).
    pub time_milliseconds: Option<u64>,
}

/// An exact decimal: mantissa × 10^exponent, `exponent` from -9 to 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exact {
    /// Signed digits.
    pub mantissa: i128,
    /// Power of ten.
    pub exponent: i8,
}

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
    /// What was posted: `due`, or less where the pool did not hold enough for all.
    pub paid_microtokens: u64,
    /// How the pool fell short, where `paid` is less than `due`.
    pub pool_scale: Option<PoolScale>,
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
    pub amount_microtokens: u64,
    /// Why it is zero or capped, in words.
    pub reason: Option<String>,
}

/// Every statement of an epoch shrinks alike when the pool holds less than all are due:
/// paid = floor(due × pool ÷ due of all).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolScale {
    /// What the pool held.
    pub pool_microtokens: u64,
    /// What all devices together were due.
    pub due_of_all_microtokens: u64,
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

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatementPage {
    /// Figures of the network at the same moment.
    pub network: Network,
    /// The device.
    pub device: Device,
    /// The statement.
    pub statement: Statement,
}

/// What an account is to the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountRole {
    /// Somebody's key.
    #[default]
    Holder,
    /// Where rewards come from.
    Pool,
    /// The city's own.
    Treasury,
    /// The operator's key.
    Operator,
    /// Holds what a device without an owner earns.
    Escrow,
    /// The other side of every token that was ever issued.
    Supply,
}

/// The page of one account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountPage {
    /// Figures of the network at the same moment.
    pub network: Network,
    /// Bech32m.
    pub id: String,
    /// What it is.
    pub role: AccountRole,
    /// Posted credits minus posted debits. The supply account has issued this much (its debits).
    pub posted_microtokens: u64,
    /// Estimate of the running epoch for all its devices.
    pub pending_microtokens: u64,
    /// How many devices it owns.
    pub devices_total: u64,
    /// Its devices, in the order of their kids.
    pub devices: Vec<Device>,
    /// How many transfers it has.
    pub transfers_total: u64,
    /// Newest first.
    pub transfers: Vec<Transfer>,
    /// Statements of its devices, newest first.
    pub statements: Vec<Statement>,
}

/// One double-entry transfer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transfer {
    /// Who gave.
    pub debit: String,
    /// Who got.
    pub credit: String,
    /// How much.
    pub amount_microtokens: u64,
    /// Why: `reward`, `transfer`, `issue`, `genesis`.
    pub reason: String,
    /// The statement it paid, for rewards: device and epoch.
    pub statement: Option<(String, u64)>,
    /// The entry that caused it: the instruction, or the seal that closed the epoch.
    pub transaction: String,
    /// Its place in the log.
    pub index: u64,
    /// Its block.
    pub height: u64,
    /// The block's time.
    pub time_milliseconds: u64,
}

/// The page of one entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransactionPage {
    /// Figures of the network at the same moment.
    pub network: Network,
    /// 64 hex digits.
    pub id: String,
    /// Place in the log.
    pub index: u64,
    /// Block.
    pub height: u64,
    /// Block time.
    pub time_milliseconds: u64,
    /// The entry's bytes in lower-case hex.
    pub raw: String,
    /// What it says.
    pub body: TransactionBody,
    /// The first transfers it caused, in the order of execution; a seal may have many.
    pub transfers: Vec<Transfer>,
    /// How many it caused in all.
    pub transfers_total: u64,
}

/// An entry, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionBody {
    /// A device's envelope.
    Reading {
        /// The device.
        kid: String,
        /// The device's own number of it.
        sequence: Sequence,
        /// The records, resolved.
        records: Vec<Measurement>,
    },
    /// An account's instruction.
    Instruction {
        /// Who signed it.
        account: String,
        /// The account's own counter.
        counter: u64,
        /// `transfer`, `enrol`, ...
        name: String,
        /// Its arguments by name, as text, in order.
        arguments: Vec<(String, String)>,
    },
    /// A block's seal.
    Seal(SealBody),
}

impl Default for TransactionBody {
    fn default() -> Self {
        Self::Seal(SealBody::default())
    }
}

/// What a seal says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SealBody {
    /// Entries of the block, the seal not counted.
    pub entries: u64,
    /// Refused in this block, by reason.
    pub refused: Refused,
    /// Hex.
    pub results_root: String,
    /// Hex; at block 0 and at an epoch's end.
    pub state_root: Option<String>,
    /// Epochs this block settled, first and last.
    pub settled_epochs: Option<(u64, u64)>,
}

/// The page of one block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockPage {
    /// Figures of the network at the same moment.
    pub network: Network,
    /// Height.
    pub height: u64,
    /// Block time.
    pub time_milliseconds: u64,
    /// Index of its first entry.
    pub first_index: u64,
    /// Log size after it.
    pub log_size: u64,
    /// Its seal's id.
    pub seal_transaction: String,
    /// What the seal says.
    pub seal: SealBody,
    /// The entries asked for.
    pub entries: Vec<BlockEntry>,
}

/// One entry of a block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockEntry {
    /// Place in the log.
    pub index: u64,
    /// Transaction id.
    pub id: String,
    /// `reading`, or the instruction's name.
    pub kind: String,
    /// The device that sent it, for readings.
    pub kid: Option<String>,
    /// The account that signed it, for instructions.
    pub account: Option<String>,
    /// Records in it, for readings.
    pub records: u64,
}
