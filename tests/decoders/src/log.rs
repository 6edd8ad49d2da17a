//! The block log's recovery over any bytes, and one altered block in a log that is otherwise whole.

use crate::example::{Example, example};
use crate::memory::Memory;
use gateway::log::{Log, LogError, LogReader};
use ledger::block::Block;
use ledger::replay::Trust;
use ledger::state::State;
use std::sync::{Arc, OnceLock};

/// The first segment's name.
const SEGMENT: &str = "00000001.segment";
const SEGMENT_HEADER_BYTES: usize = 64;
const FRAME_HEADER_BYTES: usize = 24;

/// The example's log on a disk: its only segment, and where each block's frame begins in it.
struct Written {
    segment: Vec<u8>,
    frames: Vec<usize>,
}

fn written() -> &'static Written {
    static WRITTEN: OnceLock<Written> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let disk = Memory::default();
        let (mut log, _) = Log::on(Arc::new(disk.clone()), genesis_hash(), 0).expect("a new log");
        let append = |block: &Block| log.append(block).expect("memory is never full").offset;
        let frames = example().blocks.iter().map(append).map(|at| usize::try_from(at).expect("short"));
        let frames = frames.collect();
        drop(log);
        Written { segment: disk.content(SEGMENT), frames }
    })
}

fn genesis_hash() -> [u8; 32] {
    example().genesis.hash()
}

impl Written {
    /// The frame of a block: header and payload.
    fn frame(&self, height: usize) -> &[u8] {
        let end = self.frames.get(height + 1).copied().unwrap_or(self.segment.len());
        &self.segment[self.frames[height]..end]
    }
}

/// The input is a segment as it may lie on a disk after anything.
pub(crate) fn log(bytes: &[u8]) {
    let disk = Memory::holding(SEGMENT, bytes);
    let Ok((mut log, cut)) = Log::on(Arc::new(disk.clone()), genesis_hash(), 0) else { return };
    let blocks = read(&log.reader()).expect("what recovery leaves can be read");
    assert_eq!(log.next_height(), blocks.len() as u64);
    let content = disk.content(SEGMENT);
    if cut.is_none() && !bytes.is_empty() {
        assert_eq!(content, bytes, "recovery that cuts nothing changes nothing");
    }
    // A segment that is no longer than its header may be a creation that was torn, and is made anew.
    let is_kept = content.starts_with(&bytes[..bytes.len().min(content.len())]);
    assert!(is_kept || bytes.len() <= SEGMENT_HEADER_BYTES, "recovery cuts an end and changes nothing else");
    let mut at = SEGMENT_HEADER_BYTES;
    for (height, block) in blocks.iter().enumerate() {
        // A header holds its block's checksum: while the header is the one that was written, so is the block.
        let header = &content[at..at + FRAME_HEADER_BYTES];
        if example().blocks.len() > height && header == &written().frame(height)[..FRAME_HEADER_BYTES] {
            assert_eq!(block, &example().blocks[height], "block {height} was altered and is accepted");
        }
        let payload: [u8; 4] = header[12..16].try_into().expect("four bytes");
        at += FRAME_HEADER_BYTES + u32::from_be_bytes(payload) as usize;
    }
    assert_eq!(at, content.len(), "blocks lie without gaps");
    replay(&blocks);
    work_goes_on(&mut log, &disk, &blocks);
}

/// After recovery a block is appended and found again, also by the next start.
fn work_goes_on(log: &mut Log, disk: &Memory, blocks: &[Block]) {
    let mut next = example().blocks[1].clone();
    next.seal.height = log.next_height();
    let position = log.append(&next).expect("memory is never full");
    assert_eq!(log.reader().read(position).ok().as_ref(), Some(&next));
    let (again, cut) = Log::on(Arc::new(disk.clone()), genesis_hash(), 0).expect("a recovered log opens");
    assert_eq!(cut, None, "what was recovered is whole");
    let found = read(&again.reader()).expect("a recovered log can be read");
    assert_eq!((&found[..blocks.len()], &found[blocks.len()..]), (blocks, &[next][..]));
}

fn read(reader: &LogReader) -> Result<Vec<Block>, LogError> {
    reader.blocks().map(|block| block.map(|(_, _, block)| block)).collect()
}

/// Stored blocks are executed or refused.
fn replay(blocks: &[Block]) {
    let Some((first, rest)) = blocks.split_first() else { return };
    if let Ok((mut state, _)) = State::replay_genesis(&example().genesis, first) {
        let _refused = rest.iter().try_for_each(|block| state.replay(block, Trust::OwnLog).map(drop));
    }
}

pub(crate) fn segments() -> Vec<Vec<u8>> {
    let Written { segment, frames } = written();
    // Whole, empty, and with a last block of which half is there.
    let half = frames[frames.len() - 1] + written().frame(frames.len() - 1).len() / 2;
    vec![segment.clone(), segment[..SEGMENT_HEADER_BYTES].to_vec(), segment[..half].to_vec()]
}

/// The input is a height and a block's payload; its checksums are made to fit, as whoever alters a log on purpose
/// would. What is accepted is the block that was written, or leads to another root than the signed checkpoint's.
pub(crate) fn block(bytes: &[u8]) {
    let Some((first, payload)) = bytes.split_first() else { return };
    let height = usize::from(*first) % example().blocks.len();
    let mut segment = written().segment[..written().frames[height]].to_vec();
    segment.extend(frame(height as u64, payload));
    let disk = Memory::holding(SEGMENT, &segment);
    let Ok((log, cut)) = Log::on(Arc::new(disk), genesis_hash(), 0) else { return };
    let blocks = read(&log.reader()).expect("what recovery leaves can be read");
    assert_eq!((blocks.len(), cut), (height + 1, None), "what has fitting checksums is no torn tail");
    replay(&blocks);
    let before = states()[height].as_ref();
    let altered = &blocks[height];
    let after = match before {
        Some(before) => {
            let mut state = before.clone();
            state.replay(altered, Trust::Nothing).map(|_| state.root())
        }
        None => State::replay_genesis(&example().genesis, altered).map(|(state, _)| state.root()),
    };
    if let Ok(root) = after {
        let is_same = altered == &example().blocks[height];
        assert_eq!(root == roots()[height], is_same, "an altered block leads to the signed root");
    }
}

/// The state before each block; none before the first.
fn states() -> &'static [Option<State>] {
    static STATES: OnceLock<Vec<Option<State>>> = OnceLock::new();
    STATES.get_or_init(|| {
        let Example { genesis, blocks, .. } = example();
        let (mut state, _) = State::replay_genesis(genesis, &blocks[0]).expect("the example holds");
        let mut states = vec![None, Some(state.clone())];
        for block in &blocks[1..blocks.len() - 1] {
            state.replay(block, Trust::Nothing).expect("the example holds");
            states.push(Some(state.clone()));
        }
        states
    })
}

/// The log's root after each block.
fn roots() -> &'static [[u8; 32]] {
    static ROOTS: OnceLock<Vec<[u8; 32]>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let later = states()[1..].iter().flatten().map(State::root);
        later.chain([example().state.root()]).collect()
    })
}

/// A frame as `gateway/docs/formats.md` has it, written by other code than the one under test.
fn frame(height: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = b"LBLK".to_vec();
    frame.extend(height.to_be_bytes());
    frame.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend(crc32c::crc32c(payload).to_be_bytes());
    frame.extend(crc32c::crc32c(&frame).to_be_bytes());
    frame.extend(payload);
    frame
}

pub(crate) fn payloads() -> Vec<Vec<u8>> {
    let payload = |height: usize| {
        let number = u8::try_from(height).expect("the example is short");
        [&[number], &written().frame(height)[FRAME_HEADER_BYTES..]].concat()
    };
    (0..example().blocks.len()).map(payload).collect()
}
