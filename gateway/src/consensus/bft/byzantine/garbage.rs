//! Parts that are no block: streams that never end, that end before they begin, that are whole and mean nothing.

use arc_malachitebft_app_channel::app::streaming::StreamContent;
use arc_malachitebft_app_channel::app::types::streaming::{StreamId, StreamMessage};
use bytes::Bytes;

use crate::consensus::bft::context::Part;
use crate::consensus::bft::parts;
use crate::limits;

/// Streams without an end at each turn: several times what a receiver may keep of one validator.
const ENDLESS_STREAMS: u64 = 3 * limits::STREAMS_PER_VALIDATOR_MAX as u64;
/// Chunks of each.
const CHUNKS: u64 = 3;

/// Counts the streams, so that each has an id of its own.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    streams: u64,
}

impl Garbage {
    /// As much of it as goes with one turn; `begin` is how the right stream begins.
    pub(super) fn streams(&mut self, begin: &Part) -> Vec<StreamMessage<Part>> {
        let mut out = Vec::new();
        for _ in 0..ENDLESS_STREAMS {
            let id = self.next_id();
            out.push(StreamMessage::new(id.clone(), 0, StreamContent::Data(announcing(begin, u32::MAX))));
            let id = self.next_id();
            let all = u32::try_from(limits::FRAME_BYTES_MAX).unwrap_or(u32::MAX);
            out.push(StreamMessage::new(id.clone(), 0, StreamContent::Data(announcing(begin, all))));
            let chunk = Bytes::from(vec![0xa5; limits::PART_BYTES_MAX]);
            out.extend((1..=CHUNKS).map(|at| {
                StreamMessage::new(id.clone(), at, StreamContent::Data(Part::Bytes(chunk.clone())))
            }));
        }
        // An end without a beginning, and a piece far behind the last.
        out.push(StreamMessage::new(self.next_id(), 7, StreamContent::Fin));
        let far = StreamContent::Data(Part::Bytes(Bytes::from_static(b"far")));
        out.push(StreamMessage::new(self.next_id(), u64::MAX, far));
        // Whole, and no block.
        let nothing = Bytes::from(vec![0x5a; 4096]);
        out.extend(parts::stream(announcing(begin, 4096), &nothing, &self.next_id()));
        out
    }

    fn next_id(&mut self) -> StreamId {
        self.streams += 1;
        let mut id = vec![0xff; limits::STREAM_ID_BYTES];
        id[..8].copy_from_slice(&self.streams.to_be_bytes());
        StreamId::new(id.into())
    }
}

fn announcing(begin: &Part, bytes: u32) -> Part {
    match *begin {
        Part::Begin { height, round, valid_round, proposer, .. } => {
            Part::Begin { height, round, valid_round, proposer, bytes }
        }
        ref other => other.clone(),
    }
}
