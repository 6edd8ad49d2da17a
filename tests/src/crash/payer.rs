//! An account that pays one micro-token after the other by HTTP, and remembers which payments were answered with 202.

use crate::node::{self, Node};
use crate::program::{self, Ended};
use crate::sensor::NETWORK;
use devices::limits::INSTRUCTION_BYTES_MAX;
use devices::{SignedInstruction, SigningKey, sign_instruction};
use ledger::account::AccountId;
use ledger::instruction::Instruction;
use std::sync::atomic::{AtomicBool, Ordering};

/// Any key: the network is a test's own.
const SEED: [u8; 32] = [0xa7; 32];
/// What it begins with: enough for every round, whatever comes.
const TOKENS: &str = "1000";

/// The account.
pub(crate) struct Payer {
    key: SigningKey,
    receiver: AccountId,
    receiver_text: String,
    counter: u64,
    accepted: Vec<String>,
    /// Without an answer: the kill came first. They may be in the log or not.
    unanswered: Vec<String>,
}

impl Payer {
    /// A new account with tokens of the treasury's.
    pub(crate) fn funded(node: &Node) -> Payer {
        let key = SigningKey::from_seed(SEED);
        let account = AccountId::of(&key.public_key()).to_string();
        let mut command = program::lamppost(&["send", "transfer", "--to", &account, "--amount", TOKENS]);
        command.args(["--node", &node.http, "--key"]).arg(node.data.join("keys/treasury.pem"));
        Ended::of(&mut command).success();
        let receiver = AccountId::of(&SigningKey::from_seed([0xa8; 32]).public_key());
        let (accepted, unanswered, receiver_text) = (Vec::new(), Vec::new(), receiver.to_string());
        Payer { key, receiver, receiver_text, counter: 0, accepted, unanswered }
    }

    /// Ids of the payments that were answered with 202.
    pub(crate) fn accepted(&self) -> &[String] {
        &self.accepted
    }

    /// Ids of all payments.
    pub(crate) fn tried(&self) -> impl Iterator<Item = &String> {
        self.accepted.iter().chain(&self.unanswered)
    }

    /// Who is paid.
    pub(crate) fn receiver(&self) -> &str {
        &self.receiver_text
    }

    /// Pays until the node does not answer any more, or somebody says stop.
    ///
    /// # Errors
    /// The sentence of an answer that no payment should get.
    pub(crate) fn pay_until_it_breaks(&mut self, url: &str, stopped: &AtomicBool) -> Result<(), String> {
        while !stopped.load(Ordering::Relaxed) {
            let (transaction, bytes) = self.payment();
            match node::submit_to(url, &bytes) {
                Ok((202, _)) => self.accepted.push(transaction),
                // Between SIGTERM and its end a node says that it stops.
                Err(_) | Ok((503, _)) => {
                    self.unanswered.push(transaction);
                    return Ok(());
                }
                Ok((status, body)) => {
                    self.unanswered.push(transaction);
                    return Err(format!("a payment was answered with {status}: {body}"));
                }
            }
        }
        Ok(())
    }

    /// The next payment and its id.
    fn payment(&mut self) -> (String, Vec<u8>) {
        self.counter += 1;
        let instruction = Instruction::Transfer { to: self.receiver, amount_microtokens: 1, memo: None };
        let mut bytes = vec![0; INSTRUCTION_BYTES_MAX];
        let payload = instruction.encode();
        // With its key every time: whether the ledger has learnt it already, a kill may have left open.
        let length = sign_instruction(&self.key, NETWORK, self.counter, &payload, true, &mut bytes);
        bytes.truncate(length.expect("a payment can be signed"));
        let signed = SignedInstruction::decode(&bytes[..]).expect("what was signed can be read");
        (signed.transaction_id(NETWORK).to_string(), bytes)
    }
}
