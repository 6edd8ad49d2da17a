//! Budgets: a cell's, the pool's, and that everything adds up whatever is sent.

mod city;

use city::series::{close, decimal, dusty_city, send, sensor_like, statement_of, street};
use city::{City, EPOCH, START, account, genesis, key, tariff};
use devices::Decimal;
use ledger::account::AccountId;
use ledger::block::BlockResults;
use ledger::genesis::Genesis;
use ledger::preview::Preview;
use ledger::state::State;
use ledger::statement::Statement;
use ledger::tariff::TextureBounds;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Everything that a statement claims, reckoned anew from what stands in it.
fn check_statement(statement: &Statement) {
    let mut due = 0;
    for line in &statement.lines {
        assert_eq!(line.base_microtokens, line.price_microtokens * u64::from(line.paid_records));
        assert!(line.paid_records <= line.accepted_records);
        let mut left = line.base_microtokens;
        for factor in &line.factors {
            let permille = (factor.numerator * 1_000 / factor.denominator).min(1_000);
            assert_eq!(u64::from(factor.permille), permille, "{factor:?}");
            left = left * permille / 1_000;
            assert_eq!(factor.amount_microtokens, left, "{factor:?}");
            assert_eq!(factor.cut.is_some(), permille < 1_000, "{factor:?}");
            assert!(factor.cut.is_none_or(|cut| !cut.to_string().is_empty() && !cut.as_str().is_empty()));
        }
        assert_eq!(line.amount_microtokens, left);
        let in_full = line.price_microtokens * u64::from(line.accepted_records);
        let reasons = line.reason.is_some() || line.factors.iter().any(|factor| factor.cut.is_some());
        assert!(reasons || (left == in_full && left > 0), "a zero or a cut without a reason: {line:?}");
        due += left;
    }
    assert_eq!(statement.due_microtokens, due);
    let cell = statement.cell_share;
    assert_eq!(cell.reason().is_some(), cell.withheld_microtokens > 0);
    let left = due - cell.withheld_microtokens;
    let by_budget = u128::from(due) * u128::from(cell.budget_microtokens) / cell.due_total_microtokens.max(1);
    let fits = cell.due_total_microtokens <= u128::from(cell.budget_microtokens);
    assert_eq!(u128::from(left), if fits { due.into() } else { by_budget });
    let by_pool = statement.pool_scale.map_or(0, |scale| {
        let share = u128::from(left) * u128::from(scale.pool_microtokens) / scale.due_total_microtokens;
        assert_eq!(u128::from(left - scale.withheld_microtokens), share);
        scale.withheld_microtokens
    });
    assert_eq!(statement.paid_microtokens, left - by_pool);
    assert_eq!(Statement::decode(&statement.encode()).as_ref(), Ok(statement));
}

/// That a block's statements and its settlement tell the same, to the micro-token.
fn check_settlement(statements: &[Statement], settlement: &ledger::settlement::Settlement) {
    statements.iter().for_each(check_statement);
    let sum = |amount: fn(&Statement) -> u64| statements.iter().map(|s| u128::from(amount(s))).sum::<u128>();
    let by_pool = |s: &Statement| s.pool_scale.map_or(0, |scale| scale.withheld_microtokens);
    assert_eq!(settlement.statements, statements.len() as u64);
    assert_eq!(settlement.due_microtokens, sum(|s| s.due_microtokens));
    assert_eq!(settlement.withheld_by_cells_microtokens, sum(|s| s.cell_share.withheld_microtokens));
    assert_eq!(settlement.withheld_by_pool_microtokens, sum(by_pool));
    assert_eq!(u128::from(settlement.paid_microtokens), sum(|s| s.paid_microtokens));
    assert_eq!(
        settlement.paid_microtokens + settlement.remainder_microtokens,
        settlement.pool_before_microtokens
    );
    let payees: BTreeSet<_> = statements.iter().map(|s| (s.kid, s.epoch, s.payee)).collect();
    assert_eq!(payees.len(), statements.len(), "a device has one statement for each payee");
}

/// What stands in the cells' budgets: no cell gets more, whoever is in it.
fn check_cells(statements: &[Statement]) {
    for cell in statements.iter().map(|s| s.cell_share.cell).collect::<BTreeSet<_>>() {
        let of_cell: Vec<_> = statements.iter().filter(|s| s.cell_share.cell == cell).collect();
        let paid: u64 = of_cell.iter().map(|s| s.paid_microtokens).sum();
        assert!(paid <= of_cell[0].cell_share.budget_microtokens, "{cell:?}");
        let kids: BTreeSet<_> = of_cell.iter().map(|s| s.kid).collect();
        let due: u128 = of_cell.iter().map(|s| u128::from(s.due_microtokens)).sum();
        for statement in of_cell {
            assert_eq!(statement.cell_share.devices as usize, kids.len());
            assert_eq!(statement.cell_share.due_total_microtokens, due);
        }
    }
}

#[test]
fn clones_in_one_cell_earn_together_what_one_may() {
    let paid_of = |clones: u8| {
        let mut city = dusty_city(60, |tariff, _| tariff.cell_budget_microtokens = 6_000);
        let elsewhere = key(50);
        city.enrol_at(&elsewhere, Some(account(&key(150))), street(900));
        for clone in 1..=clones {
            city.enrol_at(&key(clone), Some(account(&key(100))), street(0));
        }
        for (device, seed) in (1..=clones).map(|clone| (key(clone), clone)).chain([(elsewhere.clone(), 99)]) {
            let values = sensor_like(seed.into(), 1_500, 5);
            city::series::send_values(&mut city, &device, 1, &values);
        }
        let results = close(&mut city).clone();
        check_settlement(&results.statements, &results.settlement.unwrap());
        check_cells(&results.statements);
        assert_eq!(statement_of(&results, elsewhere.kid()).paid_microtokens, 5_000, "others are not touched");
        city.balance(account(&key(100)))
    };
    // One device earns 5 × 1000; two are due 10000 and share 6000; seven get floor(5000 × 6000 ÷ 35000) = 857 each.
    assert_eq!([paid_of(1), paid_of(2), paid_of(7)], [5_000, 6_000, 7 * 857]);
}

#[test]
fn devices_without_a_position_share_one_budget_of_their_own() {
    let mut city = dusty_city(60, |tariff, _| tariff.cell_budget_microtokens = 3_000);
    for device in 1..=3 {
        city.enrol_at(
            &key(device),
            Some(account(&key(100 + device))),
            if device == 3 { street(0) } else { None },
        );
        city::series::send_values(&mut city, &key(device), 1, &sensor_like(device.into(), 1_500, 3));
    }
    let results = close(&mut city).clone();
    let paid = |device: u8| statement_of(&results, key(device).kid()).paid_microtokens;
    assert_eq!([paid(1), paid(2), paid(3)], [1_500, 1_500, 3_000]);
    let share = statement_of(&results, key(1).kid()).cell_share;
    assert_eq!((share.cell, share.devices, share.withheld_microtokens), (None, 2, 1_500));
    assert!(share.to_string().contains("without a position"));
}

#[test]
fn the_cells_budgets_come_before_the_pool() {
    let genesis = |pool| Genesis { pool_microtokens: pool, ..genesis() };
    let mut city = City::with(genesis(3_000));
    let mut tariff = tariff();
    tariff.cell_budget_microtokens = 4_000;
    city = City::with(Genesis { tariff, ..city.genesis });
    for device in 1..=3 {
        city.enrol_at(
            &key(device),
            Some(account(&key(100 + device))),
            street(if device == 3 { 900 } else { 0 }),
        );
        let temperatures = city::temperatures(&key(device), (1, 1), 4);
        city.one(START, &temperatures).unwrap();
    }
    let results = close(&mut city).clone();
    // Two devices of one cell share 4000, the third has 4000 to itself: 8000 on a pool of 3000.
    let paid: Vec<_> =
        (1..=3).map(|device| statement_of(&results, key(device).kid()).paid_microtokens).collect();
    assert_eq!(paid, [750, 750, 1_500]);
    let settlement = results.settlement.unwrap();
    assert_eq!((settlement.due_microtokens, settlement.withheld_by_cells_microtokens), (12_000, 4_000));
    assert_eq!((settlement.withheld_by_pool_microtokens, settlement.remainder_microtokens), (5_000, 0));
    check_settlement(&results.statements, &settlement);
}

/// What one device sends in one block.
#[derive(Clone, Debug)]
struct Sending {
    device: u8,
    at_seconds: u32,
    spread_seconds: i32,
    values: Vec<i32>,
}

fn sending() -> impl Strategy<Value = Sending> {
    let values = prop_oneof![
        3 => prop::collection::vec(0..60_000_i32, 1..40),
        1 => (any::<u8>(), 1..40_usize).prop_map(|(level, count)| vec![i32::from(level); count]),
        // The same for everybody: somebody's copy.
        1 => (1..40_usize).prop_map(|count| (0..count as i32).map(|at| 1_000 + at * at % 977).collect()),
        1 => prop::collection::vec(-200_000..200_000_i32, 1..40),
    ];
    (0..6_u8, 0..60_u32, -400..60_i32, values).prop_map(|(device, at_seconds, spread_seconds, values)| {
        Sending { device, at_seconds, spread_seconds, values }
    })
}

fn settle(city: &mut City) -> (Preview, BlockResults) {
    let ends = city.state.next_settlement_unix_milliseconds();
    let preview = city.state.preview_at(ends);
    (preview, close(city).clone())
}

fn without_seal(statements: &[Statement]) -> Vec<Statement> {
    statements.iter().map(|s| Statement { height: 0, seal_index: 0, ..s.clone() }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_sent_every_line_multiplies_out_and_every_sum_agrees(
        pool in prop_oneof![Just(0), 0_u64..40_000, Just(1_000_000_000_000)],
        budget in prop_oneof![Just(0), 0_u64..60_000, Just(1_000_000_000)],
        price in prop_oneof![Just(0), Just(1), 1_u64..2_000],
        epochs in prop::collection::vec(prop::collection::vec(sending(), 0..12), 1..4),
    ) {
        let mut city = dusty_city(60, |tariff, quantity| {
            tariff.cell_budget_microtokens = budget;
            (quantity.price_microtokens, quantity.paid_records_max) = (price, 50);
            (quantity.interval_seconds, quantity.repeats_max) = (7, 3);
            (quantity.maximum, quantity.plausible_min_permille) = (decimal("700"), 300);
            quantity.texture = Some(TextureBounds { noise_max_permille: 1_840, turns_min_permille: 550 });
            quantity.neighbours = tariff.quantities.iter().find_map(|other| other.neighbours);
        });
        city = City::with(Genesis { pool_microtokens: pool, ..city.genesis });
        for device in 1..=6_u8 {
            let place = if device == 6 { None } else { street(i32::from(device) / 3 * 500) };
            let owner = (device % 2 == 0).then(|| account(&key(100 + device)));
            city.enrol_at(&key(device), owner, place);
        }
        for (epoch, sendings) in epochs.iter().enumerate() {
            for sending in sendings {
                let device = key(1 + sending.device);
                let time = (START + epoch as u64 * EPOCH + u64::from(sending.at_seconds) * 1_000)
                    .max(city.state.time_unix_milliseconds());
                let step = sending.spread_seconds / sending.values.len() as i32;
                let first = (time / 1_000) as i32;
                let records: Vec<_> = sending
                    .values
                    .iter()
                    .zip(0..)
                    .map(|(value, at)| {
                        let value = Decimal::new((*value).into(), -2).unwrap();
                        ((first + at * step) as u32, value)
                    })
                    .collect();
                send(&mut city, &device, time, &records);
            }
            let restored = State::restore(&city.genesis, &city.state.snapshot()).unwrap();
            prop_assert_eq!(&restored, &city.state, "a tally survives its encoding");
            let (preview, results) = settle(&mut city);
            let settlement = results.settlement.unwrap();
            prop_assert_eq!(without_seal(preview.statements()), without_seal(&results.statements));
            prop_assert_eq!(preview.settlement().paid_microtokens, settlement.paid_microtokens);
            for account in results.statements.iter().map(|s| s.payee).collect::<BTreeSet<AccountId>>() {
                let paid = results.statements.iter().filter(|s| s.payee == account).map(|s| s.paid_microtokens);
                prop_assert_eq!(preview.pending_microtokens(account), paid.sum::<u64>());
            }
            check_settlement(&results.statements, &settlement);
            check_cells(&results.statements);
            prop_assert_eq!(city.balance(city.state.pool()), settlement.remainder_microtokens);
        }
    }
}
