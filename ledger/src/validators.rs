//! Who decides at one height: the validators' names and keys, and how many of them suffice.

use crate::genesis::Genesis;
use crate::note::VerifierKey;
use alloc::vec::Vec;
use devices::identity::PublicKey;

/// How many of so many validators suffice: more than two thirds, so that any two such groups have one honest validator in
/// common while fewer than a third are not.
#[must_use]
pub const fn quorum_of(validators: usize) -> usize {
    validators.saturating_sub(validators.saturating_sub(1) / 3)
}

/// The validators that decide together, in their order: those of genesis first, then who joined, as they joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validators {
    keys: Vec<VerifierKey>,
    version: u64,
}

impl Validators {
    /// Those that a network begins with; version 0.
    #[must_use]
    pub fn of_genesis(genesis: &Genesis) -> Self {
        Self { keys: genesis.verifier_keys(), version: 0 }
    }

    /// How many changes there were before.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Their names and keys, in order.
    #[must_use]
    pub fn keys(&self) -> &[VerifierKey] {
        &self.keys
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none, which no network comes to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many of them suffice: more than two thirds.
    #[must_use]
    pub fn quorum(&self) -> usize {
        quorum_of(self.keys.len())
    }

    /// Whether the key is one of theirs.
    #[must_use]
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.get(key).is_some()
    }

    /// The validator with this key.
    #[must_use]
    pub fn get(&self, key: &PublicKey) -> Option<&VerifierKey> {
        self.keys.iter().find(|validator| validator.key() == key)
    }

    /// The validator of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&VerifierKey> {
        self.keys.iter().find(|validator| validator.name() == name)
    }
}
