//! A tariff that is tried on blocks that were paid by another.

mod city;

use city::series::{close, dusty_city, send_values, sensor_like};
use city::{City, account, key, operator};
use ledger::instruction::Instruction;
use ledger::state::State;
use ledger::statement::Statement;
use ledger::tariff::Tariff;

/// A tariff with another price and version.
fn priced(tariff: &Tariff, version: u32, price_microtokens: u64) -> Tariff {
    let mut tariff = Tariff { version, ..tariff.clone() };
    tariff.quantities[0].price_microtokens = price_microtokens;
    tariff
}

/// Four epochs of five records each; the operator sets the tariff's versions 2 and 3 in the first and the second one.
fn city() -> (City, Tariff) {
    let mut city = dusty_city(60, |_, _| {});
    let first = city.state.tariff().clone();
    city.enrol(&key(1), Some(account(&key(100))));
    for epoch in 0..4 {
        send_values(&mut city, &key(1), 10, &sensor_like(epoch, 1_500, 5));
        if epoch < 2 {
            let tariff = priced(&first, 2 + epoch as u32, 2_000 + 1_000 * epoch);
            let set = city.instruct(&operator(), &Instruction::SetTariff { tariff });
            let time = city.state.time_unix_milliseconds();
            city.one(time, &set).unwrap();
        }
        close(&mut city);
    }
    (city, first)
}

fn dues(statements: &[Statement]) -> Vec<(u64, u64)> {
    statements.iter().map(|statement| (statement.epoch, statement.due_microtokens)).collect()
}

/// What the blocks after genesis come to when this tariff is tried from the first epoch on.
fn tried(city: &City, tariff: &Tariff) -> Vec<Statement> {
    let (state, ..) = State::genesis(&city.genesis);
    let mut trial = state.trial(tariff);
    city.blocks[1..].iter().flat_map(|block| trial.run(block).unwrap().statements).collect()
}

#[test]
fn a_tried_tariff_holds_whatever_the_log_says_of_other_ones() {
    let (city, first) = city();
    let real: Vec<_> = city.results.iter().flat_map(|results| results.statements.clone()).collect();
    // Five records at 1000, at 2000 from the second epoch on, at 3000 from the third.
    assert_eq!(dues(&real), [(0, 5_000), (1, 10_000), (2, 15_000), (3, 15_000)]);
    let trial = tried(&city, &priced(&first, 9, 7_000));
    assert_eq!(dues(&trial), [(0, 35_000), (1, 35_000), (2, 35_000), (3, 35_000)]);
    let same = tried(&city, &first);
    assert_eq!(dues(&same), [(0, 5_000), (1, 5_000), (2, 5_000), (3, 5_000)]);
}
