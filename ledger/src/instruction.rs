//! What an account can ask of the ledger, and its encoding.

use crate::account::AccountId;
use crate::encoding::{
    Read, Written, array_of, decoded, encoded, read_account, read_option, write_account, write_option,
};
use crate::evidence::Evidence;
pub use crate::instruction_refusal::InstructionRefusal;
use crate::note::VerifierKey;
use crate::registry::Position;
use crate::tariff::{Tariff, read_tariff, write_tariff};
use crate::transfer::{read_memo, read_why};
use crate::validators::{ValidatorChange, read_name, read_validator, write_validator};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::identity::{DeviceId, PublicKey};

/// The payload of an instruction: a CBOR array `[name, arguments…]` (contract, accounts' instructions).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// `["enrol", key, owner / null, [latitude, longitude] / null]`, by the operator.
    Enrol {
        /// The device's key.
        public_key: PublicKey,
        /// Who is paid; later, when absent.
        owner: Option<AccountId>,
        /// Where it stands.
        position: Option<Position>,
    },
    /// `["claim", kid, [latitude, longitude], proof]`, by whoever becomes the owner of a device that has none.
    Claim {
        /// The device.
        kid: DeviceId,
        /// Where it stands.
        position: Position,
        /// The device's signature over the claiming account's id ([`devices::Possession::Claim`]).
        proof: [u8; 64],
    },
    /// `["transfer_device", kid, account / null]`, by the owner: offers the device, or withdraws the offer.
    TransferDevice {
        /// The device.
        kid: DeviceId,
        /// Who may accept it; nobody, when absent.
        to: Option<AccountId>,
    },
    /// `["accept_device", kid]`, by the account that the device is offered to.
    AcceptDevice {
        /// The device.
        kid: DeviceId,
    },
    /// `["rotate_key", kid, new key, proof]`, by the owner or the operator.
    RotateKey {
        /// The device by its old key.
        kid: DeviceId,
        /// The key that takes its place.
        new_key: PublicKey,
        /// The new key's signature over the old kid and the signer's id ([`devices::Possession::Rotation`]).
        proof: [u8; 64],
    },
    /// `["revoke_device", kid, why]`, by the owner or the operator.
    RevokeDevice {
        /// The device.
        kid: DeviceId,
        /// Why; never empty.
        why: String,
    },
    /// `["transfer", to, amount, memo / null]`, by any account.
    Transfer {
        /// Who gets it.
        to: AccountId,
        /// How much, in micro-tokens.
        amount_microtokens: u64,
        /// A word with it.
        memo: Option<String>,
    },
    /// `["issue", to, amount]`, by the treasury.
    Issue {
        /// Who gets the new tokens.
        to: AccountId,
        /// How many micro-tokens.
        amount_microtokens: u64,
    },
    /// `["correct", entry index, from, to, amount, why]`, by the operator, from or to the pool.
    Correct {
        /// The entry that is set right; it stays as it is.
        entry_index: u64,
        /// Who gives.
        from: AccountId,
        /// Who gets.
        to: AccountId,
        /// How many micro-tokens.
        amount_microtokens: u64,
        /// Why; never empty.
        why: String,
    },
    /// `["set_tariff", tariff]`, by the operator, from the next epoch on.
    SetTariff {
        /// The next version.
        tariff: Tariff,
    },
    /// `["add_validator", version, name, key]`, by a present validator: its approval that this one joins.
    AddValidator {
        /// Version of the present validators.
        version: u64,
        /// Who joins.
        validator: VerifierKey,
    },
    /// `["remove_validator", version, name]`, by a present validator: its approval that this one leaves.
    RemoveValidator {
        /// Version of the present validators.
        version: u64,
        /// Who leaves.
        name: String,
    },
    /// `["report_misbehaviour", evidence]`, by a present validator.
    ReportMisbehaviour {
        /// Two statements of one validator that contradict each other.
        evidence: Box<Evidence>,
    },
}

/// Which instruction it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstructionName {
    /// Admits a device.
    Enrol,
    /// Gives a device its first owner.
    Claim,
    /// Offers a device.
    TransferDevice,
    /// Takes an offered device.
    AcceptDevice,
    /// Gives a device another key.
    RotateKey,
    /// Ends a device's service.
    RevokeDevice,
    /// Moves tokens.
    Transfer,
    /// Makes tokens.
    Issue,
    /// Sets an entry right.
    Correct,
    /// Announces a price list.
    SetTariff,
    /// Approves that a validator joins.
    AddValidator,
    /// Approves that a validator leaves.
    RemoveValidator,
    /// Records that a validator contradicted itself.
    ReportMisbehaviour,
}

impl InstructionName {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Enrol,
        Self::Claim,
        Self::TransferDevice,
        Self::AcceptDevice,
        Self::RotateKey,
        Self::RevokeDevice,
        Self::Transfer,
        Self::Issue,
        Self::Correct,
        Self::SetTariff,
        Self::AddValidator,
        Self::RemoveValidator,
        Self::ReportMisbehaviour,
    ];

    /// Whether it is the validators' alone: a network that began with one validator refuses it.
    #[must_use]
    pub const fn is_of_validators(self) -> bool {
        matches!(self, Self::AddValidator | Self::RemoveValidator | Self::ReportMisbehaviour)
    }

    /// The contract's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enrol => "enrol",
            Self::Claim => "claim",
            Self::TransferDevice => "transfer_device",
            Self::AcceptDevice => "accept_device",
            Self::RotateKey => "rotate_key",
            Self::RevokeDevice => "revoke_device",
            Self::Transfer => "transfer",
            Self::Issue => "issue",
            Self::Correct => "correct",
            Self::SetTariff => "set_tariff",
            Self::AddValidator => "add_validator",
            Self::RemoveValidator => "remove_validator",
            Self::ReportMisbehaviour => "report_misbehaviour",
        }
    }
}

impl fmt::Display for InstructionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Instruction {
    /// Which instruction it is.
    #[must_use]
    pub fn name(&self) -> InstructionName {
        match self {
            Self::Enrol { .. } => InstructionName::Enrol,
            Self::Claim { .. } => InstructionName::Claim,
            Self::TransferDevice { .. } => InstructionName::TransferDevice,
            Self::AcceptDevice { .. } => InstructionName::AcceptDevice,
            Self::RotateKey { .. } => InstructionName::RotateKey,
            Self::RevokeDevice { .. } => InstructionName::RevokeDevice,
            Self::Transfer { .. } => InstructionName::Transfer,
            Self::Issue { .. } => InstructionName::Issue,
            Self::Correct { .. } => InstructionName::Correct,
            Self::SetTariff { .. } => InstructionName::SetTariff,
            Self::AddValidator { .. } => InstructionName::AddValidator,
            Self::RemoveValidator { .. } => InstructionName::RemoveValidator,
            Self::ReportMisbehaviour { .. } => InstructionName::ReportMisbehaviour,
        }
    }

    /// The change of the validators that it approves, and the version of those whom it changes.
    #[must_use]
    pub fn validator_change(&self) -> Option<(u64, ValidatorChange)> {
        match self {
            Self::AddValidator { version, validator } => {
                Some((*version, ValidatorChange::Add(validator.clone())))
            }
            Self::RemoveValidator { version, name } => {
                Some((*version, ValidatorChange::Remove(name.clone())))
            }
            _ => None,
        }
    }

    /// The key that the instruction brings into the registry, if it is carried out: what later readings verify under.
    #[must_use]
    pub fn device_key(&self) -> Option<&PublicKey> {
        match self {
            Self::Enrol { public_key: key, .. } | Self::RotateKey { new_key: key, .. } => Some(key),
            _ => None,
        }
    }

    /// The payload's bytes, ready for `devices::sign_instruction`.
    ///
    /// ```
    /// use ledger::{account::AccountId, instruction::Instruction};
    /// let to = AccountId::pool("devnet");
    /// let instruction = Instruction::Transfer { to, amount_microtokens: 5, memo: Some("for the pool".into()) };
    /// assert_eq!(Instruction::decode(&instruction.encode()), Ok(instruction));
    /// ```
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encoded(|writer| self.write(writer))
    }

    /// Reads a payload; another name, another number of arguments or any other form is an error.
    ///
    /// # Errors
    /// When the bytes are not what [`Self::encode`] writes.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        decoded(payload, Self::read)
    }

    /// How many arguments follow the name.
    const fn arguments(name: InstructionName) -> usize {
        match name {
            InstructionName::AcceptDevice
            | InstructionName::SetTariff
            | InstructionName::ReportMisbehaviour => 1,
            InstructionName::TransferDevice
            | InstructionName::RevokeDevice
            | InstructionName::Issue
            | InstructionName::RemoveValidator => 2,
            InstructionName::Enrol
            | InstructionName::Claim
            | InstructionName::RotateKey
            | InstructionName::Transfer
            | InstructionName::AddValidator => 3,
            InstructionName::Correct => 5,
        }
    }

    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(Self::arguments(self.name()).saturating_add(1))?;
        writer.text(self.name().as_str())?;
        match self {
            Self::Enrol { public_key, owner, position } => {
                writer.bytes(public_key.as_bytes())?;
                write_option(writer, *owner, write_account)?;
                write_option(writer, *position, write_position)
            }
            Self::Claim { kid, position, proof } => {
                writer.bytes(kid.as_bytes())?;
                write_position(writer, *position)?;
                writer.bytes(proof)
            }
            Self::TransferDevice { kid, to } => {
                writer.bytes(kid.as_bytes())?;
                write_option(writer, *to, write_account)
            }
            Self::AcceptDevice { kid } => writer.bytes(kid.as_bytes()),
            Self::RotateKey { kid, new_key, proof } => {
                writer.bytes(kid.as_bytes())?;
                writer.bytes(new_key.as_bytes())?;
                writer.bytes(proof)
            }
            Self::RevokeDevice { kid, why } => {
                writer.bytes(kid.as_bytes())?;
                writer.text(why)
            }
            Self::Transfer { to, amount_microtokens, memo } => {
                write_account(writer, *to)?;
                writer.unsigned(*amount_microtokens)?;
                write_option(writer, memo.as_deref(), |writer, memo| writer.text(memo))
            }
            Self::Issue { to, amount_microtokens } => {
                write_account(writer, *to)?;
                writer.unsigned(*amount_microtokens)
            }
            Self::Correct { entry_index, from, to, amount_microtokens, why } => {
                writer.unsigned(*entry_index)?;
                write_account(writer, *from)?;
                write_account(writer, *to)?;
                writer.unsigned(*amount_microtokens)?;
                writer.text(why)
            }
            Self::SetTariff { tariff } => write_tariff(writer, tariff),
            Self::AddValidator { version, validator } => {
                writer.unsigned(*version)?;
                write_validator(writer, validator)
            }
            Self::RemoveValidator { version, name } => {
                writer.unsigned(*version)?;
                writer.text(name)
            }
            Self::ReportMisbehaviour { evidence } => evidence.write(writer),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let items = reader.array_header()?;
        let word = reader.text()?;
        let name = InstructionName::ALL.into_iter().find(|name| name.as_str() == word);
        let name = name.filter(|name| Self::arguments(*name).checked_add(1) == Some(items));
        Ok(match name.ok_or(DecodeError::Unexpected)? {
            InstructionName::Enrol => Self::Enrol {
                public_key: read_key(reader)?,
                owner: read_option(reader, read_account)?,
                position: read_option(reader, read_position)?,
            },
            InstructionName::Claim => Self::Claim {
                kid: read_kid(reader)?,
                position: read_position(reader)?,
                proof: *reader.byte_array()?,
            },
            InstructionName::TransferDevice => {
                Self::TransferDevice { kid: read_kid(reader)?, to: read_option(reader, read_account)? }
            }
            InstructionName::AcceptDevice => Self::AcceptDevice { kid: read_kid(reader)? },
            InstructionName::RotateKey => Self::RotateKey {
                kid: read_kid(reader)?,
                new_key: read_key(reader)?,
                proof: *reader.byte_array()?,
            },
            InstructionName::RevokeDevice => {
                Self::RevokeDevice { kid: read_kid(reader)?, why: read_why(reader)? }
            }
            InstructionName::Transfer => Self::Transfer {
                to: read_account(reader)?,
                amount_microtokens: reader.unsigned()?,
                memo: read_option(reader, read_memo)?,
            },
            InstructionName::Issue => {
                Self::Issue { to: read_account(reader)?, amount_microtokens: reader.unsigned()? }
            }
            InstructionName::Correct => Self::Correct {
                entry_index: reader.unsigned()?,
                from: read_account(reader)?,
                to: read_account(reader)?,
                amount_microtokens: reader.unsigned()?,
                why: read_why(reader)?,
            },
            // Its bounds are judged when it is carried out, so that the refusal says what is wrong.
            InstructionName::SetTariff => Self::SetTariff { tariff: read_tariff(reader)? },
            InstructionName::AddValidator => {
                Self::AddValidator { version: reader.unsigned()?, validator: read_validator(reader)? }
            }
            InstructionName::RemoveValidator => {
                Self::RemoveValidator { version: reader.unsigned()?, name: read_name(reader)? }
            }
            InstructionName::ReportMisbehaviour => {
                Self::ReportMisbehaviour { evidence: Box::new(Evidence::read(reader)?) }
            }
        })
    }
}

/// Reads a device's kid.
pub(crate) fn read_kid(reader: &mut Reader<'_>) -> Read<DeviceId> {
    Ok(DeviceId(*reader.byte_array::<8>()?))
}

/// Writes a position as `[latitude, longitude]` in micro-degrees.
pub(crate) fn write_position(writer: &mut Writer<'_>, position: Position) -> Written {
    writer.array_header(2)?;
    writer.integer(position.latitude_microdegrees.into())?;
    writer.integer(position.longitude_microdegrees.into())
}

/// Reads a position; whether it lies on the Earth is the registry's to say.
pub(crate) fn read_position(reader: &mut Reader<'_>) -> Read<Position> {
    array_of(reader, 2)?;
    let mut microdegrees = || i32::try_from(reader.integer()?).map_err(|_| DecodeError::OutOfRange);
    Ok(Position { latitude_microdegrees: microdegrees()?, longitude_microdegrees: microdegrees()? })
}

/// Reads a public key, which must be canonical and not weak.
pub(crate) fn read_key(reader: &mut Reader<'_>) -> Read<PublicKey> {
    PublicKey::from_bytes(*reader.byte_array::<32>()?).map_err(|_| DecodeError::OutOfRange)
}
