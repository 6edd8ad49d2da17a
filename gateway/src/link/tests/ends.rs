//! Both ends of a link for the tests: validators whose blocks are made up, gateways, a hand-driven connection, and a way
//! between them that breaks where a test wants it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use devices::SigningKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::limits::LINK_TO_GATEWAY_BYTES_MAX;
use crate::link::blocks::{Blocks, Certified};
use crate::link::client::{Client, Peer, Running, Settings};
use crate::link::door::{self, Admitted, Door};
use crate::link::message::{ToGateway, ToValidator};
use crate::link::store::Store;
use crate::link::{tls, wire};
use crate::shared::Submission;

pub(super) const NETWORK: &str = "devnet";
pub(super) const QUOTA: u64 = 1_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

/// The key of the gateway that all validators admit unless a test says otherwise.
pub(super) fn gateway_key() -> SigningKey {
    key(100)
}

pub(super) fn admitted(key: &SigningKey, envelopes_per_second: u64) -> Admitted {
    Admitted { name: format!("gateway {}", key.kid()), public_key: key.public_key(), envelopes_per_second }
}

/// Looks again and again until it gives something.
pub(super) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut looks = interval(Duration::from_millis(5));
    let found = timeout(PATIENCE, async {
        loop {
            looks.tick().await;
            if let Some(found) = look() {
                return found;
            }
        }
    });
    found.await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// A validator's door, and what is behind it.
pub(super) struct Validator {
    pub(super) key: SigningKey,
    pub(super) door: Door,
    pub(super) intake: mpsc::Receiver<Submission>,
    pub(super) durable: watch::Sender<u64>,
    pub(super) checkpoint: watch::Sender<Arc<str>>,
}

/// The made-up block at a height; large enough that several do not fit into a socket's buffers.
pub(super) fn block(height: u64) -> Certified {
    let payload = height.to_be_bytes().repeat(8_192);
    Certified { payload, certificate: format!("certificate of {height}").into_bytes() }
}

impl Validator {
    pub(super) async fn open(number: u8, admitted: Vec<Admitted>, intake_max: usize) -> Validator {
        Validator::with_blocks(number, admitted, intake_max, |height| Some(block(height))).await
    }

    pub(super) async fn with_blocks(
        number: u8,
        admitted: Vec<Admitted>,
        intake_max: usize,
        read: impl Fn(u64) -> Option<Certified> + Send + Sync + 'static,
    ) -> Validator {
        let (durable, durable_height) = watch::channel(0);
        let (checkpoint, note) = watch::channel(Arc::from(""));
        let blocks = Blocks { read: Arc::new(read), durable: durable_height, checkpoint: note };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = door::Settings { key: key(number), network: NETWORK.to_owned(), admitted };
        let (sender, intake) = mpsc::channel(intake_max);
        let door = Door::open(listener, settings, blocks, &sender).unwrap();
        Validator { key: key(number), door, intake, durable, checkpoint }
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer_by(self.door.address())
    }

    /// The same by way of another address.
    pub(super) fn peer_by(&self, address: SocketAddr) -> Peer {
        let name = format!("validator {}", self.key.kid());
        Peer { name, address: address.to_string(), public_key: self.key.public_key() }
    }

    /// The next transactions that come to the intake.
    pub(super) async fn received(&mut self, transactions: usize) -> Vec<Vec<u8>> {
        let mut received = Vec::new();
        while received.len() < transactions {
            let submission = soon("a transaction at the intake", self.intake.recv()).await.unwrap();
            assert!(submission.topic_kid.is_none() && submission.reply.is_none());
            received.push(submission.bytes);
        }
        received
    }

    pub(super) fn has_received_nothing_more(&mut self) -> bool {
        self.intake.try_recv().is_err()
    }
}

/// A gateway's client of some validators, with its outbox in a directory.
pub(super) fn gateway(key: &SigningKey, peers: Vec<Peer>, outbox: &Path) -> Running {
    let store = Store::open(outbox, key, NETWORK, 1).unwrap().store;
    let validators = peers.iter().map(|peer| peer.public_key).collect();
    Client::start(Settings { key: key.clone(), peers, validators, next_height: 1 }, store).unwrap()
}

pub(super) fn is_connected(client: &Client, peer: usize) -> bool {
    client.status().peers[peer].is_connected
}

/// Transactions that nobody could take for others.
pub(super) fn transactions(number: u64, count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|part| [number.to_be_bytes(), part.to_be_bytes()].concat().repeat(10)).collect()
}

/// A connection to a door that a test speaks on itself.
pub(super) struct ByHand(pub(super) TlsStream<TcpStream>);

impl ByHand {
    pub(super) async fn connect(key: &SigningKey, validator: &Validator) -> ByHand {
        let config = tls::client_config(key, validator.key.public_key()).unwrap();
        let stream = TcpStream::connect(validator.door.address()).await.unwrap();
        let connected = TlsConnector::from(config).connect(tls::server_name(), stream);
        ByHand(soon("the handshake", connected).await.unwrap())
    }

    pub(super) async fn say(&mut self, message: &ToValidator) {
        wire::write(&mut self.0, &message.encode().unwrap()).await.unwrap();
    }

    /// The next message that is no tip; `None` when the connection ends.
    pub(super) async fn hear(&mut self) -> Option<ToGateway> {
        loop {
            let message = wire::read(&mut self.0, LINK_TO_GATEWAY_BYTES_MAX, PATIENCE).await.ok()?;
            match ToGateway::decode(&message).unwrap() {
                ToGateway::Tip { .. } => {}
                other => return Some(other),
            }
        }
    }
}

/// A way to an address on which the first connections are cut after so many bytes each, whatever is on its way.
pub(super) struct Way {
    pub(super) address: SocketAddr,
    cuts: Arc<Mutex<VecDeque<usize>>>,
    cut_now: watch::Sender<u32>,
    _tasks: JoinSet<()>,
}

impl Way {
    pub(super) async fn to(target: SocketAddr, cuts: impl IntoIterator<Item = usize>) -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(Mutex::new(cuts.into_iter().collect::<VecDeque<usize>>()));
        let (cut_now, end) = watch::channel(0);
        let (mut tasks, left) = (JoinSet::new(), cuts.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((from, _)) = listener.accept().await {
                let bytes_max = left.lock().unwrap().pop_front().unwrap_or(usize::MAX);
                let mut end = end.clone();
                end.mark_unchanged();
                connections.spawn(async move {
                    tokio::select! {
                        () = relay(from, target, bytes_max) => {}
                        _cut = end.changed() => {}
                    }
                });
            }
        });
        Way { address, cuts, cut_now, _tasks: tasks }
    }

    /// Cuts all connections that are open.
    pub(super) fn cut(&self) {
        self.cut_now.send_modify(|cuts| *cuts += 1);
    }

    pub(super) fn cuts_left(&self) -> usize {
        self.cuts.lock().unwrap().len()
    }
}

async fn relay(mut from: TcpStream, target: SocketAddr, bytes_max: usize) {
    let Ok(mut to) = TcpStream::connect(target).await else { return };
    let (mut left, mut there, mut back) = (bytes_max, vec![0; 4_096], vec![0; 4_096]);
    while left > 0 {
        let most = left.min(4_096);
        let relayed = tokio::select! {
            read = from.read(&mut there[..most]) => match read {
                Ok(bytes @ 1..) => to.write_all(&there[..bytes]).await.map(|()| bytes),
                _ => return,
            },
            read = to.read(&mut back[..most]) => match read {
                Ok(bytes @ 1..) => from.write_all(&back[..bytes]).await.map(|()| bytes),
                _ => return,
            },
        };
        let Ok(bytes) = relayed else { return };
        left -= bytes;
    }
}
