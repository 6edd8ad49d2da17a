//! What the operator's pages are drawn from, and the auditor's: a part of [`super::View`] of its own, so that whoever
//! implements it can do so in a place of its own.

use super::{Answer, Audit, Device, Network, Refused, Sequence, ViewError, Viewer};

/// The part of the view that concerns who runs the node and who checks it.
///
/// What is for the operator alone is `Ok(None)` for everybody else: the implementation decides, not the page. Where it says
/// nothing of it, nobody is the operator.
pub trait OperatorView {
    /// How the node stands just now.
    fn desk(&self, _viewer: &Viewer) -> Answer<Desk> {
        Ok(None)
    }

    /// The last refused envelopes of each reason.
    fn refused_samples(&self, _viewer: &Viewer) -> Answer<RefusedSamples> {
        Ok(None)
    }

    /// The devices by how long they have been silent, and `limit` of the silent ones from `offset`, those that fell silent
    /// last first.
    fn fleet(&self, _viewer: &Viewer, _offset: u64, _limit: usize) -> Answer<Fleet> {
        Ok(None)
    }

    /// The tariffs, and what a proposed one would have paid at most `payees_max` accounts, where one is proposed.
    fn tariff_desk(
        &self,
        _viewer: &Viewer,
        _proposal: Option<&Proposal>,
        _payees_max: usize,
    ) -> Answer<TariffDesk> {
        Ok(None)
    }

    /// Who signs the log's checkpoints.
    fn validators(&self, _viewer: &Viewer) -> Answer<Validators> {
        Ok(None)
    }

    /// What an auditor looks at first, with at most `ends_max` epochs' ends, and the proof that the log only grew between
    /// two sizes, where they are asked for. For everybody.
    ///
    /// # Errors
    /// When the view cannot answer.
    fn audit(&self, sizes: Option<(u64, u64)>, ends_max: usize) -> Result<Audit, ViewError>;
}

/// How the node stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Desk {
    /// Figures of the network.
    pub network: Network,
    /// What needs looking at, the most urgent first.
    pub alerts: Vec<Alert>,
    /// What happened lately.
    pub recent: Recent,
    /// Refused since the node started, by reason.
    pub refused_since_start: Refused,
    /// Every queue against its bound, in the order in which an envelope passes them.
    pub queues: Vec<Queue>,
    /// Disk space.
    pub disk: Disk,
    /// What the treasury holds.
    pub treasury_microtokens: u64,
    /// The treasury's account.
    pub treasury_account: String,
    /// What a day costs, as it was paid out lately; `None` where nothing was.
    pub paid_a_day_microtokens: Option<u64>,
    /// Over how many seconds that was looked at.
    pub paid_over_seconds: u64,
    /// For how long the pool lasts at that pace.
    pub pool_seconds: Option<u64>,
    /// For how long pool and treasury together do.
    pub treasury_seconds: Option<u64>,
}

/// Something that needs looking at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alert {
    /// Its word in the metrics.
    pub kind: String,
    /// What is the matter, a sentence.
    pub cause: String,
    /// What to do, a sentence or two.
    pub action: String,
}

/// What happened in the last minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recent {
    /// Over how many seconds.
    pub seconds: u64,
    /// Envelopes that arrived.
    pub received: u64,
    /// Envelopes and records that entered the ledger.
    pub accepted: super::Count,
    /// Refused, by reason.
    pub refused: Refused,
    /// Half of the envelopes were on the disk within this time of leaving the intake queue; `None` where there were none.
    pub delay_half_microseconds: Option<u64>,
    /// 99 of 100 were.
    pub delay_p99_microseconds: Option<u64>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Queue {
    /// Its name in the metrics.
    pub name: String,
    /// What waits in it.
    pub depth: u64,
    /// What it holds at most.
    pub bound: u64,
}

/// The space where the data lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Disk {
    /// Nothing is accepted until there is room.
    pub full: bool,
    /// Free.
    pub free_bytes: u64,
    /// Kept free.
    pub reserve_bytes: u64,
}

/// The last refused envelopes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RefusedSamples {
    /// Figures of the network.
    pub network: Network,
    /// Refused since the node started, by reason.
    pub since_start: Refused,
    /// How many of each reason are kept.
    pub kept_max: usize,
    /// The newest first, by reason in the order of [`super::REFUSAL_REASONS`].
    pub samples: [Vec<RefusedSample>; 8],
}

/// One refused envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RefusedSample {
    /// The device that it says it is of, or that its topic names.
    pub kid: Option<String>,
    /// Whether that device is enrolled.
    pub known: bool,
    /// Its number, where it could be read.
    pub sequence: Option<Sequence>,
    /// When it was refused.
    pub time_milliseconds: u64,
    /// Its size.
    pub size_bytes: u64,
}

/// The devices by silence and by firmware.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fleet {
    /// Figures of the network.
    pub network: Network,
    /// How many have been silent for how long, the shortest first.
    pub bands: Vec<SilenceBand>,
    /// Some of the silent ones.
    pub silent: Vec<Device>,
    /// How many devices named each version of their firmware last, the most common first.
    pub firmware: Vec<(String, u64)>,
}

/// Devices that have been silent for about as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SilenceBand {
    /// For longer than this.
    pub from_seconds: u64,
    /// And no longer than this; `None` for any time.
    pub to_seconds: Option<u64>,
    /// How many.
    pub devices: u64,
}

/// A tariff that somebody would like to know the effect of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proposal {
    /// Its JSON.
    pub json: String,
    /// How many of the last closed epochs to settle anew.
    pub epochs: u64,
}

/// The tariffs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TariffDesk {
    /// Figures of the network.
    pub network: Network,
    /// By which the running epoch is settled.
    pub in_force: Tariff,
    /// Its JSON under the next version's number, to begin a proposal with.
    pub next_json: String,
    /// Every version, the newest first.
    pub history: Vec<TariffVersion>,
    /// How many epochs may be settled anew on the page.
    pub epochs_max: u64,
    /// What became of the proposal.
    pub rehearsal: Option<Rehearsal>,
}

/// A price list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tariff {
    /// Its number.
    pub version: u32,
    /// What all devices of a cell are paid together in an epoch, at most.
    pub cell_budget_microtokens: u64,
    /// The size of those cells: the H3 resolution.
    pub cell_resolution: u8,
    /// A record is late when it is older than this on arrival.
    pub late_after_seconds: u64,
    /// What a late one counts for, thousandths.
    pub late_permille: u32,
    /// What is paid for.
    pub quantities: Vec<TariffQuantity>,
}

/// A line of a price list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TariffQuantity {
    /// The quantity.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// What a record pays.
    pub price_microtokens: u64,
    /// How many are paid a device and epoch.
    pub paid_records_max: u64,
    /// The least and the greatest plausible value, as text.
    pub plausible: (String, String),
    /// A record is expected in each interval of so many seconds.
    pub interval_seconds: u64,
}

/// A version of the tariff in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TariffVersion {
    /// Its number.
    pub version: u32,
    /// The first epoch that it settles.
    pub from_epoch: u64,
    /// When that begins.
    pub from_milliseconds: u64,
    /// How many quantities it pays for.
    pub quantities: u64,
    /// What a cell is paid at most.
    pub cell_budget_microtokens: u64,
    /// Whether it holds now.
    pub in_force: bool,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rehearsal {
    /// It was not tried; the sentence says why and what to do.
    Refused(String),
    /// It was.
    Done(Rehearsed),
}

/// What a proposed tariff would have paid.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rehearsed {
    /// The proposal's version.
    pub version: u32,
    /// The first epoch that was settled anew.
    pub first_epoch: u64,
    /// The last one.
    pub last_epoch: u64,
    /// What everybody was paid in them.
    pub was_microtokens: u64,
    /// What everybody would have been paid.
    pub would_be_microtokens: u64,
    /// Those with the largest difference.
    pub payees: Vec<RehearsedPay>,
    /// How many there are.
    pub payees_total: u64,
}

/// What one account would have been paid.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RehearsedPay {
    /// The account.
    pub account: String,
    /// What it was paid.
    pub was_microtokens: u64,
    /// What it would have been paid.
    pub would_be_microtokens: u64,
}

/// Who signs the checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validators {
    /// Figures of the network.
    pub network: Network,
    /// How many have to sign.
    pub quorum: u64,
    /// All of them.
    pub validators: Vec<Validator>,
    /// Entries that the newest checkpoint covers.
    pub checkpoint_size: u64,
}

/// One that signs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validator {
    /// Its name.
    pub name: String,
    /// Its key in signed-note form.
    pub vkey: String,
    /// Whether the newest checkpoint bears its signature, and it holds.
    pub has_signed: bool,
}
