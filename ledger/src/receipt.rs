//! C2SP tlog-proof: one entry, its path and a signed checkpoint, verifiable offline with the validators' keys and
//! nothing else. Every byte of a receipt matters: it is parsed, written again and compared.

use crate::checkpoint::{Checkpoint, SignedCheckpoint, SignedCheckpointError};
use crate::handovers::Handovers;
use crate::limits::{CHECKPOINT_BYTES_MAX, RECEIPT_BYTES_MAX};
use crate::merkle::{Hash, ProofFault, leaf_hash, verify_inclusion};
use crate::note::{Note, NoteError};
use crate::proof_text::{PathFault, after, read_path, write_path};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};
use core::fmt;

/// The first line.
pub(crate) const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Why a receipt proves nothing, in the order in which things are checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Longer than any receipt.
    #[error("the receipt is longer than {RECEIPT_BYTES_MAX} bytes")]
    TooLong,
    /// The first line.
    #[error("the receipt's first line is not {HEADER}")]
    Header,
    /// The `extra` line.
    #[error("the receipt's second line is not \"extra\" and the entry in base64")]
    Entry,
    /// The `index` line.
    #[error("the receipt's third line is not \"index\" and a decimal number")]
    Index,
    /// A line of the path.
    #[error("the receipt's path cannot be read: {0}")]
    Path(#[from] PathFault),
    /// No blank line, or nothing after it.
    #[error("the receipt has no checkpoint after a blank line")]
    NoCheckpoint,
    /// The checkpoint is no signed note.
    #[error("the receipt's checkpoint is malformed: {0}")]
    Note(#[from] NoteError),
    /// Some byte is spelled otherwise than it must be.
    #[error("the receipt is not spelled as tlog-proof has it: it has a byte too many, too few or altered")]
    Spelling,
    /// The checkpoint is not believed.
    #[error(transparent)]
    Signed(#[from] SignedCheckpointError),
    /// The index lies outside the checkpoint's tree.
    #[error("index {index} lies outside the checkpoint's tree of {size} entries")]
    OutOfTree {
        /// The receipt's index.
        index: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// The number of hashes does not fit the index and the size.
    #[error("entry {index} of a tree of {size} entries does not have a path of {hashes} hashes")]
    PathLength {
        /// The receipt's index.
        index: u64,
        /// The checkpoint's size.
        size: u64,
        /// How many hashes the receipt has.
        hashes: usize,
    },
    /// The signed root is not reached.
    #[error(
        "the entry does not lead to the checkpoint's root: the entry, its index or a hash of its path was altered"
    )]
    Root,
}

/// A receipt as it is read or written; nothing of it is proven before [`Receipt::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The entry: a transaction's bytes, or a seal's.
    pub entry: Vec<u8>,
    /// Its place in the log, from 0.
    pub index: u64,
    /// The inclusion proof, leaf's sibling first.
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: Note,
}

/// What a receipt proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedReceipt {
    entry: Vec<u8>,
    index: u64,
    signed: SignedCheckpoint,
}

impl VerifiedReceipt {
    /// The entry that stands in the log.
    #[must_use]
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// Where it stands.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint that commits to it.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        self.signed.checkpoint()
    }

    /// Names of the validators whose signatures hold.
    #[must_use]
    pub fn signers(&self) -> &[String] {
        self.signed.signers()
    }
}

impl Receipt {
    /// Reads a receipt.
    ///
    /// # Errors
    /// The first line that is not as tlog-proof has it.
    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        if text.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong);
        }
        let (proof, checkpoint) = text.split_once("\n\n").ok_or(ReceiptError::NoCheckpoint)?;
        let mut lines = proof.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(ReceiptError::Header);
        }
        let extra = after(lines.next(), "extra").ok_or(ReceiptError::Entry)?;
        let entry = Base64::decode_vec(extra).map_err(|_| ReceiptError::Entry)?;
        let index = after(lines.next(), "index").ok_or(ReceiptError::Index)?;
        let index = index.parse().map_err(|_| ReceiptError::Index)?;
        let path = read_path(lines)?;
        if checkpoint.len() > CHECKPOINT_BYTES_MAX {
            return Err(ReceiptError::TooLong);
        }
        let receipt = Self { entry, index, path, checkpoint: Note::parse(checkpoint)? };
        // Leading zeroes, a plus sign or another base64 of the same bytes would read the same: refuse them here.
        if receipt.to_string() == text { Ok(receipt) } else { Err(ReceiptError::Spelling) }
    }

    /// Checks the receipt against the validators of its time: first who signed the checkpoint, then that the entry is in
    /// its tree. Signature lines of strangers are refused rather than skipped, so that no byte goes unchecked.
    ///
    /// # Errors
    /// The first thing that fails, by name.
    pub fn verify(self, handovers: &Handovers) -> Result<VerifiedReceipt, ReceiptError> {
        let signed = SignedCheckpoint::verify(&self.checkpoint, handovers)?;
        self.is_in(signed.checkpoint())?;
        Ok(VerifiedReceipt { entry: self.entry, index: self.index, signed })
    }

    /// Whether the entry is in a checkpoint's tree, whoever signed that.
    pub(crate) fn is_in(&self, checkpoint: &Checkpoint) -> Result<(), ReceiptError> {
        let (index, size, hashes) = (self.index, checkpoint.size, self.path.len());
        verify_inclusion(&leaf_hash(&self.entry), index, size, &self.path, &checkpoint.root).map_err(
            |fault| match fault {
                ProofFault::IndexOutOfTree => ReceiptError::OutOfTree { index, size },
                ProofFault::PathTooShort | ProofFault::PathTooLong => {
                    ReceiptError::PathLength { index, size, hashes }
                }
                _ => ReceiptError::Root,
            },
        )
    }
}

impl fmt::Display for Receipt {
    /// The tlog-proof text, ready to be stored as `.tlog-proof`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nextra {}\nindex {}", Base64::encode_string(&self.entry), self.index)?;
        write_path(f, &self.path)?;
        write!(f, "\n{}", self.checkpoint)
    }
}
