//! The verdict on a signature, by ZIP-215's rules: the same alone, in any batch and on every machine.
use crate::cose::{self, Sign1, TransactionId};
use crate::identity::{DeviceId, PublicKey};
use crate::limits::SIGNATURE_BYTES;
use crate::zip215::DecompressedKey;

/// Where the parts of a COSE_Sign1 lie in its bytes; the signature is what stands last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    protected: (u16, u16),
    payload: (u16, u16),
}

impl Sign1<'_> {
    /// The places of the parts in `bytes`, which this was decoded from.
    pub(crate) fn layout(&self, bytes: &[u8]) -> Layout {
        let place = |part: &[u8]| {
            let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
            // Both fit: no transaction is longer than u16::MAX (see `limits`).
            (start as u16, (start + part.len()) as u16)
        };
        Layout { protected: place(self.protected), payload: place(self.payload) }
    }
}

/// A decoded COSE_Sign1 that owns its buffer.
#[derive(Clone, Debug)]
pub(crate) struct Parts<B> {
    pub(crate) kid: DeviceId,
    pub(crate) layout: Layout,
    pub(crate) buffer: B,
}

impl<B: AsRef<[u8]>> Parts<B> {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.as_ref()
    }

    pub(crate) fn protected(&self) -> &[u8] {
        let (start, end) = self.layout.protected;
        &self.bytes()[usize::from(start)..usize::from(end)]
    }

    pub(crate) fn payload(&self) -> &[u8] {
        let (start, end) = self.layout.payload;
        &self.bytes()[usize::from(start)..usize::from(end)]
    }

    pub(crate) fn signature(&self) -> &[u8; SIGNATURE_BYTES] {
        // Decoding has seen that the bytes end with the signature.
        self.bytes().last_chunk().unwrap_or(&[0; SIGNATURE_BYTES])
    }

    pub(crate) fn transaction_id(&self, network: &str) -> TransactionId {
        cose::transaction_id(self.protected(), network, self.payload())
    }
}

/// Whether `signature` over `message` holds under `key` by ZIP-215's rules.
///
/// ```
/// use devices::SigningKey;
/// let key = SigningKey::from_seed([1; 32]);
/// assert!(devices::signature::holds(&key.public_key(), b"message", &key.sign(b"message")));
/// assert!(!devices::signature::holds(&key.public_key(), b"another", &key.sign(b"message")));
/// ```
pub fn holds(key: &PublicKey, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
    DecompressedKey::new(key).holds(message, signature)
}

/// The same verdict with no more tables than signing has, where flash is dearer than time.
///
/// ```
/// use devices::SigningKey;
/// let key = SigningKey::from_seed([1; 32]);
/// assert!(devices::signature::holds_without_tables(&key.public_key(), b"message", &key.sign(b"message")));
/// assert!(!devices::signature::holds_without_tables(&key.public_key(), b"another", &key.sign(b"message")));
/// ```
pub fn holds_without_tables(key: &PublicKey, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
    DecompressedKey::new(key).holds_without_tables(message, signature)
}

/// Whether the signature holds under `key` on `network`. `scratch` must hold the Sig_structure.
pub(crate) fn verify<B: AsRef<[u8]>>(
    parts: &Parts<B>,
    key: &PublicKey,
    network: &str,
    scratch: &mut [u8],
) -> bool {
    cose::sig_structure(parts.protected(), network, parts.payload(), scratch)
        .is_ok_and(|length| holds(key, &scratch[..length], parts.signature()))
}
