//! What an auditor looks at: the signed checkpoint, epochs' ends, the supply's equation, and that the log only grew.

use super::Network;

/// The log and the tokens, to be checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Figures of the network.
    pub network: Network,
    /// The newest checkpoint, as it was signed.
    pub checkpoint: String,
    /// Entries that it covers.
    pub checkpoint_size: u64,
    /// Names of those whose signatures on it hold.
    pub signers: Vec<String>,
    /// How many have to sign.
    pub quorum: u64,
    /// The last epochs' ends, the newest first.
    pub ends: Vec<EpochEnd>,
    /// The supply.
    pub supply: Supply,
    /// The proof that was asked for.
    pub growth: Option<Growth>,
}

/// The log as it was when an epoch was closed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EpochEnd {
    /// The last epoch that was closed.
    pub epoch: u64,
    /// The block that closed it.
    pub height: u64,
    /// When.
    pub time_milliseconds: u64,
    /// Entries up to and with that block.
    pub log_size: u64,
    /// The log's root then, base64 as in a checkpoint.
    pub root: String,
    /// What its statements paid.
    pub paid_microtokens: u64,
}

/// Every token there is, on both sides of the equation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Supply {
    /// Made by the genesis document.
    pub genesis_microtokens: u64,
    /// Issued since.
    pub issued_since_microtokens: u64,
    /// In the reward pool.
    pub pool_microtokens: u64,
    /// In the treasury.
    pub treasury_microtokens: u64,
    /// Waiting in escrow for devices without an owner.
    pub escrow_microtokens: u64,
    /// In everybody else's accounts.
    pub holders_microtokens: u64,
    /// How many accounts those are.
    pub holders: u64,
}

impl Supply {
    /// What was ever made.
    ///
    /// ```
    /// use dashboard::view::Supply;
    /// let supply = Supply { genesis_microtokens: 10, pool_microtokens: 7, holders_microtokens: 3, ..Supply::default() };
    /// assert!(supply.balances());
    /// assert!(!Supply { holders_microtokens: 4, ..supply }.balances());
    /// ```
    pub fn made(&self) -> u128 {
        u128::from(self.genesis_microtokens) + u128::from(self.issued_since_microtokens)
    }

    /// What all accounts hold together.
    pub fn held(&self) -> u128 {
        [self.pool_microtokens, self.treasury_microtokens, self.escrow_microtokens, self.holders_microtokens]
            .into_iter()
            .map(u128::from)
            .sum()
    }

    /// Whether both are equal, as they must be.
    pub fn balances(&self) -> bool {
        self.made() == self.held()
    }
}

/// That the log only grew between two sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Growth {
    /// It cannot be told; the sentence says why and what to ask instead.
    Refused(String),
    /// The proof.
    Proven(Proof),
}

/// A consistency proof (RFC 6962 section 2.1.2), its hashes in base64.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof {
    /// Entries of the earlier tree.
    pub from: u64,
    /// Entries of the later tree.
    pub to: u64,
    /// The earlier root.
    pub from_root: String,
    /// The later root.
    pub to_root: String,
    /// What leads from the one to the other.
    pub hashes: Vec<String>,
}
