//! A validator's word for a change of the validators: the signed instruction, as it stands in the log.

use crate::instruction::Instruction;
use crate::note::VerifierKey;
use crate::validators::{ChangeError, ValidatorChange, Validators};
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use devices::identity::DeviceId;
use devices::instruction::SignedInstruction;

/// Why approvals prove no change, in the order in which things are checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// The bytes are something else.
    #[error("one of them is no add_validator or remove_validator")]
    Form,
    /// The change of another version, or of another network's.
    #[error("one of them changes version {found} of the validators, not version {expected}")]
    Version {
        /// What it says.
        found: u64,
        /// Which one it should be.
        expected: u64,
    },
    /// Signed by somebody else.
    #[error("one of them is by {0}, which is no validator's kid of that version")]
    Stranger(DeviceId),
    /// The signature does not hold.
    #[error("the signature of {0:?} does not hold on this network")]
    Signature(String),
    /// The same validator twice.
    #[error("{0:?} approves twice")]
    Twice(String),
    /// Another change than the first one's.
    #[error("{0:?} approves another change than the first of them")]
    OtherChange(String),
    /// Too few validators.
    #[error("{good} of the validators approve, {needed} must")]
    Quorum {
        /// How many do.
        good: usize,
        /// How many must.
        needed: usize,
    },
    /// The change cannot be made.
    #[error("the change is none: {0}")]
    Change(#[from] ChangeError),
}

/// A present validator's signed word for a change; only verification makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    validator: VerifierKey,
    change: ValidatorChange,
    envelope: Vec<u8>,
}

impl Approval {
    /// Judges an instruction's bytes as the approval of a change of these validators.
    ///
    /// # Errors
    /// The first thing that fails.
    pub(crate) fn verify(
        envelope: &[u8],
        validators: &Validators,
        network: &str,
    ) -> Result<Self, ApprovalError> {
        let signed = SignedInstruction::decode(envelope).map_err(|_| ApprovalError::Form)?;
        let instruction = Instruction::decode(signed.payload()).map_err(|_| ApprovalError::Form)?;
        let (found, change) = instruction.validator_change().ok_or(ApprovalError::Form)?;
        let expected = validators.version();
        if found != expected {
            return Err(ApprovalError::Version { found, expected });
        }
        let kid = signed.kid();
        let validator = validators.keys().iter().find(|validator| validator.key().kid() == kid);
        let validator = validator.ok_or(ApprovalError::Stranger(kid))?;
        let error = |_| ApprovalError::Signature(validator.name().to_string());
        signed.verify(validator.key(), network).map_err(error)?;
        Ok(Self::carried_out(validator.clone(), change, envelope))
    }

    /// An approval that the ledger carries out: its signature was verified with the block.
    pub(crate) fn carried_out(validator: VerifierKey, change: ValidatorChange, envelope: &[u8]) -> Self {
        Self { validator, change, envelope: envelope.to_owned() }
    }

    /// Who approves.
    #[must_use]
    pub fn validator(&self) -> &VerifierKey {
        &self.validator
    }

    /// What.
    #[must_use]
    pub fn change(&self) -> &ValidatorChange {
        &self.change
    }

    /// The COSE_Sign1, as it stands in the log.
    #[must_use]
    pub fn envelope(&self) -> &[u8] {
        &self.envelope
    }
}

/// The change that more than two thirds of these validators approve, each once, with one word for all.
///
/// # Errors
/// The first thing that fails.
pub(crate) fn agreed(
    envelopes: &[Vec<u8>],
    validators: &Validators,
    network: &str,
) -> Result<ValidatorChange, ApprovalError> {
    let mut approvals: Vec<Approval> = Vec::new();
    for envelope in envelopes {
        let approval = Approval::verify(envelope, validators, network)?;
        let name = || approval.validator.name().to_string();
        if approvals.iter().any(|other| other.validator == approval.validator) {
            return Err(ApprovalError::Twice(name()));
        }
        if approvals.first().is_some_and(|first| first.change != approval.change) {
            return Err(ApprovalError::OtherChange(name()));
        }
        approvals.push(approval);
    }
    let (good, needed) = (approvals.len(), validators.quorum());
    let first = approvals.into_iter().next().filter(|_| good >= needed);
    first.map(|approval| approval.change).ok_or(ApprovalError::Quorum { good, needed })
}
