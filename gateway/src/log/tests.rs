//! The log's claims: what was appended is read back, a torn tail is cut, damage is named.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use ledger::block::{Block, Seal};

use super::*;
use crate::disk::{Disk, DiskFile, Files};
use std::sync::atomic::{AtomicBool, Ordering};

fn block(height: u64) -> Block {
    let entries = (0..3_u8).map(|entry| vec![0xd2, entry, height as u8]).collect::<Vec<_>>();
    let seal = Seal {
        height,
        time_unix_milliseconds: 1_000 + height,
        entries: 3,
        refused: [0; 8],
        results_root: [1; 32],
        log_root: [2; 32],
        state_root: None,
        settled_epochs: None,
    };
    Block { entries, seal }
}

fn filled(directory: &Path, blocks: u64) -> Vec<Position> {
    let (mut log, cut) = Log::open(directory, [7; 32], 0).unwrap();
    assert_eq!(cut, None);
    (0..blocks).map(|height| log.append(&block(height)).unwrap()).collect()
}

fn heights(directory: &Path) -> Result<Vec<u64>, LogError> {
    LogReader::open(directory, [7; 32])
        .unwrap()
        .blocks()
        .map(|block| block.map(|(_, height, _)| height))
        .collect()
}

#[test]
fn blocks_read_back_by_position_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let positions = filled(directory.path(), 5);
    let reader = LogReader::open(directory.path(), [7; 32]).unwrap();
    for (height, position) in (0..).zip(&positions) {
        assert_eq!(reader.read(*position).unwrap(), block(height));
    }
    assert_eq!(heights(directory.path()).unwrap(), [0, 1, 2, 3, 4]);
    let from: Vec<u64> = reader.blocks_from(positions[3]).map(|block| block.unwrap().1).collect();
    assert_eq!(from, [3, 4]);
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_back_to_the_last_whole_block() {
    let directory = tempfile::tempdir().unwrap();
    let positions = filled(directory.path(), 3);
    let file = LogReader::open(directory.path(), [7; 32]).unwrap().path(1);
    let whole = fs::read(&file).unwrap();
    let last = positions[2].offset as usize;
    for length in last..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        if length > last {
            assert!(
                matches!(heights(directory.path()), Err(LogError::TornTail { .. })),
                "a reader cuts nothing"
            );
        }
        let (mut log, cut) = Log::open(directory.path(), [7; 32], 0).unwrap();
        assert_eq!(
            cut.map(|cut| (cut.offset, cut.bytes)),
            (length > last).then_some((last as u64, (length - last) as u64))
        );
        assert_eq!(log.next_height(), 2);
        log.append(&block(2)).unwrap();
        assert_eq!(fs::read(&file).unwrap(), whole, "after {length} bytes the block is written as before");
    }
}

#[test]
fn a_last_block_of_which_pages_were_lost_is_cut() {
    let directory = tempfile::tempdir().unwrap();
    let positions = filled(directory.path(), 3);
    let file = LogReader::open(directory.path(), [7; 32]).unwrap().path(1);
    let mut bytes = fs::read(&file).unwrap();
    bytes[positions[2].offset as usize..].fill(0);
    fs::write(&file, bytes).unwrap();
    let acknowledged = Log::open(directory.path(), [7; 32], 9).unwrap_err();
    assert!(matches!(acknowledged, LogError::Broken { .. }), "{acknowledged}");
    let (log, cut) = Log::open(directory.path(), [7; 32], 8).unwrap();
    assert!(cut.is_some());
    assert_eq!(log.next_height(), 2);
}

#[test]
fn one_altered_byte_before_the_last_block_refuses_with_file_and_offset() {
    let directory = tempfile::tempdir().unwrap();
    let positions = filled(directory.path(), 4);
    let file = LogReader::open(directory.path(), [7; 32]).unwrap().path(1);
    let whole = fs::read(&file).unwrap();
    for at in 0..positions[3].offset as usize {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&file, &bytes).unwrap();
        let error = Log::open(directory.path(), [7; 32], 0).unwrap_err();
        let LogError::Broken { file: named, offset, .. } = &error else { panic!("byte {at}: {error}") };
        assert_eq!(*named, file);
        let block = positions.iter().rfind(|position| position.offset as usize <= at).map_or(0, |p| p.offset);
        assert_eq!(*offset, block, "byte {at}");
        assert!(error.to_string().contains("restore"), "{error}");
        assert_eq!(fs::read(&file).unwrap(), bytes, "nothing was changed");
    }
}

#[test]
fn an_altered_byte_in_the_last_block_is_seen_by_a_reader() {
    let directory = tempfile::tempdir().unwrap();
    let positions = filled(directory.path(), 2);
    let file = LogReader::open(directory.path(), [7; 32]).unwrap().path(1);
    let whole = fs::read(&file).unwrap();
    for at in positions[1].offset as usize..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&file, &bytes).unwrap();
        assert!(heights(directory.path()).is_err(), "byte {at}");
    }
}

#[test]
fn a_log_of_another_genesis_is_foreign() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 1);
    assert!(matches!(Log::open(directory.path(), [8; 32], 0), Err(LogError::Foreign { .. })));
}

#[test]
fn a_missing_segment_is_named() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 1);
    let reader = LogReader::open(directory.path(), [7; 32]).unwrap();
    fs::rename(reader.path(1), reader.path(2)).unwrap();
    let error = Log::open(directory.path(), [7; 32], 0).unwrap_err();
    assert!(error.to_string().contains("00000001.segment"), "{error}");
}

#[test]
fn a_newer_format_is_refused_with_its_version() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 1);
    let file = LogReader::open(directory.path(), [7; 32]).unwrap().path(1);
    let mut bytes = fs::read(&file).unwrap();
    bytes[11] = FORMAT_VERSION as u8 + 1;
    let checksum = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&checksum.to_be_bytes());
    fs::write(&file, bytes).unwrap();
    assert!(
        matches!(Log::open(directory.path(), [7; 32], 0), Err(LogError::Version { version, .. }) if version == FORMAT_VERSION + 1)
    );
}

#[test]
fn a_segment_whose_creation_was_torn_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 2);
    let file = LogReader::open(directory.path(), [7; 32]).unwrap().path(2);
    fs::write(&file, b"LAMP").unwrap();
    let (mut log, cut) = Log::open(directory.path(), [7; 32], 0).unwrap();
    assert_eq!(cut.map(|cut| cut.offset), Some(0));
    log.append(&block(2)).unwrap();
    assert_eq!(heights(directory.path()).unwrap(), [0, 1, 2]);
}

#[test]
fn a_full_segment_is_followed_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(directory.path(), [7; 32], 0).unwrap();
    let first = log.append(&block(0)).unwrap();
    log.offset = limits::SEGMENT_BYTES_MAX + 1;
    let second = log.append(&block(1)).unwrap();
    assert_eq!((first.segment, second.segment), (1, 2));
    assert_eq!(heights(directory.path()).unwrap(), [0, 1]);
}

/// Files whose next write, sync or removal can be made to fail.
#[derive(Debug, Clone)]
struct Failing {
    files: Files,
    switches: Arc<Switches>,
}

#[derive(Debug, Default)]
struct Switches {
    write: AtomicBool,
    sync: AtomicBool,
    cut: AtomicBool,
}

#[derive(Debug)]
struct FailingFile {
    file: Box<dyn DiskFile>,
    switches: Arc<Switches>,
}

impl Failing {
    fn of(directory: &Path) -> Failing {
        Failing { files: Files::of(directory), switches: Arc::default() }
    }

    fn wrap(&self, file: io::Result<Box<dyn DiskFile>>) -> io::Result<Box<dyn DiskFile>> {
        file.map(|file| Box::new(FailingFile { file, switches: self.switches.clone() }) as Box<dyn DiskFile>)
    }
}

impl Disk for Failing {
    fn place(&self, name: &str) -> PathBuf {
        self.files.place(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.files.open(name)
    }
    fn open_to_write(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.wrap(self.files.open_to_write(name))
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.wrap(self.files.create(name))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }
    fn sync_directory(&self) -> io::Result<()> {
        self.files.sync_directory()
    }
}

impl DiskFile for FailingFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.switches.write.swap(false, Ordering::Relaxed) {
            self.file.write_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(ErrorKind::StorageFull.into());
        }
        self.file.write_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        if self.switches.sync.swap(false, Ordering::Relaxed) {
            return Err(io::Error::other("the medium failed"));
        }
        self.file.sync()
    }
    fn set_length(&self, length: u64) -> io::Result<()> {
        if self.switches.cut.swap(false, Ordering::Relaxed) {
            return Err(io::Error::other("the medium failed"));
        }
        self.file.set_length(length)
    }
    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        if self.switches.write.swap(false, Ordering::Relaxed) {
            return Err(ErrorKind::StorageFull.into());
        }
        self.file.reserve(offset, bytes)
    }
    fn forget_cache(&self) -> io::Result<()> {
        self.file.forget_cache()
    }
}

#[test]
fn a_block_that_finds_the_disk_full_leaves_the_log_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Failing::of(directory.path());
    let (mut log, _) = Log::on(Arc::new(disk.clone()), [7; 32], 0).unwrap();
    log.append(&block(0)).unwrap();
    disk.switches.write.store(true, Ordering::Relaxed);
    assert!(log.make_room().unwrap_err().is_full());
    disk.switches.write.store(true, Ordering::Relaxed);
    assert!(log.append(&block(1)).unwrap_err().is_full());
    assert_eq!(heights(directory.path()).unwrap(), [0]);
    log.make_room().unwrap();
    log.append(&block(1)).unwrap();
    assert_eq!(heights(directory.path()).unwrap(), [0, 1]);
}

#[test]
fn a_failed_sync_is_never_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Failing::of(directory.path());
    let (mut log, _) = Log::on(Arc::new(disk.clone()), [7; 32], 0).unwrap();
    log.append(&block(0)).unwrap();
    disk.switches.sync.store(true, Ordering::Relaxed);
    assert!(matches!(log.append(&block(1)), Err(LogError::NotDurable { .. })));
    assert!(matches!(log.append(&block(1)), Err(LogError::Stopped(_))), "the disk would take it now");
    assert!(matches!(log.make_room(), Err(LogError::Stopped(_))));
    drop(log);
    let (mut log, _) = Log::on(Arc::new(disk), [7; 32], 4).unwrap();
    assert_eq!(log.next_height(), 1, "what was in doubt is not there");
    log.append(&block(1)).unwrap();
    assert_eq!(heights(directory.path()).unwrap(), [0, 1]);
}

#[test]
fn a_torn_block_that_cannot_be_taken_back_stops_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Failing::of(directory.path());
    let (mut log, _) = Log::on(Arc::new(disk.clone()), [7; 32], 0).unwrap();
    log.append(&block(0)).unwrap();
    disk.switches.write.store(true, Ordering::Relaxed);
    disk.switches.cut.store(true, Ordering::Relaxed);
    assert!(log.append(&block(1)).is_err());
    assert!(matches!(log.append(&block(1)), Err(LogError::Stopped(_))));
    let (log, cut) = Log::on(Arc::new(disk), [7; 32], 4).unwrap();
    assert!(cut.is_some());
    assert_eq!(log.next_height(), 1);
}

#[test]
fn a_log_whose_content_cannot_be_made_durable_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 2);
    let disk = Failing::of(directory.path());
    disk.switches.sync.store(true, Ordering::Relaxed);
    assert!(Log::on(Arc::new(disk), [7; 32], 0).is_err());
}

#[test]
fn a_next_segment_that_finds_no_space_is_made_later() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Failing::of(directory.path());
    let (mut log, _) = Log::on(Arc::new(disk.clone()), [7; 32], 0).unwrap();
    log.append(&block(0)).unwrap();
    log.offset = limits::SEGMENT_BYTES_MAX + 1;
    disk.switches.write.store(true, Ordering::Relaxed);
    assert!(log.make_room().unwrap_err().is_full());
    assert_eq!(heights(directory.path()).unwrap(), [0]);
    log.make_room().unwrap();
    assert_eq!(log.append(&block(1)).unwrap().segment, 2);
    log.give_back_room();
    assert_eq!(heights(directory.path()).unwrap(), [0, 1]);
}
