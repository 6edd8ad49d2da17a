//! COSE_Sign1 (RFC 9052 §4.2) as Lamppost uses it: the one place that makes the bytes a signature covers.
use core::fmt;
use core::str::FromStr;

use sha2::{Digest, Sha256};

use crate::cbor::{self, DecodeError, EncodeError, Reader, Writer};
use crate::hexadecimal;
use crate::identity::{DeviceId, KeyError, PublicKey, SigningKey};
use crate::limits::{
    ENVELOPE_BYTES_MAX, NETWORK_BYTES_MAX, READING_SIG_STRUCTURE_BYTES_MAX, SIGNATURE_BYTES,
};
use crate::senml::{Pack, PackError};
use crate::sequence::Sequence;
use crate::unsigned_instruction::UnsignedInstruction;

const TAG_COSE_SIGN1: u64 = 18;
/// EdDSA, as devices emit it (RFC 9053 §2.2).
pub(crate) const ALGORITHM_EDDSA: i128 = -8;
/// Ed25519, fully specified (RFC 9864 §2.2); accepted.
const ALGORITHM_ED25519: i128 = -19;
const AAD_PREFIX: &str = "lamppost/1/";
const CONTEXT: &str = "Signature1";

/// Why an envelope or an instruction cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    /// The output is too small.
    #[error("the envelope cannot be written: {0}")]
    Encode(#[from] EncodeError),
    /// The payload of a reading is not a pack.
    #[error("the payload is not a pack: {0}")]
    Pack(#[from] PackError),
    /// The payload of an instruction is not one deterministic item.
    #[error("the payload is not deterministic CBOR: {0}")]
    Payload(DecodeError),
    /// The result would be longer than receivers accept.
    #[error("the envelope would be longer than receivers accept")]
    TooLong,
    /// The network id is not 1 to 32 lower-case letters, digits and hyphens.
    #[error("a network id is 1 to 32 lower-case letters, digits and hyphens")]
    Network,
}

/// What a payload is, as header parameter 3 says (CoAP content formats).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContentType {
    /// 112, `application/senml+cbor`: a reading.
    SenmlCbor,
    /// 60, `application/cbor`: an instruction.
    Cbor,
}

impl ContentType {
    /// The registered number.
    pub const fn number(self) -> u64 {
        match self {
            ContentType::SenmlCbor => 112,
            ContentType::Cbor => 60,
        }
    }
}

/// A transaction's id: SHA-256 of its Sig_structure; 64 lower-case hex digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub [u8; 32]);

impl TransactionId {
    /// The hash's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal::write(&self.0, out)
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TransactionId({self})")
    }
}

impl FromStr for TransactionId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        hexadecimal::parse(text).map(TransactionId).ok_or(KeyError::Text { digits: 64 })
    }
}

/// Whether `network` can name a network: 1 to 32 lower-case letters, digits and hyphens, so that it fits into topics.
pub fn network_is_valid(network: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=NETWORK_BYTES_MAX).contains(&network.len()) && network.bytes().all(allowed)
}

/// Hands the Sig_structure `["Signature1", protected, external_aad, payload]` on, piece by piece (RFC 9052 §4.4). The
/// external_aad is `lamppost/1/{network}`; a signature that is no transaction's adds its purpose.
fn for_each_piece(
    purpose: &str,
    protected: &[u8],
    network: &str,
    payload: &[u8],
    mut piece: impl FnMut(&[u8]),
) {
    let head = |major, argument: usize, piece: &mut dyn FnMut(&[u8])| {
        let (bytes, length) = cbor::head(major, argument as u64);
        piece(&bytes[..length]);
    };
    head(4, 4, &mut piece);
    head(3, CONTEXT.len(), &mut piece);
    piece(CONTEXT.as_bytes());
    head(2, protected.len(), &mut piece);
    piece(protected);
    head(2, AAD_PREFIX.len() + network.len() + purpose.len(), &mut piece);
    piece(AAD_PREFIX.as_bytes());
    piece(network.as_bytes());
    piece(purpose.as_bytes());
    head(2, payload.len(), &mut piece);
    piece(payload);
}

/// Writes the bytes that the signature covers into `out` and returns their length.
pub fn sig_structure(
    protected: &[u8],
    network: &str,
    payload: &[u8],
    out: &mut [u8],
) -> Result<usize, EncodeError> {
    sig_structure_for("", protected, network, payload, out)
}

/// The same for a signature whose external_aad ends with a purpose.
pub(crate) fn sig_structure_for(
    purpose: &str,
    protected: &[u8],
    network: &str,
    payload: &[u8],
    out: &mut [u8],
) -> Result<usize, EncodeError> {
    let mut writer = Writer::new(out);
    let mut result = Ok(());
    let write = |piece: &[u8]| result = result.and_then(|()| writer.raw(piece));
    for_each_piece(purpose, protected, network, payload, write);
    result.map(|()| writer.position())
}

/// The transaction id: SHA-256 over the Sig_structure, which is streamed and never assembled.
pub fn transaction_id(protected: &[u8], network: &str, payload: &[u8]) -> TransactionId {
    let mut hash = Sha256::new();
    for_each_piece("", protected, network, payload, |piece| hash.update(piece));
    TransactionId(hash.finalize().into())
}

/// Signs a pack as the reading `sequence` of the device `key` and writes the envelope into `out`; returns its length.
pub fn sign_reading(
    key: &SigningKey,
    network: &str,
    sequence: Sequence,
    pack: &[u8],
    out: &mut [u8],
) -> Result<usize, SealError> {
    Pack::decode(pack)?;
    let mut scratch = [0; READING_SIG_STRUCTURE_BYTES_MAX];
    let header =
        Header { content_type: ContentType::SenmlCbor, kid: key.kid(), cti: sequence.to_cti(), key: None };
    let length = seal_with(key, "", network, &header, pack, &mut scratch, out)?;
    if length > ENVELOPE_BYTES_MAX { Err(SealError::TooLong) } else { Ok(length) }
}

/// Signs an account's instruction; `counter` is the account's own, strictly increasing. An account's first instruction
/// carries the key (`with_key`), because a ledger knows accounts by their thumbprints. Returns the length.
pub fn sign_instruction(
    key: &SigningKey,
    network: &str,
    counter: u64,
    payload: &[u8],
    with_key: bool,
    out: &mut [u8],
) -> Result<usize, SealError> {
    let asked = UnsignedInstruction { key: key.public_key(), counter, payload, carries_key: with_key };
    asked.seal(network, out, |message| key.sign(message))
}

/// Writes the COSE_Sign1 of `payload` by `key` into `out` and returns its length.
pub(crate) fn seal_with(
    key: &SigningKey,
    purpose: &str,
    network: &str,
    header: &Header,
    payload: &[u8],
    scratch: &mut [u8],
    out: &mut [u8],
) -> Result<usize, SealError> {
    seal(purpose, network, header, payload, scratch, out, |message| key.sign(message))
}

/// Writes the COSE_Sign1 of `payload` into `out` and returns its length; `sign` gets what the signature covers, because the
/// key may lie where this code does not reach it.
pub(crate) fn seal(
    purpose: &str,
    network: &str,
    header: &Header,
    payload: &[u8],
    scratch: &mut [u8],
    out: &mut [u8],
    sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE_BYTES],
) -> Result<usize, SealError> {
    if !network_is_valid(network) {
        return Err(SealError::Network);
    }
    let mut protected = [0; 96];
    let protected_bytes = header.encode(&mut protected)?;
    let protected = &protected[..protected_bytes];
    let message_bytes = sig_structure_for(purpose, protected, network, payload, scratch)?;
    let mut writer = Writer::new(out);
    writer.tag(TAG_COSE_SIGN1)?;
    writer.array_header(4)?;
    writer.bytes(protected)?;
    writer.map_header(0)?;
    writer.bytes(payload)?;
    writer.bytes(&sign(&scratch[..message_bytes]))?;
    Ok(writer.position())
}

/// Writes what [`seal`] asks a key to sign into `out` and returns its length; what it seals meanwhile is thrown away.
pub(crate) fn message_of(
    out: &mut [u8],
    seal: impl FnOnce(&mut dyn FnMut(&[u8]) -> [u8; SIGNATURE_BYTES]) -> Result<usize, SealError>,
) -> Result<usize, SealError> {
    let (mut length, mut fits) = (0, true);
    seal(&mut |message| {
        length = message.len();
        match out.get_mut(..length) {
            Some(place) => place.copy_from_slice(message),
            None => fits = false,
        }
        [0; SIGNATURE_BYTES]
    })?;
    if fits { Ok(length) } else { Err(EncodeError::OutOfSpace.into()) }
}

/// The protected header, as far as it varies.
pub(crate) struct Header {
    pub(crate) content_type: ContentType,
    pub(crate) kid: DeviceId,
    pub(crate) cti: [u8; 8],
    /// The claim `cnf` with a COSE_Key (RFC 8747 §3.2).
    pub(crate) key: Option<PublicKey>,
}

impl Header {
    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let mut writer = Writer::new(out);
        writer.map_header(4)?;
        writer.unsigned(1)?;
        writer.integer(ALGORITHM_EDDSA)?;
        writer.unsigned(3)?;
        writer.unsigned(self.content_type.number())?;
        writer.unsigned(4)?;
        writer.bytes(self.kid.as_bytes())?;
        writer.unsigned(15)?;
        writer.map_header(1 + usize::from(self.key.is_some()))?;
        writer.unsigned(7)?;
        writer.bytes(&self.cti)?;
        if let Some(key) = &self.key {
            writer.unsigned(8)?;
            writer.map_header(1)?;
            writer.unsigned(1)?;
            encode_cose_key(&mut writer, key)?;
        }
        Ok(writer.position())
    }

    #[inline(never)]
    fn decode(bytes: &[u8], content_type: ContentType) -> Result<Header, DecodeError> {
        let mut reader = Reader::new(bytes);
        expect(reader.map_header()? == 4)?;
        expect(reader.unsigned()? == 1)?;
        expect(matches!(reader.integer()?, ALGORITHM_EDDSA | ALGORITHM_ED25519))?;
        expect(reader.unsigned()? == 3)?;
        expect(reader.unsigned()? == content_type.number())?;
        expect(reader.unsigned()? == 4)?;
        let kid = DeviceId(*reader.byte_array()?);
        expect(reader.unsigned()? == 15)?;
        let claims = reader.map_header()?;
        expect(reader.unsigned()? == 7)?;
        let cti = *reader.byte_array()?;
        let key = match (claims, content_type) {
            (1, _) => None,
            (2, ContentType::Cbor) => {
                expect(reader.unsigned()? == 8)?;
                expect(reader.map_header()? == 1 && reader.unsigned()? == 1)?;
                Some(decode_cose_key(&mut reader)?)
            }
            _ => return Err(DecodeError::Unexpected),
        };
        reader.end()?;
        // A key that is not the one the kid names proves nothing about the account.
        expect(key.is_none_or(|key: PublicKey| key.kid() == kid))?;
        Ok(Header { content_type, kid, cti, key })
    }
}

/// A COSE_Key of kty OKP (1), crv Ed25519 (6), x (RFC 9053 §7.2).
fn encode_cose_key(writer: &mut Writer<'_>, key: &PublicKey) -> Result<(), EncodeError> {
    writer.map_header(3)?;
    writer.unsigned(1)?;
    writer.unsigned(1)?;
    writer.integer(-1)?;
    writer.unsigned(6)?;
    writer.integer(-2)?;
    writer.bytes(key.as_bytes())
}

fn decode_cose_key(reader: &mut Reader<'_>) -> Result<PublicKey, DecodeError> {
    expect(reader.map_header()? == 3)?;
    expect(reader.unsigned()? == 1 && reader.unsigned()? == 1)?;
    expect(reader.integer()? == -1 && reader.unsigned()? == 6)?;
    expect(reader.integer()? == -2)?;
    PublicKey::from_bytes(*reader.byte_array()?).map_err(|_| DecodeError::OutOfRange)
}

fn expect(holds: bool) -> Result<(), DecodeError> {
    if holds { Ok(()) } else { Err(DecodeError::Unexpected) }
}

/// A decoded COSE_Sign1, borrowed from its bytes.
pub(crate) struct Sign1<'a> {
    pub(crate) header: Header,
    pub(crate) protected: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl<'a> Sign1<'a> {
    /// Takes apart `bytes`, in which every byte has its place.
    pub(crate) fn decode(bytes: &'a [u8], content_type: ContentType) -> Result<Sign1<'a>, DecodeError> {
        let mut reader = Reader::new(bytes);
        expect(reader.tag()? == TAG_COSE_SIGN1)?;
        expect(reader.array_header()? == 4)?;
        let protected = reader.bytes()?;
        let header = Header::decode(protected, content_type)?;
        expect(reader.map_header()? == 0)?;
        let payload = reader.bytes()?;
        let _signature: &[u8; SIGNATURE_BYTES] = reader.byte_array()?;
        reader.end()?;
        Ok(Sign1 { header, protected, payload })
    }
}
