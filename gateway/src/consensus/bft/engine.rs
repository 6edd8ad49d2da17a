//! Starts the engine: its network identity is the validator's key, its peers are the other validators and nobody else.

use std::path::Path;
use std::time::Duration;

use arc_malachitebft_app_channel::app::config::{
    ConsensusConfig, DiscoveryConfig, GossipSubConfig, NodeConfig, P2pConfig, PubSubProtocol, ValuePayload,
    ValueSyncConfig,
};
use arc_malachitebft_app_channel::app::net::Multiaddr;
use arc_malachitebft_app_channel::app::types::codec::Codec as _;
use arc_malachitebft_app_channel::app::types::core::{HeightParams, LinearTimeouts};
use arc_malachitebft_app_channel::app::types::{Keypair, PeerId};
use arc_malachitebft_app_channel::{
    Channels, ConsensusContext, EngineBuilder, EngineHandle, NetworkContext, NetworkIdentity, RequestContext,
    Signer as _, SyncContext, WalContext,
};
use devices::{PublicKey, SigningKey};
use ledger::merkle::Hash;
use ledger::validators::Validators;

#[cfg(feature = "byzantine")]
use super::byzantine::{self, Misbehaviour};
use super::codec::Cbor;
use super::context::{Address, Lamppost, ValidatorSet};
use super::links;
use super::signing::{Judge, Pen};
use crate::limits;

/// Another validator's engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its key.
    pub key: PublicKey,
    /// `HOST:PORT`.
    pub address: String,
}

/// What the engine is started with.
pub struct Settings<'s> {
    /// The network's genesis document, hashed.
    pub genesis_hash: Hash,
    /// This node's name.
    pub name: String,
    /// Its key.
    pub key: SigningKey,
    /// Whether the key votes; else the node only follows.
    pub votes: bool,
    /// Where it listens, `HOST:PORT`.
    pub listen: String,
    /// The other validators.
    pub peers: Vec<Peer>,
    /// The file of the votes' record.
    pub wal: &'s Path,
}

/// The engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// An address is none.
    #[error("{0:?} is no HOST:PORT")]
    Address(String),
    /// The engine says so.
    #[error("the consensus engine cannot start: {0}")]
    Engine(String),
}

/// The address of no key.
const NOBODY: Address = Address([0; 32]);

struct EngineConfig {
    name: String,
    consensus: ConsensusConfig,
    sync: ValueSyncConfig,
}

impl NodeConfig for EngineConfig {
    fn moniker(&self) -> &str {
        &self.name
    }

    fn consensus(&self) -> &ConsensusConfig {
        &self.consensus
    }

    fn consensus_mut(&mut self) -> &mut ConsensusConfig {
        &mut self.consensus
    }

    fn value_sync(&self) -> &ValueSyncConfig {
        &self.sync
    }

    fn value_sync_mut(&mut self) -> &mut ValueSyncConfig {
        &mut self.sync
    }
}

/// The name of a key's engine in its network: the key itself, as libp2p spells it (an identity multihash of the protobuf).
pub fn peer_id(key: &[u8; 32]) -> PeerId {
    let mut bytes = vec![0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
    bytes.extend_from_slice(key);
    PeerId::from_bytes(&bytes).expect("36 bytes under an identity multihash are a peer's name")
}

/// `HOST:PORT` as the engine writes it.
///
/// # Errors
/// When it is none.
pub fn multiaddr(address: &str) -> Result<Multiaddr, EngineError> {
    let wrong = || EngineError::Address(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let kind = match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => "ip4",
        Ok(std::net::IpAddr::V6(_)) => "ip6",
        Err(_) => "dns4",
    };
    format!("/{kind}/{host}/tcp/{port}").parse().map_err(|_| wrong())
}

/// The address of another validator's engine, with the name that it must prove.
///
/// # Errors
/// When the address is none.
pub fn peer_address(peer: &Peer) -> Result<Multiaddr, EngineError> {
    let address = multiaddr(&peer.address)?;
    let whole = format!("{address}/p2p/{}", peer_id(peer.key.as_bytes()).to_base58());
    whole.parse().map_err(|_| EngineError::Address(peer.address.clone()))
}

/// The name under which votes and proposals are published: what every validator wants to hear.
pub fn topic() -> String {
    P2pConfig::default().channel_names.consensus
}

/// What the engine is told of each height: who decides, how long it waits for whom, and how fast blocks follow one another.
/// `more` is what this height's block takes longer than others, to make and to judge.
pub fn height_params(
    validators: &Validators,
    block_time: Duration,
    more: Duration,
) -> HeightParams<Lamppost> {
    HeightParams::new(ValidatorSet::of(validators), timeouts(more), Some(block_time))
}

fn timeouts(more: Duration) -> LinearTimeouts {
    LinearTimeouts {
        propose: limits::PROPOSE_TIMEOUT + more,
        propose_delta: limits::PROPOSE_TIMEOUT_STEP,
        prevote: limits::VOTE_TIMEOUT,
        prevote_delta: limits::PROPOSE_TIMEOUT_STEP,
        precommit: limits::VOTE_TIMEOUT,
        precommit_delta: limits::PROPOSE_TIMEOUT_STEP,
        rebroadcast: limits::PROPOSE_TIMEOUT + 2 * limits::VOTE_TIMEOUT,
        max_timeout: limits::ROUND_TIMEOUT_MAX + more,
    }
}

fn config(settings: &Settings<'_>) -> Result<EngineConfig, EngineError> {
    let peers: Result<Vec<_>, _> = settings.peers.iter().map(peer_address).collect();
    let discovery = DiscoveryConfig {
        enabled: false,
        // Several validators may stand behind one address, as on a test machine.
        max_connections_per_ip: limits::CONNECTIONS_PER_ADDRESS_MAX,
        // The default gives up after a few tries that lie further and further apart, and begins anew. One that never gave up
        // would, after a long cut, wait as long again.
        ..DiscoveryConfig::default()
    };
    let mesh = links::mesh(settings.peers.len());
    // Nobody is left out as long as there are fewer than `mesh`: who is left out then wants nothing, see `links`.
    let gossip = GossipSubConfig::new(mesh, 2 * mesh, mesh, 0, false, false, true);
    let p2p = P2pConfig {
        listen_addr: multiaddr(&settings.listen)?,
        persistent_peers: peers?,
        persistent_peers_only: true,
        discovery,
        protocol: PubSubProtocol::GossipSub(gossip),
        ..P2pConfig::default()
    };
    let consensus =
        ConsensusConfig { p2p, value_payload: ValuePayload::ProposalAndParts, ..ConsensusConfig::default() };
    let sync = ValueSyncConfig {
        status_update_interval: limits::SYNC_STATUS_INTERVAL,
        request_timeout: limits::SYNC_TIMEOUT,
        batch_size: limits::SYNC_BLOCKS_MAX,
        ..ValueSyncConfig::default()
    };
    Ok(EngineConfig { name: settings.name.clone(), consensus, sync })
}

/// Starts it on the running tokio runtime.
///
/// # Errors
/// When an address is none, a port is taken, or the votes' record cannot be used.
pub async fn start(settings: Settings<'_>) -> Result<(Channels<Lamppost>, EngineHandle), EngineError> {
    let fails = |error: String| EngineError::Engine(error);
    let config = config(&settings)?;
    let public_key = *settings.key.public_key().as_bytes();
    let address = Address(public_key);
    let mut seed = settings.key.to_seed();
    let keypair = Keypair::ed25519_from_bytes(&mut seed).map_err(|error| fails(error.to_string()))?;
    let judge = Box::new(Judge::new(settings.genesis_hash));
    #[cfg(feature = "byzantine")]
    let (misbehaviour, twin) = (Misbehaviour::asked(), SigningKey::from_seed(settings.key.to_seed()));
    let (identity, consensus) = if settings.votes {
        let pen = Pen::new(settings.genesis_hash, settings.key);
        let proof = pen.sign_validator_proof(public_key.to_vec(), keypair.public().to_peer_id().to_bytes());
        let proof = proof.await.map_err(|error| fails(error.to_string()))?;
        let proof = Cbor.encode(&proof).map_err(|error| fails(error.to_string()))?;
        let identity = NetworkIdentity::new_validator(settings.name, keypair, address.to_string(), proof);
        (identity, ConsensusContext::new_validator(address, judge, Box::new(pen)))
    } else {
        let identity = NetworkIdentity::new(settings.name, keypair, None);
        // Under its own address the engine would count a key that must not vote among those that do, and ask it to sign.
        (identity, ConsensusContext::new_full_node(NOBODY, judge))
    };
    let builder =
        EngineBuilder::new(Lamppost, config).with_default_wal(WalContext::new(settings.wal.to_owned(), Cbor));
    #[cfg(feature = "byzantine")]
    if let Some(misbehaviour) = misbehaviour {
        let context = byzantine::context(misbehaviour, identity, settings.genesis_hash, twin);
        return builder
            .with_byzantine_network(context)
            .await
            .map_err(|error| fails(format!("{error:#}")))?
            .with_default_sync(SyncContext::new(Cbor))
            .with_default_consensus(consensus)
            .with_default_request(RequestContext::new(limits::ENGINE_REQUESTS_MAX))
            .build()
            .await
            .map_err(|error| fails(format!("{error:#}")));
    }
    builder
        .with_default_network(NetworkContext::new(identity, Cbor))
        .with_default_sync(SyncContext::new(Cbor))
        .with_default_consensus(consensus)
        .with_default_request(RequestContext::new(limits::ENGINE_REQUESTS_MAX))
        .build()
        .await
        .map_err(|error| fails(format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validators_engine_is_named_by_its_key() {
        let key = SigningKey::from_seed([5; 32]);
        let mut seed = key.to_seed();
        let keypair = Keypair::ed25519_from_bytes(&mut seed).unwrap();
        let theirs = keypair.public().to_peer_id().to_bytes();
        assert_eq!(peer_id(key.public_key().as_bytes()).to_bytes(), theirs);
    }

    #[test]
    fn nobody_is_left_out_of_what_a_usual_network_publishes_and_tries_to_connect_begin_anew() {
        let key = |seed: u8| SigningKey::from_seed([seed; 32]);
        let peer = |seed| Peer { key: key(seed).public_key(), address: "192.0.2.1:7000".to_owned() };
        for peers in [3, limits::MESH_MAX] {
            let settings = Settings {
                genesis_hash: [0; 32],
                name: "city".to_owned(),
                key: key(1),
                votes: true,
                listen: "127.0.0.1:0".to_owned(),
                peers: (2..).take(peers).map(peer).collect(),
                wal: Path::new("wal"),
            };
            let p2p = config(&settings).unwrap().consensus.p2p;
            let PubSubProtocol::GossipSub(gossip) = p2p.protocol else { panic!("{:?}", p2p.protocol) };
            // Below the low mark whoever wants to hear is taken in at once.
            assert!(gossip.mesh_n_low() >= peers, "{gossip:?}");
            assert!(
                p2p.discovery.dial_max_retries < 10,
                "the last waits are half of all the waiting there was"
            );
        }
    }

    #[test]
    fn addresses_are_numbers_or_names_with_a_port() {
        let written = |address: &str| multiaddr(address).map(|address| address.to_string());
        assert_eq!(written("10.0.0.7:7000").unwrap(), "/ip4/10.0.0.7/tcp/7000");
        assert_eq!(written("[::1]:7000").unwrap(), "/ip6/::1/tcp/7000");
        assert_eq!(written("city.example:7000").unwrap(), "/dns4/city.example/tcp/7000");
        for wrong in ["", "10.0.0.7", "10.0.0.7:port", "10.0.0.7:70000"] {
            assert!(matches!(written(wrong), Err(EngineError::Address(_))), "{wrong:?}");
        }
    }
}
