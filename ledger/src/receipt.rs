//! C2SP tlog-proof: one entry, its path and a signed checkpoint, verifiable offline with the genesis document and
//! nothing else. Every byte of a receipt matters: it is parsed, written again and compared.

use crate::checkpoint::{Checkpoint, CheckpointError, decode_hash};
use crate::genesis::Genesis;
use crate::limits::{CHECKPOINT_BYTES_MAX, RECEIPT_BYTES_MAX, TREE_LEVELS_MAX};
use crate::merkle::{Hash, ProofFault, leaf_hash, verify_inclusion};
use crate::note::{Note, NoteError, VerifierKey};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};
use core::fmt;

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

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
    /// A line of the path; counted from 1.
    #[error("hash {0} of the receipt's path is not 32 bytes in base64")]
    PathHash(usize),
    /// More hashes than a tree of 2^64 entries is deep.
    #[error("the receipt's path has more than {TREE_LEVELS_MAX} hashes")]
    PathTooLong,
    /// No blank line, or nothing after it.
    #[error("the receipt has no checkpoint after a blank line")]
    NoCheckpoint,
    /// The checkpoint is no signed note.
    #[error("the receipt's checkpoint is malformed: {0}")]
    Note(#[from] NoteError),
    /// The note is no checkpoint.
    #[error("the receipt's checkpoint is malformed: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// Some byte is spelled otherwise than it must be.
    #[error("the receipt is not spelled as tlog-proof has it: it has a byte too many, too few or altered")]
    Spelling,
    /// Another log's checkpoint.
    #[error("the checkpoint is of origin {found:?}, not of this network's {expected:?}")]
    Origin {
        /// What the checkpoint says.
        found: String,
        /// What the genesis document says.
        expected: String,
    },
    /// A signature line that no validator's key explains.
    #[error("the checkpoint carries a signature of {0:?} with a key that is no validator's")]
    UnknownSigner(String),
    /// The same validator twice.
    #[error("the checkpoint carries two signatures of {0:?}")]
    SignedTwice(String),
    /// A validator's signature that does not hold.
    #[error("the checkpoint's signature of {0:?} does not hold: the checkpoint or the signature was altered")]
    Signature(String),
    /// Too few validators.
    #[error("{good} of the validators signed the checkpoint, {needed} must")]
    Quorum {
        /// How many did.
        good: usize,
        /// How many must.
        needed: usize,
    },
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
    checkpoint: Checkpoint,
    signers: Vec<String>,
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
        &self.checkpoint
    }

    /// Names of the validators whose signatures hold.
    #[must_use]
    pub fn signers(&self) -> &[String] {
        &self.signers
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
        let extra = lines.next().and_then(|line| line.strip_prefix("extra ")).ok_or(ReceiptError::Entry)?;
        let entry = Base64::decode_vec(extra).map_err(|_| ReceiptError::Entry)?;
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(ReceiptError::Index)?;
        let index = index.parse().map_err(|_| ReceiptError::Index)?;
        let mut path = Vec::new();
        for (at, line) in (1_usize..).zip(lines) {
            if path.len() >= TREE_LEVELS_MAX as usize {
                return Err(ReceiptError::PathTooLong);
            }
            path.push(decode_hash(line).ok_or(ReceiptError::PathHash(at))?);
        }
        if checkpoint.len() > CHECKPOINT_BYTES_MAX {
            return Err(ReceiptError::TooLong);
        }
        let receipt = Self { entry, index, path, checkpoint: Note::parse(checkpoint)? };
        // Leading zeroes, a plus sign or another base64 of the same bytes would read the same: refuse them here.
        if receipt.to_string() == text { Ok(receipt) } else { Err(ReceiptError::Spelling) }
    }

    /// Checks the receipt against the genesis document: first who signed the checkpoint, then that the entry is in
    /// its tree. Signature lines of strangers are refused rather than skipped, so that no byte goes unchecked.
    ///
    /// # Errors
    /// The first thing that fails, by name.
    pub fn verify(self, genesis: &Genesis) -> Result<VerifiedReceipt, ReceiptError> {
        let checkpoint = Checkpoint::parse(&self.checkpoint.text)?;
        if checkpoint.origin != genesis.origin {
            return Err(ReceiptError::Origin { found: checkpoint.origin, expected: genesis.origin.clone() });
        }
        let signers = verify_signatures(&self.checkpoint, genesis)?;
        let (index, size) = (self.index, checkpoint.size);
        verify_inclusion(&leaf_hash(&self.entry), index, size, &self.path, &checkpoint.root).map_err(
            |fault| match fault {
                ProofFault::IndexOutOfTree => ReceiptError::OutOfTree { index, size },
                ProofFault::PathTooShort | ProofFault::PathTooLong => {
                    ReceiptError::PathLength { index, size, hashes: self.path.len() }
                }
                _ => ReceiptError::Root,
            },
        )?;
        Ok(VerifiedReceipt { entry: self.entry, index, checkpoint, signers })
    }
}

/// Checks a signed checkpoint's signatures against the genesis document's validators; gives the signers' names.
fn verify_signatures(note: &Note, genesis: &Genesis) -> Result<Vec<String>, ReceiptError> {
    let keys = genesis.verifier_keys();
    let mut signers: Vec<String> = Vec::new();
    for line in &note.signatures {
        let of_line = |key: &&VerifierKey| key.name() == line.name && key.key_id() == line.key_id;
        let key = keys.iter().find(of_line).ok_or_else(|| ReceiptError::UnknownSigner(line.name.clone()))?;
        if signers.contains(&line.name) {
            return Err(ReceiptError::SignedTwice(line.name.clone()));
        }
        if note.signed_by(key) != Some(true) {
            return Err(ReceiptError::Signature(line.name.clone()));
        }
        signers.push(line.name.clone());
    }
    let needed = genesis.quorum();
    if signers.len() < needed {
        return Err(ReceiptError::Quorum { good: signers.len(), needed });
    }
    Ok(signers)
}

impl fmt::Display for Receipt {
    /// The tlog-proof text, ready to be stored as `.tlog-proof`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nextra {}\nindex {}", Base64::encode_string(&self.entry), self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", Base64::encode_string(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
