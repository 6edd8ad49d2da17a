//! Copied series and odd neighbours: who is the original, who is out of line, and who cannot be judged.

mod city;

use city::City;
use city::series::{
    close, decimal, dusty_city, factor, send, send_values, sensor_like, statement_of, street, times,
};
use city::{account, key};
use devices::Decimal;
use ledger::factor::{Comparison, Cut, Disagreement, FactorName};
use ledger::tariff::{NeighbourTolerance, Quantity, Tariff};

const EPOCH_SECONDS: u64 = 3_600;
/// Records of a series: one every thirty seconds.
const RECORDS: usize = 120;

fn city(devices: u8, change: impl FnOnce(&mut Tariff, &mut Quantity)) -> City {
    let mut city = dusty_city(EPOCH_SECONDS, |tariff, quantity| {
        (quantity.interval_seconds, quantity.step_per_minute_max) = (30, decimal("1000"));
        change(tariff, quantity);
    });
    for device in 1..=devices {
        city.enrol_at(&key(device), Some(account(&key(100 + device))), street(device.into()));
    }
    city
}

/// What each device's repetition was cut for when they send these, one after another, in one epoch.
fn repetition(city: &mut City, series: &[(u8, Vec<Decimal>)]) -> Vec<Option<Cut>> {
    for (device, values) in series {
        send_values(city, &key(*device), 30, values);
    }
    let results = close(city).clone();
    let cut = |(device, _): &(u8, _)| {
        let statement = statement_of(&results, key(*device).kid());
        let factor = factor(&statement, FactorName::Repetition);
        assert_eq!(statement.paid_microtokens == 0, factor.cut.is_some(), "all or nothing");
        factor.cut
    };
    series.iter().map(cut).collect()
}

fn copied(original: u8) -> Option<Cut> {
    Some(Cut::Copied { original: key(original).kid() })
}

#[test]
fn a_copy_earns_nothing_and_names_whoever_sent_it_first() {
    let (one, other) = (sensor_like(1, 1_500, RECORDS), sensor_like(2, 1_500, RECORDS));
    let mut city = city(5, |_, _| {});
    let series = [(3, one.clone()), (1, one.clone()), (2, other), (5, one)];
    assert_eq!(repetition(&mut city, &series), [None, copied(3), None, copied(3)]);
}

#[test]
fn whoever_is_accepted_first_is_the_original_even_within_one_block() {
    let values = sensor_like(1, 1_500, 60);
    let mut city = city(2, |_, _| {});
    let begins = (city.state.epoch_begins_unix_milliseconds(0) / 1_000) as u32;
    let time = city.state.next_settlement_unix_milliseconds() - 1;
    // Half by half: each half belongs to whoever sent that half first, and a quarter is enough for a copy.
    let at = |values: &[Decimal]| -> Vec<(u32, Decimal)> {
        values.iter().zip(0..).map(|(value, at)| (begins + at, *value)).collect()
    };
    send(&mut city, &key(1), time, &at(&values[..30]));
    send(&mut city, &key(2), time, &at(&values[..30]));
    send(&mut city, &key(2), time, &at(&values[30..]));
    let results = close(&mut city);
    let cut = |device: u8| factor(&statement_of(results, key(device).kid()), FactorName::Repetition).cut;
    assert_eq!((cut(1), cut(2)), (None, copied(1)));
}

#[test]
fn a_copied_half_is_a_copy_and_other_times_do_not_hide_it() {
    let (one, other) = (sensor_like(1, 1_500, RECORDS), sensor_like(2, 1_500, RECORDS));
    let half: Vec<_> = one[..RECORDS / 2].iter().chain(&other[RECORDS / 2..]).copied().collect();
    let mut city = city(3, |_, _| {});
    send_values(&mut city, &key(1), 30, &one);
    send_values(&mut city, &key(2), 29, &half);
    send_values(&mut city, &key(3), 17, &one[10..]);
    let results = close(&mut city);
    for device in [2, 3] {
        let statement = statement_of(results, key(device).kid());
        assert_eq!(factor(&statement, FactorName::Repetition).cut, copied(1), "device {device}");
    }
}

#[test]
fn the_epoch_before_is_remembered_once() {
    let series: Vec<_> = (1..=3).map(|seed| sensor_like(seed, 1_500, RECORDS)).collect();
    let mut city = city(3, |_, _| {});
    assert_eq!(repetition(&mut city, &[(1, series[0].clone())]), [None]);
    // One's own of the epoch before, and another's.
    let again = [(1, series[0].clone()), (2, series[0].clone())];
    assert_eq!(repetition(&mut city, &again), [Some(Cut::Replayed), copied(1)]);
    assert_eq!(repetition(&mut city, &[(1, series[1].clone()), (3, series[2].clone())]), [None, None]);
    assert_eq!(repetition(&mut city, &[(2, series[0].clone())]), [None], "two epochs are too long ago");
}

#[test]
fn flat_and_short_series_are_never_copies() {
    let flat: Vec<_> = (0..RECORDS).map(|at| Decimal::from(20 + (at as i32 / 3) % 3)).collect();
    let short = sensor_like(1, 1_500, 7);
    let mut city = city(4, |_, _| {});
    let series = [(1, flat.clone()), (2, flat), (3, short.clone()), (4, short)];
    assert_eq!(repetition(&mut city, &series), [None; 4]);
}

const FEW_TIMES: NeighbourTolerance = NeighbourTolerance::Ratio {
    level_min_permille: 250,
    level_max_permille: 3_000,
    ends_max_permille: 2_200,
    thirds_max_permille: 3_000,
};

/// What the agreement of device 1 was cut for when it sends these among others of like series.
fn agreement(tolerance: NeighbourTolerance, others: u8, own: &[Decimal]) -> Option<Cut> {
    let mut city = city(others + 1, |_, quantity| quantity.neighbours = Some(tolerance));
    for other in 2..=others + 1 {
        send_values(&mut city, &key(other), 30, &sensor_like(other.into(), 2_000, RECORDS));
    }
    send_values(&mut city, &key(1), 30, own);
    let results = close(&mut city);
    for other in 2..=others + 1 {
        let statement = statement_of(results, key(other).kid());
        assert_eq!(factor(&statement, FactorName::Agreement).cut, None, "one liar does not move a median");
    }
    let statement = statement_of(results, key(1).kid());
    let factor = factor(&statement, FactorName::Agreement);
    assert_eq!((factor.numerator, factor.denominator), (u64::from(factor.cut.is_none()), 1));
    factor.cut
}

fn comparison(cut: Option<Cut>) -> Option<Comparison> {
    cut.map(|cut| match cut {
        Cut::Disagrees(Disagreement { comparison, found, limit }) => {
            assert_ne!(found, limit);
            comparison
        }
        other => panic!("{other}"),
    })
}

#[test]
fn a_device_out_of_line_with_its_neighbours_is_not_believed() {
    let own = sensor_like(9, 2_000, RECORDS);
    // From a tenth to nearly three times: its mean is theirs, its course is not.
    let drifting: Vec<_> = own
        .iter()
        .zip(0_i128..)
        .flat_map(|(value, at)| times(&[*value], 60 + at * 180 / RECORDS as i128))
        .collect();
    let bump: Vec<_> = own
        .iter()
        .enumerate()
        .flat_map(|(at, value)| times(&[*value], if (40..80).contains(&at) { 350 } else { 90 }))
        .collect();
    for (values, expected) in [
        (own.clone(), None),
        (times(&own, 250), None),
        (times(&own, 500), Some(Comparison::LevelHigh)),
        (times(&own, 15), Some(Comparison::LevelLow)),
        (drifting, Some(Comparison::Drift)),
        (bump, Some(Comparison::Shape)),
    ] {
        assert_eq!(comparison(agreement(FEW_TIMES, 4, &values)), expected);
    }
    let within = |text: &str| NeighbourTolerance::Difference { level_max: decimal(text) };
    // Twice twenty is some twenty away.
    assert_eq!(agreement(within("30"), 4, &times(&own, 200)), None);
    assert_eq!(comparison(agreement(within("10"), 4, &times(&own, 200))), Some(Comparison::Difference));
}

#[test]
fn without_three_others_or_half_an_epoch_nobody_is_compared() {
    let high = times(&sensor_like(9, 2_000, RECORDS), 500);
    assert_eq!(comparison(agreement(FEW_TIMES, 3, &high)), Some(Comparison::LevelHigh));
    assert_eq!(agreement(FEW_TIMES, 2, &high), None, "two others are no neighbourhood");
    assert_eq!(comparison(agreement(FEW_TIMES, 3, &high[..RECORDS / 2])), Some(Comparison::LevelHigh));
    assert_eq!(agreement(FEW_TIMES, 3, &high[..RECORDS / 3 + 2]), None, "two sixths of an epoch are too few");
}

#[test]
fn neighbours_are_looked_for_further_away_until_there_are_enough() {
    let judged = |least: u8| {
        let mut city = dusty_city(EPOCH_SECONDS, |tariff, quantity| {
            (tariff.neighbour_resolution, tariff.neighbour_resolution_min) = (9, least);
            (quantity.interval_seconds, quantity.neighbours) = (30, Some(FEW_TIMES));
            quantity.step_per_minute_max = decimal("1000");
        });
        for device in 1..=5_u8 {
            // A kilometre apart: no two in one cell of resolution 9, all in one of resolution 3.
            city.enrol_at(&key(device), None, street(i32::from(device) * 5));
            let values = sensor_like(device.into(), 2_000, RECORDS);
            let values = if device == 1 { times(&values, 500) } else { values };
            send_values(&mut city, &key(device), 30, &values);
        }
        let statement = statement_of(close(&mut city), key(1).kid());
        comparison(factor(&statement, FactorName::Agreement).cut)
    };
    assert_eq!(judged(9), None);
    assert_eq!(judged(3), Some(Comparison::LevelHigh));
}

#[test]
fn a_device_without_a_position_has_no_neighbours() {
    let mut city = city(4, |_, quantity| quantity.neighbours = Some(FEW_TIMES));
    city.enrol_at(&key(9), None, None);
    for device in [1, 2, 3, 4, 9] {
        let values = sensor_like(device.into(), 2_000, RECORDS);
        send_values(&mut city, &key(device), 30, &times(&values, if device == 9 { 900 } else { 100 }));
    }
    let statement = statement_of(close(&mut city), key(9).kid());
    assert_eq!(factor(&statement, FactorName::Agreement).cut, None);
    assert_eq!(statement.cell_share.cell, None);
}
