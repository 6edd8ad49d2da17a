//! An epoch's end: who is paid how much, and statements that say why to the micro-token.

mod city;

use city::{City, EPOCH, START, account, envelope, genesis, key, number, temperatures, verified};
use devices::senml::{Base, Record, Value};
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::limits::UNPRICED_LINES_MAX;
use ledger::statement::Statement;
use ledger::statement_line::LineReason;
use ledger::tariff::{Quantity, Tariff};
use ledger::transfer::TransferReason;

/// Ends the running epoch with an empty block; gives its statements.
fn settle(city: &mut City) -> Vec<Statement> {
    let time = city.state.next_settlement_unix_milliseconds();
    city.block(time, &[]);
    city.last().statements.clone()
}

fn with_pool(pool_microtokens: u64) -> City {
    City::with(Genesis { pool_microtokens, ..genesis() })
}

fn lines_add_up(statement: &Statement) {
    let sum: u64 = statement.lines.iter().map(|line| line.amount_microtokens).sum();
    assert_eq!(sum, statement.due_microtokens);
    let by_pool = statement.pool_scale.map_or(0, |scale| scale.withheld_microtokens);
    let withheld = statement.cell_share.withheld_microtokens + by_pool;
    assert_eq!(statement.paid_microtokens + withheld, statement.due_microtokens);
    for line in &statement.lines {
        assert_eq!(line.base_microtokens, line.price_microtokens * u64::from(line.paid_records));
        let mut left = line.base_microtokens;
        for factor in &line.factors {
            assert_eq!(
                u64::from(factor.permille),
                (1_000 * factor.numerator / factor.denominator).min(1_000)
            );
            left = left * u64::from(factor.permille) / 1_000;
            assert_eq!(factor.amount_microtokens, left, "{factor:?}");
            assert_eq!(factor.cut.is_some(), factor.permille < 1_000, "{factor:?}");
        }
        assert_eq!(line.amount_microtokens, left);
        let full = line.paid_records == line.accepted_records && line.amount_microtokens > 0;
        assert_eq!(line.reason.is_none(), full, "what is not paid in full has a reason: {line:?}");
    }
}

#[test]
fn records_are_paid_to_the_owner_at_the_epochs_end() {
    let mut city = City::with_device();
    let (owner, pool) = (account(&key(100)), city.state.pool());
    let before = city.balance(pool);
    city.one(START + 1_000, &temperatures(&key(1), (1, 1), 3)).unwrap();
    city.one(START + EPOCH - 1, &temperatures(&key(1), (1, 2), 4)).unwrap();
    assert_eq!(city.balance(owner), 0, "nothing is posted while the epoch runs");
    assert_eq!(city.pending(owner), 7_000);
    let statements = settle(&mut city);
    assert_eq!(city.balance(owner), 7_000);
    assert_eq!(city.balance(pool), before - 7_000);
    assert_eq!(city.pending(owner), 0);
    let [statement] = statements.as_slice() else { panic!("one device, one statement") };
    lines_add_up(statement);
    assert_eq!((statement.epoch, statement.envelopes, statement.paid_microtokens), (0, 2, 7_000));
    assert_eq!((statement.from_unix_milliseconds, statement.to_unix_milliseconds), (START, START + EPOCH));
    assert_eq!((statement.owner, statement.payee), (Some(owner), owner));
    assert_eq!(statement.seal_index, city.last().seal_index());
    let [record] = city.last().transfers.as_slice() else { panic!("one transfer") };
    assert_eq!(record.transfer.reason, TransferReason::Reward { kid: key(1).kid(), epoch: 0 });
    assert_eq!((record.transfer.debit, record.transfer.credit), (pool, owner));
    assert_eq!(record.entry_index, city.last().seal_index());
    assert_eq!(city.state.device(key(1).kid()).unwrap().earned_microtokens, 7_000);
    let seal = &city.blocks.last().unwrap().seal;
    assert_eq!(seal.settled_epochs, Some((0, 0)));
    assert_eq!(seal.state_root, Some(city.state.state_root()));
}

#[test]
fn what_a_block_brings_counts_in_the_blocks_own_epoch() {
    let mut city = City::with_device();
    city.one(START, &temperatures(&key(1), (1, 1), 1)).unwrap();
    // The first block of the next epoch settles before its transactions.
    city.one(START + EPOCH, &temperatures(&key(1), (1, 2), 2)).unwrap();
    assert_eq!(city.last().statements[0].due_microtokens, 1_000);
    assert_eq!(city.state.preview().statements_of(key(1).kid())[0].due_microtokens, 2_000);
    assert_eq!(settle(&mut city)[0].due_microtokens, 2_000);
}

#[test]
fn epochs_without_a_block_are_closed_together_and_pay_once() {
    let mut city = City::with_device();
    city.one(START, &temperatures(&key(1), (1, 1), 1)).unwrap();
    city.block(START + 5 * EPOCH + 1, &[]);
    assert_eq!(city.blocks.last().unwrap().seal.settled_epochs, Some((0, 4)));
    assert_eq!(city.last().statements.len(), 1);
    assert_eq!(city.last().statements[0].epoch, 0);
    assert_eq!(city.state.epoch(), 5);
    assert!(settle(&mut city).is_empty(), "an epoch in which nothing was sent has no statements");
    assert_eq!(city.balance(account(&key(100))), 1_000);
}

#[test]
fn records_above_the_cap_are_accepted_and_not_paid() {
    let mut city = City::with_device();
    city.one(START, &temperatures(&key(1), (1, 1), 40)).unwrap();
    city.one(START, &temperatures(&key(1), (1, 2), 40)).unwrap();
    assert_eq!(city.pending(account(&key(100))), 60_000);
    let statement = settle(&mut city).remove(0);
    lines_add_up(&statement);
    let line = &statement.lines[0];
    assert_eq!((line.accepted_records, line.paid_records, line.amount_microtokens), (80, 60, 60_000));
    assert_eq!(line.reason, Some(LineReason::Capped { paid_records_max: 60 }));
    assert_eq!(city.balance(account(&key(100))), 60_000);
}

#[test]
fn the_rewards_of_a_device_without_an_owner_wait_in_escrow() {
    let mut city = City::new();
    city.enrol(&key(1), None);
    city.one(START, &temperatures(&key(1), (1, 1), 5)).unwrap();
    let statement = settle(&mut city).remove(0);
    let escrow = AccountId::escrow("devnet", key(1).kid());
    assert_eq!((statement.owner, statement.payee), (None, escrow));
    assert_eq!(city.balance(escrow), 5_000);
}

#[test]
fn a_pool_that_is_short_is_shared_out_to_the_microtoken_and_never_overdrawn() {
    let mut city = with_pool(10_000);
    for (seed, records) in [(1, 7), (2, 11), (3, 5)] {
        city.enrol(&key(seed), Some(account(&key(100 + seed))));
        city.one(START, &temperatures(&key(seed), (1, 1), records)).unwrap();
    }
    let pending: Vec<_> = [101, 102, 103].map(|seed| city.pending(account(&key(seed)))).into();
    let statements = settle(&mut city);
    statements.iter().for_each(lines_add_up);
    let owed = |seed: u8| statements.iter().find(|statement| statement.kid == key(seed).kid()).unwrap();
    for (at, (seed, records)) in [(1, 7_u64), (2, 11), (3, 5)].into_iter().enumerate() {
        let due = records * 1_000;
        let share = due * 10_000 / 23_000;
        let statement = owed(seed);
        assert_eq!((statement.due_microtokens, statement.paid_microtokens), (due, share));
        let scale = statement.pool_scale.unwrap();
        assert_eq!((scale.pool_microtokens, scale.due_total_microtokens), (10_000, 23_000));
        assert_eq!(city.balance(account(&key(100 + seed))), share);
        assert_eq!(pending[at], share, "the estimate said so");
    }
    // 3043 + 4782 + 2173 = 9998: rounding leaves two micro-tokens in the pool.
    assert_eq!(city.balance(city.state.pool()), 2);
}

#[test]
fn an_empty_pool_pays_nothing_and_says_why() {
    let mut city = with_pool(0);
    city.enrol(&key(1), Some(account(&key(100))));
    city.one(START, &temperatures(&key(1), (1, 1), 5)).unwrap();
    let statement = settle(&mut city).remove(0);
    lines_add_up(&statement);
    assert_eq!((statement.due_microtokens, statement.paid_microtokens), (5_000, 0));
    assert_eq!(statement.pool_scale.unwrap().withheld_microtokens, 5_000);
    assert!(city.last().transfers.is_empty());
}

#[test]
fn what_the_tariff_does_not_price_stands_in_the_statement_with_its_reason() {
    let mut city = City::with_device();
    let base = Base { version: None, name: None, time: None, unit: None };
    let record = |name, unit, value| Record { name: Some(name), unit, ..Record::of(value) };
    let records = [
        record("temp", Some("Cel"), number(21)),
        record("temp", Some("K"), number(294)),
        record("temp", Some("Cel"), Value::Boolean(true)),
        record("flood", None, Value::Boolean(false)),
    ];
    city.one(START, &verified(&key(1), envelope(&key(1), (1, 1), &base, &records))).unwrap();
    // More names than a statement lists.
    let names: Vec<String> = (0..30).map(|at| format!("thing{at}")).collect();
    let records: Vec<_> = names.iter().map(|name| record(name, None, number(1))).collect();
    city.one(START, &verified(&key(1), envelope(&key(1), (1, 2), &base, &records))).unwrap();
    let statement = settle(&mut city).remove(0);
    lines_add_up(&statement);
    let reasons: Vec<_> = statement.lines.iter().take(4).map(|line| line.reason).collect();
    let expected =
        [None, Some(LineReason::NotInTariff), Some(LineReason::NotANumber), Some(LineReason::NotInTariff)];
    assert_eq!(reasons, expected);
    assert_eq!(statement.lines.len(), 1 + UNPRICED_LINES_MAX + 1);
    let rest = statement.lines.last().unwrap();
    assert_eq!(rest.reason, Some(LineReason::FurtherNotInTariff));
    let accepted: u32 = statement.lines.iter().map(|line| line.accepted_records).sum();
    assert_eq!(accepted, 34, "every accepted record is on some line");
    assert_eq!(statement.due_microtokens, 1_000);
}

#[test]
fn a_price_of_zero_is_said() {
    let tariff = Tariff {
        version: 7,
        quantities: vec![Quantity {
            name: "temp".into(),
            unit: "Cel".into(),
            price_microtokens: 0,
            paid_records_max: 10,
            ..Tariff::default().quantities.remove(0)
        }],
        ..Tariff::default()
    };
    let mut city = City::with(Genesis { tariff, ..genesis() });
    city.enrol(&key(1), Some(account(&key(100))));
    city.one(START, &temperatures(&key(1), (1, 1), 1)).unwrap();
    let statement = settle(&mut city).remove(0);
    lines_add_up(&statement);
    assert_eq!(statement.tariff_version, 7);
    assert_eq!(statement.lines[0].reason, Some(LineReason::PriceZero));
}

#[test]
fn every_reason_is_a_sentence_and_survives_encoding() {
    let mut city = with_pool(1_000);
    city.enrol(&key(1), None);
    city.one(START, &temperatures(&key(1), (1, 1), 64)).unwrap();
    let base = Base { name: Some("x"), ..Base::default() };
    let records = [Record::of(number(1)), Record::of(Value::Boolean(true))];
    city.one(START, &verified(&key(1), envelope(&key(1), (1, 2), &base, &records))).unwrap();
    for statement in settle(&mut city) {
        assert_eq!(Statement::decode(&statement.encode()), Ok(statement.clone()));
        assert!(
            statement
                .lines
                .iter()
                .filter_map(|line| line.reason)
                .all(|reason| !reason.to_string().is_empty())
        );
        assert!(statement.pool_scale.unwrap().to_string().contains("1000"));
    }
}
