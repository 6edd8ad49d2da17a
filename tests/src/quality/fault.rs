//! Faults and frauds, put into an honest day on purpose: what a sensor that breaks sends, and what a liar makes up.

use super::series::{DAY_SECONDS, Day, Reading, median};
use crate::chance::Chance;

/// What a family of faults has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// The same value again and again.
    Stuck,
    /// The level leaves the truth little by little.
    Drifting,
    /// Single values that cannot be.
    Spiking,
    /// What another device measured.
    Copied,
    /// What nobody measured.
    Fabricated,
    /// Copied or fabricated, and dressed up by one who knows the rule.
    Disguised,
}

impl Family {
    /// The family's word in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stuck => "stuck",
            Self::Drifting => "drifting",
            Self::Spiking => "spiking",
            Self::Copied => "copied",
            Self::Fabricated => "fabricated",
            Self::Disguised => "disguised",
        }
    }
}

/// One way to be wrong.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Its row in the table.
    pub name: &'static str,
    /// Where it belongs.
    pub family: Family,
    /// Makes the wrong day of the honest ones.
    make: fn(&Honest<'_>, &mut Chance) -> Day,
    /// Seconds that its envelopes come later than the device's own would.
    pub delay_seconds: u32,
}

/// What a fault is made of.
#[derive(Clone, Copy, Debug)]
pub struct Honest<'a> {
    /// The device's own day.
    pub day: &'a Day,
    /// Its day before.
    pub day_before: &'a Day,
    /// Another device's day.
    pub other: &'a Day,
    /// That device's day before.
    pub other_before: &'a Day,
}

impl Fault {
    /// The wrong day; empty where there is nothing to make it of.
    #[must_use]
    pub fn make(&self, honest: &Honest<'_>, chance: &mut Chance) -> Day {
        (self.make)(honest, chance)
    }
}

/// Every fault, family by family.
pub const FAULTS: [Fault; 24] = [
    fault("all day", Family::Stuck, |honest, _| stuck(honest.day, 0, DAY_SECONDS)),
    fault("from noon on", Family::Stuck, |honest, _| stuck(honest.day, DAY_SECONDS / 2, DAY_SECONDS)),
    fault("for six hours", Family::Stuck, |honest, _| stuck(honest.day, DAY_SECONDS / 4, DAY_SECONDS / 2)),
    fault("to four times the truth", Family::Drifting, |honest, _| {
        each(honest.day, |_, v, s| v + 3 * v * s / DAY)
    }),
    fault("by four medians", Family::Drifting, |honest, _| each(honest.day, |m, v, s| v + 4 * m * s / DAY)),
    fault("to a tenth of the truth", Family::Drifting, |honest, _| {
        each(honest.day, |_, v, s| v - 9 * v * s / DAY / 10)
    }),
    fault("five times the truth all day", Family::Drifting, |honest, _| each(honest.day, |_, v, _| 5 * v)),
    fault("single values, 50 to 500 too high", Family::Spiking, |honest, chance| spikes(honest.day, chance)),
    fault("fan failures, 999.9 and 1999.9", Family::Spiking, |honest, chance| {
        fan_failures(honest.day, chance, 30)
    }),
    fault("fan stands for three hours", Family::Spiking, |honest, _| fan_stands(honest.day)),
    Fault { delay_seconds: 60, ..fault("at once", Family::Copied, |honest, _| honest.other.clone()) },
    Fault {
        delay_seconds: 600,
        ..fault("ten minutes later", Family::Copied, |honest, _| shifted(honest.other, 600))
    },
    fault("a day later", Family::Copied, |honest, _| retimed(honest.other_before, honest.day)),
    Fault { delay_seconds: 1_800, ..fault("from noon on", Family::Copied, |honest, _| half(honest)) },
    fault("even noise", Family::Fabricated, |honest, chance| {
        of_nothing(honest.day, |m, _| chance.between(m / 10, 2 * m))
    }),
    fault("faint even noise", Family::Fabricated, |honest, chance| {
        of_nothing(honest.day, |m, _| chance.between(4 * m / 5, 6 * m / 5))
    }),
    fault("random walk", Family::Fabricated, walk),
    fault("sine", Family::Fabricated, |honest, chance| sine(honest, chance, 0)),
    fault("own day before", Family::Fabricated, |honest, _| retimed(honest.day_before, honest.day)),
    Fault {
        delay_seconds: 60,
        ..fault("copy, all 15 % higher", Family::Disguised, |honest, _| {
            each(honest.other, |_, v, _| v * 115 / 100)
        })
    },
    Fault {
        delay_seconds: 60,
        ..fault("copy with 5 % noise", Family::Disguised, |honest, chance| noisy(honest.other, chance))
    },
    fault("own day before with 5 % noise", Family::Disguised, |honest, chance| {
        noisy(&retimed(honest.day_before, honest.day), chance)
    }),
    fault("sine with 10 % noise", Family::Disguised, |honest, chance| sine(honest, chance, 100)),
    fault("to twice the truth", Family::Disguised, |honest, _| each(honest.day, |_, v, s| v + v * s / DAY)),
];

/// Seconds of a day, as values are counted.
const DAY: i64 = DAY_SECONDS as i64;

const fn fault(name: &'static str, family: Family, make: fn(&Honest<'_>, &mut Chance) -> Day) -> Fault {
    Fault { name, family, make, delay_seconds: 0 }
}

/// Every value anew, from the day's median, the value and the second of the day.
fn each(day: &Day, value: impl Fn(i64, i64, i64) -> i64) -> Day {
    let medians = [median(day, 0), median(day, 1)];
    let changed = |reading: &Reading| {
        let mut reading = *reading;
        for (hundredths, median) in reading.hundredths.iter_mut().zip(medians) {
            *hundredths = hundredths.map(|now| value(median, now, reading.second.into()).max(0));
        }
        reading
    };
    day.iter().map(changed).collect()
}

/// Every value made up, from the day's median and the value that was made up before.
fn of_nothing(day: &Day, mut value: impl FnMut(i64, Option<i64>) -> i64) -> Day {
    let medians = [median(day, 0), median(day, 1)];
    let mut before = [None; 2];
    let made = |reading: &Reading| {
        for (last, median) in before.iter_mut().zip(medians) {
            *last = Some(value(median, *last).max(0));
        }
        Reading { second: reading.second, hundredths: before }
    };
    day.iter().map(made).collect()
}

fn stuck(day: &Day, from: u32, until: u32) -> Day {
    let mut held = None;
    let frozen = |reading: &Reading| {
        if (from..until).contains(&reading.second) {
            let hundredths = *held.get_or_insert(reading.hundredths);
            Reading { second: reading.second, hundredths }
        } else {
            *reading
        }
    };
    day.iter().map(frozen).collect()
}

/// One value in twenty is 50 to 500 micrograms too high.
fn spikes(day: &Day, chance: &mut Chance) -> Day {
    let raised = |reading: &Reading| {
        let spike = if chance.happens(50) { chance.between(5_000, 50_000) } else { 0 };
        let hundredths = reading.hundredths.map(|value| value.map(|value| value + spike));
        Reading { hundredths, ..*reading }
    };
    day.iter().map(raised).collect()
}

/// What an SDS011 says when its fan does not turn.
fn fan_failures(day: &Day, chance: &mut Chance, permille: i64) -> Day {
    let failed = |reading: &Reading| match chance.happens(permille) {
        true => Reading { hundredths: [Some(199_990), Some(99_990)], ..*reading },
        false => *reading,
    };
    day.iter().map(failed).collect()
}

fn fan_stands(day: &Day) -> Day {
    let failed = |reading: &Reading| match (36_000..46_800).contains(&reading.second) {
        true => Reading { hundredths: [Some(199_990), Some(99_990)], ..*reading },
        false => *reading,
    };
    day.iter().map(failed).collect()
}

fn shifted(day: &Day, seconds: u32) -> Day {
    let later = day.iter().map(|reading| Reading { second: reading.second + seconds, ..*reading });
    later.filter(|reading| reading.second < DAY_SECONDS).collect()
}

/// The values of one day at the times of another.
fn retimed(values: &Day, times: &Day) -> Day {
    let pairs = values.iter().zip(times);
    pairs.map(|(value, time)| Reading { second: time.second, hundredths: value.hundredths }).collect()
}

fn half(honest: &Honest<'_>) -> Day {
    let noon = DAY_SECONDS / 2;
    let own = honest.day.iter().filter(|reading| reading.second < noon);
    own.chain(honest.other.iter().filter(|reading| reading.second >= noon)).copied().collect()
}

fn walk(honest: &Honest<'_>, chance: &mut Chance) -> Day {
    of_nothing(honest.day, |median, before| {
        let step = chance.normal((median / 12).max(2));
        (before.unwrap_or(median) + step).abs().min(5 * median)
    })
}

/// Half the median up and down in a day, from any phase, with noise in thousandths of the value.
fn sine(honest: &Honest<'_>, chance: &mut Chance, noise_permille: i64) -> Day {
    let phase = chance.between(0, DAY - 1);
    let medians = [median(honest.day, 0), median(honest.day, 1)];
    let made = |reading: &Reading| {
        let wave = sine_permille((i64::from(reading.second) + phase) % DAY);
        let value = |median: i64, chance: &mut Chance| {
            let clean = median + median * wave / 2_000;
            Some((clean + chance.normal(clean * noise_permille / 1_000)).max(0))
        };
        let hundredths = [value(medians[0], chance), value(medians[1], chance)];
        Reading { second: reading.second, hundredths }
    };
    honest.day.iter().map(made).collect()
}

/// The sine of a second of the day in thousandths, by Bhaskara's approximation.
fn sine_permille(second: i64) -> i64 {
    let half = DAY / 2;
    let (sign, x) = if second < half { (1, second) } else { (-1, second - half) };
    let product = x * (half - x);
    sign * 16_000 * product / (5 * half * half - 4 * product)
}

fn noisy(day: &Day, chance: &mut Chance) -> Day {
    let noise = |value: i64, chance: &mut Chance| (value + chance.normal((value / 20).max(1))).max(0);
    let changed = |reading: &Reading| {
        let hundredths = reading.hundredths.map(|value| value.map(|value| noise(value, chance)));
        Reading { hundredths, ..*reading }
    };
    day.iter().map(changed).collect()
}
