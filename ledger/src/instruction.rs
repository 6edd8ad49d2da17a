//! What an account can ask of the ledger, its encoding, and why it is refused.

use crate::account::AccountId;
use crate::encoding::{
    Read, Written, array_of, decoded, encoded, read_account, read_option, write_account, write_option,
};
use crate::registry::Position;
use crate::transfer::{PostingError, read_memo};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::identity::PublicKey;

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
}

/// Which instruction it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstructionName {
    /// Admits a device.
    Enrol,
    /// Moves tokens.
    Transfer,
    /// Makes tokens.
    Issue,
}

impl InstructionName {
    /// The contract's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enrol => "enrol",
            Self::Transfer => "transfer",
            Self::Issue => "issue",
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
            Self::Transfer { .. } => InstructionName::Transfer,
            Self::Issue { .. } => InstructionName::Issue,
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

    fn write(&self, writer: &mut Writer<'_>) -> Written {
        let arguments: usize = match self {
            Self::Enrol { .. } | Self::Transfer { .. } => 3,
            Self::Issue { .. } => 2,
        };
        writer.array_header(arguments.saturating_add(1))?;
        writer.text(self.name().as_str())?;
        match self {
            Self::Enrol { public_key, owner, position } => {
                writer.bytes(public_key.as_bytes())?;
                write_option(writer, *owner, write_account)?;
                write_option(writer, *position, write_position)
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
        }
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let items = reader.array_header()?;
        match (reader.text()?, items) {
            ("enrol", 4) => {
                let public_key = read_key(reader)?;
                let owner = read_option(reader, read_account)?;
                Ok(Self::Enrol { public_key, owner, position: read_option(reader, read_position)? })
            }
            ("transfer", 4) => {
                let to = read_account(reader)?;
                let amount_microtokens = reader.unsigned()?;
                Ok(Self::Transfer { to, amount_microtokens, memo: read_option(reader, read_memo)? })
            }
            ("issue", 3) => {
                let to = read_account(reader)?;
                Ok(Self::Issue { to, amount_microtokens: reader.unsigned()? })
            }
            _ => Err(DecodeError::Unexpected),
        }
    }
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
    #[error("only the operator may enrol devices")]
    NotOperator,
    /// Only the treasury may.
    #[error("only the treasury may issue tokens")]
    NotTreasury,
    /// The device is in the registry.
    #[error("a device with this kid is enrolled already")]
    AlreadyEnrolled,
    /// A system account cannot own devices.
    #[error("the pool and the supply account cannot own devices")]
    OwnerNotAllowed,
    /// The position is none.
    #[error("the position is not within 90 degrees north or south and 180 degrees east or west")]
    PositionOutOfRange,
    /// The position that stands for none.
    #[error("the position 0,0 is where sensors lie whose position nobody has set")]
    PositionUnset,
    /// Nothing to move.
    #[error("the amount is zero")]
    ZeroAmount,
    /// From an account to itself.
    #[error("the receiving account is the sending one")]
    SameAccount,
    /// The supply account takes nothing back.
    #[error("the supply account cannot receive tokens")]
    ToSupply,
    /// More than there is.
    #[error("the account does not hold that much")]
    InsufficientBalance,
    /// More than can be counted.
    #[error("the supply would exceed what a u64 counts")]
    SupplyExceeded,
}

impl InstructionRefusal {
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
            Self::AlreadyEnrolled => "already_enrolled",
            Self::OwnerNotAllowed => "owner_not_allowed",
            Self::PositionOutOfRange => "position_out_of_range",
            Self::PositionUnset => "position_unset",
            Self::ZeroAmount => "zero_amount",
            Self::SameAccount => "same_account",
            Self::ToSupply => "to_supply",
            Self::InsufficientBalance => "insufficient_balance",
            Self::SupplyExceeded => "supply_exceeded",
        }
    }
}

impl From<PostingError> for InstructionRefusal {
    fn from(error: PostingError) -> Self {
        match error {
            PostingError::ZeroAmount => Self::ZeroAmount,
            PostingError::SameAccount => Self::SameAccount,
            PostingError::ToSupply => Self::ToSupply,
            PostingError::InsufficientBalance => Self::InsufficientBalance,
            PostingError::SupplyExceeded => Self::SupplyExceeded,
        }
    }
}
