//! The leaves' claims: every leaf of a state is found and proven, from one group and from many, and damage is named.

use std::collections::BTreeMap;

use devices::{SignedInstruction, SigningKey, sign_instruction};
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::transaction::VerifiedTransaction;

use super::*;

const TIME: u64 = 1_800_000_000_000;

fn genesis() -> Genesis {
    let key = |seed: u8| SigningKey::from_seed([seed; 32]).public_key();
    Genesis::devnet("devnet", "lamppost/devnet", key(1), key(2), key(3), 60, TIME).unwrap()
}

/// A state with this many accounts beside those of genesis, each with a token.
fn state(accounts: u64) -> (State, Seal) {
    let (mut state, block, _) = State::genesis(&genesis());
    let treasury = SigningKey::from_seed([3; 32]);
    let mut seal = block.seal;
    for (from, to) in (0..accounts).step_by(500).map(|from| (from, accounts.min(from + 500))) {
        let mut builder = state.begin(TIME + 60_000);
        for account in from..to {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&account.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            let transfer =
                Instruction::Transfer { to: AccountId::from_bytes(id), amount_microtokens: 1, memo: None };
            let mut bytes = vec![0; 1_024];
            let (counter, payload) = (account + 1, transfer.encode());
            let length = sign_instruction(&treasury, "devnet", counter, &payload, false, &mut bytes).unwrap();
            bytes.truncate(length);
            let signed = SignedInstruction::decode(bytes).map_err(|(refusal, _)| refusal).unwrap();
            let verified = signed.verify(&treasury.public_key(), "devnet");
            let verified = verified.map_err(|(refusal, _)| refusal).unwrap();
            builder.execute(&VerifiedTransaction::Instruction(verified)).unwrap();
        }
        let (block, _) = builder.finish();
        if block.seal.state_root.is_some() {
            seal = block.seal;
        }
    }
    (state, seal)
}

fn store(directory: &Path) -> Leaves {
    Leaves::open(directory, genesis().hash())
}

#[test]
fn every_leaf_is_found_and_proven_in_states_of_any_size() {
    // Around a group's edge, around a power of two of groups, and with a right edge of its own.
    for accounts in [0, 252, 253, 254, 509, 510, 1_021, 1_300] {
        let directory = tempfile::tempdir().unwrap();
        let (state, _) = state(accounts);
        let root = state.state_root();
        let leaves = store(directory.path());
        leaves.files.write(&state).unwrap();
        let file = leaves.newest().unwrap();
        let mut expected = BTreeMap::new();
        state.for_each_leaf(|leaf| {
            expected.insert(StateLeaf::decode(leaf).unwrap().key(), leaf.to_vec());
        });
        assert_eq!(expected.len() as u64, root.leaves);
        for (key, bytes) in expected {
            let proven = file.prove(key).unwrap().unwrap_or_else(|| panic!("{key:?} of {accounts}"));
            assert_eq!((proven.size, &proven.bytes), (root.leaves, &bytes));
            let leaf = merkle::leaf_hash(&bytes);
            merkle::verify_inclusion(&leaf, proven.index, proven.size, &proven.path, &root.hash)
                .unwrap_or_else(|fault| panic!("{key:?} of {accounts}: {fault}"));
        }
        for absent in
            [LeafKey::Account(AccountId::from_bytes([7; 32])), LeafKey::Device(devices::DeviceId([9; 8]))]
        {
            assert_eq!(file.prove(absent).unwrap(), None);
        }
    }
}

#[test]
fn the_newest_two_are_kept_and_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let leaves = store(directory.path());
    let (mut state, seal) = state(3);
    leaves.follow(&state, &seal);
    for epoch in 2..5 {
        let (block, _) = state.begin(TIME + epoch * 60_000).finish();
        leaves.follow(&state, &block.seal);
        let (block, _) = state.begin(TIME + epoch * 60_000 + 1).finish();
        leaves.follow(&state, &block.seal);
    }
    let newest = leaves.newest().unwrap().height();
    assert_eq!(newest + 1, state.height(), "a seal in the middle of an epoch has no state root");
    assert_eq!(heights(directory.path()), [newest - 2, newest]);
    assert_eq!(store(directory.path()).newest().unwrap().height(), newest);
    assert!(Leaves::open(directory.path(), [0; 32]).newest().is_none(), "of another network");
}

#[test]
fn damage_anywhere_is_an_error_or_a_proof_that_does_not_hold() {
    let directory = tempfile::tempdir().unwrap();
    let (state, _) = state(20);
    let root = state.state_root();
    let leaves = store(directory.path());
    leaves.files.write(&state).unwrap();
    let file = path(directory.path(), state.height());
    let whole = fs::read(&file).unwrap();
    let pool = LeafKey::Account(state.pool());
    let sound = leaves.newest().unwrap().prove(pool).unwrap().unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        fs::write(&file, &bytes).unwrap();
        let Some(damaged) = store(directory.path()).newest() else { continue };
        if let Ok(Some(proven)) = damaged.prove(pool) {
            let leaf = merkle::leaf_hash(&proven.bytes);
            let holds = merkle::verify_inclusion(&leaf, proven.index, proven.size, &proven.path, &root.hash);
            assert!(holds.is_err() || proven == sound, "byte {at}");
        }
    }
    for length in [0, 7, 60, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        assert!(store(directory.path()).newest().is_none(), "{length} bytes");
    }
}
