//! Whether the disk has room for another block, asked before one is executed: what is executed can then be written.
//!
//! Room is free space above a reserve, which is left to what is derived (index, rows, snapshots) and to whoever has to
//! tidy up, and space behind the log's end that is taken in advance where the file system can do so.

use std::path::{Path, PathBuf};

use crate::limits;
use crate::log::{Log, LogError};

/// How much space there is, and whether that is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Space {
    /// Nothing is accepted until there is room again.
    pub full: bool,
    /// Free on the data directory's file system, bytes.
    pub free_bytes: u64,
    /// Kept free, bytes.
    pub reserve_bytes: u64,
}

/// Looks for room in one data directory.
#[derive(Debug)]
pub struct Room {
    root: PathBuf,
    space: Space,
}

impl Room {
    /// Room in the data directory `root` that leaves `reserve_bytes` free.
    pub fn in_directory(root: &Path, reserve_bytes: u64) -> Room {
        Room { root: root.to_owned(), space: Space { full: false, free_bytes: 0, reserve_bytes } }
    }

    /// What the last look found.
    pub fn space(&self) -> Space {
        self.space
    }

    /// Looks whether there is room for the next block, and takes it for the log.
    ///
    /// # Errors
    /// When the log can take no blocks at all, for another reason than a full disk.
    pub fn look(&mut self, log: &mut Log) -> Result<bool, LogError> {
        self.space.free_bytes = free_bytes(&self.root);
        let mut wanted = self.space.reserve_bytes;
        if self.space.full {
            // Somewhat more to go on than to stop, so that a disk at the brink does not start and stop all the time.
            wanted = wanted.saturating_add(limits::DISK_RESUME_BYTES);
        }
        let full = self.space.free_bytes < wanted || !takes_room(log)?;
        if full != self.space.full {
            self.say(full);
        }
        self.space.full = full;
        Ok(!full)
    }

    fn say(&self, full: bool) {
        let (data, free, reserve) = (self.root.display(), self.space.free_bytes, self.space.reserve_bytes);
        match full {
            true => {
                tracing::error!(%data, free, reserve, "the disk is full: nothing is accepted until there is room")
            }
            false => tracing::info!(%data, free, reserve, "the disk has room again"),
        }
    }
}

fn takes_room(log: &mut Log) -> Result<bool, LogError> {
    match log.make_room() {
        Ok(()) => Ok(true),
        Err(error) if error.is_full() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Bytes that a process without privileges may still write where `directory` lies. One that cannot be asked has room:
/// then the log's own attempt decides.
pub fn free_bytes(directory: &Path) -> u64 {
    rustix::fs::statvfs(directory).map_or(u64::MAX, |found| found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_above_the_free_space_leaves_no_room_until_it_is_met_with_some_to_spare() {
        let directory = tempfile::tempdir().unwrap();
        let (mut log, _) = Log::open(&directory.path().join("log"), [7; 32], 0).unwrap();
        let mut room = Room::in_directory(directory.path(), u64::MAX);
        assert!(!room.look(&mut log).unwrap());
        assert!(room.space().full && room.space().free_bytes > 0);
        room.space.reserve_bytes = room.space().free_bytes.saturating_sub(limits::DISK_RESUME_BYTES / 2);
        assert!(!room.look(&mut log).unwrap(), "at the brink it stays stopped");
        room.space.reserve_bytes = 0;
        assert!(room.look(&mut log).unwrap());
    }
}
