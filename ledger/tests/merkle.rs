//! The tree against RFC 6962's own recursive definition, for every size up to 300.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the definition reads as the RFC has it"
)]

use ledger::merkle::{
    Frontier, Hash, ProofError, ProofFault, consistency_proof, empty_root, inclusion_proof, leaf_hash,
    node_hash, root_of, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use std::convert::Infallible;

/// MTH of RFC 6962 section 2.1, word by word.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let k = split(leaves.len());
            node_hash(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

fn split(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// PATH of RFC 6962 section 2.1.1.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (mut path, sibling) = if m < k {
        (path(m, &leaves[..k]), mth(&leaves[k..]))
    } else {
        (path(m - k, &leaves[k..]), mth(&leaves[..k]))
    };
    path.push(sibling);
    path
}

/// SUBPROOF of RFC 6962 section 2.1.2.
fn subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    let n = leaves.len();
    if m == n {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let k = split(n);
    let (mut proof, sibling) = if m <= k {
        (subproof(m, &leaves[..k], whole), mth(&leaves[k..]))
    } else {
        (subproof(m - k, &leaves[k..], false), mth(&leaves[..k]))
    };
    proof.push(sibling);
    proof
}

fn leaves(size: usize) -> Vec<Hash> {
    (0..size as u64).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

/// Root of a complete subtree, as a store of hashes would give it.
fn node(leaves: &[Hash]) -> impl Fn(u32, u64) -> Result<Hash, Infallible> + '_ {
    |level, index| {
        let (from, to) = ((index << level) as usize, ((index + 1) << level) as usize);
        assert!(to <= leaves.len(), "only complete subtrees are asked for");
        Ok(mth(&leaves[from..to]))
    }
}

#[test]
fn hashes_are_domain_separated_as_the_standard_says() {
    // Known answers, computed with Python's hashlib.
    assert_eq!(hex::encode(empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(
        hex::encode(leaf_hash(b"")),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    );
    let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
    assert_eq!(hex::encode(node_hash(&a, &b)), hex::encode(root_of([a, b])), "a tree of two is one node");
}

#[test]
fn every_root_up_to_300_is_that_of_the_definition() {
    let leaves = leaves(300);
    let mut frontier = Frontier::new();
    for size in 0..=leaves.len() {
        assert_eq!(frontier.root(), mth(&leaves[..size]), "size {size}");
        assert_eq!(frontier.size(), size as u64);
        assert_eq!(Frontier::from_parts(frontier.size(), frontier.peaks().to_vec()), Some(frontier.clone()));
        if let Some(leaf) = leaves.get(size) {
            frontier.append(*leaf);
        }
    }
}

#[test]
fn an_edge_with_a_wrong_number_of_peaks_is_refused() {
    assert_eq!(Frontier::from_parts(5, leaves(3)), None);
    assert!(Frontier::from_parts(5, leaves(2)).is_some());
}

#[test]
fn every_inclusion_proof_up_to_70_is_that_of_the_definition_and_verifies() {
    for size in 1..=70 {
        let leaves = leaves(size);
        let root = mth(&leaves);
        for index in 0..size {
            let proof = inclusion_proof(index as u64, size as u64, node(&leaves)).unwrap();
            assert_eq!(proof, path(index, &leaves), "entry {index} of {size}");
            assert_eq!(verify_inclusion(&leaves[index], index as u64, size as u64, &proof, &root), Ok(()));
        }
    }
}

#[test]
fn every_consistency_proof_up_to_70_is_that_of_the_definition_and_verifies() {
    for size in 1..=70 {
        let leaves = leaves(size);
        let root = mth(&leaves);
        for earlier in 1..=size {
            let proof = consistency_proof(earlier as u64, size as u64, node(&leaves)).unwrap();
            assert_eq!(proof, subproof(earlier, &leaves, true), "{earlier} to {size}");
            let earlier_root = mth(&leaves[..earlier]);
            let verdict = verify_consistency(earlier as u64, &earlier_root, size as u64, &root, &proof);
            assert_eq!(verdict, Ok(()), "{earlier} to {size}");
        }
    }
}

#[test]
fn no_proof_is_made_for_what_is_not_in_the_tree() {
    let leaves = leaves(5);
    assert_eq!(inclusion_proof(5, 5, node(&leaves)), Err(ProofError::OutOfTree));
    assert_eq!(consistency_proof(6, 5, node(&leaves)), Err(ProofError::OutOfTree));
    assert_eq!(inclusion_proof(1, 5, |_, _| Err::<Hash, _>("disk")), Err(ProofError::Node("disk")));
}

#[test]
fn a_path_of_the_wrong_length_is_named_as_such() {
    let leaves = leaves(7);
    let root = mth(&leaves);
    let mut proof = path(3, &leaves);
    proof.push([0; 32]);
    assert_eq!(verify_inclusion(&leaves[3], 3, 7, &proof, &root), Err(ProofFault::PathTooLong));
    assert_eq!(verify_inclusion(&leaves[3], 3, 7, &proof[..2], &root), Err(ProofFault::PathTooShort));
    assert_eq!(verify_inclusion(&leaves[3], 7, 7, &proof, &root), Err(ProofFault::IndexOutOfTree));
    assert_eq!(verify_consistency(0, &empty_root(), 7, &root, &[]), Err(ProofFault::SizesReversed));
}

#[test]
fn trees_near_the_top_of_u64_do_not_overflow() {
    let deep = inclusion_proof(u64::MAX - 1, u64::MAX, |_, _| Ok::<_, Infallible>([7; 32])).unwrap();
    assert_eq!(deep.len(), 63);
    assert!(ledger::merkle::root_from_inclusion(&[1; 32], u64::MAX - 1, u64::MAX, &deep).is_ok());
    let first = inclusion_proof(0, u64::MAX, |_, _| Ok::<_, Infallible>([7; 32])).unwrap();
    assert_eq!(first.len(), 64);
    assert!(ledger::merkle::root_from_inclusion(&[1; 32], 0, u64::MAX, &first).is_ok());
    let ends = consistency_proof(1 << 63, u64::MAX, |_, _| Ok::<_, Infallible>([7; 32])).unwrap();
    assert_eq!(ends.len(), 1);
}

proptest! {
    #[test]
    fn any_entry_of_any_tree_is_proven_and_no_altered_proof_is(
        size in 1_usize..=300, at in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>(),
    ) {
        let leaves = leaves(size);
        let index = at.index(size);
        let root = mth(&leaves);
        let proof = inclusion_proof(index as u64, size as u64, node(&leaves)).unwrap();
        prop_assert_eq!(&proof, &path(index, &leaves));
        prop_assert_eq!(verify_inclusion(&leaves[index], index as u64, size as u64, &proof, &root), Ok(()));
        let other = (index + 1) % (size + 1);
        prop_assert!(verify_inclusion(&leaves[index], other as u64, size as u64, &proof, &root).is_err());
        if !proof.is_empty() {
            let mut altered = proof.clone();
            altered[flip.index(proof.len())][flip.index(32)] ^= 1;
            let verdict = verify_inclusion(&leaves[index], index as u64, size as u64, &altered, &root);
            prop_assert_eq!(verdict, Err(ProofFault::RootDiffers));
        }
    }

    #[test]
    fn any_tree_continues_its_earlier_self_and_no_other(
        size in 2_usize..=300, at in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>(),
    ) {
        let leaves = leaves(size);
        let earlier = 1 + at.index(size - 1);
        let (earlier_root, root) = (mth(&leaves[..earlier]), mth(&leaves));
        let proof = consistency_proof(earlier as u64, size as u64, node(&leaves)).unwrap();
        let verify = |a: &Hash, b: &Hash, proof: &[Hash]| verify_consistency(earlier as u64, a, size as u64, b, proof);
        prop_assert_eq!(verify(&earlier_root, &root, &proof), Ok(()));
        prop_assert!(verify(&root, &root, &proof).is_err());
        prop_assert!(verify(&earlier_root, &earlier_root, &proof).is_err());
        let mut altered = proof.clone();
        altered[flip.index(proof.len())][flip.index(32)] ^= 1;
        prop_assert!(verify(&earlier_root, &root, &altered).is_err());
        prop_assert!(verify(&earlier_root, &root, &proof[1..]).is_err());
    }
}
