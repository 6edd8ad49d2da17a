//! A small city's dust, imagined from a seed: one slow field that all sensors breathe, each with a gain and a noise of
//! its own. It stands in where no recordings are, and says nothing of how the real world behaves.

use super::series::{DAY_SECONDS, Day, Reading, Sensor};
use crate::chance::Chance;

/// Seconds between readings, as the real sensors send.
const INTERVAL_SECONDS: u32 = 150;
/// How often the field takes a new turn.
const TURN_SECONDS: u32 = 3_600;

/// `count` sensors within about three kilometres, for `days` days.
#[must_use]
pub fn sensors(seed: u64, count: u32, days: usize) -> Vec<Sensor> {
    let field = field(seed, days);
    let sensor = |number: u32| {
        let mut chance = Chance::of(seed, &[1, number.into()]);
        let place = |chance: &mut Chance| i32::try_from(chance.between(-15_000, 15_000)).unwrap_or(0);
        let position = [57_150_000 + place(&mut chance), -2_110_000 + place(&mut chance)];
        let gain_permille = chance.between(800, 1_250);
        let day = |day| imagine(&field, day, gain_permille, &mut chance);
        Sensor { number, position, days: (0..days).map(day).collect() }
    };
    (1..=count).map(sensor).collect()
}

/// The air's PM10 at the beginning of every hour, in hundredths: a walk that comes back to eight micrograms.
fn field(seed: u64, days: usize) -> Vec<i64> {
    let mut chance = Chance::of(seed, &[0]);
    let mut level = 800;
    let turn = |_| {
        level += chance.normal(150) + (800 - level) / 10;
        level = level.clamp(200, 4_000);
        level
    };
    (0..=days * 24).map(turn).collect()
}

fn imagine(field: &[i64], day: usize, gain_permille: i64, chance: &mut Chance) -> Day {
    let mut reading = |second: u32| {
        let (hour, into) = (second / TURN_SECONDS, i64::from(second % TURN_SECONDS));
        let hour = day * 24 + hour as usize;
        let turn = i64::from(TURN_SECONDS);
        let air = (field[hour] * (turn - into) + field[hour + 1] * into) / turn;
        let noisy = |share_permille: i64, chance: &mut Chance| {
            let clean = air * share_permille / 1_000 * gain_permille / 1_000;
            Some((clean + chance.normal(clean / 8)).max(0))
        };
        let hundredths = [noisy(1_000, chance), noisy(400, chance)];
        Reading { second: second + chance.between(0, 9) as u32, hundredths }
    };
    (0..DAY_SECONDS / INTERVAL_SECONDS).map(|number| reading(number * INTERVAL_SECONDS)).collect()
}
