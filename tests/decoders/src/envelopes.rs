//! What devices and accounts send, and what the gateway answers: one value, one encoding.

use crate::example::{NETWORK, example, key, pack as example_pack};
use devices::cbor::{Kind, Reader, Writer};
use devices::limits::{ENVELOPE_BYTES_MAX, MANIFEST_BYTES_MAX, PACK_BYTES_MAX, TOPIC_BYTES_MAX};
use devices::manifest::Version;
use devices::{
    Ack, DeviceId, IdentityPage, Manifest, Pack, Record, Refusal, RefusedNotice, Sequence, SignedInstruction,
    SignedReading, SigningKey, Topic, TopicKind, encode_pack,
};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// EdDSA (RFC 9053 §2.2) and Ed25519 (RFC 9864 §2.2): what an envelope may name.
const ALGORITHMS: [i128; 2] = [-8, -19];

pub(crate) fn envelope(bytes: &[u8]) {
    let Ok(reading) = SignedReading::decode(bytes) else { return };
    assert_eq!(reading.envelope(), bytes);
    assert!(bytes.len() <= ENVELOPE_BYTES_MAX);
    let payload = reading.pack().bytes().to_vec();
    pack_is_its_only_encoding(&payload);
    let (kid, cti, signature) = (reading.kid(), reading.sequence().to_cti(), *reading.signature());
    let again = ALGORITHMS.map(|algorithm| sign1(algorithm, 112, kid, cti, None, &payload, &signature));
    assert!(again.iter().any(|again| again == bytes), "an envelope has one encoding");
    // Whatever was altered: the signature holds for what the device signed and for nothing else.
    for device in [1, 2, 5] {
        if reading.kid() == key(device).kid() {
            let holds = reading.clone().verify(&key(device).public_key(), NETWORK).is_ok();
            assert!(!holds || signed_ones().contains(bytes), "a signature holds for an altered envelope");
        }
    }
}

/// Every envelope and instruction that anybody in the example has signed.
fn signed_ones() -> &'static BTreeSet<Vec<u8>> {
    static SIGNED: OnceLock<BTreeSet<Vec<u8>>> = OnceLock::new();
    SIGNED.get_or_init(|| example().blocks.iter().flat_map(|block| block.entries.clone()).collect())
}

pub(crate) fn envelopes() -> Vec<Vec<u8>> {
    signed_ones().iter().filter(|bytes| SignedReading::decode(&bytes[..]).is_ok()).cloned().collect()
}

pub(crate) fn instruction(bytes: &[u8]) {
    let Ok(signed) = SignedInstruction::decode(bytes) else { return };
    assert_eq!(signed.envelope(), bytes);
    assert!(SignedReading::decode(bytes).is_err(), "an instruction is no reading");
    let mut payload = Reader::new(signed.payload());
    assert!(payload.item().and_then(|_| payload.end()).is_ok(), "its payload is one item");
    if let Some(key) = signed.key() {
        assert_eq!(key.kid(), signed.kid());
    }
    let (kid, cti, signature) = (signed.kid(), signed.counter().to_be_bytes(), *signed.signature());
    let public_key = signed.key().map(|key| *key.as_bytes());
    let again =
        ALGORITHMS.map(|algorithm| sign1(algorithm, 60, kid, cti, public_key, signed.payload(), &signature));
    assert!(again.iter().any(|again| again == bytes), "an instruction has one encoding");
    if let Some(key) = signed.key().copied() {
        let holds = signed.verify(&key, NETWORK).is_ok();
        assert!(!holds || signed_ones().contains(bytes), "a signature holds for an altered instruction");
    }
}

pub(crate) fn instructions() -> Vec<Vec<u8>> {
    signed_ones().iter().filter(|bytes| SignedInstruction::decode(&bytes[..]).is_ok()).cloned().collect()
}

/// A COSE_Sign1 as RFC 9052 §4.2 has it, written from its parts by other code than the one under test.
fn sign1(
    algorithm: i128,
    content_type: u64,
    kid: DeviceId,
    cti: [u8; 8],
    key: Option<[u8; 32]>,
    payload: &[u8],
    signature: &[u8],
) -> Vec<u8> {
    let mut protected = vec![0xa4, 0x01];
    protected.extend(written(|writer| writer.integer(algorithm)));
    protected.push(0x03);
    protected.extend(written(|writer| writer.unsigned(content_type)));
    protected.push(0x04);
    protected.extend(written(|writer| writer.bytes(kid.as_bytes())));
    protected.extend([0x0f, if key.is_some() { 0xa2 } else { 0xa1 }, 0x07]);
    protected.extend(written(|writer| writer.bytes(&cti)));
    if let Some(key) = key {
        // cnf (8): {COSE_Key (1): {kty: OKP, crv: Ed25519, x}}.
        protected.extend([0x08, 0xa1, 0x01, 0xa3, 0x01, 0x01, 0x20, 0x06, 0x21]);
        protected.extend(written(|writer| writer.bytes(&key)));
    }
    let mut bytes = vec![0xd2, 0x84];
    bytes.extend(written(|writer| writer.bytes(&protected)));
    bytes.push(0xa0);
    bytes.extend(written(|writer| writer.bytes(payload)));
    bytes.extend(written(|writer| writer.bytes(signature)));
    bytes
}

fn written(write: impl FnOnce(&mut Writer<'_>) -> Result<(), devices::cbor::EncodeError>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Writer::appending(&mut bytes)).expect("a vector takes everything");
    bytes
}

pub(crate) fn pack(bytes: &[u8]) {
    if Pack::decode(bytes).is_ok() {
        pack_is_its_only_encoding(bytes);
    }
}

fn pack_is_its_only_encoding(bytes: &[u8]) {
    let pack = Pack::decode(bytes).expect("it was decoded before");
    let records: Vec<Record<'_>> = pack.records().collect();
    assert_eq!(records.len(), pack.record_count());
    assert_eq!(pack.resolved().count(), pack.record_count());
    for record in pack.resolved() {
        let name = [record.base_name, record.name].concat();
        assert!(record.name_is(&name));
    }
    let mut out = vec![0; PACK_BYTES_MAX.max(bytes.len())];
    let length = encode_pack(&pack.base(), &records, &mut out).expect("what was decoded can be encoded");
    assert_eq!(&out[..length], bytes, "a pack has one encoding");
}

pub(crate) fn packs() -> Vec<Vec<u8>> {
    (0..6).map(|count| example_pack(count, 1 + 7 * u8::try_from(count).unwrap_or(0))).collect()
}

pub(crate) fn cbor(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Ok(item) = reader.item() else { return };
    assert_eq!(item, &bytes[..reader.position()]);
    let mut again = Vec::new();
    write_again(&mut Reader::new(item), &mut Writer::appending(&mut again));
    assert_eq!(again, item, "an item has one encoding");
}

/// Writes what is read, item by item: RFC 8949 §4.2.1 leaves no choice in how.
fn write_again(reader: &mut Reader<'_>, writer: &mut Writer<'_>) {
    let result = match reader.kind().expect("the item was read before") {
        Kind::Unsigned => writer.unsigned(reader.unsigned().expect("unsigned")),
        Kind::Negative => writer.integer(reader.integer().expect("negative")),
        Kind::Bytes => writer.bytes(reader.bytes().expect("bytes")),
        Kind::Text => writer.text(reader.text().expect("text")),
        Kind::Boolean => writer.boolean(reader.boolean().expect("boolean")),
        Kind::Null => {
            reader.null().expect("null");
            writer.null()
        }
        Kind::Tag => {
            let written = writer.tag(reader.tag().expect("tag"));
            write_again(reader, writer);
            written
        }
        Kind::Array => {
            let items = reader.array_header().expect("array");
            let written = writer.array_header(items);
            (0..items).for_each(|_| write_again(reader, writer));
            written
        }
        Kind::Map => {
            let pairs = reader.map_header().expect("map");
            let written = writer.map_header(pairs);
            (0..2 * pairs).for_each(|_| write_again(reader, writer));
            written
        }
    };
    result.expect("a vector takes everything");
}

pub(crate) fn items() -> Vec<Vec<u8>> {
    let mut items = packs();
    items.extend(signed_ones().iter().cloned());
    items.extend(crate::entries::results());
    items
}

pub(crate) fn notice(bytes: &[u8]) {
    let mut out = [0; 64];
    if let Ok(ack) = Ack::decode(bytes) {
        let length = ack.encode(&mut out).expect("an ack is short");
        assert_eq!(&out[..length], bytes);
        assert_eq!(ack.settles(ack.highest), ack.window & 1 == 1, "bit 0 is the highest one's");
    }
    if let Ok(notice) = RefusedNotice::decode(bytes) {
        let length = notice.encode(&mut out).expect("a notice is short");
        assert_eq!(&out[..length], bytes);
    }
}

pub(crate) fn notices() -> Vec<Vec<u8>> {
    let mut out = [0; 64];
    let mut notices = Vec::new();
    for count in [0, 23, 24, 65_536, u32::MAX] {
        let sequence = Sequence { boot: count / 2, count };
        let ack = Ack { highest: sequence, window: u64::from(count) | 1, log_size: u64::from(count) << 9 };
        let length = ack.encode(&mut out).expect("an ack is short");
        notices.push(out[..length].to_vec());
        let notice = RefusedNotice { sequence, reason: Refusal::TooOld };
        let length = notice.encode(&mut out).expect("a notice is short");
        notices.push(out[..length].to_vec());
    }
    notices
}

pub(crate) fn identity_page(bytes: &[u8]) {
    if let Ok(page) = IdentityPage::decode(bytes) {
        assert_eq!(IdentityPage::decode(&page.encode()).as_ref(), Ok(&page), "what is read can be written");
        if bytes[8] == 2 {
            assert_eq!(page.encode()[..], bytes[..page.encode().len()], "a page has one encoding");
        }
        assert!(devices::cose::network_is_valid(page.network()));
    }
}

pub(crate) fn identity_pages() -> Vec<Vec<u8>> {
    let page = |broker: Option<&str>| {
        let broker = broker.map(|broker| broker.parse().expect("an address"));
        IdentityPage::new(NETWORK, [7; 32], broker).expect("a valid network").encode().to_vec()
    };
    let whole = IdentityPage::new(NETWORK, [7; 32], None).expect("a valid network").with_owner([8; 32]);
    let whole = whole.with_rotation_root([9; 32]).with_publisher([10; 32]);
    let whole = whole.with_time_server("10.0.2.2:123".parse().expect("an address"));
    vec![page(None), page(Some("10.0.2.2:1883")), whole.encode().to_vec()]
}

pub(crate) fn manifest(bytes: &[u8]) {
    let publisher = SigningKey::from_seed([10; 32]);
    if let Ok((kid, manifest)) = Manifest::claimed(bytes) {
        let mut out = [0; MANIFEST_BYTES_MAX];
        manifest.sign(&publisher, &mut out).expect("what decodes can be signed");
        if let Ok(verified) = Manifest::verify(bytes, &publisher.public_key()) {
            assert_eq!((verified, kid), (manifest, publisher.kid()), "what is verified is what is claimed");
        }
    }
}

pub(crate) fn manifests() -> Vec<Vec<u8>> {
    let publisher = SigningKey::from_seed([10; 32]);
    let signed = |board, image_bytes| {
        let version = Version { major: 1, minor: 400, patch: 0 };
        let manifest = Manifest { board, version, image_bytes, image_hash: [3; 32] };
        let mut out = [0; MANIFEST_BYTES_MAX];
        let length = manifest.sign(&publisher, &mut out).expect("a manifest");
        out[..length].to_vec()
    };
    vec![signed("b", 1), signed("nucleo-f429zi", 200_000)]
}

pub(crate) fn topic(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(topic) = Topic::parse(text) {
        let mut out = [0; TOPIC_BYTES_MAX];
        assert_eq!(topic.write(&mut out), Some(text));
    }
}

pub(crate) fn topics() -> Vec<Vec<u8>> {
    let topic = |kind| Topic { network: NETWORK, kid: key(1).kid(), kind }.to_string().into_bytes();
    TopicKind::ALL.map(topic).to_vec()
}
