//! From a backup to a data directory: everything is verified before it is moved into place.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ledger::genesis::Genesis;

use super::{BackupError, Manifest, be_new, check_validator, copy, sync_all, verify};
use crate::data_dir::{self, BACKUP_FILE, DataDir, DataDirError};

/// Makes the data directory `data`, which must not exist or be empty, from the backup in `from`. It is made beside and
/// moved into place when everything was verified: every file's hash, every checksum of the log, and the log's root
/// against the signed checkpoint.
///
/// # Errors
/// One sentence; then there is no data directory.
pub fn restore(
    from: &Path,
    data: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Manifest, BackupError> {
    let manifest = read_manifest(from)?;
    if manifest.format != data_dir::FORMAT_VERSION {
        return Err(DataDirError::of_version(from, manifest.format).into());
    }
    let is_empty = |entries: fs::ReadDir| entries.count() == 0;
    if data.exists() && !fs::read_dir(data).is_ok_and(is_empty) {
        return Err(BackupError::Exists(data.to_owned()));
    }
    let beside = beside(data);
    be_new(&beside)?;
    let made = make(from, &beside, &manifest, progress).and_then(|()| {
        let io = |source| BackupError::Io { file: data.to_owned(), source };
        if data.exists() {
            fs::remove_dir(data).map_err(io)?;
        }
        fs::rename(&beside, data).map_err(io)?;
        let parent = data.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(io)
    });
    if made.is_err() {
        let _was_ours = fs::remove_dir_all(&beside);
    }
    made.map(|()| manifest)
}

fn make(
    from: &Path,
    to: &Path,
    manifest: &Manifest,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), BackupError> {
    if let Some(stranger) = files(from, "")?.into_iter().find(|name| !manifest.files.contains_key(name)) {
        return Err(BackupError::Altered(from.join(stranger), "the backup's list does not know it"));
    }
    let total = manifest.files.values().map(|entry| entry.bytes).sum();
    let mut done = 0;
    for (name, expected) in &manifest.files {
        let file = from.join(name);
        if !is_inside(name) {
            return Err(BackupError::Altered(file, "its path leads out of the backup"));
        }
        let mut open = File::open(&file).map_err(|source| BackupError::Io { file: file.clone(), source })?;
        let secret = name.starts_with("keys/") || name.starts_with("fleet/");
        let found = copy(&mut open, &to.join(name), if secret { 0o600 } else { 0o644 }, &mut |bytes| {
            done += bytes;
            progress(done, total);
        })?;
        if found != *expected {
            return Err(BackupError::Altered(file, "its size or hash is another"));
        }
    }
    let genesis = DataDir::look(to)?.genesis()?.ok_or_else(|| BackupError::NoBackup(from.to_owned()))?;
    let checkpoint =
        DataDir::look(to)?.checkpoint()?.ok_or_else(|| BackupError::NoBackup(from.to_owned()))?;
    check(to, &genesis, &checkpoint, manifest)?;
    sync_all(to).map_err(|source| BackupError::Io { file: to.to_owned(), source })
}

fn check(to: &Path, genesis: &Genesis, checkpoint: &str, manifest: &Manifest) -> Result<(), BackupError> {
    let handovers = DataDir::look(to)?.handovers(genesis)?;
    let end = verify(to, &handovers, checkpoint)?;
    if (end.log.size(), hex::encode(end.log.root())) != (manifest.log_size, manifest.root.clone()) {
        return Err(BackupError::Root(manifest.log_size));
    }
    check_validator(to, &handovers)
}

fn read_manifest(from: &Path) -> Result<Manifest, BackupError> {
    let no_backup = || BackupError::NoBackup(from.to_owned());
    let text = fs::read_to_string(from.join(BACKUP_FILE)).map_err(|_| no_backup())?;
    serde_json::from_str(&text).map_err(|_| no_backup())
}

/// Whether a path names a file below the directory that it is joined to.
fn is_inside(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    parts.all(|part| matches!(part, std::path::Component::Normal(_)))
}

/// The paths of all files below `directory`, the list itself excepted.
fn files(directory: &Path, prefix: &str) -> Result<BTreeSet<String>, BackupError> {
    let io = |source| BackupError::Io { file: directory.to_owned(), source };
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(io)?.is_dir() {
            found.extend(files(&entry.path(), &format!("{name}/"))?);
        } else if name != BACKUP_FILE {
            found.insert(name);
        }
    }
    Ok(found)
}

/// Where the data directory is made before it is one: on the same file system, so that moving it is one step.
fn beside(data: &Path) -> PathBuf {
    let mut name = data.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    data.with_file_name(name)
}
