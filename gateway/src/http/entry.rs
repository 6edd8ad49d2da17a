//! One entry of the log in JSON: a reading, an instruction or a seal.

use devices::SignedInstruction;
use ledger::account::AccountId;
use ledger::block::{Entry, Seal};
use ledger::evidence::Evidence;
use ledger::instruction::Instruction;
use ledger::tariff::Tariff;
use serde::Serialize;
use utoipa::ToSchema;

use super::amount::Amount;
use super::devices::Position;
use super::status::RefusedCounts;
use crate::senml_json::{self, SenmlRecord};
use crate::shared::Shared;

/// What an entry says; `kind` tells which.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Said {
    /// A device's envelope.
    Reading {
        /// The device.
        kid: String,
        /// The device's own number of it.
        boot: u32,
        /// The device's own number of it.
        count: u32,
        /// The SenML records, resolved (RFC 8428 §5).
        senml: Vec<SenmlRecord>,
    },
    /// An account's instruction.
    Instruction {
        /// Who signed.
        account: Option<String>,
        /// The account's first eight bytes, as the header has them.
        kid: String,
        /// The account's own counter.
        counter: u64,
        /// What is asked, such as `enrol` or `transfer`.
        name: &'static str,
        /// The arguments by name.
        arguments: Arguments,
    },
    /// The entry that closes a block.
    Seal(SealBody),
}

/// An instruction's arguments by name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Arguments {
    /// Of `enrol`.
    Enrol {
        /// The device's key, in hex.
        public_key: String,
        /// The device's kid.
        device: String,
        /// Who is paid.
        owner: Option<String>,
        /// Where it stands.
        position: Option<Position>,
    },
    /// Of `claim`.
    Claim {
        /// The device's kid.
        device: String,
        /// Where it stands.
        position: Position,
        /// The device's signature over the account's id, in hex.
        proof: String,
    },
    /// Of `transfer_device`.
    TransferDevice {
        /// The device's kid.
        device: String,
        /// Who may accept it; null withdraws the offer.
        offered_to: Option<String>,
    },
    /// Of `accept_device`.
    AcceptDevice {
        /// The device's kid.
        device: String,
    },
    /// Of `rotate_key`.
    RotateKey {
        /// The kid of the key that is replaced.
        device: String,
        /// The key that takes its place, in hex.
        new_public_key: String,
        /// Its kid.
        new_device: String,
        /// The new key's signature over the old kid and the signer's id, in hex.
        proof: String,
    },
    /// Of `revoke_device`.
    RevokeDevice {
        /// The device's kid.
        device: String,
        /// Why.
        why: String,
    },
    /// Of `correct`.
    Correct {
        /// Index of the entry that is set right.
        corrects: u64,
        /// Who gives.
        from: String,
        /// Who gets it.
        to: String,
        /// How much.
        amount: Amount,
        /// Why.
        why: String,
    },
    /// Of `set_tariff`.
    SetTariff {
        /// The price list as the genesis document would have it.
        #[schema(value_type = Object)]
        tariff: Tariff,
    },
    /// Of `report_misbehaviour`. What a statement says that is not a block or a root stands beside it.
    ReportMisbehaviour {
        /// Whose statements they are: its key, in hex.
        validator: String,
        /// What was done twice: `prevotes`, `precommits`, `proposals` or `checkpoints`.
        misbehaviour: &'static str,
        /// The height; of checkpoints the log's size.
        height: u64,
        /// The round; 0 of checkpoints.
        round: u32,
        /// The two statements.
        statements: [SignedStatement; 2],
    },
    /// Of `add_validator`.
    AddValidator {
        /// Version of the validators that are changed.
        version: u64,
        /// The name of who joins.
        validator: String,
        /// Its verifier key.
        vkey: String,
    },
    /// Of `remove_validator`.
    RemoveValidator {
        /// Version of the validators that are changed.
        version: u64,
        /// The name of who leaves.
        validator: String,
    },
    /// Of `transfer` and `issue`.
    Transfer {
        /// Who gets it.
        to: String,
        /// How much.
        amount: Amount,
        /// A word with it.
        #[serde(skip_serializing_if = "Option::is_none")]
        memo: Option<String>,
    },
}

/// One of two statements that contradict each other.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedStatement {
    /// The block's id or the log's root, in hex; null for a vote for no block.
    value: Option<String>,
    /// The proof-of-lock round that a proposal names.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof_of_lock_round: Option<u32>,
    /// The validator's signature, in hex.
    signature: String,
}

/// What a seal says.
#[derive(Debug, Serialize, ToSchema)]
pub struct SealBody {
    /// Entries of the block, the seal not counted.
    entries: u32,
    /// Readings refused since the block before.
    refused: RefusedCounts,
    /// Merkle root over outcomes, transfers and statements, in hex.
    results_root: String,
    /// Root of the log before the seal, in hex.
    log_root: String,
    /// Root over accounts, devices and tariff, in hex; at genesis and at an epoch's end.
    state_root: Option<String>,
    /// First and last epoch that this block settled.
    settled_epochs: Option<(u64, u64)>,
}

impl From<&Seal> for SealBody {
    fn from(seal: &Seal) -> SealBody {
        SealBody {
            entries: seal.entries,
            refused: RefusedCounts::new(seal.refused),
            results_root: hex::encode(seal.results_root),
            log_root: hex::encode(seal.log_root),
            state_root: seal.state_root.map(|root| hex::encode(root.hash)),
            settled_epochs: seal.settled_epochs,
        }
    }
}

/// What the bytes of an entry say; `None` when they are no entry.
pub fn said(shared: &Shared, bytes: &[u8]) -> Option<Said> {
    match Entry::decode(bytes)? {
        Entry::Reading(reading) => Some(Said::Reading {
            kid: reading.kid().to_string(),
            boot: reading.sequence().boot,
            count: reading.sequence().count,
            senml: senml_json::records(&reading.pack()),
        }),
        Entry::Instruction(instruction) => {
            let decoded = Instruction::decode(instruction.payload()).ok()?;
            Some(Said::Instruction {
                account: account(shared, &instruction).map(|account| account.to_string()),
                kid: instruction.kid().to_string(),
                counter: instruction.counter(),
                name: decoded.name().as_str(),
                arguments: arguments(decoded),
            })
        }
        Entry::Seal(seal) => Some(Said::Seal(SealBody::from(&seal))),
    }
}

/// The account that signed an instruction: of the key it carries, else of the key that the ledger knows by its kid.
pub fn account(shared: &Shared, instruction: &SignedInstruction<&[u8]>) -> Option<AccountId> {
    let known = || shared.state().account_key(instruction.kid()).map(AccountId::of);
    instruction.key().map(AccountId::of).or_else(known)
}

fn misbehaviour(evidence: &Evidence) -> Arguments {
    let statement = |value: Option<&[u8; 32]>, proof_of_lock_round, signature: &[u8; 64]| SignedStatement {
        value: value.map(hex::encode),
        proof_of_lock_round,
        signature: hex::encode(signature),
    };
    let (height, round) = evidence.place();
    Arguments::ReportMisbehaviour {
        validator: evidence.validator().to_string(),
        misbehaviour: evidence.kind().as_str(),
        height,
        round,
        statements: match evidence {
            Evidence::Votes { first, second, .. } => {
                [first, second].map(|vote| statement(vote.value.as_ref(), None, &vote.signature))
            }
            Evidence::Proposals { first, second, .. } => [first, second]
                .map(|proposal| statement(Some(&proposal.value), proposal.pol_round, &proposal.signature)),
            Evidence::Checkpoints { first, second, .. } => {
                [first, second].map(|signed| statement(Some(&signed.root), None, &signed.signature))
            }
        },
    }
}

fn arguments(instruction: Instruction) -> Arguments {
    match instruction {
        Instruction::Enrol { public_key, owner, position } => Arguments::Enrol {
            public_key: public_key.to_string(),
            device: public_key.kid().to_string(),
            owner: owner.map(|owner| owner.to_string()),
            position: position.map(Position::from),
        },
        Instruction::Claim { kid, position, proof } => {
            Arguments::Claim { device: kid.to_string(), position: position.into(), proof: hex::encode(proof) }
        }
        Instruction::TransferDevice { kid, to } => Arguments::TransferDevice {
            device: kid.to_string(),
            offered_to: to.map(|account| account.to_string()),
        },
        Instruction::AcceptDevice { kid } => Arguments::AcceptDevice { device: kid.to_string() },
        Instruction::RotateKey { kid, new_key, proof } => Arguments::RotateKey {
            device: kid.to_string(),
            new_public_key: new_key.to_string(),
            new_device: new_key.kid().to_string(),
            proof: hex::encode(proof),
        },
        Instruction::RevokeDevice { kid, why } => Arguments::RevokeDevice { device: kid.to_string(), why },
        Instruction::Correct { entry_index, from, to, amount_microtokens, why } => Arguments::Correct {
            corrects: entry_index,
            from: from.to_string(),
            to: to.to_string(),
            amount: Amount::new(amount_microtokens),
            why,
        },
        Instruction::SetTariff { tariff } => Arguments::SetTariff { tariff },
        Instruction::AddValidator { version, validator } => Arguments::AddValidator {
            version,
            validator: validator.name().to_owned(),
            vkey: validator.to_string(),
        },
        Instruction::RemoveValidator { version, name } => {
            Arguments::RemoveValidator { version, validator: name }
        }
        Instruction::ReportMisbehaviour { evidence } => misbehaviour(&evidence),
        Instruction::Transfer { to, amount_microtokens, memo } => {
            Arguments::Transfer { to: to.to_string(), amount: Amount::new(amount_microtokens), memo }
        }
        Instruction::Issue { to, amount_microtokens } => {
            Arguments::Transfer { to: to.to_string(), amount: Amount::new(amount_microtokens), memo: None }
        }
    }
}
