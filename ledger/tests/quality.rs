//! The factors of quality, each by itself and multiplied out by hand.

mod city;

use city::series::{
    START_SECONDS, close, decimal, dusty_city, factor, send, send_values, sensor_like, statement_of,
};
use city::{City, EPOCH, START, account, key};
use devices::Decimal;
use ledger::factor::{Comparison, Cut, Disagreement, Factor, FactorName};
use ledger::statement::Statement;
use ledger::tariff::{Quantity, Tariff, TextureBounds};

/// A city of sixty-second epochs with one device, enrolled at its beginning.
fn city(change: impl FnOnce(&mut Tariff, &mut Quantity)) -> City {
    let mut city = dusty_city(60, change);
    city.enrol(&key(1), Some(account(&key(100))));
    city
}

/// The statement of an epoch in which the device sent these.
fn after(mut city: City, records: &[(u32, &str)]) -> Statement {
    let records: Vec<_> = records.iter().map(|(at, value)| (START_SECONDS + at, decimal(value))).collect();
    send(&mut city, &key(1), START + EPOCH - 1, &records);
    statement_of(close(&mut city), key(1).kid())
}

fn counts(factor: Factor) -> (u64, u64, u32) {
    (factor.numerator, factor.denominator, factor.permille)
}

#[test]
fn completeness_counts_intervals_with_a_record_against_those_expected() {
    let ten_seconds = |_: &mut Tariff, quantity: &mut Quantity| quantity.interval_seconds = 10;
    let whole: &[u32] = &[0, 10, 20, 30, 40, 50];
    for (times, filled, permille) in [
        (whole, 6, 1_000),
        (&[9, 11, 29, 31, 49, 51], 6, 1_000),
        (&[0, 20, 40], 3, 500),
        (&[50, 40, 0], 3, 500),
        (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 1, 166),
        (&[0, 0, 10, 10], 2, 333),
    ] {
        let records: Vec<_> = times.iter().zip(["10", "11"].iter().cycle()).map(|(t, v)| (*t, *v)).collect();
        let statement = after(city(ten_seconds), &records);
        let found = factor(&statement, FactorName::Completeness);
        assert_eq!(counts(found), (filled, 6, permille), "{times:?}");
        let gaps = (permille < 1_000).then_some(Cut::Gaps { intervals: 6 - filled });
        assert_eq!(found.cut, gaps, "{times:?}");
        assert_eq!(found.amount_microtokens, times.len() as u64 * u64::from(permille), "{times:?}");
    }
}

#[test]
fn a_device_is_expected_only_while_it_is_in_service() {
    let mut city = dusty_city(60, |_, quantity| quantity.interval_seconds = 10);
    city.block(START + 35_000, &[]);
    city.enrol(&key(1), Some(account(&key(100))));
    let records = [(40, "10"), (50, "11")].map(|(at, value)| (START_SECONDS + at, decimal(value)));
    send(&mut city, &key(1), START + 59_000, &records);
    // The preview at 59 seconds has 24 of service behind it: two intervals; the epoch's end has 25: two as well.
    let [preview] = city.state.preview().statements_of(key(1).kid()).to_vec().try_into().unwrap();
    let statement = statement_of(close(&mut city), key(1).kid());
    for statement in [preview, statement] {
        assert_eq!(counts(factor(&statement, FactorName::Completeness)), (2, 2, 1_000));
    }
}

#[test]
fn plausibility_is_the_share_of_records_within_range_and_step() {
    let graded = |least: u32| {
        move |_: &mut Tariff, quantity: &mut Quantity| {
            (quantity.minimum, quantity.maximum) = (decimal("0"), decimal("100"));
            (quantity.step_per_minute_max, quantity.plausible_min_permille) = (decimal("5"), least);
        }
    };
    type Case<'t> = (&'t [(u32, &'t str)], u32, u32, u32);
    let cases: [Case<'_>; 8] = [
        // Values, out of range, steep, permille.
        (&[(0, "0"), (10, "5"), (20, "100"), (30, "100")], 0, 1, 750),
        (&[(0, "10"), (10, "15"), (20, "15.000000001"), (30, "10")], 0, 1, 750),
        // A spike costs two records, a new level one.
        (&[(0, "10"), (10, "90"), (20, "10"), (30, "10"), (40, "10")], 0, 2, 600),
        (&[(0, "10"), (10, "90"), (20, "90"), (30, "91"), (40, "90")], 0, 1, 800),
        // What is out of range is no measure for the next step.
        (&[(0, "10"), (10, "-0.000000001"), (20, "100.1"), (30, "11")], 2, 0, 500),
        // Less than a minute apart counts as a minute; a step back in time as one forward.
        (&[(0, "10"), (0, "15"), (59, "10")], 0, 0, 1_000),
        (&[(59, "10"), (0, "15"), (59, "21")], 0, 1, 666),
        (&[(0, "-1"), (30, "101")], 2, 0, 0),
    ];
    for (records, out_of_range, steep, permille) in cases {
        let statement = after(city(graded(0)), records);
        let found = factor(&statement, FactorName::Plausibility);
        assert_eq!(found.permille, permille, "{records:?}");
        let cut = Cut::Implausible { out_of_range, steep, believed_from_permille: None };
        assert_eq!(found.cut, (permille < 1_000).then_some(cut), "{records:?}");
    }
    // With three quarters demanded, three of four are believed and three of five are not.
    let statement = after(city(graded(750)), &[(0, "0"), (10, "5"), (20, "100"), (30, "100")]);
    assert_eq!(counts(factor(&statement, FactorName::Plausibility)), (3, 4, 750));
    let records = [(0, "10"), (10, "90"), (20, "10"), (30, "10"), (40, "10")];
    let statement = after(city(graded(750)), &records);
    let found = factor(&statement, FactorName::Plausibility);
    assert_eq!(counts(found), (0, 5, 0));
    let cut = Cut::Implausible { out_of_range: 0, steep: 2, believed_from_permille: Some(750) };
    assert_eq!((found.cut, statement.paid_microtokens), (Some(cut), 0));
}

#[test]
fn a_step_may_be_as_much_larger_as_it_took_longer() {
    let mut city = dusty_city(600, |_, quantity| quantity.step_per_minute_max = decimal("5"));
    city.enrol(&key(1), Some(account(&key(100))));
    // Ten in two minutes is five a minute; ten and a little is more.
    for (to, permille) in [("20", 1_000), ("20.1", 0)] {
        let begins = city.state.epoch_begins_unix_milliseconds(city.state.epoch()) / 1_000;
        let records = [(begins as u32, decimal("10")), (begins as u32 + 120, decimal(to))];
        let time = city.state.next_settlement_unix_milliseconds() - 1;
        send(&mut city, &key(1), time, &records);
        let statement = statement_of(close(&mut city), key(1).kid());
        let found = factor(&statement, FactorName::Plausibility);
        // Half of two is less than nine tenths.
        assert_eq!(found.permille, permille, "{to}");
    }
}

#[test]
fn freshness_counts_a_late_record_for_what_the_tariff_says() {
    for (late_permille, numerator, permille) in [(500, 3_500, 875), (0, 3_000, 750), (1_000, 4_000, 1_000)] {
        let mut city = city(|tariff, _| {
            (tariff.late_after_seconds, tariff.late_permille) = (20, late_permille);
        });
        // Accepted 59 seconds into the epoch, in whole seconds: 38 is 21 seconds ago, 39 is 20.
        let records = [(38, "10"), (39, "11"), (50, "10"), (61, "11")]
            .map(|(at, value)| (START_SECONDS + at, decimal(value)));
        send(&mut city, &key(1), START + EPOCH - 1, &records);
        let found = factor(&statement_of(close(&mut city), key(1).kid()), FactorName::Freshness);
        assert_eq!(counts(found), (numerator, 4_000, permille));
        assert_eq!(found.cut, (permille < 1_000).then_some(Cut::Late { records: 1 }));
    }
}

#[test]
fn values_that_repeat_too_often_in_a_row_are_not_paid_across_epochs_too() {
    let three = |_: &mut Tariff, quantity: &mut Quantity| quantity.repeats_max = 3;
    let cases: [(&[&str], u32, u32); 4] = [
        (&["10", "10", "10", "11"], 0, 1_000),
        (&["10", "10", "10", "10", "10", "11", "10", "10"], 2, 750),
        (&["10", "10.0", "10.00", "10.000"], 1, 750),
        (&["10", "11", "10", "11", "10", "11", "10", "11"], 0, 1_000),
    ];
    for (values, repeated, permille) in cases {
        let records: Vec<_> = values.iter().zip(0..).map(|(value, at)| (at, *value)).collect();
        let found = factor(&after(city(three), &records), FactorName::Repetition);
        assert_eq!(found.permille, permille, "{values:?}");
        assert_eq!(found.cut, (repeated > 0).then_some(Cut::Repeated { records: repeated }), "{values:?}");
    }
    let mut city = city(three);
    let mut permille_of = |count: usize| {
        send_values(&mut city, &key(1), 1, &vec![decimal("7"); count]);
        factor(&statement_of(close(&mut city), key(1).kid()), FactorName::Repetition).permille
    };
    assert_eq!([permille_of(2), permille_of(2), permille_of(2)], [1_000, 500, 0], "a run goes on");
}

#[test]
fn factors_multiply_out_in_order_and_each_step_is_rounded_down() {
    let mut city = dusty_city(60, |tariff, quantity| {
        (quantity.price_microtokens, quantity.paid_records_max) = (333, 9);
        (quantity.interval_seconds, quantity.repeats_max) = (10, 2);
        (quantity.maximum, quantity.plausible_min_permille) = (decimal("100"), 500);
        (tariff.late_after_seconds, tariff.late_permille) = (45, 100);
    });
    city.enrol(&key(1), Some(account(&key(100))));
    let records: [(u32, &str); 11] = [
        (0, "10"),
        (1, "10"),
        (2, "10"),
        (10, "11"),
        (20, "101"),
        (21, "12"),
        (30, "12"),
        (31, "13"),
        (32, "14"),
        (33, "15"),
        (34, "16"),
    ];
    let statement = after(city, &records);
    let line = &statement.lines[0];
    assert_eq!((line.accepted_records, line.paid_records, line.base_microtokens), (11, 9, 2_997));
    let found: Vec<_> =
        line.factors.iter().map(|factor| (counts(*factor), factor.amount_microtokens)).collect();
    let expected = [
        ((4, 6, 666), 1_996), // 2997 × 666 ÷ 1000 = 1996.002: no record in the last two intervals.
        ((10, 11, 909), 1_814), // 1996 × 909 ÷ 1000 = 1814.364: 101 is out of range.
        ((1, 1, 1_000), 1_814), // Nobody to compare it with.
        ((7_400, 11_000, 672), 1_219), // 1814 × 672 ÷ 1000 = 1219.008: seconds 0, 1, 2 and 10 are late at 59.
        ((10, 11, 909), 1_108), // 1219 × 909 ÷ 1000 = 1108.071: one value of three in a row.
    ];
    assert_eq!(found, expected);
    assert_eq!(
        (line.amount_microtokens, statement.due_microtokens, statement.paid_microtokens),
        (1_108, 1_108, 1_108)
    );
}

fn textured(bounds: TextureBounds) -> City {
    let mut city = dusty_city(3_600, |_, quantity| {
        (quantity.texture, quantity.repeats_max) = (Some(bounds), 1_000);
        quantity.plausible_min_permille = 0;
    });
    city.enrol(&key(1), Some(account(&key(100))));
    city
}

#[test]
fn noise_and_curves_are_not_measurements() {
    let bounds = TextureBounds { noise_max_permille: 1_840, turns_min_permille: 550 };
    // Up and down by one: every difference is 2, the variance 1, so von Neumann's ratio is 4; it turns every time.
    let zigzag: Vec<Decimal> = (0..100).map(|at| Decimal::from(50 + at % 2 * 2)).collect();
    // Always upwards: it never turns.
    let ramp: Vec<Decimal> = (0..101).map(|at| Decimal::from(50 + at)).collect();
    let sensor = sensor_like(5, 1_500, 120);
    for (values, comparison, found) in [
        (&zigzag[..], Some(Comparison::NoiseOnly), 4_000),
        (&ramp[..], Some(Comparison::TooSmooth), 0),
        (&ramp[..99], None, 0),
        (&zigzag[..99], None, 0),
        (&sensor[..], None, 0),
    ] {
        let mut city = textured(bounds);
        send_values(&mut city, &key(1), 20, values);
        let statement = statement_of(close(&mut city), key(1).kid());
        let factor = factor(&statement, FactorName::Agreement);
        let limit = |comparison| if comparison == Comparison::NoiseOnly { 1_840 } else { 550 };
        let disagreement =
            comparison.map(|comparison| Disagreement { comparison, found, limit: limit(comparison) });
        assert_eq!(factor.cut, disagreement.map(Cut::Disagrees), "{comparison:?}");
        assert_eq!(factor.permille, if comparison.is_some() { 0 } else { 1_000 });
    }
}

#[test]
fn every_record_of_the_largest_values_can_be_summed() {
    // Values as large as a tariff may call plausible, up and down all the time: nothing overflows, and what cannot be
    // told is not judged.
    let mut city = dusty_city(3_600, |_, quantity| {
        (quantity.minimum, quantity.maximum) = (decimal("-1000000000"), decimal("1000000000"));
        (quantity.step_per_minute_max, quantity.interval_seconds) = (decimal("0.000000001"), 1);
        quantity.texture = Some(TextureBounds { noise_max_permille: 1_840, turns_min_permille: 550 });
    });
    city.enrol(&key(1), Some(account(&key(100))));
    let values: Vec<_> =
        ["-1000000000", "1000000000"].iter().cycle().take(3_000).map(|value| decimal(value)).collect();
    send_values(&mut city, &key(1), 1, &values);
    let statement = statement_of(close(&mut city), key(1).kid());
    assert_eq!(statement.lines[0].accepted_records, 3_000);
    assert_eq!(statement.paid_microtokens, 0);
}

#[test]
fn every_cut_has_a_word_and_a_sentence_and_survives_encoding() {
    let statement = after(city(|_, _| {}), &[(0, "10")]);
    let original = key(7).kid();
    let disagreements = [
        Comparison::NoiseOnly,
        Comparison::TooSmooth,
        Comparison::LevelHigh,
        Comparison::LevelLow,
        Comparison::Drift,
        Comparison::Shape,
        Comparison::Difference,
    ]
    .map(|comparison| Cut::Disagrees(Disagreement { comparison, found: u64::MAX, limit: 1_840 }));
    let cuts = [
        Cut::Gaps { intervals: 1 },
        Cut::Implausible { out_of_range: 2, steep: 3, believed_from_permille: None },
        Cut::Implausible { out_of_range: 2, steep: 3, believed_from_permille: Some(900) },
        Cut::Late { records: 4 },
        Cut::Repeated { records: 5 },
        Cut::Copied { original },
        Cut::Replayed,
    ];
    let mut sentences = std::collections::BTreeSet::new();
    for cut in cuts.into_iter().chain(disagreements) {
        let mut statement = statement.clone();
        statement.lines[0].factors[0].cut = Some(cut);
        assert_eq!(Statement::decode(&statement.encode()), Ok(statement));
        assert!(sentences.insert(cut.to_string()), "{cut}");
        assert!(cut.as_str().chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'), "{cut}");
    }
}
