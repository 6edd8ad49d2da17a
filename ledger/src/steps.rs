//! A document's verification step by step: each with what became of it, where `document` names the first thing that fails.
//!
//! The steps are those of [`crate::document::verify`], by the same functions in the same order: a document holds exactly
//! when all of these do. One more is told of a receipt whose entry has an author: whether the author signed it. The log's
//! validators looked at that before they took the entry; with the author's key everybody can.

use crate::block::Entry;
use crate::checkpoint::{self, Checkpoint, SignedCheckpointError};
use crate::consistency::{self, ConsistencyError, ConsistencyProof};
use crate::document::DocumentError;
use crate::handovers::Handovers;
use crate::note::Note;
use crate::receipt::{self, Receipt, ReceiptError};
use crate::state_proof::{self, StateProof, StateProofError};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use devices::identity::PublicKey;
use serde::Serialize;

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was checked, and is so.
    Holds,
    /// It was checked, and is not so.
    Fails,
    /// It could not be checked, because something before it fails or something is not at hand.
    Open,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `form`, `checkpoint`, `signature`, `quorum`, `inclusion`, `leaf`, `growth` or `author`.
    pub step: &'static str,
    /// What became of it.
    pub verdict: Verdict,
    /// What was found, or what fails.
    pub sentence: String,
}

/// The steps of a document so far.
#[derive(Debug, Default)]
struct Steps(Vec<Step>);

impl Steps {
    fn add<E: ToString>(&mut self, step: &'static str, found: Result<String, E>) {
        let (verdict, sentence) = match found {
            Ok(sentence) => (Verdict::Holds, sentence),
            Err(error) => (Verdict::Fails, error.to_string()),
        };
        self.0.push(Step { step, verdict, sentence });
    }

    fn open(&mut self, step: &'static str, why: &str) {
        self.0.push(Step { step, verdict: Verdict::Open, sentence: why.to_string() });
    }

    fn hold(&self) -> bool {
        self.0.iter().all(|step| step.verdict == Verdict::Holds)
    }

    /// Who signed a checkpoint, and whether they are enough. `say` puts an error as the document at hand says it.
    fn checkpoint(
        &mut self,
        note: &Note,
        handovers: &Handovers,
        say: impl Fn(SignedCheckpointError) -> String,
    ) -> Option<Checkpoint> {
        let read = checkpoint::of_this_log(note, handovers);
        let found = read.as_ref().map(|one| format!("log {}, {} entries", one.origin, one.size));
        self.add("checkpoint", found.map_err(|error| say(error.clone())));
        let size = read.as_ref().map_or(u64::MAX, |checkpoint| checkpoint.size);
        let validators = checkpoint::judges(note, size, handovers);
        let signatures = checkpoint::signatures(note, validators);
        let good = signatures.iter().filter(|signature| signature.is_ok()).count();
        let all: Result<Vec<String>, _> = signatures.into_iter().collect();
        let found = all.map(|names| format!("every signature holds: {}", names.join(", ")));
        self.add("signature", found.map_err(&say));
        let (all, needed) = (validators.len(), validators.quorum());
        let found = checkpoint::quorum(good, validators)
            .map(|()| format!("{good} of {all} validators signed, {needed} must"));
        self.add("quorum", found.map_err(say));
        // Whether an entry is in the tree can be looked at whoever signed it.
        Checkpoint::parse(&note.text).ok()
    }

    fn receipt(&mut self, receipt: &Receipt, handovers: &Handovers, say: impl Fn(ReceiptError) -> String) {
        let checkpoint = self.checkpoint(&receipt.checkpoint, handovers, |error| say(error.into()));
        let Some(checkpoint) = checkpoint else {
            self.open("inclusion", "there is no checkpoint that the entry could be in");
            return;
        };
        let place = format!(
            "entry {} leads by {} hashes to the root of {} entries",
            receipt.index,
            receipt.path.len(),
            checkpoint.size
        );
        self.add("inclusion", receipt.is_in(&checkpoint).map(|()| place).map_err(say));
    }

    /// Whether the entry's author signed it. A seal has none: its signatures are the checkpoint's.
    fn author(&mut self, entry: &[u8], network: &str, device_key: Option<&PublicKey>) {
        match Entry::decode(entry) {
            Some(Entry::Reading(reading)) => {
                let kid = reading.kid();
                match device_key.filter(|key| key.kid() == kid) {
                    Some(key) => {
                        let signed = reading.verify(key, network).map(|_| format!("device {kid} signed it"));
                        self.add("author", signed.map_err(|_| format!("device {kid} did not sign it")));
                    }
                    None => self.open("author", &format!("the key of device {kid} is not at hand")),
                }
            }
            Some(Entry::Instruction(instruction)) => {
                let kid = instruction.kid();
                match instruction.key().copied() {
                    Some(key) => {
                        let signed =
                            instruction.verify(&key, network).map(|_| format!("account {kid} signed it"));
                        self.add("author", signed.map_err(|_| format!("account {kid} did not sign it")));
                    }
                    None => self.open(
                        "author",
                        &format!("the key of account {kid} came with an earlier instruction"),
                    ),
                }
            }
            Some(Entry::Seal(_)) | None => {}
        }
    }
}

/// Verifies a document step by step. `device_key` is the key of the device that a receipt's reading is of, where it is at
/// hand; a key of another device is none.
#[must_use]
pub fn steps(text: &str, handovers: &Handovers, device_key: Option<&PublicKey>) -> Vec<Step> {
    let mut steps = Steps::default();
    match text.split('\n').next() {
        Some(receipt::HEADER) => match Receipt::parse(text) {
            Ok(receipt) => {
                steps.add::<String>("form", Ok(spelled("a receipt")));
                steps.receipt(&receipt, handovers, |error| error.to_string());
                steps.author(&receipt.entry, handovers.network(), device_key);
            }
            Err(error) => {
                unread(&mut steps, &error.to_string(), &["checkpoint", "signature", "quorum", "inclusion"])
            }
        },
        Some(state_proof::HEADER) => match StateProof::parse(text) {
            Ok(proof) => state(&mut steps, proof, handovers),
            Err(error) => {
                unread(
                    &mut steps,
                    &error.to_string(),
                    &["checkpoint", "signature", "quorum", "inclusion", "leaf"],
                );
            }
        },
        Some(consistency::HEADER) => match ConsistencyProof::parse(text) {
            Ok(proof) => growth(&mut steps, proof, handovers),
            Err(error) => {
                unread(&mut steps, &error.to_string(), &["checkpoint", "signature", "quorum", "growth"])
            }
        },
        _ => unread(&mut steps, &DocumentError::Kind.to_string(), &[]),
    }
    steps.0
}

fn state(steps: &mut Steps, proof: StateProof, handovers: &Handovers) {
    steps.add::<String>("form", Ok(spelled("a proof of the state")));
    steps.receipt(&proof.receipt, handovers, |error| StateProofError::from(error).to_string());
    if !steps.hold() {
        steps.open("leaf", "a seal's word about the state counts once the seal is proven");
        return;
    }
    let found = proof.verify(handovers);
    steps.add(
        "leaf",
        found.map(|state| {
            format!("leaf {} leads to the root in the seal of block {}", state.index(), state.seal().height)
        }),
    );
}

fn growth(steps: &mut Steps, proof: ConsistencyProof, handovers: &Handovers) {
    steps.add::<String>("form", Ok(spelled("a proof of consistency")));
    steps.checkpoint(&proof.earlier, handovers, |error| ConsistencyError::Earlier(error).to_string());
    steps.checkpoint(&proof.later, handovers, |error| ConsistencyError::Later(error).to_string());
    if !steps.hold() {
        steps.open("growth", "what was not signed by enough validators is no log of theirs");
        return;
    }
    let found = proof.verify(handovers);
    steps.add(
        "growth",
        found.map(|grown| {
            let (earlier, later) = (grown.earlier().checkpoint().size, grown.later().checkpoint().size);
            format!("the first {earlier} of {later} entries are those of the earlier log")
        }),
    );
}

fn spelled(what: &str) -> String {
    format!("{what}, spelled byte by byte as it must be")
}

fn unread(steps: &mut Steps, error: &str, others: &[&'static str]) {
    steps.add::<&str>("form", Err(error));
    others
        .iter()
        .for_each(|step| steps.open(step, "the file cannot be read, so there is nothing to look at"));
}
