//! A gateway's word for a batch: it stands for those transactions and that number, and for nothing else.

use devices::gateway_batch::content_hash;
use devices::limits::GATEWAY_BATCH_BYTES_MAX;
use devices::{
    GatewayBatch, Refusal, SignInAnswer, SignedInstruction, SigningKey, VerifiedGatewayBatch, VerifiedSignIn,
    sign_instruction,
};

const NETWORK: &str = "devnet";

fn key() -> SigningKey {
    SigningKey::from_seed([3; 32])
}

fn batch() -> GatewayBatch {
    GatewayBatch { sequence: 41, content_hash: content_hash([&b"one"[..], b"two"]), transactions: 2 }
}

fn signed(batch: &GatewayBatch, network: &str) -> Vec<u8> {
    let mut out = [0; GATEWAY_BATCH_BYTES_MAX];
    let length = batch.sign(&key(), network, &mut out).unwrap();
    out[..length].to_vec()
}

#[test]
fn an_altered_word_is_refused_wherever_it_was_altered() {
    let good = signed(&batch(), NETWORK);
    let verify = |bytes: &[u8]| VerifiedGatewayBatch::verify(bytes, &key().public_key(), NETWORK);
    assert_eq!(verify(&good).unwrap().batch(), &batch());
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut altered = good.clone();
            altered[at] ^= 1 << bit;
            assert!(verify(&altered).is_err(), "bit {bit} of byte {at}");
        }
    }
    for length in 0..good.len() {
        assert_eq!(verify(&good[..length]).unwrap_err(), Refusal::Malformed);
    }
    assert_eq!(verify(&[&good[..], &[0]].concat()).unwrap_err(), Refusal::Malformed);
}

#[test]
fn another_gateway_cannot_give_it_as_its_own() {
    let other = SigningKey::from_seed([4; 32]).public_key();
    let refused = VerifiedGatewayBatch::verify(&signed(&batch(), NETWORK), &other, NETWORK);
    assert_eq!(refused.unwrap_err(), Refusal::Signature);
}

#[test]
fn the_largest_fits_and_its_hash_tells_where_a_transaction_ends() {
    let largest = GatewayBatch { sequence: u64::MAX, content_hash: [255; 32], transactions: u32::MAX };
    let network = "n".repeat(32);
    let bytes = signed(&largest, &network);
    assert_eq!(bytes.len(), GATEWAY_BATCH_BYTES_MAX);
    let verified = VerifiedGatewayBatch::verify(&bytes, &key().public_key(), &network).unwrap();
    assert_eq!(verified.batch(), &largest);
    assert_eq!(GatewayBatch::decode(&bytes), Ok((largest, key().kid())));
    assert_ne!(content_hash([b"ab", b"cd"]), content_hash([&b"abc"[..], b"d"]));
    assert_ne!(content_hash([b"ab"]), content_hash([&b"ab"[..], b""]));
}

#[test]
fn it_is_no_instruction_and_no_sign_in_and_neither_is_one_of_those() {
    let word = signed(&batch(), NETWORK);
    let (public_key, mut out) = (key().public_key(), [0; 1_024]);
    if let Ok(instruction) = SignedInstruction::decode(word.clone()) {
        let (refusal, _) = instruction.verify(&public_key, NETWORK).unwrap_err();
        assert_eq!(refusal, Refusal::Signature);
    }
    assert!(VerifiedSignIn::verify(&word, NETWORK).is_err());
    let mut payload = vec![0x82, 0x58, 32];
    payload.extend(batch().content_hash);
    payload.push(2);
    let length = sign_instruction(&key(), NETWORK, 41, &payload, false, &mut out).unwrap();
    let refused = VerifiedGatewayBatch::verify(&out[..length], &public_key, NETWORK);
    assert_eq!(refused.unwrap_err(), Refusal::Signature);
    let answer = SignInAnswer { challenge: [7; 32], origin: "https://lamppost.example" };
    let length = answer.sign(&key(), NETWORK, &mut out).unwrap();
    let refused = VerifiedGatewayBatch::verify(&out[..length], &public_key, NETWORK);
    assert_eq!(refused.unwrap_err(), Refusal::Malformed);
}
