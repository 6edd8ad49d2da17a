//! One signature, one verdict: alone, in a batch of good ones and in a batch of bad ones, and always ed25519-zebra's.
use std::path::Path;

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use devices::batch::{Signed, Verified};
use devices::{DecompressedKey, PublicKey, Sequence, SignedInstruction, SignedReading, SigningKey};
use ed25519_zebra::{Signature, VerificationKey};
use proptest::prelude::*;
use sha2::{Digest, Sha512};

type Case = (PublicKey, Vec<u8>, [u8; 64]);

/// A signature by ZIP-215's equation whose key and R carry components of small order; `shift` spoils s.
fn torsion_signature(
    a: [u8; 64],
    r: [u8; 64],
    torsion: (usize, usize),
    shift: u64,
    message: &[u8],
) -> Option<Case> {
    let (a, r) = (Scalar::from_bytes_mod_order_wide(&a), Scalar::from_bytes_mod_order_wide(&r));
    let key = EdwardsPoint::mul_base(&a) + EIGHT_TORSION[torsion.0];
    let nonce = EdwardsPoint::mul_base(&r) + EIGHT_TORSION[torsion.1];
    let (key, nonce) = (key.compress(), nonce.compress());
    let hash =
        Sha512::new().chain_update(nonce.as_bytes()).chain_update(key.as_bytes()).chain_update(message);
    let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    let s = r + k * a + Scalar::from(shift);
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(nonce.as_bytes());
    signature[32..].copy_from_slice(s.as_bytes());
    Some((PublicKey::from_bytes(key.to_bytes()).ok()?, message.to_vec(), signature))
}

fn honest(number: u8) -> Case {
    let key = SigningKey::from_seed([number; 32]);
    (key.public_key(), vec![number; 40], key.sign(&[number; 40]))
}

/// Holds by the factor 8 alone: key and R have components of small order.
fn with_torsion(number: u8) -> Case {
    let torsion = (usize::from(number % 8), usize::from(number / 8 % 8));
    torsion_signature([number; 64], [!number; 64], torsion, 0, b"a message").unwrap()
}

/// The reference: what ed25519-zebra says, which the verdict alone must be too.
fn alone(case: &Case) -> bool {
    let (key, message, signature) = case;
    let zebra = VerificationKey::try_from(*key.as_bytes())
        .is_ok_and(|key| key.verify(&Signature::from_bytes(signature), message).is_ok());
    assert_eq!(devices::signature::holds(key, message, signature), zebra, "{case:?}");
    assert_eq!(devices::signature::holds_without_tables(key, message, signature), zebra, "{case:?}");
    zebra
}

fn together(cases: &[Case]) -> Vec<bool> {
    let signatures: Vec<_> = cases
        .iter()
        .map(|(key, message, signature)| (DecompressedKey::new(key), &message[..], *signature))
        .collect();
    devices::batch::hold(&signatures)
}

/// Judges `case` alone, by itself in a batch, among honest ones and twice among honest ones.
fn agrees(case: &Case) -> bool {
    let expected = alone(case);
    let mut batch: Vec<Case> = (1..6).map(honest).collect();
    batch.insert(2, case.clone());
    batch.push(case.clone());
    let answers = together(&batch);
    let honest_hold = [0, 1, 3, 4, 5].iter().all(|place| answers[*place]);
    together(std::slice::from_ref(case)) == [expected]
        && answers[2] == expected
        && answers[6] == expected
        && honest_hold
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn torsion_gets_the_same_verdict_alone_and_in_batches(
        a in any::<[[u8; 32]; 2]>(), r in any::<[[u8; 32]; 2]>(), torsion in (0..8_usize, 0..8_usize), shift in 0..2_u64,
    ) {
        let wide = |halves: [[u8; 32]; 2]| <[u8; 64]>::try_from(halves.concat()).unwrap();
        if let Some(case) = torsion_signature(wide(a), wide(r), torsion, shift, b"a message") {
            prop_assert_eq!(alone(&case), shift == 0, "ZIP-215 multiplies by the cofactor");
            prop_assert!(agrees(&case));
        }
    }

    #[test]
    fn small_order_nonces_get_the_same_verdict_alone_and_in_batches(
        torsion in (0..8_usize, 0..8_usize), a in any::<[[u8; 32]; 2]>(), s in any::<[u8; 32]>(),
    ) {
        let wide = <[u8; 64]>::try_from(a.concat()).unwrap();
        if let Some(mut case) = torsion_signature(wide, [0; 64], torsion, 0, b"a message") {
            prop_assert!(alone(&case), "R of small order is allowed by ZIP-215");
            prop_assert!(agrees(&case));
            case.2[32..].copy_from_slice(&s);
            prop_assert!(agrees(&case), "an s that may be no scalar");
        }
    }
}

#[test]
fn keys_of_small_order_and_keys_with_two_encodings_are_refused() {
    for point in EIGHT_TORSION {
        assert!(PublicKey::from_bytes(point.compress().to_bytes()).is_err());
    }
    // y = p + 3 encodes the same point as y = 3, whose key is fine.
    let (mut canonical, mut twice) = ([0; 32], [0xff; 32]);
    (canonical[0], twice[0], twice[31]) = (3, 0xed + 3, 0x7f);
    assert!(PublicKey::from_bytes(canonical).is_ok());
    assert!(PublicKey::from_bytes(twice).is_err());
}

fn reading(seed: u8, count: u32) -> (Signed<Vec<u8>>, DecompressedKey) {
    let key = SigningKey::from_seed([seed; 32]);
    let mut out = [0; 256];
    let sequence = Sequence { boot: 1, count };
    let bytes =
        devices::sign_reading(&key, "devnet", sequence, b"\x81\xa2\x00\x64temp\x02\x15", &mut out).unwrap();
    out[bytes - 1] ^= u8::from(count % 10 == 3);
    let signed = SignedReading::decode(out[..bytes].to_vec()).map_err(|(why, _)| why).unwrap();
    (Signed::Reading(signed), DecompressedKey::new(&key.public_key()))
}

fn instruction(counter: u64) -> (Signed<Vec<u8>>, DecompressedKey) {
    let key = SigningKey::from_seed([200; 32]);
    let mut out = [0; 256];
    let bytes = devices::sign_instruction(&key, "devnet", counter, b"\x05", false, &mut out).unwrap();
    out[bytes - 1] ^= u8::from(counter % 10 == 3);
    let signed = SignedInstruction::decode(out[..bytes].to_vec()).map_err(|(why, _)| why).unwrap();
    (Signed::Instruction(signed), DecompressedKey::new(&key.public_key()))
}

#[test]
fn the_bad_envelopes_of_a_batch_are_found_and_the_good_ones_kept() {
    let mut envelopes = Vec::new();
    for number in 0..50 {
        envelopes.push(reading(number as u8 % 7, number * 2));
        envelopes.push(instruction(u64::from(number) * 2 + 1));
    }
    let (envelopes, keys): (Vec<_>, Vec<_>) = envelopes.into_iter().unzip();
    for (place, verdict) in devices::verify_batch("devnet", envelopes.clone(), &keys).enumerate() {
        let (signed, key) = (&envelopes[place], &keys[place]);
        match (verdict, signed) {
            (Ok(Verified::Reading(verified)), Signed::Reading(reading)) => {
                assert_ne!(reading.sequence().count % 10, 3);
                assert_eq!(verified.transaction_id(), reading.transaction_id("devnet"));
                assert_eq!(verified.public_key(), key.public_key());
            }
            (Ok(Verified::Instruction(verified)), Signed::Instruction(instruction)) => {
                assert_ne!(instruction.counter() % 10, 3);
                assert_eq!(verified.transaction_id(), instruction.transaction_id("devnet"));
                assert_eq!(verified.public_key(), key.public_key());
            }
            (Err(Signed::Reading(back)), Signed::Reading(reading)) => {
                assert_eq!((back.envelope(), back.sequence().count % 10), (reading.envelope(), 3));
            }
            (Err(Signed::Instruction(back)), Signed::Instruction(instruction)) => {
                assert_eq!((back.envelope(), back.counter() % 10), (instruction.envelope(), 3));
            }
            (verdict, signed) => panic!("{verdict:?} of {signed:?}"),
        }
    }
    assert!(devices::verify_batch("elsewhere", envelopes, &keys).all(|verdict| verdict.is_err()));
    assert_eq!(devices::verify_batch::<Vec<u8>>("devnet", Vec::new(), &[]).len(), 0);
}

#[test]
fn an_envelope_without_a_key_does_not_hold() {
    let (envelopes, keys): (Vec<_>, Vec<_>) = [reading(1, 1), reading(2, 2)].into_iter().unzip();
    let verdicts: Vec<_> = devices::verify_batch("devnet", envelopes, &keys[..1]).collect();
    assert_eq!(verdicts.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn bad_members_are_found_wherever_and_however_many_they_are(
        members in 1..300_usize, bad_in_256 in prop::sample::select(vec![0_u8, 1, 2, 8, 64, 255]), keys in 1..40_u8,
        draws in prop::collection::vec(any::<(u8, u8)>(), 300),
    ) {
        let member = |number: usize| match number % 3 {
            0 => with_torsion(1 + number as u8 % keys),
            _ => honest(number as u8 % keys),
        };
        let mut cases: Vec<Case> = (0..members).map(member).collect();
        for ((draw, kind), case) in draws.into_iter().zip(&mut cases) {
            if draw < bad_in_256 {
                match kind % 4 {
                    // Another message, another R that is mostly no point, another s, an s that is no scalar.
                    0 => case.1.push(0),
                    1 => case.2[1] ^= 1,
                    2 => case.2[32] ^= 1,
                    _ => case.2[63] |= 0xe0,
                }
            }
        }
        let expected: Vec<bool> = cases.iter().map(alone).collect();
        prop_assert_eq!(together(&cases), expected);
    }
}

/// Two signatures, each wrong, whose faults would cancel each other in a sum without coefficients.
#[test]
fn faults_that_cancel_each_other_are_found() {
    let (mut one, mut other) = (honest(1), honest(2));
    let shift = |case: &mut Case, by: Scalar| {
        let s = Scalar::from_canonical_bytes(case.2[32..].try_into().unwrap()).unwrap() + by;
        case.2[32..].copy_from_slice(s.as_bytes());
    };
    shift(&mut one, Scalar::ONE);
    shift(&mut other, -Scalar::ONE);
    assert_eq!(together(&[one, other, honest(3)]), [false, false, true]);
}

fn shared_vectors(name: &str) -> Option<serde_json::Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors").join(name);
    match std::fs::read(&path) {
        Ok(text) => Some(serde_json::from_slice(&text).unwrap()),
        Err(_) => {
            println!("skipped: {name} is not beside the project");
            None
        }
    }
}

fn case(key: &str, message: &str, signature: &str) -> Option<Case> {
    let key = PublicKey::from_bytes(hex::decode(key).ok()?.try_into().ok()?).ok()?;
    Some((key, hex::decode(message).ok()?, hex::decode(signature).ok()?.try_into().ok()?))
}

#[test]
fn the_edge_cases_of_taming_the_many_eddsas_get_one_verdict() {
    let Some(vectors) = shared_vectors("ed25519-speccheck.json") else { return };
    let mut judged = 0;
    for vector in vectors.as_array().unwrap() {
        let text = |field: &str| vector[field].as_str().unwrap();
        // Keys that enrolment refuses never reach a verdict.
        if let Some(case) = case(text("pub_key"), text("message"), text("signature")) {
            assert!(agrees(&case), "{vector}");
            judged += 1;
        }
    }
    assert!(judged >= 5, "{judged} were judged");
}

#[test]
fn wycheproof_signatures_get_one_verdict_and_the_valid_ones_hold() {
    let Some(vectors) = shared_vectors("wycheproof-ed25519.json") else { return };
    let (mut judged, mut other_encodings) = (0, 0);
    for group in vectors["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            let parts = (text(&group["publicKey"]["pk"]), text(&test["msg"]), text(&test["sig"]));
            let Some(case) = case(&parts.0, &parts.1, &parts.2) else {
                assert_eq!(test["result"], "invalid", "{test}");
                continue;
            };
            assert!(agrees(&case), "{test}");
            match alone(&case) {
                // ZIP-215 accepts an R in another encoding, which only the key's holder can make.
                true if test["result"] != "valid" => {
                    assert!(test["flags"].as_array().unwrap().contains(&"InvalidEncoding".into()), "{test}");
                    other_encodings += 1;
                }
                holds => assert_eq!(holds, test["result"] == "valid", "{test}"),
            }
            judged += 1;
        }
    }
    assert!(judged > 100, "{judged} were judged");
    assert!(other_encodings <= 1, "{other_encodings} invalid ones held");
}
