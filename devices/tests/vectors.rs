//! The wire's own vectors, made by independent implementations: reproduced, accepted and refused as they say.
use devices::{Record, Refusal, Sequence, SignedReading, SigningKey};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    valid: Vec<Valid>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Valid {
    name: String,
    seed: String,
    public_key: String,
    thumbprint: String,
    kid: String,
    network: String,
    boot: u32,
    count: u32,
    records: usize,
    envelope: String,
    bytes: usize,
    transaction_id: String,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
    why: String,
    public_key: String,
    network: String,
    envelope: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("wire/vectors.json")).unwrap()
}

fn seed(text: &str) -> [u8; 32] {
    hex::decode(text).unwrap().try_into().unwrap()
}

#[test]
fn every_valid_vector_is_accepted_with_its_transaction_id() {
    for vector in vectors().valid {
        let envelope = hex::decode(&vector.envelope).unwrap();
        assert_eq!(envelope.len(), vector.bytes, "{}", vector.name);
        let signed =
            SignedReading::decode(envelope).unwrap_or_else(|(why, _)| panic!("{}: {why}", vector.name));
        assert_eq!(signed.kid().to_string(), vector.kid, "{}", vector.name);
        assert_eq!(signed.sequence(), Sequence { boot: vector.boot, count: vector.count }, "{}", vector.name);
        assert_eq!(signed.pack().record_count(), vector.records, "{}", vector.name);
        assert_eq!(signed.pack().resolved().count(), vector.records, "{}", vector.name);
        let key = vector.public_key.parse().unwrap();
        let verified =
            signed.verify(&key, &vector.network).unwrap_or_else(|_| panic!("{}: signature", vector.name));
        assert_eq!(verified.transaction_id().to_string(), vector.transaction_id, "{}", vector.name);
    }
}

#[test]
fn every_valid_vector_is_reproduced_from_its_parts() {
    for vector in vectors().valid {
        let envelope = hex::decode(&vector.envelope).unwrap();
        let key = SigningKey::from_seed(seed(&vector.seed));
        assert_eq!(key.public_key().to_string(), vector.public_key);
        assert_eq!(key.public_key().thumbprint().to_string(), vector.thumbprint);
        let signed =
            SignedReading::decode(&envelope).unwrap_or_else(|(why, _)| panic!("{}: {why}", vector.name));
        let records: Vec<Record<'_>> = signed.pack().records().collect();
        let mut pack = [0; 1024];
        let pack_bytes = devices::encode_pack(&signed.pack().base(), &records, &mut pack).unwrap();
        assert_eq!(&pack[..pack_bytes], signed.pack().bytes(), "{}", vector.name);
        let mut out = [0; 1024];
        let mut bytes =
            devices::sign_reading(&key, &vector.network, signed.sequence(), &pack[..pack_bytes], &mut out)
                .unwrap();
        if vector.name.starts_with("algorithm -19") {
            bytes = resign_with_algorithm_19(&key, &vector.network, &mut out[..bytes]);
        }
        assert_eq!(hex::encode(&out[..bytes]), vector.envelope, "{}", vector.name);
    }
}

/// Devices emit -8 and accept -19, so the latter is made by hand: the algorithm's byte and a signature over it.
fn resign_with_algorithm_19(key: &SigningKey, network: &str, envelope: &mut [u8]) -> usize {
    assert_eq!(envelope[6], 0x27, "the algorithm -8");
    envelope[6] = 0x32;
    let mut message = [0; 1200];
    let signed = SignedReading::decode(&envelope[..]).unwrap_or_else(|(why, _)| panic!("{why}"));
    let message_bytes = signed.signed_message(network, &mut message).unwrap();
    let signature = key.sign(&message[..message_bytes]);
    let (_, last) = envelope.split_last_chunk_mut::<64>().unwrap();
    *last = signature;
    envelope.len()
}

#[test]
fn every_refused_vector_is_refused_with_its_reason() {
    for vector in vectors().refused {
        let envelope = hex::decode(&vector.envelope).unwrap();
        let key = vector.public_key.parse().unwrap();
        let verdict =
            SignedReading::decode(&envelope[..]).and_then(|signed| signed.verify(&key, &vector.network));
        let (refusal, buffer) = verdict.err().unwrap_or_else(|| panic!("{}: accepted", vector.name));
        assert_eq!(refusal.as_str(), vector.why, "{}", vector.name);
        assert_eq!(buffer, &envelope[..], "the buffer comes back");
        assert!(matches!(refusal, Refusal::Malformed | Refusal::Signature));
    }
}

#[test]
fn every_single_bit_flip_of_a_valid_envelope_is_refused() {
    let mut flips = 0;
    for vector in vectors().valid {
        let envelope = hex::decode(&vector.envelope).unwrap();
        let key = vector.public_key.parse().unwrap();
        let kid = vector.kid.parse().unwrap();
        for bit in 0..envelope.len() * 8 {
            let mut flipped = envelope.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // A gateway looks the key up by kid: an envelope that names another device is not this device's.
            let accepted = SignedReading::decode(&flipped[..])
                .is_ok_and(|signed| signed.kid() == kid && signed.verify(&key, &vector.network).is_ok());
            assert!(!accepted, "{}: bit {bit} flipped", vector.name);
            flips += 1;
        }
    }
    assert!(flips > 13_000, "{flips} flips were tried");
}

#[test]
fn an_envelope_is_worth_nothing_on_another_network() {
    for vector in vectors().valid {
        let envelope = hex::decode(&vector.envelope).unwrap();
        let key = vector.public_key.parse().unwrap();
        let signed =
            SignedReading::decode(envelope).unwrap_or_else(|(why, _)| panic!("{}: {why}", vector.name));
        assert!(signed.verify(&key, "elsewhere").is_err_and(|(refusal, _)| refusal == Refusal::Signature));
    }
}
