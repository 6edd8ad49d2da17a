//! Series of one quantity, as the tests of quality send them.

use super::{City, START, envelope, verified};
use devices::Decimal;
use devices::identity::{DeviceId, SigningKey};
use devices::senml::{Base, Record, Value};
use ledger::block::BlockResults;
use ledger::factor::{Factor, FactorName};
use ledger::genesis::Genesis;
use ledger::limits::SLOTS;
use ledger::registry::Position;
use ledger::statement::Statement;
use ledger::tariff::{Quantity, Tariff};

/// The second in which the city begins.
pub const START_SECONDS: u32 = (START / 1_000) as u32;
/// Records of an envelope at most.
const RECORDS_MAX: usize = 64;

/// A city of one epoch length whose tariff has one quantity, dust at 1000 micro-tokens a record.
pub fn dusty_city(epoch_seconds: u64, change: impl FnOnce(&mut Tariff, &mut Quantity)) -> City {
    let mut tariff = Tariff::default();
    let mut quantity = tariff.quantities.iter().find(|quantity| quantity.name == "pm2.5").unwrap().clone();
    quantity.price_microtokens = 1_000;
    quantity.paid_records_max = 1_000;
    quantity.interval_seconds = epoch_seconds as u32;
    quantity.neighbours = None;
    tariff.cell_budget_microtokens = 1_000_000_000;
    change(&mut tariff, &mut quantity);
    tariff.quantities = vec![quantity];
    City::with(Genesis { epoch_seconds, tariff, ..super::genesis() })
}

/// A decimal from its text.
pub fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Sends records of dust at these Unix seconds, in as many envelopes as they need, in one block of this time.
pub fn send(city: &mut City, device: &SigningKey, block_time: u64, records: &[(u32, Decimal)]) {
    let first = city.state.device(device.kid()).unwrap().window.highest().map_or(1, |last| last.count + 1);
    let transactions: Vec<_> = (first..)
        .zip(records.chunks(RECORDS_MAX))
        .map(|(count, records)| {
            let time = Some(records[0].0);
            let base = Base { version: Some(26), name: Some("pm2.5"), time, unit: Some("ug/m3") };
            let record = |(at, value): &(u32, Decimal)| Record {
                time_offset_seconds: Some(*at as i32 - records[0].0 as i32),
                ..Record::of(Value::Number(*value))
            };
            let records: Vec<_> = records.iter().map(record).collect();
            verified(device, envelope(device, (1, count), &base, &records))
        })
        .collect();
    for outcome in city.block(block_time, &transactions) {
        outcome.unwrap();
    }
}

/// Sends one value after another, `interval` seconds apart from the beginning of the running epoch, in the epoch's last
/// millisecond or whenever the block before was.
pub fn send_values(city: &mut City, device: &SigningKey, interval: u32, values: &[Decimal]) {
    let begins = (city.state.epoch_begins_unix_milliseconds(city.state.epoch()) / 1_000) as u32;
    let records: Vec<_> =
        values.iter().zip(0..).map(|(value, at)| (begins + at * interval, *value)).collect();
    let time = city.state.next_settlement_unix_milliseconds() - 1;
    send(city, device, time, &records);
}

/// Ends the running epoch.
pub fn close(city: &mut City) -> &BlockResults {
    let time = city.state.next_settlement_unix_milliseconds();
    city.block(time, &[]);
    city.last()
}

/// The one statement of a device in a block.
pub fn statement_of(results: &BlockResults, kid: DeviceId) -> Statement {
    let mut of_device = results.statements.iter().filter(|statement| statement.kid == kid);
    let statement = of_device.next().expect("a statement").clone();
    assert!(of_device.next().is_none(), "one owner, one statement");
    statement
}

/// A factor of a statement's first line.
pub fn factor(statement: &Statement, name: FactorName) -> Factor {
    *statement.lines[0].factors.iter().find(|factor| factor.name == name).expect("a factor of this name")
}

/// A place so many streets, of some two hundred metres, from the middle of town.
pub fn street(number: i32) -> Option<Position> {
    Some(Position { latitude_microdegrees: 57_149_000 + number * 2_000, longitude_microdegrees: -2_099_000 })
}

/// Values of a sensor-like series: a level with a slow wave and a little noise, different for each seed.
pub fn sensor_like(seed: u64, level_hundredths: i128, count: usize) -> Vec<Decimal> {
    let mut noise = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut drift = 0_i128;
    let value = |at: usize| {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        let jitter = i128::from(noise >> 33) % 41 - 20;
        drift += jitter / 4;
        let wave = (at * SLOTS / count.max(1)) as i128 * level_hundredths / 50;
        Decimal::new((level_hundredths + wave + drift + jitter).max(0), -2).unwrap()
    };
    (0..count).map(value).collect()
}

/// Every value multiplied by so many hundredths.
pub fn times(values: &[Decimal], hundredths: i128) -> Vec<Decimal> {
    values.iter().map(|value| Decimal::new(value.nanos() * hundredths / 1_000_000_000, -2).unwrap()).collect()
}
