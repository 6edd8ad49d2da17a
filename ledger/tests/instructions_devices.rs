//! Instructions about devices: who may ask, what each changes, and its refusals in order of precedence.

mod city;

use city::asking::{STREET, accept, at, claim, enrol, ladder, offer, refused, revoke, rotate, transfer};
use city::{City, EPOCH, START, account, key, operator, temperatures, treasury};
use devices::identity::SigningKey;
use devices::possession::Possession;
use devices::reading::VerifiedReading;
use devices::refusal::Refusal;
use ledger::account::AccountId;
use ledger::instruction::{Instruction, InstructionRefusal as Why};
use ledger::replay::Trust;
use ledger::state::State;
use ledger::transaction::Refused;
use ledger::transfer::TransferReason;

/// Devices by what became of them.
fn owned() -> SigningKey {
    key(1)
}
fn unowned() -> SigningKey {
    key(2)
}
fn revoked() -> SigningKey {
    key(3)
}
fn replaced() -> SigningKey {
    key(4)
}
fn replacing() -> SigningKey {
    key(5)
}
fn unknown() -> SigningKey {
    key(9)
}

/// Who owns the devices that are owned, and who would like to.
fn owner() -> SigningKey {
    key(100)
}
fn buyer() -> SigningKey {
    key(101)
}

fn city() -> City {
    let mut city = City::new();
    for device in [owned(), revoked(), replaced()] {
        city.enrol(&device, Some(account(&owner())));
    }
    city.enrol(&unowned(), None);
    city.carry_out(&owner(), &revoke(&revoked(), "stolen"));
    city.carry_out(&owner(), &rotate(&replaced(), &replacing(), &owner()));
    city
}

/// The same claim with this proof.
fn with_proof(instruction: Instruction, proof: [u8; 64]) -> Instruction {
    match instruction {
        Instruction::Claim { kid, position, .. } => Instruction::Claim { kid, position, proof },
        Instruction::RotateKey { kid, new_key, .. } => Instruction::RotateKey { kid, new_key, proof },
        other => other,
    }
}

fn reading_refusal(city: &mut City, device: &SigningKey, count: u32) -> Option<Refusal> {
    let time = city.state.time_unix_milliseconds();
    match city.one(time, &temperatures(device, (7, count), 1)) {
        Ok(_) => None,
        Err(Refused::Reading(refusal)) => Some(refusal),
        Err(Refused::Instruction(why)) => panic!("{why}"),
    }
}

#[test]
fn an_enrolment_is_refused_in_order() {
    let mut city = city();
    let (pool, null, away) = (city.state.pool(), Some(at(0, 0)), Some(at(90_000_001, 0)));
    let supply = city.state.supply();
    let rungs = [
        ("by somebody", buyer(), enrol(&owned(), Some(pool), away), Why::NotOperator),
        ("by the treasury", treasury(), enrol(&owned(), Some(pool), away), Why::NotOperator),
        ("twice", operator(), enrol(&owned(), Some(pool), away), Why::AlreadyEnrolled),
        ("a replaced key", operator(), enrol(&replaced(), Some(pool), away), Why::AlreadyEnrolled),
        ("a revoked key", operator(), enrol(&revoked(), Some(pool), away), Why::AlreadyEnrolled),
        ("the pool's", operator(), enrol(&unknown(), Some(pool), away), Why::OwnerNotAllowed),
        ("the supply's", operator(), enrol(&unknown(), Some(supply), away), Why::OwnerNotAllowed),
        ("too far north", operator(), enrol(&unknown(), None, away), Why::PositionOutOfRange),
        (
            "too far west",
            operator(),
            enrol(&unknown(), None, Some(at(0, -180_000_001))),
            Why::PositionOutOfRange,
        ),
        ("nowhere", operator(), enrol(&unknown(), None, null), Why::PositionUnset),
    ];
    ladder(&mut city, &rungs);
}

#[test]
fn a_claim_is_refused_in_order() {
    let mut city = city();
    let (nowhere, away) = (at(0, 0), at(0, 180_000_001));
    let wrong = |device: &SigningKey, position| with_proof(claim(device, &buyer(), position), [0; 64]);
    let good = |device: &SigningKey| claim(device, &buyer(), STREET);
    let other_network = Possession::Claim { account: *account(&buyer()).as_bytes() };
    let other_network = other_network.sign(&unowned(), "othernet").unwrap();
    let rotation = Possession::Rotation { replaced: unowned().kid(), account: *account(&buyer()).as_bytes() };
    let rotation = rotation.sign(&unowned(), "devnet").unwrap();
    let mut altered = claim(&unowned(), &buyer(), STREET);
    if let Instruction::Claim { proof, .. } = &mut altered {
        proof[0] ^= 1;
    }
    let rungs = [
        ("nobody enrolled it", buyer(), wrong(&unknown(), away), Why::UnknownDevice),
        ("revoked", buyer(), wrong(&revoked(), away), Why::DeviceRevoked),
        ("replaced", buyer(), wrong(&replaced(), away), Why::DeviceReplaced),
        ("owned by another", buyer(), wrong(&owned(), away), Why::AlreadyOwned),
        ("owned by the claimant", owner(), wrong(&replacing(), away), Why::AlreadyOwned),
        ("too far east", buyer(), wrong(&unowned(), away), Why::PositionOutOfRange),
        ("nowhere", buyer(), wrong(&unowned(), nowhere), Why::PositionUnset),
        ("no signature", buyer(), wrong(&unowned(), STREET), Why::Possession),
        ("altered", buyer(), altered, Why::Possession),
        ("for another account", owner(), good(&unowned()), Why::Possession),
        ("on another network", buyer(), with_proof(good(&unowned()), other_network), Why::Possession),
        ("a rotation's proof", buyer(), with_proof(good(&unowned()), rotation), Why::Possession),
        (
            "by another device",
            buyer(),
            match claim(&owned(), &buyer(), STREET) {
                Instruction::Claim { proof, .. } => with_proof(good(&unowned()), proof),
                other => other,
            },
            Why::Possession,
        ),
    ];
    ladder(&mut city, &rungs);
}

#[test]
fn an_offer_is_refused_in_order() {
    let mut city = city();
    let pool = city.state.pool();
    let supply = city.state.supply();
    let to = |device: &SigningKey, to| Instruction::TransferDevice { kid: device.kid(), to: Some(to) };
    let rungs = [
        ("nobody enrolled it", buyer(), to(&unknown(), pool), Why::UnknownDevice),
        ("another's", buyer(), to(&revoked(), pool), Why::NotOwner),
        ("the operator may not either", operator(), to(&revoked(), pool), Why::NotOwner),
        ("nobody's", buyer(), to(&unowned(), pool), Why::NotOwner),
        ("nothing to withdraw", owner(), offer(&revoked(), None), Why::NotOffered),
        ("revoked", owner(), to(&revoked(), pool), Why::DeviceRevoked),
        ("replaced", owner(), to(&replaced(), pool), Why::DeviceReplaced),
        ("to the pool", owner(), to(&owned(), pool), Why::OwnerNotAllowed),
        ("to the supply", owner(), to(&owned(), supply), Why::OwnerNotAllowed),
        ("to itself", owner(), offer(&owned(), Some(&owner())), Why::SameOwner),
    ];
    ladder(&mut city, &rungs);
}

#[test]
fn an_acceptance_is_refused_in_order() {
    let mut city = city();
    city.carry_out(&owner(), &offer(&owned(), Some(&buyer())));
    let rungs = [
        ("nobody enrolled it", buyer(), accept(&unknown()), Why::UnknownDevice),
        ("not offered", buyer(), accept(&replacing()), Why::NotOffered),
        ("offered to another", key(102), accept(&owned()), Why::NotOffered),
        ("by its owner", owner(), accept(&owned()), Why::NotOffered),
        ("by the operator", operator(), accept(&owned()), Why::NotOffered),
        ("revoked", buyer(), accept(&revoked()), Why::NotOffered),
    ];
    ladder(&mut city, &rungs);
    city.carry_out(&owner(), &offer(&owned(), None));
    assert_eq!(refused(&mut city, &buyer(), 9, &accept(&owned()).encode(), true), Why::NotOffered);
    city.carry_out(&owner(), &offer(&owned(), Some(&buyer())));
    city.carry_out(&owner(), &revoke(&owned(), "an offer ends with the service"));
    assert_eq!(refused(&mut city, &buyer(), 9, &accept(&owned()).encode(), true), Why::NotOffered);
}

#[test]
fn a_rotation_is_refused_in_order() {
    let mut city = city();
    let (by_owner, new) = (owner(), unknown());
    let wrong = |old: &SigningKey, new: &SigningKey| with_proof(rotate(old, new, &owner()), [0; 64]);
    let claim_proof = Possession::Claim { account: *account(&owner()).as_bytes() };
    let claim_proof = claim_proof.sign(&new, "devnet").unwrap();
    let Instruction::RotateKey { proof: of_the_old_key, .. } = rotate(&owned(), &owned(), &owner()) else {
        panic!("a rotation")
    };
    let rungs = [
        ("nobody enrolled it", buyer(), wrong(&unknown(), &owned()), Why::UnknownDevice),
        ("another's", buyer(), wrong(&revoked(), &owned()), Why::NotOwner),
        ("nobody's", buyer(), wrong(&unowned(), &owned()), Why::NotOwner),
        ("revoked", owner(), wrong(&revoked(), &owned()), Why::DeviceRevoked),
        ("replaced", owner(), wrong(&replaced(), &owned()), Why::DeviceReplaced),
        ("by its own key", owner(), wrong(&owned(), &owned()), Why::AlreadyEnrolled),
        ("by another device's key", operator(), wrong(&owned(), &unowned()), Why::AlreadyEnrolled),
        ("by a key replaced before", owner(), wrong(&owned(), &replaced()), Why::AlreadyEnrolled),
        ("no signature", owner(), wrong(&owned(), &new), Why::Possession),
        ("of the old key", by_owner, with_proof(wrong(&owned(), &new), of_the_old_key), Why::Possession),
        ("a claim's proof", owner(), with_proof(wrong(&owned(), &new), claim_proof), Why::Possession),
        ("for another account", operator(), rotate(&owned(), &new, &owner()), Why::Possession),
    ];
    ladder(&mut city, &rungs);
    let mut weak = rotate(&owned(), &unknown(), &owner()).encode();
    let at = weak.windows(32).position(|bytes| bytes == unknown().public_key().as_bytes()).unwrap();
    weak[at..at + 32].fill(0);
    weak[at] = 1;
    assert_eq!(refused(&mut city, &owner(), 1_000, &weak, true), Why::Malformed, "a weak key");
}

#[test]
fn a_revocation_is_refused_in_order() {
    let mut city = city();
    let rungs = [
        ("nobody enrolled it", buyer(), revoke(&unknown(), ""), Why::UnknownDevice),
        ("another's", buyer(), revoke(&revoked(), ""), Why::NotOwner),
        ("by the treasury", treasury(), revoke(&owned(), ""), Why::NotOwner),
        ("twice", owner(), revoke(&revoked(), ""), Why::DeviceRevoked),
        ("replaced", operator(), revoke(&replaced(), ""), Why::DeviceReplaced),
        ("no reason", owner(), revoke(&owned(), ""), Why::WhyMissing),
        ("a reason of spaces", operator(), revoke(&owned(), "  \n"), Why::WhyMissing),
    ];
    ladder(&mut city, &rungs);
    let long = revoke(&owned(), &"x".repeat(281)).encode();
    assert_eq!(refused(&mut city, &owner(), 1_000, &long, true), Why::Malformed, "an overlong reason");
}

#[test]
fn a_claim_gives_the_device_its_owner_its_place_and_what_waited_in_escrow() {
    let mut city = city();
    let (kid, claimant) = (unowned().kid(), account(&buyer()));
    let escrow = city.state.escrow(kid);
    city.one(START, &temperatures(&unowned(), (1, 1), 3)).unwrap();
    city.block(START + EPOCH, &[]);
    let earned = city.balance(escrow);
    assert!(earned > 0);
    // Somebody sends to the escrow account by mistake: the owner gets it, but it was no reward.
    city.carry_out(&treasury(), &transfer(escrow, 17));
    let index = city.carry_out(&buyer(), &claim(&unowned(), &buyer(), STREET));
    let device = city.state.device(kid).unwrap();
    assert_eq!((device.owner(), device.position), (Some(claimant), Some(STREET)));
    assert!(device.ownership.former().is_empty());
    assert_eq!((city.balance(escrow), city.balance(claimant)), (0, earned + 17));
    assert_eq!(city.state.devices_of(claimant).collect::<Vec<_>>(), [kid]);
    let record = city.last().transfers.last().unwrap();
    assert_eq!((&record.transfer.reason, record.entry_index), (&TransferReason::Claim { kid }, index));
    let rewards = |id| city.state.account(id).unwrap().rewards_microtokens;
    assert_eq!((rewards(escrow), rewards(claimant)), (0, u128::from(earned)));
}

#[test]
fn a_claim_in_mid_epoch_gets_the_whole_epoch_paid() {
    let mut city = city();
    city.one(START, &temperatures(&unowned(), (1, 1), 3)).unwrap();
    city.carry_out_at(START + 1_000, &buyer(), &claim(&unowned(), &buyer(), STREET));
    city.one(START + 2_000, &temperatures(&unowned(), (1, 2), 3)).unwrap();
    city.block(START + EPOCH, &[]);
    let paid: u64 = city.last().statements.iter().map(|statement| statement.paid_microtokens).sum();
    assert!(paid > 0);
    assert_eq!(city.balance(account(&buyer())), paid);
    assert_eq!(city.balance(city.state.escrow(unowned().kid())), 0);
}

#[test]
fn a_claim_reaches_back_through_the_keys_that_were_replaced() {
    let mut city = city();
    let (first, second) = (unowned(), key(20));
    city.one(START, &temperatures(&first, (1, 1), 3)).unwrap();
    city.block(START + EPOCH, &[]);
    city.one(START + EPOCH, &temperatures(&first, (1, 2), 3)).unwrap();
    city.carry_out(&operator(), &rotate(&first, &second, &operator()));
    city.one(START + EPOCH, &temperatures(&second, (1, 1), 3)).unwrap();
    city.carry_out(&buyer(), &claim(&second, &buyer(), STREET));
    city.block(START + 2 * EPOCH, &[]);
    let paid: u64 =
        city.results.iter().flat_map(|results| &results.statements).map(|s| s.paid_microtokens).sum();
    assert_eq!(city.balance(account(&buyer())), paid, "nothing is left in an escrow that nobody can open");
    assert_eq!(city.state.devices_of(account(&buyer())).count(), 2);
}

#[test]
fn a_device_changes_hands_in_two_steps_while_it_is_dark() {
    let mut city = city();
    let kid = owned().kid();
    city.carry_out(&owner(), &offer(&owned(), Some(&buyer())));
    let device = city.state.device(kid).unwrap();
    assert_eq!((device.owner(), device.offered_to()), (Some(account(&owner())), Some(account(&buyer()))));
    let months_later = START + 100 * 86_400_000;
    city.carry_out_at(months_later, &buyer(), &accept(&owned()));
    let device = city.state.device(kid).unwrap();
    assert_eq!((device.owner(), device.offered_to()), (Some(account(&buyer())), None));
    let former = device.ownership.former();
    assert_eq!((former[0].owner, former[0].until_unix_seconds), (account(&owner()), months_later / 1_000));
    assert!(city.state.devices_of(account(&owner())).all(|owned| owned != kid));
    assert_eq!(city.state.devices_of(account(&buyer())).collect::<Vec<_>>(), [kid]);
    assert_eq!(reading_refusal(&mut city, &owned(), 1), None, "the device knows nothing of it");
}

#[test]
fn a_ninth_former_owner_must_wait_until_the_first_is_forgotten() {
    let mut city = city();
    let hands = [owner(), buyer()];
    let pass = |city: &mut City, turn: usize, time: u64| {
        let (from, to) = (&hands[turn % 2], &hands[(turn + 1) % 2]);
        city.carry_out_at(time, from, &offer(&owned(), Some(to)));
        let acceptance = city.instruct(to, &accept(&owned()));
        city.one(time, &acceptance)
    };
    for turn in 0..8 {
        pass(&mut city, turn, START + turn as u64 * 1_000).unwrap();
    }
    let days = |days: u64| START + days * 86_400_000;
    assert_eq!(pass(&mut city, 8, days(31)), Err(Refused::Instruction(Why::TooManyOwners)));
    pass(&mut city, 8, days(31) + 1_000).unwrap();
    assert_eq!(city.state.device(owned().kid()).unwrap().ownership.former().len(), 8);
}

#[test]
fn a_rotated_key_signs_no_more_but_all_it_signed_still_verifies() {
    let mut city = city();
    let (old, new) = (owned(), key(20));
    let before = temperatures(&old, (7, 1), 2);
    city.one(START, &before).unwrap();
    let time = START + 5_000;
    city.carry_out_at(time, &owner(), &rotate(&old, &new, &owner()));
    let (was, is) = (city.state.device(old.kid()).unwrap(), city.state.device(new.kid()).unwrap());
    assert_eq!((was.replaced_by(), was.active_until_unix_milliseconds()), (Some(new.kid()), Some(time)));
    assert!(was.is_retired() && !was.is_revoked() && !is.is_retired());
    assert_eq!((is.replaces(), is.active_from_unix_milliseconds), (Some(old.kid()), START));
    assert_eq!((is.owner(), &is.ownership, is.position), (was.owner(), &was.ownership, was.position));
    assert_eq!(reading_refusal(&mut city, &old, 2), Some(Refusal::Revoked));
    assert_eq!(reading_refusal(&mut city, &new, 1), None);
    // The old key stays, so an auditor who believes nothing comes to the same state.
    assert_eq!(city.state.device_key(old.kid()), Some(&old.public_key()));
    let (mut state, _) = State::replay_genesis(&city.genesis, &city.blocks[0]).unwrap();
    for (block, results) in city.blocks.iter().zip(&city.results).skip(1) {
        assert_eq!(&state.replay(block, Trust::Nothing).unwrap(), results);
    }
    assert_eq!(state, city.state);
    assert_eq!(State::restore(&city.genesis, &state.snapshot()).unwrap(), state);
    city.block(START + EPOCH, &[]);
    let [statement] = city.last().statements.as_slice() else { panic!("one sensor has one statement") };
    assert_eq!((statement.kid, statement.envelopes), (new.kid(), 2), "what the old key sent is in it too");
    assert_eq!(statement.lines[0].accepted_records, 3);
}

#[test]
fn a_new_key_in_mid_epoch_earns_no_more_than_the_old_one_would_have() {
    let earned = |keys: &[SigningKey]| {
        let mut city = city();
        let mut current = owned();
        // Ten envelopes of twelve records are twice what the tariff pays for.
        for turn in 0..10_u32 {
            let time = START + u64::from(turn) * 1_000;
            city.one(time, &temperatures(&current, (1, turn), 12)).unwrap();
            if let Some(next) = keys.get(turn as usize) {
                city.carry_out_at(time, &owner(), &rotate(&current, next, &owner()));
                current = next.clone();
            }
        }
        city.block(START + EPOCH, &[]);
        let paid: u64 = city.last().statements.iter().map(|statement| statement.paid_microtokens).sum();
        assert_eq!(city.balance(account(&owner())), paid);
        (paid, city.last().statements[0].lines.clone())
    };
    let alone = earned(&[]);
    assert!(alone.0 > 0 && alone.1[0].paid_records < alone.1[0].accepted_records, "the cap was reached");
    assert_eq!(earned(&[key(30)]), alone);
    assert_eq!(earned(&(30..40).map(key).collect::<Vec<_>>()), alone);
}

#[test]
fn the_operator_may_rotate_and_revoke_but_not_transfer() {
    let mut city = city();
    city.carry_out(&operator(), &rotate(&owned(), &key(20), &operator()));
    assert_eq!(city.state.device(key(20).kid()).unwrap().owner(), Some(account(&owner())));
    city.carry_out(&operator(), &revoke(&key(20), "it measures its own heat"));
    assert_eq!(reading_refusal(&mut city, &key(20), 1), Some(Refusal::Revoked));
}

#[test]
fn a_reading_verified_before_the_revocation_in_its_block_is_refused() {
    let mut city = city();
    let revocation = city.instruct(&owner(), &revoke(&owned(), "stolen"));
    let rotation = city.instruct(&owner(), &rotate(&replacing(), &key(20), &owner()));
    let [first, second] = [1, 2].map(|count| temperatures(&owned(), (1, count), 1));
    let of_old_key = temperatures(&replacing(), (1, 1), 1);
    let of_new_key = temperatures(&key(20), (1, 1), 1);
    let outcomes = city.block(START, &[first, revocation, second, rotation, of_old_key, of_new_key]);
    let revoked = Err(Refused::Reading(Refusal::Revoked));
    let good: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, true, false, true, false, true]);
    assert_eq!((outcomes[2], outcomes[4]), (revoked, revoked));
    let device = city.state.device(owned().kid()).unwrap();
    assert!(device.is_revoked());
    assert_eq!((device.accepted_envelopes, device.active_until_unix_milliseconds()), (1, Some(START)));
    assert_eq!(city.state.totals().refused[Refusal::Revoked.index()], 2);
}

#[test]
fn a_reading_cannot_be_passed_off_under_another_devices_key() {
    let mut city = city();
    // A node that believed its own log blindly would take this as verified under the wrong key.
    let bytes = temperatures(&owned(), (1, 1), 1).bytes().to_vec();
    let passed_off = VerifiedReading::from_own_log(city::signed(bytes), &unowned().public_key(), "devnet");
    let outcome = city.one(START, &ledger::transaction::VerifiedTransaction::Reading(passed_off));
    assert_eq!(outcome, Err(Refused::Reading(Refusal::Signature)));
}

#[test]
fn every_instruction_is_read_back_as_it_was_written_and_in_one_form_only() {
    let id = AccountId::pool("devnet");
    let all = [
        enrol(&owned(), Some(id), Some(STREET)),
        claim(&owned(), &owner(), STREET),
        offer(&owned(), None),
        offer(&owned(), Some(&buyer())),
        accept(&owned()),
        rotate(&owned(), &key(20), &owner()),
        revoke(&owned(), "why"),
        transfer(id, 5),
        city::asking::issue(id, 5),
        city::asking::correct(1, id, account(&owner()), 5, "why"),
        Instruction::SetTariff { tariff: city::genesis().tariff },
        city::asking::add_validator(0, "utility", &key(30)),
        city::asking::remove_validator(0, "utility"),
        city::asking::report(city::asking::two_prevotes(&key(30), &[1; 32], 7, 0)),
    ];
    let mut names: Vec<_> = all.iter().map(Instruction::name).collect();
    names.dedup();
    assert_eq!(names, ledger::instruction::InstructionName::ALL);
    for instruction in all {
        let bytes = instruction.encode();
        assert_eq!(Instruction::decode(&bytes).as_ref(), Ok(&instruction));
        for length in 0..bytes.len() {
            assert!(Instruction::decode(&bytes[..length]).is_err());
        }
        let longer = [bytes, vec![0]].concat();
        assert!(Instruction::decode(&longer).is_err());
    }
}

#[test]
fn every_refusal_has_a_word_of_its_own_and_a_sentence() {
    let mut words: Vec<_> = Why::ALL.iter().map(|why| why.as_str()).collect();
    assert!(Why::ALL.is_sorted(), "the enum stands in order of precedence");
    assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    assert!(Why::ALL.iter().all(|why| why.to_string().split_whitespace().count() > 3));
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Why::ALL.len());
}
