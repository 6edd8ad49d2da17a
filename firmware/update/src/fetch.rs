//! A visit to the broker: looks for a manifest, and fetches the image that it describes, chunk by chunk.
//!
//! A visit is a connection of its own beside the uplink's, made now and then: whoever only asks whether there is something
//! new need not stay. Messages are retained; one chunk is subscribed to at a time, so that the broker never sends more
//! than there is room for.

use core::fmt;

use devices::FirmwareTopic;
use devices::limits::FIRMWARE_TOPIC_BYTES_MAX;
use embassy_time::{Duration, Instant, with_deadline, with_timeout};
use embedded_io_async::{Read, Write};
use embedded_storage::nor_flash::NorFlash;
use log::{info, warn};
use minimq::{Buffers, ConfigBuilder, Connection, Error, Session, TopicFilter};

use crate::bootloader::Bootloader;
use crate::limits::{EXCHANGE_MILLISECONDS_MAX, KEEPALIVE_SECONDS, RECEIVE_BYTES, TRANSMIT_BYTES};
use crate::updater::{Progress, State, UpdateError, Updater, Wanted};

const EXCHANGE: Duration = Duration::from_millis(EXCHANGE_MILLISECONDS_MAX);

/// How a visit ended.
#[derive(Debug)]
pub enum Visit {
    /// There is no image for this board, or none that it takes.
    NothingNew,
    /// The image lies in the download slot, whole: [`Updater::install`] it.
    Ready,
}

/// Why a visit was broken off. What was fetched stays.
#[derive(Debug)]
pub enum VisitError<E> {
    /// The broker did not answer in time.
    Silent,
    /// The manifest is there, and this chunk is not, or is none.
    Missing(Wanted),
    /// MQTT or its transport failed.
    Mqtt(Error<E>),
    /// The flash or the bootloader failed.
    Update(UpdateError),
    /// The client's name or the network's id does not fit.
    Name,
}

impl<E: fmt::Debug> fmt::Display for VisitError<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => out.write_str("the broker does not answer"),
            Self::Missing(wanted) => {
                write!(out, "the broker has no chunk {} of version {}", wanted.index, wanted.version)
            }
            Self::Mqtt(error) => write!(out, "{error:?}"),
            Self::Update(error) => error.fmt(out),
            Self::Name => out.write_str("the client's name or the network's id does not fit"),
        }
    }
}

impl<E> From<Error<E>> for VisitError<E> {
    fn from(error: Error<E>) -> Self {
        Self::Mqtt(error)
    }
}

/// Memory for one visit: 1 KiB.
pub struct VisitBuffers {
    receive: [u8; RECEIVE_BYTES],
    transmit: [u8; TRANSMIT_BYTES],
}

impl VisitBuffers {
    /// Empty buffers.
    pub const fn new() -> Self {
        Self { receive: [0; RECEIVE_BYTES], transmit: [0; TRANSMIT_BYTES] }
    }
}

impl Default for VisitBuffers {
    fn default() -> Self {
        Self::new()
    }
}

/// Visits the broker over `io`, an open connection to it, as the MQTT client `client_id`.
///
/// # Errors
/// [`VisitError`]; the next visit goes on where this one stopped.
pub async fn visit<D: NorFlash, S: NorFlash, B: Bootloader, IO: Read + Write>(
    updater: &mut Updater<D, S, B>,
    network: &str,
    client_id: &str,
    io: IO,
    buffers: &mut VisitBuffers,
) -> Result<Visit, VisitError<IO::Error>> {
    let VisitBuffers { receive, transmit } = buffers;
    let configuration = ConfigBuilder::new(Buffers::new(receive, transmit))
        .keepalive_interval(KEEPALIVE_SECONDS)
        .client_id(client_id)
        .map_err(|_| VisitError::Name)?;
    let mut session = Session::new(configuration);
    let mut connection =
        with_timeout(EXCHANGE, session.connect(io)).await.map_err(|_| VisitError::Silent)??;
    let mut visitor = Visitor { updater, network, has_manifest: false, chunks: 0, failure: None };
    let mut room = [0; FIRMWARE_TOPIC_BYTES_MAX];
    let topic = FirmwareTopic::Manifest { network, board: visitor.updater.board() };
    let topic = topic.write(&mut room).ok_or(VisitError::Name)?;
    let asked = connection.subscribe(&[TopicFilter::new(topic)], &[]).await?;
    let done = |visitor: &Visitor<'_, D, S, B>, connection: &Connection<'_, '_, IO>| {
        visitor.has_manifest && !connection.is_pending(&asked)
    };
    if !visitor.poll_until(&mut connection, done).await? {
        return if connection.is_pending(&asked) { Err(VisitError::Silent) } else { Ok(Visit::NothingNew) };
    }
    while let Some(wanted) = visitor.updater.wants() {
        visitor.fetch(&mut connection, wanted).await?;
    }
    match visitor.updater.state() {
        State::Ready { .. } => Ok(Visit::Ready),
        _ => Ok(Visit::NothingNew),
    }
}

struct Visitor<'a, D, S, B> {
    updater: &'a mut Updater<D, S, B>,
    network: &'a str,
    has_manifest: bool,
    /// Chunks taken in this visit.
    chunks: u32,
    failure: Option<UpdateError>,
}

impl<D: NorFlash, S: NorFlash, B: Bootloader> Visitor<'_, D, S, B> {
    /// Subscribes to one chunk, waits for it, and lets go of the topic.
    async fn fetch<IO: Read + Write>(
        &mut self,
        connection: &mut Connection<'_, '_, IO>,
        wanted: Wanted,
    ) -> Result<(), VisitError<IO::Error>> {
        let Wanted { version, index } = wanted;
        let mut room = [0; FIRMWARE_TOPIC_BYTES_MAX];
        let topic =
            FirmwareTopic::Chunk { network: self.network, board: self.updater.board(), version, index };
        let topic = topic.write(&mut room).ok_or(VisitError::Name)?;
        let before = self.chunks;
        let asked = connection.subscribe(&[TopicFilter::new(topic)], &[]).await?;
        let came = |visitor: &Self, connection: &Connection<'_, '_, IO>| {
            // A newer manifest that comes meanwhile wants other chunks.
            let is_over = visitor.chunks > before || visitor.updater.wants() != Some(wanted);
            is_over && !connection.is_pending(&asked)
        };
        if !self.poll_until(connection, came).await? {
            return Err(VisitError::Missing(wanted));
        }
        let left = connection.unsubscribe(&[topic], &[]).await?;
        let gone = |_: &Self, connection: &Connection<'_, '_, IO>| !connection.is_pending(&left);
        if self.poll_until(connection, gone).await? { Ok(()) } else { Err(VisitError::Silent) }
    }

    /// Takes messages until `done`; false where that takes too long.
    async fn poll_until<IO: Read + Write>(
        &mut self,
        connection: &mut Connection<'_, '_, IO>,
        done: impl Fn(&Self, &Connection<'_, '_, IO>) -> bool,
    ) -> Result<bool, VisitError<IO::Error>> {
        let deadline = Instant::now() + EXCHANGE;
        while !done(self, connection) {
            let Ok(polled) = with_deadline(deadline, connection.poll()).await else { return Ok(false) };
            if let Some(message) = polled? {
                self.receive(message.topic(), message.payload());
            }
            if let Some(failure) = self.failure {
                return Err(VisitError::Update(failure));
            }
        }
        Ok(true)
    }

    /// A refusal is said and changes nothing: the broker is never trusted.
    fn receive(&mut self, topic: &str, payload: &[u8]) {
        let outcome = match FirmwareTopic::parse(topic) {
            Some(FirmwareTopic::Manifest { .. }) => {
                self.has_manifest = true;
                let taken = self.updater.take_manifest(payload);
                if let (Ok(true), Some(wanted)) = (taken, self.updater.wants()) {
                    info!("fetching firmware {}", wanted.version);
                }
                taken.map(drop)
            }
            Some(FirmwareTopic::Chunk { version, index, .. })
                if self.updater.wants() == Some(Wanted { version, index }) =>
            {
                let taken = self.updater.take_chunk(index, payload);
                if let Ok(progress) = taken {
                    self.chunks = self.chunks.saturating_add(1);
                    said(progress, self.updater.state());
                }
                taken.map(drop)
            }
            _ => Ok(()),
        };
        match outcome {
            Ok(()) => {}
            Err(UpdateError::Refused(refusal)) => info!("not taken: {refusal}"),
            Err(failure) => self.failure = Some(failure),
        }
    }
}

fn said(progress: Progress, state: State) {
    match progress {
        Progress::Written => {}
        Progress::Ready => info!("the new firmware is whole"),
        Progress::SectorAgain => warn!("a power cut has torn a chunk: {state:?}"),
        Progress::WrongHash => warn!("what came is not the image that was signed: once more"),
        Progress::GivenUp => warn!("what came is not the image that was signed: given up"),
    }
}
