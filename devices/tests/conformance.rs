//! What we emit is what the CDDL says, judged by the crate `cddl` (which also looks into `.cbor` byte strings).
mod packs;

use cddl::validate_cbor_from_slice;
use devices::{Sequence, SigningKey};
use proptest::prelude::*;

const CDDL: &str = include_str!("wire/envelope.cddl");

fn conforms(envelope: &[u8]) -> Result<(), String> {
    validate_cbor_from_slice(CDDL, envelope, None).map_err(|error| error.to_string())
}

fn seal(pack: &[u8]) -> Vec<u8> {
    let mut out = [0; 1024];
    let sequence = Sequence { boot: 3, count: 9 };
    let bytes =
        devices::sign_reading(&SigningKey::from_seed([9; 32]), "devnet", sequence, pack, &mut out).unwrap();
    out[..bytes].to_vec()
}

#[test]
fn the_vectors_of_others_conform_and_the_judge_sees_into_the_payload() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("wire/vectors.json")).unwrap();
    for vector in vectors["valid"].as_array().unwrap() {
        let envelope = hex::decode(vector["envelope"].as_str().unwrap()).unwrap();
        conforms(&envelope).unwrap_or_else(|error| panic!("{}: {error}", vector["name"]));
    }
    for name in ["a float value", "algorithm ES256", "unknown record key", "no records", "seven-byte cti"] {
        let vector =
            vectors["refused"].as_array().unwrap().iter().find(|vector| vector["name"] == name).unwrap();
        let envelope = hex::decode(vector["envelope"].as_str().unwrap()).unwrap();
        assert!(conforms(&envelope).is_err(), "the judge must not accept: {name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_envelope_we_make_conforms(pack in packs::pack()) {
        let envelope = seal(&pack.encode());
        prop_assert!(conforms(&envelope).is_ok(), "{:?}: {:?}", pack, conforms(&envelope));
    }
}
