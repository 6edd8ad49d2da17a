//! How networks begin: a devnet of one validator as ever, and networks of several that sign under names of their own.

mod city;

use city::key;
use devices::identity::PublicKey;
use ledger::genesis::{Genesis, GenesisError};
use ledger::note::NoteError;

fn network(validators: &[(&str, u8)]) -> Result<Genesis, GenesisError> {
    let validator = |(name, seed): &(&str, u8)| ((*name).to_owned(), public(*seed));
    let validators = validators.iter().map(validator).collect();
    Genesis::network(
        "testnet",
        "lamppost/testnet",
        validators,
        public(200),
        public(201),
        60,
        1_800_000_000_123,
    )
}

fn public(seed: u8) -> PublicKey {
    key(seed).public_key()
}

#[test]
fn a_devnets_genesis_is_the_same_document_as_ever() {
    let genesis = Genesis::devnet(
        "devnet",
        "lamppost/devnet",
        public(202),
        public(200),
        public(201),
        60,
        1_800_000_000_000,
    );
    let hash = hex::encode(genesis.unwrap().hash());
    assert_eq!(hash, "b1c9201d80a96ad497807dfe61f82e91090a4cfe57c049190c7133b726ace61d");
}

#[test]
fn several_validators_sign_under_names_of_their_own() {
    let genesis = network(&[("city", 1), ("utility", 2), ("university", 3), ("operator", 4)]).unwrap();
    let names: Vec<&str> = genesis.validators.iter().map(|validator| validator.name.as_str()).collect();
    assert_eq!(names, ["city", "utility", "university", "operator"]);
    assert_eq!(genesis.time_unix_milliseconds, 1_800_000_000_000);
    assert_eq!(Genesis::from_json(&genesis.to_json()), Ok(genesis.clone()));
    for (key, seed) in genesis.verifier_keys().iter().zip(1..) {
        assert_eq!(key.key(), &public(seed));
    }
}

#[test]
fn a_name_or_a_key_that_occurs_twice_is_refused() {
    assert_eq!(network(&[("city", 1), ("city", 2)]), Err(GenesisError::Validators));
    assert_eq!(network(&[("city", 1), ("utility", 1)]), Err(GenesisError::Validators));
}

#[test]
fn a_network_has_1_to_64_validators_with_names_that_can_stand_in_a_note() {
    assert_eq!(network(&[]), Err(GenesisError::Validators));
    let names: Vec<String> = (1..=65).map(|seed| format!("validator-{seed}")).collect();
    let validators: Vec<(&str, u8)> = names.iter().map(String::as_str).zip(1..).collect();
    assert!(network(&validators[..64]).is_ok());
    assert_eq!(network(&validators), Err(GenesisError::Validators));
    let named = |name: &str| GenesisError::VerifierKey(name.to_owned(), NoteError::KeyName);
    assert_eq!(network(&[("the city", 1), ("utility", 2)]), Err(named("the city")));
    // One alone is a devnet: it signs under the origin.
    assert_eq!(network(&[("city", 1)]), Err(GenesisError::LoneValidator));
    assert!(network(&[("lamppost/testnet", 1)]).is_ok());
}
