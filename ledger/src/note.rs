//! C2SP signed-note: a text with signature lines, and the verifier keys ("vkey") that judge them.
//! Parsing is strict: a note that would not be rendered byte for byte the same is refused.

use crate::limits::{NAME_BYTES_MAX, NOTE_SIGNATURES_MAX};
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};
use core::fmt::{self, Write};
use core::str::FromStr;
use devices::identity::{PublicKey, SigningKey};
use devices::signature;
use sha2::{Digest, Sha256};

/// The signature type of a plain Ed25519 signature over the note's text.
const ED25519: u8 = 0x01;
/// What opens a signature line: em dash and space.
const SIGNATURE_LINE: &str = "\u{2014} ";

/// What is wrong with a note or a verifier key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// No blank line parts the text from the signatures.
    #[error("the note has no blank line followed by signatures")]
    NoSignatures,
    /// More signature lines than are read.
    #[error("the note has more than {NOTE_SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// A control character other than the newline.
    #[error("the note holds a control character")]
    ControlCharacter,
    /// Signature line N (from 1) is not an em dash, a name and base64.
    #[error("signature line {0} of the note is malformed")]
    SignatureLine(usize),
    /// A verifier key is not `name+hash+base64` of an Ed25519 key.
    #[error("the verifier key is not NAME+HASH+BASE64 of an Ed25519 key")]
    VerifierKey,
    /// A verifier key's hash is not that of its name and key.
    #[error("the verifier key's hash is not that of its name and key")]
    KeyIdDiffers,
    /// A key name is empty, too long, or holds a space or a plus.
    #[error("the key's name is empty, too long, or holds a space or a plus")]
    KeyName,
}

/// Whether `name` may name a key: not empty, no Unicode space, no plus, no control character.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// An Ed25519 verifier key, `name+hash+base64(0x01 || key)` in text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: PublicKey,
}

impl VerifierKey {
    /// A named key.
    ///
    /// # Errors
    /// `KeyName` when the name cannot stand in a note.
    pub fn new(name: &str, key: PublicKey) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::KeyName);
        }
        Ok(Self { name: name.to_owned(), key })
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key itself.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// SHA-256(name || 0x0A || 0x01 || key), its first four bytes.
    #[must_use]
    pub fn key_id(&self) -> [u8; 4] {
        key_id(&self.name, &self.key)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = alloc::vec![ED25519];
        typed.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex::encode(self.key_id()), Base64::encode_string(&typed))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, rest) = text.split_once('+').ok_or(NoteError::VerifierKey)?;
        let (id, key) = rest.split_once('+').ok_or(NoteError::VerifierKey)?;
        let typed = Base64::decode_vec(key).map_err(|_| NoteError::VerifierKey)?;
        let (&ED25519, key) = typed.split_first().ok_or(NoteError::VerifierKey)? else {
            return Err(NoteError::VerifierKey);
        };
        let key: [u8; 32] = key.try_into().map_err(|_| NoteError::VerifierKey)?;
        let key = PublicKey::from_bytes(key).map_err(|_| NoteError::VerifierKey)?;
        let parsed = Self::new(name, key)?;
        if hex::encode(parsed.key_id()) != id {
            return Err(NoteError::KeyIdDiffers);
        }
        Ok(parsed)
    }
}

fn key_id(name: &str, key: &PublicKey) -> [u8; 4] {
    let hash = Sha256::new()
        .chain_update(name.as_bytes())
        .chain_update([b'\n', ED25519])
        .chain_update(key.as_bytes())
        .finalize();
    hash.first_chunk().copied().expect("a SHA-256 hash has four bytes")
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key that signed.
    pub name: String,
    /// First four bytes of the key's hash.
    pub key_id: [u8; 4],
    /// The signature's bytes, 64 of them for Ed25519.
    pub signature: Vec<u8>,
}

/// A text, ending in a newline, with its signature lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is signed, the final newline included.
    pub text: String,
    /// The lines after the blank one.
    pub signatures: Vec<NoteSignature>,
}

impl Note {
    /// A text that nobody has signed yet.
    #[must_use]
    pub fn unsigned(text: String) -> Self {
        Self { text, signatures: Vec::new() }
    }

    /// Adds a signature line by `key` under `name`.
    ///
    /// # Errors
    /// `KeyName` when the name cannot stand in a note.
    pub fn sign(&mut self, name: &str, key: &SigningKey) -> Result<(), NoteError> {
        let public = key.public_key();
        let verifier = VerifierKey::new(name, public)?;
        let signature = key.sign(self.text.as_bytes()).to_vec();
        self.signatures.push(NoteSignature { key_id: verifier.key_id(), name: verifier.name, signature });
        Ok(())
    }

    /// Reads a note; the text is not to be believed before a signature was verified.
    ///
    /// # Errors
    /// The first thing that is not as signed-note has it.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::ControlCharacter);
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        let mut parsed = Self::unsigned([text, "\n"].concat());
        for (at, line) in (1_usize..).zip(lines.split('\n')) {
            if at > NOTE_SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            parsed.signatures.push(parse_signature(line).ok_or(NoteError::SignatureLine(at))?);
        }
        Ok(parsed)
    }

    /// Whether `verifier` signed the text: `None` when no line is of this key, else whether each such line holds.
    #[must_use]
    pub fn signed_by(&self, verifier: &VerifierKey) -> Option<bool> {
        let (name, key_id) = (verifier.name(), verifier.key_id());
        let mut lines = self.signatures.iter().filter(|line| line.name == name && line.key_id == key_id);
        let first = lines.next()?;
        let holds = |line: &NoteSignature| {
            <[u8; 64]>::try_from(line.signature.as_slice())
                .is_ok_and(|signature| signature::holds(&verifier.key, self.text.as_bytes(), &signature))
        };
        Some(holds(first) && lines.all(holds))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_char('\n')?;
        for line in &self.signatures {
            let mut bytes = line.key_id.to_vec();
            bytes.extend_from_slice(&line.signature);
            writeln!(f, "{SIGNATURE_LINE}{} {}", line.name, Base64::encode_string(&bytes))?;
        }
        Ok(())
    }
}

fn parse_signature(line: &str) -> Option<NoteSignature> {
    let (name, blob) = line.strip_prefix(SIGNATURE_LINE)?.split_once(' ')?;
    if !is_key_name(name) {
        return None;
    }
    let blob = Base64::decode_vec(blob).ok()?;
    let (key_id, signature) = blob.split_first_chunk::<4>()?;
    if signature.is_empty() {
        return None;
    }
    Some(NoteSignature { name: name.to_string(), key_id: *key_id, signature: signature.to_vec() })
}
