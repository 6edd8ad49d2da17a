//! What the city's owners are shown of their own.

use dashboard::view::*;

use super::City;

const DAY_MILLISECONDS: u64 = 86_400_000;

impl City {
    pub(super) fn mine_of(&self, asked: &MineAsked) -> Mine {
        let account = self.account_of(&asked.account, usize::MAX, 0, usize::MAX).unwrap_or_default();
        let exact = |device: Device| Device { position_exact: true, ..device };
        let all: Vec<Device> = account.devices.into_iter().map(exact).collect();
        let alerts: Vec<OwnAlert> = all.iter().filter_map(alert).collect();
        let count = |status| all.iter().filter(|device| device.status == status).count() as u64;
        let is_offered = |device: &Device| device.offered_to.as_ref() == Some(&asked.account);
        let everybody = self.residents.iter().map(|resident| self.device_of(resident));
        Mine {
            network: self.figures(),
            account: asked.account.clone(),
            available_microtokens: account.posted_microtokens,
            pending_microtokens: account.pending_microtokens,
            paid_out_microtokens: 0,
            earned_microtokens: account.posted_microtokens,
            counts: DeviceCounts {
                new: count(DeviceStatus::New),
                online: count(DeviceStatus::Online),
                silent: count(DeviceStatus::Silent),
                revoked: count(DeviceStatus::Revoked),
            },
            alerts_total: alerts.len() as u64,
            alerts: alerts.into_iter().take(asked.alerts_max).collect(),
            offers: everybody.filter(is_offered).take(asked.offers_max).collect(),
            days: days(&account.statements),
            devices: all
                .into_iter()
                .skip(usize::try_from(asked.devices_offset).unwrap_or(usize::MAX))
                .take(asked.devices_max)
                .collect(),
        }
    }

    pub(super) fn payouts_of(&self, id: &str, after: Option<PayoutsAfter>, limit: usize) -> Payouts {
        let account = self.account_of(id, 0, usize::MAX, 0).unwrap_or_default();
        let begins = after.map_or(0, |after| {
            let newer = account.transfers.iter().filter(|transfer| transfer.height > after.height).count();
            newer + usize::try_from(after.shown).unwrap_or(0)
        });
        let transfers: Vec<Transfer> = account.transfers.iter().skip(begins).take(limit).cloned().collect();
        let last = transfers.last().map_or(0, |last| last.height);
        let end = begins + transfers.len();
        let shown = account.transfers.iter().take(end).filter(|transfer| transfer.height == last).count();
        Payouts {
            network: self.figures(),
            account: id.to_owned(),
            available_microtokens: account.posted_microtokens,
            transfers_total: account.transfers_total,
            older: (end < account.transfers.len())
                .then_some(PayoutsAfter { height: last, shown: shown as u64 }),
            transfers,
        }
    }
}

fn alert(device: &Device) -> Option<OwnAlert> {
    let kind = match device.status {
        DeviceStatus::Silent => OwnAlertKind::Silent,
        DeviceStatus::Revoked => return None,
        _ if device.refused.0[6] > 0 => OwnAlertKind::Refused { envelopes: 31, reason: 6 },
        _ => return None,
    };
    Some(OwnAlert { device: device.clone(), kind })
}

fn days(statements: &[Statement]) -> Vec<EarnedDay> {
    let mut days: Vec<EarnedDay> = Vec::new();
    for statement in statements.iter().rev() {
        let day = u32::try_from(statement.ends_milliseconds / DAY_MILLISECONDS).unwrap_or(u32::MAX);
        if days.last().is_none_or(|last| last.day != day) {
            days.push(EarnedDay { day, ..EarnedDay::default() });
        }
        if let Some(sum) = days.last_mut() {
            sum.paid_microtokens += statement.paid_microtokens;
            sum.records += statement.lines.iter().map(|line| line.accepted_records).sum::<u64>();
            sum.statements += 1;
        }
    }
    days
}
