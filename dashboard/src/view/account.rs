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
    /// Why: `reward`, `transfer`, `issue`, `genesis`, `claim`, `correct`.
    pub reason: String,
    /// What it is about, where the reason says so.
    pub cause: TransferCause,
    /// The entry that caused it: the instruction, or the seal that closed the epoch.
    pub transaction: String,
    /// Its place in the log.
    pub index: u64,
    /// Its block.
    pub height: u64,
    /// The block's time.
    pub time_milliseconds: u64,
}

/// What a transfer is about, as far as its reason says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TransferCause {
    /// Nothing more than its reason's word.
    #[default]
    Plain,
    /// What the sender wrote with it.
    Memo(String),
    /// The statement that it paid.
    Statement {
        /// The device.
        kid: String,
        /// The epoch.
        epoch: u64,
    },
    /// The device that was claimed, whose escrow it was.
    Claim {
        /// The device.
        kid: String,
    },
    /// The entry that it corrects, and why.
    Correction {
        /// That entry's place in the log.
        index: u64,
        /// That entry's id.
        transaction: String,
        /// Why, in the operator's words.
        why: String,
    },
}
