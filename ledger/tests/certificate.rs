//! A block is decided by more than two thirds of the validators of its height, each counted once, and by nobody else.

mod city;

use city::{genesis_of, key};
use devices::identity::PublicKey;
use ledger::certificate::{Certificate, CertificateError};
use ledger::genesis::Genesis;
use ledger::state::State;
use ledger::validators::{Validators, quorum_of};
use ledger::vote::{VoteKind, proposal_bytes, vote_bytes};
use proptest::prelude::*;

const BLOCK: [u8; 32] = [7; 32];

fn signature(genesis: &Genesis, seed: u8) -> (PublicKey, [u8; 64]) {
    let message = vote_bytes(&genesis.hash(), VoteKind::Precommit, 9, 2, Some(BLOCK));
    (key(seed).public_key(), key(seed).sign(&message))
}

fn certificate(genesis: &Genesis, signers: impl IntoIterator<Item = u8>) -> Certificate {
    let signatures = signers.into_iter().map(|seed| signature(genesis, seed)).collect();
    Certificate { height: 9, round: 2, block_id: BLOCK, signatures }
}

fn judge(genesis: &Genesis, certificate: &Certificate) -> Result<(), CertificateError> {
    certificate.verify(&genesis.hash(), &Validators::of_genesis(genesis))
}

#[test]
fn a_quorum_is_more_than_two_thirds_and_no_more_than_needed() {
    for validators in 1..=64 {
        let quorum = quorum_of(validators);
        assert!(quorum * 3 > validators * 2, "{quorum} of {validators}");
        assert!((quorum - 1) * 3 <= validators * 2, "{quorum} of {validators} is more than needed");
    }
    assert_eq!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(quorum_of), [1, 2, 3, 3, 4, 5, 5, 6, 7, 7]);
}

#[test]
fn a_quorum_of_any_set_decides_and_one_less_does_not() {
    for validators in 2..=10_u8 {
        let genesis = genesis_of(validators);
        let needed = Validators::of_genesis(&genesis).quorum();
        assert_eq!(needed, genesis.quorum());
        let quorum = u8::try_from(needed).unwrap();
        assert_eq!(judge(&genesis, &certificate(&genesis, 1..=quorum)), Ok(()));
        let good = needed - 1;
        let too_few = judge(&genesis, &certificate(&genesis, 1..quorum));
        assert_eq!(too_few, Err(CertificateError::Quorum { good, needed }));
    }
}

#[test]
fn a_strangers_signature_spoils_a_certificate() {
    let genesis = genesis_of(4);
    let judged = judge(&genesis, &certificate(&genesis, [1, 2, 3, 99]));
    assert_eq!(judged, Err(CertificateError::Stranger(key(99).public_key())));
}

#[test]
fn a_validator_counts_once() {
    let genesis = genesis_of(4);
    let judged = judge(&genesis, &certificate(&genesis, [1, 2, 2]));
    assert_eq!(judged, Err(CertificateError::SignedTwice("validator-2".to_owned())));
    // Nor does such a one decode.
    assert!(Certificate::decode(&certificate(&genesis, [1, 2, 2]).encode()).is_err());
}

#[test]
fn a_signature_holds_for_its_height_round_block_network_and_kind_alone() {
    let genesis = genesis_of(4);
    let good = certificate(&genesis, [1, 2, 3]);
    let altered = [
        Certificate { height: 10, ..good.clone() },
        Certificate { round: 3, ..good.clone() },
        Certificate { block_id: [8; 32], ..good.clone() },
    ];
    let first = CertificateError::Signature("validator-1".to_owned());
    for certificate in altered {
        assert_eq!(judge(&genesis, &certificate), Err(first.clone()));
    }
    assert_eq!(good.verify(&[1; 32], &Validators::of_genesis(&genesis)), Err(first.clone()));
    let prevote = vote_bytes(&genesis.hash(), VoteKind::Prevote, 9, 2, Some(BLOCK));
    let mut certificate = good;
    certificate.signatures[0].1 = key(1).sign(&prevote);
    assert_eq!(judge(&genesis, &certificate), Err(first));
}

#[test]
fn everything_that_is_signed_differs_from_everything_else() {
    let hash = [3; 32];
    let mut signed = vec![
        vote_bytes(&hash, VoteKind::Prevote, 1, 0, None),
        vote_bytes(&hash, VoteKind::Precommit, 1, 0, None),
        vote_bytes(&hash, VoteKind::Precommit, 1, 0, Some(BLOCK)),
        vote_bytes(&hash, VoteKind::Precommit, 1, 1, Some(BLOCK)),
        vote_bytes(&[4; 32], VoteKind::Precommit, 1, 1, Some(BLOCK)),
        proposal_bytes(&hash, 1, 0, &BLOCK, None),
        proposal_bytes(&hash, 1, 0, &BLOCK, Some(0)),
        proposal_bytes(&hash, 1, 1, &BLOCK, Some(0)),
    ];
    let count = signed.len();
    signed.sort();
    signed.dedup();
    assert_eq!(signed.len(), count);
}

#[test]
fn a_network_begins_with_the_validators_of_its_genesis() {
    let genesis = genesis_of(4);
    let (state, ..) = State::genesis(&genesis);
    assert_eq!(state.validators(), &Validators::of_genesis(&genesis));
    assert_eq!((state.validators().version(), state.validators().len()), (0, 4));
    assert!(state.validators().contains(&key(4).public_key()));
    assert!(!state.validators().contains(&key(5).public_key()));
    assert_eq!(state.validators().get(&key(3).public_key()).unwrap().name(), "validator-3");
    assert_eq!(state.validators().named("validator-2").unwrap().key(), &key(2).public_key());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_certificate_has_one_encoding(
        height: u64, round: u32, block_id: [u8; 32], seeds in proptest::collection::btree_set(1_u8.., 0..9),
        cut: proptest::sample::Index,
    ) {
        let signed = |seed: u8| (key(seed).public_key(), [seed; 64]);
        let mut signatures: Vec<_> = seeds.into_iter().map(signed).collect();
        let bytes = Certificate { height, round, block_id, signatures: signatures.clone() }.encode();
        signatures.sort_by_key(|(key, _)| *key.as_bytes());
        let sorted = Certificate { height, round, block_id, signatures };
        prop_assert_eq!(sorted.encode(), bytes.clone());
        prop_assert_eq!(Certificate::decode(&bytes), Ok(sorted));
        prop_assert!(Certificate::decode(&bytes[..cut.index(bytes.len())]).is_err());
    }
}

#[test]
fn a_certificate_of_more_signatures_than_validators_can_be_is_refused() {
    let genesis = genesis_of(2);
    assert!(Certificate::decode(&certificate(&genesis, 1..=64).encode()).is_ok());
    assert!(Certificate::decode(&certificate(&genesis, 1..=65).encode()).is_err());
}
