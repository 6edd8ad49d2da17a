//! A device as lists and its own page show it, with what it measured.

use super::{Count, Network, Refused, Statement};

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
    /// Who owned it before, oldest first, as far back as readings of their time may still arrive.
    pub former_owners: Vec<FormerOwner>,
    /// The account that may accept it.
    pub offered_to: Option<String>,
    /// The device whose place it took, with a new key.
    pub replaces: Option<String>,
    /// The device that took its place, with a new key.
    pub replaced_by: Option<String>,
    /// Where it stands, as well as the viewer may know it.
    pub position: Option<Position>,
    /// Whether `position` is the very place; otherwise it is the middle of `cell`.
    pub position_exact: bool,
    /// The H3 cell whose devices share a budget; `None` where the position is not known.
    pub cell: Option<String>,
    /// How it does.
    pub status: DeviceStatus,
    /// The version of its firmware that it named last.
    pub firmware: Option<String>,
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

/// Somebody who owned a device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FormerOwner {
    /// The account.
    pub owner: String,
    /// When the next one accepted it.
    pub until_milliseconds: u64,
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
    /// The running epoch's statements as they stand (`seal` is `None`), one for each owner; none while nothing was
    /// accepted in it.
    pub running: Vec<Statement>,
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
    /// When, as the device says, also where it says it relative to its arrival; `None` where it says nothing (then the
    /// block's time is shown).
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
