//! That a log only grew: two signed checkpoints, and the hashes that lead from the earlier one to the later one (RFC
//! 6962 section 2.1.2). Every byte matters: the document is parsed, written again and compared.

use crate::checkpoint::{SignedCheckpoint, SignedCheckpointError};
use crate::handovers::Handovers;
use crate::limits::{CHECKPOINT_BYTES_MAX, CONSISTENCY_PROOF_BYTES_MAX};
use crate::merkle::{Hash, ProofFault, verify_consistency};
use crate::note::{Note, NoteError};
use crate::proof_text::{PathFault, read_path, write_path};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

/// The first line.
pub(crate) const HEADER: &str = "lamppost/consistency-proof@v1";

/// Why a consistency proof proves nothing, in the order in which things are checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsistencyError {
    /// Longer than any consistency proof.
    #[error("the consistency proof is longer than {CONSISTENCY_PROOF_BYTES_MAX} bytes")]
    TooLong,
    /// The first line.
    #[error("the consistency proof's first line is not {HEADER}")]
    Header,
    /// A line of the path.
    #[error("the consistency proof's path cannot be read: {0}")]
    Path(#[from] PathFault),
    /// Not two notes after blank lines.
    #[error("the consistency proof has no two signed checkpoints, each after a blank line")]
    NoCheckpoints,
    /// The earlier checkpoint is no signed note.
    #[error("the earlier checkpoint is malformed: {0}")]
    EarlierNote(NoteError),
    /// The later checkpoint is no signed note.
    #[error("the later checkpoint is malformed: {0}")]
    LaterNote(NoteError),
    /// Some byte is spelled otherwise than it must be.
    #[error("the consistency proof is not spelled as it must be: it has a byte too many, too few or altered")]
    Spelling,
    /// The earlier checkpoint is not believed.
    #[error("the earlier checkpoint does not hold: {0}")]
    Earlier(SignedCheckpointError),
    /// The later checkpoint is not believed.
    #[error("the later checkpoint does not hold: {0}")]
    Later(SignedCheckpointError),
    /// The log shrank, or began with nothing.
    #[error("the earlier checkpoint is of {earlier} entries, the later one of {later}: a log only grows")]
    Sizes {
        /// The earlier checkpoint's size.
        earlier: u64,
        /// The later checkpoint's size.
        later: u64,
    },
    /// Two roots of one size: whoever signed both forked the log.
    #[error("both checkpoints are of {0} entries, but their roots differ: the log was forked")]
    Forked(u64),
    /// The number of hashes does not fit the sizes.
    #[error("the proof from {earlier} to {later} entries does not have {hashes} hashes")]
    PathLength {
        /// The earlier checkpoint's size.
        earlier: u64,
        /// The later checkpoint's size.
        later: u64,
        /// How many hashes the document has.
        hashes: usize,
    },
    /// The hashes do not give the earlier root.
    #[error(
        "the hashes do not lead to the earlier checkpoint's root: one was altered, or the log was rewritten"
    )]
    EarlierRoot,
    /// The hashes do not give the later root.
    #[error(
        "the hashes do not lead to the later checkpoint's root: one was altered, or the log was rewritten"
    )]
    LaterRoot,
}

/// A consistency proof as it is read or written; nothing of it is proven before [`ConsistencyProof::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The hashes (RFC 6962 section 2.1.2).
    pub path: Vec<Hash>,
    /// The earlier signed checkpoint.
    pub earlier: Note,
    /// The later signed checkpoint.
    pub later: Note,
}

/// What a consistency proof proves: the later log begins with all entries of the earlier one, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedConsistency {
    earlier: SignedCheckpoint,
    later: SignedCheckpoint,
}

impl VerifiedConsistency {
    /// The earlier checkpoint and who signed it.
    #[must_use]
    pub fn earlier(&self) -> &SignedCheckpoint {
        &self.earlier
    }

    /// The later checkpoint and who signed it.
    #[must_use]
    pub fn later(&self) -> &SignedCheckpoint {
        &self.later
    }
}

impl ConsistencyProof {
    /// Reads a consistency proof.
    ///
    /// # Errors
    /// The first line that is not as it must be.
    pub fn parse(text: &str) -> Result<Self, ConsistencyError> {
        if text.len() > CONSISTENCY_PROOF_BYTES_MAX {
            return Err(ConsistencyError::TooLong);
        }
        // A checkpoint's text has no blank line (extension lines are refused), so blank lines tell the parts apart.
        let mut parts = text.split("\n\n");
        let mut lines = parts.next().unwrap_or_default().split('\n');
        if lines.next() != Some(HEADER) {
            return Err(ConsistencyError::Header);
        }
        let path = read_path(lines)?;
        let (Some(body), Some(signatures), Some(later_body), Some(later_signatures), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ConsistencyError::NoCheckpoints);
        };
        let earlier = [body, "\n\n", signatures, "\n"].concat();
        let later = [later_body, "\n\n", later_signatures].concat();
        if earlier.len().max(later.len()) > CHECKPOINT_BYTES_MAX {
            return Err(ConsistencyError::TooLong);
        }
        let earlier = Note::parse(&earlier).map_err(ConsistencyError::EarlierNote)?;
        let later = Note::parse(&later).map_err(ConsistencyError::LaterNote)?;
        let proof = Self { path, earlier, later };
        if proof.to_string() == text { Ok(proof) } else { Err(ConsistencyError::Spelling) }
    }

    /// Checks both checkpoints against the genesis document, then that the later one continues the earlier one.
    ///
    /// # Errors
    /// The first thing that fails, by name.
    pub fn verify(self, handovers: &Handovers) -> Result<VerifiedConsistency, ConsistencyError> {
        let earlier =
            SignedCheckpoint::verify(&self.earlier, handovers).map_err(ConsistencyError::Earlier)?;
        let later = SignedCheckpoint::verify(&self.later, handovers).map_err(ConsistencyError::Later)?;
        let (old, new) = (earlier.checkpoint(), later.checkpoint());
        let sizes = (old.size, new.size);
        verify_consistency(old.size, &old.root, new.size, &new.root, &self.path).map_err(|fault| {
            let (earlier, later) = sizes;
            match fault {
                ProofFault::SizesReversed => ConsistencyError::Sizes { earlier, later },
                ProofFault::RootDiffers if earlier == later => ConsistencyError::Forked(later),
                ProofFault::EarlierRootDiffers => ConsistencyError::EarlierRoot,
                ProofFault::PathTooShort | ProofFault::PathTooLong => {
                    ConsistencyError::PathLength { earlier, later, hashes: self.path.len() }
                }
                _ => ConsistencyError::LaterRoot,
            }
        })?;
        Ok(VerifiedConsistency { earlier, later })
    }
}

impl fmt::Display for ConsistencyProof {
    /// The document, ready to be stored.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        write_path(f, &self.path)?;
        write!(f, "\n{}\n{}", self.earlier, self.later)
    }
}
