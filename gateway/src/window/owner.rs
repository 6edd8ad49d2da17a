//! What an owner is shown of their own: balance, days, devices that need attention, transfers page by page.

use dashboard::view::{
    EarnedDay, Mine, MineAsked, OwnAlert, OwnAlertKind, Payouts, PayoutsAfter, SignedIn, ViewError, Viewer,
};
use devices::{DeviceId, Refusal};
use ledger::account::{Account, AccountId};
use ledger::transfer::TransferRecord;

use super::statements::Seals;
use super::{Window, failed, shapes};
use crate::clock;
use crate::figures::{Day, day_of};
use crate::limits::{REFUSED_ALERT_ENVELOPES_MIN, REFUSED_ALERT_ONE_IN};
use crate::reads::{self, DeviceFigures, DeviceStatus};
use crate::running::Look;
use crate::shared::{ReadError, Shared};

/// An owner's devices at one moment, as far as they are shown.
struct Own {
    counts: [u64; 4],
    shown: Vec<DeviceFigures>,
    alerts: Vec<(DeviceFigures, OwnAlertKind)>,
    alerts_total: u64,
    offers: Vec<DeviceFigures>,
}

impl Own {
    fn look(shared: &Shared, look: &Look<'_>, now: u64, account: AccountId, asked: &MineAsked) -> Own {
        let figures = |kid: DeviceId| reads::device_figures(shared, look, now, kid);
        let skipped = usize::try_from(asked.devices_offset).unwrap_or(usize::MAX);
        let kids = look.state.devices_of(account);
        let mut own = Own {
            counts: [0; 4],
            shown: kids.skip(skipped).take(asked.devices_max).filter_map(figures).collect(),
            alerts: Vec::new(),
            alerts_total: 0,
            offers: Vec::new(),
        };
        let heard_since = shared.heard_since(now);
        for kid in look.state.devices_of(account) {
            let Some(device) = look.state.device(kid) else { continue };
            let status = DeviceStatus::of(device, heard_since);
            own.counts[status.index()] += 1;
            for kind in attention(status, device.accepted_envelopes, &shared.refused_of(kid)) {
                own.alerts_total += 1;
                if own.alerts.len() < asked.alerts_max {
                    own.alerts.extend(figures(kid).map(|figures| (figures, kind)));
                }
            }
        }
        let offered = look.state.devices().filter(|(_, device)| device.offered_to() == Some(account));
        own.offers = offered.take(asked.offers_max).filter_map(|(kid, _)| figures(kid)).collect();
        own
    }
}

/// What is wrong with a device, if anything. One that is out of service is nobody's worry.
fn attention(status: DeviceStatus, accepted_envelopes: u64, refused: &[u64; 8]) -> Vec<OwnAlertKind> {
    let mut found = Vec::new();
    if status == DeviceStatus::Silent {
        found.push(OwnAlertKind::Silent);
    }
    // Delivery is at least once, so that an envelope comes twice is as it should be.
    let counted = refused.iter().enumerate().filter(|(reason, _)| *reason != Refusal::Replayed.index());
    let (most, envelopes) = counted.fold((None, 0_u64), |(most, sum), (reason, count)| {
        let more = most.is_none_or(|(_, highest)| *count > highest);
        (if more { Some((reason, *count)) } else { most }, sum.saturating_add(*count))
    });
    let sent = accepted_envelopes.saturating_add(envelopes);
    let is_much = envelopes >= REFUSED_ALERT_ENVELOPES_MIN && envelopes > sent / REFUSED_ALERT_ONE_IN;
    if let (Some((reason, _)), true) = (most, is_much && status != DeviceStatus::Revoked) {
        found.push(OwnAlertKind::Refused { envelopes, reason });
    }
    found
}

impl Window {
    /// An owner's home.
    pub(super) fn home_of_owner(&self, asked: &MineAsked) -> Result<Mine, ViewError> {
        let account = account(&asked.account)?;
        let now = clock::now_unix_milliseconds();
        let (network, own, holding, pending_microtokens) = {
            let look = self.shared.look_at_length();
            let own = Own::look(&self.shared, &look, now, account, asked);
            let holding = look.state.account(account).cloned().unwrap_or_default();
            let pending_microtokens = look.preview.pending_microtokens(account);
            (self.network_of(&look, now), own, holding, pending_microtokens)
        };
        let viewer = Viewer::Owner(SignedIn { account: asked.account.clone(), ..SignedIn::default() });
        let row = |figures: &DeviceFigures| {
            Ok::<_, ViewError>(shapes::placed_for(&viewer, figures, self.device_row(figures, false)?))
        };
        let alert = |(figures, kind): &(DeviceFigures, OwnAlertKind)| {
            Ok::<_, ViewError>(OwnAlert { device: row(figures)?, kind: *kind })
        };
        let after_today = day_of(now).saturating_add(1);
        let days = after_today.saturating_sub(asked.days)..after_today;
        let earned = self.shared.index.days_of_account(&account, days).map_err(failed)?;
        Ok(Mine {
            network,
            account: account.to_string(),
            available_microtokens: holding.balance(),
            pending_microtokens,
            paid_out_microtokens: narrow(holding.debits_posted),
            earned_microtokens: narrow(holding.rewards_microtokens),
            counts: shapes::counts(own.counts),
            devices: own.shown.iter().map(row).collect::<Result<_, _>>()?,
            alerts: own.alerts.iter().map(alert).collect::<Result<_, _>>()?,
            alerts_total: own.alerts_total,
            offers: own.offers.iter().map(row).collect::<Result<_, _>>()?,
            days: earned.iter().map(earned_day).collect(),
        })
    }

    /// A page of an account's transfers.
    pub(super) fn payouts_of_owner(
        &self,
        named: &str,
        after: Option<PayoutsAfter>,
        limit: usize,
    ) -> Result<Payouts, ViewError> {
        let id = account(named)?;
        let now = clock::now_unix_milliseconds();
        let (network, holding) = {
            let look = self.shared.look_at_length();
            let holding: Account = look.state.account(id).cloned().unwrap_or_default();
            (self.network_of(&look, now), holding)
        };
        let mut found = self.transfers_after(id, after, limit.saturating_add(1)).map_err(failed)?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        Ok(Payouts {
            network,
            account: id.to_string(),
            available_microtokens: holding.balance(),
            transfers_total: self.shared.index.transfer_count(id).map_err(failed)?,
            older: has_more.then(|| shown_up_to(&found, after)),
            transfers: Seals::new(&self.shared).transfers(found.iter()).map_err(failed)?,
        })
    }

    /// At most `most` transfers after those that were shown, newest first.
    fn transfers_after(
        &self,
        account: AccountId,
        after: Option<PayoutsAfter>,
        most: usize,
    ) -> Result<Vec<TransferRecord>, ReadError> {
        let mut found = Vec::new();
        if let Some(PayoutsAfter { height, shown }) = after {
            let of_block = self.shared.index.transfers_at(account, height)?;
            let shown = usize::try_from(shown).unwrap_or(usize::MAX);
            found.extend(of_block.into_iter().rev().skip(shown).take(most));
        }
        if found.len() < most {
            let before = 0..after.map_or(u64::MAX, |after| after.height);
            found.extend(self.shared.index.transfers(account, before, most - found.len())?);
        }
        Ok(found)
    }
}

/// Where the next page begins when these, not none, follow what was shown before.
fn shown_up_to(found: &[TransferRecord], before: Option<PayoutsAfter>) -> PayoutsAfter {
    let height = found.last().map_or(0, |last| last.height);
    let here = found.iter().filter(|record| record.height == height).count() as u64;
    let earlier = before.filter(|before| before.height == height).map_or(0, |before| before.shown);
    PayoutsAfter { height, shown: here.saturating_add(earlier) }
}

/// The account of a session.
fn account(text: &str) -> Result<AccountId, ViewError> {
    text.parse().map_err(|_| ViewError("This session is of no account: sign in again.".to_owned()))
}

/// A sum that passed many times may be wider than an amount.
fn narrow(sum: u128) -> u64 {
    u64::try_from(sum).unwrap_or(u64::MAX)
}

/// A day as the page takes it.
fn earned_day(day: &Day) -> EarnedDay {
    EarnedDay {
        day: day.day,
        paid_microtokens: day.paid_microtokens,
        records: day.records,
        statements: day.statements,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_device_and_one_that_is_refused_much_need_attention() {
        let none = [0; 8];
        assert_eq!(attention(DeviceStatus::Silent, 5, &none), [OwnAlertKind::Silent]);
        assert!(attention(DeviceStatus::Online, 5, &none).is_empty());
        let mut refused = none;
        refused[Refusal::InFuture.index()] = 9;
        assert!(attention(DeviceStatus::Online, 0, &refused).is_empty(), "nine may be anybody's bad day");
        refused[Refusal::TooOld.index()] = 2;
        let kind = OwnAlertKind::Refused { envelopes: 11, reason: Refusal::InFuture.index() };
        assert_eq!(attention(DeviceStatus::Silent, 20, &refused), [OwnAlertKind::Silent, kind]);
        assert!(attention(DeviceStatus::Online, 1_000, &refused).is_empty(), "eleven of a thousand are few");
        assert!(attention(DeviceStatus::Revoked, 20, &refused).is_empty());
    }

    #[test]
    fn what_comes_twice_alarms_nobody() {
        let mut refused = [0; 8];
        refused[Refusal::Replayed.index()] = 1_000;
        assert!(attention(DeviceStatus::Online, 10, &refused).is_empty());
    }

    #[test]
    fn a_page_of_transfers_ends_within_a_block_and_the_next_one_goes_on_there() {
        let record = |height: u64| TransferRecord {
            transfer: ledger::transfer::Transfer {
                debit: AccountId::pool("devnet"),
                credit: AccountId::supply("devnet"),
                amount_microtokens: 1,
                reason: ledger::transfer::TransferReason::Issue,
            },
            height,
            time_unix_milliseconds: 0,
            entry_index: 0,
        };
        let page = [record(9), record(9), record(7)];
        assert_eq!(shown_up_to(&page, None), PayoutsAfter { height: 7, shown: 1 });
        let rest = [record(7), record(7)];
        let before = Some(PayoutsAfter { height: 7, shown: 1 });
        assert_eq!(shown_up_to(&rest, before), PayoutsAfter { height: 7, shown: 3 });
    }
}
