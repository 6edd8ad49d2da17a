//! Proof of possession: the bytes that are signed, pinned, and what a proof does not stand for.

use devices::limits::POSSESSION_SIG_STRUCTURE_BYTES_MAX;
use devices::{DeviceId, Possession, SealError, SigningKey};

const ACCOUNT: [u8; 32] = [0xaa; 32];
const OTHER: [u8; 32] = [0xab; 32];

fn key() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn message(possession: Possession, kid: DeviceId, network: &str) -> Vec<u8> {
    let mut out = [0; POSSESSION_SIG_STRUCTURE_BYTES_MAX];
    let length = possession.signed_message(kid, network, &mut out).unwrap();
    out[..length].to_vec()
}

#[test]
fn a_claim_signs_the_account_under_its_own_context() {
    let kid = DeviceId([1, 2, 3, 4, 5, 6, 7, 8]);
    // Written by hand from RFC 8949 and RFC 9052 §4.4.
    let mut expected = b"\x84\x6aSignature1".to_vec();
    expected.extend_from_slice(b"\x4d\xa2\x01\x27\x04\x48\x01\x02\x03\x04\x05\x06\x07\x08");
    expected.extend_from_slice(b"\x57lamppost/1/devnet/claim");
    expected.extend_from_slice(b"\x58\x20");
    expected.extend_from_slice(&ACCOUNT);
    assert_eq!(message(Possession::Claim { account: ACCOUNT }, kid, "devnet"), expected);
}

#[test]
fn a_rotation_signs_the_old_kid_and_the_account_under_its_own_context() {
    let (kid, replaced) = (DeviceId([1, 2, 3, 4, 5, 6, 7, 8]), DeviceId([9; 8]));
    let mut expected = b"\x84\x6aSignature1".to_vec();
    expected.extend_from_slice(b"\x4d\xa2\x01\x27\x04\x48\x01\x02\x03\x04\x05\x06\x07\x08");
    expected.extend_from_slice(b"\x58\x18lamppost/1/devnet/rotate");
    expected.extend_from_slice(b"\x58\x28\x09\x09\x09\x09\x09\x09\x09\x09");
    expected.extend_from_slice(&ACCOUNT);
    assert_eq!(message(Possession::Rotation { replaced, account: ACCOUNT }, kid, "devnet"), expected);
}

#[test]
fn the_longest_network_fits_and_no_network_is_refused() {
    let longest = "n".repeat(32);
    let rotation = Possession::Rotation { replaced: DeviceId([9; 8]), account: ACCOUNT };
    assert!(rotation.holds(&key().public_key(), &longest, &rotation.sign(&key(), &longest).unwrap()));
    for network in ["", "Dev net", &"n".repeat(33), &"n".repeat(10_000)] {
        assert_eq!(rotation.sign(&key(), network), Err(SealError::Network), "{network:.40}");
        assert!(!rotation.holds(&key().public_key(), network, &[0; 64]));
    }
}

#[test]
fn a_proof_stands_for_nothing_else() {
    let claim = Possession::Claim { account: ACCOUNT };
    let rotation = Possession::Rotation { replaced: DeviceId([9; 8]), account: ACCOUNT };
    let (public_key, proof) = (key().public_key(), claim.sign(&key(), "devnet").unwrap());
    assert!(claim.holds(&public_key, "devnet", &proof));
    assert!(!claim.holds(&public_key, "devnet2", &proof));
    assert!(!Possession::Claim { account: OTHER }.holds(&public_key, "devnet", &proof));
    assert!(!rotation.holds(&public_key, "devnet", &proof));
    assert!(!claim.holds(&SigningKey::from_seed([2; 32]).public_key(), "devnet", &proof));
    let proof = rotation.sign(&key(), "devnet").unwrap();
    assert!(rotation.holds(&public_key, "devnet", &proof));
    for other in [
        Possession::Rotation { replaced: DeviceId([8; 8]), account: ACCOUNT },
        Possession::Rotation { replaced: DeviceId([9; 8]), account: OTHER },
        claim,
    ] {
        assert!(!other.holds(&public_key, "devnet", &proof), "{other:?}");
    }
    for bit in 0..512 {
        let mut altered = proof;
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(!rotation.holds(&public_key, "devnet", &altered), "bit {bit}");
    }
}

#[test]
fn no_proof_is_a_transaction_nor_a_transaction_a_proof() {
    // Their external_aad differ: a network id cannot hold a slash, so none of them is another's beginning.
    let claim = Possession::Claim { account: ACCOUNT };
    let protected = b"\xa2\x01\x27\x04\x48\x01\x02\x03\x04\x05\x06\x07\x08";
    let mut out = [0; 256];
    let length = devices::cose::sig_structure(protected, "devnet", &ACCOUNT, &mut out).unwrap();
    assert_ne!(out[..length], message(claim, DeviceId([1, 2, 3, 4, 5, 6, 7, 8]), "devnet"));
    assert!(!devices::cose::network_is_valid("devnet/claim"));
}
