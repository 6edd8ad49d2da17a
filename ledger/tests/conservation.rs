//! Random instructions and readings: whatever happens, no micro-token is made or lost.

mod city;

use city::{City, EPOCH, START, account, genesis, key, temperatures, treasury};
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::replay::Trust;
use ledger::state::State;
use ledger::transfer::TransferReason;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What may happen next.
#[derive(Clone, Debug)]
enum Step {
    Reading { device: u8, boot: u32, count: u32, records: usize },
    Transfer { from: u8, to: u8, amount: u64 },
    Issue { to: u8, amount: u64 },
    Enrol { device: u8, owner: Option<u8> },
    Block { milliseconds: u64 },
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..5_000, any::<u64>(), Just(u64::MAX)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_u8..6, 0_u32..2, 0_u32..90, 1_usize..30)
            .prop_map(|(device, boot, count, records)| Step::Reading { device, boot, count, records }),
        3 => (0_u8..5, 0_u8..6, amount()).prop_map(|(from, to, amount)| Step::Transfer { from, to, amount }),
        1 => (0_u8..6, amount()).prop_map(|(to, amount)| Step::Issue { to, amount }),
        2 => (0_u8..6, proptest::option::of(0_u8..4)).prop_map(|(device, owner)| Step::Enrol { device, owner }),
        3 => (0_u64..2 * EPOCH).prop_map(|milliseconds| Step::Block { milliseconds }),
    ]
}

fn device(at: u8) -> devices::identity::SigningKey {
    key(1 + at)
}

/// Somebody: four people, then the treasury.
fn somebody(at: u8) -> devices::identity::SigningKey {
    if at < 4 { key(100 + at) } else { treasury() }
}

/// A receiver: the people, the treasury, or the pool.
fn receiver(at: u8) -> AccountId {
    if at < 5 { account(&somebody(at)) } else { AccountId::pool("devnet") }
}

/// Everything that must hold after any block, computed from nothing but public answers.
fn check(city: &City) {
    let supply = city.state.supply();
    let (mut debits, mut credits, mut held) = (0_u128, 0_u128, 0_u128);
    for (id, account) in city.state.accounts() {
        debits += account.debits_posted;
        credits += account.credits_posted;
        if id != supply {
            held += account.credits_posted - account.debits_posted;
        }
    }
    assert_eq!(debits, credits, "debits equal credits");
    assert_eq!(held, u128::from(city.state.issued_microtokens()), "supply is the sum of balances");
    // The history of transfers alone gives every balance.
    let mut balances: BTreeMap<AccountId, i128> = BTreeMap::new();
    let mut rewards = 0_u128;
    for record in city.results.iter().flat_map(|results| &results.transfers) {
        let transfer = &record.transfer;
        *balances.entry(transfer.debit).or_default() -= i128::from(transfer.amount_microtokens);
        *balances.entry(transfer.credit).or_default() += i128::from(transfer.amount_microtokens);
        if matches!(transfer.reason, TransferReason::Reward { .. }) {
            rewards += u128::from(transfer.amount_microtokens);
        }
    }
    for (id, balance) in balances {
        let expected =
            if id == supply { -i128::from(city.state.issued_microtokens()) } else { city.balance(id).into() };
        assert_eq!(balance, expected, "{id}");
    }
    let paid: u128 = city
        .results
        .iter()
        .flat_map(|results| &results.statements)
        .map(|statement| u128::from(statement.paid_microtokens))
        .sum();
    let earned: u128 = city.state.devices().map(|(_, device)| u128::from(device.earned_microtokens)).sum();
    assert_eq!((paid, rewards), (earned, city.state.totals().paid_microtokens));
    assert_eq!(paid, rewards, "statements, transfers and the registry agree");
    let records: u64 = city.state.devices().map(|(_, device)| device.accepted_records).sum();
    assert_eq!(records, city.state.totals().records);
}

fn run(pool_microtokens: u64, steps: &[Step]) -> City {
    let mut city = City::with(Genesis { pool_microtokens, ..genesis() });
    let (mut time, mut waiting) = (START, Vec::new());
    for step in steps {
        match step {
            Step::Reading { device: at, boot, count, records } => {
                waiting.push(temperatures(&device(*at), (*boot, *count), *records));
            }
            Step::Transfer { from, to, amount } => {
                let transfer =
                    Instruction::Transfer { to: receiver(*to), amount_microtokens: *amount, memo: None };
                waiting.push(city.instruct(&somebody(*from), &transfer));
            }
            Step::Issue { to, amount } => {
                let issue = Instruction::Issue { to: receiver(*to), amount_microtokens: *amount };
                waiting.push(city.instruct(&treasury(), &issue));
            }
            Step::Enrol { device: at, owner } => {
                let owner = owner.map(|at| account(&somebody(at)));
                let enrol =
                    Instruction::Enrol { public_key: device(*at).public_key(), owner, position: None };
                waiting.push(city.instruct(&city::operator(), &enrol));
            }
            Step::Block { milliseconds } => {
                time += milliseconds;
                city.block(time, &waiting);
                waiting.clear();
                check(&city);
            }
        }
    }
    city.block(time + EPOCH, &waiting);
    check(&city);
    city
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_micro_token_is_made_or_lost(
        pool in prop_oneof![Just(0), 0_u64..60_000, Just(1_000_000_000_000)],
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let city = run(pool, &steps);
        let (mut state, _) = State::replay_genesis(&city.genesis, &city.blocks[0]).unwrap();
        for (at, block) in city.blocks.iter().enumerate().skip(1) {
            let trust = if at % 2 == 0 { Trust::OwnLog } else { Trust::Nothing };
            prop_assert_eq!(&state.replay(block, trust).unwrap(), &city.results[at]);
        }
        prop_assert_eq!(&state, &city.state);
        prop_assert_eq!(&State::restore(&city.genesis, &state.snapshot()).unwrap(), &city.state);
    }
}
