//! Balances, devices and a log's growth, proven offline: what holds, and what is said of everything that does not.

mod city;

use city::{City, EPOCH, START, account, genesis, key, temperatures, validator};
use ledger::account::AccountId;
use ledger::checkpoint::{Checkpoint, SignedCheckpointError};
use ledger::consistency::{ConsistencyError, ConsistencyProof};
use ledger::document::{self, DocumentError, Verified};
use ledger::genesis::Genesis;
use ledger::handovers::Handovers;
use ledger::merkle::{Hash, consistency_proof, inclusion_proof, leaf_hash, root_of};
use ledger::note::Note;
use ledger::proof_text::PathFault;
use ledger::receipt::{Receipt, ReceiptError};
use ledger::state_leaf::{LeafKey, StateLeaf};
use ledger::state_proof::{StateProof, StateProofError};
use ledger::steps::{Step, Verdict, steps};
use std::convert::Infallible;

/// A city after its second settlement, with the leaves that this settlement's seal commits to.
struct Settled {
    city: City,
    leaves: Vec<Vec<u8>>,
    /// The settling seal's index in the log.
    seal_index: u64,
}

impl Settled {
    fn new() -> Settled {
        let mut city = City::with_device();
        for count in 0..9 {
            city.one(START + 1_000, &temperatures(&key(1), (1, count), 3)).unwrap();
        }
        city.block(START + EPOCH, &[]);
        let mut leaves = Vec::new();
        city.state.for_each_leaf(|leaf| leaves.push(leaf.to_vec()));
        let seal_index = city.last().seal_index();
        // What comes later changes the state, not what was sealed.
        city.one(START + EPOCH + 1_000, &temperatures(&key(1), (1, 10), 3)).unwrap();
        Settled { city, leaves, seal_index }
    }

    fn proof(&self, index: usize) -> StateProof {
        let size = self.leaves.len() as u64;
        StateProof {
            leaf: self.leaves[index].clone(),
            index: index as u64,
            size,
            path: path(&hashes(&self.leaves), index as u64),
            receipt: self.receipt(self.seal_index),
        }
    }

    /// The proof of what `key` names.
    fn proof_of(&self, key: LeafKey) -> StateProof {
        let is = |leaf: &Vec<u8>| StateLeaf::decode(leaf).unwrap().key() == key;
        self.proof(self.leaves.iter().position(is).unwrap())
    }

    fn receipt(&self, index: u64) -> Receipt {
        let entries = self.city.entries();
        Receipt {
            entry: entries[index as usize].clone(),
            index,
            path: path(&hashes(&entries), index),
            checkpoint: self.city.state.checkpoint().sign("lamppost/devnet", &validator()).unwrap(),
        }
    }

    /// The proof from the log's first `earlier` entries to its first `later` ones.
    fn consistency(&self, earlier: u64, later: u64) -> ConsistencyProof {
        let hashes = hashes(&self.city.entries());
        let path = consistency_proof(earlier, later, |level, at| subtree(&hashes, level, at)).unwrap();
        ConsistencyProof { path, earlier: signed(&hashes, earlier), later: signed(&hashes, later) }
    }
}

fn signed(hashes: &[Hash], size: u64) -> Note {
    let root = root_of(hashes[..size as usize].iter().copied());
    Checkpoint { origin: "lamppost/devnet".into(), size, root }.sign("lamppost/devnet", &validator()).unwrap()
}

fn hashes(leaves: &[Vec<u8>]) -> Vec<Hash> {
    leaves.iter().map(|leaf| leaf_hash(leaf)).collect()
}

fn subtree(hashes: &[Hash], level: u32, at: u64) -> Result<Hash, Infallible> {
    let (from, to) = ((at << level) as usize, ((at + 1) << level) as usize);
    Ok(root_of(hashes[from..to].iter().copied()))
}

fn path(hashes: &[Hash], index: u64) -> Vec<Hash> {
    inclusion_proof(index, hashes.len() as u64, |level, at| subtree(hashes, level, at)).unwrap()
}

/// Flips every bit, and adds and takes every byte: nothing but the document itself may hold.
fn verify(text: &str, genesis: &Genesis) -> Result<Verified, DocumentError> {
    document::verify(text, &Handovers::of_genesis(genesis))
}

fn every_alteration_is_refused(text: &str) {
    let genesis = genesis();
    verify(text, &genesis).unwrap();
    let refused = |altered: &str, what: &str| {
        let error = verify(altered, &genesis).expect_err(&format!("{what} of\n{text}"));
        assert!(error.to_string().len() > 20);
    };
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.to_owned().into_bytes();
            bytes[at] ^= 1 << bit;
            // What is not UTF-8 any more never gets as far as a document.
            let Ok(altered) = String::from_utf8(bytes) else { continue };
            refused(&altered, &format!("byte {at}, bit {bit}"));
        }
        if !text.is_char_boundary(at) {
            continue;
        }
        for more in ["\n", " ", "A", "=", "0"] {
            refused(&[&text[..at], more, &text[at..]].concat(), &format!("{more:?} at {at}"));
        }
        let mut shorter = text.to_owned();
        shorter.remove(at);
        refused(&shorter, &format!("without the character at {at}"));
    }
    refused(&format!("{text}\n"), "a line at the end");
}

/// The steps of a document but the author's, which is about more than the document.
fn steps_of(text: &str) -> Vec<Step> {
    let mut steps = steps(text, &Handovers::of_genesis(&genesis()), Some(&key(1).public_key()));
    steps.retain(|step| step.step != "author");
    steps
}

#[test]
fn the_steps_say_of_every_alteration_what_the_document_says() {
    let settled = Settled::new();
    let documents = [
        settled.receipt(settled.seal_index - 2).to_string(),
        settled.proof(1).to_string(),
        settled.consistency(3, 8).to_string(),
    ];
    let genesis = genesis();
    for document in &documents {
        assert!(steps_of(document).iter().all(|step| step.verdict == Verdict::Holds), "{document}");
        for at in (0..document.len()).step_by(3) {
            let mut bytes = document.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(altered) = String::from_utf8(bytes) else { continue };
            let said = verify(&altered, &genesis).unwrap_err().to_string();
            let steps = steps_of(&altered);
            let first = steps.iter().find(|step| step.verdict == Verdict::Fails).map(|step| &step.sentence);
            assert_eq!(first, Some(&said), "byte {at} of\n{document}");
        }
    }
}

#[test]
fn an_altered_entry_fails_in_its_place_and_the_signatures_hold() {
    let settled = Settled::new();
    let mut receipt = settled.receipt(settled.seal_index - 2);
    let last = receipt.entry.len() - 1;
    receipt.entry[last] ^= 1;
    let (genesis, text, device) = (genesis(), receipt.to_string(), key(1).public_key());
    let verdicts = |device: Option<&_>| -> Vec<(&'static str, Verdict)> {
        steps(&text, &Handovers::of_genesis(&genesis), device)
            .iter()
            .map(|step| (step.step, step.verdict))
            .collect()
    };
    let mut expected = vec![
        ("form", Verdict::Holds),
        ("checkpoint", Verdict::Holds),
        ("signature", Verdict::Holds),
        ("quorum", Verdict::Holds),
        ("inclusion", Verdict::Fails),
        ("author", Verdict::Fails),
    ];
    assert_eq!(verdicts(Some(&device)), expected);
    expected[5].1 = Verdict::Open;
    assert_eq!(verdicts(None), expected, "without the device's key nobody knows whether it signed");
    assert_eq!(verdicts(Some(&key(2).public_key())), expected, "another device's key says nothing");
}

#[test]
fn the_seal_of_an_epochs_end_counts_and_commits_to_the_states_leaves() {
    let settled = Settled::new();
    let root = settled.city.blocks[settled.city.blocks.len() - 2].seal.state_root.unwrap();
    assert_eq!(root.leaves, settled.leaves.len() as u64);
    assert_eq!(root.hash, root_of(hashes(&settled.leaves)));
}

#[test]
fn every_leaf_of_the_state_is_proven_offline_and_given_back() {
    let settled = Settled::new();
    for index in 0..settled.leaves.len() {
        let proof = settled.proof(index);
        let text = proof.to_string();
        assert_eq!(StateProof::parse(&text).as_ref(), Ok(&proof));
        let Ok(Verified::State(state)) = verify(&text, &genesis()) else { panic!("{text}") };
        assert_eq!(state.leaf(), &StateLeaf::decode(&settled.leaves[index]).unwrap());
        assert_eq!(state.index(), index as u64);
        assert_eq!(state.seal_index(), settled.seal_index);
        assert_eq!(state.checkpoint(), &settled.city.state.checkpoint());
        assert_eq!(state.signers(), ["lamppost/devnet"]);
        assert_eq!(state.seal().time_unix_milliseconds, START + EPOCH);
    }
}

#[test]
fn a_proven_account_and_device_are_those_of_the_settled_state() {
    let settled = Settled::new();
    let owner = account(&key(100));
    let paid = settled.city.state.balance_microtokens(owner);
    assert!(paid > 0);
    let proof = settled.proof_of(LeafKey::Account(owner)).to_string();
    let Ok(Verified::State(state)) = verify(&proof, &genesis()) else { panic!("{proof}") };
    let StateLeaf::Account(id, holding) = state.leaf() else { panic!("an account's leaf") };
    assert_eq!((*id, holding.balance()), (owner, paid));
    let proof = settled.proof_of(LeafKey::Device(key(1).kid())).to_string();
    let Ok(Verified::State(state)) = verify(&proof, &genesis()) else { panic!("{proof}") };
    let StateLeaf::Device(kid, device) = state.leaf() else { panic!("a device's leaf") };
    assert_eq!(*kid, key(1).kid());
    // The tenth envelope came after the seal.
    assert_eq!((device.accepted_envelopes, device.earned_microtokens), (9, paid));
}

#[test]
fn leaves_stand_in_the_order_of_their_keys() {
    let keys: Vec<LeafKey> =
        Settled::new().leaves.iter().map(|leaf| StateLeaf::decode(leaf).unwrap().key()).collect();
    assert!(keys.is_sorted(), "{keys:?}");
}

#[test]
fn a_log_that_only_grew_is_proven_between_any_two_of_its_sizes() {
    let settled = Settled::new();
    let size = settled.city.state.log_size();
    for later in 1..=size {
        for earlier in 1..=later {
            let text = settled.consistency(earlier, later).to_string();
            let Ok(Verified::Consistency(proven)) = verify(&text, &genesis()) else { panic!("{text}") };
            assert_eq!(proven.earlier().checkpoint().size, earlier);
            assert_eq!(proven.later().checkpoint().size, later);
        }
    }
}

#[test]
fn every_alteration_of_a_receipt_is_refused() {
    every_alteration_is_refused(&Settled::new().receipt(5).to_string());
}

#[test]
fn every_alteration_of_an_accounts_proof_is_refused() {
    let settled = Settled::new();
    every_alteration_is_refused(&settled.proof_of(LeafKey::Account(account(&key(100)))).to_string());
}

#[test]
fn every_alteration_of_a_consistency_proof_is_refused() {
    let settled = Settled::new();
    every_alteration_is_refused(&settled.consistency(7, settled.city.state.log_size()).to_string());
    every_alteration_is_refused(&settled.consistency(7, 7).to_string());
}

#[test]
fn the_first_thing_that_fails_in_a_state_proof_is_named() {
    let settled = Settled::new();
    let good = settled.proof(3);
    let size = settled.leaves.len() as u64;
    let refused = |change: &dyn Fn(&mut StateProof)| {
        let mut proof = good.clone();
        change(&mut proof);
        proof.verify(&Handovers::of_genesis(&settled.city.genesis)).unwrap_err()
    };
    let signature = SignedCheckpointError::Signature("lamppost/devnet".into());
    let cases = [
        (
            // Both the signature and the leaf are wrong: the signature is looked at first.
            refused(&|proof| {
                proof.receipt.checkpoint.signatures[0].signature[9] ^= 1;
                proof.leaf[3] ^= 1;
            }),
            StateProofError::Receipt(ReceiptError::Signed(signature)),
        ),
        (refused(&|proof| proof.receipt.entry[9] ^= 1), StateProofError::Receipt(ReceiptError::Root)),
        (refused(&|proof| proof.receipt = settled.receipt(1)), StateProofError::NoSeal),
        (refused(&|proof| proof.receipt = settled.receipt(2)), StateProofError::NoStateRoot(1)),
        (refused(&|proof| proof.size += 1), StateProofError::Leaves { said: size + 1, sealed: size }),
        (refused(&|proof| proof.index = size), StateProofError::OutOfTree { index: size, size }),
        (
            refused(&|proof| proof.path.truncate(proof.path.len() - 1)),
            StateProofError::PathLength { index: 3, size, hashes: good.path.len() - 1 },
        ),
        (refused(&|proof| proof.index = 2), StateProofError::Root),
        (refused(&|proof| proof.leaf[3] ^= 1), StateProofError::Root),
        (refused(&|proof| proof.path[0][0] ^= 1), StateProofError::Root),
        (refused(&|proof| proof.leaf = settled.leaves[2].clone()), StateProofError::Root),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
    let text = good.to_string();
    let parse = |from: &str, to: &str| StateProof::parse(&text.replacen(from, to, 1)).unwrap_err();
    assert_eq!(parse("@v1", "@v2"), StateProofError::Header);
    assert_eq!(parse("leaf ", "leaf -"), StateProofError::Leaf);
    assert_eq!(parse("index 3", "index x"), StateProofError::Index);
    assert_eq!(parse("size ", "size x"), StateProofError::Size);
    assert_eq!(parse("index 3", "index 03"), StateProofError::Spelling);
    assert_eq!(parse("index 3", "index +3"), StateProofError::Spelling);
    assert_eq!(parse("\nsize", "\n\nsize"), StateProofError::Size);
    assert_eq!(parse("c2sp.org", "c2sp"), StateProofError::Receipt(ReceiptError::Header));
    assert_eq!(StateProof::parse("lamppost/state-proof@v1"), Err(StateProofError::NoReceipt));
    assert_eq!(StateProof::parse(&"=".repeat(1_024 * 1_024 + 1)), Err(StateProofError::TooLong));
}

#[test]
fn an_older_seals_root_does_not_prove_a_newer_balance() {
    let settled = Settled::new();
    let mut proof = settled.proof_of(LeafKey::Account(AccountId::pool("devnet")));
    proof.receipt = settled.receipt(0);
    let genesis_leaves = settled.city.blocks[0].seal.state_root.unwrap().leaves;
    proof.size = genesis_leaves;
    let error = proof.verify(&Handovers::of_genesis(&settled.city.genesis)).unwrap_err();
    let named = matches!(
        error,
        StateProofError::Root | StateProofError::PathLength { .. } | StateProofError::OutOfTree { .. }
    );
    assert!(named, "{error}");
}

#[test]
fn the_first_thing_that_fails_in_a_consistency_proof_is_named() {
    let settled = Settled::new();
    let later = settled.city.state.log_size();
    let good = settled.consistency(7, later);
    let refused = |change: &dyn Fn(&mut ConsistencyProof)| {
        let mut proof = good.clone();
        change(&mut proof);
        proof.verify(&Handovers::of_genesis(&settled.city.genesis)).unwrap_err()
    };
    let signature = || SignedCheckpointError::Signature("lamppost/devnet".into());
    let forged = |size: u64| {
        let checkpoint = Checkpoint { origin: "lamppost/devnet".into(), size, root: [7; 32] };
        checkpoint.sign("lamppost/devnet", &validator()).unwrap()
    };
    let hashes = good.path.len();
    let cases = [
        (
            refused(&|proof| proof.earlier.signatures[0].signature[0] ^= 1),
            ConsistencyError::Earlier(signature()),
        ),
        (refused(&|proof| proof.later.signatures[0].signature[0] ^= 1), ConsistencyError::Later(signature())),
        (
            refused(&|proof| std::mem::swap(&mut proof.earlier, &mut proof.later)),
            ConsistencyError::Sizes { earlier: later, later: 7 },
        ),
        (
            refused(&|proof| proof.path.truncate(proof.path.len() - 1)),
            ConsistencyError::PathLength { earlier: 7, later, hashes: hashes - 1 },
        ),
        (
            refused(&|proof| proof.path.push([0; 32])),
            ConsistencyError::PathLength { earlier: 7, later, hashes: hashes + 1 },
        ),
        (refused(&|proof| proof.earlier = forged(7)), ConsistencyError::EarlierRoot),
        (refused(&|proof| proof.later = forged(later)), ConsistencyError::LaterRoot),
        (refused(&|proof| proof.path[0][0] ^= 1), ConsistencyError::EarlierRoot),
        (refused(&|proof| proof.path[hashes - 1][0] ^= 1), ConsistencyError::LaterRoot),
        (
            refused(&|proof| {
                proof.path.clear();
                proof.earlier = forged(later);
            }),
            ConsistencyError::Forked(later),
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
    let text = good.to_string();
    let parse = |from: &str, to: &str| ConsistencyProof::parse(&text.replacen(from, to, 1)).unwrap_err();
    assert_eq!(parse("@v1", "@v2"), ConsistencyError::Header);
    assert_eq!(parse("@v1\n", "@v1\n!"), ConsistencyError::Path(PathFault::Hash(1)));
    assert_eq!(parse("\n\nlamppost", "\n\n\n\nlamppost"), ConsistencyError::NoCheckpoints);
    assert_eq!(ConsistencyProof::parse(&text.repeat(2)), Err(ConsistencyError::NoCheckpoints));
    assert_eq!(ConsistencyProof::parse(&"\n".repeat(50_000)), Err(ConsistencyError::TooLong));
}

#[test]
fn a_document_of_no_known_kind_is_refused_by_what_it_must_begin_with() {
    let Err(error) = verify("BEGIN CERTIFICATE\n", &genesis()) else { panic!("it holds") };
    assert_eq!(error, DocumentError::Kind);
    assert_eq!(
        error.to_string(),
        "the first line is that of no proof: it must be c2sp.org/tlog-proof@v1, lamppost/state-proof@v1 or \
         lamppost/consistency-proof@v1"
    );
}
