//! Whose a record is: the owner's at the time when it was read, however late it arrives, to the micro-token.

mod city;

use city::asking::{STREET, accept, claim, offer};
use city::{City, EPOCH, START, account, envelope, key, temperatures, verified};
use devices::identity::SigningKey;
use devices::senml::{Base, Record};
use ledger::account::AccountId;
use ledger::limits::FORMER_OWNERS_MAX;
use ledger::ownership::Ownership;
use ledger::replay::Trust;
use ledger::state::State;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The city's beginning in Unix seconds.
const NOW: u32 = (START / 1_000) as u32;

fn device() -> SigningKey {
    key(1)
}

fn seller() -> SigningKey {
    key(100)
}

fn buyer() -> SigningKey {
    key(101)
}

/// Temperatures read at these seconds after the city's beginning, no two alike.
fn read_at(sequence: (u32, u32), seconds: &[i32]) -> city::Transaction {
    let base = Base { version: None, name: Some("temp"), time: Some(NOW), unit: Some("Cel") };
    let record = |(at, seconds): (usize, &i32)| Record {
        time_offset_seconds: Some(*seconds),
        ..Record::of(city::number(15 + (at as u32 + sequence.1) % 7))
    };
    let records: Vec<_> = seconds.iter().enumerate().map(record).collect();
    verified(&device(), envelope(&device(), sequence, &base, &records))
}

/// Sells the device in a block of this time.
fn sell(city: &mut City, time: u64, from: &SigningKey, to: &SigningKey) {
    city.carry_out_at(time, from, &offer(&device(), Some(to)));
    city.carry_out_at(time, to, &accept(&device()));
}

/// Accepted records by payee, of the last settlement's statements.
fn accepted(city: &City) -> BTreeMap<AccountId, u32> {
    let of = |statement: &ledger::statement::Statement| {
        (statement.payee, statement.lines.iter().map(|line| line.accepted_records).sum())
    };
    city.last().statements.iter().map(of).collect()
}

/// What the device's statements paid, and that each went to its payee.
fn assert_paid_to_the_micro_token(city: &City) {
    let mut paid: BTreeMap<AccountId, u64> = BTreeMap::new();
    for statement in city.results.iter().flat_map(|results| &results.statements) {
        *paid.entry(statement.payee).or_default() += statement.paid_microtokens;
    }
    for (payee, paid) in paid {
        assert_eq!(city.balance(payee), paid, "{payee}");
    }
    let (mut state, _) = State::replay_genesis(&city.genesis, &city.blocks[0]).unwrap();
    for (block, results) in city.blocks.iter().zip(&city.results).skip(1) {
        assert_eq!(&state.replay(block, Trust::Nothing).unwrap(), results);
        assert_eq!(State::restore(&city.genesis, &state.snapshot()).as_ref(), Ok(&state));
    }
}

#[test]
fn what_was_read_before_the_acceptances_block_pays_the_old_owner_and_after_it_the_new_one() {
    let mut city = City::with_device();
    city.one(START + 10_000, &read_at((1, 1), &[0, 5])).unwrap();
    sell(&mut city, START + 20_500, &seller(), &buyer());
    // A backlog of one envelope, from before, in and after the second of the acceptance.
    city.one(START + 40_000, &read_at((1, 2), &[10, 19, 20, 21, 39])).unwrap();
    city.block(START + EPOCH, &[]);
    assert_eq!(accepted(&city), BTreeMap::from([(account(&seller()), 4), (account(&buyer()), 3)]));
    assert!(city.balance(account(&seller())) > 0 && city.balance(account(&buyer())) > 0);
    assert_paid_to_the_micro_token(&city);
}

#[test]
fn the_second_of_the_acceptance_goes_by_the_order_of_arrival() {
    let mut city = City::with_device();
    city.one(START + 20_000, &read_at((1, 1), &[20])).unwrap();
    sell(&mut city, START + 20_900, &seller(), &buyer());
    city.one(START + 20_950, &read_at((1, 2), &[20, 19])).unwrap();
    city.block(START + EPOCH, &[]);
    assert_eq!(accepted(&city), BTreeMap::from([(account(&seller()), 2), (account(&buyer()), 1)]));
    assert_paid_to_the_micro_token(&city);
}

#[test]
fn a_record_without_a_time_was_read_when_its_block_was_made() {
    let mut city = City::with_device();
    city.one(START + 1_000, &temperatures(&device(), (1, 1), 3)).unwrap();
    sell(&mut city, START + 2_000, &seller(), &buyer());
    city.one(START + 2_000, &temperatures(&device(), (1, 2), 5)).unwrap();
    city.block(START + EPOCH, &[]);
    assert_eq!(accepted(&city), BTreeMap::from([(account(&seller()), 3), (account(&buyer()), 5)]));
    assert_paid_to_the_micro_token(&city);
}

#[test]
fn a_device_that_was_dark_for_weeks_brings_its_backlog_to_who_owned_it() {
    let mut city = City::with_device();
    sell(&mut city, START + EPOCH, &seller(), &buyer());
    // 29 days later it comes back with what it read before and after it was sold.
    let (day, late) = (86_400_u32, 29 * 86_400_u32);
    let base = |seconds| Base { version: None, name: Some("temp"), time: Some(seconds), unit: Some("Cel") };
    let envelope = |count, seconds, value| {
        let records = [Record::of(city::number(value))];
        verified(&device(), envelope(&device(), (1, count), &base(seconds), &records))
    };
    let time = START + u64::from(late) * 1_000;
    let backlog = [envelope(1, NOW + 30, 18), envelope(2, NOW + 59, 19), envelope(3, NOW + day, 20)];
    assert!(city.block(time, &backlog).iter().all(Result::is_ok));
    city.block(time + EPOCH, &[]);
    assert_eq!(accepted(&city), BTreeMap::from([(account(&seller()), 2), (account(&buyer()), 1)]));
    assert_paid_to_the_micro_token(&city);
}

#[test]
fn a_device_sold_three_times_in_an_epoch_pays_each_owner_for_what_was_read_in_his_time() {
    let mut city = City::with_device();
    let third = key(102);
    sell(&mut city, START + 10_000, &seller(), &buyer());
    sell(&mut city, START + 20_000, &buyer(), &third);
    sell(&mut city, START + 30_000, &third, &seller());
    city.one(START + 40_000, &read_at((1, 1), &[1, 2, 11, 21, 22, 23, 31])).unwrap();
    city.block(START + EPOCH, &[]);
    let expected = [(account(&seller()), 3), (account(&buyer()), 1), (account(&third), 3)];
    assert_eq!(accepted(&city), BTreeMap::from(expected), "who owned it twice has one statement");
    assert_paid_to_the_micro_token(&city);
}

#[test]
fn what_nobody_owned_when_it_was_read_is_the_claimants() {
    let mut city = City::new();
    city.enrol(&device(), None);
    city.one(START + 1_000, &read_at((1, 1), &[0, 1])).unwrap();
    city.carry_out_at(START + 2_000, &seller(), &claim(&device(), &seller(), STREET));
    sell(&mut city, START + 3_000, &seller(), &buyer());
    city.one(START + 4_000, &read_at((1, 2), &[1, 2, 3, 4])).unwrap();
    city.block(START + EPOCH, &[]);
    assert_eq!(accepted(&city), BTreeMap::from([(account(&seller()), 4), (account(&buyer()), 2)]));
    assert_eq!(city.balance(city.state.escrow(device().kid())), 0);
    assert_paid_to_the_micro_token(&city);
}

proptest! {
    /// The plainest thing that can be said of owners: the list of all who ever were, with their times.
    #[test]
    fn owners_are_those_of_the_whole_history_wherever_records_are_still_accepted(
        steps in prop::collection::vec((1_u8..5, 0_u64..20 * 86_400), 1..40),
        ages in prop::collection::vec(0_i64..30 * 86_400, 1..20),
    ) {
        let owner = |seed: u8| AccountId::from_bytes([seed; 32]);
        let mut ownership = Ownership::of(Some(owner(0)));
        let (mut history, mut now) = (vec![(0_u64, owner(0))], 1_800_000_000_u64);
        for (seed, seconds) in steps {
            now += seconds;
            let before = ownership.clone();
            prop_assert_eq!(ownership.can_pass(now), ownership.pass_to(owner(seed), now));
            if ownership == before {
                prop_assert_eq!(ownership.former().len(), FORMER_OWNERS_MAX);
            } else {
                history.push((now, owner(seed)));
            }
            prop_assert!(ownership.former().len() <= FORMER_OWNERS_MAX);
            for age in &ages {
                let read = now as i64 - age;
                let expected = history.iter().rfind(|(from, _)| *from as i64 <= read).map(|(_, owner)| *owner);
                prop_assert_eq!(ownership.owner_at(read), expected);
            }
        }
    }
}
