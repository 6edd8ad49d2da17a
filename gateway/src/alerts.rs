//! What needs somebody's attention, from figures alone: a pure function, so that pages, metrics and tests agree. Each alert
//! says what it is about and what to do.

mod agreement;

use crate::limits::{
    ALERT_DISK_BYTES, ALERT_POOL_SECONDS, ALERT_REFUSED_MIN, ALERT_REFUSED_PERMILLE, ALERT_STUCK_SECONDS,
    ALERT_TREASURY_SECONDS,
};

pub use agreement::Agreement;

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Devices that were heard are heard no more.
    SilentDevices,
    /// Many envelopes are refused.
    RefusalSpike,
    /// No block is made though one is due.
    StuckHeight,
    /// A validator signed what contradicts itself.
    ValidatorMisbehaved,
    /// Validators are not heard of.
    ValidatorsMissing,
    /// The disk is full, or nearly.
    DiskNearlyFull,
    /// The index cannot follow, or could not be written.
    IndexBehind,
    /// The pool will soon pay nothing.
    PoolRunningOut,
    /// The treasury cannot fill the pool for long.
    TreasuryRunningOut,
}

impl Kind {
    /// All kinds, the most urgent first.
    pub const ALL: [Kind; 9] = [
        Kind::StuckHeight,
        Kind::DiskNearlyFull,
        Kind::ValidatorMisbehaved,
        Kind::ValidatorsMissing,
        Kind::RefusalSpike,
        Kind::IndexBehind,
        Kind::PoolRunningOut,
        Kind::TreasuryRunningOut,
        Kind::SilentDevices,
    ];

    /// The kind's word in metrics and rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::SilentDevices => "silent_devices",
            Kind::RefusalSpike => "refusal_spike",
            Kind::StuckHeight => "stuck_height",
            Kind::ValidatorMisbehaved => "validator_misbehaved",
            Kind::ValidatorsMissing => "validators_missing",
            Kind::DiskNearlyFull => "disk_nearly_full",
            Kind::IndexBehind => "index_behind",
            Kind::PoolRunningOut => "pool_running_out",
            Kind::TreasuryRunningOut => "treasury_running_out",
        }
    }
}

/// Something that needs looking at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub kind: Kind,
    /// What is the matter, in one sentence with its figures.
    pub cause: String,
    /// What to do about it, in one or two sentences.
    pub action: String,
}

/// What alerts are told from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Devices that are not revoked.
    pub devices: u64,
    /// Those of them that were heard and are not heard any more.
    pub silent: u64,
    /// After how long a device counts as silent, seconds.
    pub silent_after_seconds: u64,
    /// Accepted lately.
    pub accepted_lately: u64,
    /// Refused lately.
    pub refused_lately: u64,
    /// The reason that refused most of them.
    pub refused_mostly: &'static str,
    /// How long lately is, seconds.
    pub lately_seconds: u64,
    /// Height of the last block.
    pub height: u64,
    /// Seconds since a block was due to close the epoch; 0 while none is.
    pub overdue_seconds: u64,
    /// Nothing is accepted for want of space.
    pub disk_full: bool,
    /// Free bytes.
    pub disk_free_bytes: u64,
    /// Bytes that are kept free.
    pub disk_reserve_bytes: u64,
    /// Entries that wait for the index.
    pub index_behind: u64,
    /// How many may.
    pub index_behind_max: u64,
    /// Writes to the index that failed since the start.
    pub index_errors: u64,
    /// What the pool holds.
    pub pool_microtokens: u64,
    /// For how long that lasts as it was paid out lately; `None` where nothing is paid out.
    pub pool_seconds: Option<u64>,
    /// For how long pool and treasury together last; `None` where nothing is paid out.
    pub treasury_seconds: Option<u64>,
    /// How several validators agree; `None` where one alone decides.
    pub agreement: Option<Agreement>,
}

/// What needs looking at, the most urgent first; nothing when all is well.
pub fn of(figures: &Figures) -> Vec<Alert> {
    let told = |kind| {
        let told = match kind {
            Kind::SilentDevices => silent_devices(figures),
            Kind::RefusalSpike => refusal_spike(figures),
            Kind::StuckHeight => stuck_height(figures),
            Kind::ValidatorMisbehaved => figures.agreement.as_ref().and_then(agreement::misbehaved),
            Kind::ValidatorsMissing => figures.agreement.as_ref().and_then(agreement::missing),
            Kind::DiskNearlyFull => disk_nearly_full(figures),
            Kind::IndexBehind => index_behind(figures),
            Kind::PoolRunningOut => pool_running_out(figures),
            Kind::TreasuryRunningOut => treasury_running_out(figures),
        };
        told.map(|(cause, action)| Alert { kind, cause, action: action.to_owned() })
    };
    Kind::ALL.into_iter().filter_map(told).collect()
}

/// What is the matter, and what to do.
type Told = Option<(String, &'static str)>;

fn silent_devices(figures: &Figures) -> Told {
    let Figures { silent, devices, silent_after_seconds, .. } = figures;
    (*silent > 0).then(|| {
        let cause = format!(
            "{silent} of {devices} devices sent nothing that was accepted for more than {silent_after_seconds} seconds."
        );
        (cause, "The fleet's page names them. Look at their power and network first; envelopes that are refused stand with their reason on the device's page.")
    })
}

fn refusal_spike(figures: &Figures) -> Told {
    let (refused, accepted) = (figures.refused_lately, figures.accepted_lately);
    let share = u128::from(refused) * 1_000 / u128::from(refused.saturating_add(accepted)).max(1);
    let spikes = refused >= ALERT_REFUSED_MIN && share >= u128::from(ALERT_REFUSED_PERMILLE);
    spikes.then(|| {
        let cause = format!(
            "{refused} envelopes were refused in the last {} seconds while {accepted} were accepted; most of them as {}.",
            figures.lately_seconds, figures.refused_mostly
        );
        (cause, "The page of refused envelopes shows the last ones of each reason: a single kid points to one device or somebody who poses as it, many kids to a clock, a key or a network that is wrong.")
    })
}

fn stuck_height(figures: &Figures) -> Told {
    // Several validators make blocks all the time, and know why none comes long before an epoch's end.
    if let Some(told) = figures.agreement.as_ref().and_then(agreement::stuck) {
        return Some(told);
    }
    (figures.overdue_seconds >= ALERT_STUCK_SECONDS).then(|| {
        let cause = format!(
            "No block follows {}: the epoch should have been closed {} seconds ago.",
            figures.height, figures.overdue_seconds
        );
        let action = if figures.disk_full {
            "The disk is full: make room, and the node goes on by itself."
        } else {
            "Read the node's log. If it says nothing, stop the node with SIGTERM and start it again: what was acknowledged is on the disk."
        };
        (cause, action)
    })
}

fn disk_nearly_full(figures: &Figures) -> Told {
    let Figures { disk_free_bytes: free, disk_reserve_bytes: reserve, .. } = figures;
    if figures.disk_full {
        let cause =
            format!("The disk is full: {free} bytes are free, {reserve} stay free. Nothing is accepted.");
        return Some((
            cause,
            "Make room where the data directory lies; the node looks four times a second and goes on by itself. Nothing that was acknowledged is lost.",
        ));
    }
    (*free < reserve.saturating_add(ALERT_DISK_BYTES)).then(|| {
        let cause = format!("{free} bytes are free; at {reserve} the node stops accepting.");
        (cause, "Make room, move the data directory to a larger disk, or erase old readings with `lamppost prune`.")
    })
}

fn index_behind(figures: &Figures) -> Told {
    if figures.index_errors > 0 {
        let cause = format!("{} writes to the index failed since the start.", figures.index_errors);
        return Some((
            cause,
            "Queries may miss something until the next start, which makes the index anew from the log. Look at the disk before that.",
        ));
    }
    (figures.index_behind.saturating_mul(2) > figures.index_behind_max).then(|| {
        let cause = format!(
            "{} entries wait for the index; at {} the node waits for it too.",
            figures.index_behind, figures.index_behind_max
        );
        (cause, "Devices send faster than this machine keeps up with: give it a faster disk or more cores, or let devices send less often.")
    })
}

fn pool_running_out(figures: &Figures) -> Told {
    let action =
        "Pay the pool from the treasury with `lamppost send transfer`, or set a tariff that pays less.";
    if figures.pool_microtokens == 0 {
        return Some(("The reward pool is empty: statements are paid nothing.".to_owned(), action));
    }
    let seconds = figures.pool_seconds.filter(|seconds| *seconds < ALERT_POOL_SECONDS)?;
    Some((format!("At what was paid lately the reward pool is empty in {}.", span(seconds)), action))
}

fn treasury_running_out(figures: &Figures) -> Told {
    let seconds = figures.treasury_seconds.filter(|seconds| *seconds < ALERT_TREASURY_SECONDS)?;
    let cause =
        format!("At what was paid lately the pool and the treasury together last for {}.", span(seconds));
    Some((
        cause,
        "Issue tokens with `lamppost send issue`, signed by the treasury's key, or set a tariff that pays less.",
    ))
}

/// A span in whole days or hours.
fn span(seconds: u64) -> String {
    match seconds / 86_400 {
        0 => format!("{} hours", seconds / 3_600),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests;
