//! Manifests of firmware images: the publisher's word about one image for one board, and about nothing else.
use cddl::validate_cbor_from_slice;
use devices::limits::{FIRMWARE_TOPIC_BYTES_MAX, MANIFEST_BYTES_MAX};
use devices::manifest::Version;
use devices::{
    FirmwareTopic, Manifest, ManifestError, SealError, SignedInstruction, SigningKey, sign_instruction,
};

const CDDL: &str = include_str!("wire/manifest.cddl");
const VERSION: Version = Version { major: 1, minor: 4, patch: 300 };
const MANIFEST: Manifest<'_> =
    Manifest { board: "nucleo-f429zi", version: VERSION, image_bytes: 150_001, image_hash: [7; 32] };

fn publisher() -> SigningKey {
    SigningKey::from_seed([3; 32])
}

fn signed(manifest: &Manifest<'_>) -> Vec<u8> {
    let mut out = [0; MANIFEST_BYTES_MAX];
    let length = manifest.sign(&publisher(), &mut out).unwrap();
    out[..length].to_vec()
}

fn verify(bytes: &[u8]) -> Result<Manifest<'_>, ManifestError> {
    Manifest::verify(bytes, &publisher().public_key())
}

/// The payload's bytes, with one of its parts replaced.
fn payload(board: &[u8], version: &[u8], image_bytes: &[u8], hash: &[u8]) -> Vec<u8> {
    [&[0x84][..], board, version, image_bytes, hash].concat()
}

/// A manifest of any payload, rightly signed.
fn signed_payload(payload: &[u8]) -> Vec<u8> {
    let good = signed(&MANIFEST);
    let header = &good[2..][..30];
    assert_eq!(header[..2], [0x58, 28]);
    let mut message = vec![0x84, 0x6a];
    message.extend(b"Signature1");
    message.extend(header);
    message.extend([0x58, 28]);
    message.extend(b"lamppost/1/firmware/manifest");
    let mut body = vec![0x58, u8::try_from(payload.len()).unwrap()];
    body.extend(payload);
    message.extend(&body);
    let mut bytes = good[..32].to_vec();
    bytes.push(0xa0);
    bytes.extend(body);
    bytes.extend([0x58, 64]);
    bytes.extend(publisher().sign(&message));
    bytes
}

const BOARD: &[u8] = b"\x6dnucleo-f429zi";
const NUMBERS: &[u8] = b"\x83\x01\x04\x19\x01\x2c";
const LENGTH: &[u8] = b"\x1a\x00\x02\x49\xf1";

fn hash() -> Vec<u8> {
    [&[0x58, 32][..], &[7; 32]].concat()
}

#[test]
fn a_manifest_is_what_the_cddl_says_and_decodes_to_what_was_signed() {
    let bytes = signed(&MANIFEST);
    validate_cbor_from_slice(CDDL, &bytes, None).unwrap();
    assert_eq!(verify(&bytes), Ok(MANIFEST));
    assert_eq!(bytes, signed_payload(&payload(BOARD, NUMBERS, LENGTH, &hash())));
}

#[test]
fn the_longest_manifest_fits_into_its_bound() {
    let board = "b".repeat(32);
    let version = Version { major: u16::MAX, minor: u16::MAX, patch: u16::MAX };
    let manifest = Manifest { board: &board, version, image_bytes: u32::MAX, image_hash: [255; 32] };
    let bytes = signed(&manifest);
    assert!(bytes.len() <= MANIFEST_BYTES_MAX);
    assert_eq!(verify(&bytes), Ok(manifest));
    let topic = FirmwareTopic::Chunk { network: &"n".repeat(32), board: &board, version, index: u32::MAX }
        .to_string();
    assert_eq!(topic.len(), FIRMWARE_TOPIC_BYTES_MAX);
}

#[test]
fn an_altered_manifest_is_refused_wherever_it_was_altered() {
    let good = signed(&MANIFEST);
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut altered = good.clone();
            altered[at] ^= 1 << bit;
            assert!(verify(&altered).is_err(), "bit {bit} of byte {at}");
        }
    }
    for length in 0..good.len() {
        assert_eq!(verify(&good[..length]), Err(ManifestError::Malformed));
    }
    assert_eq!(verify(&[&good[..], &[0]].concat()), Err(ManifestError::Malformed));
    assert_eq!(verify(&[0; MANIFEST_BYTES_MAX + 1]), Err(ManifestError::Malformed));
}

#[test]
fn what_the_publisher_should_never_have_signed_is_refused_all_the_same() {
    let refused = |board: &[u8], version: &[u8], image_bytes: &[u8], hash: &[u8]| {
        let bytes = signed_payload(&payload(board, version, image_bytes, hash));
        assert_eq!(verify(&bytes), Err(ManifestError::Malformed), "{bytes:x?}");
    };
    let hash = hash();
    refused(b"\x60", NUMBERS, LENGTH, &hash);
    refused(b"\x61B", NUMBERS, LENGTH, &hash);
    refused(b"\x63a/b", NUMBERS, LENGTH, &hash);
    refused(&[&[0x78, 33][..], &[b'b'; 33]].concat(), NUMBERS, LENGTH, &hash);
    refused(BOARD, b"\x83\x01\x04\x1a\x00\x01\x00\x00", LENGTH, &hash);
    refused(BOARD, b"\x83\x01\x04\x18\x05", LENGTH, &hash);
    refused(BOARD, b"\x82\x01\x04", LENGTH, &hash);
    refused(BOARD, b"\x84\x01\x04\x00\x00", LENGTH, &hash);
    refused(BOARD, NUMBERS, b"\x00", &hash);
    refused(BOARD, NUMBERS, b"\x1b\x00\x00\x00\x01\x00\x00\x00\x00", &hash);
    refused(BOARD, NUMBERS, LENGTH, &[&[0x58, 31][..], &[7; 31]].concat());
    refused(BOARD, NUMBERS, LENGTH, &[&hash[..], &[0]].concat());
}

#[test]
fn nobody_but_the_publisher_signs_manifests() {
    let stranger = SigningKey::from_seed([4; 32]);
    let mut out = [0; MANIFEST_BYTES_MAX];
    let length = MANIFEST.sign(&stranger, &mut out).unwrap();
    assert_eq!(verify(&out[..length]), Err(ManifestError::Signature));
    // With the publisher's kid in its header, too.
    let kid = out.windows(8).position(|window| window == stranger.kid().as_bytes()).unwrap();
    out[kid..kid + 8].copy_from_slice(publisher().kid().as_bytes());
    assert_eq!(verify(&out[..length]), Err(ManifestError::Signature));
}

#[test]
fn a_manifest_is_no_instruction_and_an_instruction_no_manifest() {
    let image = payload(BOARD, NUMBERS, LENGTH, &hash());
    let mut out = [0; 1_024];
    // Of a network that is called as the manifests' place.
    let length = sign_instruction(&publisher(), "firmware", 0, &image, false, &mut out).unwrap();
    assert_eq!(verify(&out[..length]), Err(ManifestError::Signature));
    let length = sign_instruction(&publisher(), "firmware", 1, &image, false, &mut out).unwrap();
    assert_eq!(verify(&out[..length]), Err(ManifestError::Malformed));
    let length = sign_instruction(&publisher(), "firmware", 0, &image, true, &mut out).unwrap();
    assert_eq!(verify(&out[..length]), Err(ManifestError::Malformed));
    let instruction = SignedInstruction::decode(signed(&MANIFEST)).unwrap();
    assert!(instruction.verify(&publisher().public_key(), "firmware").is_err());
}

#[test]
fn what_makes_no_manifest_is_not_signed() {
    for manifest in [
        Manifest { board: "Nucleo", ..MANIFEST },
        Manifest { board: "", ..MANIFEST },
        Manifest { image_bytes: 0, ..MANIFEST },
    ] {
        let result = manifest.sign(&publisher(), &mut [0; MANIFEST_BYTES_MAX]);
        assert!(matches!(result, Err(SealError::Payload(_))), "{manifest:?}");
    }
    assert!(MANIFEST.sign(&publisher(), &mut [0; 64]).is_err());
}

#[test]
fn one_version_has_one_text() {
    for text in ["0.0.0", "1.4.300", "65535.65535.65535"] {
        assert_eq!(text.parse::<Version>().unwrap().to_string(), text);
    }
    for text in
        ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.65536", "1.2.+3", "1.2.", " 1.2.3", "v1.2.3", "1.2.-3"]
    {
        assert!(text.parse::<Version>().is_err(), "{text}");
    }
}

#[test]
fn topics_of_others_are_no_firmwares() {
    for text in ["lamppost/1/devnet/firmware/uno/manifest", "lamppost/1/devnet/firmware/uno/1.0.0/0"] {
        assert_eq!(FirmwareTopic::parse(text).unwrap().to_string(), text);
    }
    for text in [
        "lamppost/2/devnet/firmware/uno/manifest",
        "lamppost/1/devnet/dev/uno/manifest",
        "lamppost/1/devnet/firmware/Uno/manifest",
        "lamppost/1//firmware/uno/manifest",
        "lamppost/1/devnet/firmware/uno/1.0/0",
        "lamppost/1/devnet/firmware/uno/1.0.0/",
        "lamppost/1/devnet/firmware/uno/1.0.0/+1",
        "lamppost/1/devnet/firmware/uno/1.0.0/4294967296",
        "lamppost/1/devnet/firmware/uno/1.0.0/1/2",
    ] {
        assert_eq!(FirmwareTopic::parse(text), None, "{text}");
    }
}
