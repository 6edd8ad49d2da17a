//! Puts blocks together from the parts that validators stream. Bounded: a publisher has a few streams at once, and a stream
//! no more bytes than it announced and a block may have.

use std::collections::{BTreeMap, VecDeque};

use arc_malachitebft_app_channel::app::streaming::StreamContent;
use arc_malachitebft_app_channel::app::types::core::Round;
use arc_malachitebft_app_channel::app::types::streaming::{StreamId, StreamMessage};
use bytes::Bytes;

use super::context::{Address, Height, Part};
use crate::limits;

/// A block's bytes, whole, and what was said of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    /// Which block.
    pub height: Height,
    /// In which round it is proposed.
    pub round: Round,
    /// The earlier round in which more than two thirds voted for it, if any.
    pub valid_round: Round,
    /// Who proposed it first.
    pub proposer: Address,
    /// The block's bytes; they are not known to be a block.
    pub bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Stream {
    begin: Option<(Height, Round, Round, Address, usize)>,
    chunks: BTreeMap<u64, Bytes>,
    bytes: usize,
    end: Option<u64>,
}

/// What every publisher streams.
#[derive(Debug, Default)]
pub struct Assembly {
    streams: BTreeMap<Address, VecDeque<(StreamId, Stream)>>,
}

impl Assembly {
    /// Takes a part that a validator published; gives the block's bytes with the last of them. What breaks a bound ends its
    /// stream.
    pub fn take(&mut self, publisher: Address, message: StreamMessage<Part>) -> Option<Assembled> {
        let streams = self.streams.entry(publisher).or_default();
        let place = streams.iter().position(|(id, _)| *id == message.stream_id);
        let place = place.unwrap_or_else(|| {
            if streams.len() == limits::STREAMS_PER_VALIDATOR_MAX {
                streams.pop_front();
            }
            streams.push_back((message.stream_id.clone(), Stream::default()));
            streams.len() - 1
        });
        let (_, stream) = streams.get_mut(place)?;
        if !stream.take(message) {
            streams.remove(place);
            return None;
        }
        let whole = stream.whole()?;
        streams.remove(place);
        Some(whole)
    }

    /// Forgets the streams of blocks that are decided.
    pub fn forget_below(&mut self, height: Height) {
        let is_old = |stream: &Stream| stream.begin.is_some_and(|(of, ..)| of < height);
        self.streams.values_mut().for_each(|streams| streams.retain(|(_, stream)| !is_old(stream)));
        self.streams.retain(|_, streams| !streams.is_empty());
    }

    /// Bytes that are held.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.streams.values().flatten().map(|(_, stream)| stream.bytes).sum()
    }
}

impl Stream {
    /// Whether the stream is within its bounds with this message.
    fn take(&mut self, message: StreamMessage<Part>) -> bool {
        let sequence = message.sequence;
        if sequence > limits::PARTS_MAX {
            return false;
        }
        match message.content {
            StreamContent::Fin => self.end = Some(sequence),
            StreamContent::Data(Part::Begin { height, round, valid_round, proposer, bytes }) => {
                let bytes = bytes as usize;
                if sequence != 0 || bytes > limits::FRAME_BYTES_MAX {
                    return false;
                }
                self.begin = Some((height, round, valid_round, proposer, bytes));
            }
            StreamContent::Data(Part::Bytes(bytes)) => {
                if sequence == 0 {
                    return false;
                }
                if let Some(before) = self.chunks.insert(sequence, bytes) {
                    self.bytes -= before.len();
                }
                self.bytes += self.chunks.get(&sequence).map_or(0, Bytes::len);
            }
            StreamContent::Data(Part::Checkpoint { .. } | Part::Wake(_)) => return false,
        }
        let announced = self.begin.map_or(limits::FRAME_BYTES_MAX, |(.., bytes)| bytes);
        self.bytes <= announced
    }

    fn whole(&mut self) -> Option<Assembled> {
        let (height, round, valid_round, proposer, announced) = self.begin?;
        let chunks = self.end?.checked_sub(1)?;
        if self.bytes != announced || self.chunks.len() as u64 != chunks {
            return None;
        }
        let bytes: Vec<u8> = (1..=chunks).map_while(|at| self.chunks.remove(&at)).flatten().collect();
        (bytes.len() == announced).then_some(Assembled { height, round, valid_round, proposer, bytes })
    }
}

/// The messages of a block's stream.
pub fn stream(begin: Part, block: &Bytes, id: &StreamId) -> Vec<StreamMessage<Part>> {
    let chunks = (0..block.len()).step_by(limits::PART_BYTES_MAX);
    let chunks = chunks.map(|at| block.slice(at..block.len().min(at + limits::PART_BYTES_MAX)));
    let contents = std::iter::once(StreamContent::Data(begin))
        .chain(chunks.map(|bytes| StreamContent::Data(Part::Bytes(bytes))))
        .chain(std::iter::once(StreamContent::Fin));
    (0..).zip(contents).map(|(at, content)| StreamMessage::new(id.clone(), at, content)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROPOSER: Address = Address([7; 32]);

    fn id(number: u8) -> StreamId {
        StreamId::new(Bytes::copy_from_slice(&[number; limits::STREAM_ID_BYTES]))
    }

    fn messages(number: u8, bytes: usize) -> (Bytes, Vec<StreamMessage<Part>>) {
        let block: Bytes = (0..bytes).map(|at| (at % 251) as u8).collect();
        let begin = Part::Begin {
            height: Height(3),
            round: Round::new(0),
            valid_round: Round::Nil,
            proposer: PROPOSER,
            bytes: u32::try_from(bytes).unwrap(),
        };
        let messages = stream(begin, &block, &id(number));
        (block, messages)
    }

    #[test]
    fn a_block_comes_together_in_any_order_of_its_parts() {
        let (block, messages) = messages(1, 3 * limits::PART_BYTES_MAX + 5);
        assert_eq!(messages.len(), 6, "its beginning, four pieces and its end");
        for first in 0..messages.len() {
            let mut assembly = Assembly::default();
            let mut turned = messages.clone();
            turned.rotate_left(first);
            let last = turned.pop().unwrap();
            assert!(turned.into_iter().all(|message| assembly.take(PROPOSER, message).is_none()));
            let whole = assembly.take(PROPOSER, last).expect("whole");
            assert_eq!((whole.bytes.as_slice(), whole.height), (block.as_ref(), Height(3)));
            assert_eq!(assembly.bytes(), 0);
        }
    }

    #[test]
    fn a_publisher_that_streams_without_end_holds_no_more_than_its_bound() {
        let mut assembly = Assembly::default();
        for number in 0..=255 {
            let (_, messages) = messages(number, limits::FRAME_BYTES_MAX);
            for message in messages.into_iter().filter(|message| !message.is_fin()) {
                assert_eq!(assembly.take(PROPOSER, message), None);
            }
        }
        assert!(assembly.bytes() <= limits::STREAMS_PER_VALIDATOR_MAX * limits::FRAME_BYTES_MAX);
    }

    #[test]
    fn more_bytes_than_announced_end_a_stream() {
        let mut assembly = Assembly::default();
        let (_, mut messages) = messages(1, 10);
        messages[1].content = StreamContent::Data(Part::Bytes(Bytes::from_static(&[0; 11])));
        for message in messages {
            assert_eq!(assembly.take(PROPOSER, message), None);
        }
        assert_eq!(assembly.bytes(), 0);
    }

    #[test]
    fn parts_of_two_publishers_never_mix() {
        let mut assembly = Assembly::default();
        let (_, messages) = messages(1, 10);
        let other = Address([8; 32]);
        for (at, message) in messages.into_iter().enumerate() {
            let publisher = if at == 1 { other } else { PROPOSER };
            assert_eq!(assembly.take(publisher, message), None);
        }
    }

    #[test]
    fn streams_of_decided_blocks_are_forgotten() {
        let mut assembly = Assembly::default();
        let (_, messages) = messages(1, 10);
        assert_eq!(assembly.take(PROPOSER, messages[0].clone()), None);
        assembly.forget_below(Height(4));
        assert!(assembly.streams.is_empty());
    }
}
