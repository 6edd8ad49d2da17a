//! Watches the agreement: who is connected, who signs, and why no block comes where none does.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use arc_malachitebft_app_channel::app::engine::util::events::Event;
use arc_malachitebft_app_channel::app::events::RxEvent;
use arc_malachitebft_app_channel::app::net::Multiaddr;
use arc_malachitebft_app_channel::app::types::PeerId;
use arc_malachitebft_app_channel::app::types::core::CommitCertificate;
use arc_malachitebft_app_channel::{Channels, ConsensusRequest, NetworkRequest};
use ledger::validators::Validators;
use tokio::sync::mpsc;

use crate::clock;
use crate::consensus::bft::context::{Address, Lamppost};
use crate::consensus::bft::engine::{peer_id, topic};
use crate::consensus::bft::links::{Change, Links};
use crate::consensus::status::{Role, Status, Stuck, ValidatorStatus};
use crate::host::Host;
use crate::limits;
use crate::shared::Shared;

/// Puts the first status up and watches on the running tokio runtime, as long as the node is there.
pub(super) fn start(shared: &Arc<Shared>, name: &str, own: Address, channels: &Channels<Lamppost>) {
    let state = shared.state();
    shared.consensus.begin(Status {
        role: Role::Validator,
        name: name.to_owned(),
        height: state.height() + 1,
        round: 0,
        proposer: None,
        validators: Vec::new(),
        last_block_unix_milliseconds: state.time_unix_milliseconds(),
        stuck: None,
    });
    drop(state);
    let watcher = Watcher {
        shared: Arc::downgrade(shared),
        own,
        network: channels.net_requests.clone(),
        engine: channels.requests.clone(),
        wal_fault: None,
        links: Links::default(),
    };
    tokio::spawn(watcher.run(channels.events.subscribe()));
}

/// A block is refused for its time: this node's clock may be behind.
pub(super) fn note_ahead(host: &Host, milliseconds: u64) {
    let behind_seconds = milliseconds / 1_000;
    host.hands.shared.consensus.update(|status| status.stuck = Some(Stuck::Clock { behind_seconds }));
}

/// A block was committed with these signatures.
pub(super) fn committed(host: &Host, certificate: &CommitCertificate<Lamppost>, is_clock_in_doubt: bool) {
    let shared = &host.hands.shared;
    let state = shared.state();
    let signed: HashSet<[u8; 32]> =
        certificate.commit_signatures.iter().map(|signature| signature.address.0).collect();
    shared.consensus.update(|status| {
        status.height = certificate.height.0 + 1;
        status.last_block_unix_milliseconds = clock::now_unix_milliseconds();
        let stays = is_clock_in_doubt && matches!(status.stuck, Some(Stuck::Clock { .. }));
        if !stays {
            status.stuck = None;
        }
        for validator in &mut status.validators {
            let key = state.validators().named(&validator.name);
            if key.is_some_and(|key| signed.contains(key.key().as_bytes())) {
                validator.last_signed_height = Some(certificate.height.0);
            }
        }
    });
}

struct Watcher {
    shared: Weak<Shared>,
    own: Address,
    network: mpsc::Sender<NetworkRequest>,
    engine: mpsc::Sender<ConsensusRequest<Lamppost>>,
    wal_fault: Option<String>,
    links: Links,
}

/// The engine's network at one moment.
#[derive(Default)]
struct Connections {
    /// The connected peers, each with whether this node publishes to it.
    peers: Vec<(PeerId, bool)>,
    /// All that it may connect to.
    addresses: Vec<Multiaddr>,
}

impl Watcher {
    async fn run(mut self, mut events: RxEvent<Lamppost>) {
        let mut interval = tokio::time::interval(limits::AGREEMENT_LOOK);
        loop {
            tokio::select! {
                _ = interval.tick() => {
                    let connections = self.connections().await;
                    if let Some(connections) = &connections {
                        self.mend(connections).await;
                    }
                    let is_alive = self.is_alive().await;
                    let Some(shared) = self.shared.upgrade() else { return };
                    self.look(&shared, &connections.unwrap_or_default(), is_alive);
                }
                event = events.recv() => match event {
                    Ok(Event::WalCorrupted(error)) => self.wal_fault = Some(error.to_string()),
                    Ok(Event::WalReplayError(error)) => self.wal_fault = Some(error.to_string()),
                    Ok(Event::WalResetError(error)) => self.wal_fault = Some(error.to_string()),
                    Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                },
            }
        }
    }

    /// What the engine's network is connected to, if it answers.
    async fn connections(&self) -> Option<Connections> {
        let dump =
            tokio::time::timeout(limits::AGREEMENT_LOOK, NetworkRequest::dump_state(&self.network)).await;
        let dump = dump.ok()?.ok()??;
        let topic = topic();
        let mut peers = Vec::new();
        for (peer, info) in dump.peers {
            let peer = PeerId::from_bytes(&peer.to_bytes());
            peers.extend(peer.map(|peer| (peer, info.topics.contains(&topic))));
        }
        Some(Connections { peers, addresses: dump.persistent_peer_addrs })
    }

    /// Makes links anew that work one way alone. What the engine has no time for is seen at the next look.
    async fn mend(&mut self, connections: &Connections) {
        for change in self.links.look(&connections.peers, &connections.addresses) {
            let change = async {
                match change {
                    Change::Part(address) => {
                        tracing::warn!(%address, "a validator is connected and does not say what it wants to hear, connecting anew");
                        NetworkRequest::remove_persistent_peer(&self.network, address).await
                    }
                    Change::Join(address) => {
                        NetworkRequest::add_persistent_peer(&self.network, address).await
                    }
                }
            };
            if let Ok(Ok(Err(error))) = tokio::time::timeout(limits::AGREEMENT_LOOK, change).await {
                tracing::warn!(%error, "a link cannot be made anew");
            }
        }
    }

    /// Whether the engine answers: it stops for good when it cannot write its votes.
    async fn is_alive(&self) -> bool {
        let dump = ConsensusRequest::dump_state(&self.engine);
        tokio::time::timeout(limits::ENGINE_PATIENCE, dump).await.is_ok_and(|dump| dump.is_ok())
    }

    fn look(&self, shared: &Shared, connections: &Connections, is_alive: bool) {
        let state = shared.state();
        let validators = state.validators().clone();
        drop(state);
        let now = clock::now_unix_milliseconds();
        let is_full = shared.space().full;
        let connected: HashSet<PeerId> = connections.peers.iter().map(|(peer, _)| *peer).collect();
        shared.consensus.update(|status| {
            status.validators = self.list(&validators, &connected, &status.validators);
            let still_since = now.saturating_sub(status.last_block_unix_milliseconds);
            let is_quiet = still_since >= limits::STUCK_AFTER.as_millis() as u64;
            if !is_quiet && !is_full && self.wal_fault.is_none() {
                return;
            }
            status.stuck = self.cause(status, &validators, is_full, is_alive);
        });
    }

    /// Why no block comes.
    fn cause(
        &self,
        status: &Status,
        validators: &Validators,
        is_full: bool,
        is_alive: bool,
    ) -> Option<Stuck> {
        if let Some(fault) = &self.wal_fault {
            return Some(Stuck::Wal(fault.clone()));
        }
        if is_full {
            return Some(Stuck::Disk);
        }
        let missing: Vec<String> = status
            .validators
            .iter()
            .filter(|validator| !validator.is_self && !validator.is_connected)
            .map(|validator| validator.name.clone())
            .collect();
        if status.validators.len() - missing.len() < validators.quorum() {
            return Some(Stuck::NoQuorum { missing });
        }
        if !is_alive {
            return Some(Stuck::Wal("the consensus engine stopped; its log says why".to_owned()));
        }
        status.stuck.clone()
    }

    fn list(
        &self,
        validators: &Validators,
        connected: &HashSet<PeerId>,
        before: &[ValidatorStatus],
    ) -> Vec<ValidatorStatus> {
        let validator = |key: &ledger::note::VerifierKey| {
            let bytes = key.key().as_bytes();
            let known = before.iter().find(|validator| validator.name == key.name());
            let is_self = *bytes == self.own.0;
            ValidatorStatus {
                name: key.name().to_owned(),
                is_self,
                is_connected: is_self || connected.contains(&peer_id(bytes)),
                missed_proposals: known.map_or(0, |known| known.missed_proposals),
                last_signed_height: known.and_then(|known| known.last_signed_height),
            }
        };
        validators.keys().iter().map(validator).collect()
    }
}
