//! Answers to sign-in challenges: they sign in where they were asked for, and are good for nothing else.

use devices::limits::{ORIGIN_BYTES_MAX, SIGN_IN_BYTES_MAX};
use devices::{
    Refusal, SealError, SignInAnswer, SignedInstruction, SigningKey, VerifiedSignIn, sign_instruction,
};

const NETWORK: &str = "devnet";
const ANSWER: SignInAnswer<'_> = SignInAnswer { challenge: [7; 32], origin: "https://lamppost.example" };

fn key() -> SigningKey {
    SigningKey::from_seed([3; 32])
}

fn signed(answer: &SignInAnswer<'_>) -> Vec<u8> {
    let mut out = [0; SIGN_IN_BYTES_MAX];
    let length = answer.sign(&key(), NETWORK, &mut out).unwrap();
    out[..length].to_vec()
}

#[test]
fn an_altered_answer_is_refused_wherever_it_was_altered() {
    let good = signed(&ANSWER);
    assert!(VerifiedSignIn::verify(&good, NETWORK).is_ok());
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut altered = good.clone();
            altered[at] ^= 1 << bit;
            assert!(VerifiedSignIn::verify(&altered, NETWORK).is_err(), "bit {bit} of byte {at}");
        }
    }
    for length in 0..good.len() {
        assert_eq!(VerifiedSignIn::verify(&good[..length], NETWORK).unwrap_err(), Refusal::Malformed);
    }
}

#[test]
fn an_answer_is_no_instruction_and_an_instruction_no_answer() {
    let answer = signed(&ANSWER);
    if let Ok(instruction) = SignedInstruction::decode(answer) {
        let (refusal, _) = instruction.verify(&key().public_key(), NETWORK).unwrap_err();
        assert_eq!(refusal, Refusal::Signature);
    }
    // Somebody who is talked into signing an instruction that looks like an answer has signed in nowhere.
    let mut payload = vec![0x82, 0x58, 32];
    payload.extend(ANSWER.challenge);
    payload.extend([0x78, u8::try_from(ANSWER.origin.len()).unwrap()]);
    payload.extend(ANSWER.origin.as_bytes());
    let mut out = [0; 1_024];
    let length = sign_instruction(&key(), NETWORK, 0, &payload, true, &mut out).unwrap();
    assert_eq!(VerifiedSignIn::verify(&out[..length], NETWORK).unwrap_err(), Refusal::Signature);
    // With a counter it is not even read as one.
    let length = sign_instruction(&key(), NETWORK, 1, &payload, true, &mut out).unwrap();
    assert_eq!(VerifiedSignIn::verify(&out[..length], NETWORK).unwrap_err(), Refusal::Malformed);
    // Nor without the key: nobody could tell whose it is.
    let length = sign_instruction(&key(), NETWORK, 0, &payload, false, &mut out).unwrap();
    assert_eq!(VerifiedSignIn::verify(&out[..length], NETWORK).unwrap_err(), Refusal::Malformed);
}

#[test]
fn a_key_that_lies_elsewhere_signs_the_same_bytes() {
    let (key, mut message, mut out) = (key(), [0; 1_024], [0; SIGN_IN_BYTES_MAX]);
    let length = ANSWER.message(&key.public_key(), NETWORK, &mut message).unwrap();
    let signature = key.sign(&message[..length]);
    let length = ANSWER.join(&key.public_key(), NETWORK, &signature, &mut out).unwrap();
    assert_eq!(out[..length], signed(&ANSWER));
    assert!(ANSWER.message(&key.public_key(), NETWORK, &mut [0; 64]).is_err(), "the place is too small");
}

#[test]
fn another_site_another_challenge_or_another_network_is_another_message() {
    let message = |answer: &SignInAnswer<'_>, network: &str| {
        let mut out = [0; 1_024];
        let length = answer.message(&key().public_key(), network, &mut out).unwrap();
        out[..length].to_vec()
    };
    let own = message(&ANSWER, NETWORK);
    assert_ne!(own, message(&SignInAnswer { origin: "https://lamppost.example.evil", ..ANSWER }, NETWORK));
    assert_ne!(own, message(&SignInAnswer { challenge: [8; 32], ..ANSWER }, NETWORK));
    assert_ne!(own, message(&ANSWER, "othernet"));
}

#[test]
fn the_longest_origin_fits_and_a_longer_one_is_refused() {
    let origin = "o".repeat(ORIGIN_BYTES_MAX);
    let bytes = signed(&SignInAnswer { origin: &origin, ..ANSWER });
    assert_eq!(VerifiedSignIn::verify(&bytes, NETWORK).unwrap().answer().origin, origin);
    let longer = "o".repeat(ORIGIN_BYTES_MAX + 1);
    let answer = SignInAnswer { origin: &longer, ..ANSWER };
    assert_eq!(answer.sign(&key(), NETWORK, &mut [0; 2_048]), Err(SealError::TooLong));
    assert_eq!(ANSWER.sign(&key(), "No Network", &mut [0; 2_048]), Err(SealError::Network));
}
