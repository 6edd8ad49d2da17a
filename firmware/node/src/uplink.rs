//! The MQTT session: publishes what the device has to send, and hands it what the gateway answers.
//!
//! Each session is a fresh one: what was in flight is the outbox's to repeat, not the MQTT client's. Time is embassy-time's,
//! because minimq's is.

use core::cell::RefCell;
use core::fmt::{self, Write};

use devices::limits::{ENVELOPE_BYTES_MAX, TOPIC_BYTES_MAX};
use devices::{Ack, DeviceId, RefusedNotice, Topic, TopicKind};
use embassy_time::{Duration, Instant, Timer, with_deadline, with_timeout};
use embedded_io_async::{Read, Write as WriteBytes};
use embedded_storage::Storage;
use log::{error, info, warn};
use minimq::{
    Buffers, ConfigBuilder, Connection, Error, Property, PubError, Publication, QoS, Session, TopicFilter,
};

use crate::device::{Device, Outgoing, SendError};
use crate::limits::{
    EXCHANGE_MILLISECONDS_MAX, KEEPALIVE_SECONDS, RECEIVE_BYTES, RECONNECT_MILLISECONDS_MAX,
    RECONNECT_MILLISECONDS_MIN, TRANSMIT_BYTES, TURN_MILLISECONDS_MIN,
};
use crate::sampler::Sensor;

/// What an envelope is (contract, MQTT).
pub const CONTENT_TYPE: &str = "application/cose; cose-type=\"cose-sign1\"";

/// Why a session ended.
#[derive(Debug)]
pub enum UplinkError<E> {
    /// The broker did not answer in time.
    Silent,
    /// MQTT or its transport failed.
    Mqtt(Error<E>),
    /// The device's own storage or key failed: nothing can be published.
    Device,
    /// The device has another key, and so other topics.
    KeyChanged,
}

impl<E: fmt::Debug> fmt::Display for UplinkError<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => out.write_str("the broker does not answer"),
            // In words, because every error's own text would take kilobytes of a board's flash.
            Self::Mqtt(error) => out.write_str(match error {
                Error::Transport(_) | Error::WriteZero => "the connection to the broker broke",
                Error::Disconnected => "the broker ended it",
                Error::Peer(_) => "the broker refuses, or says what is not MQTT",
                Error::NotReady | Error::Resource(_) => "there is no room for what is to be said",
                _ => "MQTT cannot say what is to be said",
            }),
            Self::Device => out.write_str("the device cannot publish"),
            Self::KeyChanged => out.write_str("the device has another key"),
        }
    }
}

impl<E> From<Error<E>> for UplinkError<E> {
    fn from(error: Error<E>) -> Self {
        Self::Mqtt(error)
    }
}

/// Memory for one session: about 5 KiB.
pub struct SessionBuffers {
    receive: [u8; RECEIVE_BYTES],
    transmit: [u8; TRANSMIT_BYTES],
    envelope: [u8; ENVELOPE_BYTES_MAX],
}

impl SessionBuffers {
    /// Empty buffers.
    pub const fn new() -> Self {
        Self { receive: [0; RECEIVE_BYTES], transmit: [0; TRANSMIT_BYTES], envelope: [0; ENVELOPE_BYTES_MAX] }
    }
}

impl Default for SessionBuffers {
    fn default() -> Self {
        Self::new()
    }
}

/// Milliseconds since start, by the clock of this module.
pub fn now_milliseconds() -> u64 {
    Instant::now().as_millis()
}

/// Takes a sample whenever one is due, for ever, whether a broker is there or not.
pub async fn keep_sampling<S: Storage<Error: fmt::Debug>, P: Sensor>(device: &RefCell<Device<S, P>>) -> ! {
    loop {
        let due = {
            let mut device = device.borrow_mut();
            device.sample_if_due(now_milliseconds());
            device.sample_at_milliseconds()
        };
        Timer::at(Instant::from_millis(due)).await;
    }
}

/// Waits between two attempts to connect: doubles, and tells the watchdog that the uplink lives.
pub struct Backoff(u64);

impl Backoff {
    /// The first wait is the shortest.
    pub const fn new() -> Self {
        Self(RECONNECT_MILLISECONDS_MIN)
    }

    /// After a session that stood, the next wait is the shortest again.
    pub fn reset(&mut self) {
        self.0 = RECONNECT_MILLISECONDS_MIN;
    }

    /// Waits.
    pub async fn wait<S: Storage<Error: fmt::Debug>, P: Sensor>(&mut self, device: &RefCell<Device<S, P>>) {
        device.borrow_mut().uplink_turned(now_milliseconds());
        Timer::after_millis(self.0).await;
        self.0 = (self.0 * 2).min(RECONNECT_MILLISECONDS_MAX);
        device.borrow_mut().uplink_turned(now_milliseconds());
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs one session over `io`, an open connection to the broker, until it ends; says why it did. `stood` is set once the
/// broker has confirmed the subscriptions.
pub async fn run_session<S: Storage<Error: fmt::Debug>, P: Sensor, IO: Read + WriteBytes>(
    device: &RefCell<Device<S, P>>,
    io: IO,
    buffers: &mut SessionBuffers,
    stood: &mut bool,
) -> UplinkError<IO::Error> {
    let result = session(device, io, buffers, stood).await;
    device.borrow_mut().session_closed();
    match result {
        Err(error) => error,
        Ok(never) => match never {},
    }
}

async fn session<S: Storage<Error: fmt::Debug>, P: Sensor, IO: Read + WriteBytes>(
    device: &RefCell<Device<S, P>>,
    io: IO,
    buffers: &mut SessionBuffers,
    stood: &mut bool,
) -> Result<core::convert::Infallible, UplinkError<IO::Error>> {
    let exchange = Duration::from_millis(EXCHANGE_MILLISECONDS_MAX);
    let (kid, topics, client) = {
        let device = device.borrow();
        let kid = device.identity().kid();
        (kid, Topics::of(device.identity().network(), kid), ClientName::of(kid))
    };
    let SessionBuffers { receive, transmit, envelope } = buffers;
    let configuration = ConfigBuilder::new(Buffers::new(receive, transmit))
        .keepalive_interval(KEEPALIVE_SECONDS)
        .client_id(client.as_str())
        .map_err(|_| UplinkError::Device)?;
    let mut session = Session::new(configuration);
    let connection = with_timeout(exchange, session.connect(io)).await.map_err(|_| UplinkError::Silent)??;
    let mut connection = subscribe(device, connection, &topics, exchange).await?;
    info!("connected to the broker as {}", client.as_str());
    *stood = true;
    device.borrow_mut().session_opened(now_milliseconds());
    loop {
        device.borrow_mut().uplink_turned(now_milliseconds());
        device.borrow_mut().sample_if_due(now_milliseconds());
        if device.borrow().identity().kid() != kid {
            return Err(UplinkError::KeyChanged);
        }
        publish_due(device, &mut connection, &topics, envelope, exchange).await?;
        // Never a deadline that has passed already, or this loop would not let the network's task run.
        let soonest = now_milliseconds() + TURN_MILLISECONDS_MIN;
        let wake = Instant::from_millis(device.borrow().wake_at_milliseconds().max(soonest));
        if let Ok(polled) = with_deadline(wake, connection.poll()).await
            && let Some(message) = polled?
        {
            receive_message(device, &topics, message.topic(), message.payload());
        }
    }
}

/// Subscribes to acknowledgements, refusals and commands, and waits until the broker confirms.
async fn subscribe<'a, 'b, S: Storage<Error: fmt::Debug>, P: Sensor, IO: Read + WriteBytes>(
    device: &RefCell<Device<S, P>>,
    mut connection: Connection<'a, 'b, IO>,
    topics: &Topics,
    exchange: Duration,
) -> Result<Connection<'a, 'b, IO>, UplinkError<IO::Error>> {
    let confirmed = async {
        let filters = [&topics.ack, &topics.refused, &topics.down].map(|it| TopicFilter::new(it.as_str()));
        let subscription = connection.subscribe(&filters, &[]).await?;
        while connection.is_pending(&subscription) {
            // The retained acknowledgement may come before the broker's confirmation.
            if let Some(message) = connection.poll().await? {
                receive_message(device, topics, message.topic(), message.payload());
            }
        }
        Ok::<(), Error<IO::Error>>(())
    };
    with_timeout(exchange, confirmed).await.map_err(|_| UplinkError::Silent)??;
    Ok(connection)
}

/// Publishes what may be sent, as far as the client has room: the rest follows when PUBACKs have made some.
async fn publish_due<S: Storage<Error: fmt::Debug>, P: Sensor, IO: Read + WriteBytes>(
    device: &RefCell<Device<S, P>>,
    connection: &mut Connection<'_, '_, IO>,
    topics: &Topics,
    envelope: &mut [u8; ENVELOPE_BYTES_MAX],
    exchange: Duration,
) -> Result<(), UplinkError<IO::Error>> {
    let properties = [Property::ContentType(CONTENT_TYPE)];
    while connection.can_publish(QoS::AtLeastOnce) {
        let next = next_publication(&mut device.borrow_mut(), envelope);
        let (topic, length, outgoing) = match next {
            Ok(Some(Next::Envelope(outgoing))) => (&topics.up, outgoing.envelope_bytes, Some(outgoing)),
            Ok(Some(Next::Key(length))) => (&topics.proof, length, None),
            Ok(None) => return Ok(()),
            Err(SendError::Outbox(failure)) => {
                error!("{failure}");
                return Err(UplinkError::Device);
            }
            Err(SendError::Seal(failure)) => {
                error!("{failure}");
                return Err(UplinkError::Device);
            }
        };
        let publication = Publication::bytes(topic.as_str(), &envelope[..length])
            .qos(QoS::AtLeastOnce)
            .properties(&properties);
        match with_timeout(exchange, connection.publish(publication)).await {
            Ok(Ok(_)) => match outgoing {
                Some(outgoing) => device.borrow_mut().sent(now_milliseconds(), &outgoing),
                None => device.borrow_mut().key_offered(),
            },
            // No room for this one until PUBACKs come.
            Ok(Err(PubError::Session(Error::NotReady | Error::Resource(_)))) => return Ok(()),
            Ok(Err(PubError::Session(error))) => return Err(error.into()),
            Ok(Err(PubError::Payload(()))) => return Err(UplinkError::Device),
            Err(_) => return Err(UplinkError::Silent),
        }
    }
    Ok(())
}

/// What is published next.
enum Next {
    Envelope(Outgoing),
    /// The key that the owner has asked for, in so many bytes.
    Key(usize),
}

/// Writes it into `out`.
fn next_publication<S: Storage<Error: fmt::Debug>, P: Sensor>(
    device: &mut Device<S, P>,
    out: &mut [u8; ENVELOPE_BYTES_MAX],
) -> Result<Option<Next>, SendError<S::Error>> {
    if let Some(length) = device.key_to_offer(now_milliseconds(), out).map_err(SendError::Seal)? {
        return Ok(Some(Next::Key(length)));
    }
    Ok(device.next_to_send(now_milliseconds(), out)?.map(Next::Envelope))
}

/// Hands a message to the device. What does not decode is said and dropped: the broker is never trusted.
fn receive_message<S: Storage<Error: fmt::Debug>, P: Sensor>(
    device: &RefCell<Device<S, P>>,
    topics: &Topics,
    topic: &str,
    payload: &[u8],
) {
    let mut device = device.borrow_mut();
    if topic == topics.ack.as_str() {
        match Ack::decode(payload) {
            Ok(ack) => device.acknowledged(now_milliseconds(), &ack),
            Err(failure) => warn!("an acknowledgement cannot be read: {failure}"),
        }
    } else if topic == topics.refused.as_str() {
        match RefusedNotice::decode(payload) {
            Ok(notice) => device.refused(&notice),
            Err(failure) => warn!("a refusal cannot be read: {failure}"),
        }
    } else if topic == topics.down.as_str() {
        device.commanded(now_milliseconds(), payload);
    }
}

/// The device's topics.
struct Topics {
    down: ShortText<TOPIC_BYTES_MAX>,
    proof: ShortText<TOPIC_BYTES_MAX>,
    up: ShortText<TOPIC_BYTES_MAX>,
    ack: ShortText<TOPIC_BYTES_MAX>,
    refused: ShortText<TOPIC_BYTES_MAX>,
}

impl Topics {
    fn of(network: &str, kid: DeviceId) -> Topics {
        let topic = |kind| ShortText::of(&Topic { network, kid, kind });
        Topics {
            up: topic(TopicKind::Up),
            ack: topic(TopicKind::Ack),
            refused: topic(TopicKind::Refused),
            down: topic(TopicKind::Down),
            proof: topic(TopicKind::Proof),
        }
    }
}

/// The MQTT client identifier: `lamppost-` and the kid.
struct ClientName(ShortText<32>);

impl ClientName {
    fn of(kid: DeviceId) -> ClientName {
        ClientName(ShortText::of(&format_args!("lamppost-{kid}")))
    }

    fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// A text of at most `N` bytes; what is longer is cut, which the bounds of names rule out.
struct ShortText<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> ShortText<N> {
    // Made for every topic: a copy for each would be dear.
    #[inline(never)]
    fn of(text: &dyn fmt::Display) -> Self {
        let mut short = Self { bytes: [0; N], length: 0 };
        // Fails only where the text is longer than N.
        let _ = write!(short, "{text}");
        short
    }

    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or("")
    }
}

impl<const N: usize> Write for ShortText<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
