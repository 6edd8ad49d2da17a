//! Somebody with a key who asks things of the ledger, one after the other, and asks again when no answer comes.

use devices::{SignedInstruction, SigningKey, TransactionId};
use gateway::admit::Ticket;
use ledger::account::AccountId;
use ledger::instruction::Instruction;

/// What somebody is in the city.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Enrols devices, sets tariffs and sets entries right.
    Operator,
    /// Issues tokens.
    Treasury,
    /// Owns devices; the number tells owners apart.
    Owner(usize),
}

/// An account and what it waits for.
pub struct Resident {
    /// What it is.
    pub role: Role,
    key: SigningKey,
    /// Its account.
    pub account: AccountId,
    counter: u64,
    /// What it asked and has no answer to.
    pub outstanding: Option<Outstanding>,
}

/// A signed instruction without an answer.
#[derive(Clone, Debug)]
pub struct Outstanding {
    /// What is asked.
    pub instruction: Instruction,
    /// Whether a fault-free node would carry it out.
    pub is_right: bool,
    /// Its id.
    pub id: TransactionId,
    /// The bytes; sent again as they are.
    pub bytes: Vec<u8>,
    /// The request under way.
    pub ticket: Option<Ticket>,
}

impl Resident {
    /// A resident who has asked nothing yet.
    pub fn new(role: Role, key: SigningKey) -> Resident {
        let account = AccountId::of(&key.public_key());
        Resident { role, key, account, counter: 0, outstanding: None }
    }

    /// Signs an instruction, to be sent until it is answered.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn ask(&mut self, network: &str, instruction: Instruction, is_right: bool) -> Result<(), String> {
        self.counter += 1;
        let mut bytes = vec![0; devices::limits::INSTRUCTION_BYTES_MAX];
        let payload = instruction.encode();
        let length = devices::sign_instruction(&self.key, network, self.counter, &payload, true, &mut bytes)
            .map_err(|error| format!("an instruction cannot be signed: {error}"))?;
        bytes.truncate(length);
        let signed = SignedInstruction::decode(&bytes[..]).map_err(|_| "an instruction does not decode")?;
        let id = signed.transaction_id(network);
        self.outstanding = Some(Outstanding { instruction, is_right, id, bytes, ticket: None });
        Ok(())
    }
}
