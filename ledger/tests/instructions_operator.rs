//! What the operator sets right and announces: corrections and tariffs, and their refusals in order of precedence.

mod city;

use city::asking::{STREET, claim, correct, issue, ladder, transfer};
use city::{City, EPOCH, START, account, genesis, key, operator, temperatures, treasury};
use ledger::account::AccountId;
use ledger::block::Entry;
use ledger::genesis::Genesis;
use ledger::instruction::{Instruction, InstructionRefusal as Why};
use ledger::limits::TARIFF_VERSIONS_MAX;
use ledger::replay::Trust;
use ledger::state::State;
use ledger::state_leaf::{LeafKey, StateLeaf};
use ledger::tariff::Tariff;
use ledger::transaction::Refused;
use ledger::transfer::{Transfer, TransferReason};

/// Epochs of the city's running time.
fn epoch(number: u64) -> u64 {
    START + number * EPOCH
}

/// A city whose owner was paid for one epoch; gives what.
fn paid_city() -> (City, AccountId, u64) {
    let mut city = City::with_device();
    let owner = account(&key(100));
    city.one(START, &temperatures(&key(1), (1, 1), 4)).unwrap();
    city.block(epoch(1), &[]);
    let paid = city.balance(owner);
    assert!(paid > 100);
    (city, owner, paid)
}

/// The first tariff with another number and another price for everything.
fn tariff(version: u32, price_microtokens: u64) -> Tariff {
    let mut tariff = genesis().tariff;
    tariff.version = version;
    tariff.quantities.iter_mut().for_each(|quantity| quantity.price_microtokens = price_microtokens);
    tariff
}

fn set(tariff: Tariff) -> Instruction {
    Instruction::SetTariff { tariff }
}

#[test]
fn a_correction_is_refused_in_order() {
    let (mut city, owner, paid) = paid_city();
    let (pool, supply, other) = (city.state.pool(), city.state.supply(), account(&key(101)));
    let (size, top) = (city.state.log_size(), u64::MAX);
    city.carry_out(&treasury(), &transfer(owner, 1_000));
    city.carry_out(&treasury(), &transfer(other, 1_000));
    city.carry_out(&key(100), &transfer(other, 990 + paid));
    let by = operator();
    let rungs = [
        ("by the treasury", treasury(), correct(top, owner, owner, 0, ""), Why::NotOperator),
        ("by its beneficiary", key(100), correct(top, owner, owner, 0, ""), Why::NotOperator),
        ("no reason", by.clone(), correct(top, owner, owner, 0, ""), Why::WhyMissing),
        ("no such entry", by.clone(), correct(top, owner, owner, 0, "why"), Why::UnknownEntry),
        ("itself", by.clone(), correct(size + 6, owner, owner, 0, "why"), Why::UnknownEntry),
        ("between two accounts", by.clone(), correct(1, owner, other, 0, "why"), Why::NotPool),
        ("from the pool to the pool", by.clone(), correct(1, pool, pool, 0, "why"), Why::NotPool),
        ("nothing", by.clone(), correct(1, owner, pool, 0, "why"), Why::ZeroAmount),
        ("into the supply", by.clone(), correct(1, pool, supply, 1, "why"), Why::ToSupply),
        ("new tokens", by.clone(), correct(1, supply, pool, 1, "why"), Why::ExceedsRewards),
        ("what was no reward", by.clone(), correct(1, other, pool, 1, "why"), Why::ExceedsRewards),
        ("more than rewards", by.clone(), correct(1, owner, pool, paid + 1, "why"), Why::ExceedsRewards),
        ("what is spent", by.clone(), correct(1, owner, pool, paid, "why"), Why::InsufficientBalance),
        ("more than the pool has", by, correct(1, pool, owner, top, "why"), Why::InsufficientBalance),
    ];
    assert_eq!(city.state.log_size(), size + 6);
    ladder(&mut city, &rungs);
}

#[test]
fn a_correction_names_what_it_corrects_and_both_stay_visible() {
    let (mut city, owner, paid) = paid_city();
    let (pool, before) = (city.state.pool(), city.balance(city.state.pool()));
    let corrected = city.last().seal_index();
    let entry = city.entries()[corrected as usize].clone();
    let back = correct(corrected, owner, pool, paid - 1, "the sensor stood in a cellar");
    let index = city.carry_out(&operator(), &back);
    assert_eq!((city.balance(owner), city.balance(pool)), (1, before + paid - 1));
    let record = city.last().transfers[0].clone();
    let why = "the sensor stood in a cellar".to_owned();
    let reason = TransferReason::Correct { entry_index: corrected, why };
    let amount_microtokens = paid - 1;
    assert_eq!(record.transfer, Transfer { debit: owner, credit: pool, amount_microtokens, reason });
    assert_eq!(record.entry_index, index);
    // The entry that was wrong stands where it stood, and both transfers are in the history.
    assert_eq!(city.entries()[corrected as usize], entry);
    assert!(matches!(Entry::decode(&entry), Some(Entry::Seal(_))));
    let history = city.results.iter().flat_map(|results| &results.transfers);
    let of_owner: Vec<_> = history
        .filter(|record| [record.transfer.debit, record.transfer.credit].contains(&owner))
        .map(|record| record.transfer.reason.as_str())
        .collect();
    assert_eq!(of_owner, ["reward", "correct"]);
    let totals = city.state.totals().paid_microtokens;
    assert_eq!(totals, u128::from(paid), "what was paid stays paid: a correction is an entry of its own");
}

#[test]
fn corrections_together_take_back_no_more_than_was_paid() {
    let (mut city, owner, paid) = paid_city();
    let pool = city.state.pool();
    city.carry_out(&treasury(), &transfer(owner, 5_000));
    city.carry_out(&operator(), &correct(1, owner, pool, paid - 10, "half"));
    let too_much = city.instruct(&operator(), &correct(1, owner, pool, 11, "the other half"));
    assert_eq!(city.one(epoch(1), &too_much), Err(Refused::Instruction(Why::ExceedsRewards)));
    city.carry_out(&operator(), &correct(1, owner, pool, 10, "the other half"));
    assert_eq!(city.balance(owner), 5_000);
    // What a correction pays in arrears can be taken back again.
    city.carry_out(&operator(), &correct(1, pool, owner, 30, "it stood in a cellar with a window"));
    assert_eq!(city.state.account(owner).unwrap().rewards_microtokens, 30);
    city.carry_out(&operator(), &correct(1, owner, pool, 30, "the window was painted on"));
    assert_eq!(city.balance(owner), 5_000);
}

#[test]
fn what_a_claimed_device_earned_can_be_corrected_at_its_owner() {
    let mut city = City::new();
    city.enrol(&key(2), None);
    city.one(START, &temperatures(&key(2), (1, 1), 4)).unwrap();
    city.block(epoch(1), &[]);
    let (pool, escrow) = (city.state.pool(), city.state.escrow(key(2).kid()));
    let paid = city.balance(escrow);
    city.carry_out(&operator(), &correct(1, escrow, pool, 1, "a copy"));
    city.carry_out(&key(100), &claim(&key(2), &key(100), STREET));
    city.carry_out(&operator(), &correct(1, account(&key(100)), pool, paid - 1, "all of it"));
    assert_eq!((city.balance(account(&key(100))), city.balance(escrow)), (0, 0));
}

#[test]
fn a_tariff_is_refused_in_order() {
    let mut city = City::new();
    city.carry_out(&operator(), &set(tariff(2, 7)));
    let mut invalid = tariff(1, 7);
    invalid.quantities.push(invalid.quantities[0].clone());
    let mut other = City::new();
    ladder(
        &mut city,
        &[
            ("by the treasury", treasury(), set(invalid.clone()), Why::NotOperator),
            ("while one is pending", operator(), set(invalid.clone()), Why::TariffPending),
            ("the pending one again", operator(), set(tariff(2, 7)), Why::TariffPending),
            ("the next already", operator(), set(tariff(3, 7)), Why::TariffPending),
        ],
    );
    let version = |version| Tariff { version, ..invalid.clone() };
    ladder(
        &mut other,
        &[
            ("the version in force", operator(), set(version(1)), Why::TariffVersion),
            ("a version left out", operator(), set(version(3)), Why::TariffVersion),
            ("version zero", operator(), set(version(0)), Why::TariffVersion),
            ("a quantity twice", operator(), set(version(2)), Why::TariffInvalid),
        ],
    );
}

#[test]
fn a_tariff_holds_from_the_next_epoch_on_and_never_backwards() {
    let mut city = City::with_device();
    let owner = account(&key(100));
    city.one(START, &temperatures(&key(1), (1, 1), 4)).unwrap();
    city.carry_out_at(START + 1, &operator(), &set(tariff(2, 7)));
    let tariffs = city.state.tariffs();
    assert_eq!((tariffs.in_force().version, city.state.tariff().version), (1, 1));
    assert_eq!(tariffs.pending().map(|next| (next.tariff.version, next.from_epoch)), Some((2, 1)));
    // The same epoch goes on as it began, for readings before and after.
    city.one(START + 2, &temperatures(&key(1), (1, 2), 4)).unwrap();
    city.one(epoch(1), &temperatures(&key(1), (1, 3), 4)).unwrap();
    let first = city.balance(owner);
    assert_eq!(city.last().statements[0].tariff_version, 1);
    assert_eq!((city.state.tariff().version, city.state.tariffs().pending()), (2, None));
    city.block(epoch(2), &[]);
    assert_eq!(city.last().statements[0].tariff_version, 2);
    let second = city.balance(owner) - first;
    assert!(second > 0 && second <= 4 * 7 && first > second, "{first} then {second}");
}

#[test]
fn a_tariff_comes_into_force_when_epochs_without_a_block_have_passed() {
    let mut city = City::with_device();
    city.one(START, &temperatures(&key(1), (1, 1), 4)).unwrap();
    city.carry_out(&operator(), &set(tariff(2, 7)));
    // The next block comes five epochs later: it settles epoch 0 by the old tariff and executes under the new one.
    let reading = temperatures(&key(1), (1, 2), 4);
    let third = city.instruct(&operator(), &set(tariff(3, 9)));
    assert!(city.block(epoch(5), &[reading, third]).into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!(city.last().statements[0].tariff_version, 1);
    assert_eq!(city.state.tariff().version, 2);
    assert_eq!(city.state.tariffs().pending().unwrap().from_epoch, 6);
    city.block(epoch(9), &[]);
    assert_eq!(city.last().statements[0].tariff_version, 2);
    let of_epoch = |epoch| city.state.tariffs().of_epoch(epoch).unwrap().tariff.version;
    assert_eq!([0, 1, 5, 6, 9].map(of_epoch), [1, 2, 2, 3, 3]);
}

#[test]
fn every_version_of_the_tariff_stays_readable_and_provable() {
    let mut city = City::new();
    for version in 2..6 {
        city.carry_out_at(epoch(u64::from(version)), &operator(), &set(tariff(version, version.into())));
    }
    assert!(city.state.tariffs().pending().is_some());
    let versions: Vec<_> = city.state.tariffs().versions().map(|version| version.tariff.version).collect();
    assert_eq!(versions, [1, 2, 3, 4, 5]);
    assert_eq!(city.state.tariffs().version(3).unwrap().tariff, tariff(3, 3));
    let mut keys = Vec::new();
    city.state.for_each_leaf(|leaf| keys.push(StateLeaf::decode(leaf).unwrap().key()));
    assert_eq!(
        keys[..6],
        [
            LeafKey::Network,
            LeafKey::Tariff(1),
            LeafKey::Tariff(2),
            LeafKey::Tariff(3),
            LeafKey::Tariff(4),
            LeafKey::Tariff(5),
        ]
    );
    assert!(keys.is_sorted());
    let restored = State::restore(&city.genesis, &city.state.snapshot()).unwrap();
    assert_eq!(restored, city.state);
    let (mut replayed, _) = State::replay_genesis(&city.genesis, &city.blocks[0]).unwrap();
    for block in &city.blocks[1..] {
        replayed.replay(block, Trust::Nothing).unwrap();
    }
    assert_eq!(replayed, city.state);
}

#[test]
fn a_state_that_is_full_of_tariffs_takes_no_more() {
    // Quantities take time to write at every epoch's end: none are needed here.
    let bare = |version| Tariff { version, quantities: Vec::new(), ..genesis().tariff };
    let mut city = City::with(Genesis { tariff: bare(1), ..genesis() });
    let versions = TARIFF_VERSIONS_MAX as u32;
    for version in 2..=versions {
        city.carry_out_at(epoch(version.into()), &operator(), &set(bare(version)));
    }
    city.block(epoch(u64::from(versions) + 1), &[]);
    assert!(city.state.tariffs().is_full());
    ladder(&mut city, &[("one too many", operator(), set(bare(versions + 1)), Why::TooManyTariffs)]);
}

#[test]
fn an_issue_is_refused_in_order() {
    let mut city = City::new();
    let pool = city.state.pool();
    ladder(
        &mut city,
        &[
            ("by the operator", operator(), issue(pool, 0), Why::NotTreasury),
            ("nothing", treasury(), issue(pool, 0), Why::ZeroAmount),
            ("into the supply", treasury(), issue(AccountId::supply("devnet"), 1), Why::SameAccount),
            ("too much", treasury(), issue(pool, u64::MAX), Why::SupplyExceeded),
        ],
    );
}

#[test]
fn a_transfer_is_refused_in_order() {
    let mut city = City::new();
    let (poor, supply) = (key(100), AccountId::supply("devnet"));
    ladder(
        &mut city,
        &[
            ("nothing", poor.clone(), transfer(supply, 0), Why::ZeroAmount),
            ("to itself", poor.clone(), transfer(account(&poor), 1), Why::SameAccount),
            ("to the supply", poor.clone(), transfer(supply, 1), Why::ToSupply),
            ("more than there is", poor, transfer(AccountId::pool("devnet"), 1), Why::InsufficientBalance),
        ],
    );
}
