//! What the ledger stores: entries, payloads, results, leaves, snapshots, and the documents it begins with.

use crate::example::example;
use devices::{SignedInstruction, SignedReading};
use ledger::block::{Entry, Seal};
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::merkle::leaf_hash;
use ledger::state::State;
use ledger::state_leaf::StateLeaf;
use ledger::statement::Statement;
use ledger::tariff::Tariff;
use ledger::transaction::Outcome;
use ledger::transfer::TransferRecord;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::OnceLock;

pub(crate) fn payload(bytes: &[u8]) {
    if let Ok(instruction) = Instruction::decode(bytes) {
        assert_eq!(instruction.encode(), bytes, "an instruction has one encoding");
    }
}

pub(crate) fn payloads() -> Vec<Vec<u8>> {
    let all = example().blocks.iter().flat_map(|block| &block.entries);
    let payload = |entry: &Vec<u8>| Some(SignedInstruction::decode(&entry[..]).ok()?.payload().to_vec());
    all.filter_map(payload).collect()
}

pub(crate) fn entry(bytes: &[u8]) {
    let seal = Seal::decode(bytes);
    if let Ok(seal) = &seal {
        assert_eq!(seal.encode(), bytes, "a seal has one encoding");
    }
    let is_reading = SignedReading::decode(bytes).is_ok();
    let is_instruction = SignedInstruction::decode(bytes).is_ok();
    let kinds = [is_reading, is_instruction, seal.is_ok()];
    assert!(kinds.iter().filter(|is| **is).count() <= 1, "an entry is of one kind");
    match Entry::decode(bytes) {
        Some(Entry::Reading(_)) => assert!(is_reading),
        Some(Entry::Instruction(_)) => assert!(is_instruction),
        Some(_) | None => assert!(!is_reading && !is_instruction),
    }
}

pub(crate) fn entries() -> Vec<Vec<u8>> {
    example().entries()
}

pub(crate) fn result(bytes: &[u8]) {
    if let Ok(statement) = Statement::decode(bytes) {
        assert_eq!(statement.encode(), bytes, "a statement has one encoding");
    }
    if let Ok(outcome) = Outcome::decode(bytes) {
        assert_eq!(outcome.encode(), bytes, "an outcome has one encoding");
    }
    if let Ok(record) = TransferRecord::decode(bytes) {
        assert_eq!(record.encode(), bytes, "a transfer has one encoding");
    }
}

pub(crate) fn results() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for results in &example().results {
        all.extend(results.statements.iter().map(Statement::encode));
        all.extend(results.outcomes.iter().map(Outcome::encode));
        all.extend(results.transfers.iter().map(TransferRecord::encode));
    }
    all
}

/// A leaf is stored under its hash, and written by the state alone: what is claimed is that none is read amiss.
pub(crate) fn leaf(bytes: &[u8]) {
    static KNOWN: OnceLock<BTreeSet<[u8; 32]>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| example().leaves.iter().map(|leaf| leaf_hash(leaf)).collect());
    match StateLeaf::decode(bytes) {
        Ok(leaf) => drop(leaf.key()),
        Err(_) => assert!(!known.contains(&leaf_hash(bytes)), "a leaf of the state is refused"),
    }
}

pub(crate) fn leaves() -> Vec<Vec<u8>> {
    example().leaves.clone()
}

/// The input stands for the bytes before the hash, so that altered ones are looked into as well.
pub(crate) fn snapshot(bytes: &[u8]) {
    let whole = [bytes, &Sha256::digest(bytes)[..]].concat();
    if let Ok(state) = State::restore(&example().genesis, &whole) {
        assert_eq!(state.snapshot(), whole, "a state has one snapshot");
    }
    // As it is, the last 32 bytes are a hash that does not fit.
    assert!(State::restore(&example().genesis, bytes).is_err() || bytes.len() > 32);
}

pub(crate) fn snapshots() -> Vec<Vec<u8>> {
    let (genesis, _, _) = State::genesis(&example().genesis);
    [genesis.snapshot(), example().state.snapshot()].map(|whole| whole[..whole.len() - 32].to_vec()).to_vec()
}

pub(crate) fn genesis(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(genesis) = Genesis::from_json(text) {
        assert_eq!(Genesis::from_json(&genesis.to_json()).as_ref(), Ok(&genesis));
        let (state, block, _) = State::genesis(&genesis);
        assert_eq!(state.genesis_hash(), &genesis.hash());
        assert!(State::replay_genesis(&genesis, &block).is_ok());
        assert_eq!(State::restore(&genesis, &state.snapshot()).as_ref(), Ok(&state));
    }
    if let Ok(tariff) = Tariff::from_json(text) {
        assert_eq!(Tariff::from_json(&tariff.to_json()), Ok(tariff.clone()));
        let instruction = Instruction::SetTariff { tariff };
        assert_eq!(Instruction::decode(&instruction.encode()), Ok(instruction));
    }
}

pub(crate) fn documents() -> Vec<Vec<u8>> {
    let genesis = &example().genesis;
    vec![genesis.to_json().into_bytes(), genesis.tariff.to_json().into_bytes()]
}
