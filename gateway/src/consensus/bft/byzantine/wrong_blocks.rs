//! Stands between the engine and the host: the blocks that the host builds go out altered, under the ids of what they were
//! altered to, and everything else goes through.

use std::collections::HashMap;
use std::sync::Arc;

use arc_malachitebft_app_channel::app::streaming::StreamContent;
use arc_malachitebft_app_channel::app::types::LocallyProposedValue;
use arc_malachitebft_app_channel::app::types::streaming::{StreamId, StreamMessage};
use arc_malachitebft_app_channel::{AppMsg, Channels, NetworkMsg};
use bytes::Bytes;
use devices::{SignedReading, SigningKey};
use ledger::block::Block;
use ledger::checkpoint::Checkpoint;
use tokio::sync::{mpsc, oneshot, watch};

use super::garbage::Garbage;
use super::{Misbehaviour, WrongBlock};
use crate::consensus::bft::context::{BlockId, Lamppost, Part};
use crate::consensus::bft::parts;
use crate::log::{decode_block, encode_block};
use crate::shared::Shared;

/// Messages under way in each direction.
const QUEUE: usize = 64;
/// The last blocks whose ids are remembered.
const BLOCKS: usize = 16;

/// Which block became which, the newest last.
type Altered = Vec<(BlockId, BlockId)>;

/// The host's side of the channels, with the misbehaviour in them.
pub fn between(
    channels: Channels<Lamppost>,
    misbehaviour: Misbehaviour,
    shared: Arc<Shared>,
    key: SigningKey,
) -> Channels<Lamppost> {
    let Channels { consensus, network, events, requests, net_requests } = channels;
    let (to_host, for_host) = mpsc::channel(QUEUE);
    let (from_host, of_host) = mpsc::channel(QUEUE);
    let (altered, known) = watch::channel(Altered::new());
    let is_altering = misbehaviour.blocks.is_some();
    tokio::spawn(messages(consensus, to_host, is_altering.then_some(known)));
    let (streams, garbage) = (HashMap::new(), Garbage::default());
    let wire = Wire { network, misbehaviour, shared, key, altered, streams, garbage };
    tokio::spawn(wire.run(of_host));
    Channels { consensus: for_host, network: from_host, events, requests, net_requests }
}

/// What the engine says to the host. Its question for a block is answered with the id of the altered one.
async fn messages(
    mut consensus: mpsc::Receiver<AppMsg<Lamppost>>,
    to_host: mpsc::Sender<AppMsg<Lamppost>>,
    known: Option<watch::Receiver<Altered>>,
) {
    while let Some(message) = consensus.recv().await {
        let message = match (message, &known) {
            (AppMsg::GetValue { height, round, timeout, reply }, Some(known)) => {
                let (inner, answer) = oneshot::channel::<LocallyProposedValue<Lamppost>>();
                let mut known = known.clone();
                tokio::spawn(async move {
                    let Ok(mut value) = answer.await else { return };
                    let find = |altered: &Altered| {
                        altered.iter().rev().find(|(built, _)| *built == value.value).map(|(_, sent)| *sent)
                    };
                    let waited = known.wait_for(|altered| find(altered).is_some());
                    if let Ok(Ok(altered)) = tokio::time::timeout(timeout, waited).await
                        && let Some(sent) = find(&altered)
                    {
                        value.value = sent;
                    }
                    drop(reply.send(value));
                });
                AppMsg::GetValue { height, round, timeout, reply: inner }
            }
            (message, _) => message,
        };
        if to_host.send(message).await.is_err() {
            return;
        }
    }
}

/// What the host says to the network.
struct Wire {
    network: mpsc::Sender<NetworkMsg<Lamppost>>,
    misbehaviour: Misbehaviour,
    shared: Arc<Shared>,
    key: SigningKey,
    altered: watch::Sender<Altered>,
    streams: HashMap<StreamId, Vec<StreamMessage<Part>>>,
    garbage: Garbage,
}

impl Wire {
    async fn run(mut self, mut of_host: mpsc::Receiver<NetworkMsg<Lamppost>>) {
        while let Some(NetworkMsg::PublishProposalPart(message)) = of_host.recv().await {
            for message in self.misbehave(message) {
                if self.network.send(NetworkMsg::PublishProposalPart(message)).await.is_err() {
                    return;
                }
            }
        }
    }

    fn misbehave(&mut self, message: StreamMessage<Part>) -> Vec<StreamMessage<Part>> {
        let id = message.stream_id.clone();
        match &message.content {
            StreamContent::Data(Part::Begin { .. }) => {
                self.streams.insert(id, vec![message]);
                Vec::new()
            }
            StreamContent::Data(Part::Checkpoint { .. }) if self.misbehaviour.checkpoints => {
                let twice = self.conflicting_checkpoint(&message);
                std::iter::once(message).chain(twice).collect()
            }
            _ => match self.streams.remove(&id) {
                Some(mut stream) => {
                    let is_whole = message.is_fin();
                    stream.push(message);
                    if is_whole {
                        return self.whole(id, stream);
                    }
                    self.streams.insert(id, stream);
                    Vec::new()
                }
                None => vec![message],
            },
        }
    }

    /// A block's stream is whole: it goes out as it is, or altered, and garbage with it.
    fn whole(&mut self, id: StreamId, stream: Vec<StreamMessage<Part>>) -> Vec<StreamMessage<Part>> {
        let mut out = self.altered_stream(&id, &stream).unwrap_or(stream);
        if self.misbehaviour.parts
            && let Some(StreamContent::Data(begin @ Part::Begin { .. })) =
                out.first().map(|first| first.content.clone())
        {
            out.splice(0..0, self.garbage.streams(&begin));
        }
        out
    }

    fn altered_stream(
        &self,
        id: &StreamId,
        stream: &[StreamMessage<Part>],
    ) -> Option<Vec<StreamMessage<Part>>> {
        let wrong = self.misbehaviour.blocks?;
        let begin = stream.iter().find_map(|message| match &message.content {
            StreamContent::Data(begin @ Part::Begin { .. }) => Some(begin.clone()),
            _ => None,
        })?;
        let chunks = stream.iter().filter_map(|message| match &message.content {
            StreamContent::Data(Part::Bytes(bytes)) => Some(bytes.as_ref()),
            _ => None,
        });
        let bytes: Vec<u8> = chunks.flatten().copied().collect();
        let block = decode_block(&bytes).ok()?;
        let built = BlockId(block.seal.id());
        let block = self.alter(wrong, block)?;
        let sent = BlockId(block.seal.id());
        let bytes = Bytes::from(encode_block(&block)?);
        self.altered.send_modify(|altered| {
            altered.push((built, sent));
            if altered.len() > BLOCKS {
                altered.remove(0);
            }
        });
        let Part::Begin { height, round, valid_round, proposer, .. } = begin else { return None };
        let length = u32::try_from(bytes.len()).ok()?;
        let begin = Part::Begin { height, round, valid_round, proposer, bytes: length };
        Some(parts::stream(begin, &bytes, id))
    }

    /// None where there is nothing in the block that could be altered so.
    fn alter(&self, wrong: WrongBlock, mut block: Block) -> Option<Block> {
        match wrong {
            WrongBlock::Results => block.seal.results_root[0] ^= 1,
            WrongBlock::Reading => {
                let mut readings = block.entries.iter_mut();
                let reading = readings.find(|entry| SignedReading::decode(entry.as_slice()).is_ok())?;
                // COSE_Sign1 ends with its signature.
                *reading.last_mut()? ^= 1;
                let state = self.shared.state();
                if state.height() + 1 != block.seal.height {
                    return None;
                }
                block.seal.log_root = state.root_with(&block.entries);
            }
        }
        Some(block)
    }

    fn conflicting_checkpoint(&self, message: &StreamMessage<Part>) -> Option<StreamMessage<Part>> {
        let StreamContent::Data(Part::Checkpoint { size, mut root, address, .. }) = message.content else {
            return None;
        };
        root[0] ^= 1;
        let origin = self.shared.state().checkpoint().origin;
        let signature = self.key.sign(Checkpoint { origin, size, root }.body().as_bytes());
        let part = Part::Checkpoint { size, root, address, signature };
        let mut id = message.stream_id.to_bytes().to_vec();
        id[0] ^= 0x80;
        Some(StreamMessage::new(StreamId::new(id.into()), message.sequence, StreamContent::Data(part)))
    }
}
