//! A balance that is provable offline: a leaf of the state, its path to the state's root, and the receipt of the seal
//! that holds this root. Every byte matters: the document is parsed, written again and compared.

use crate::block::Seal;
use crate::checkpoint::Checkpoint;
use crate::handovers::Handovers;
use crate::limits::STATE_PROOF_BYTES_MAX;
use crate::merkle::{Hash, ProofFault, leaf_hash, verify_inclusion};
use crate::proof_text::{PathFault, after, read_path, write_path};
use crate::receipt::{Receipt, ReceiptError, VerifiedReceipt};
use crate::state_leaf::StateLeaf;
use alloc::string::ToString;
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};
use core::fmt;

/// The first line.
pub(crate) const HEADER: &str = "lamppost/state-proof@v1";

/// Why a state proof proves nothing, in the order in which things are checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateProofError {
    /// Longer than any state proof.
    #[error("the state proof is longer than {STATE_PROOF_BYTES_MAX} bytes")]
    TooLong,
    /// The first line.
    #[error("the state proof's first line is not {HEADER}")]
    Header,
    /// The `leaf` line.
    #[error("the state proof's second line is not \"leaf\" and the leaf in base64")]
    Leaf,
    /// The `index` line.
    #[error("the state proof's third line is not \"index\" and a decimal number")]
    Index,
    /// The `size` line.
    #[error("the state proof's fourth line is not \"size\" and a decimal number")]
    Size,
    /// A line of the path.
    #[error("the state proof's path cannot be read: {0}")]
    Path(#[from] PathFault),
    /// No blank line, or nothing after it.
    #[error("the state proof has no receipt of a seal after a blank line")]
    NoReceipt,
    /// Some byte is spelled otherwise than it must be.
    #[error("the state proof is not spelled as it must be: it has a byte too many, too few or altered")]
    Spelling,
    /// The seal's receipt does not hold.
    #[error("the seal's receipt does not hold: {0}")]
    Receipt(#[from] ReceiptError),
    /// The proven entry is a transaction.
    #[error("the proven entry is no seal, and only seals hold a state root")]
    NoSeal,
    /// A seal in the middle of an epoch.
    #[error("the seal of block {0} holds no state root: only those that end an epoch do")]
    NoStateRoot(u64),
    /// The state's size is not the seal's.
    #[error("the state proof speaks of {said} leaves, the seal of {sealed}")]
    Leaves {
        /// What the document says.
        said: u64,
        /// What the seal says.
        sealed: u64,
    },
    /// The index lies outside the state.
    #[error("leaf {index} lies outside the state of {size} leaves")]
    OutOfTree {
        /// The leaf's index.
        index: u64,
        /// The state's size.
        size: u64,
    },
    /// The number of hashes does not fit the index and the size.
    #[error("leaf {index} of a state of {size} leaves does not have a path of {hashes} hashes")]
    PathLength {
        /// The leaf's index.
        index: u64,
        /// The state's size.
        size: u64,
        /// How many hashes the document has.
        hashes: usize,
    },
    /// The sealed root is not reached.
    #[error(
        "the leaf does not lead to the seal's state root: the leaf, its index or a hash of its path was altered"
    )]
    Root,
    /// The leaf stands in the state, but this program cannot read it.
    #[error("the leaf stands in the state, but is of no known kind")]
    UnknownLeaf,
}

/// A state proof as it is read or written; nothing of it is proven before [`StateProof::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateProof {
    /// The leaf's bytes.
    pub leaf: Vec<u8>,
    /// Its place among the leaves, from 0.
    pub index: u64,
    /// Number of leaves.
    pub size: u64,
    /// The inclusion proof, leaf's sibling first.
    pub path: Vec<Hash>,
    /// The receipt of the seal.
    pub receipt: Receipt,
}

/// What a state proof proves: that the state had this leaf when the seal's block was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedState {
    leaf: StateLeaf,
    index: u64,
    seal: Seal,
    receipt: VerifiedReceipt,
}

impl VerifiedState {
    /// The leaf.
    #[must_use]
    pub fn leaf(&self) -> &StateLeaf {
        &self.leaf
    }

    /// Its place among the leaves.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The seal that holds the state's root: it tells the block and its time.
    #[must_use]
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// The seal's place in the log.
    #[must_use]
    pub fn seal_index(&self) -> u64 {
        self.receipt.index()
    }

    /// The checkpoint that commits to the seal.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        self.receipt.checkpoint()
    }

    /// Names of the validators whose signatures hold.
    #[must_use]
    pub fn signers(&self) -> &[alloc::string::String] {
        self.receipt.signers()
    }
}

impl StateProof {
    /// Reads a state proof.
    ///
    /// # Errors
    /// The first line that is not as it must be.
    pub fn parse(text: &str) -> Result<Self, StateProofError> {
        if text.len() > STATE_PROOF_BYTES_MAX {
            return Err(StateProofError::TooLong);
        }
        let (proof, receipt) = text.split_once("\n\n").ok_or(StateProofError::NoReceipt)?;
        let mut lines = proof.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(StateProofError::Header);
        }
        let leaf = after(lines.next(), "leaf").and_then(|leaf| Base64::decode_vec(leaf).ok());
        let leaf = leaf.ok_or(StateProofError::Leaf)?;
        let index = after(lines.next(), "index").and_then(|index| index.parse().ok());
        let index = index.ok_or(StateProofError::Index)?;
        let size = after(lines.next(), "size").and_then(|size| size.parse().ok());
        let size = size.ok_or(StateProofError::Size)?;
        let proof = Self { leaf, index, size, path: read_path(lines)?, receipt: Receipt::parse(receipt)? };
        if proof.to_string() == text { Ok(proof) } else { Err(StateProofError::Spelling) }
    }

    /// Checks the proof against the validators of its time: first the seal's receipt, then that the leaf leads to the
    /// root that the seal holds.
    ///
    /// # Errors
    /// The first thing that fails, by name.
    pub fn verify(self, handovers: &Handovers) -> Result<VerifiedState, StateProofError> {
        let receipt = self.receipt.verify(handovers)?;
        let seal = Seal::decode(receipt.entry()).map_err(|_| StateProofError::NoSeal)?;
        let root = seal.state_root.ok_or(StateProofError::NoStateRoot(seal.height))?;
        if self.size != root.leaves {
            return Err(StateProofError::Leaves { said: self.size, sealed: root.leaves });
        }
        let (index, size, hashes) = (self.index, self.size, self.path.len());
        verify_inclusion(&leaf_hash(&self.leaf), index, size, &self.path, &root.hash).map_err(|fault| {
            match fault {
                ProofFault::IndexOutOfTree => StateProofError::OutOfTree { index, size },
                ProofFault::PathTooShort | ProofFault::PathTooLong => {
                    StateProofError::PathLength { index, size, hashes }
                }
                _ => StateProofError::Root,
            }
        })?;
        let leaf = StateLeaf::decode(&self.leaf).map_err(|_| StateProofError::UnknownLeaf)?;
        Ok(VerifiedState { leaf, index, seal, receipt })
    }
}

impl fmt::Display for StateProof {
    /// The document, ready to be stored.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nleaf {}", Base64::encode_string(&self.leaf))?;
        writeln!(f, "index {}\nsize {}", self.index, self.size)?;
        write_path(f, &self.path)?;
        write!(f, "\n{}", self.receipt)
    }
}
