//! A validator: answers the engine's questions about blocks, proposes what waits, and commits what is decided.

mod blocks;
mod messages;
mod reporting;
mod rest;
mod watching;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_malachitebft_app_channel::app::types::core::{CommitCertificate, Round};
use arc_malachitebft_app_channel::{AppMsg, EngineHandle, NetworkMsg, Reply};
use devices::SigningKey;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use super::agreed::{key_of, signed_size};
use super::hands::Signs;
use super::{Ends, Host, HostError};
use crate::clock;
use crate::configuration::{Configuration, Gateways, Role, Validator as ValidatorConfiguration};
#[cfg(feature = "byzantine")]
use crate::consensus::bft::byzantine;
use crate::consensus::bft::checkpoints::Checkpoints;
use crate::consensus::bft::context::{Address, BlockId, Height, Lamppost};
use crate::consensus::bft::engine::{self, Peer, Settings};
use crate::consensus::bft::judge::Judge;
use crate::consensus::bft::parts::{Assembled, Assembly};
use crate::consensus::bft::proposals::Proposals;
use crate::consensus::bft::record;
use crate::limits;
use crate::link::blocks::{Blocks, Certified, ReadBlock};
use crate::link::door::{Admitted, Door, Settings as DoorSettings};
use crate::log::encode_block;
use crate::node::Node;
use crate::node::agreed::Made;
use crate::shared::{Shared, Submission};
use crate::storage::{Opened, StorageError};
use crate::telemetry::Telemetry;

/// A block of the height that is being decided.
struct Seen {
    round: Round,
    valid_round: Round,
    proposer: Address,
    id: BlockId,
    is_right: bool,
}

/// A decision that waits for room on the disk.
struct Decided {
    certificate: CommitCertificate<Lamppost>,
    reply: Reply<()>,
}

/// What a validator has beside its host.
struct Agreement {
    questions: mpsc::Receiver<AppMsg<Lamppost>>,
    network: mpsc::Sender<NetworkMsg<Lamppost>>,
    _engine: EngineHandle,
    key: SigningKey,
    address: Address,
    votes: bool,
    block_time: Duration,
    judge: Judge,
    assembly: Assembly,
    proposals: Proposals,
    checkpoints: Checkpoints,
    /// Blocks of the height that is being decided.
    seen: Vec<Seen>,
    /// The right ones of them, executed.
    executed: BTreeMap<BlockId, Made>,
    /// Blocks of heights to come.
    ahead: VecDeque<Assembled>,
    /// The height whose blocks were read from the disk.
    recalled: Height,
    decided: Option<Decided>,
    /// When a block was refused last because its time is ahead, Unix milliseconds.
    ahead_noted: Option<u64>,
    rest: Option<rest::Rest>,
    streams: u64,
    /// The counter of the last report.
    reports: u64,
    /// What followers of the door are told.
    durable: watch::Sender<u64>,
    signed: watch::Sender<Arc<str>>,
    door: Option<Door>,
    /// When the door's metrics were last stated.
    looked: Instant,
}

/// Starts a validator, on the running tokio runtime.
///
/// # Errors
/// What keeps it from starting.
pub(super) async fn start(
    opened: Opened,
    telemetry: Arc<Telemetry>,
    configuration: &Configuration,
) -> Result<Ends, HostError> {
    let Role::Validator(validator) = &configuration.role else { return Err(HostError::NotOfSeveral) };
    let root = opened.directory.root().to_owned();
    let key = opened.validator.clone();
    let address = Address(*key.public_key().as_bytes());
    let votes = match record::check(&root, &key.public_key()) {
        Ok(()) => true,
        Err(error @ record::RecordError::NoRecord { .. }) => {
            tracing::error!(%error, "this node only follows");
            false
        }
        Err(error) => return Err(HostError::Record(error)),
    };
    let wal = record::wal(&root);
    let settings = Settings {
        genesis_hash: opened.genesis.hash(),
        name: configuration.name.clone(),
        key: key.clone(),
        votes,
        listen: validator.listen.to_string(),
        peers: peers(&opened, validator),
        wal: &wal,
    };
    let enough_at = signed_size(&opened.checkpoint);
    let origin = opened.genesis.origin.clone();
    let prepared = super::prepare(opened, telemetry, Node::agreeing(), Signs::WithOthers)?;
    let shared = prepared.shared.clone();
    let kept = if enough_at == 0 { "".into() } else { shared.checkpoint() };
    let (durable, durable_end) = watch::channel(shared.durable().height);
    let (signed, signed_end) = watch::channel(kept);
    let blocks = Blocks { read: reader(&shared), durable: durable_end, checkpoint: signed_end };
    let door = match &validator.gateways {
        Some(gateways) => Some(door(gateways, &key, &shared, blocks, &prepared.intake).await?),
        None => None,
    };
    let (channels, engine) = engine::start(settings).await?;
    #[cfg(feature = "byzantine")]
    let channels = byzantine::asked_of(channels, &shared, &key);
    watching::start(&shared, &configuration.name, address, &channels);
    let mut agreement = Agreement {
        questions: channels.consensus,
        network: channels.network,
        _engine: engine,
        key,
        address,
        votes,
        block_time: Duration::from_millis(validator.block_milliseconds),
        judge: Judge::default(),
        assembly: Assembly::default(),
        proposals: Proposals::of(&record::proposals(&root)),
        checkpoints: Checkpoints::new(&origin, enough_at),
        seen: Vec::new(),
        executed: BTreeMap::new(),
        ahead: VecDeque::new(),
        recalled: Height(0),
        decided: None,
        ahead_noted: None,
        rest: None,
        streams: 0,
        reports: 0,
        durable,
        signed,
        door,
        looked: clock::monotonic(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    super::spawn(prepared, move |host, stopped| runtime.block_on(agreement.run(host, stopped)))
}

/// Opens the door for gateways.
async fn door(
    gateways: &Gateways,
    key: &SigningKey,
    shared: &Shared,
    blocks: Blocks,
    intake: &mpsc::Sender<Submission>,
) -> Result<Door, HostError> {
    let listener = TcpListener::bind(gateways.listen).await;
    let listener = listener.map_err(|error| HostError::DoorAddress(gateways.listen, error))?;
    let admitted = |gateway: &crate::configuration::Admitted| Admitted {
        name: gateway.name.clone(),
        public_key: gateway.public_key,
        envelopes_per_second: gateway.envelopes_per_second,
    };
    let admitted = gateways.admitted.iter().map(admitted).collect();
    let settings = DoorSettings { key: key.clone(), network: shared.genesis.network.clone(), admitted };
    Ok(Door::open(listener, settings, blocks, intake)?)
}

/// Reads durable blocks for the door, as long as the node is there.
fn reader(shared: &Arc<Shared>) -> ReadBlock {
    let shared = Arc::downgrade(shared);
    Arc::new(move |height| {
        let (block, certificate) = blocks::certified(&*shared.upgrade()?, height)?;
        Some(Certified { payload: encode_block(&block)?, certificate })
    })
}

/// The other validators' engines.
fn peers(opened: &Opened, validator: &ValidatorConfiguration) -> Vec<Peer> {
    let own = opened.validator.public_key();
    let peer = |peer: &crate::configuration::Peer| {
        let key = key_of(peer, &opened.state)?;
        Some(Peer { key, address: peer.address.to_string() })
    };
    validator.peers.iter().filter_map(peer).filter(|peer| peer.key != own).collect()
}

impl Agreement {
    async fn run(&mut self, host: &mut Host, mut stopped: oneshot::Receiver<()>) -> Result<(), StorageError> {
        let mut received = Vec::with_capacity(limits::VERIFY_BATCH_MAX);
        loop {
            let takes_more = host.takes_more();
            let wait = self.wait(host);
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                question = self.questions.recv() => match question {
                    Some(question) => self.answer(host, question).await?,
                    None => return Err(StorageError::Ended("the consensus engine")),
                },
                verdicts = host.hands.verifier.next(), if host.hands.verifier.under_way() > 0 => {
                    host.take_verdicts(verdicts)?;
                }
                count = host.intake.recv_many(&mut received, limits::VERIFY_BATCH_MAX), if takes_more => {
                    if count == 0 {
                        break;
                    }
                    host.receive(&mut received)?;
                }
                () = tokio::time::sleep(wait) => self.tick(host).await?,
            }
            self.wake_if_due(host).await;
            host.show_queues();
            self.show_door(host);
        }
        host.keeper.finish();
        host.hands.log.give_back_room();
        Ok(())
    }

    fn show_door(&mut self, host: &Host) {
        if let Some(door) = self.door.as_ref().filter(|_| self.looked.elapsed() >= limits::AGREEMENT_LOOK) {
            self.looked = clock::monotonic();
            host.hands.shared.telemetry.link.show_door(door);
        }
    }

    /// How long nothing may happen before somebody looks.
    fn wait(&self, host: &Host) -> Duration {
        if self.decided.is_some() || !host.node.has_room() {
            return limits::DISK_LOOK;
        }
        self.rest.as_ref().map_or(limits::AGREEMENT_LOOK, |rest| rest.left(host))
    }

    async fn tick(&mut self, host: &mut Host) -> Result<(), StorageError> {
        host.step(crate::node::Input::Tick)?;
        if let Some(decided) = self.decided.take() {
            self.commit(host, decided).await?;
        }
        Ok(())
    }
}
