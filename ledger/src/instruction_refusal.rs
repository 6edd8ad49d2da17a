//! Why an instruction is refused: a word and a sentence for each reason, in order of precedence.

use crate::book::PostingError;

/// Why an instruction is refused, in order of precedence. A refused one costs nothing and leaves no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum InstructionRefusal {
    /// The payload is no instruction that this ledger knows.
    #[error("the payload is no instruction of this ledger")]
    Malformed,
    /// Nobody has signed under this kid before, and the header carries no key.
    #[error("the account is unknown: its first instruction must carry its key")]
    UnknownAccount,
    /// The signature does not hold under the account's key.
    #[error("the signature does not hold under the account's key on this network")]
    Signature,
    /// Another account signs under the same first eight bytes.
    #[error("another account already signs under this kid")]
    KidTaken,
    /// The counter is not above that of the account's last instruction.
    #[error("the counter is not above that of the account's last instruction")]
    StaleCounter,
    /// Only the operator may.
    #[error("only the operator may enrol devices, correct entries and set the tariff")]
    NotOperator,
    /// Only the treasury may.
    #[error("only the treasury may issue tokens")]
    NotTreasury,
    /// Only the validators may.
    #[error("only a validator of the present ones may approve their changes and report misbehaviour")]
    NotValidator,
    /// Nothing is enrolled under the kid.
    #[error("no device with this kid is enrolled")]
    UnknownDevice,
    /// The signer does not own the device, nor is it the operator where that one may too.
    #[error(
        "the device is not the signer's: its owner may do this, and for a new key or a revocation the operator"
    )]
    NotOwner,
    /// Nobody offered it to the signer, or there is no offer to withdraw.
    #[error(
        "the device is not offered to the signer, or not offered at all where the offer is to be withdrawn"
    )]
    NotOffered,
    /// The device was revoked.
    #[error("the device was revoked, which is for good")]
    DeviceRevoked,
    /// Another key took the device's place.
    #[error("another key took this one's place: the device is named by the new key's kid")]
    DeviceReplaced,
    /// The device is in the registry.
    #[error("a device with this kid is enrolled already")]
    AlreadyEnrolled,
    /// Somebody owns the device.
    #[error("the device has an owner already, who can offer it with transfer_device")]
    AlreadyOwned,
    /// A system account cannot own devices.
    #[error("the pool and the supply account cannot own devices")]
    OwnerNotAllowed,
    /// The device is offered to its owner.
    #[error("the device is offered to the account that owns it")]
    SameOwner,
    /// The device changed hands too often.
    #[error("the device changed hands 8 times within 31 days: records of each former owner may still arrive")]
    TooManyOwners,
    /// The position is none.
    #[error("the position is not within 90 degrees north or south and 180 degrees east or west")]
    PositionOutOfRange,
    /// The position that stands for none.
    #[error("the position 0,0 is where sensors lie whose position nobody has set")]
    PositionUnset,
    /// The device's key did not sign that it belongs to the signer.
    #[error("the proof of possession does not hold under the device's key, for this account on this network")]
    Possession,
    /// Nothing says why.
    #[error("the instruction must say why")]
    WhyMissing,
    /// A tariff is waiting for the next epoch.
    #[error("another tariff comes into force at the next epoch: until then none can be set")]
    TariffPending,
    /// The version does not follow.
    #[error("the tariff's version is not the newest one's and one")]
    TariffVersion,
    /// A bound of the tariff.
    #[error("the tariff exceeds a bound or names a quantity twice")]
    TariffInvalid,
    /// The state keeps every version.
    #[error("the network has had as many tariffs as its state can keep")]
    TooManyTariffs,
    /// The log does not have the entry.
    #[error("the log has no entry of this index yet")]
    UnknownEntry,
    /// A correction between two accounts.
    #[error("a correction moves tokens between the pool and one other account")]
    NotPool,
    /// Nothing to move.
    #[error("the amount is zero")]
    ZeroAmount,
    /// From an account to itself.
    #[error("the receiving account is the sending one")]
    SameAccount,
    /// The supply account takes nothing back.
    #[error("the supply account cannot receive tokens")]
    ToSupply,
    /// A correction of more than the account was paid.
    #[error("a correction takes back at most what the account was paid as rewards")]
    ExceedsRewards,
    /// More than there is.
    #[error("the account does not hold that much")]
    InsufficientBalance,
    /// More than can be counted.
    #[error("the supply would exceed what a u64 counts")]
    SupplyExceeded,
    /// A network of one validator.
    #[error("the network began with one validator, which decides alone for good")]
    LoneValidator,
    /// The present validators are others.
    #[error("the version is not that of the present validators: the change must be approved anew")]
    ValidatorsVersion,
    /// A change is agreed on.
    #[error("a change of the validators was agreed on: until the epoch ends none can be approved")]
    ChangeScheduled,
    /// The name or the key is in use.
    #[error("a present validator has this name or this key already")]
    ValidatorTaken,
    /// Nobody of that name.
    #[error("no present validator has this name")]
    UnknownValidator,
    /// As many as there can be.
    #[error("the network has as many validators as it can have")]
    TooManyValidators,
    /// Nobody would be left.
    #[error("the last validator cannot leave: nobody would be left to decide")]
    LastValidator,
    /// The same word twice.
    #[error("the validator approved this change already")]
    AlreadyApproved,
    /// The state keeps every change.
    #[error("the network has had as many changes of its validators as its state can keep")]
    TooManyChanges,
    /// The key was never a validator's.
    #[error("the evidence is about a key that was never a validator's")]
    NeverValidator,
    /// Nothing is shown.
    #[error("the evidence does not show two contradicting statements with signatures that hold")]
    EvidenceInvalid,
    /// It is known.
    #[error("this misbehaviour is recorded already")]
    AlreadyReported,
    /// Enough is known.
    #[error("as much misbehaviour of this validator is recorded as the state keeps of one")]
    TooManyReports,
}

impl InstructionRefusal {
    /// All reasons, in order of precedence.
    pub const ALL: [Self; 47] = [
        Self::Malformed,
        Self::UnknownAccount,
        Self::Signature,
        Self::KidTaken,
        Self::StaleCounter,
        Self::NotOperator,
        Self::NotTreasury,
        Self::NotValidator,
        Self::UnknownDevice,
        Self::NotOwner,
        Self::NotOffered,
        Self::DeviceRevoked,
        Self::DeviceReplaced,
        Self::AlreadyEnrolled,
        Self::AlreadyOwned,
        Self::OwnerNotAllowed,
        Self::SameOwner,
        Self::TooManyOwners,
        Self::PositionOutOfRange,
        Self::PositionUnset,
        Self::Possession,
        Self::WhyMissing,
        Self::TariffPending,
        Self::TariffVersion,
        Self::TariffInvalid,
        Self::TooManyTariffs,
        Self::UnknownEntry,
        Self::NotPool,
        Self::ZeroAmount,
        Self::SameAccount,
        Self::ToSupply,
        Self::ExceedsRewards,
        Self::InsufficientBalance,
        Self::SupplyExceeded,
        Self::LoneValidator,
        Self::ValidatorsVersion,
        Self::ChangeScheduled,
        Self::ValidatorTaken,
        Self::UnknownValidator,
        Self::TooManyValidators,
        Self::LastValidator,
        Self::AlreadyApproved,
        Self::TooManyChanges,
        Self::NeverValidator,
        Self::EvidenceInvalid,
        Self::AlreadyReported,
        Self::TooManyReports,
    ];

    /// The reason's word in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownAccount => "unknown_account",
            Self::Signature => "signature",
            Self::KidTaken => "kid_taken",
            Self::StaleCounter => "stale_counter",
            Self::NotOperator => "not_operator",
            Self::NotTreasury => "not_treasury",
            Self::NotValidator => "not_validator",
            Self::UnknownDevice => "unknown_device",
            Self::NotOwner => "not_owner",
            Self::NotOffered => "not_offered",
            Self::DeviceRevoked => "device_revoked",
            Self::DeviceReplaced => "device_replaced",
            Self::AlreadyEnrolled => "already_enrolled",
            Self::AlreadyOwned => "already_owned",
            Self::OwnerNotAllowed => "owner_not_allowed",
            Self::SameOwner => "same_owner",
            Self::TooManyOwners => "too_many_owners",
            Self::PositionOutOfRange => "position_out_of_range",
            Self::PositionUnset => "position_unset",
            Self::Possession => "possession",
            Self::WhyMissing => "why_missing",
            Self::TariffPending => "tariff_pending",
            Self::TariffVersion => "tariff_version",
            Self::TariffInvalid => "tariff_invalid",
            Self::TooManyTariffs => "too_many_tariffs",
            Self::UnknownEntry => "unknown_entry",
            Self::NotPool => "not_pool",
            Self::ZeroAmount => "zero_amount",
            Self::SameAccount => "same_account",
            Self::ToSupply => "to_supply",
            Self::ExceedsRewards => "exceeds_rewards",
            Self::InsufficientBalance => "insufficient_balance",
            Self::SupplyExceeded => "supply_exceeded",
            Self::LoneValidator => "lone_validator",
            Self::ValidatorsVersion => "validators_version",
            Self::ChangeScheduled => "change_scheduled",
            Self::ValidatorTaken => "validator_taken",
            Self::UnknownValidator => "unknown_validator",
            Self::TooManyValidators => "too_many_validators",
            Self::LastValidator => "last_validator",
            Self::AlreadyApproved => "already_approved",
            Self::TooManyChanges => "too_many_changes",
            Self::NeverValidator => "never_validator",
            Self::EvidenceInvalid => "evidence_invalid",
            Self::AlreadyReported => "already_reported",
            Self::TooManyReports => "too_many_reports",
        }
    }
}

impl From<PostingError> for InstructionRefusal {
    fn from(error: PostingError) -> Self {
        match error {
            PostingError::ZeroAmount => Self::ZeroAmount,
            PostingError::SameAccount => Self::SameAccount,
            PostingError::ToSupply => Self::ToSupply,
            PostingError::ExceedsRewards => Self::ExceedsRewards,
            PostingError::InsufficientBalance => Self::InsufficientBalance,
            PostingError::SupplyExceeded => Self::SupplyExceeded,
        }
    }
}
