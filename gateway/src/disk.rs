//! What the block log needs of a disk and nothing more: the files of one directory. Here over real files; a
//! simulation has another implementation, which loses, tears and damages what was not synced.
//!
//! Nothing that was written, created, removed or cut is durable before the file (and for names, the directory) was
//! synced. A sync that failed says nothing about what is on the disk, and the next one that succeeds does not either:
//! the system may have forgotten what it could not write. So a failed sync is never tried again.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, FallocateFlags};
use rustix::io::Errno;

/// One directory of files, by their names.
pub trait Disk: Debug + Send + Sync {
    /// Where a file lies, for the sentences that name it.
    fn place(&self, name: &str) -> PathBuf;

    /// The names of all files, in any order.
    ///
    /// # Errors
    /// What the disk says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file that exists, for reading.
    ///
    /// # Errors
    /// What the disk says.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that exists, for reading and writing.
    ///
    /// # Errors
    /// What the disk says.
    fn open_to_write(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Makes an empty file that did not exist, for reading and writing.
    ///
    /// # Errors
    /// What the disk says.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the disk says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Waits until the directory's names are durable as they are.
    ///
    /// # Errors
    /// What the disk says; then nothing is known about names made or removed since the last success.
    fn sync_directory(&self) -> io::Result<()>;
}

/// An open file. Offsets and lengths are bytes.
pub trait DiskFile: Debug + Send + Sync {
    /// Its length.
    ///
    /// # Errors
    /// What the disk says.
    fn length(&self) -> io::Result<u64>;

    /// Fills the whole buffer from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before, or what the disk says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all bytes at `offset`, making the file longer where needed.
    ///
    /// # Errors
    /// What the disk says; then any part of the bytes may stand there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Waits until content and length are durable.
    ///
    /// # Errors
    /// What the disk says; then nothing is known about what was written since the last success.
    fn sync(&self) -> io::Result<()>;

    /// Cuts or extends the file; space reserved behind its new end is given back.
    ///
    /// # Errors
    /// What the disk says.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Takes disk space for `bytes` from `offset` on without changing the length, so that writing there does not find
    /// the disk full. Where the file system cannot reserve, nothing happens.
    ///
    /// # Errors
    /// That the disk is full, or what else it says.
    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()>;

    /// Lets the system forget what it remembers of this file, so that what is read next comes from the disk: after a
    /// failed sync the memory may hold what the disk does not.
    ///
    /// # Errors
    /// What the disk says.
    fn forget_cache(&self) -> io::Result<()>;
}

/// Whether an error says that there is no space.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// A directory of the file system.
#[derive(Debug, Clone)]
pub struct Files {
    directory: PathBuf,
}

impl Files {
    /// The files of `directory`, which need not exist until something is read or written.
    pub fn of(directory: &Path) -> Files {
        Files { directory: directory.to_owned() }
    }

    fn open_with(&self, name: &str, options: &OpenOptions) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(options.open(self.place(name))?))
    }
}

impl Disk for Files {
    fn place(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.directory)?;
        // A name that is no text is none of ours.
        entries
            .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
            .collect()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.open_with(name, OpenOptions::new().read(true))
    }

    fn open_to_write(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.open_with(name, OpenOptions::new().read(true).write(true))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        fs::create_dir_all(&self.directory)?;
        self.open_with(name, OpenOptions::new().read(true).write(true).create_new(true))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.place(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, FallocateFlags::KEEP_SIZE, offset, bytes) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn forget_cache(&self) -> io::Result<()> {
        Ok(rustix::fs::fadvise(self, 0, None, Advice::DontNeed)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_what_was_written_and_reserving_changes_no_length() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Files::of(&directory.path().join("log"));
        let file = disk.create("one").unwrap();
        file.write_at(b"first", 0).unwrap();
        file.reserve(5, 1 << 20).unwrap();
        file.write_at(b"second", 5).unwrap();
        file.sync().and_then(|()| disk.sync_directory()).and_then(|()| file.forget_cache()).unwrap();
        assert_eq!(file.length().unwrap(), 11);
        let mut read = [0; 6];
        disk.open("one").unwrap().read_at(&mut read, 5).unwrap();
        assert_eq!(&read, b"second");
        assert_eq!(file.read_at(&mut read, 6).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(disk.create("one").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(disk.list().unwrap(), ["one"]);
        disk.remove("one").unwrap();
        assert!(disk.list().unwrap().is_empty());
    }

    #[test]
    fn a_file_opened_for_reading_takes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Files::of(directory.path());
        disk.create("one").unwrap();
        assert!(disk.open("one").unwrap().write_at(b"x", 0).is_err());
        disk.open_to_write("one").unwrap().write_at(b"x", 0).unwrap();
    }
}
