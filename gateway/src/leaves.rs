//! The state's leaves as they were at the last epoch's end, on disk, so that a balance can be proven while the state
//! goes on: `DATA/state/HEIGHT.leaves`, two kept.
//!
//! ```text
//! "LAMPLEAF", version u32, genesis hash 32, height u64
//! per leaf, in the tree's order: length u32, the leaf's bytes
//! per group of 256 leaves: where it begins in the file u64, root of its leaves 32
//! number of leaves u64, where the groups' table begins u64, "LEAFLAMP"
//! ```
//!
//! All numbers are big-endian. Written beside and renamed, not waited for: it is derived, and what was lost is made
//! anew at the next epoch's end. A proof that is made from it is verified before it is given out.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use ledger::block::Seal;
use ledger::merkle::{self, Frontier, Hash, ProofError};
use ledger::state::State;
use ledger::state_leaf::{LeafKey, StateLeaf};

use crate::limits::{LEAVES_BUFFER_BYTES, LEAVES_KEPT};

const MAGIC: &[u8; 8] = b"LAMPLEAF";
const END: &[u8; 8] = b"LEAFLAMP";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 8 + 4 + 32 + 8;
const FOOTER_BYTES: usize = 8 + 8 + 8;
const GROUP_BYTES: usize = 8 + 32;
/// Leaves of a group: a proof reads one group or two, and the groups' roots.
const GROUP_LEVEL: u32 = 8;
const GROUP_LEAVES: u64 = 1 << GROUP_LEVEL;

/// The leaves could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LeavesError {
    /// The operating system refused.
    #[error("{file}: {source}")]
    Io {
        /// The file or directory.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("{0} is damaged; it is made anew at the next epoch's end")]
    Damaged(PathBuf),
}

/// A leaf with its path to the state's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenLeaf {
    /// The leaf's bytes.
    pub bytes: Vec<u8>,
    /// Its place, from 0.
    pub index: u64,
    /// Number of leaves.
    pub size: u64,
    /// The inclusion proof (RFC 6962 section 2.1.1).
    pub path: Vec<Hash>,
}

/// The newest leaves. They are written on a thread of their own, and blocks go on meanwhile; whoever asks for them then
/// waits until they are.
#[derive(Debug)]
pub struct Leaves {
    files: Arc<Files>,
    writing: Mutex<Option<JoinHandle<()>>>,
}

/// Where the leaves are kept.
#[derive(Debug)]
struct Files {
    directory: PathBuf,
    genesis_hash: Hash,
    newest: RwLock<Option<Arc<LeafFile>>>,
}

impl Leaves {
    /// Finds the newest leaves in `directory` that are whole; whatever else lies there is passed over.
    pub fn open(directory: &Path, genesis_hash: Hash) -> Leaves {
        let found = heights(directory).into_iter().rev().find_map(|height| {
            match LeafFile::open(directory, genesis_hash, height) {
                Ok(file) => Some(Arc::new(file)),
                Err(error) => {
                    tracing::warn!(%error, "the leaves of a state cannot be used");
                    None
                }
            }
        });
        let files = Files { directory: directory.to_owned(), genesis_hash, newest: RwLock::new(found) };
        Leaves { files: Arc::new(files), writing: Mutex::default() }
    }

    /// The leaves of the last epoch's end; `None` before the first one that this directory saw.
    pub fn newest(&self) -> Option<Arc<LeafFile>> {
        self.wait();
        self.files.newest()
    }

    /// Keeps the leaves of a state when its block's seal commits to them. A failure is logged and nothing more: the
    /// older leaves still prove what they proved. Waits only where those of the epoch before are not yet written.
    pub fn follow(&self, state: &State, seal: &Seal) {
        if seal.state_root.is_none() {
            return;
        }
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        join(writing.take());
        if self.files.newest().is_some_and(|newest| newest.height == state.height()) {
            return;
        }
        let (files, state) = (Arc::clone(&self.files), state.clone());
        let started = thread::Builder::new().name("leaves".to_owned()).spawn(move || {
            if let Err(error) = files.write(&state) {
                tracing::error!(%error, "the leaves of the state were not kept: proofs of balances stay as old as they are");
            }
        });
        match started {
            Ok(thread) => *writing = Some(thread),
            Err(error) => tracing::error!(%error, "no thread for the leaves of the state"),
        }
    }

    /// Waits until what is being written is written.
    pub fn wait(&self) {
        join(self.writing.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread {
        let _panicked_and_said_so = thread.join();
    }
}

impl Files {
    fn newest(&self) -> Option<Arc<LeafFile>> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes the leaves of a state whose block's seal holds the state root.
    ///
    /// # Errors
    /// What the operating system says; the older leaves stay in use then.
    fn write(&self, state: &State) -> Result<(), LeavesError> {
        let height = state.height();
        let (file, new) = (path(&self.directory, height), self.directory.join("leaves.new"));
        let failed = |source| LeavesError::Io { file: file.clone(), source };
        fs::create_dir_all(&self.directory).map_err(failed)?;
        let written = write_leaves(&new, self.genesis_hash, state).and_then(|()| fs::rename(&new, &file));
        written.map_err(|source| {
            // On a full disk the half that was written is not left to fill it.
            let _stays = fs::remove_file(&new);
            failed(source)
        })?;
        let written = LeafFile::open(&self.directory, self.genesis_hash, height)?;
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(written));
        for old in heights(&self.directory).into_iter().rev().skip(LEAVES_KEPT) {
            // One that stays takes space and nothing else.
            let _stays = fs::remove_file(path(&self.directory, old));
        }
        Ok(())
    }
}

fn write_leaves(file: &Path, genesis_hash: Hash, state: &State) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(LEAVES_BUFFER_BYTES, File::create(file)?);
    out.write_all(MAGIC)?;
    out.write_all(&VERSION.to_be_bytes())?;
    out.write_all(&genesis_hash)?;
    out.write_all(&state.height().to_be_bytes())?;
    let (mut at, mut leaves) = (HEADER_BYTES as u64, 0_u64);
    let (mut table, mut group) = (Vec::new(), (at, Frontier::new()));
    let mut result = Ok(());
    state.for_each_leaf(|leaf| {
        if result.is_err() {
            return;
        }
        result = out.write_all(&(leaf.len() as u32).to_be_bytes()).and_then(|()| out.write_all(leaf));
        at += 4 + leaf.len() as u64;
        leaves += 1;
        group.1.append(merkle::leaf_hash(leaf));
        if leaves.is_multiple_of(GROUP_LEAVES) {
            push_group(&mut table, &group);
            group = (at, Frontier::new());
        }
    });
    result?;
    if !leaves.is_multiple_of(GROUP_LEAVES) {
        push_group(&mut table, &group);
    }
    out.write_all(&table)?;
    out.write_all(&leaves.to_be_bytes())?;
    out.write_all(&at.to_be_bytes())?;
    out.write_all(END)?;
    out.flush()
}

fn push_group(table: &mut Vec<u8>, (begins, group): &(u64, Frontier)) {
    table.extend_from_slice(&begins.to_be_bytes());
    table.extend_from_slice(&group.root());
}

/// The leaves of one state.
#[derive(Debug)]
pub struct LeafFile {
    path: PathBuf,
    file: File,
    height: u64,
    leaves: u64,
    groups: Vec<(u64, Hash)>,
    /// Where the last group ends.
    ends: u64,
}

impl LeafFile {
    fn open(directory: &Path, genesis_hash: Hash, height: u64) -> Result<LeafFile, LeavesError> {
        let path = path(directory, height);
        let io = |source| LeavesError::Io { file: path.clone(), source };
        let file = File::open(&path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let read = |at: u64, bytes: usize| -> Result<Vec<u8>, LeavesError> {
            let mut read = vec![0; bytes];
            file.read_exact_at(&mut read, at).map_err(|_| LeavesError::Damaged(path.clone()))?;
            Ok(read)
        };
        let damaged = || LeavesError::Damaged(path.clone());
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&VERSION.to_be_bytes());
        header.extend_from_slice(&genesis_hash);
        header.extend_from_slice(&height.to_be_bytes());
        let footer_at = length.checked_sub(FOOTER_BYTES as u64).ok_or_else(damaged)?;
        let footer = read(footer_at, FOOTER_BYTES)?;
        if read(0, HEADER_BYTES)? != header || !footer.ends_with(END) {
            return Err(damaged());
        }
        let (leaves, ends) = (number(&footer), number(&footer[8..]));
        let table_bytes = footer_at.checked_sub(ends).ok_or_else(damaged)?;
        if leaves.div_ceil(GROUP_LEAVES).checked_mul(GROUP_BYTES as u64) != Some(table_bytes) {
            return Err(damaged());
        }
        let table = read(ends, table_bytes as usize)?;
        let group = |bytes: &[u8; GROUP_BYTES]| {
            let (begins, root) = bytes.split_at(8);
            (number(begins), root.try_into().unwrap_or_default())
        };
        let groups: Vec<(u64, Hash)> = table.as_chunks().0.iter().map(group).collect();
        if !groups.is_sorted() || groups.last().is_none_or(|(begins, _)| *begins > ends) {
            return Err(damaged());
        }
        Ok(LeafFile { file, height, leaves, groups, ends, path })
    }

    /// The block whose seal holds this state's root.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// The leaf of this key with its path; `None` where the state had none.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn prove(&self, key: LeafKey) -> Result<Option<ProvenLeaf>, LeavesError> {
        let (mut from, mut to) = (0, self.groups.len());
        // The last group whose first leaf is not beyond the key.
        while to - from > 1 {
            let middle = from.midpoint(to);
            let first = self.first_key(middle)?;
            if first <= key { from = middle } else { to = middle }
        }
        let group = self.group(from)?;
        for (at, bytes) in group.iter().enumerate() {
            let found = StateLeaf::decode(bytes).map_err(|_| self.damaged())?.key();
            if found == key {
                let index = ((from as u64) << GROUP_LEVEL) + at as u64;
                let (bytes, path) = (bytes.clone(), self.path_of(index, (from, group.clone()))?);
                return Ok(Some(ProvenLeaf { bytes, index, size: self.leaves, path }));
            }
        }
        Ok(None)
    }

    fn path_of(&self, index: u64, held: (usize, Vec<Vec<u8>>)) -> Result<Vec<Hash>, LeavesError> {
        // The group of the leaf, and at the right edge of the tree perhaps the last one.
        let mut held = held;
        let node = |level: u32, at: u64| -> Result<Hash, LeavesError> {
            if level >= GROUP_LEVEL {
                let width = 1 << (level - GROUP_LEVEL);
                let groups = usize::try_from(at).ok().and_then(|at| {
                    let first = at.checked_mul(width)?;
                    self.groups.get(first..first.checked_add(width)?)
                });
                return groups
                    .map(|groups| merkle::root_of(groups.iter().map(|(_, root)| *root)))
                    .ok_or_else(|| self.damaged());
            }
            let first = at << level;
            let group = (first >> GROUP_LEVEL) as usize;
            if held.0 != group {
                held = (group, self.group(group)?);
            }
            let offset = (first % GROUP_LEAVES) as usize;
            let leaves = held.1.get(offset..offset + (1 << level)).ok_or_else(|| self.damaged())?;
            Ok(merkle::root_of(leaves.iter().map(|leaf| merkle::leaf_hash(leaf))))
        };
        merkle::inclusion_proof(index, self.leaves, node).map_err(|error| match error {
            ProofError::OutOfTree => self.damaged(),
            ProofError::Node(error) => error,
        })
    }

    /// The leaves of one group.
    fn group(&self, group: usize) -> Result<Vec<Vec<u8>>, LeavesError> {
        let (begins, _) = self.groups.get(group).ok_or_else(|| self.damaged())?;
        let ends = self.groups.get(group + 1).map_or(self.ends, |(begins, _)| *begins);
        let bytes = self.read(*begins, ends - begins)?;
        let mut rest = bytes.as_slice();
        let mut leaves = Vec::with_capacity(GROUP_LEAVES as usize);
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            let (leaf, after) = after.split_at_checked(length).ok_or_else(|| self.damaged())?;
            leaves.push(leaf.to_vec());
            rest = after;
        }
        if rest.is_empty() { Ok(leaves) } else { Err(self.damaged()) }
    }

    fn first_key(&self, group: usize) -> Result<LeafKey, LeavesError> {
        let (begins, _) = self.groups.get(group).ok_or_else(|| self.damaged())?;
        let length = self.read(*begins, 4)?;
        let length = length.first_chunk().map_or(0, |length| u32::from_be_bytes(*length));
        let leaf = self.read(begins + 4, length.into())?;
        StateLeaf::decode(&leaf).map(|leaf| leaf.key()).map_err(|_| self.damaged())
    }

    fn read(&self, at: u64, length: u64) -> Result<Vec<u8>, LeavesError> {
        // A length that rot has made up must not become an allocation.
        if at.checked_add(length).is_none_or(|end| end > self.ends) {
            return Err(self.damaged());
        }
        let mut bytes = vec![0; length as usize];
        let read = self.file.read_exact_at(&mut bytes, at);
        read.map_err(|source| LeavesError::Io { file: self.path.clone(), source })?;
        Ok(bytes)
    }

    fn damaged(&self) -> LeavesError {
        LeavesError::Damaged(self.path.clone())
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn path(directory: &Path, height: u64) -> PathBuf {
    directory.join(format!("{height}.leaves"))
}

/// Heights of the files in the directory, ascending; whether they can be read is another matter.
fn heights(directory: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let height = |name: &str| name.strip_suffix(".leaves")?.parse().ok();
    let mut heights: Vec<u64> =
        entries.filter_map(Result::ok).filter_map(|entry| height(entry.file_name().to_str()?)).collect();
    heights.sort_unstable();
    heights
}

#[cfg(test)]
mod tests;
