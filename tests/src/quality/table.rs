//! How many faults are caught and how many honest device-days are wrongly cut: the trials, counted.

use super::fault::{FAULTS, Family, Fault, Honest};
use super::series::{Day, Sensor};
use super::trial::{Envelope, Pay, Trial, pay, tariff};
use crate::chance::Chance;
use std::fmt;

/// Readings that a device-day needs to be part of a trial.
const READINGS_MIN: usize = 100;
/// A day counts as wrongly cut when judgement leaves less than this of a thousand.
const HONEST_PERMILLE_MIN: u64 = 900;

/// Some of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many of them.
    pub hits: u32,
    /// Out of how many.
    pub of: u32,
}

impl Share {
    fn count(&mut self, hit: bool) {
        self.hits += u32::from(hit);
        self.of += 1;
    }

    /// The share in thousandths, rounded down; 0 of nothing.
    #[must_use]
    pub fn permille(self) -> u32 {
        (self.hits * 1_000).checked_div(self.of).unwrap_or(0)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let permille = self.permille();
        write!(out, "{}.{} % ({} of {})", permille / 10, permille % 10, self.hits, self.of)
    }
}

/// What the trials came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Caught, by fault in the order of [`FAULTS`].
    pub caught: Vec<Share>,
    /// Honest device-days, quantity by quantity, that were cut.
    pub wrongly_cut: Share,
    /// The same of the sensors that are known not to follow the others.
    pub doubtful_cut: Share,
    /// Honest device-days whose pay fell because another device was faulty.
    pub bystanders_cut: Share,
    /// Why honest device-days were cut: sensor, day, quantity and the factors below a thousand.
    pub reasons: Vec<String>,
}

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The city.
    pub sensors: &'a [Sensor],
    /// When its first day begins.
    pub first_day_unix_seconds: u64,
    /// Numbers of sensors that are known not to follow the others.
    pub doubtful: &'a [u32],
    /// Devices with a fault on the same day, at most.
    pub faulty_at_once: usize,
    /// How often each day is tried with each fault, on other devices each time.
    pub rounds: usize,
    /// Each fault is tried on every day, on every second, …; honest days are all judged.
    pub days_apart: usize,
    /// What the draws follow from.
    pub seed: u64,
}

impl Plan<'_> {
    /// Tries every fault.
    #[must_use]
    pub fn run(&self) -> Table {
        let mut table = Table { caught: vec![Share::default(); FAULTS.len()], ..Table::default() };
        let mut trial = Trial::of(self.sensors, self.first_day_unix_seconds, tariff());
        for number in 0..self.sensors.first().map_or(0, |sensor| sensor.days.len()) {
            let honest: Vec<Vec<Envelope>> = self
                .sensors
                .iter()
                .map(|sensor| trial.envelopes(sensor.number, number, &sensor.days[number], 0))
                .collect();
            let before = trial.clone();
            let statements = trial.run(number, &honest.iter().flatten().collect::<Vec<_>>());
            let pays: Vec<[Option<Pay>; 2]> = self
                .sensors
                .iter()
                .map(|sensor| [0, 1].map(|quantity| pay(&statements, sensor.number, quantity)))
                .collect();
            self.judge_honest(number, &pays, &mut table);
            let due = |place: &usize| (place + number).is_multiple_of(self.days_apart);
            for (place, fault) in FAULTS.iter().enumerate().filter(|(place, _)| due(place)) {
                for round in 0..self.rounds {
                    let mut day =
                        TrialDay { plan: self, number, honest: &honest, pays: &pays, table: &mut table };
                    day.try_fault(before.clone(), place, fault, round);
                }
            }
        }
        table
    }

    fn judge_honest(&self, number: usize, pays: &[[Option<Pay>; 2]], table: &mut Table) {
        for (sensor, pays) in self.sensors.iter().zip(pays) {
            for (quantity, pay) in pays.iter().enumerate() {
                let Some(pay) = pay.as_ref().filter(|_| sensor.days[number].len() >= READINGS_MIN) else {
                    continue;
                };
                let cut = pay.judged_permille() < HONEST_PERMILLE_MIN;
                let doubtful = self.doubtful.contains(&sensor.number);
                let share = if doubtful { &mut table.doubtful_cut } else { &mut table.wrongly_cut };
                share.count(cut);
                if cut {
                    let why: Vec<String> = pay
                        .factors
                        .iter()
                        .filter_map(|f| f.cut.map(|cut| format!("{} {cut}", f.name)))
                        .collect();
                    let quantity = super::series::QUANTITIES[quantity];
                    table.reasons.push(format!(
                        "sensor {} day {number} pm{quantity}: {}",
                        sensor.number,
                        why.join("; ")
                    ));
                }
            }
        }
    }

    /// The devices that are faulty in one trial: each a number of places from the one before, never the same twice.
    fn targets(&self, number: usize, place: usize, round: usize) -> Vec<usize> {
        let fits = |sensor: &Sensor| {
            sensor.days[number].len() >= READINGS_MIN && !self.doubtful.contains(&sensor.number)
        };
        let mut able: Vec<usize> = (0..self.sensors.len()).filter(|at| fits(&self.sensors[*at])).collect();
        let mut chance = Chance::of(self.seed, &[1, number as u64, place as u64]);
        for at in (1..able.len()).rev() {
            able.swap(at, chance.between(0, at as i64) as usize);
        }
        able.into_iter().skip(round * self.faulty_at_once).take(self.faulty_at_once).collect()
    }
}

/// A day on which faults are tried.
struct TrialDay<'a> {
    plan: &'a Plan<'a>,
    number: usize,
    honest: &'a [Vec<Envelope>],
    pays: &'a [[Option<Pay>; 2]],
    table: &'a mut Table,
}

impl TrialDay<'_> {
    fn try_fault(&mut self, mut trial: Trial, place: usize, fault: &Fault, round: usize) {
        let mut wrong = Vec::new();
        let targets = self.plan.targets(self.number, place, round);
        for &target in &targets {
            let mut chance =
                Chance::of(self.plan.seed, &[2, self.number as u64, place as u64, target as u64]);
            let day = fault.make(&self.ingredients(target, &targets), &mut chance);
            if day.len() >= READINGS_MIN {
                let number = self.plan.sensors[target].number;
                let envelopes = trial.envelopes(number, self.number, &day, fault.delay_seconds);
                wrong.push((target, day, envelopes));
            }
        }
        let of_device = |at: usize| {
            let faulty = wrong.iter().find(|(target, ..)| *target == at);
            faulty.map_or(&self.honest[at], |(_, _, envelopes)| envelopes)
        };
        let envelopes: Vec<&Envelope> = (0..self.honest.len()).flat_map(of_device).collect();
        let statements = trial.run(self.number, &envelopes);
        for (at, sensor) in self.plan.sensors.iter().enumerate() {
            let faulty = wrong.iter().find(|(target, ..)| *target == at);
            for quantity in [0, 1] {
                let Some(honest) = &self.pays[at][quantity] else { continue };
                let pay = pay(&statements, sensor.number, quantity);
                let amount = pay.as_ref().map_or(0, |pay| pay.amount_microtokens);
                match faulty {
                    Some((_, day, _)) => {
                        // A day that is not paid for as it is shows nothing.
                        if honest.judged_permille() < HONEST_PERMILLE_MIN {
                            continue;
                        }
                        let injected = injected(&sensor.days[self.number], day, quantity);
                        self.table.caught[place].count(is_caught(
                            honest.amount_microtokens,
                            amount,
                            injected,
                        ));
                    }
                    None => {
                        let fell = honest.amount_microtokens.saturating_sub(amount);
                        self.table.bystanders_cut.count(fell * 10 > honest.amount_microtokens);
                    }
                }
            }
        }
    }

    /// What a device's wrong day is made of; the other device is the next honest one that has the day.
    fn ingredients(&self, target: usize, targets: &[usize]) -> Honest<'_> {
        let sensors = self.plan.sensors;
        let after = (1..sensors.len()).map(|step| (target + step) % sensors.len());
        let measured =
            |at: &usize| sensors[*at].days[self.number].len() >= READINGS_MIN && !targets.contains(at);
        let mut after = after;
        let other = after.find(measured).unwrap_or(target);
        static NOTHING: Day = Day::new();
        let before = |at: usize| self.number.checked_sub(1).map_or(&NOTHING, |day| &sensors[at].days[day]);
        Honest {
            day: &sensors[target].days[self.number],
            day_before: before(target),
            other: &sensors[other].days[self.number],
            other_before: before(other),
        }
    }
}

/// How many of a day's values of a quantity were put there, and out of how many.
fn injected(honest: &Day, wrong: &Day, quantity: usize) -> Share {
    let mut share = Share::default();
    for reading in wrong.iter().filter(|reading| reading.hundredths[quantity].is_some()) {
        let at = honest.partition_point(|known| known.second < reading.second);
        let same = honest.get(at).is_some_and(|known| {
            known.second == reading.second && known.hundredths[quantity] == reading.hundredths[quantity]
        });
        share.count(!same);
    }
    share
}

/// A fault is caught when its day is paid at most half of the honest one, or loses at least three quarters of what the
/// injected records would have brought.
fn is_caught(honest_microtokens: u64, wrong_microtokens: u64, injected: Share) -> bool {
    let lost = u128::from(honest_microtokens.saturating_sub(wrong_microtokens));
    let (honest, hits, of) =
        (u128::from(honest_microtokens), u128::from(injected.hits), u128::from(injected.of));
    lost * 2 >= honest || lost * of * 4 >= honest * hits * 3
}

impl Table {
    /// Caught of the faults of one family.
    #[must_use]
    pub fn family(&self, family: Family) -> Share {
        let of_family = FAULTS.iter().zip(&self.caught).filter(|(fault, _)| fault.family == family);
        of_family.fold(Share::default(), |sum, (_, share)| Share {
            hits: sum.hits + share.hits,
            of: sum.of + share.of,
        })
    }

    /// Caught of all faults that are not disguised, each family weighing the same, in thousandths.
    #[must_use]
    pub fn caught_permille(&self) -> u32 {
        let families = [Family::Stuck, Family::Drifting, Family::Spiking, Family::Copied, Family::Fabricated];
        let sum: u32 = families.iter().map(|family| self.family(*family).permille()).sum();
        sum / families.len() as u32
    }
}

impl fmt::Display for Table {
    /// Markdown, as it stands in the documentation.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("| family | fault | caught |\n|---|---|---|\n")?;
        for (fault, share) in FAULTS.iter().zip(&self.caught) {
            writeln!(out, "| {} | {} | {share} |", fault.family.as_str(), fault.name)?;
        }
        let permille = self.caught_permille();
        writeln!(
            out,
            "\nCaught, each family but the disguised weighing the same: {}.{} %",
            permille / 10,
            permille % 10
        )?;
        writeln!(out, "Honest device-days wrongly cut: {}", self.wrongly_cut)?;
        writeln!(out, "Device-days of doubtful sensors cut: {}", self.doubtful_cut)?;
        writeln!(out, "Honest device-days cut for another's fault: {}", self.bystanders_cut)?;
        self.reasons.iter().try_for_each(|reason| writeln!(out, "- {reason}"))
    }
}
