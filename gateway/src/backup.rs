//! A consistent copy of a data directory whose node may be running, and the way back.
//!
//! A backup has the layout of a data directory without what is derived (rows, index, snapshots, leaves), and a list
//! `backup.json` with the size and SHA-256 of every file. The signed checkpoint is taken first and the log after it:
//! whatever was acknowledged before the backup began is covered by that checkpoint or lies behind it in the copy.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ledger::checkpoint::SignedCheckpoint;
use ledger::genesis::Genesis;
use ledger::handovers::Handovers;
use ledger::merkle::{Frontier, leaf_hash};
use ledger::note::Note;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock;
use crate::data_dir::{self, BACKUP_FILE, DataDir, DataDirError, VALIDATORS_FILE};
use crate::http::instant::rfc3339;
use crate::keys::{self, KeyFileError};
use crate::limits;
use crate::log::{LogError, LogReader};

mod restore;

pub use restore::restore;

/// A backup could not be made, or one cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The validator's key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The operating system refused.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// There is something already.
    #[error("{0} exists and is not empty: nothing is overwritten, choose another directory")]
    Exists(PathBuf),
    /// There is nothing to copy yet.
    #[error("{0} holds no signed checkpoint yet: start the node once")]
    Empty(PathBuf),
    /// It is no backup.
    #[error("{0} is no backup: it has no readable {BACKUP_FILE}")]
    NoBackup(PathBuf),
    /// A file is missing, too much, or other than the list says.
    #[error("{0} is not the file that was backed up: {1}")]
    Altered(PathBuf, &'static str),
    /// The checkpoint is not signed by the network's validators.
    #[error("{0} is not signed by the validators of this network")]
    Checkpoint(PathBuf),
    /// The log does not lead to the checkpoint's root.
    #[error("the copied log does not lead to the signed checkpoint of {0} entries")]
    Root(u64),
    /// The key is another network's.
    #[error("{0} is not the key of the validator that the genesis document names")]
    AnotherValidator(PathBuf),
}

/// What `backup.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the data format that the files have.
    pub format: u32,
    /// The network's id.
    pub network: String,
    /// When it was made, RFC 3339.
    pub made: String,
    /// Height of the last block in it.
    pub height: u64,
    /// Entries in it; the checkpoint covers these or fewer.
    pub log_size: u64,
    /// Root over them, hex.
    pub root: String,
    /// Whether the private keys are in it.
    pub keys: bool,
    /// Every other file by its path, with its size and hash.
    pub files: BTreeMap<String, FileEntry>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Bytes.
    pub bytes: u64,
    /// SHA-256, hex.
    pub sha256: String,
}

/// Copies the ledger in `data` to `to`, which must not exist or be empty. `progress` hears how many bytes of the log were
/// copied, of how many.
///
/// # Errors
/// One sentence; what was copied so far is taken away.
pub fn backup(
    data: &Path,
    to: &Path,
    with_keys: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Manifest, BackupError> {
    let directory = DataDir::look(data)?;
    // First of all: what is acknowledged from now on may or may not be in the copy, what was before is.
    let checkpoint = directory.checkpoint()?.ok_or_else(|| BackupError::Empty(data.to_owned()))?;
    let genesis = directory.genesis()?.ok_or_else(|| BackupError::Empty(data.to_owned()))?;
    let handovers = directory.handovers(&genesis)?;
    be_new(to)?;
    let copied = Copy { to, files: BTreeMap::new() }.all(
        &directory,
        &genesis,
        &handovers,
        &checkpoint,
        with_keys,
        progress,
    );
    if copied.is_err() {
        // Half a backup is worse than none, and this directory was empty before.
        let _what_stays_is_no_backup = fs::remove_dir_all(to);
    }
    copied
}

/// Makes the directory; one that holds something is refused.
fn be_new(directory: &Path) -> Result<(), BackupError> {
    let io = |source| BackupError::Io { file: directory.to_owned(), source };
    match fs::read_dir(directory) {
        Ok(entries) => {
            if entries.count() > 0 {
                return Err(BackupError::Exists(directory.to_owned()));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(BackupError::Exists(directory.to_owned()));
        }
        Err(source) => return Err(io(source)),
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)
}

struct Copy<'t> {
    to: &'t Path,
    files: BTreeMap<String, FileEntry>,
}

impl Copy<'_> {
    fn all(
        mut self,
        directory: &DataDir,
        genesis: &Genesis,
        handovers: &Handovers,
        checkpoint: &str,
        with_keys: bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Manifest, BackupError> {
        self.log(&directory.log(), genesis, progress)?;
        self.bytes("format", data_dir::format_line().as_bytes(), 0o644)?;
        self.bytes("genesis.json", genesis.to_json().as_bytes(), 0o644)?;
        self.bytes("checkpoint", checkpoint.as_bytes(), 0o644)?;
        // After the checkpoint: whoever signed that is in it.
        if handovers.present().version() > 0 {
            self.bytes(VALIDATORS_FILE, handovers.to_string().as_bytes(), 0o644)?;
        }
        // No log holds them: a device that is away when its owner commands it hears of it from whoever keeps the command.
        self.directory(directory.root(), "commands", 0o644)?;
        if with_keys {
            self.directory(directory.root(), "keys", 0o600)?;
            // After the log: what the virtual devices remember is then never older than what the ledger knows of them.
            self.directory(directory.root(), "fleet", 0o600)?;
        }
        let end = verify(self.to, handovers, checkpoint)?;
        let manifest = Manifest {
            format: data_dir::FORMAT_VERSION,
            network: genesis.network.clone(),
            made: rfc3339(clock::now_unix_milliseconds()),
            height: end.height,
            log_size: end.log.size(),
            root: hex::encode(end.log.root()),
            keys: with_keys,
            files: self.files,
        };
        let text = serde_json::to_string_pretty(&manifest).unwrap_or_default() + "\n";
        let file = self.to.join(BACKUP_FILE);
        // Last, and durable only with everything before it: a directory without it is no backup.
        sync_all(self.to).map_err(|source| BackupError::Io { file: self.to.to_owned(), source })?;
        data_dir::replace(&file, &[text.as_bytes()]).map_err(|source| BackupError::Io { file, source })?;
        Ok(manifest)
    }

    /// The log's files as far as whole blocks go. Only the last one still grows.
    fn log(
        &mut self,
        directory: &Path,
        genesis: &Genesis,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), BackupError> {
        let reader = LogReader::open(directory, genesis.hash())?;
        let parts = reader.parts()?;
        let total = parts.iter().map(|part| part.bytes).sum();
        let mut done = 0;
        for part in parts {
            let mut file = File::open(directory.join(&part.name))
                .map_err(|source| BackupError::Io { file: directory.join(&part.name), source })?
                .take(part.bytes);
            let name = format!("log/{}", part.name);
            self.stream(&name, &mut file, 0o644, &mut |bytes| {
                done += bytes;
                progress(done, total);
            })?;
        }
        Ok(())
    }

    /// The files of a directory, with this mode; nothing where there is none.
    fn directory(&mut self, root: &Path, name: &str, mode: u32) -> Result<(), BackupError> {
        let directory = root.join(name);
        let io = |source| BackupError::Io { file: directory.clone(), source };
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(io(source)),
        };
        for entry in entries {
            let entry = entry.map_err(io)?;
            let Ok(file) = entry.file_name().into_string() else { continue };
            if !entry.file_type().map_err(io)?.is_file() || file.ends_with(".new") {
                continue;
            }
            let content = match fs::read(entry.path()) {
                Ok(content) => content,
                // A running node replaces such files by renaming: one that is gone has a successor.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(BackupError::Io { file: entry.path(), source }),
            };
            self.bytes(&format!("{name}/{file}"), &content, mode)?;
        }
        Ok(())
    }

    fn bytes(&mut self, name: &str, content: &[u8], mode: u32) -> Result<(), BackupError> {
        self.stream(name, &mut { content }, mode, &mut |_| ())
    }

    fn stream(
        &mut self,
        name: &str,
        from: &mut dyn Read,
        mode: u32,
        each: &mut dyn FnMut(u64),
    ) -> Result<(), BackupError> {
        let entry = copy(from, &self.to.join(name), mode, each)?;
        self.files.insert(name.to_owned(), entry);
        Ok(())
    }
}

/// Copies into a new file; gives its size and hash.
fn copy(
    from: &mut dyn Read,
    to: &Path,
    mode: u32,
    each: &mut dyn FnMut(u64),
) -> Result<FileEntry, BackupError> {
    let io = |source| BackupError::Io { file: to.to_owned(), source };
    if let Some(parent) = to.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(io)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(to).map_err(io)?;
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; limits::COPY_BYTES];
    loop {
        let read = from.read(&mut buffer).map_err(io)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        file.write_all(&buffer[..read]).map_err(io)?;
        bytes += read as u64;
        each(read as u64);
    }
    file.sync_all().map_err(io)?;
    Ok(FileEntry { bytes, sha256: hex::encode(hash.finalize()) })
}

/// Makes the names in a directory and below it durable.
fn sync_all(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        }
    }
    File::open(directory)?.sync_all()
}

/// Where a copied log ends.
struct End {
    height: u64,
    log: Frontier,
}

/// Reads a copied log from its beginning to its end: every checksum, and every entry's hash up to the signed root.
fn verify(root: &Path, handovers: &Handovers, checkpoint: &str) -> Result<End, BackupError> {
    let file = root.join("checkpoint");
    let signed = Note::parse(checkpoint).ok();
    let signed = signed.and_then(|note| SignedCheckpoint::verify(&note, handovers).ok());
    let signed = signed.ok_or(BackupError::Checkpoint(file))?;
    let believed = signed.checkpoint();
    let reader = LogReader::open(&root.join("log"), *handovers.genesis_hash())?;
    let mut height = reader.first_height().saturating_sub(1);
    let mut log = reader.check_history(|_| ())?;
    reader.base_state()?;
    let mut holds = log.size() == believed.size && log.root() == believed.root;
    for step in reader.blocks() {
        let (_, at, block) = step?;
        height = at;
        let seal = block.seal.encode();
        block.entries.iter().chain([&seal]).for_each(|entry| log.append(leaf_hash(entry)));
        holds |= log.size() == believed.size && log.root() == believed.root;
    }
    if holds { Ok(End { height, log }) } else { Err(BackupError::Root(believed.size)) }
}

/// Whether the validator's key, where it is there, is this network's.
fn check_validator(root: &Path, handovers: &Handovers) -> Result<(), BackupError> {
    let file = root.join("keys/validator.pem");
    match keys::read(&file) {
        Ok(key) if handovers.known(&key.public_key()).is_some() => Ok(()),
        Ok(_) => Err(BackupError::AnotherValidator(file)),
        Err(KeyFileError::Missing(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
