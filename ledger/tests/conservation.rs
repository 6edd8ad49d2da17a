//! Random instructions and readings: whatever happens, no micro-token is made or lost, and what is refused leaves no trace.

mod city;

use city::asking::{STREET, accept, claim, correct, enrol, issue, offer, revoke, rotate, transfer};
use city::{City, EPOCH, START, Transaction, account, genesis, key, operator, temperatures, treasury};
use devices::identity::SigningKey;
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::instruction::{Instruction, InstructionName};
use ledger::replay::Trust;
use ledger::state::State;
use ledger::transaction::Outcome;
use ledger::transfer::TransferReason;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What may happen next.
#[derive(Clone, Debug)]
enum Step {
    Reading {
        device: u8,
        boot: u32,
        count: u32,
        records: usize,
    },
    Transfer {
        from: u8,
        to: u8,
        amount: u64,
    },
    Issue {
        to: u8,
        amount: u64,
    },
    Enrol {
        device: u8,
        owner: Option<u8>,
    },
    Claim {
        device: u8,
        by: u8,
        proven_by: u8,
    },
    Offer {
        device: u8,
        by: u8,
        to: Option<u8>,
    },
    Accept {
        device: u8,
        by: u8,
    },
    /// An offer by the owner and its acceptance, one after the other.
    Handover {
        device: u8,
        to: u8,
    },
    Rotate {
        device: u8,
        to: u8,
        by: u8,
    },
    Revoke {
        device: u8,
        by: u8,
    },
    Correct {
        entry_index: u64,
        from: u8,
        to: u8,
        amount: u64,
    },
    SetTariff {
        version: u32,
        price: u64,
    },
    Block {
        milliseconds: u64,
    },
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..5_000, any::<u64>(), Just(u64::MAX)]
}

fn step() -> impl Strategy<Value = Step> {
    let (device, someone, holder) = (0..DEVICES, 0_u8..7, 0_u8..16);
    prop_oneof![
        12 => (device.clone(), 0_u32..2, 0_u32..90, 1_usize..30)
            .prop_map(|(device, boot, count, records)| Step::Reading { device, boot, count, records }),
        3 => (someone.clone(), someone.clone(), amount())
            .prop_map(|(from, to, amount)| Step::Transfer { from, to, amount }),
        1 => (someone.clone(), amount()).prop_map(|(to, amount)| Step::Issue { to, amount }),
        4 => (device.clone(), proptest::option::of(0_u8..4))
            .prop_map(|(device, owner)| Step::Enrol { device, owner }),
        3 => (device.clone(), someone.clone(), device.clone(), any::<bool>()).prop_map(
            |(device, by, other, honest)| {
                Step::Claim { device, by, proven_by: if honest { device } else { other } }
            }
        ),
        4 => (device.clone(), holder.clone(), proptest::option::of(0_u8..5))
            .prop_map(|(device, by, to)| Step::Offer { device, by, to }),
        3 => (device.clone(), holder.clone()).prop_map(|(device, by)| Step::Accept { device, by }),
        4 => (device.clone(), 0_u8..5).prop_map(|(device, to)| Step::Handover { device, to }),
        2 => (device.clone(), device.clone(), holder.clone())
            .prop_map(|(device, to, by)| Step::Rotate { device, to, by }),
        1 => (device, holder).prop_map(|(device, by)| Step::Revoke { device, by }),
        3 => (0_u64..40, someone.clone(), someone, 0_u64..3_000)
            .prop_map(|(entry_index, from, to, amount)| Step::Correct { entry_index, from, to, amount }),
        1 => (1_u32..5, 0_u64..5_000).prop_map(|(version, price)| Step::SetTariff { version, price }),
        8 => (0_u64..2 * EPOCH).prop_map(|milliseconds| Step::Block { milliseconds }),
    ]
}

/// Keys that are devices now or become some by rotation.
const DEVICES: u8 = 9;

fn device(at: u8) -> SigningKey {
    key(1 + at)
}

/// Somebody: four people, then the treasury and the operator.
fn somebody(at: u8) -> SigningKey {
    match at {
        0..4 => key(100 + at),
        4 => treasury(),
        _ => operator(),
    }
}

/// A receiver: the people, the treasury, the pool, or the escrow of the first device.
fn receiver(at: u8) -> AccountId {
    match at {
        0..5 => account(&somebody(at)),
        5 => AccountId::pool("devnet"),
        _ => AccountId::escrow("devnet", device(0).kid()),
    }
}

/// Who may do it with a device after the last block, where the step leaves that open; anybody where nobody may.
fn rightful(by: u8, holder: Option<AccountId>) -> SigningKey {
    let holders = (0..4).map(somebody).chain([operator(), treasury()]);
    let found = holder.and_then(|holder| holders.into_iter().find(|key| account(key) == holder));
    if by < 4 { somebody(by) } else { found.unwrap_or_else(|| somebody(by)) }
}

/// Who asks for what in a step; nobody for anything where it is a reading or a block's end.
fn wishes(step: &Step, state: &State) -> Vec<(SigningKey, Instruction)> {
    match step {
        Step::Handover { device: at, to } => {
            let offer = Step::Offer { device: *at, by: u8::MAX, to: Some(*to) };
            let accept = Step::Accept { device: *at, by: *to };
            [offer, accept].iter().filter_map(|step| wish(step, state)).collect()
        }
        other => wish(other, state).into_iter().collect(),
    }
}

fn wish(step: &Step, state: &State) -> Option<(SigningKey, Instruction)> {
    let of = |by: &u8, instruction| Some((somebody(*by), instruction));
    let owner = |at: &u8, by: &u8| rightful(*by, state.device(device(*at).kid()).and_then(|it| it.owner()));
    match step {
        Step::Reading { .. } | Step::Block { .. } | Step::Handover { .. } => None,
        Step::Transfer { from, to, amount } => of(from, transfer(receiver(*to), *amount)),
        Step::Issue { to, amount } => Some((treasury(), issue(receiver(*to), *amount))),
        Step::Enrol { device: at, owner } => {
            let owner = owner.map(|at| account(&somebody(at)));
            Some((operator(), enrol(&device(*at), owner, None)))
        }
        Step::Claim { device: at, by, proven_by } => {
            let mut wish = claim(&device(*proven_by), &somebody(*by), STREET);
            if let Instruction::Claim { kid, .. } = &mut wish {
                *kid = device(*at).kid();
            }
            of(by, wish)
        }
        Step::Offer { device: at, by, to } => {
            Some((owner(at, by), offer(&device(*at), to.map(somebody).as_ref())))
        }
        Step::Accept { device: at, by } => {
            let offered_to = state.device(device(*at).kid()).and_then(|it| it.offered_to());
            Some((rightful(*by, offered_to), accept(&device(*at))))
        }
        Step::Rotate { device: at, to, by } => {
            let signer = owner(at, by);
            let wish = rotate(&device(*at), &device(*to), &signer);
            Some((signer, wish))
        }
        Step::Revoke { device: at, by } => Some((owner(at, by), revoke(&device(*at), "stolen"))),
        Step::Correct { entry_index, from, to, amount } => {
            Some((operator(), correct(*entry_index, receiver(*from), receiver(*to), *amount, "an error")))
        }
        Step::SetTariff { version, price } => {
            let mut tariff = genesis().tariff;
            tariff.version = *version;
            tariff.quantities.iter_mut().for_each(|quantity| quantity.price_microtokens = *price);
            Some((operator(), Instruction::SetTariff { tariff }))
        }
    }
}

/// Everything that must hold after any block, computed from nothing but public answers.
fn check(city: &City) {
    let supply = city.state.supply();
    let (mut debits, mut credits, mut held, mut owed_back) = (0_u128, 0_u128, 0_u128, 0_u128);
    for (id, account) in city.state.accounts() {
        debits += account.debits_posted;
        credits += account.credits_posted;
        owed_back += account.rewards_microtokens;
        if id != supply {
            held += account.credits_posted - account.debits_posted;
        }
    }
    assert_eq!(debits, credits, "debits equal credits");
    assert_eq!(held, u128::from(city.state.issued_microtokens()), "supply is the sum of balances");
    // The history of transfers alone gives every balance.
    let mut balances: BTreeMap<AccountId, i128> = BTreeMap::new();
    let (mut rewards, mut taken_back, mut paid_in_arrears) = (0_u128, 0_u128, 0_u128);
    for record in city.results.iter().flat_map(|results| &results.transfers) {
        let transfer = &record.transfer;
        *balances.entry(transfer.debit).or_default() -= i128::from(transfer.amount_microtokens);
        *balances.entry(transfer.credit).or_default() += i128::from(transfer.amount_microtokens);
        let amount = u128::from(transfer.amount_microtokens);
        match &transfer.reason {
            TransferReason::Reward { .. } => rewards += amount,
            TransferReason::Correct { .. } if transfer.credit == city.state.pool() => taken_back += amount,
            TransferReason::Correct { .. } => paid_in_arrears += amount,
            _ => {}
        }
    }
    for (id, balance) in balances {
        let expected =
            if id == supply { -i128::from(city.state.issued_microtokens()) } else { city.balance(id).into() };
        assert_eq!(balance, expected, "{id}");
    }
    assert_eq!(owed_back, rewards + paid_in_arrears - taken_back, "rewards and corrections reconcile");
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
    check_registry(city);
}

/// Who owns what, seen from the devices and from the owners, and which key took which one's place.
fn check_registry(city: &City) {
    let mut owned: BTreeMap<AccountId, Vec<_>> = BTreeMap::new();
    for (kid, device) in city.state.devices() {
        if let Some(owner) = device.owner() {
            owned.entry(owner).or_default().push(kid);
        }
        let former = device.ownership.former();
        assert!(former.is_sorted_by_key(|former| former.until_unix_seconds) && former.len() <= 8);
        assert!(
            !device.is_retired() || device.offered_to().is_none(),
            "{kid}: an offer ends with the service"
        );
        if let Some(new) = device.replaced_by() {
            assert_eq!(city.state.device(new).unwrap().replaces(), Some(kid));
        }
    }
    for at in 0..7 {
        let owner = receiver(at);
        let devices: Vec<_> = city.state.devices_of(owner).collect();
        assert_eq!(devices, owned.remove(&owner).unwrap_or_default());
    }
    // The operator receives nothing here, but may be offered a device.
    let operators: Vec<_> = city.state.devices_of(account(&operator())).collect();
    assert_eq!(operators, owned.remove(&account(&operator())).unwrap_or_default());
    assert!(owned.is_empty());
}

/// Executes one block; whatever is refused must leave the state as it was.
fn block(city: &mut City, time: u64, transactions: &[Transaction]) {
    let mut builder = city.state.begin(time);
    for transaction in transactions {
        let before = builder.state().clone();
        if builder.execute(transaction).is_err() {
            assert_eq!(builder.state(), &before, "what is refused leaves no trace");
        }
    }
    let (block, results) = builder.finish();
    city.blocks.push(block);
    city.results.push(results);
}

fn run(pool_microtokens: u64, steps: &[Step]) -> City {
    let mut city = City::with(Genesis { pool_microtokens, ..genesis() });
    let (mut time, mut waiting) = (START, Vec::new());
    for step in steps {
        match step {
            Step::Reading { device: at, boot, count, records } => {
                waiting.push(temperatures(&device(*at), (*boot, *count), *records));
            }
            Step::Block { milliseconds } => {
                time += milliseconds;
                block(&mut city, time, &waiting);
                waiting.clear();
                check(&city);
            }
            other => {
                for (signer, instruction) in wishes(other, &city.state) {
                    waiting.push(city.instruct(&signer, &instruction));
                }
            }
        }
    }
    block(&mut city, time + EPOCH, &waiting);
    check(&city);
    city
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn no_micro_token_is_made_or_lost(
        pool in prop_oneof![Just(0), 0_u64..60_000, Just(1_000_000_000_000)],
        steps in prop::collection::vec(step(), 1..120),
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

#[test]
fn the_random_steps_reach_every_instruction_carried_out_and_refused() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut done, mut asked) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..48 {
        let steps = prop::collection::vec(step(), 100..120).new_tree(&mut runner).unwrap().current();
        let (nothing_yet, _, _) = State::genesis(&genesis());
        for (_, instruction) in steps.iter().flat_map(|step| wishes(step, &nothing_yet)) {
            *asked.entry(instruction.name()).or_insert(0_u32) += 1;
        }
        let city = run(1_000_000_000_000, &steps);
        for outcome in city.results.iter().flat_map(|results| &results.outcomes) {
            if let Outcome::Instruction { name, .. } = outcome {
                *done.entry(*name).or_insert(0_u32) += 1;
            }
        }
    }
    for name in InstructionName::ALL.into_iter().filter(|name| !name.is_of_validators()) {
        let (done, asked) = (done.get(&name).copied().unwrap_or(0), asked[&name]);
        assert!(done > 0 && done < asked, "{name}: {done} of {asked} were carried out");
    }
}
