//! Gathers the validators' signatures under the checkpoints of what they committed: one is served once more than two thirds
//! have signed the same. Pure.

use std::collections::BTreeMap;

use devices::signature;
use ledger::checkpoint::Checkpoint;
use ledger::evidence::{Evidence, SignedRoot};
use ledger::merkle::Hash;
use ledger::note::{Note, NoteSignature};
use ledger::validators::Validators;

use super::context::Address;
use crate::limits;

/// One validator's signature under one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Entries in the log.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// Whose.
    pub address: Address,
    /// Over the note's text.
    pub signature: [u8; 64],
}

/// What a signature came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gathered {
    /// Enough validators have signed: the whole note.
    Enough(String),
    /// The validator signed two roots of one size.
    Conflict(Box<Evidence>),
    /// Nothing yet.
    Waiting,
}

/// What this node committed at one size of its log.
#[derive(Debug)]
struct Committed {
    checkpoint: Checkpoint,
    validators: Validators,
}

/// The checkpoints of the last blocks and who signed them.
#[derive(Debug)]
pub struct Checkpoints {
    origin: String,
    committed: BTreeMap<u64, Committed>,
    signed: BTreeMap<u64, BTreeMap<Address, Signed>>,
    /// The largest size of which a note was given out.
    enough_at: u64,
}

impl Checkpoints {
    /// For a log; checkpoints of no more entries than `enough_at` are known with enough signatures.
    pub fn new(origin: &str, enough_at: u64) -> Checkpoints {
        let (committed, signed) = (BTreeMap::new(), BTreeMap::new());
        Checkpoints { origin: origin.to_owned(), committed, signed, enough_at }
    }

    /// This node committed a block; `validators` are those who decided it. Others may have signed before.
    pub fn commit(&mut self, checkpoint: Checkpoint, validators: &Validators) -> Gathered {
        let size = checkpoint.size;
        if let Some(signed) = self.signed.get_mut(&size) {
            signed
                .retain(|address, _| validators.keys().iter().any(|key| key.key().as_bytes() == &address.0));
        }
        self.committed.insert(size, Committed { checkpoint, validators: validators.clone() });
        while self.committed.len() > limits::CHECKPOINTS_GATHERED_MAX {
            self.committed.pop_first();
        }
        self.enough(size)
    }

    /// Takes a validator's signature; `validators` are the present ones.
    pub fn take(&mut self, signed: Signed, validators: &Validators) -> Gathered {
        let (size, address) = (signed.size, signed.address);
        let oldest = self.committed.first_key_value().map_or(0, |(size, _)| *size);
        let newest = self.committed.last_key_value().map_or(0, |(size, _)| *size);
        let known = validators.keys().iter().find(|key| key.key().as_bytes() == &address.0);
        let Some(key) = known.filter(|_| size >= oldest) else { return Gathered::Waiting };
        if !signature::holds(key.key(), self.text(&signed).as_bytes(), &signed.signature) {
            return Gathered::Waiting;
        }
        if let Some(before) = self.signed.get(&size).and_then(|signed| signed.get(&address)) {
            return match before.root == signed.root {
                true => Gathered::Waiting,
                false => Gathered::Conflict(Box::new(Evidence::Checkpoints {
                    validator: *key.key(),
                    size,
                    first: SignedRoot { root: before.root, signature: before.signature },
                    second: SignedRoot { root: signed.root, signature: signed.signature },
                })),
            };
        }
        self.signed.entry(size).or_default().insert(address, signed);
        // Of sizes that this node has not come to, the nearest are kept.
        while self.signed.len() > limits::CHECKPOINTS_GATHERED_MAX {
            let far = self.signed.last_key_value().map_or(0, |(size, _)| *size);
            match far > newest {
                true => self.signed.pop_last(),
                false => self.signed.pop_first(),
            };
        }
        self.enough(size)
    }

    fn enough(&mut self, size: u64) -> Gathered {
        let Some(committed) = self.committed.get(&size) else { return Gathered::Waiting };
        if size <= self.enough_at && self.enough_at != 0 {
            return Gathered::Waiting;
        }
        let of_ours = self.signed.get(&size).into_iter().flat_map(BTreeMap::values);
        let signed: Vec<_> =
            of_ours.filter(|signed| signed.root == committed.checkpoint.root).cloned().collect();
        if signed.len() < committed.validators.quorum() {
            return Gathered::Waiting;
        }
        let note = self.note(size, &signed, &committed.validators);
        self.enough_at = size;
        self.signed.retain(|of, _| *of >= size);
        Gathered::Enough(note)
    }

    fn text(&self, signed: &Signed) -> String {
        Checkpoint { origin: self.origin.clone(), size: signed.size, root: signed.root }.body()
    }

    /// The note with these signatures, in the validators' order.
    fn note(&self, size: u64, signed: &[Signed], validators: &Validators) -> String {
        let root = signed.first().map_or([0; 32], |signed| signed.root);
        let mut note = Note::unsigned(Checkpoint { origin: self.origin.clone(), size, root }.body());
        for key in validators.keys() {
            let of_key = signed.iter().find(|signed| signed.address.0 == *key.key().as_bytes());
            note.signatures.extend(of_key.map(|signed| NoteSignature {
                name: key.name().to_owned(),
                key_id: key.key_id(),
                signature: signed.signature.to_vec(),
            }));
        }
        note.to_string()
    }
}

#[cfg(test)]
mod tests;
