//! Accounts' instructions: what each does, and every reason to refuse one in order of precedence.

mod city;

use city::asking::{at, enrol, issue, refused, transfer};
use city::{City, START, account, genesis, instruction_with, key, operator, treasury};
use devices::identity::SigningKey;
use devices::instruction::SignedInstruction;
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::instruction::{Instruction, InstructionRefusal as Why};
use ledger::registry::Position;
use ledger::state::State;
use ledger::transaction::{Outcome, Refused};
use ledger::transfer::TransferReason;

fn enrol_at(device: &SigningKey, position: Option<(i32, i32)>) -> Instruction {
    enrol(device, None, position.map(|(latitude, longitude)| at(latitude, longitude)))
}

#[test]
fn every_refusal_has_its_reason_and_leaves_no_trace() {
    let (rich, poor, pool) = (key(10), key(11), AccountId::pool("devnet"));
    let mut city = City::with_device();
    let to_rich = city.instruct(&treasury(), &transfer(account(&rich), 1_000));
    city.one(START, &to_rich).unwrap();
    let spend = city.instruct(&rich, &transfer(pool, 1));
    city.one(START, &spend).unwrap();
    let supply = city.state.supply();
    let owned_by =
        |owner| Instruction::Enrol { public_key: key(2).public_key(), owner: Some(owner), position: None };
    let table = [
        ("no array", operator(), 9, vec![0x01], true, Why::Malformed),
        ("an unknown name", operator(), 9, b"\x81\x65hello".to_vec(), true, Why::Malformed),
        ("an argument too many", treasury(), 9, b"\x83\x65issue\x01\x02".to_vec(), true, Why::Malformed),
        (
            "an account nobody knows, without its key",
            poor.clone(),
            9,
            transfer(pool, 1).encode(),
            false,
            Why::UnknownAccount,
        ),
        ("an old counter", rich.clone(), 1, transfer(pool, 1).encode(), true, Why::StaleCounter),
        ("counter zero", poor.clone(), 0, transfer(pool, 1).encode(), true, Why::StaleCounter),
        ("enrol by another", rich.clone(), 9, enrol_at(&key(2), None).encode(), true, Why::NotOperator),
        ("enrol by the treasury", treasury(), 9, enrol_at(&key(2), None).encode(), true, Why::NotOperator),
        ("enrol twice", operator(), 9, enrol_at(&key(1), None).encode(), true, Why::AlreadyEnrolled),
        ("the pool as owner", operator(), 9, owned_by(pool).encode(), true, Why::OwnerNotAllowed),
        ("the supply as owner", operator(), 9, owned_by(supply).encode(), true, Why::OwnerNotAllowed),
        (
            "too far north",
            operator(),
            9,
            enrol_at(&key(2), Some((90_000_001, 0))).encode(),
            true,
            Why::PositionOutOfRange,
        ),
        (
            "too far west",
            operator(),
            9,
            enrol_at(&key(2), Some((0, -180_000_001))).encode(),
            true,
            Why::PositionOutOfRange,
        ),
        ("nowhere", operator(), 9, enrol_at(&key(2), Some((0, 0))).encode(), true, Why::PositionUnset),
        ("issue by the operator", operator(), 9, issue(pool, 1).encode(), true, Why::NotTreasury),
        ("issue nothing", treasury(), 9, issue(pool, 0).encode(), true, Why::ZeroAmount),
        ("issue into the supply", treasury(), 9, issue(supply, 1).encode(), true, Why::SameAccount),
        ("issue too much", treasury(), 9, issue(pool, u64::MAX).encode(), true, Why::SupplyExceeded),
        ("transfer nothing", rich.clone(), 9, transfer(pool, 0).encode(), true, Why::ZeroAmount),
        ("transfer to itself", rich.clone(), 9, transfer(account(&rich), 1).encode(), true, Why::SameAccount),
        ("transfer to the supply", rich.clone(), 9, transfer(supply, 1).encode(), true, Why::ToSupply),
        (
            "transfer too much",
            rich.clone(),
            9,
            transfer(pool, 1_000).encode(),
            true,
            Why::InsufficientBalance,
        ),
        (
            "transfer of an account without a balance",
            poor,
            9,
            transfer(pool, 1).encode(),
            true,
            Why::InsufficientBalance,
        ),
    ];
    for (case, signer, counter, payload, with_key, why) in table {
        assert_eq!(refused(&mut city, &signer, counter, &payload, with_key), why, "{case}");
    }
}

#[test]
fn the_earlier_reason_wins_where_several_apply() {
    let mut city = City::with_device();
    // A stale counter of somebody who may not enrol a device that is enrolled already, at a place that is none.
    let wrong = Instruction::Enrol {
        public_key: key(1).public_key(),
        owner: Some(AccountId::pool("devnet")),
        position: Some(Position { latitude_microdegrees: 0, longitude_microdegrees: 0 }),
    };
    let mut reasons = vec![refused(&mut city, &treasury(), 0, &[0x01], false)];
    reasons.push(refused(&mut city, &key(12), 0, &wrong.encode(), false));
    reasons.push(refused(&mut city, &treasury(), 0, &wrong.encode(), false));
    reasons.push(refused(&mut city, &treasury(), 7, &wrong.encode(), false));
    reasons.push(refused(&mut city, &operator(), 7, &wrong.encode(), false));
    assert_eq!(
        reasons,
        [Why::Malformed, Why::UnknownAccount, Why::StaleCounter, Why::NotOperator, Why::AlreadyEnrolled]
    );
    assert!(reasons.is_sorted(), "the enum stands in order of precedence");
}

#[test]
fn the_first_instruction_brings_the_key_and_later_ones_need_it_no_more() {
    let (alice, bob) = (key(10), key(11));
    let mut city = City::new();
    let given = city.instruct(&treasury(), &transfer(account(&alice), 100));
    city.one(START, &given).unwrap();
    assert_eq!(city.state.account_key(alice.kid()), None, "an account can receive before its key is known");
    let first = instruction_with(&alice, 5, &transfer(account(&bob), 10).encode(), true);
    city.one(START, &first).unwrap();
    assert_eq!(city.state.account_key(alice.kid()), Some(&alice.public_key()));
    let second = instruction_with(&alice, 6, &transfer(account(&bob), 10).encode(), false);
    let outcome = city.one(START, &second).unwrap();
    assert!(matches!(outcome, Outcome::Instruction { account: id, .. } if id == account(&alice)));
    assert_eq!((city.balance(account(&alice)), city.balance(account(&bob))), (80, 20));
    assert_eq!(city.state.account(account(&alice)).unwrap().counter, 6);
}

#[test]
fn an_instruction_is_verified_under_the_account_s_key_only() {
    let city = City::new();
    let decode = |bytes: &[u8]| SignedInstruction::decode(bytes.to_vec()).unwrap();
    let stranger = instruction_with(&key(9), 1, &transfer(city.state.pool(), 1).encode(), false);
    let (why, _) = city.state.verify_instruction(decode(stranger.bytes())).unwrap_err();
    assert_eq!(why, Why::UnknownAccount);
    let good = instruction_with(&treasury(), 1, &transfer(city.state.pool(), 1).encode(), false);
    assert!(city.state.verify_instruction(decode(good.bytes())).is_ok());
    let mut altered = good.bytes().to_vec();
    *altered.last_mut().unwrap() ^= 1;
    let (why, _) = city.state.verify_instruction(decode(&altered)).unwrap_err();
    assert_eq!(why, Why::Signature);
}

#[test]
fn an_instruction_counts_once() {
    let mut city = City::new();
    let given = city.instruct(&treasury(), &transfer(account(&key(10)), 100));
    city.one(START, &given).unwrap();
    assert_eq!(city.one(START, &given), Err(Refused::Instruction(Why::StaleCounter)));
    assert_eq!(city.balance(account(&key(10))), 100);
}

#[test]
fn issuing_raises_the_supply_and_is_posted_twice() {
    let mut city = City::new();
    let before = city.state.issued_microtokens();
    let issued = city.instruct(&treasury(), &issue(account(&key(10)), 77));
    let index = city.one(START, &issued).unwrap().index();
    assert_eq!(city.state.issued_microtokens(), before + 77);
    assert_eq!(city.balance(account(&key(10))), 77);
    let record = &city.last().transfers[0];
    assert_eq!(record.transfer.reason, TransferReason::Issue);
    assert_eq!((record.transfer.debit, record.transfer.credit), (city.state.supply(), account(&key(10))));
    assert_eq!((record.entry_index, record.height), (index, 1));
}

#[test]
fn an_enrolled_device_stands_in_the_registry_with_its_owner() {
    let mut city = City::with_device();
    city.enrol(&key(2), None);
    let owner = account(&key(100));
    assert_eq!(city.state.devices_of(owner).collect::<Vec<_>>(), [key(1).kid()]);
    assert_eq!(city.state.device(key(2).kid()).unwrap().owner(), None);
    assert_eq!(city.state.device_key(key(2).kid()), Some(&key(2).public_key()));
    assert_eq!(city.state.device(key(1).kid()).unwrap().enrolled_height, 1);
    assert_eq!(city.state.device_count(), 2);
}

#[test]
fn genesis_posts_what_its_document_gives_and_commits_to_all_of_it() {
    let genesis = genesis();
    let (state, block, results) = State::genesis(&genesis);
    assert_eq!((state.height(), state.log_size(), state.epoch()), (0, 1, 0));
    assert_eq!(state.balance_microtokens(state.pool()), genesis.pool_microtokens);
    assert_eq!(state.balance_microtokens(state.treasury()), genesis.treasury_microtokens);
    assert_eq!(results.transfers.len(), 2);
    assert!(block.entries.is_empty());
    let id = |change: &dyn Fn(&mut Genesis)| {
        let mut changed = genesis.clone();
        change(&mut changed);
        State::genesis(&changed).1.seal.id()
    };
    let same = block.seal.id();
    assert_eq!(id(&|_| {}), same);
    assert_ne!(id(&|g| g.tariff.quantities[0].price_microtokens += 1), same);
    assert_ne!(id(&|g| g.origin.push('x')), same);
    assert_ne!(id(&|g| g.validators.clear()), same);
}

#[test]
fn a_genesis_document_is_read_strictly() {
    use ledger::genesis::GenesisError as Why;
    let genesis = genesis();
    let json = genesis.to_json();
    assert_eq!(Genesis::from_json(&json), Ok(genesis.clone()));
    let compact: String = json.split_whitespace().collect();
    assert_eq!(Genesis::from_json(&compact).unwrap().hash(), genesis.hash(), "formatting changes nothing");
    assert!(json.contains("\"pool_microtokens\": \"1000000000000\""), "amounts are text: {json}");
    let read = |from: &str, to: &str| Genesis::from_json(&json.replacen(from, to, 1)).unwrap_err();
    assert!(matches!(read("\"network\"", "\"net\""), Why::Json(_)));
    assert!(matches!(read("\"1000000000000\"", "1000000000000"), Why::Json(_)));
    assert!(matches!(read("\"1000000000000\"", "\"01\""), Why::Json(_)));
    assert_eq!(read("\"devnet\"", "\"Dev net\""), Why::Network);
    assert_eq!(read("\"epoch_seconds\": 60", "\"epoch_seconds\": 0"), Why::EpochSeconds);
    assert_eq!(read("\"epoch_seconds\": 60", "\"epoch_seconds\": 7"), Why::Time);
    assert_eq!(read("\"origin\": \"lamppost/devnet\"", "\"origin\": \"lamppost/city\""), Why::LoneValidator);
    assert_eq!(read("\"1000000000000\"", "\"18446744073709551615\""), Why::Supply);
    assert!(matches!(
        read("\"price_microtokens\": \"1000\"", "\"price_microtokens\": \"1000000001\""),
        Why::Tariff(_)
    ));
    let weak = format!("01{}", "00".repeat(31));
    assert!(matches!(read(&genesis.operator.to_string(), &weak), Why::Json(_)));
}
