//! What concerns one owner: what their account holds, what their devices earned by day, and which of them need attention.

use super::{Device, DeviceCounts, Network, Transfer};

/// How much of an owner's home is asked for: everything that could be long has a bound.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MineAsked {
    /// The account, bech32m text.
    pub account: String,
    /// Devices that are passed over.
    pub devices_offset: u64,
    /// Devices at most.
    pub devices_max: usize,
    /// Devices that need attention, at most.
    pub alerts_max: usize,
    /// Devices that are offered to the account, at most.
    pub offers_max: usize,
    /// Days, today among them.
    pub days: u32,
}

/// An owner's home.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mine {
    /// Figures of the network at the same moment.
    pub network: Network,
    /// Bech32m.
    pub account: String,
    /// What the account holds: posted credits less posted debits.
    pub available_microtokens: u64,
    /// Estimate of the running epoch for all its devices. Not part of what is available.
    pub pending_microtokens: u64,
    /// Everything that ever left the account.
    pub paid_out_microtokens: u64,
    /// Rewards that it was ever paid, less what corrections took back.
    pub earned_microtokens: u64,
    /// Its devices by status.
    pub counts: DeviceCounts,
    /// The devices asked for, in the order of their kids.
    pub devices: Vec<Device>,
    /// The first of its devices that need attention, in the order of their kids.
    pub alerts: Vec<OwnAlert>,
    /// How many alerts there are in all.
    pub alerts_total: u64,
    /// The first devices that are offered to the account.
    pub offers: Vec<Device>,
    /// The days asked for on which a statement of its devices was posted, ascending.
    pub days: Vec<EarnedDay>,
}

/// What the statements of one day came to. A statement is of the day on which its epoch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EarnedDay {
    /// Days since 1 January 1970, UTC.
    pub day: u32,
    /// What they paid.
    pub paid_microtokens: u64,
    /// Records that they count.
    pub records: u64,
    /// How many they are.
    pub statements: u64,
}

/// A device that needs its owner's attention, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnAlert {
    /// The device.
    pub device: Device,
    /// What is wrong.
    pub kind: OwnAlertKind,
}

/// What is wrong with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnAlertKind {
    /// Nothing was accepted from it for longer than `Network::silent_after_seconds`.
    #[default]
    Silent,
    /// Much of what it sends is refused. What came a second time is not counted: delivery is at least once.
    Refused {
        /// So many envelopes.
        envelopes: u64,
        /// Most of them for this reason, a place in [`super::REFUSAL_REASONS`].
        reason: usize,
    },
}

/// Where a page of transfers begins: behind the newest `shown` of those in the block `height`. An epoch's end pays all
/// devices in one block, so a height alone would not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PayoutsAfter {
    /// The block of the last transfer that was shown.
    pub height: u64,
    /// How many of that block's transfers were shown.
    pub shown: u64,
}

/// Transfers to and from one account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payouts {
    /// Figures of the network at the same moment.
    pub network: Network,
    /// Bech32m.
    pub account: String,
    /// What it holds.
    pub available_microtokens: u64,
    /// Newest first.
    pub transfers: Vec<Transfer>,
    /// How many it has in all.
    pub transfers_total: u64,
    /// Where the next page begins; `None` on the last one.
    pub older: Option<PayoutsAfter>,
}
