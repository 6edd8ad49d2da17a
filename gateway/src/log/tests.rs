//! The log's claims: what was appended is read back, a torn tail is cut, damage is named.

use std::fs;
use std::path::Path;

use ledger::block::{Block, Seal};

use super::*;

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
    let (mut log, cut) = Log::open(directory, [7; 32]).unwrap();
    assert_eq!(cut, None);
    (0..blocks).map(|height| log.append(&block(height)).unwrap()).collect()
}

fn heights(directory: &Path) -> Result<Vec<u64>, LogError> {
    LogReader::open(directory, [7; 32]).blocks().map(|block| block.map(|(_, height, _)| height)).collect()
}

#[test]
fn blocks_read_back_by_position_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let positions = filled(directory.path(), 5);
    let reader = LogReader::open(directory.path(), [7; 32]);
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
    let file = LogReader::open(directory.path(), [7; 32]).path(1);
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
        let (mut log, cut) = Log::open(directory.path(), [7; 32]).unwrap();
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
    let file = LogReader::open(directory.path(), [7; 32]).path(1);
    let mut bytes = fs::read(&file).unwrap();
    bytes[positions[2].offset as usize..].fill(0);
    fs::write(&file, bytes).unwrap();
    let (log, cut) = Log::open(directory.path(), [7; 32]).unwrap();
    assert!(cut.is_some());
    assert_eq!(log.next_height(), 2);
}

#[test]
fn one_altered_byte_before_the_last_block_refuses_with_file_and_offset() {
    let directory = tempfile::tempdir().unwrap();
    let positions = filled(directory.path(), 4);
    let file = LogReader::open(directory.path(), [7; 32]).path(1);
    let whole = fs::read(&file).unwrap();
    for at in 0..positions[3].offset as usize {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&file, &bytes).unwrap();
        let error = Log::open(directory.path(), [7; 32]).unwrap_err();
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
    let file = LogReader::open(directory.path(), [7; 32]).path(1);
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
    assert!(matches!(Log::open(directory.path(), [8; 32]), Err(LogError::Foreign { .. })));
}

#[test]
fn a_missing_segment_is_named() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 1);
    let reader = LogReader::open(directory.path(), [7; 32]);
    fs::rename(reader.path(1), reader.path(2)).unwrap();
    let error = Log::open(directory.path(), [7; 32]).unwrap_err();
    assert!(error.to_string().contains("00000001.segment"), "{error}");
}

#[test]
fn a_newer_format_is_refused_with_its_version() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 1);
    let file = LogReader::open(directory.path(), [7; 32]).path(1);
    let mut bytes = fs::read(&file).unwrap();
    bytes[11] = 2;
    let checksum = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&checksum.to_be_bytes());
    fs::write(&file, bytes).unwrap();
    assert!(matches!(Log::open(directory.path(), [7; 32]), Err(LogError::Version { version: 2, .. })));
}

#[test]
fn a_segment_whose_creation_was_torn_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 2);
    let file = LogReader::open(directory.path(), [7; 32]).path(2);
    fs::write(&file, b"LAMP").unwrap();
    let (mut log, cut) = Log::open(directory.path(), [7; 32]).unwrap();
    assert_eq!(cut.map(|cut| cut.offset), Some(0));
    log.append(&block(2)).unwrap();
    assert_eq!(heights(directory.path()).unwrap(), [0, 1, 2]);
}

#[test]
fn a_full_segment_is_followed_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(directory.path(), [7; 32]).unwrap();
    let first = log.append(&block(0)).unwrap();
    log.offset = limits::SEGMENT_BYTES_MAX + 1;
    let second = log.append(&block(1)).unwrap();
    assert_eq!((first.segment, second.segment), (1, 2));
    assert_eq!(heights(directory.path()).unwrap(), [0, 1]);
}
