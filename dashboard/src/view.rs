//! What the pages are drawn from: the `View` trait and its plain structs.
//!
//! One method answers one page, so that an implementation can take everything a page shows at one moment
//! (under one lock): two figures on a page never come from two states of the ledger.
//!
//! Shapes, everywhere: amounts are micro-tokens (`u64`), times are Unix milliseconds (`u64`), a `kid` is 16
//! lower-case hex digits, a transaction id 64 lower-case hex digits, an account id bech32m text. Text that
//! comes from devices or people is passed as it is: the pages cut, mark and escape it.

mod account;
mod agreement;
mod audit;
mod device;
mod form_token;
mod log;
mod map;
mod operator;
mod owner;
mod statement;
mod viewer;

pub use account::{AccountPage, AccountRole, Transfer, TransferCause};
pub use agreement::{Agreement, Attendance, Misbehaviour, NodeRole};
pub use audit::{Audit, EpochEnd, Growth, Proof, Supply};
pub use device::{
    Device, DevicePage, DeviceStatus, Exact, FormerOwner, Measurement, Position, Reading, Sequence,
};
pub use form_token::FormToken;
pub use log::{BlockEntry, BlockPage, SealBody, Settlement, TransactionBody, TransactionPage};
pub use map::{ChosenCell, Map, MapCell, OwnMap};
pub use operator::{
    Alert, Desk, Disk, Fleet, OperatorView, Proposal, Queue, Recent, RefusedSample, RefusedSamples,
    Rehearsal, Rehearsed, RehearsedPay, SilenceBand, Tariff, TariffDesk, TariffQuantity, TariffVersion,
    Validator, Validators,
};
pub use owner::{EarnedDay, Mine, MineAsked, OwnAlert, OwnAlertKind, Payouts, PayoutsAfter};
pub use statement::{
    CellShare, Factor, PoolScale, Seal, Statement, StatementLine, StatementPage, StatementsPage,
};
pub use viewer::{SignedIn, Viewer};

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
pub trait View: OperatorView + Send + Sync + 'static {
    /// The home page: `limit` devices from `offset`, in the order of their kids.
    fn home(&self, offset: u64, limit: usize) -> Result<Home, ViewError>;

    /// A device with its newest `readings_max` readings (newest first) and newest `statements_max` statements
    /// (newest first), as far as `viewer` may see it.
    fn device(
        &self,
        viewer: &Viewer,
        kid: &str,
        readings_max: usize,
        statements_max: usize,
    ) -> Answer<DevicePage>;

    /// A device's statements, newest first: those of epochs before `before_epoch` (all, when `None`), at most
    /// `limit` of them.
    fn statements(&self, kid: &str, before_epoch: Option<u64>, limit: usize) -> Answer<StatementsPage>;

    /// What one device earned in one epoch.
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

    /// The map: at most `cells_max` cells (larger ones where there would be more), and at most `devices_max` devices of
    /// the cell `chosen`, which may be of any size.
    fn map(&self, cells_max: usize, chosen: Option<&str>, devices_max: usize) -> Result<Map, ViewError>;

    /// The figures of the network alone, for pages about nothing in particular (404).
    fn network(&self) -> Result<Network, ViewError>;

    /// An owner's home. Of an account that the ledger does not know it is empty.
    fn mine(&self, asked: &MineAsked) -> Result<Mine, ViewError>;

    /// At most `limit` of an account's transfers, newest first, after those that were shown.
    fn payouts(&self, account: &str, after: Option<PayoutsAfter>, limit: usize)
    -> Result<Payouts, ViewError>;
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
    /// How several validators agree; `None` where one alone decides.
    pub agreement: Option<Agreement>,
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
