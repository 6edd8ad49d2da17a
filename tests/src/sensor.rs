//! A device in the test's hand: its key, its numbering, and envelopes that are right or wrong on purpose.

use devices::cbor::{Reader, Writer};
use devices::{Base, Decimal, Record, Sequence, SignedReading, SigningKey, Value, encode_pack, sign_reading};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The network every test runs on.
pub const NETWORK: &str = "devnet";
/// Longer than any envelope may be, so that the ones that are too long fit too.
const BUFFER_BYTES: usize = 2048;

/// A device that publishes one quantity.
#[derive(Debug)]
pub struct Sensor {
    key: SigningKey,
    /// Number of the running boot.
    pub boot: u32,
    /// Number of the last message of this boot.
    pub count: u32,
}

/// A signed reading and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// As published.
    pub bytes: Vec<u8>,
    /// Transaction id, lower-case hex.
    pub transaction: String,
    /// The device's number of it.
    pub sequence: Sequence,
}

impl Sensor {
    /// A device with this key, at its first boot.
    pub fn from_seed(seed: [u8; 32]) -> Sensor {
        Sensor { key: SigningKey::from_seed(seed), boot: 1, count: 0 }
    }

    /// A device that no other test of this process has.
    pub fn any() -> Sensor {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        Sensor::from_seed([NEXT.fetch_add(1, Ordering::Relaxed); 32])
    }

    /// Its public key, lower-case hex.
    pub fn public_key(&self) -> String {
        self.key.public_key().to_string()
    }

    /// Its kid, lower-case hex.
    pub fn kid(&self) -> String {
        self.key.kid().to_string()
    }

    /// The topic it publishes to, or (`ack`, `refused`) is told on.
    pub fn topic(&self, kind: &str) -> String {
        format!("lamppost/1/{NETWORK}/dev/{}/{kind}", self.kid())
    }

    /// The number of its next message.
    pub fn next_sequence(&mut self) -> Sequence {
        self.count += 1;
        Sequence { boot: self.boot, count: self.count }
    }

    /// The next reading, of now.
    pub fn reading(&mut self) -> Envelope {
        self.reading_at(unix_seconds())
    }

    /// The next reading, of this time.
    pub fn reading_at(&mut self, unix_seconds: u32) -> Envelope {
        let sequence = self.next_sequence();
        self.sign(NETWORK, sequence, &pack(Some(unix_seconds), i128::from(1200 + sequence.count % 100)))
    }

    /// The next reading, signed for another network than the one it is sent to.
    pub fn reading_for(&mut self, network: &str) -> Envelope {
        let sequence = self.next_sequence();
        self.sign(network, sequence, &pack(Some(unix_seconds()), 1200))
    }

    /// This pack, signed under this number.
    ///
    /// # Panics
    /// Where the pack is none.
    pub fn sign(&self, network: &str, sequence: Sequence, pack: &[u8]) -> Envelope {
        let mut buffer = [0; BUFFER_BYTES];
        let length =
            sign_reading(&self.key, network, sequence, pack, &mut buffer).expect("the pack can be signed");
        let bytes = buffer[..length].to_vec();
        let reading = SignedReading::decode(&bytes[..]).expect("what was signed can be read");
        let transaction = reading.transaction_id(network).to_string();
        Envelope { bytes, transaction, sequence }
    }

    /// The next number over a payload that is no pack, with a signature that holds: what a careless implementation
    /// of somebody else would send.
    ///
    /// # Panics
    /// Where the buffer is too short for the payload.
    pub fn signed_payload(&mut self, payload: &[u8]) -> Vec<u8> {
        let like = self.reading().bytes;
        let protected = protected_header(&like);
        let mut message = vec![0; payload.len() + BUFFER_BYTES];
        let length =
            devices::cose::sig_structure(protected, NETWORK, payload, &mut message).expect("it fits");
        let signature = self.key.sign(&message[..length]);
        envelope_of(protected, payload, &signature)
    }
}

/// A COSE_Sign1 of these parts, whatever they are.
///
/// # Panics
/// Never: there is room for what is handed in.
pub fn envelope_of(protected: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut envelope = vec![0; protected.len() + payload.len() + signature.len() + BUFFER_BYTES];
    let mut writer = Writer::new(&mut envelope);
    // RFC 9052 §4.2: tag 18, then protected header, unprotected header, payload, signature.
    let written = writer
        .tag(18)
        .and_then(|()| writer.array_header(4))
        .and_then(|()| writer.bytes(protected))
        .and_then(|()| writer.map_header(0))
        .and_then(|()| writer.bytes(payload))
        .and_then(|()| writer.bytes(signature));
    written.expect("it fits");
    let length = writer.position();
    envelope.truncate(length);
    envelope
}

/// The encoded protected header of an envelope.
fn protected_header(envelope: &[u8]) -> &[u8] {
    let mut reader = Reader::new(envelope);
    let read = reader.tag().and_then(|_| reader.array_header()).and_then(|_| reader.bytes());
    read.expect("an envelope opens with its protected header")
}

/// One record of fine dust in hundredths of a microgram, with or without a time.
///
/// # Panics
/// Never for a value that a sensor can have.
pub fn pack(unix_seconds: Option<u32>, hundredths: i128) -> Vec<u8> {
    let value = Decimal::new(hundredths, -2).expect("two decimals are exact");
    let base = Base { version: Some(26), name: Some("pm2.5"), time: unix_seconds, unit: Some("ug/m3") };
    let mut buffer = [0; BUFFER_BYTES];
    let length =
        encode_pack(&base, &[Record::of(Value::Number(value))], &mut buffer).expect("one record is a pack");
    buffer[..length].to_vec()
}

/// The machine's clock.
///
/// # Panics
/// Before 1970 and after 2106.
pub fn unix_seconds() -> u32 {
    u32::try_from(unix_milliseconds() / 1_000).expect("it is before 2106")
}

/// The machine's clock, finer.
///
/// # Panics
/// Before 1970.
pub fn unix_milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    u64::try_from(since.as_millis()).expect("milliseconds fit for ages")
}
