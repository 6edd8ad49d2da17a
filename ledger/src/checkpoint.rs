//! C2SP tlog-checkpoint: origin, tree size and root as the text of a signed note.

use crate::merkle::Hash;
use crate::note::{Note, NoteError, is_key_name};
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use base64ct::{Base64, Encoding};
use devices::identity::SigningKey;

/// What is wrong with a checkpoint's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The first line is no origin.
    #[error("the checkpoint's first line is no origin")]
    Origin,
    /// The second line is no decimal size without leading zeroes.
    #[error("the checkpoint's second line is no tree size")]
    Size,
    /// The third line is no base64 of 32 bytes.
    #[error("the checkpoint's third line is no root hash in base64")]
    Root,
    /// There is more than the three lines.
    #[error("the checkpoint has lines after its root hash")]
    Extension,
}

/// What a log says of itself at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: the note's first line.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The note's text: three lines, each with its newline.
    #[must_use]
    pub fn body(&self) -> String {
        alloc::format!("{}\n{}\n{}\n", self.origin, self.size, Base64::encode_string(&self.root))
    }

    /// Reads the note's text.
    ///
    /// # Errors
    /// The first line that is not as it must be. Extension lines are refused: no validator of Lamppost writes one.
    pub fn parse(body: &str) -> Result<Self, CheckpointError> {
        let (origin, rest) = body.split_once('\n').ok_or(CheckpointError::Origin)?;
        if !is_key_name(origin) {
            return Err(CheckpointError::Origin);
        }
        let (size_text, rest) = rest.split_once('\n').ok_or(CheckpointError::Size)?;
        let size: u64 = size_text.parse().map_err(|_| CheckpointError::Size)?;
        // `parse` takes "+5" and "05"; a checkpoint does not.
        if size.to_string() != size_text {
            return Err(CheckpointError::Size);
        }
        let (root, rest) = rest.split_once('\n').ok_or(CheckpointError::Root)?;
        let root = decode_hash(root).ok_or(CheckpointError::Root)?;
        if !rest.is_empty() {
            return Err(CheckpointError::Extension);
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// The checkpoint as a note signed by `key` under `name`.
    ///
    /// # Errors
    /// `KeyName` when the name cannot stand in a note.
    ///
    /// ```
    /// # use ledger::checkpoint::Checkpoint;
    /// # use devices::identity::SigningKey;
    /// let key = SigningKey::from_seed([7; 32]);
    /// let checkpoint = Checkpoint { origin: "lamppost/devnet".into(), size: 0, root: ledger::merkle::empty_root() };
    /// let note = checkpoint.sign("lamppost/devnet", &key).unwrap();
    /// assert!(note.to_string().starts_with("lamppost/devnet\n0\n47DEQpj8HBSa"));
    /// ```
    pub fn sign(&self, name: &str, key: &SigningKey) -> Result<Note, NoteError> {
        let mut note = Note::unsigned(self.body());
        note.sign(name, key)?;
        Ok(note)
    }
}

/// Reads 32 bytes in standard base64 with padding; any other spelling of the same bytes is refused.
pub(crate) fn decode_hash(text: &str) -> Option<Hash> {
    Base64::decode_vec(text).ok()?.try_into().ok().filter(|hash: &Hash| Base64::encode_string(hash) == text)
}
