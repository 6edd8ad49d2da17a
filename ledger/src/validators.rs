//! Who decides at one height: the validators' names and keys, how many of them suffice, and one more or less.

use crate::encoding::{Read, Written};
use crate::genesis::Genesis;
use crate::instruction::{InstructionName, read_key};
use crate::limits::VALIDATORS_MAX;
use crate::note::{VerifierKey, is_key_name};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use devices::cbor::{DecodeError, Reader, Writer};
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

    /// As a leaf of the state says them.
    pub(crate) fn from_parts(version: u64, keys: Vec<VerifierKey>) -> Self {
        Self { keys, version }
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

/// One validator more or less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValidatorChange {
    /// This one joins, as the last.
    Add(VerifierKey),
    /// The one of this name leaves.
    Remove(String),
}

impl ValidatorChange {
    /// The name of who joins or leaves.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Add(validator) => validator.name(),
            Self::Remove(name) => name,
        }
    }

    /// `["add_validator", name, key]` or `["remove_validator", name]`.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        match self {
            Self::Add(validator) => {
                writer.array_header(3)?;
                writer.text(InstructionName::AddValidator.as_str())?;
                write_validator(writer, validator)
            }
            Self::Remove(name) => {
                writer.array_header(2)?;
                writer.text(InstructionName::RemoveValidator.as_str())?;
                writer.text(name)
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let items = reader.array_header()?;
        let word = reader.text()?;
        if items == 3 && word == InstructionName::AddValidator.as_str() {
            return read_validator(reader).map(Self::Add);
        }
        if items == 2 && word == InstructionName::RemoveValidator.as_str() {
            return read_name(reader).map(Self::Remove);
        }
        Err(DecodeError::Unexpected)
    }
}

impl fmt::Display for ValidatorChange {
    /// `add city` or `remove city`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(validator) => write!(f, "add {}", validator.name()),
            Self::Remove(name) => write!(f, "remove {name}"),
        }
    }
}

/// Why a change of the validators is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The name or the key is a present validator's.
    #[error("a present validator has this name or this key already")]
    Taken,
    /// Nobody of that name.
    #[error("no present validator has this name")]
    Unknown,
    /// Nobody would be left.
    #[error("the last validator cannot leave: nobody would be left to decide")]
    Last,
    /// More than a network can have.
    #[error("a network has at most {VALIDATORS_MAX} validators")]
    TooMany,
}

impl Validators {
    /// The validators after a change; their version is the next one.
    ///
    /// # Errors
    /// When the change is none of these validators.
    pub fn with(&self, change: &ValidatorChange) -> Result<Self, ChangeError> {
        let mut keys = self.keys.clone();
        match change {
            ValidatorChange::Add(new) => {
                if self.named(new.name()).is_some() || self.contains(new.key()) {
                    return Err(ChangeError::Taken);
                }
                if keys.len() >= VALIDATORS_MAX {
                    return Err(ChangeError::TooMany);
                }
                keys.push(new.clone());
            }
            ValidatorChange::Remove(name) => {
                self.named(name).ok_or(ChangeError::Unknown)?;
                if keys.len() == 1 {
                    return Err(ChangeError::Last);
                }
                keys.retain(|validator| validator.name() != name);
            }
        }
        Ok(Self { keys, version: self.version.saturating_add(1) })
    }

    /// Whether a change could be made, without making it.
    pub(crate) fn allow(&self, change: &ValidatorChange) -> Result<(), ChangeError> {
        self.with(change).map(drop)
    }
}

/// Writes a validator as its name and its key, two items.
pub(crate) fn write_validator(writer: &mut Writer<'_>, validator: &VerifierKey) -> Written {
    writer.text(validator.name())?;
    writer.bytes(validator.key().as_bytes())
}

/// Reads a validator from two items.
pub(crate) fn read_validator(reader: &mut Reader<'_>) -> Read<VerifierKey> {
    let name = reader.text()?;
    VerifierKey::new(name, read_key(reader)?).map_err(|_| DecodeError::OutOfRange)
}

/// Reads a validator's name.
pub(crate) fn read_name(reader: &mut Reader<'_>) -> Read<String> {
    let name = reader.text()?;
    if is_key_name(name) { Ok(name.to_owned()) } else { Err(DecodeError::OutOfRange) }
}
