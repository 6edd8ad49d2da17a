//! How the node stands just now: the figures that its operator looks at, gathered once, so that the operator's page, the
//! metrics and the alerts never differ.

use std::collections::BTreeSet;

use devices::Refusal;
use ledger::state::State;

use crate::alerts::{self, Agreement, Alert, Kind};
use crate::clock;
use crate::consensus::status::Status;
use crate::figures::{self, Day};
use crate::limits::{INDEX_QUEUE_ENTRIES_MAX, PAYOUT_DAYS};
use crate::pulse::Recent;
use crate::reads::{self, DeviceStatus};
use crate::room::Space;
use crate::shared::{Durable, ReadError, Shared};
use crate::telemetry::{Queue, Telemetry};

/// A queue as full as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// Which.
    pub queue: Queue,
    /// Items in it.
    pub depth: u64,
    /// Items that it holds at most.
    pub bound: u64,
}

/// What was paid out lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Payouts {
    /// By all statements, micro-tokens.
    pub paid_microtokens: u64,
    /// Over how many seconds: `PAYOUT_DAYS` and what today has of one, or since genesis.
    pub over_seconds: u64,
}

impl Payouts {
    fn of(days: &[Day], over_seconds: u64) -> Payouts {
        let paid = days.iter().map(|day| day.paid_microtokens);
        Payouts { paid_microtokens: paid.fold(0, u64::saturating_add), over_seconds }
    }

    /// For how many seconds an amount lasts at that pace; `None` where nothing is paid out.
    pub fn runway_seconds(&self, amount_microtokens: u64) -> Option<u64> {
        let product = u128::from(amount_microtokens) * u128::from(self.over_seconds);
        let seconds = product.checked_div(u128::from(self.paid_microtokens))?;
        Some(u64::try_from(seconds).unwrap_or(u64::MAX))
    }

    /// What a day costs at that pace, micro-tokens; `None` where nothing is paid out.
    pub fn a_day_microtokens(&self) -> Option<u64> {
        let product = u128::from(self.paid_microtokens) * 86_400;
        let day = product.checked_div(u128::from(self.over_seconds)).filter(|day| *day > 0)?;
        Some(u64::try_from(day).unwrap_or(u64::MAX))
    }
}

/// The node at one moment.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The last durable block.
    pub durable: Durable,
    /// Enrolled devices by `DeviceStatus::index`.
    pub devices: [u64; 4],
    /// What the reward pool holds, micro-tokens.
    pub pool_microtokens: u64,
    /// What happened lately.
    pub recent: Recent,
    /// Every queue against its bound, in the order in which an envelope passes them.
    pub queues: [Filled; 5],
    /// Disk space.
    pub space: Space,
    /// What the treasury holds, micro-tokens.
    pub treasury_microtokens: u64,
    /// What was paid out lately.
    pub payouts: Payouts,
    /// How several validators agree, and what alerts are told from that; `None` where one alone decides.
    pub agreement: Option<(Status, Agreement)>,
    /// What needs looking at.
    pub alerts: Vec<Alert>,
}

/// How the node stands at `now` (Unix milliseconds). It looks through all devices, so not with the node's own state held;
/// and not at what the running epoch comes to, which takes as long as a settlement.
///
/// # Errors
/// When the index cannot be read.
pub fn of(shared: &Shared, state: &State, now_unix_milliseconds: u64) -> Result<Standing, ReadError> {
    let telemetry = &shared.telemetry;
    let recent = shared.pulse.recent(clock::monotonic(), &telemetry.counts());
    let filled = |queue| {
        let (depth, bound) = telemetry.queue(queue);
        Filled { queue, depth, bound }
    };
    let payouts = payouts(shared, now_unix_milliseconds)?;
    let mut standing = Standing {
        durable: shared.durable(),
        devices: shared.devices_by_status(state, now_unix_milliseconds),
        pool_microtokens: state.balance_microtokens(state.pool()),
        recent,
        queues: Queue::ALL.map(filled),
        space: shared.space(),
        treasury_microtokens: state.balance_microtokens(state.treasury()),
        payouts,
        agreement: agreement(shared, state, now_unix_milliseconds),
        alerts: Vec::new(),
    };
    let due = state.next_settlement_unix_milliseconds();
    let overdue_seconds = now_unix_milliseconds.saturating_sub(due) / 1_000;
    standing.alerts = alerts::of(&standing.told(overdue_seconds, shared));
    Ok(standing)
}

/// How several validators agree at `now`, Unix milliseconds.
fn agreement(shared: &Shared, state: &State, now: u64) -> Option<(Status, Agreement)> {
    let status = shared.consensus.status()?;
    let shown: BTreeSet<String> =
        state.misbehaviours().iter().map(|shown| reads::validator_name(state, &shown.validator)).collect();
    let quorum = state.validators().quorum() as u64;
    let told = Agreement::of(&status, quorum, shown.into_iter().collect(), now);
    Some((status, told))
}

fn payouts(shared: &Shared, now: u64) -> Result<Payouts, ReadError> {
    let today = figures::day_of(now);
    let first = today.saturating_sub(PAYOUT_DAYS);
    let begin = figures::begin_of(first).max(shared.genesis.time_unix_milliseconds);
    let days = shared.index.days_of_network(first..today.saturating_add(1))?;
    Ok(Payouts::of(&days, now.saturating_sub(begin) / 1_000))
}

impl Standing {
    fn told(&self, overdue_seconds: u64, shared: &Shared) -> alerts::Figures {
        let Standing { devices, recent, space, payouts, .. } = self;
        let silent = devices[DeviceStatus::Silent.index()];
        let revoked = devices[DeviceStatus::Revoked.index()];
        let mostly = Refusal::ALL.into_iter().max_by_key(|reason| recent.counts.refused[reason.index()]);
        alerts::Figures {
            devices: devices.iter().sum::<u64>().saturating_sub(revoked),
            silent,
            silent_after_seconds: shared.silent_after_seconds,
            accepted_lately: recent.counts.accepted_envelopes,
            refused_lately: recent.counts.refused_total(),
            refused_mostly: mostly.map_or("", Refusal::as_str),
            lately_seconds: recent.over.as_secs(),
            height: self.durable.height,
            overdue_seconds,
            disk_full: space.full,
            disk_free_bytes: space.free_bytes,
            disk_reserve_bytes: space.reserve_bytes,
            index_behind: shared.index.behind() as u64,
            index_behind_max: INDEX_QUEUE_ENTRIES_MAX as u64,
            index_errors: shared.telemetry.index_errors.get(),
            pool_microtokens: self.pool_microtokens,
            pool_seconds: payouts.runway_seconds(self.pool_microtokens),
            treasury_seconds: payouts.runway_seconds(self.both_microtokens()),
            agreement: self.agreement.as_ref().map(|(_, told)| told.clone()),
        }
    }

    /// What pool and treasury hold together, micro-tokens.
    pub fn both_microtokens(&self) -> u64 {
        self.pool_microtokens.saturating_add(self.treasury_microtokens)
    }

    /// States all of it in the metrics.
    pub fn show(&self, telemetry: &Telemetry) {
        let as_gauge = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
        telemetry.pool_microtokens.set(as_gauge(self.pool_microtokens));
        telemetry.treasury_microtokens.set(as_gauge(self.treasury_microtokens));
        telemetry.delays(&self.recent);
        for (status, devices) in ["new", "online", "silent", "revoked"].into_iter().zip(self.devices) {
            telemetry.devices_by_status(status, devices);
        }
        if let Some((status, told)) = &self.agreement {
            telemetry.agreement.show(status, told);
        }
        for kind in Kind::ALL {
            telemetry.alert(kind, self.alerts.iter().any(|alert| alert.kind == kind));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_lasts_as_long_as_it_is_paid_out() {
        let payouts = Payouts { paid_microtokens: 7_000, over_seconds: 7 * 86_400 };
        assert_eq!(payouts.a_day_microtokens(), Some(1_000));
        assert_eq!(payouts.runway_seconds(3_000), Some(3 * 86_400));
        assert_eq!(payouts.runway_seconds(u64::MAX), Some(u64::MAX));
        let nothing = Payouts { paid_microtokens: 0, over_seconds: 60 };
        assert_eq!((nothing.a_day_microtokens(), nothing.runway_seconds(1)), (None, None));
        assert_eq!(Payouts::default().a_day_microtokens(), None, "no time has passed");
    }
}
