//! Publishes a file of load, QoS 1, with as little work for each message as MQTT allows: on two cores, what the load
//! costs is missing where it is measured. Latency is measured from a publish to the `ack` of the device's topic.
//!
//! MQTT 3.1.1 written out by hand: a loader waits in blocking reads, which no asynchronous client can do as cheaply.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use devices::topic::TopicKind;
use devices::{Ack, DeviceId, Sequence, SignedReading, Topic};

use super::{LoadReader, Message};
use crate::client::{Broker, LoadError};
use crate::limits::{IN_FLIGHT_MAX, LOAD_STALL_MILLISECONDS_MAX};

mod wire;

use wire::{Connection, Packet};

/// Messages that are written at once, at most; with fewer on their way than twice of this, the next ones are written.
const AT_ONCE: usize = IN_FLIGHT_MAX as usize / 2;
/// How long a connection waits for a PUBACK before it looks at the clock again.
const LOOK: Duration = Duration::from_millis(1);
/// How long the last acks are waited for.
const LAST_ACKS: Duration = Duration::from_secs(10);
/// How often the listening connection shows that it is alive.
const PING: Duration = Duration::from_secs(20);

/// What to publish, and how fast.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The broker.
    pub broker: Broker,
    /// The network of the topics.
    pub network: String,
    /// Connections that publish.
    pub connections: usize,
    /// Messages a second of all connections together; as fast as the broker takes them where there is none.
    pub per_second: Option<f64>,
    /// Ends after this, whatever is left.
    pub within: Option<Duration>,
    /// Devices whose acks are listened for.
    pub watched: &'a [DeviceId],
    /// How often it is told how it goes, where somebody wants to know.
    pub tell_every: Option<Duration>,
}

/// How it goes.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Since the start.
    pub elapsed: Duration,
    /// Messages handed to the broker so far.
    pub sent: u64,
    /// Latencies since the last time, as in the report.
    pub latencies: Vec<(Duration, Duration)>,
    /// Watched messages that wait for their ack.
    pub unsettled: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Messages that the broker took (PUBACK).
    pub published: u64,
    /// From the first publish to the last PUBACK.
    pub elapsed: Duration,
    /// From a watched device's publish to the ack that settles it, and when it was published, counted from the start.
    pub latencies: Vec<(Duration, Duration)>,
    /// Watched messages that no ack settled in time.
    pub unsettled: u64,
    /// What was sent by watched devices and settled.
    pub settled: Vec<(DeviceId, Sequence)>,
}

struct Source {
    reader: LoadReader,
    taken: u64,
}

#[derive(Default)]
struct Watch {
    pending: HashMap<DeviceId, VecDeque<(Sequence, Instant)>>,
    latencies: Vec<(Duration, Duration)>,
    settled: Vec<(DeviceId, Sequence)>,
}

struct Press<'a> {
    order: &'a Order<'a>,
    source: Mutex<Source>,
    watch: Mutex<Watch>,
    /// Something that was watched was settled.
    settled: Condvar,
    began: Instant,
    is_over: AtomicBool,
}

/// Publishes what is left in `reader` until its end, or until the order's time is over.
///
/// # Errors
/// When the broker is lost or takes nothing any more.
pub fn publish(
    reader: &Path,
    order: &Order<'_>,
    skip: u64,
    mut tell: impl FnMut(Progress),
) -> Result<Report, LoadError> {
    let lost = |error: io::Error| LoadError::Lost(error.to_string());
    let mut reader = LoadReader::open(reader).map_err(lost)?;
    for _ in 0..skip {
        reader.take().map_err(lost)?;
    }
    let mut watch = Watch::default();
    watch.pending.extend(order.watched.iter().map(|kid| (*kid, VecDeque::new())));
    let listener =
        (!order.watched.is_empty()).then(|| Connection::listen(order)).transpose().map_err(lost)?;
    let connections = (0..order.connections.max(1))
        .map(|number| Connection::open(&order.broker, &format!("load-{number}")));
    let connections: Vec<Connection> = connections.collect::<io::Result<_>>().map_err(lost)?;
    let press = Press {
        order,
        source: Mutex::new(Source { reader, taken: 0 }),
        watch: Mutex::new(watch),
        settled: Condvar::new(),
        began: Instant::now(),
        is_over: AtomicBool::new(false),
    };
    let (published, elapsed) = thread::scope(|scope| {
        let press = &press;
        let listening = listener.map(|listener| scope.spawn(move || press.listen(listener)));
        let (under_way, ended) = mpsc::channel::<Infallible>();
        let lane = |connection| {
            let under_way = under_way.clone();
            scope.spawn(move || {
                let _until_this_ends = under_way;
                press.publish(connection)
            })
        };
        let publishing: Vec<_> = connections.into_iter().map(lane).collect();
        drop(under_way);
        if let Some(every) = order.tell_every {
            press.tell(every, &ended, &mut tell);
        }
        let published: Result<u64, LoadError> = publishing
            .into_iter()
            .map(|lane| lane.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .sum();
        let elapsed = press.began.elapsed();
        if published.is_ok() {
            press.wait_for_acks();
        }
        press.is_over.store(true, Ordering::Relaxed);
        if let Some(listening) = listening {
            listening.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map_err(lost)?;
        }
        Ok((published?, elapsed))
    })?;
    let watch = press.watch.into_inner().unwrap_or_else(PoisonError::into_inner);
    let unsettled = watch.pending.values().map(VecDeque::len).sum::<usize>() as u64;
    Ok(Report { published, elapsed, latencies: watch.latencies, unsettled, settled: watch.settled })
}

impl Press<'_> {
    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells how it goes until all connections have ended, which closes the channel.
    fn tell(&self, every: Duration, ended: &Receiver<Infallible>, tell: &mut impl FnMut(Progress)) {
        let mut told = Instant::now();
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(every.saturating_sub(told.elapsed())) {
            told += every;
            let sent = self.source.lock().unwrap_or_else(PoisonError::into_inner).taken;
            let mut watch = self.watch();
            let latencies = std::mem::take(&mut watch.latencies);
            let unsettled = watch.pending.values().map(VecDeque::len).sum::<usize>() as u64;
            drop(watch);
            tell(Progress { elapsed: self.began.elapsed(), sent, latencies, unsettled });
        }
    }

    /// One connection: writes what is due while few messages are on their way, else waits for PUBACKs.
    fn publish(&self, mut connection: Connection) -> Result<u64, LoadError> {
        let lost = |error: io::Error| LoadError::Lost(error.to_string());
        let stall = Duration::from_millis(LOAD_STALL_MILLISECONDS_MAX);
        let (mut sent, mut acknowledged, mut heard) = (0_u64, 0_u64, Instant::now());
        let mut is_at_end = false;
        let mut packets = Vec::new();
        loop {
            packets.clear();
            if !is_at_end && sent - acknowledged <= AT_ONCE as u64 {
                let messages = self.take().map_err(lost)?;
                is_at_end = messages.is_none();
                for (kid, envelope) in messages.unwrap_or_default() {
                    sent += 1;
                    connection.publish(&self.order.network, kid, &envelope, &mut packets);
                    self.note(kid, &envelope);
                }
            }
            if !packets.is_empty() {
                connection.write(&packets).map_err(lost)?;
                continue;
            }
            if acknowledged == sent {
                if is_at_end {
                    return Ok(sent);
                }
                heard = Instant::now();
            }
            let heard_before = acknowledged;
            connection
                .read(LOOK, |packet| acknowledged += u64::from(packet == Packet::PublishAcknowledged))
                .map_err(lost)?;
            if acknowledged > heard_before {
                heard = Instant::now();
            } else if heard.elapsed() > stall {
                return Err(LoadError::Stalled { acknowledged, sent });
            }
        }
    }

    /// The next messages that are due; `None` at the end.
    fn take(&self) -> io::Result<Option<Vec<Message>>> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = self.began.elapsed();
        if self.order.within.is_some_and(|within| elapsed >= within) {
            return Ok(None);
        }
        let due = match self.order.per_second {
            Some(rate) => ((elapsed.as_secs_f64() * rate) as u64).saturating_sub(source.taken),
            None => u64::MAX,
        };
        let mut messages = Vec::new();
        for _ in 0..due.min(AT_ONCE as u64) {
            match source.reader.take()? {
                Some(message) => messages.push(message),
                None => break,
            }
        }
        if due > 0 && messages.is_empty() {
            return Ok(None);
        }
        source.taken += messages.len() as u64;
        Ok(Some(messages))
    }

    /// Remembers when a watched device's message left.
    fn note(&self, kid: DeviceId, envelope: &[u8]) {
        if self.order.watched.is_empty() {
            return;
        }
        if let Some(pending) = self.watch().pending.get_mut(&kid)
            && let Ok(reading) = SignedReading::decode(envelope)
        {
            pending.push_back((reading.sequence(), Instant::now()));
        }
    }

    fn listen(&self, mut connection: Connection) -> io::Result<()> {
        let mut pinged = Instant::now();
        while !self.is_over.load(Ordering::Relaxed) {
            connection.read(10 * LOOK, |packet| {
                if let Packet::Publish { topic, payload } = packet
                    && let Some(topic) = Topic::parse(topic)
                    && let Ok(ack) = Ack::decode(payload)
                {
                    self.settle(topic.kid, &ack);
                }
            })?;
            if pinged.elapsed() > PING {
                connection.ping()?;
                pinged = Instant::now();
            }
        }
        Ok(())
    }

    fn settle(&self, kid: DeviceId, ack: &Ack) {
        let now = Instant::now();
        let watch = &mut *self.watch();
        let Some(pending) = watch.pending.get_mut(&kid) else { return };
        pending.retain(|(sequence, sent)| {
            let is_settled = ack.settles(*sequence);
            if is_settled {
                watch.latencies.push((sent.duration_since(self.began), now.duration_since(*sent)));
                watch.settled.push((kid, *sequence));
            }
            !is_settled
        });
        self.settled.notify_all();
    }

    fn wait_for_acks(&self) {
        let waits = |watch: &mut Watch| watch.pending.values().any(|pending| !pending.is_empty());
        let _settled_or_given_up = self.settled.wait_timeout_while(self.watch(), LAST_ACKS, waits);
    }
}

/// The topic on which a device hears what is settled.
fn ack_topic(network: &str, kid: DeviceId) -> String {
    Topic { network, kid, kind: TopicKind::Ack }.to_string()
}
