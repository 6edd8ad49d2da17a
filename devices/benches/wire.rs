//! How long the wire takes on one core: `cargo bench -p devices`. Plain figures, the best of five rounds each.
use std::hint::black_box;
use std::time::Instant;

use devices::batch::Signed;
use devices::{DecompressedKey, Sequence, SignedReading, SigningKey};

const READINGS: u32 = 1024;

fn readings(keys: u32) -> Vec<(SignedReading<Vec<u8>>, DecompressedKey)> {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../tests/wire/vectors.json")).unwrap();
    let envelope = hex::decode(vectors["valid"][0]["envelope"].as_str().unwrap()).unwrap();
    let signed = SignedReading::decode(&envelope[..]).map_err(|(why, _)| why).unwrap();
    let pack = signed.pack().bytes();
    let sign = |number: u32| {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&(number % keys).to_be_bytes());
        let key = SigningKey::from_seed(seed);
        let mut out = [0; 256];
        let length =
            devices::sign_reading(&key, "devnet", Sequence { boot: 1, count: number }, pack, &mut out)
                .unwrap();
        let signed = SignedReading::decode(out[..length].to_vec()).map_err(|(why, _)| why).unwrap();
        (signed, DecompressedKey::new(&key.public_key()))
    };
    (0..READINGS).map(sign).collect()
}

fn report(what: &str, operations: u32, mut run: impl FnMut()) {
    let round = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_nanos() / u128::from(operations)
    };
    let best = (0..5).map(round).min().unwrap_or(0);
    println!("{what:<48} {}.{:03} µs", best / 1000, best % 1000);
}

fn main() {
    let many = readings(READINGS);
    let few = readings(64);
    let envelopes: Vec<Vec<u8>> = many.iter().map(|(reading, _)| reading.envelope().to_vec()).collect();
    println!("{} bytes an envelope", envelopes[0].len());
    report("decode", READINGS * 20, || {
        for _ in 0..20 {
            envelopes
                .iter()
                .for_each(|envelope| assert!(black_box(SignedReading::decode(&envelope[..]).is_ok())));
        }
    });
    report("transaction id", READINGS * 20, || {
        for _ in 0..20 {
            many.iter()
                .for_each(|(reading, _)| assert_ne!(black_box(reading.transaction_id("devnet")).0, [0; 32]));
        }
    });
    let key = SigningKey::from_seed([1; 32]);
    let pack = many[0].0.pack().bytes().to_vec();
    report("sign", READINGS, || {
        let mut out = [0; 256];
        for count in 0..READINGS {
            let sequence = Sequence { boot: 1, count };
            let _ = black_box(devices::sign_reading(&key, "devnet", sequence, &pack, &mut out));
        }
    });
    report("verify one by one", READINGS, || {
        many.iter()
            .for_each(|(reading, key)| assert!(reading.clone().verify(key.public_key(), "devnet").is_ok()));
    });
    let signed = |batch: &[(SignedReading<Vec<u8>>, DecompressedKey)]| -> Vec<_> {
        batch.iter().map(|(reading, _)| Signed::Reading(reading.clone())).collect()
    };
    let all_hold = |batch: &[(SignedReading<Vec<u8>>, DecompressedKey)]| {
        let keys: Vec<_> = batch.iter().map(|(_, key)| *key).collect();
        devices::verify_batch("devnet", signed(batch), &keys).all(|verdict| verdict.is_ok())
    };
    for (what, batch) in [("1024 readings of 1024 keys", &many), ("1024 readings of 64 keys", &few)] {
        report(&format!("verify a batch of {what}"), READINGS, || {
            assert!(all_hold(batch));
        });
    }
    report("verify batches of 64 readings of 64 keys", READINGS, || {
        for batch in many.chunks(64) {
            assert!(all_hold(batch));
        }
    });
}
