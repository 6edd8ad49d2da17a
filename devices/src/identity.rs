//! Who a device is: its Ed25519 key, the key's thumbprint, and the kid that names it.
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use ed25519_dalek::{Signer, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::hexadecimal;

/// Why bytes or text are not a key or an identifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// The bytes decode to no point, or not in the point's one encoding.
    #[error("the public key is not the canonical encoding of a point of the curve")]
    NotCanonical,
    /// The point has small order: anybody could sign for it.
    #[error("the public key is weak: it has small order")]
    Weak,
    /// The text is not the right number of lower-case hex digits.
    #[error("an identifier must be exactly {digits} lower-case hex digits")]
    Text {
        /// How many digits it should have.
        digits: usize,
    },
}

/// An Ed25519 public key: a canonical encoding, not of small order (so that ZIP-215 verdicts are about a person's key).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Checks and takes the 32 bytes of a public key.
    ///
    /// ```
    /// use devices::{KeyError, PublicKey, SigningKey};
    /// let key = SigningKey::from_seed([1; 32]).public_key();
    /// assert_eq!(PublicKey::from_bytes(*key.as_bytes()), Ok(key));
    /// let identity_point = { let mut bytes = [0; 32]; bytes[0] = 1; bytes };
    /// assert_eq!(PublicKey::from_bytes(identity_point), Err(KeyError::Weak));
    /// ```
    pub fn from_bytes(bytes: [u8; 32]) -> Result<PublicKey, KeyError> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NotCanonical)?;
        if key.to_edwards().compress().as_bytes() != &bytes {
            return Err(KeyError::NotCanonical);
        }
        if key.is_weak() { Err(KeyError::Weak) } else { Ok(PublicKey(bytes)) }
    }

    /// The 32 bytes of RFC 8032 §5.1.2.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The COSE Key Thumbprint: SHA-256 of the deterministic `{1: 1, -1: 6, -2: x}` (RFC 9679 §4).
    pub fn thumbprint(&self) -> Thumbprint {
        const PREFIX: [u8; 8] = [0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20];
        let mut encoded = [0; 40];
        encoded[..8].copy_from_slice(&PREFIX);
        encoded[8..].copy_from_slice(&self.0);
        Thumbprint(Sha256::digest(encoded).into())
    }

    /// The key's name in headers and topics: the thumbprint's first eight bytes.
    pub fn kid(&self) -> DeviceId {
        self.thumbprint().kid()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal::write(&self.0, out)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        PublicKey::from_bytes(hexadecimal::parse(text).ok_or(KeyError::Text { digits: 64 })?)
    }
}

/// A key's 32-byte COSE Key Thumbprint (RFC 9679, SHA-256).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint(pub [u8; 32]);

impl Thumbprint {
    /// The thumbprint's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight bytes: the kid.
    pub fn kid(&self) -> DeviceId {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        DeviceId([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal::write(&self.0, out)
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Thumbprint({self})")
    }
}

/// A kid: the first eight bytes of a key's thumbprint, 16 lower-case hex digits in text.
///
/// ```
/// let kid: devices::DeviceId = "be5de2f4bcdc383a".parse()?;
/// assert_eq!(kid.to_string(), "be5de2f4bcdc383a");
/// # Ok::<(), devices::KeyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceId(pub [u8; 8]);

/// The order of the bytes, compared as one number: a registry looks a device up for every envelope.
impl Ord for DeviceId {
    fn cmp(&self, other: &DeviceId) -> Ordering {
        u64::from_be_bytes(self.0).cmp(&u64::from_be_bytes(other.0))
    }
}

impl PartialOrd for DeviceId {
    fn partial_cmp(&self, other: &DeviceId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl DeviceId {
    /// The kid's bytes as they stand in the header.
    pub fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal::write(&self.0, out)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "DeviceId({self})")
    }
}

impl FromStr for DeviceId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        hexadecimal::parse(text).map(DeviceId).ok_or(KeyError::Text { digits: 16 })
    }
}

/// An Ed25519 signing key, made from its 32-byte seed (RFC 8032 §5.1.5). Never printed.
#[derive(Clone)]
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    kid: DeviceId,
}

impl SigningKey {
    /// The key of a seed. The seed is the secret: 32 bytes from a good source of randomness.
    // Called from several places of a firmware, where a copy for each would be dear.
    #[inline(never)]
    pub fn from_seed(seed: [u8; 32]) -> SigningKey {
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        let kid = PublicKey(key.verifying_key().to_bytes()).kid();
        SigningKey { key, kid }
    }

    /// The seed, to provision a device or to write a key file with.
    pub fn to_seed(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.key.verifying_key().to_bytes())
    }

    /// The public half's kid, computed once.
    pub fn kid(&self) -> DeviceId {
        self.kid
    }

    /// The Ed25519 signature over `message` (RFC 8032 §5.1.6).
    #[inline(never)]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SigningKey({})", self.public_key())
    }
}
