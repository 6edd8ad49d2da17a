//! A validator's door for gateways: who is admitted, one live connection for each, and what they submit on its way to the
//! intake. No gateway waits for another.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use devices::{PublicKey, SigningKey};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::batch::VerifiedBatch;
use super::blocks::Blocks;
use super::figures::DoorFigures;
use super::judge::{Judge, Verdict};
use super::tls::{self, TlsError};
use super::visit::Visit;
use crate::clock;
use crate::limits::{
    LINK_GATEWAYS_MAX, LINK_HANDSHAKE_PATIENCE, LINK_HANDSHAKES_MAX, LINK_PULSE, LINK_WAITING_BYTES_MAX,
    LINK_WAITING_TRANSACTIONS_MAX,
};
use crate::shared::Submission;

/// The door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// More gateways than a door has room for.
    #[error("a validator admits at most {LINK_GATEWAYS_MAX} gateways, not {0}")]
    Gateways(usize),
    /// One key twice.
    #[error("the gateways {one} and {other} have the same key: each needs its own")]
    SameKey {
        /// A gateway.
        one: String,
        /// The other.
        other: String,
    },
    /// The listener has no address.
    #[error("the door for gateways cannot listen: {0}")]
    Listener(#[from] io::Error),
}

/// A gateway that may come in.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// What people call it.
    pub name: String,
    /// Its key.
    pub public_key: PublicKey,
    /// What it may submit.
    pub envelopes_per_second: u64,
}

/// What a door needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The validator's key.
    pub key: SigningKey,
    /// The network's id, which every batch is signed for.
    pub network: String,
    /// The gateways.
    pub admitted: Vec<Admitted>,
}

/// How one gateway does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayStatus {
    /// What people call it.
    pub name: String,
    /// Whether it is connected now.
    pub is_connected: bool,
    /// Its transactions that were taken and wait for the intake.
    pub transactions_waiting: usize,
    /// How many may wait.
    pub transactions_waiting_max: usize,
}

/// An open door; it closes when this is dropped, and with it every connection.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    hall: Arc<Hall>,
    _tasks: JoinSet<()>,
}

impl Door {
    /// Opens the door on a listener. What gateways submit goes to `intake`. Needs a running tokio.
    ///
    /// # Errors
    /// When the settings or the listener are no good.
    pub fn open(
        listener: TcpListener,
        settings: Settings,
        blocks: Blocks,
        intake: &mpsc::Sender<Submission>,
    ) -> Result<Door, DoorError> {
        if settings.admitted.len() > LINK_GATEWAYS_MAX {
            return Err(DoorError::Gateways(settings.admitted.len()));
        }
        let keys = settings.admitted.iter().map(|gateway| gateway.public_key);
        let acceptor = TlsAcceptor::from(tls::server_config(&settings.key, keys)?);
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        let figures = Arc::new(DoorFigures::default());
        let mut entrances: BTreeMap<PublicKey, Arc<Entrance>> = BTreeMap::new();
        for gateway in settings.admitted {
            let (entrance, queue) = Entrance::of(&gateway, figures.clone());
            if let Some(other) = entrances.insert(gateway.public_key, entrance.clone()) {
                return Err(DoorError::SameKey { one: other.name.clone(), other: gateway.name });
            }
            tasks.spawn(entrance.hand_on(queue, intake.clone()));
        }
        let hall = Arc::new(Hall { network: settings.network, entrances, blocks, figures });
        tasks.spawn(hall.clone().accept(listener, acceptor));
        Ok(Door { address, hall, _tasks: tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it counts.
    pub fn figures(&self) -> Arc<DoorFigures> {
        self.hall.figures.clone()
    }

    /// How each gateway does, by the order of their keys.
    pub fn status(&self) -> Vec<GatewayStatus> {
        self.hall.entrances.values().map(|entrance| entrance.status()).collect()
    }
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Hall {
    pub(super) network: String,
    entrances: BTreeMap<PublicKey, Arc<Entrance>>,
    pub(super) blocks: Blocks,
    pub(super) figures: Arc<DoorFigures>,
}

impl Hall {
    async fn accept(self: Arc<Hall>, listener: TcpListener, acceptor: TlsAcceptor) {
        let handshakes = Arc::new(Semaphore::new(LINK_HANDSHAKES_MAX));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_ended) = connections.join_next() => continue,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "no connection of a gateway can be accepted");
                    // Mostly for want of descriptors: there is none sooner for trying at once.
                    tokio::time::sleep(LINK_PULSE).await;
                    continue;
                }
            };
            // Nobody waits for a place: a stranger who holds all of them holds them for the handshake's patience only.
            let Ok(place) = handshakes.clone().try_acquire_owned() else {
                self.figures.turned_away.add(1);
                continue;
            };
            let (hall, acceptor) = (self.clone(), acceptor.clone());
            connections.spawn(async move {
                let entered = hall.handshake(stream, &acceptor).await;
                drop(place);
                if let Some((stream, entrance)) = entered {
                    entrance.visit(&hall, stream).await;
                }
            });
        }
    }

    /// Lets a gateway in whose key is admitted.
    async fn handshake(
        &self,
        stream: TcpStream,
        acceptor: &TlsAcceptor,
    ) -> Option<(TlsStream<TcpStream>, Arc<Entrance>)> {
        let _slower = stream.set_nodelay(true);
        let stream = timeout(LINK_HANDSHAKE_PATIENCE, acceptor.accept(stream)).await;
        let entered = stream.ok().and_then(Result::ok).and_then(|stream| {
            let key = tls::peer_key(stream.get_ref().1)?;
            let entrance = self.entrances.get(&key)?.clone();
            Some((stream, entrance))
        });
        if entered.is_none() {
            self.figures.turned_away.add(1);
        }
        entered
    }
}

/// One gateway's way in. What it submitted stays here when its connection is gone.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) name: String,
    pub(super) key: PublicKey,
    judge: Mutex<Judge>,
    opened: Instant,
    queue: mpsc::Sender<Vec<u8>>,
    bytes_waiting: AtomicU64,
    live: Mutex<Live>,
    figures: Arc<DoorFigures>,
}

/// The connection that is in use; ending it is telling it so.
#[derive(Debug, Default)]
struct Live {
    number: u64,
    end: Option<oneshot::Sender<()>>,
}

impl Entrance {
    fn of(gateway: &Admitted, figures: Arc<DoorFigures>) -> (Arc<Entrance>, mpsc::Receiver<Vec<u8>>) {
        let (queue, receiver) = mpsc::channel(LINK_WAITING_TRANSACTIONS_MAX);
        let entrance = Entrance {
            name: gateway.name.clone(),
            key: gateway.public_key,
            judge: Mutex::new(Judge::new(gateway.envelopes_per_second, 0)),
            opened: clock::monotonic(),
            queue,
            bytes_waiting: AtomicU64::new(0),
            live: Mutex::default(),
            figures,
        };
        (Arc::new(entrance), receiver)
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves a connection until it ends, or a newer one takes its place: of two, the older is the one that hangs.
    async fn visit(self: &Arc<Entrance>, hall: &Arc<Hall>, stream: TlsStream<TcpStream>) {
        let (end, ended) = oneshot::channel();
        let number = {
            let mut live = self.live();
            live.number += 1;
            live.end = Some(end);
            live.number
        };
        tracing::info!(gateway = %self.name, "connected");
        let visit = Visit { hall: hall.clone(), entrance: self.clone() };
        tokio::select! {
            error = visit.serve(stream) => {
                tracing::info!(gateway = %self.name, %error, "disconnected");
            }
            _replaced = ended => tracing::info!(gateway = %self.name, "connected anew"),
        }
        let mut live = self.live();
        if live.number == number {
            live.end = None;
        }
    }

    /// Judges a batch and, where it is to go on, queues all of it.
    pub(super) fn submit(&self, batch: VerifiedBatch) -> Verdict {
        let bytes: usize = batch.transactions().iter().map(Vec::len).sum();
        let places = self.queue.try_reserve_many(batch.transactions().len()).ok();
        let waiting = usize::try_from(self.bytes_waiting.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let places = places.filter(|_| waiting + bytes <= LINK_WAITING_BYTES_MAX);
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut judge = self.judge.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = judge.judge(&batch, places.is_some(), now);
        drop(judge);
        match verdict {
            Verdict::HandOn => {
                let transactions = batch.into_transactions();
                self.bytes_waiting.fetch_add(bytes as u64, Ordering::Relaxed);
                self.figures.batches_taken.add(1);
                self.figures.transactions_taken.add(transactions.len() as u64);
                self.figures.transactions_waiting.add(transactions.len() as u64);
                let places = places.into_iter().flatten();
                places.zip(transactions).for_each(|(place, transaction)| place.send(transaction));
            }
            Verdict::Repeated => self.figures.batches_repeated.add(1),
            Verdict::Refused { reason, .. } => self.figures.batches_refused[reason.index()].add(1),
        }
        verdict
    }

    /// Brings what waits to the intake, in order. Where the intake is full, all gateways have their turns there.
    async fn hand_on(
        self: Arc<Entrance>,
        mut queue: mpsc::Receiver<Vec<u8>>,
        intake: mpsc::Sender<Submission>,
    ) {
        while let Some(bytes) = queue.recv().await {
            let length = bytes.len() as u64;
            let submission = Submission { topic_kid: None, bytes, reply: None };
            if intake.send(submission).await.is_err() {
                // The validator is stopping: what waits is submitted to another one, or here again.
                return;
            }
            self.bytes_waiting.fetch_sub(length, Ordering::Relaxed);
            self.figures.transactions_waiting.subtract(1);
        }
    }

    fn status(&self) -> GatewayStatus {
        GatewayStatus {
            name: self.name.clone(),
            is_connected: self.live().end.is_some(),
            transactions_waiting: LINK_WAITING_TRANSACTIONS_MAX - self.queue.capacity(),
            transactions_waiting_max: LINK_WAITING_TRANSACTIONS_MAX,
        }
    }
}
