//! An owner's home: what there is, what is on its way, how the devices do, and what each day brought.

use askama::Template;

use super::Shell;
use super::parts::{DeviceTable, Status};
use crate::bars::{Bars, DAY_MILLISECONDS, day_name};
use crate::limits::{MEAN_DAYS, MINE_DAYS, MINE_DEVICES_MAX};
use crate::marks::{Link, Until};
use crate::view::{Device, DeviceCounts, EarnedDay, Mine, Network, OwnAlert};
use crate::{moments, numbers, reasons, remedies};

/// The home of whoever is signed in.
#[derive(Debug, Template)]
#[template(path = "mine.html")]
pub struct MinePage {
    shell: Shell,
    account: String,
    available_microtokens: u64,
    pending_microtokens: u64,
    paid_out_microtokens: u64,
    earned_microtokens: u64,
    counts: DeviceCounts,
    devices: DeviceTable,
    alerts: Vec<OwnAlert>,
    alerts_total: u64,
    offers: Vec<Device>,
    days: Vec<EarnedDay>,
    bars: Option<Bars>,
    page: u64,
}

super::is_a_page!(MinePage);

/// The same address for somebody who is not signed in.
#[derive(Debug, Template)]
#[template(path = "mine_stranger.html")]
pub struct StrangerPage {
    shell: Shell,
}

super::is_a_page!(StrangerPage);

impl StrangerPage {
    /// The page at `path`.
    pub fn new(path: &str, network: Network) -> Self {
        Self { shell: Shell::new("Your devices", path, network, false) }
    }
}

/// Today, in days since 1 January 1970.
fn day_of(unix_milliseconds: u64) -> u32 {
    u32::try_from(unix_milliseconds / DAY_MILLISECONDS).unwrap_or(u32::MAX)
}

/// Every day up to today, those without a statement too.
fn filled(days: &[EarnedDay], today: u32) -> Vec<EarnedDay> {
    let of = |day: u32| days.iter().find(|earned| earned.day == day).copied();
    let first = (today + 1).saturating_sub(MINE_DAYS);
    (first..=today).map(|day| of(day).unwrap_or(EarnedDay { day, ..EarnedDay::default() })).collect()
}

/// What a day brought on average, of those before the last one, rounded down.
fn mean_before_today(days: &[EarnedDay]) -> u64 {
    let before = days.iter().rev().skip(1).take(MEAN_DAYS as usize);
    let sum: u128 = before.map(|day| u128::from(day.paid_microtokens)).sum();
    u64::try_from(sum / u128::from(MEAN_DAYS)).unwrap_or(u64::MAX)
}

impl MinePage {
    /// Page `page` (from 1) of the devices, and everything else.
    pub fn new(mine: Mine, page: u64) -> Self {
        let path = if page > 1 { format!("/mine?page={page}") } else { "/mine".to_owned() };
        let days = filled(&mine.days, day_of(mine.network.now_milliseconds));
        Self {
            devices: DeviceTable { network: mine.network.clone(), devices: mine.devices, owners: false },
            shell: Shell::new("Your devices", path, mine.network, true),
            account: mine.account,
            available_microtokens: mine.available_microtokens,
            pending_microtokens: mine.pending_microtokens,
            paid_out_microtokens: mine.paid_out_microtokens,
            earned_microtokens: mine.earned_microtokens,
            counts: mine.counts,
            alerts: mine.alerts,
            alerts_total: mine.alerts_total,
            offers: mine.offers,
            bars: Bars::draw(&days),
            days,
            page,
        }
    }

    fn pages(&self) -> u64 {
        self.counts.total().div_ceil(MINE_DEVICES_MAX as u64).max(1)
    }

    fn closes(&self) -> Until {
        let network = &self.shell.network;
        Until {
            now_milliseconds: network.now_milliseconds,
            then_milliseconds: network.epoch_ends_milliseconds,
        }
    }

    fn today_microtokens(&self) -> u64 {
        self.days.last().map_or(0, |today| today.paid_microtokens)
    }

    /// Today beside the days before it. It is not over, so how much of it has passed is said too.
    fn today_sentence(&self) -> String {
        let passed = self.shell.network.now_milliseconds % DAY_MILLISECONDS / 1_000;
        let passed = format!("{} of the day have passed, UTC", moments::duration(passed));
        let none =
            if self.today_microtokens() == 0 { "no epoch that ended today has paid yet; " } else { "" };
        match mean_before_today(&self.days) {
            0 => format!("{none}the {MEAN_DAYS} days before it brought nothing; {passed}"),
            mean => {
                format!(
                    "{none}the {MEAN_DAYS} days before it: {} a day on average; {passed}",
                    numbers::tokens(mean)
                )
            }
        }
    }

    fn available_zero(&self) -> &'static str {
        match (self.available_microtokens, self.earned_microtokens, self.paid_out_microtokens) {
            (0, 0, 0) => "nothing has been posted to your account yet",
            (0, _, _) => "everything it received was passed on",
            _ => "",
        }
    }

    fn pending_zero(&self) -> &'static str {
        match (self.pending_microtokens, self.counts.total()) {
            (0, 0) => "you own no device",
            (0, _) => "your devices have earned nothing in this epoch yet",
            _ => "",
        }
    }

    fn day_name(&self, day: &EarnedDay) -> String {
        day_name(day.day)
    }

    /// Newest first, as people look for them.
    fn newest_days(&self) -> impl Iterator<Item = &EarnedDay> {
        self.days.iter().rev()
    }

    fn days_sum_microtokens(&self) -> u64 {
        self.days.iter().fold(0, |sum, day| sum.saturating_add(day.paid_microtokens))
    }

    /// Why a day brought nothing; "" when it brought something.
    fn day_zero(&self, day: &EarnedDay) -> &'static str {
        match (day.paid_microtokens, day.statements) {
            (0, 0) => "no statement: nothing was accepted in an epoch that ended on this day",
            (0, _) => "its statements came to nothing: each says why",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn earned(day: u32, paid_microtokens: u64) -> EarnedDay {
        EarnedDay { day, paid_microtokens, records: 1, statements: 1 }
    }

    #[test]
    fn days_without_a_statement_are_days_too() {
        let days = filled(&[earned(101, 5), earned(130, 7)], 130);
        assert_eq!(days.len(), MINE_DAYS as usize);
        assert_eq!(days.first(), Some(&earned(101, 5)));
        assert_eq!(days.get(1), Some(&EarnedDay { day: 102, ..EarnedDay::default() }));
        assert_eq!(days.last(), Some(&earned(130, 7)));
        assert_eq!(filled(&[], 3).len(), 4, "there was no day before 1970");
    }

    #[test]
    fn the_mean_is_of_the_seven_days_before_today_and_rounded_down() {
        let days = filled(&[earned(122, 1_000), earned(123, 20), earned(129, 1), earned(130, 500)], 130);
        assert_eq!(mean_before_today(&days), 21 / 7, "neither today nor the eighth day before it counts");
        let days = filled(&[earned(129, 6)], 130);
        assert_eq!(mean_before_today(&days), 0);
    }
}
