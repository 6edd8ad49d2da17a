//! Requests in JSON, told apart by their member `ask`, and their answers.
//!
//! | `ask` | answers |
//! |---|---|
//! | `account` | the account and kid of a public key |
//! | `sign_in` | what the key signs to sign in; with a `signature`, the COSE_Sign1 to send |
//! | `instruction` | what the key signs to ask something of the ledger; with a `signature`, the COSE_Sign1 and its id |
//! | `steps` | every step of a document's verification, and what is proven where all hold; `validators` is the document of
//! their changes, where there were any |
//! | `recompute` | every step of a statement's arithmetic |
//!
//! Keys, signatures and bytes are lower-case hex; what cannot be answered is answered with one sentence.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use devices::PublicKey;
use ledger::account::AccountId;
use ledger::document;
use ledger::genesis::Genesis;
use ledger::handovers::{HandoverError, Handovers};
use ledger::proven::Proven;
use ledger::recompute::recompute;
use ledger::statement::Statement;
use ledger::steps::{Verdict, steps};
use ledger::tariff::Tariff;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::signing::{InstructionRequest, SignInRequest};

/// What the module is asked.
#[derive(Debug, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
enum Request {
    Account { public_key: String },
    SignIn(SignInRequest),
    Instruction(InstructionRequest),
    Steps { genesis: String, validators: Option<String>, proof: String, device_key: Option<String> },
    Recompute { statement: String, tariff: String },
}

/// Answers a request.
#[must_use]
pub fn answer(request: &str) -> String {
    let read = serde_json::from_str(request).map_err(|error| error.to_string());
    read.and_then(respond).map_or_else(|sentence| unanswered(&sentence), |answer| answer.to_string())
}

/// The answer to what cannot be answered.
#[must_use]
pub fn unanswered(sentence: &str) -> String {
    json!({ "sentence": sentence }).to_string()
}

fn respond(request: Request) -> Result<Value, String> {
    match request {
        Request::Account { public_key } => {
            let key = key(&public_key)?;
            Ok(json!({ "account": AccountId::of(&key).to_string(), "kid": key.kid().to_string() }))
        }
        Request::SignIn(asked) => asked.respond(),
        Request::Instruction(asked) => asked.respond(),
        Request::Steps { genesis, validators, proof, device_key } => {
            taken_apart(&genesis, validators.as_deref(), &proof, device_key.as_deref())
        }
        Request::Recompute { statement, tariff } => reckoned(&statement, &tariff),
    }
}

fn taken_apart(
    genesis: &str,
    validators: Option<&str>,
    proof: &str,
    device_key: Option<&str>,
) -> Result<Value, String> {
    let genesis = Genesis::from_json(genesis).map_err(|error| error.to_string())?;
    let handovers = match validators {
        // A page gives the document of its node, also where somebody brings the genesis document of another network.
        Some(document) => match Handovers::parse(document, &genesis) {
            Err(HandoverError::Foreign) => Handovers::of_genesis(&genesis),
            read => read.map_err(|error| error.to_string())?,
        },
        None => Handovers::of_genesis(&genesis),
    };
    let device_key = device_key.map(key).transpose()?;
    let steps = steps(proof, &handovers, device_key.as_ref());
    let fails = steps.iter().any(|step| step.verdict == Verdict::Fails);
    // The verdict itself is the document's own; what its entry says is shown once that is proven, and not before.
    let verified = document::verify(proof, &handovers).ok().filter(|_| !fails);
    let proven = verified.map(|verified| Proven::of(&verified, &genesis).to_json());
    Ok(json!({ "holds": proven.is_some(), "steps": written(&steps)?, "proven": proven }))
}

fn reckoned(statement: &str, tariff: &str) -> Result<Value, String> {
    let bytes = hex::decode(statement).map_err(|_| "the statement is no hex")?;
    let statement = Statement::decode(&bytes).map_err(|_| "these bytes are no statement")?;
    let tariff = Tariff::from_json(tariff).map_err(|error| error.to_string())?;
    let steps = recompute(&statement, &tariff);
    let holds = steps.iter().all(|step| step.holds);
    Ok(json!({
        "holds": holds,
        "kid": statement.kid.to_string(),
        "epoch": statement.epoch.to_string(),
        "payee": statement.payee.to_string(),
        "paid_microtokens": statement.paid_microtokens.to_string(),
        "steps": written(&steps)?,
    }))
}

fn written(steps: &impl serde::Serialize) -> Result<Value, String> {
    serde_json::to_value(steps).map_err(|error| error.to_string())
}

/// A public key in hex.
pub(crate) fn key(text: &str) -> Result<PublicKey, String> {
    text.parse().map_err(|error: devices::KeyError| error.to_string())
}

/// Exactly `N` bytes in hex.
pub(crate) fn bytes<const N: usize>(text: &str, what: &str) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    let read = hex::decode_to_slice(text, &mut bytes);
    read.map(|()| bytes).map_err(|_| alloc::format!("{what} is {} hex digits", N.saturating_mul(2)))
}

/// Bytes that a function of `devices` wrote into a buffer of at most so many.
pub(crate) fn written_by<E: ToString>(
    length_max: usize,
    write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
) -> Result<Vec<u8>, String> {
    let mut out = vec![0; length_max];
    let length = write(&mut out).map_err(|error| error.to_string())?;
    out.truncate(length);
    Ok(out)
}
