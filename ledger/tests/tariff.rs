//! The tariff: what its JSON and its encoding take, and every bound that is refused.

use ledger::instruction::Instruction;
use ledger::limits::{PAID_RECORDS_MAX, PRICE_MICROTOKENS_MAX, TARIFF_QUANTITIES_MAX};
use ledger::tariff::{NeighbourTolerance, Quantity, Tariff, TariffError, TextureBounds};

fn textured() -> Tariff {
    let mut tariff = Tariff::default();
    tariff.quantities[2].texture = Some(TextureBounds { noise_max_permille: 1_840, turns_min_permille: 550 });
    tariff
}

#[test]
fn a_tariff_survives_json_and_encoding() {
    for tariff in [Tariff::default(), textured(), Tariff { quantities: vec![], ..Tariff::default() }] {
        assert_eq!(Tariff::from_json(&tariff.to_json()), Ok(tariff.clone()));
        let instruction = Instruction::SetTariff { tariff };
        assert_eq!(Instruction::decode(&instruction.encode()), Ok(instruction));
    }
}

#[test]
fn a_number_has_one_way_to_be_written_and_no_field_is_unknown() {
    let json = textured().to_json();
    for (good, bad) in [
        ("\"minimum\": \"-40\"", "\"minimum\": \"-40.0\""),
        ("\"minimum\": \"-40\"", "\"minimum\": -40"),
        ("\"minimum\": \"-40\"", "\"minimum\": \"\""),
        ("\"minimum\": \"-40\"", "\"minimum\": \"-4e1\""),
        ("\"price_microtokens\": \"1000\"", "\"price_microtokens\": \"01000\""),
        ("\"difference\"", "\"distance\""),
        ("\"version\": 1", "\"version\": 1, \"colour\": 2"),
        ("\"repeats_max\": 20", "\"repeats_max\": 20, \"repeats\": 1"),
    ] {
        assert!(json.contains(good), "{good} in {json}");
        let error = Tariff::from_json(&json.replace(good, bad)).unwrap_err();
        assert!(matches!(error, TariffError::Json(_)), "{bad}: {error}");
    }
}

#[test]
fn every_bound_that_is_exceeded_is_named() {
    let name = || "temp".to_owned();
    let quantity = |change: fn(&mut Quantity)| {
        let mut tariff = Tariff::default();
        change(&mut tariff.quantities[0]);
        tariff
    };
    let tariff = |change: fn(&mut Tariff)| {
        let mut tariff = Tariff::default();
        change(&mut tariff);
        tariff
    };
    let ratio = |level_max_permille| NeighbourTolerance::Ratio {
        level_min_permille: 1,
        level_max_permille,
        ends_max_permille: 1,
        thirds_max_permille: 1,
    };
    let with_neighbours = |neighbours, minimum: &str| {
        let mut tariff = Tariff::default();
        tariff.quantities[0].neighbours = Some(neighbours);
        tariff.quantities[0].minimum = minimum.parse().unwrap();
        tariff
    };
    let cases = [
        (tariff(|t| t.cell_resolution = 16), TariffError::Resolution),
        (tariff(|t| t.neighbour_resolution = t.cell_resolution + 1), TariffError::Resolution),
        (tariff(|t| t.neighbour_resolution_min = t.neighbour_resolution + 1), TariffError::Resolution),
        (tariff(|t| t.late_after_seconds = 30 * 86_400 + 1), TariffError::LateAfter),
        (tariff(|t| t.late_permille = 1_001), TariffError::LatePermille),
        (
            tariff(|t| t.quantities = vec![t.quantities[0].clone(); TARIFF_QUANTITIES_MAX + 1]),
            TariffError::TooManyQuantities,
        ),
        (tariff(|t| t.quantities.push(t.quantities[0].clone())), TariffError::Twice(name())),
        (quantity(|q| q.unit = String::new()), TariffError::Name(name())),
        (quantity(|q| q.price_microtokens = PRICE_MICROTOKENS_MAX + 1), TariffError::Price(name())),
        (quantity(|q| q.paid_records_max = PAID_RECORDS_MAX + 1), TariffError::PaidRecords(name())),
        (quantity(|q| q.minimum = "60.1".parse().unwrap()), TariffError::Range(name())),
        (quantity(|q| q.maximum = "1000000001".parse().unwrap()), TariffError::Range(name())),
        (quantity(|q| q.minimum = "-1000000001".parse().unwrap()), TariffError::Range(name())),
        (quantity(|q| q.step_per_minute_max = "0".parse().unwrap()), TariffError::Step(name())),
        (quantity(|q| q.interval_seconds = 0), TariffError::Interval(name())),
        (quantity(|q| q.interval_seconds = 86_401), TariffError::Interval(name())),
        (quantity(|q| q.repeats_max = 0), TariffError::Repeats(name())),
        (quantity(|q| q.plausible_min_permille = 1_001), TariffError::PlausibleShare(name())),
        (
            quantity(|q| {
                q.texture = Some(TextureBounds { noise_max_permille: 1_000_001, turns_min_permille: 1 });
            }),
            TariffError::Texture(name()),
        ),
        (with_neighbours(ratio(1_000_001), "0"), TariffError::Tolerance(name())),
        (with_neighbours(ratio(3_000), "-0.1"), TariffError::Tolerance(name())),
        (
            with_neighbours(NeighbourTolerance::Difference { level_max: "-1".parse().unwrap() }, "0"),
            TariffError::Tolerance(name()),
        ),
    ];
    for (tariff, error) in cases {
        assert_eq!(tariff.validate(), Err(error.clone()));
        assert_eq!(Tariff::from_json(&tariff.to_json()), Err(error.clone()));
        assert!(error.to_string().contains("tariff"), "{error}");
    }
}
