//! The claims about gathered signatures.

use devices::SigningKey;
use ledger::checkpoint::SignedCheckpoint;
use ledger::genesis::Genesis;
use ledger::handovers::Handovers;

use super::*;

struct Scene {
    keys: Vec<SigningKey>,
    genesis: Genesis,
    checkpoints: Checkpoints,
}

impl Scene {
    fn new(enough_at: u64) -> Scene {
        let keys: Vec<_> = (1..=4).map(|seed| SigningKey::from_seed([seed; 32])).collect();
        let named = ["city", "utility", "university", "operator"].into_iter().zip(&keys);
        let validators = named.map(|(name, key)| (name.to_owned(), key.public_key())).collect();
        let account = |seed: u8| SigningKey::from_seed([seed; 32]).public_key();
        let genesis =
            Genesis::network("testnet", "lamppost/testnet", validators, account(8), account(9), 60, 0);
        let checkpoints = Checkpoints::new("lamppost/testnet", enough_at);
        Scene { keys, genesis: genesis.unwrap(), checkpoints }
    }

    fn validators(&self) -> Validators {
        Validators::of_genesis(&self.genesis)
    }

    fn signed(&self, by: usize, size: u64, root: u8) -> Signed {
        let body = Checkpoint { origin: "lamppost/testnet".to_owned(), size, root: [root; 32] }.body();
        let key = &self.keys[by];
        let address = Address(*key.public_key().as_bytes());
        Signed { size, root: [root; 32], address, signature: key.sign(body.as_bytes()) }
    }

    fn take(&mut self, by: usize, size: u64, root: u8) -> Gathered {
        let (signed, validators) = (self.signed(by, size, root), self.validators());
        self.checkpoints.take(signed, &validators)
    }

    fn commit(&mut self, size: u64, root: u8) -> Gathered {
        let checkpoint = Checkpoint { origin: "lamppost/testnet".to_owned(), size, root: [root; 32] };
        let validators = self.validators();
        self.checkpoints.commit(checkpoint, &validators)
    }

    fn verify(&self, note: &str) -> Result<Vec<String>, String> {
        let note = Note::parse(note).map_err(|error| error.to_string())?;
        let signed = SignedCheckpoint::verify(&note, &Handovers::of_genesis(&self.genesis));
        signed.map(|signed| signed.signers().to_vec()).map_err(|error| error.to_string())
    }
}

#[test]
fn a_checkpoint_is_whole_with_the_third_of_four_and_anybody_can_verify_it() {
    let mut scene = Scene::new(0);
    assert_eq!(scene.commit(5, 1), Gathered::Waiting);
    assert_eq!(scene.take(3, 5, 1), Gathered::Waiting);
    assert_eq!(scene.take(0, 5, 1), Gathered::Waiting);
    let Gathered::Enough(note) = scene.take(2, 5, 1) else { panic!("three of four are enough") };
    assert_eq!(scene.verify(&note).unwrap(), ["city", "university", "operator"]);
    assert_eq!(scene.take(1, 5, 1), Gathered::Waiting, "one note a size");
}

#[test]
fn signatures_that_come_before_the_block_count_with_it() {
    let mut scene = Scene::new(0);
    scene.commit(5, 1);
    for by in 1..4 {
        assert_eq!(scene.take(by, 9, 2), Gathered::Waiting);
    }
    assert!(matches!(scene.commit(9, 2), Gathered::Enough(_)));
}

#[test]
fn a_validator_counts_once_and_a_stranger_never() {
    let mut scene = Scene::new(0);
    scene.commit(5, 1);
    scene.keys.push(SigningKey::from_seed([77; 32]));
    for by in [0, 0, 0, 4, 1] {
        assert_eq!(scene.take(by, 5, 1), Gathered::Waiting);
    }
}

#[test]
fn a_signature_that_does_not_hold_counts_for_nothing() {
    let mut scene = Scene::new(0);
    scene.commit(5, 1);
    let mut signed = scene.signed(0, 5, 1);
    signed.signature[0] ^= 1;
    let validators = scene.validators();
    assert_eq!(scene.checkpoints.take(signed, &validators), Gathered::Waiting);
    scene.take(1, 5, 1);
    assert_eq!(scene.take(2, 5, 1), Gathered::Waiting);
    assert!(matches!(scene.take(0, 5, 1), Gathered::Enough(_)), "the right one counts still");
}

#[test]
fn two_roots_of_one_size_are_evidence_against_who_signed_them() {
    let mut scene = Scene::new(0);
    scene.commit(5, 1);
    assert_eq!(scene.take(2, 5, 1), Gathered::Waiting);
    let Gathered::Conflict(evidence) = scene.take(2, 5, 7) else { panic!("it contradicts itself") };
    let culprit = evidence.verify(&scene.genesis.hash(), "lamppost/testnet").unwrap();
    assert_eq!(culprit, scene.keys[2].public_key());
}

#[test]
fn roots_of_others_do_not_count_for_ours() {
    let mut scene = Scene::new(0);
    scene.commit(5, 1);
    for by in 0..3 {
        assert_eq!(scene.take(by, 5, 7), Gathered::Waiting);
    }
}

#[test]
fn what_was_signed_before_the_start_is_not_gathered_again() {
    let mut scene = Scene::new(5);
    scene.commit(5, 1);
    for by in 0..3 {
        assert_eq!(scene.take(by, 5, 1), Gathered::Waiting);
    }
}

#[test]
fn signatures_of_sizes_without_end_hold_a_bounded_memory() {
    let mut scene = Scene::new(0);
    scene.commit(5, 1);
    for size in 6..300 {
        scene.take(0, size, 1);
    }
    assert!(scene.checkpoints.signed.len() <= limits::CHECKPOINTS_GATHERED_MAX);
    assert!(scene.checkpoints.signed.contains_key(&6), "the nearest are kept");
}
