//! The manifest of a firmware image: what the firmware's publisher signs, and all that a board believes of an update.
//!
//! It is a COSE_Sign1 whose external_aad is `lamppost/1/firmware/manifest`. No transaction's ends with a purpose, and no
//! network can be called `firmware/manifest`, so the publisher's key signs nothing that a ledger would take, nor the other
//! way round. The payload is `[board, [major, minor, patch], image bytes, SHA-256 of the image]`.
use core::fmt;
use core::str::FromStr;

use crate::cbor::{DecodeError, Reader, Writer};
use crate::cose::{self, ContentType, Header, SealError, Sign1};
use crate::identity::{DeviceId, PublicKey, SigningKey};
use crate::limits::{
    BOARD_BYTES_MAX, MANIFEST_BYTES_MAX, MANIFEST_PAYLOAD_BYTES_MAX, MANIFEST_SIG_STRUCTURE_BYTES_MAX,
};
use crate::signature;

/// Where a network's id stands in a transaction's external_aad.
const SPACE: &str = "firmware";
/// The end of the external_aad.
const PURPOSE: &str = "/manifest";
/// An instruction counts here; a manifest is told from an older one by its version.
const NO_COUNTER: [u8; 8] = [0; 8];

/// A firmware's version. Later ones compare greater.
///
/// ```
/// use devices::manifest::Version;
/// let version: Version = "1.10.2".parse()?;
/// assert!(version > "1.9.40".parse()?);
/// assert_eq!(version.to_string(), "1.10.2");
/// assert!("1.02.3".parse::<Version>().is_err(), "one version has one text");
/// # Ok::<(), devices::manifest::VersionError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version {
    /// Counted up when what boards store or say changes.
    pub major: u16,
    /// Counted up for what is new.
    pub minor: u16,
    /// Counted up for what is mended.
    pub patch: u16,
}

/// A text is no version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a version is three numbers up to 65535 without leading zeros: 1.4.0")]
pub struct VersionError;

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Version, VersionError> {
        let mut numbers = text.split('.').map(|digits| {
            let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            let is_shortest = digits == "0" || !digits.starts_with('0');
            if is_plain && is_shortest { digits.parse().map_err(|_| VersionError) } else { Err(VersionError) }
        });
        let mut next = || numbers.next().unwrap_or(Err(VersionError));
        let version = Version { major: next()?, minor: next()?, patch: next()? };
        if numbers.next().is_some() { Err(VersionError) } else { Ok(version) }
    }
}

/// Whether `board` can name a board: 1 to 32 lower-case letters, digits and hyphens, so that it fits into topics.
pub fn board_is_valid(board: &str) -> bool {
    // The same letters and the same length as a network's id, which stands in topics too.
    cose::network_is_valid(board)
}

/// Why bytes are not a manifest of the publisher.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not the one encoding of a manifest, or longer than one can be.
    #[error("the bytes are no manifest of a firmware image")]
    Malformed,
    /// Somebody else signed it, or it was altered.
    #[error("the manifest is not signed by the firmware's publisher")]
    Signature,
}

/// What the publisher says about an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manifest<'a> {
    /// The board that it runs on. [`board_is_valid`].
    pub board: &'a str,
    /// Its version.
    pub version: Version,
    /// Its length in bytes, from 1.
    pub image_bytes: u32,
    /// SHA-256 of the image.
    pub image_hash: [u8; 32],
}

impl<'a> Manifest<'a> {
    /// Signs with the publisher's key and writes the COSE_Sign1 into `out`; returns its length.
    ///
    /// ```
    /// use devices::{Manifest, ManifestError, SigningKey, limits::MANIFEST_BYTES_MAX, manifest::Version};
    /// let publisher = SigningKey::from_seed([1; 32]);
    /// let version = Version { major: 1, minor: 4, patch: 0 };
    /// let manifest = Manifest { board: "nucleo-f429zi", version, image_bytes: 150_000, image_hash: [2; 32] };
    /// let mut out = [0; MANIFEST_BYTES_MAX];
    /// let length = manifest.sign(&publisher, &mut out)?;
    /// assert_eq!(Manifest::verify(&out[..length], &publisher.public_key()), Ok(manifest));
    /// let stranger = SigningKey::from_seed([3; 32]).public_key();
    /// assert_eq!(Manifest::verify(&out[..length], &stranger), Err(ManifestError::Signature));
    /// # Ok::<(), devices::SealError>(())
    /// ```
    ///
    /// # Errors
    /// When the board's name is none or the image is empty ([`SealError::Payload`]), or `out` is too small.
    pub fn sign(&self, publisher: &SigningKey, out: &mut [u8]) -> Result<usize, SealError> {
        if !board_is_valid(self.board) || self.image_bytes == 0 {
            return Err(SealError::Payload(DecodeError::OutOfRange));
        }
        let mut payload = [0; MANIFEST_PAYLOAD_BYTES_MAX];
        let mut writer = Writer::new(&mut payload);
        writer.array_header(4)?;
        writer.text(self.board)?;
        writer.array_header(3)?;
        for number in [self.version.major, self.version.minor, self.version.patch] {
            writer.unsigned(number.into())?;
        }
        writer.unsigned(self.image_bytes.into())?;
        writer.bytes(&self.image_hash)?;
        let length = writer.position();
        let header =
            Header { content_type: ContentType::Cbor, kid: publisher.kid(), cti: NO_COUNTER, key: None };
        let mut scratch = [0; MANIFEST_SIG_STRUCTURE_BYTES_MAX];
        let sign = |message: &[u8]| publisher.sign(message);
        cose::seal(PURPOSE, SPACE, &header, &payload[..length], &mut scratch, out, sign)
    }

    /// Takes the COSE_Sign1 apart and checks its signature under the publisher's key, by ZIP-215's rules.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn verify(bytes: &'a [u8], publisher: &PublicKey) -> Result<Manifest<'a>, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::Malformed);
        }
        let sign1 = Sign1::decode(bytes, ContentType::Cbor).map_err(|_| ManifestError::Malformed)?;
        let manifest = Manifest::decode(sign1.payload).map_err(|_| ManifestError::Malformed)?;
        if sign1.header.cti != NO_COUNTER || sign1.header.key.is_some() {
            return Err(ManifestError::Malformed);
        }
        if sign1.header.kid != publisher.kid() {
            return Err(ManifestError::Signature);
        }
        let signature = bytes.last_chunk().ok_or(ManifestError::Malformed)?;
        let mut scratch = [0; MANIFEST_SIG_STRUCTURE_BYTES_MAX];
        let length = cose::sig_structure_for(PURPOSE, sign1.protected, SPACE, sign1.payload, &mut scratch)
            .map_err(|_| ManifestError::Malformed)?;
        if signature::holds(publisher, &scratch[..length], signature) {
            Ok(manifest)
        } else {
            Err(ManifestError::Signature)
        }
    }

    /// What a manifest says, and the kid of the key that it names. Nobody has looked at its signature: this is for tools
    /// that carry manifests, not for whoever installs what they describe.
    ///
    /// # Errors
    /// [`ManifestError::Malformed`].
    pub fn claimed(bytes: &'a [u8]) -> Result<(DeviceId, Manifest<'a>), ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::Malformed);
        }
        let sign1 = Sign1::decode(bytes, ContentType::Cbor).map_err(|_| ManifestError::Malformed)?;
        let manifest = Manifest::decode(sign1.payload).map_err(|_| ManifestError::Malformed)?;
        Ok((sign1.header.kid, manifest))
    }

    fn decode(payload: &'a [u8]) -> Result<Manifest<'a>, DecodeError> {
        let expect = |holds: bool| if holds { Ok(()) } else { Err(DecodeError::Unexpected) };
        let mut reader = Reader::new(payload);
        expect(reader.array_header()? == 4)?;
        let board = reader.text()?;
        expect(reader.array_header()? == 3)?;
        let mut number = || u16::try_from(reader.unsigned()?).map_err(|_| DecodeError::OutOfRange);
        let version = Version { major: number()?, minor: number()?, patch: number()? };
        let image_bytes = reader.unsigned_32()?;
        let image_hash = *reader.byte_array()?;
        reader.end()?;
        if !board_is_valid(board) || image_bytes == 0 {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Manifest { board, version, image_bytes, image_hash })
    }
}

const _: () = assert!(BOARD_BYTES_MAX == crate::limits::NETWORK_BYTES_MAX, "one rule judges both names");
