//! A validator that misbehaves on purpose, for the tests alone. What it does stands in the variable `LAMPPOST_BYZANTINE`,
//! words between commas: `votes` and `proposals` and `checkpoints` are signed twice, a block has wrong `results` or a forged
//! `reading`, `parts` come without end. No other build of the product has this file.

mod garbage;
mod wrong_blocks;

use std::sync::Arc;

use arc_malachitebft_app_channel::{ByzantineContext, Channels, NetworkIdentity};
use arc_malachitebft_engine_byzantine::{ByzantineConfig, ConflictingVoteValueFn, Trigger};
use devices::SigningKey;
use ledger::merkle::Hash;

use super::codec::Cbor;
use super::context::{Address, BlockId, Lamppost};
use super::signing::Pen;
use crate::shared::Shared;

/// Where the misbehaviour stands.
const VARIABLE: &str = "LAMPPOST_BYZANTINE";

/// What a validator does wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Misbehaviour {
    /// It votes for two blocks of a round.
    pub votes: bool,
    /// It proposes two blocks of a round.
    pub proposals: bool,
    /// It signs two checkpoints of a size.
    pub checkpoints: bool,
    /// Its blocks are wrong.
    pub blocks: Option<WrongBlock>,
    /// It streams parts that are no block.
    pub parts: bool,
}

/// How a block is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongBlock {
    /// Its seal says that executing it gives something else.
    Results,
    /// A reading's signature does not hold, and its seal commits to that.
    Reading,
}

impl Misbehaviour {
    /// What was asked of this process; none where nothing was.
    pub fn asked() -> Option<Misbehaviour> {
        let words = std::env::var(VARIABLE).ok().filter(|words| !words.is_empty())?;
        Some(words.split(',').fold(Misbehaviour::default(), |so_far, word| match word {
            "votes" => Misbehaviour { votes: true, ..so_far },
            "proposals" => Misbehaviour { proposals: true, ..so_far },
            "checkpoints" => Misbehaviour { checkpoints: true, ..so_far },
            "results" => Misbehaviour { blocks: Some(WrongBlock::Results), ..so_far },
            "reading" => Misbehaviour { blocks: Some(WrongBlock::Reading), ..so_far },
            "parts" => Misbehaviour { parts: true, ..so_far },
            other => panic!("{VARIABLE} knows no {other:?}"),
        }))
    }
}

/// The host's side of the channels, with the misbehaviour in them that was asked of this process.
pub fn asked_of(channels: Channels<Lamppost>, shared: &Arc<Shared>, key: &SigningKey) -> Channels<Lamppost> {
    match Misbehaviour::asked() {
        Some(misbehaviour) => {
            tracing::warn!(?misbehaviour, "this validator misbehaves");
            wrong_blocks::between(
                channels,
                misbehaviour,
                shared.clone(),
                SigningKey::from_seed(key.to_seed()),
            )
        }
        None => channels,
    }
}

/// The engine's own misbehaviour: every vote and proposal comes twice, the second time for another block.
pub fn context(
    misbehaviour: Misbehaviour,
    identity: NetworkIdentity,
    genesis_hash: Hash,
    key: SigningKey,
) -> ByzantineContext<Lamppost, Cbor> {
    let when = |wanted| if wanted { Trigger::Always } else { Trigger::Never };
    let config = ByzantineConfig {
        equivocate_votes: when(misbehaviour.votes),
        equivocate_proposals: when(misbehaviour.proposals),
        ..ByzantineConfig::default()
    };
    let address = Address(*key.public_key().as_bytes());
    let conflicting_vote: ConflictingVoteValueFn<Lamppost> =
        Box::new(|id| id.map_or(BlockId([0xee; 32]), another));
    ByzantineContext {
        identity,
        codec: Cbor,
        config,
        signer: Box::new(Pen::new(genesis_hash, key)),
        address,
        conflicting_value_fn: Some(Box::new(another)),
        conflicting_vote_value_fn: Some(conflicting_vote),
    }
}

/// The id of no block.
fn another(id: &BlockId) -> BlockId {
    let mut bytes = id.0;
    bytes[31] ^= 1;
    BlockId(bytes)
}
