//! How the validators of genesis became the present ones: each change with the signatures of more than two thirds of those
//! before it. With the genesis document and this, whoever was never there knows whose signatures count.

use crate::approval::{ApprovalError, agreed};
use crate::genesis::Genesis;
use crate::limits::{VALIDATOR_CHANGES_MAX, VALIDATORS_DOCUMENT_BYTES_MAX, VALIDATORS_MAX};
use crate::merkle::Hash;
use crate::note::VerifierKey;
use crate::proof_text::after;
use crate::validators::{ValidatorChange, Validators};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};
use core::fmt;
use devices::identity::PublicKey;

/// The first line.
pub const HEADER: &str = "lamppost/validators@v1";

/// Why the document of the validators' changes is not believed, in the order in which things are checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandoverError {
    /// Longer than any such document.
    #[error("the document of the validators is longer than {VALIDATORS_DOCUMENT_BYTES_MAX} bytes")]
    TooLong,
    /// The first line.
    #[error("the first line of the document of the validators is not {HEADER}")]
    Header,
    /// The second line.
    #[error("the second line of the document of the validators is not \"genesis\" and 64 hex digits")]
    GenesisLine,
    /// Another network's.
    #[error("the document of the validators belongs to another genesis document")]
    Foreign,
    /// More changes than a network can have.
    #[error("the document of the validators has more than {VALIDATOR_CHANGES_MAX} changes")]
    TooMany,
    /// A change whose lines are not as they must be.
    #[error(
        "change {0} of the validators is not \"size\" and a decimal number, and one approval in base64 on each line"
    )]
    Lines(u64),
    /// Some byte is spelled otherwise than it must be.
    #[error(
        "the document of the validators is not spelled as it must be: it has a byte too many, too few or altered"
    )]
    Spelling,
    /// The log did not grow between two changes.
    #[error("change {0} of the validators does not come after the one before it")]
    Order(u64),
    /// A change that nobody, or too few, approved.
    #[error("change {number} of the validators was not agreed on: {error}")]
    Change {
        /// Which one, from 1.
        number: u64,
        /// What is wrong with it.
        error: ApprovalError,
    },
}

/// The validators of one version and how they came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Era {
    /// Entries of the log when it began: a checkpoint of fewer is not theirs.
    from_size: u64,
    validators: Validators,
    /// The change that made them, and who approved it; none of those of genesis.
    change: Option<(ValidatorChange, Vec<Vec<u8>>)>,
}

/// The validators of every version, from the genesis document through all changes; made by verification alone.
///
/// A checkpoint counts when more than two thirds of the validators of its time signed it. Its time is told by its size:
/// each change says how many entries the log had. Two limits are honest to name. First, this is what was handed in: an old
/// document ends with the validators of its day, so more than two thirds of *those*, after they have left, could still
/// write a history of their own that it believes. Take the document anew, from several, and compare checkpoints with what
/// was saved before: two of one size or a log that does not grow convict their signers. A validator that leaves should
/// destroy its key. Second, the sizes are told by whoever gave the document and are signed by no one; they keep former
/// validators from speaking of later sizes, but only as far as the giver is honest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handovers {
    network: String,
    origin: String,
    genesis_hash: Hash,
    /// Never empty; by version.
    eras: Vec<Era>,
}

impl Handovers {
    /// A network whose validators never changed, or whose changes are not at hand.
    #[must_use]
    pub fn of_genesis(genesis: &Genesis) -> Self {
        let first = Era { from_size: 0, validators: Validators::of_genesis(genesis), change: None };
        Self {
            network: genesis.network.clone(),
            origin: genesis.origin.clone(),
            genesis_hash: genesis.hash(),
            eras: alloc::vec![first],
        }
    }

    /// Reads the document that [`Self::to_string`](fmt::Display) writes and checks every change against the genesis
    /// document: more than two thirds of the validators before it signed it.
    ///
    /// # Errors
    /// The first thing that fails, by name.
    pub fn parse(text: &str, genesis: &Genesis) -> Result<Self, HandoverError> {
        if text.len() > VALIDATORS_DOCUMENT_BYTES_MAX {
            return Err(HandoverError::TooLong);
        }
        let mut sections = text.strip_suffix('\n').unwrap_or(text).split("\n\n");
        let mut lines = sections.next().unwrap_or_default().split('\n');
        if lines.next() != Some(HEADER) {
            return Err(HandoverError::Header);
        }
        let mut hash = Hash::default();
        let hex = after(lines.next(), "genesis").ok_or(HandoverError::GenesisLine)?;
        hex::decode_to_slice(hex, &mut hash).map_err(|_| HandoverError::GenesisLine)?;
        let mut handovers = Self::of_genesis(genesis);
        if hash != handovers.genesis_hash {
            return Err(HandoverError::Foreign);
        }
        for section in sections {
            let (size, approvals) =
                read_change(section).ok_or(HandoverError::Lines(handovers.next_number()))?;
            handovers.follow(size, approvals)?;
        }
        // Another base64 or hex of the same bytes would read the same: refuse it here.
        if handovers.to_string() == text { Ok(handovers) } else { Err(HandoverError::Spelling) }
    }

    /// Takes the next change, which began when the log had so many entries, if it was agreed on.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn follow(&mut self, from_size: u64, approvals: Vec<Vec<u8>>) -> Result<(), HandoverError> {
        let number = self.next_number();
        let error = |error| HandoverError::Change { number, error };
        if self.is_full() {
            return Err(HandoverError::TooMany);
        }
        if self.newest().from_size >= from_size {
            return Err(HandoverError::Order(number));
        }
        let change = agreed(&approvals, self.present(), &self.network).map_err(error)?;
        self.append(from_size, change, approvals).map_err(error)
    }

    /// Takes the next change, of which the ledger has seen that it was agreed on.
    pub(crate) fn append(
        &mut self,
        from_size: u64,
        change: ValidatorChange,
        approvals: Vec<Vec<u8>>,
    ) -> Result<(), ApprovalError> {
        let validators = self.present().with(&change)?;
        self.eras.push(Era { from_size, validators, change: Some((change, approvals)) });
        Ok(())
    }

    /// Whether the state keeps as many changes as it can.
    pub(crate) fn is_full(&self) -> bool {
        self.eras.len() > VALIDATOR_CHANGES_MAX
    }

    /// The newest validators.
    #[must_use]
    pub fn present(&self) -> &Validators {
        &self.newest().validators
    }

    /// The validators of a version: 0 are those of genesis.
    #[must_use]
    pub fn version(&self, version: u64) -> Option<&Validators> {
        let era = self.eras.get(usize::try_from(version).ok()?);
        era.map(|era| &era.validators)
    }

    /// Every change in order, with the log's size when it took effect.
    pub fn changes(&self) -> impl Iterator<Item = (u64, &ValidatorChange)> {
        self.eras.iter().filter_map(|era| era.change.as_ref().map(|(change, _)| (era.from_size, change)))
    }

    /// Every change's size and approvals, for a snapshot.
    pub(crate) fn approvals(&self) -> impl Iterator<Item = (u64, &[Vec<u8>])> {
        self.eras
            .iter()
            .filter_map(|era| era.change.as_ref().map(|(_, approvals)| (era.from_size, approvals.as_slice())))
    }

    /// Who has, or last had, this key: a validator of now or of before.
    #[must_use]
    pub fn known(&self, key: &PublicKey) -> Option<&VerifierKey> {
        self.eras.iter().rev().find_map(|era| era.validators.get(key))
    }

    /// Whose signatures count under a checkpoint of so many entries, the newest last. Where a change took effect at
    /// exactly this size, those before it decided the block and those after it know it too: either will do.
    pub(crate) fn of_size(&self, size: u64) -> impl DoubleEndedIterator<Item = &Validators> {
        let ends = self.eras.iter().skip(1).map(|era| era.from_size).chain([u64::MAX]);
        let eras = self.eras.iter().zip(ends.collect::<Vec<_>>());
        let eras: Vec<_> = eras.filter(|(era, end)| (era.from_size..=*end).contains(&size)).collect();
        eras.into_iter().map(|(era, _)| &era.validators)
    }

    /// The checkpoints' first line.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The network's id.
    #[must_use]
    pub fn network(&self) -> &str {
        &self.network
    }

    /// SHA-256 of the genesis document.
    #[must_use]
    pub fn genesis_hash(&self) -> &Hash {
        &self.genesis_hash
    }

    fn newest(&self) -> &Era {
        self.eras.last().expect("there are always the validators of genesis")
    }

    fn next_number(&self) -> u64 {
        self.present().version().saturating_add(1)
    }
}

impl fmt::Display for Handovers {
    /// The document: two lines, and for each change a blank line, `size N`, and its approvals in base64.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\ngenesis {}", hex::encode(self.genesis_hash))?;
        for (size, approvals) in self.approvals() {
            writeln!(f, "\nsize {size}")?;
            approvals.iter().try_for_each(|approval| writeln!(f, "{}", Base64::encode_string(approval)))?;
        }
        Ok(())
    }
}

/// The size and the approvals of one change.
fn read_change(section: &str) -> Option<(u64, Vec<Vec<u8>>)> {
    let mut lines = section.split('\n');
    let size = after(lines.next(), "size")?.parse().ok()?;
    let mut approvals = Vec::new();
    for line in lines {
        if approvals.len() >= VALIDATORS_MAX {
            return None;
        }
        approvals.push(Base64::decode_vec(line).ok()?);
    }
    Some((size, approvals))
}
