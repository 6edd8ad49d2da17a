//! What a validator signs twice and differently is shown by two signatures, and goes on record once.

mod city;

use city::asking::{ladder, remove_validator, report, two_prevotes};
use city::{City, EPOCH, START, genesis_of, key, operator};
use devices::identity::SigningKey;
use ledger::checkpoint::Checkpoint;
use ledger::evidence::{Evidence, EvidenceError, MisbehaviourKind, SignedProposal, SignedRoot, SignedVote};
use ledger::instruction::{Instruction, InstructionRefusal as Why};
use ledger::merkle::Hash;
use ledger::replay::Trust;
use ledger::state::State;
use ledger::vote::{VoteKind, proposal_bytes, vote_bytes};

const ORIGIN: &str = "lamppost/devnet";

fn city() -> City {
    City::with(genesis_of(4))
}

fn proposals(signer: &SigningKey, hash: &Hash, said: [(Hash, Option<u32>); 2]) -> Evidence {
    let [first, second] = said.map(|(value, pol_round)| {
        let signature = signer.sign(&proposal_bytes(hash, 8, 3, &value, pol_round));
        SignedProposal { value, pol_round, signature }
    });
    Evidence::Proposals { validator: signer.public_key(), height: 8, round: 3, first, second }
}

fn checkpoints(signer: &SigningKey, origin: &str, roots: [Hash; 2]) -> Evidence {
    let [first, second] = roots.map(|root| {
        let checkpoint = Checkpoint { origin: origin.to_owned(), size: 40, root };
        SignedRoot { root, signature: signer.sign(checkpoint.body().as_bytes()) }
    });
    Evidence::Checkpoints { validator: signer.public_key(), size: 40, first, second }
}

#[test]
fn two_different_statements_of_one_key_are_evidence_and_nothing_else_is() {
    let hash = city().genesis.hash();
    let judge = |evidence: &Evidence| {
        assert_eq!(Evidence::decode(&evidence.encode()).as_ref(), Ok(evidence));
        evidence.verify(&hash, ORIGIN)
    };
    let culprit = key(3);
    let good = [
        two_prevotes(&culprit, &hash, 7, 0),
        proposals(&culprit, &hash, [([1; 32], None), ([2; 32], None)]),
        proposals(&culprit, &hash, [([1; 32], None), ([1; 32], Some(2))]),
        checkpoints(&culprit, ORIGIN, [[1; 32], [2; 32]]),
    ];
    for evidence in &good {
        assert_eq!(judge(evidence), Ok(culprit.public_key()), "{evidence:?}");
    }
    assert_eq!(
        judge(&proposals(&culprit, &hash, [([1; 32], None), ([1; 32], None)])),
        Err(EvidenceError::NoConflict)
    );
    assert_eq!(judge(&checkpoints(&culprit, ORIGIN, [[1; 32]; 2])), Err(EvidenceError::NoConflict));
    // Another network's votes, another log's checkpoints.
    assert_eq!(judge(&two_prevotes(&culprit, &[9; 32], 7, 0)), Err(EvidenceError::FirstSignature));
    let elsewhere = checkpoints(&culprit, "lamppost/testnet", [[1; 32], [2; 32]]);
    assert_eq!(judge(&elsewhere), Err(EvidenceError::FirstSignature));
}

#[test]
fn a_vote_put_together_from_others_is_no_evidence() {
    let hash = city().genesis.hash();
    let culprit = key(3);
    let vote = |kind, height, round, value| SignedVote {
        value,
        signature: culprit.sign(&vote_bytes(&hash, kind, height, round, value)),
    };
    let first = vote(VoteKind::Precommit, 7, 0, Some([1; 32]));
    let judge = |second| {
        let (validator, kind) = (culprit.public_key(), VoteKind::Precommit);
        Evidence::Votes { validator, kind, height: 7, round: 0, first, second }.verify(&hash, ORIGIN)
    };
    assert!(judge(vote(VoteKind::Precommit, 7, 0, None)).is_ok());
    let others = [
        vote(VoteKind::Precommit, 7, 1, None),
        vote(VoteKind::Precommit, 8, 0, None),
        vote(VoteKind::Prevote, 7, 0, None),
    ];
    for second in others {
        assert_eq!(judge(second), Err(EvidenceError::SecondSignature));
    }
}

#[test]
fn misbehaviour_goes_on_record_and_survives_replay_and_snapshot() {
    let mut city = city();
    let hash = city.genesis.hash();
    let before = city.state.state_root();
    let votes = city.carry_out(&key(1), &report(two_prevotes(&key(3), &hash, 7, 2)));
    let roots = city.carry_out(&key(2), &report(checkpoints(&key(4), ORIGIN, [[1; 32], [2; 32]])));
    let [first, second] = city.state.misbehaviours() else { panic!("two") };
    assert_eq!((first.validator, first.kind), (key(3).public_key(), MisbehaviourKind::Prevotes));
    assert_eq!((first.height, first.round, first.entry_index), (7, 2, votes));
    assert_eq!((second.validator, second.kind), (key(4).public_key(), MisbehaviourKind::Checkpoints));
    assert_eq!((second.height, second.round, second.entry_index), (40, 0, roots));
    assert_ne!(city.state.state_root(), before);
    // Nobody is removed by it.
    assert_eq!(city.state.validators().len(), 4);
    let (mut state, _) = State::replay_genesis(&city.genesis, &city.blocks[0]).unwrap();
    city.blocks[1..].iter().for_each(|block| drop(state.replay(block, Trust::Nothing).unwrap()));
    assert_eq!(state, city.state);
    assert_eq!(State::restore(&city.genesis, &state.snapshot()), Ok(state));
}

#[test]
fn reasons_against_a_report_come_in_order_of_precedence() {
    let mut city = city();
    let hash = city.genesis.hash();
    city.carry_out(&key(1), &report(two_prevotes(&key(3), &hash, 7, 2)));
    let signer = || key(2);
    let never = report(two_prevotes(&key(77), &[0; 32], 7, 2));
    ladder(
        &mut city,
        &[
            ("the operator", operator(), never.clone(), Why::NotValidator),
            ("about a stranger", signer(), never, Why::NeverValidator),
            ("unproven", signer(), report(two_prevotes(&key(3), &[0; 32], 7, 2)), Why::EvidenceInvalid),
            ("known", signer(), report(two_prevotes(&key(3), &hash, 7, 2)), Why::AlreadyReported),
        ],
    );
}

#[test]
fn eight_misbehaviours_of_one_validator_are_enough() {
    let mut city = city();
    let hash = city.genesis.hash();
    for round in 0..8 {
        city.carry_out(&key(1), &report(two_prevotes(&key(3), &hash, 7, round)));
    }
    let more = report(two_prevotes(&key(3), &hash, 7, 8));
    let transaction = city.instruct(&key(1), &more);
    let refused = city.one(START, &transaction).unwrap_err();
    assert_eq!(refused, ledger::transaction::Refused::Instruction(Why::TooManyReports));
    // Those of others are still heard.
    city.carry_out(&key(1), &report(two_prevotes(&key(4), &hash, 7, 8)));
    assert_eq!(city.state.misbehaviours().len(), 9);
}

#[test]
fn a_former_validator_is_still_answerable() {
    let mut city = city();
    let hash = city.genesis.hash();
    for signer in 1..=3 {
        city.carry_out(&key(signer), &remove_validator(0, "validator-4"));
    }
    city.block(START + EPOCH, &[]);
    let evidence: Instruction = report(two_prevotes(&key(4), &hash, 1, 0));
    city.carry_out(&key(1), &evidence);
    assert_eq!(city.state.misbehaviours().len(), 1);
}
