//! A gateway's connection to one validator: kept open, and made anew with growing pauses when it is lost.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{error::Elapsed, sleep, timeout};
use tokio_rustls::TlsConnector;

use super::client::Followed;
use super::message::{Reason, ToGateway, ToValidator};
use super::pump::{Outgoing, Shared};
use super::tls;
use super::wire::{self, WireError};
use crate::clock;
use crate::limits::{
    LINK_GOOD_MILLISECONDS, LINK_HANDSHAKE_PATIENCE, LINK_OUTGOING_MAX, LINK_PULSE,
    LINK_RECONNECT_MILLISECONDS_MAX, LINK_RECONNECT_MILLISECONDS_MIN, LINK_REFUSED_PAUSE_MILLISECONDS,
    LINK_SILENCE_MAX, LINK_TO_GATEWAY_BYTES_MAX,
};

/// Why a connection ended or was not made.
#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    /// Nobody is reached there in time.
    #[error("nobody answers in time")]
    Unanswered(#[from] Elapsed),
    /// The network, or the handshake: another key than the one that is expected, or ours is not admitted.
    #[error("no connection: {0}")]
    Connect(#[from] io::Error),
    /// The connection.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The validator did not say how far it is before all else.
    #[error("the other side does not begin as a validator does")]
    Beginning,
    /// It was closed here: another validator is followed.
    #[error("closed by this gateway, which follows another validator")]
    Closed,
}

/// One validator, as this task sees it.
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: usize,
    pub(super) name: String,
    pub(super) address: String,
    pub(super) connector: TlsConnector,
}

impl Connection {
    /// Keeps the connection, as long as the client lives.
    pub(super) async fn keep(self) {
        let mut wait = LINK_RECONNECT_MILLISECONDS_MIN;
        loop {
            let mut admitted = None;
            let error = match self.serve(&mut admitted).await {
                Ok(()) => ConnectionError::Closed,
                Err(error) => error,
            };
            let is_news = {
                let error = Some(error.to_string());
                let mut core = self.shared.core();
                core.disconnected(self.peer);
                let known = core.peers.get_mut(self.peer).map(|peer| &mut peer.last_error);
                known.is_some_and(|last| std::mem::replace(last, error.clone()) != error)
            };
            self.shared.figures.reconnects.add(1);
            self.shared.news.notify_one();
            // Whoever lets us in only to hang up is not asked all the time either.
            let good = Duration::from_millis(LINK_GOOD_MILLISECONDS);
            if admitted.is_some_and(|since: Instant| since.elapsed() >= good) {
                wait = LINK_RECONNECT_MILLISECONDS_MIN;
            }
            // A validator that is away for an hour is said to be so once.
            if is_news {
                tracing::warn!(validator = %self.name, address = %self.address, %error, "no connection to the validator, trying again");
            }
            sleep(jittered(wait)).await;
            wait = (wait * 2).min(LINK_RECONNECT_MILLISECONDS_MAX);
        }
    }

    /// Connects and serves the connection until it ends.
    async fn serve(&self, admitted: &mut Option<Instant>) -> Result<(), ConnectionError> {
        let stream = timeout(LINK_HANDSHAKE_PATIENCE, TcpStream::connect(&self.address)).await??;
        stream.set_nodelay(true)?;
        let shaken = self.connector.connect(tls::server_name(), stream);
        let mut stream = timeout(LINK_HANDSHAKE_PATIENCE, shaken).await??;
        // In TLS 1.3 our side is done before the other has judged our key: only its first word says that we are admitted.
        let first = wire::read(&mut stream, LINK_TO_GATEWAY_BYTES_MAX, LINK_HANDSHAKE_PATIENCE).await?;
        let ToGateway::Tip { height } = ToGateway::decode(&first).map_err(WireError::from)? else {
            return Err(ConnectionError::Beginning);
        };
        tracing::info!(validator = %self.name, address = %self.address, height, "connected to the validator");
        *admitted = Some(clock::monotonic());
        let (outgoing, orders) = mpsc::channel(LINK_OUTGOING_MAX);
        {
            let mut core = self.shared.core();
            core.connected(self.peer, outgoing);
            core.following.tip(self.peer, height);
        }
        self.shared.news.notify_one();
        let (reader, writer) = tokio::io::split(stream);
        tokio::select! {
            ended = self.read(reader) => ended,
            ended = self.write(writer, orders) => ended,
        }
    }

    async fn read(&self, mut reader: impl AsyncRead + Unpin) -> Result<(), ConnectionError> {
        let (shared, figures) = (&self.shared, &self.shared.figures);
        loop {
            let message = wire::read(&mut reader, LINK_TO_GATEWAY_BYTES_MAX, LINK_SILENCE_MAX).await?;
            match ToGateway::decode(&message).map_err(WireError::from)? {
                ToGateway::Tip { height } => shared.core().following.tip(self.peer, height),
                ToGateway::Taken { .. } => figures.batches_taken.add(1),
                ToGateway::Refused { sequence, reason, retry_after_milliseconds } => {
                    self.refused(sequence, reason, retry_after_milliseconds).await;
                }
                ToGateway::Absent { .. } => {
                    let now = shared.now();
                    shared.core().following.absent(self.peer, now);
                    shared.news.notify_one();
                }
                ToGateway::Block { height, payload, certificate } => {
                    let followed = Followed::Block { height, payload, certificate };
                    self.hand_over(followed, |shared, now| {
                        shared.core().following.arrived(self.peer, height, now)
                    })
                    .await;
                }
                ToGateway::Checkpoint(note) => {
                    let is_followed =
                        |shared: &Shared, _| shared.core().following.followed() == Some(self.peer);
                    self.hand_over(Followed::Checkpoint(note), is_followed).await;
                }
            }
        }
    }

    /// Gives something to the host as soon as it has room, if it is still wanted then. While it has none, nothing is read:
    /// so the validator waits, and not this gateway's memory.
    async fn hand_over(&self, followed: Followed, is_wanted: impl FnOnce(&Shared, u64) -> bool) {
        if self.shared.core().following.followed() != Some(self.peer) {
            return;
        }
        let Ok(place) = self.shared.followed.reserve().await else { return };
        if is_wanted(&self.shared, self.shared.now()) {
            let is_block = matches!(followed, Followed::Block { .. });
            place.send(followed);
            self.shared.figures.blocks_followed.add(is_block.into());
            // The next proposers are others now.
            self.shared.news.notify_one();
        }
    }

    async fn refused(&self, sequence: u64, reason: Reason, retry_after_milliseconds: u64) {
        let now = self.shared.now();
        self.shared.figures.batches_refused[reason.index()].add(1);
        let is_given_up =
            self.shared.core().refused(self.peer, sequence, reason, retry_after_milliseconds, now);
        if is_given_up {
            self.shared.figures.batches_given_up.add(1);
            tracing::error!(
                sequence,
                "validators say that a batch of this gateway's is none: it is given up, its devices send again. Do the \
                 gateway and the validators name the same network and key?"
            );
            self.shared.settle(sequence);
            // A host that is gone needs no word of it.
            let _gone = self.shared.followed.send(Followed::GivenUp(sequence)).await;
        }
        self.shared.news.notify_one();
    }

    async fn write(
        &self,
        mut writer: impl AsyncWrite + Unpin,
        mut orders: mpsc::Receiver<Outgoing>,
    ) -> Result<(), ConnectionError> {
        loop {
            let message = match timeout(LINK_PULSE, orders.recv()).await {
                Err(_nothing_to_say) => ToValidator::Alive,
                Ok(None) => return Ok(()),
                Ok(Some(Outgoing::Follow(from_height))) => ToValidator::Follow { from_height },
                Ok(Some(Outgoing::Submit(sequence))) => match self.batch(sequence).await {
                    Some(bytes) => {
                        self.shared.figures.batches_sent.add(1);
                        ToValidator::Submit(bytes)
                    }
                    None => continue,
                },
            };
            wire::write(&mut writer, &message.encode().map_err(WireError::from)?).await?;
        }
    }

    /// The bytes of a batch; none when it was settled meanwhile, or cannot be read now.
    async fn batch(&self, sequence: u64) -> Option<Vec<u8>> {
        let store = self.shared.store.clone();
        match tokio::task::spawn_blocking(move || store.read(sequence)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => {
                tracing::warn!(sequence, %error, "a batch cannot be read from the outbox");
                let (pause, now) = (LINK_REFUSED_PAUSE_MILLISECONDS, self.shared.now());
                self.shared.core().refused(self.peer, sequence, Reason::Full, pause, now);
                None
            }
            Err(_the_program_is_stopping) => None,
        }
    }
}

/// A wait of half to all of what is given, so that not all gateways come back at once.
fn jittered(milliseconds: u64) -> Duration {
    let chance =
        clock::random_seed().ok().and_then(|seed| seed.first_chunk().copied()).map_or(0, u64::from_be_bytes);
    let half = milliseconds / 2;
    Duration::from_millis(half + chance % (half + 1))
}
