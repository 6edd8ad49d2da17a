//! C2SP tlog-checkpoint: origin, tree size and root as the text of a signed note, and who must have signed it.

use crate::handovers::Handovers;
use crate::merkle::Hash;
use crate::note::{Note, NoteError, VerifierKey, is_key_name};
use crate::validators::Validators;
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
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

/// Why a signed checkpoint is not believed, in the order in which things are checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedCheckpointError {
    /// The note is no checkpoint.
    #[error("the checkpoint is malformed: {0}")]
    Checkpoint(#[from] CheckpointError),
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
}

/// A checkpoint that more than two thirds of the validators signed; only verification makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    signers: Vec<String>,
}

impl SignedCheckpoint {
    /// Checks a note against the validators of its time. Signature lines of strangers are refused rather than skipped, so
    /// that no byte goes unchecked.
    ///
    /// # Errors
    /// The first thing that fails, by name.
    pub fn verify(note: &Note, handovers: &Handovers) -> Result<Self, SignedCheckpointError> {
        let checkpoint = of_this_log(note, handovers)?;
        let validators = judges(note, checkpoint.size, handovers);
        let signers = signers(note, validators)?;
        Ok(Self { checkpoint, signers })
    }

    /// What was signed.
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

/// The note's checkpoint, which must be of the network's log.
pub(crate) fn of_this_log(note: &Note, handovers: &Handovers) -> Result<Checkpoint, SignedCheckpointError> {
    let checkpoint = Checkpoint::parse(&note.text)?;
    if checkpoint.origin != handovers.origin() {
        let (found, expected) = (checkpoint.origin, handovers.origin().to_owned());
        return Err(SignedCheckpointError::Origin { found, expected });
    }
    Ok(checkpoint)
}

/// The validators whose signatures count under a checkpoint of so many entries. Where two sets would do, it is the one that
/// signed it, else the newest.
pub(crate) fn judges<'h>(note: &Note, size: u64, handovers: &'h Handovers) -> &'h Validators {
    let mut sets = handovers.of_size(size).rev();
    let newest = sets.next().unwrap_or(handovers.present());
    let mut sets = sets.peekable();
    if sets.peek().is_none() || signers(note, newest).is_ok() {
        return newest;
    }
    sets.find(|validators| signers(note, validators).is_ok()).unwrap_or(newest)
}

/// Names of those who signed, if they are enough and nobody else did.
fn signers(note: &Note, validators: &Validators) -> Result<Vec<String>, SignedCheckpointError> {
    let signers = signatures(note, validators).into_iter().collect::<Result<Vec<String>, _>>()?;
    quorum(signers.len(), validators)?;
    Ok(signers)
}

/// What is found of each of a note's signature lines in turn: the validator whose signature holds, or what is wrong.
pub(crate) fn signatures(note: &Note, validators: &Validators) -> Vec<Result<String, SignedCheckpointError>> {
    let mut signers: Vec<String> = Vec::new();
    let judged = note.signatures.iter().map(|line| {
        let of_line = |key: &&VerifierKey| key.name() == line.name && key.key_id() == line.key_id;
        let unknown = || SignedCheckpointError::UnknownSigner(line.name.clone());
        let key = validators.keys().iter().find(of_line).ok_or_else(unknown)?;
        if signers.contains(&line.name) {
            return Err(SignedCheckpointError::SignedTwice(line.name.clone()));
        }
        if note.signed_by(key) != Some(true) {
            return Err(SignedCheckpointError::Signature(line.name.clone()));
        }
        signers.push(line.name.clone());
        Ok(line.name.clone())
    });
    judged.collect()
}

/// Whether so many good signatures are enough.
pub(crate) fn quorum(good: usize, validators: &Validators) -> Result<(), SignedCheckpointError> {
    let needed = validators.quorum();
    if good < needed { Err(SignedCheckpointError::Quorum { good, needed }) } else { Ok(()) }
}

/// Reads 32 bytes in standard base64 with padding; any other spelling of the same bytes is refused.
pub(crate) fn decode_hash(text: &str) -> Option<Hash> {
    Base64::decode_vec(text).ok()?.try_into().ok().filter(|hash: &Hash| Base64::encode_string(hash) == text)
}
