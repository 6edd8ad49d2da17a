//! Commands to a device: vectors of an independent implementation, what we emit against the CDDL, and every verdict of a device.
use cddl::validate_cbor_from_slice;
use devices::command::{Command, Order, SignedCommand, VerifiedCommand};
use devices::configuration::{Configuration, ConfigurationError, Threshold};
use devices::limits::{COMMAND_BYTES_MAX, CONFIGURATION_BYTES_MAX, KEY_OFFER_BYTES_MAX};
use devices::{Decimal, DeviceId, KeyOffer, Possession, Refusal, SigningKey};
use proptest::prelude::*;
use serde::Deserialize;

const COMMAND_CDDL: &str = include_str!("wire/command.cddl");
const KEY_OFFER_CDDL: &str = include_str!("wire/key_offer.cddl");

#[derive(Deserialize)]
struct Vectors {
    owner_seed: String,
    account: String,
    device_kid: String,
    valid: Vec<Valid>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Valid {
    name: String,
    network: String,
    counter: u64,
    order: String,
    command: String,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
    why: String,
    network: String,
    command: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("wire/commands.json")).unwrap()
}

fn owner() -> SigningKey {
    SigningKey::from_seed(hex::decode(vectors().owner_seed).unwrap().try_into().unwrap())
}

fn signed(command: &Command<'_>) -> Vec<u8> {
    let mut out = [0; COMMAND_BYTES_MAX];
    let length = command.sign(&owner(), "devnet", &mut out).unwrap();
    out[..length].to_vec()
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn every_valid_vector_is_accepted_conforms_and_is_reproduced_from_its_parts() {
    let vectors = vectors();
    let kid: DeviceId = vectors.device_kid.parse().unwrap();
    for vector in &vectors.valid {
        let bytes = hex::decode(&vector.command).unwrap();
        let conforms = validate_cbor_from_slice(COMMAND_CDDL, &bytes, None);
        conforms.unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        let verified = VerifiedCommand::verify(&bytes, &vector.network)
            .unwrap_or_else(|why| panic!("{}: {why}", vector.name));
        let command = verified.command();
        assert_eq!((command.device, command.counter), (kid, vector.counter), "{}", vector.name);
        assert_eq!(command.order.name(), vector.order, "{}", vector.name);
        assert_eq!(hex::encode(verified.key().thumbprint().as_bytes()), vectors.account);
        let mut out = [0; COMMAND_BYTES_MAX];
        let length = command.sign(&owner(), &vector.network, &mut out).unwrap();
        assert_eq!(&out[..length], bytes, "{}", vector.name);
    }
}

#[test]
fn every_refused_vector_is_refused_for_its_reason() {
    for vector in vectors().refused {
        let bytes = hex::decode(&vector.command).unwrap();
        let refusal = VerifiedCommand::verify(&bytes, &vector.network)
            .map(|_| ())
            .expect_err(&format!("{} must not be accepted", vector.name));
        assert_eq!(refusal.as_str(), vector.why, "{}", vector.name);
    }
}

#[test]
fn the_first_vector_says_what_it_says() {
    let bytes = hex::decode(&vectors().valid[0].command).unwrap();
    let verified = VerifiedCommand::verify(&bytes, "devnet").unwrap();
    let Order::Configure(configuration) = verified.command().order else { panic!("it configures") };
    assert_eq!((configuration.interval_seconds(), configuration.batch_seconds()), (60, 600));
    let thresholds: Vec<_> = configuration.thresholds().collect();
    let level = Threshold { name: "level", below: None, above: Some(decimal("2.5")) };
    let temp = Threshold { name: "temp", below: Some(decimal("-5")), above: Some(decimal("45")) };
    assert_eq!(thresholds, [level, temp]);
}

#[test]
fn a_configuration_that_a_device_could_not_keep_is_not_made() {
    let names: Vec<String> = (b'a'..b'f').map(|letter| char::from(letter).to_string().repeat(32)).collect();
    let long = |name| Threshold { name, below: Some(decimal("123.45")), above: None };
    let thresholds: Vec<_> = names.iter().map(|name| long(name)).collect();
    let mut room = [0; CONFIGURATION_BYTES_MAX];
    let refused = Configuration::new(60, 600, &thresholds, &mut room);
    assert!(matches!(refused, Err(ConfigurationError::TooLong(_))));
    let nine_thousand_million = Threshold { name: "temp", below: None, above: Some(decimal("9999999999")) };
    let refused = Configuration::new(60, 600, &[nine_thousand_million], &mut room);
    assert!(matches!(refused, Err(ConfigurationError::Rule(_))));
}

#[test]
fn every_bit_flip_of_a_command_is_noticed() {
    let bytes = hex::decode(&vectors().valid[0].command).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(VerifiedCommand::verify(&flipped, "devnet").is_err(), "bit {bit}");
    }
}

#[test]
fn a_command_is_no_instruction_and_an_instruction_no_command() {
    let bytes = signed(&Command { device: DeviceId([1; 8]), counter: 1, order: Order::RotateKey(1) });
    let instruction = devices::SignedInstruction::decode(&bytes).unwrap();
    assert!(instruction.verify(&owner().public_key(), "devnet").is_err());
    let payload = hex::decode("834801010101010101016a726f746174655f6b657901").unwrap();
    let mut out = [0; 512];
    let length = devices::sign_instruction(&owner(), "devnet", 1, &payload, true, &mut out).unwrap();
    assert_eq!(VerifiedCommand::verify(&out[..length], "devnet").unwrap_err(), Refusal::Signature);
}

#[test]
fn an_offered_key_is_taken_from_the_devices_present_key_alone() {
    let (present, next) = (SigningKey::from_seed([2; 32]), SigningKey::from_seed([3; 32]));
    let rotation = Possession::Rotation { replaced: present.kid(), account: [9; 32] };
    let proof = rotation.sign(&next, "devnet").unwrap();
    let offer = KeyOffer { counter: 5, generation: 1, public_key: next.public_key(), proof };
    let mut out = [0; KEY_OFFER_BYTES_MAX];
    let length = offer.sign(&present, "devnet", &mut out).unwrap();
    let bytes = &out[..length];
    validate_cbor_from_slice(KEY_OFFER_CDDL, bytes, None).unwrap();
    assert_eq!(KeyOffer::kid(bytes), Ok(present.kid()));
    assert_eq!(KeyOffer::verify(bytes, &present.public_key(), "devnet"), Ok(offer));
    assert_eq!(KeyOffer::verify(bytes, &present.public_key(), "othernet"), Err(Refusal::Signature));
    assert_eq!(KeyOffer::verify(bytes, &next.public_key(), "devnet"), Err(Refusal::Signature));
    // Whoever publishes to the topic can prove a key of their own, but not that it is the device's.
    let mut forged = [0; KEY_OFFER_BYTES_MAX];
    let length = offer.sign(&next, "devnet", &mut forged).unwrap();
    let refusal = KeyOffer::verify(&forged[..length], &present.public_key(), "devnet");
    assert_eq!(refusal, Err(Refusal::Signature));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(KeyOffer::verify(&flipped, &present.public_key(), "devnet").is_err(), "bit {bit}");
    }
    assert!(KeyOffer::verify(&signed_command_of_the_device(), &present.public_key(), "devnet").is_err());
}

fn signed_command_of_the_device() -> Vec<u8> {
    let mut out = [0; COMMAND_BYTES_MAX];
    let command = Command { device: DeviceId([1; 8]), counter: 1, order: Order::UseKey(1) };
    let length = command.sign(&SigningKey::from_seed([2; 32]), "devnet", &mut out).unwrap();
    out[..length].to_vec()
}

fn bounds() -> impl Strategy<Value = (Option<Decimal>, Option<Decimal>)> {
    let number = || (-100_000_i128..100_000, -3_i8..=0).prop_map(|(m, e)| Decimal::new(m, e).unwrap());
    prop_oneof![
        number().prop_map(|below| (Some(below), None)),
        number().prop_map(|above| (None, Some(above))),
        (number(), number()).prop_map(|(a, b)| (Some(a.min(b)), Some(a.max(b)))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_command_we_make_conforms_and_reads_back(
        interval in 1_u32..=86_400,
        batch in 0_u32..=86_400,
        thresholds in prop::collection::btree_map("[a-z][a-z0-9:._/-]{0,7}", bounds(), 0..=8),
        counter: u64,
    ) {
        let thresholds: Vec<_> = thresholds
            .iter()
            .map(|(name, (below, above))| Threshold { name, below: *below, above: *above })
            .collect();
        let mut room = [0; CONFIGURATION_BYTES_MAX];
        let configuration = Configuration::new(interval, batch, &thresholds, &mut room).unwrap();
        let command = Command { device: DeviceId([1; 8]), counter, order: Order::Configure(configuration) };
        let bytes = signed(&command);
        prop_assert!(validate_cbor_from_slice(COMMAND_CDDL, &bytes, None).is_ok());
        let verified = VerifiedCommand::verify(&bytes, "devnet").unwrap();
        prop_assert_eq!(verified.command(), &command);
    }

    #[test]
    fn garbage_is_malformed_and_never_more(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        prop_assert_eq!(SignedCommand::decode(&bytes).unwrap_err(), Refusal::Malformed);
        prop_assert_eq!(KeyOffer::kid(&bytes), Err(Refusal::Malformed));
    }
}
