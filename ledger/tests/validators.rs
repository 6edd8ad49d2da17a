//! Validators join and leave by the word of more than two thirds of those before them, and not otherwise.

mod city;

use city::asking::{add_validator, ladder, remove_validator};
use city::{City, EPOCH, START, genesis_of, key, operator};
use devices::identity::SigningKey;
use ledger::instruction::{Instruction, InstructionRefusal as Why};
use ledger::replay::Trust;
use ledger::state::State;
use ledger::state_leaf::{LeafKey, StateLeaf};
use ledger::transaction::Refused;
use ledger::validators::ValidatorChange;

fn city(validators: u8) -> City {
    City::with(genesis_of(validators))
}

fn names(state: &State) -> Vec<&str> {
    state.validators().keys().iter().map(|validator| validator.name()).collect()
}

/// The instruction as each of these validators signs it, in a block of the last block's time.
fn approve(city: &mut City, signers: impl IntoIterator<Item = u8>, instruction: &Instruction) {
    for signer in signers {
        city.carry_out(&key(signer), instruction);
    }
}

fn refused(city: &mut City, signer: &SigningKey, instruction: &Instruction) -> Why {
    let transaction = city.instruct(signer, instruction);
    let time = city.state.time_unix_milliseconds();
    match city.one(time, &transaction) {
        Err(Refused::Instruction(why)) => why,
        other => panic!("must be refused: {other:?}"),
    }
}

/// That the whole history gives the same state again, and a snapshot of it too.
fn is_the_same_again(city: &City) {
    let (mut state, _) = State::replay_genesis(&city.genesis, &city.blocks[0]).unwrap();
    for block in &city.blocks[1..] {
        state.replay(block, Trust::Nothing).unwrap();
    }
    assert_eq!(state, city.state);
    let snapshot = city.state.snapshot();
    let restored = State::restore(&city.genesis, &snapshot).unwrap();
    assert_eq!(restored, city.state);
    assert_eq!(restored.snapshot(), snapshot);
}

#[test]
fn a_validator_joins_when_more_than_two_thirds_agree_and_the_epoch_ends() {
    let mut city = city(4);
    let join = add_validator(0, "harbour", &key(9));
    approve(&mut city, [1, 2], &join);
    assert_eq!(city.state.validator_approvals().len(), 2);
    assert_eq!(city.state.scheduled_change(), None);
    is_the_same_again(&city);
    approve(&mut city, [4], &join);
    let scheduled = city.state.scheduled_change().unwrap();
    assert!(matches!(scheduled.change(), ValidatorChange::Add(validator) if validator.name() == "harbour"));
    assert_eq!(scheduled.from_epoch(), 1);
    assert!(city.state.validator_approvals().is_empty());
    is_the_same_again(&city);
    // Until the epoch ends those before decide.
    city.block(START + EPOCH - 1, &[]);
    assert_eq!((city.state.validators().len(), city.state.validators().version()), (4, 0));
    city.block(START + EPOCH, &[]);
    assert_eq!(names(&city.state).last(), Some(&"harbour"));
    assert_eq!((city.state.validators().len(), city.state.validators().version()), (5, 1));
    assert!(city.state.validators().contains(&key(9).public_key()));
    assert_eq!(city.state.scheduled_change(), None);
    let changes: Vec<u64> = city.state.handovers().changes().map(|(size, _)| size).collect();
    assert_eq!(changes, [city.state.log_size()]);
    is_the_same_again(&city);
}

#[test]
fn a_validator_leaves_in_the_same_way_and_can_join_again_with_a_new_key() {
    let mut city = city(4);
    approve(&mut city, [1, 2, 3], &remove_validator(0, "validator-4"));
    city.block(START + EPOCH, &[]);
    assert_eq!(names(&city.state), ["validator-1", "validator-2", "validator-3"]);
    assert_eq!(refused(&mut city, &key(4), &remove_validator(1, "validator-1")), Why::NotValidator);
    approve(&mut city, [1, 2, 3], &add_validator(1, "validator-4", &key(44)));
    city.block(START + 2 * EPOCH, &[]);
    assert_eq!(city.state.validators().version(), 2);
    assert_eq!(city.state.validators().named("validator-4").unwrap().key(), &key(44).public_key());
    assert_eq!(city.state.handovers().known(&key(4).public_key()).unwrap().name(), "validator-4");
    is_the_same_again(&city);
}

#[test]
fn a_change_waits_for_the_epochs_end_however_many_pass_at_once() {
    let mut city = city(4);
    let leave = remove_validator(0, "validator-2");
    // The word that completes the agreement stands in the very block that settles an epoch: it waits for the next end.
    approve(&mut city, [1, 2], &leave);
    let last = city.instruct(&key(3), &leave);
    city.one(START + EPOCH, &last).unwrap();
    assert_eq!(city.state.scheduled_change().unwrap().from_epoch(), 2);
    assert_eq!(city.state.validators().len(), 4);
    city.block(START + 7 * EPOCH, &[]);
    assert_eq!(city.state.validators().len(), 3);
    is_the_same_again(&city);
}

#[test]
fn it_takes_exactly_a_quorum_of_any_number_of_validators() {
    for validators in 2..=10_u8 {
        let mut city = city(validators);
        let quorum = u8::try_from(city.state.validators().quorum()).unwrap();
        let join = add_validator(0, "harbour", &key(99));
        approve(&mut city, 1..quorum, &join);
        assert_eq!(city.state.scheduled_change(), None, "{validators}");
        approve(&mut city, [validators], &join);
        assert!(city.state.scheduled_change().is_some(), "{validators}");
    }
}

#[test]
fn a_validator_has_one_word_at_a_time() {
    let mut city = city(4);
    let (one, other) = (add_validator(0, "harbour", &key(9)), add_validator(0, "harbour", &key(10)));
    approve(&mut city, [1, 2], &one);
    approve(&mut city, [2, 3], &other);
    let said: Vec<_> =
        city.state.validator_approvals().iter().map(|approval| approval.validator().name()).collect();
    assert_eq!(said, ["validator-1", "validator-2", "validator-3"]);
    is_the_same_again(&city);
    // Three have spoken for the first, but one of them has changed its mind.
    approve(&mut city, [4], &one);
    assert_eq!(city.state.scheduled_change(), None);
    approve(&mut city, [1], &other);
    assert!(city.state.scheduled_change().is_some());
}

#[test]
fn approvals_of_a_version_count_for_that_version_alone() {
    let mut city = city(4);
    approve(&mut city, [4], &remove_validator(0, "validator-1"));
    approve(&mut city, [1, 2, 3], &add_validator(0, "harbour", &key(9)));
    city.block(START + EPOCH, &[]);
    // The word against the first validator was about others; it is not even remembered.
    assert!(city.state.validator_approvals().is_empty());
    for signer in 1..=4 {
        let old = remove_validator(0, "harbour");
        assert_eq!(refused(&mut city, &key(signer), &old), Why::ValidatorsVersion);
    }
    // Nor can the very bytes of before be played again.
    for (played, at) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
        let envelope = city.blocks[at].entries[0].clone();
        let signed = devices::SignedInstruction::decode(envelope).unwrap();
        let verified = city.state.verify_instruction(signed).unwrap();
        let mut builder = city.state.begin(START + EPOCH);
        let outcome = builder.execute(&ledger::transaction::VerifiedTransaction::Instruction(verified));
        assert_eq!(outcome.unwrap_err(), Refused::Instruction(Why::StaleCounter), "{played}");
    }
}

#[test]
fn reasons_against_a_new_validator_come_in_order_of_precedence() {
    let mut city = city(4);
    approve(&mut city, [2], &add_validator(0, "harbour", &key(9)));
    let signer = || key(2);
    let taken = "validator-3";
    ladder(
        &mut city,
        &[
            ("the operator", operator(), add_validator(7, taken, &key(9)), Why::NotValidator),
            ("a later version", signer(), add_validator(7, taken, &key(9)), Why::ValidatorsVersion),
            ("a present name", signer(), add_validator(0, taken, &key(9)), Why::ValidatorTaken),
            ("a present key", signer(), add_validator(0, "harbour", &key(3)), Why::ValidatorTaken),
            ("said before", signer(), add_validator(0, "harbour", &key(9)), Why::AlreadyApproved),
        ],
    );
    approve(&mut city, [1, 3], &add_validator(0, "harbour", &key(9)));
    let scheduled = refused(&mut city, &key(4), &add_validator(0, taken, &key(9)));
    assert_eq!(scheduled, Why::ChangeScheduled);
}

#[test]
fn reasons_against_a_leaving_validator_come_in_order_of_precedence() {
    let mut city = city(2);
    approve(&mut city, [2], &remove_validator(0, "validator-1"));
    let signer = || key(2);
    ladder(
        &mut city,
        &[
            ("a stranger", key(77), remove_validator(7, "nobody"), Why::NotValidator),
            ("a later version", signer(), remove_validator(7, "nobody"), Why::ValidatorsVersion),
            ("no such name", signer(), remove_validator(0, "nobody"), Why::UnknownValidator),
            ("said before", signer(), remove_validator(0, "validator-1"), Why::AlreadyApproved),
        ],
    );
    approve(&mut city, [1], &remove_validator(0, "validator-1"));
    city.block(START + EPOCH, &[]);
    assert_eq!(names(&city.state), ["validator-2"]);
    assert_eq!(refused(&mut city, &key(2), &remove_validator(1, "validator-2")), Why::LastValidator);
    // Who is alone now was not at the beginning, and can take others in.
    approve(&mut city, [2], &add_validator(1, "validator-1", &key(1)));
    city.block(START + 2 * EPOCH, &[]);
    assert_eq!(city.state.validators().len(), 2);
    is_the_same_again(&city);
}

#[test]
fn a_full_network_takes_nobody_in() {
    let mut city = city(64);
    let refused = refused(&mut city, &key(1), &add_validator(0, "harbour", &key(99)));
    assert_eq!(refused, Why::TooManyValidators);
}

#[test]
fn a_network_that_began_with_one_validator_keeps_it() {
    let mut city = City::new();
    let lone = city::validator();
    assert_eq!(refused(&mut city, &lone, &add_validator(0, "harbour", &key(9))), Why::LoneValidator);
    assert_eq!(refused(&mut city, &lone, &remove_validator(0, "lamppost/devnet")), Why::LoneValidator);
    assert_eq!(refused(&mut city, &operator(), &add_validator(0, "harbour", &key(9))), Why::NotValidator);
    let mut leaves = Vec::new();
    city.state.for_each_leaf(|leaf| leaves.push(StateLeaf::decode(leaf).unwrap().key()));
    assert!(!leaves.contains(&LeafKey::Validators));
}

#[test]
fn the_states_second_leaf_says_who_decides() {
    let mut city = city(4);
    approve(&mut city, [1, 2, 3], &remove_validator(0, "validator-4"));
    let before = city.state.state_root();
    let leaf = |state: &State| {
        let mut leaves = Vec::new();
        state.for_each_leaf(|leaf| leaves.push(StateLeaf::decode(leaf).unwrap()));
        assert!(leaves.is_sorted_by_key(StateLeaf::key));
        let StateLeaf::Validators(leaf) = leaves.swap_remove(1) else { panic!("the second leaf") };
        leaf
    };
    let (_, change) = leaf(&city.state).scheduled.clone().unwrap();
    assert_eq!(change, ValidatorChange::Remove("validator-4".to_owned()));
    city.block(START + EPOCH, &[]);
    assert_eq!(&leaf(&city.state).validators, city.state.validators());
    assert_eq!(leaf(&city.state).scheduled, None);
    assert_ne!(city.state.state_root(), before);
    approve(&mut city, [3], &remove_validator(1, "validator-1"));
    let [(key_of_third, _)] = &leaf(&city.state).approvals[..] else { panic!("one approval") };
    assert_eq!(key_of_third, &key(3).public_key());
}

#[test]
fn a_snapshot_whose_approvals_do_not_hold_is_refused() {
    let mut city = city(4);
    approve(&mut city, [1, 2, 3], &remove_validator(0, "validator-4"));
    city.block(START + EPOCH, &[]);
    let snapshot = city.state.snapshot();
    let envelope = &city.blocks[2].entries[0];
    let at = snapshot.windows(envelope.len()).position(|window| window == envelope).unwrap();
    let mut altered = snapshot[..snapshot.len() - 32].to_vec();
    // The last byte of the signature.
    altered[at + envelope.len() - 1] ^= 1;
    altered.extend(<sha2::Sha256 as sha2::Digest>::digest(&altered));
    assert!(State::restore(&city.genesis, &snapshot).is_ok());
    let error = State::restore(&city.genesis, &altered).unwrap_err().to_string();
    assert!(error.contains("its validators did not come to be"), "{error}");
    // A snapshot of another number of validators is another network's.
    assert!(State::restore(&genesis_of(5), &snapshot).is_err());
}
