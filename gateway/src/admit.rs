//! Admission: decodes what came in and finds the key to verify it under. Pure: no clock, no socket, no signature.
//!
//! Only what comes before the signature in the contract's order is judged here (malformed, unknown_device, revoked);
//! a replay or a wrong time is believed only of what the device really signed.

use devices::batch::Signed;
use devices::{DeviceId, PublicKey, Refusal, Sequence, SignedInstruction, SignedReading};
use ledger::instruction::InstructionRefusal;
use ledger::state::State;
use ledger::transaction::Refused;

/// Names a submission whose sender waits for the answer.
pub type Ticket = u64;

/// One transaction as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The device that the topic named; `None` when it did not come by MQTT.
    pub topic_kid: Option<DeviceId>,
    /// Who waits for the answer.
    pub ticket: Option<Ticket>,
}

/// What admission let through: ready for verification.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The transaction.
    pub signed: Signed<Vec<u8>>,
    /// The key that its signature must hold under.
    pub key: PublicKey,
    /// Who waits for the answer.
    pub ticket: Option<Ticket>,
}

/// What was refused, and as much of it as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// The device it claims to come from, or the topic names.
    pub kid: Option<DeviceId>,
    /// Its number, where it could be decoded.
    pub sequence: Option<Sequence>,
    /// Whether the registry knows the device.
    pub known: bool,
    /// Why.
    pub refused: Refused,
    /// Its bytes, as they arrived.
    pub size_bytes: usize,
    /// Who waits for the answer.
    pub ticket: Option<Ticket>,
}

/// Decodes an arrival and finds its key.
///
/// # Errors
/// The refusal, boxed because it is the rare case.
pub fn admit(state: &State, arrival: Arrival) -> Result<Candidate, Box<Turned>> {
    let Arrival { bytes, topic_kid, ticket } = arrival;
    let reading = match SignedReading::decode(bytes) {
        Ok(reading) => reading,
        Err((_, bytes)) => return admit_instruction(state, bytes, topic_kid, ticket),
    };
    let kid = reading.kid();
    let turned = |known, refusal| {
        let (kid, sequence, size_bytes) = (Some(kid), Some(reading.sequence()), reading.envelope().len());
        Box::new(Turned { kid, sequence, known, refused: Refused::Reading(refusal), size_bytes, ticket })
    };
    let Some(device) = state.device(kid) else { return Err(turned(false, Refusal::UnknownDevice)) };
    if device.is_retired() {
        return Err(turned(true, Refusal::Revoked));
    }
    let key = device.public_key;
    Ok(Candidate { signed: Signed::Reading(reading), key, ticket })
}

/// Instructions come only from those who wait for an answer: a topic belongs to a device.
fn admit_instruction(
    state: &State,
    bytes: Vec<u8>,
    topic_kid: Option<DeviceId>,
    ticket: Option<Ticket>,
) -> Result<Candidate, Box<Turned>> {
    let size_bytes = bytes.len();
    let turned = |refused| {
        Box::new(Turned {
            kid: topic_kid,
            sequence: None,
            known: is_known(state, topic_kid),
            refused,
            size_bytes,
            ticket,
        })
    };
    let malformed = Refused::Reading(Refusal::Malformed);
    if topic_kid.is_some() {
        return Err(turned(malformed));
    }
    let Ok(instruction) = SignedInstruction::decode(bytes) else { return Err(turned(malformed)) };
    match state.account_key(instruction.kid()).or(instruction.key()).copied() {
        Some(key) => Ok(Candidate { signed: Signed::Instruction(instruction), key, ticket }),
        None => Err(turned(Refused::Instruction(InstructionRefusal::UnknownAccount))),
    }
}

fn is_known(state: &State, kid: Option<DeviceId>) -> bool {
    kid.is_some_and(|kid| state.device(kid).is_some())
}

/// The refusal of an instruction whose signature does not hold.
pub const INSTRUCTION_SIGNATURE: Refused = Refused::Instruction(InstructionRefusal::Signature);
