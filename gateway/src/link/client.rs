//! A gateway's client of all validators: batches go to them out of the durable outbox, decided blocks come from one of them.

use std::sync::Arc;

use devices::{PublicKey, SigningKey};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::connection::Connection;
use super::figures::ClientFigures;
use super::following::Following;
use super::pump::{Core, Shared};
use super::store::{Filled, Store, StoreError};
use super::tls::{self, TlsError};
use crate::clock;
use crate::limits::{
    LINK_BATCH_BYTES_MAX, LINK_FOLLOWED_MAX, LINK_UNDER_WAY_MAX, OUTBOX_BATCHES_MAX, OUTBOX_BYTES_MAX,
};

/// A validator that the gateway connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// What people call it.
    pub name: String,
    /// Where its door is, `host:port`.
    pub address: String,
    /// Its key: anybody else at that address is refused.
    pub public_key: PublicKey,
}

/// What a client needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The gateway's key.
    pub key: SigningKey,
    /// The validators that it connects to.
    pub peers: Vec<Peer>,
    /// All validators in the ledger's order, which says whose turn it is.
    pub validators: Vec<PublicKey>,
    /// Height of the first block that the gateway does not have.
    pub next_height: u64,
}

/// What comes from the validators, for the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// A block. Heights come in order, each once; after [`Client::refuse_block`] they begin again at the refused one, and
    /// what was queued behind it comes first: a host throws away every height that is not the one it waits for. Nobody has
    /// looked at block or certificate.
    Block {
        /// Its height.
        height: u64,
        /// The payload of its frame in the block log.
        payload: Vec<u8>,
        /// The signatures of those who decided it.
        certificate: Vec<u8>,
    },
    /// A checkpoint, said to be signed by a quorum; nobody has looked at it.
    Checkpoint(String),
    /// More than f validators say that a batch of ours is none; it is forgotten, its transactions are not final.
    GivenUp(u64),
}

/// How the gateway stands with one validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// What people call it.
    pub name: String,
    /// Whether a connection is open.
    pub is_connected: bool,
    /// Whether blocks are taken from it.
    pub is_followed: bool,
    /// Height of the last block that it says it has; 0 while it is not connected.
    pub tip_height: u64,
    /// Why the last connection ended or was not made.
    pub last_error: Option<String>,
}

/// How the gateway stands with all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The validators, in the order of the configuration.
    pub peers: Vec<PeerStatus>,
    /// Height of the block that is wanted next.
    pub next_height: u64,
    /// Height that more than f validators say they have.
    pub vouched_height: u64,
    /// What the outbox holds.
    pub outbox: Filled,
    /// Batches that it holds at most.
    pub outbox_batches_max: usize,
    /// Batches that are at validators.
    pub under_way: usize,
    /// How many may be.
    pub under_way_max: usize,
}

/// A client that runs, and what it brings.
#[derive(Debug)]
pub struct Running {
    /// The handle.
    pub client: Client,
    /// What comes from the validators. When the host drops it, the client stops.
    pub followed: mpsc::Receiver<Followed>,
}

/// The handle on the connections to all validators; they end when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    _tasks: Arc<JoinSet<()>>,
}

impl Client {
    /// Connects to the validators, submits what is in the outbox and follows blocks. Needs a running tokio.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn start(settings: Settings, store: Store) -> Result<Running, TlsError> {
        let Settings { key, peers, validators, next_height } = settings;
        let [turn, ..] = *key.kid().as_bytes();
        let following = Following::new(peers.len(), next_height, usize::from(turn));
        let mut core = Core::new(peers.clone(), validators, following);
        store.sequences().into_iter().for_each(|sequence| core.submitter.offer(sequence));
        let (sender, followed) = mpsc::channel(LINK_FOLLOWED_MAX);
        let shared = Arc::new(Shared::new(store, core, sender, clock::monotonic()));
        let mut tasks = JoinSet::new();
        for (number, peer) in peers.into_iter().enumerate() {
            let connector = TlsConnector::from(tls::client_config(&key, peer.public_key)?);
            let Peer { name, address, .. } = peer;
            let connection = Connection { shared: shared.clone(), peer: number, name, address, connector };
            tasks.spawn(connection.keep());
        }
        tasks.spawn(shared.clone().pump());
        Ok(Running { client: Client { shared, _tasks: Arc::new(tasks) }, followed })
    }

    /// Signs transactions as a batch, waits until it is on the disk (this thread does), and has it submitted until it is
    /// settled. Returns its sequence.
    ///
    /// # Errors
    /// [`StoreError::Full`]: wait for [`Client::room`]. Or that they make no batch, or what the disk says.
    pub fn submit(&self, transactions: &[Vec<u8>]) -> Result<u64, StoreError> {
        let sequence = self.shared.store.put(transactions)?;
        self.shared.core().submitter.offer(sequence);
        self.shared.news.notify_one();
        Ok(sequence)
    }

    /// Every transaction of a batch is on the ledger or refused for good: it is forgotten.
    pub fn settled(&self, sequence: u64) {
        self.shared.settle(sequence);
    }

    /// The batches in the outbox, the oldest first: after a start those that an earlier run has left.
    pub fn unsettled(&self) -> Vec<u64> {
        self.shared.store.sequences()
    }

    /// The transactions of a batch; `None` when it is settled. Reads the disk.
    ///
    /// # Errors
    /// What the disk says.
    pub fn transactions(&self, sequence: u64) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
        self.shared.store.transactions(sequence)
    }

    /// Whether the outbox takes another batch, however large.
    pub fn has_room(&self) -> bool {
        let Filled { batches, bytes } = self.shared.store.filled();
        batches < OUTBOX_BATCHES_MAX && bytes + LINK_BATCH_BYTES_MAX as u64 <= OUTBOX_BYTES_MAX
    }

    /// Waits until the outbox takes another batch.
    pub async fn room(&self) {
        loop {
            let mut settled = std::pin::pin!(self.shared.room.notified());
            settled.as_mut().enable();
            if self.has_room() {
                return;
            }
            settled.await;
        }
    }

    /// The block at a height does not hold: whoever gave it is avoided, and the block comes again from another.
    pub fn refuse_block(&self, height: u64) {
        {
            let mut core = self.shared.core();
            let now = self.shared.now();
            if let Some(giver) = core.following.refuse(height, now) {
                core.disconnected(giver);
            }
        }
        self.shared.figures.blocks_refused.add(1);
        self.shared.news.notify_one();
    }

    /// The ledger has other validators now, in this order. Peers that are none of them are followed, but given no batches.
    pub fn set_validators(&self, validators: Vec<PublicKey>) {
        self.shared.core().set_validators(validators);
        self.shared.news.notify_one();
    }

    /// How the gateway stands with the validators.
    pub fn status(&self) -> Status {
        let core = self.shared.core();
        let followed = core.following.followed();
        let peers = core.peers.iter().enumerate().map(|(number, connected)| PeerStatus {
            name: connected.peer.name.clone(),
            is_connected: connected.outgoing.is_some(),
            is_followed: followed == Some(number),
            tip_height: core.following.tip_of(number),
            last_error: connected.last_error.clone(),
        });
        Status {
            peers: peers.collect(),
            next_height: core.following.next_height(),
            vouched_height: core.following.vouched_height(core.faulty_max()),
            outbox: self.shared.store.filled(),
            outbox_batches_max: OUTBOX_BATCHES_MAX,
            under_way: core.submitter.depth().0,
            under_way_max: LINK_UNDER_WAY_MAX,
        }
    }

    /// What the client counts.
    pub fn figures(&self) -> &ClientFigures {
        &self.shared.figures
    }
}

#[cfg(test)]
impl Client {
    /// Pretends that batches of these sequences are in the outbox.
    pub(super) fn fill_for_test(&self, sequences: &[u64]) {
        self.shared.store.fill_for_test(sequences);
    }
}
