//! Accounts and the transfers between them.

use super::{Device, Network, Statement};

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
