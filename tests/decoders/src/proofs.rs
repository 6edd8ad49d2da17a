//! What outsiders verify: what holds is true of the example's log, and every text is written as it was read.

use crate::example::example;
use ledger::account::AccountId;
use ledger::checkpoint::Checkpoint;
use ledger::consistency::ConsistencyProof;
use ledger::document::{Verified, verify};
use ledger::handovers::Handovers;
use ledger::merkle::{Hash, consistency_proof, inclusion_proof, leaf_hash, root_of};
use ledger::note::{Note, VerifierKey};
use ledger::receipt::Receipt;
use ledger::state_leaf::StateLeaf;
use ledger::state_proof::StateProof;
use ledger::tiles::TilePath;
use ledger::token::Tokens;
use std::convert::Infallible;
use std::sync::OnceLock;

pub(crate) fn proof(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(receipt) = Receipt::parse(text) {
        assert_eq!(receipt.to_string(), text);
    }
    if let Ok(proof) = StateProof::parse(text) {
        assert_eq!(proof.to_string(), text);
    }
    if let Ok(proof) = ConsistencyProof::parse(text) {
        assert_eq!(proof.to_string(), text);
    }
    match verify(text, handovers()) {
        Ok(Verified::Receipt(receipt)) => {
            let place = usize::try_from(receipt.index()).expect("the log is short");
            assert_eq!(receipt.entry(), example().entries()[place], "a receipt of what does not stand there");
            is_of_this_log(receipt.checkpoint());
        }
        Ok(Verified::State(state)) => {
            let place = usize::try_from(state.index()).expect("the state is small");
            let leaf = StateLeaf::decode(&example().leaves[place]).expect("the state's own leaf");
            assert_eq!(state.leaf(), &leaf, "a proof of what the state does not hold");
            assert_eq!(state.seal_index(), example().seal_index);
        }
        Ok(Verified::Consistency(consistency)) => {
            is_of_this_log(consistency.earlier().checkpoint());
            is_of_this_log(consistency.later().checkpoint());
        }
        Err(_) => {}
    }
}

/// Only what the validator signed holds, and it signed this log's checkpoints alone.
fn is_of_this_log(checkpoint: &Checkpoint) {
    assert_eq!(checkpoint.root, root(checkpoint.size), "a checkpoint of another log");
}

fn handovers() -> &'static Handovers {
    static HANDOVERS: OnceLock<Handovers> = OnceLock::new();
    HANDOVERS.get_or_init(|| Handovers::of_genesis(&example().genesis))
}

fn hashes() -> &'static [Hash] {
    static HASHES: OnceLock<Vec<Hash>> = OnceLock::new();
    HASHES.get_or_init(|| example().hashes())
}

fn root(size: u64) -> Hash {
    root_of(hashes().iter().take(usize::try_from(size).unwrap_or(usize::MAX)).copied())
}

fn subtree(hashes: &[Hash], level: u32, at: u64) -> Result<Hash, Infallible> {
    let place = |at: u64| usize::try_from(at << level).expect("the tree is small");
    Ok(root_of(hashes[place(at)..place(at + 1)].iter().copied()))
}

fn path(hashes: &[Hash], index: u64) -> Vec<Hash> {
    let size = hashes.len() as u64;
    let path = inclusion_proof(index, size, |level, at| subtree(hashes, level, at));
    path.unwrap_or_default()
}

fn receipt(index: u64) -> Receipt {
    let entries = example().entries();
    let place = usize::try_from(index).expect("the log is short");
    let checkpoint = example().checkpoint(entries.len() as u64);
    Receipt { entry: entries[place].clone(), index, path: path(hashes(), index), checkpoint }
}

fn state_proof(index: u64) -> StateProof {
    let leaves = &example().leaves;
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    StateProof {
        leaf: leaves[usize::try_from(index).expect("the state is small")].clone(),
        index,
        size: leaves.len() as u64,
        path: path(&hashes, index),
        receipt: receipt(example().seal_index),
    }
}

fn consistency(earlier: u64, later: u64) -> ConsistencyProof {
    let path = consistency_proof(earlier, later, |level, at| subtree(hashes(), level, at));
    let (earlier, later) = (example().checkpoint(earlier), example().checkpoint(later));
    ConsistencyProof { path: path.unwrap_or_default(), earlier, later }
}

pub(crate) fn proofs() -> Vec<Vec<u8>> {
    let size = hashes().len() as u64;
    let receipts = [0, 1, 7, size - 1].map(|index| receipt(index).to_string());
    let states = [0, 3, example().leaves.len() as u64 - 1].map(|index| state_proof(index).to_string());
    let grown = [(1, 2), (8, size), (13, size - 1)].map(|(from, to)| consistency(from, to).to_string());
    let all: Vec<Vec<u8>> = receipts.into_iter().chain(states).chain(grown).map(String::into_bytes).collect();
    // An unaltered one must hold, or its alterations would claim nothing.
    for text in &all {
        let text = std::str::from_utf8(text).expect("a document is text");
        verify(text, handovers()).expect("the example's own documents hold");
    }
    all
}

pub(crate) fn checkpoint(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(note) = Note::parse(text) {
        assert_eq!(note.to_string(), text, "a signed note has one spelling");
        let verifiers = example().genesis.verifier_keys();
        let signed = verifiers.iter().any(|verifier| note.signed_by(verifier) == Some(true));
        let body = text.split("\n\n").next().map(|body| format!("{body}\n")).unwrap_or_default();
        match Checkpoint::parse(&body) {
            Ok(checkpoint) if signed => is_of_this_log(&checkpoint),
            Ok(checkpoint) => assert_eq!(checkpoint.body(), body),
            Err(_) => assert!(!signed, "the validator signed what is no checkpoint"),
        }
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.body(), text, "a checkpoint has one spelling");
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text, "a verifier key has one spelling");
    }
}

pub(crate) fn checkpoints() -> Vec<Vec<u8>> {
    let sizes = [1, 2, hashes().len() as u64];
    let mut all = sizes.map(|size| example().checkpoint(size).to_string()).to_vec();
    all.push(example().state.checkpoint().body());
    all.extend(example().genesis.verifier_keys().iter().map(ToString::to_string));
    all.into_iter().map(String::into_bytes).collect()
}

pub(crate) fn name(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(path) = TilePath::parse(text) {
        assert_eq!(path.to_string(), text, "a tile's path has one spelling");
        for size in [0, 1, 256, 1 << 20, u64::MAX] {
            if let Ok(start) = path.start(size) {
                assert!(start.checked_add(u64::from(path.width)).is_some_and(|end| end <= size));
            }
        }
    }
    if let Ok(account) = text.parse::<AccountId>() {
        assert!(account.to_string().eq_ignore_ascii_case(text));
    }
    if let Ok(tokens) = text.parse::<Tokens>() {
        assert_eq!(tokens.to_string().parse(), Ok(tokens));
    }
}

pub(crate) fn names() -> Vec<Vec<u8>> {
    let pool = AccountId::pool("devnet").to_string();
    let all =
        ["0/x001/067.p/12", "entries/000", "5/x001/x002/003", &pool, "12.500000", "18446744073709.551615"];
    all.map(|text| text.as_bytes().to_vec()).to_vec()
}
