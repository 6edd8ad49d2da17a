//! The embedded MQTT broker (rumqttd): 3.1.1 and 5 on one port, one local link for the gateway.
//!
//! rumqttd listens for each version on a port of its own, so those two are internal; the public port reads a
//! client's CONNECT and forwards the connection (`front`) as long as it keeps to the contract (`rules`). The link's
//! reader only enqueues.

mod front;
pub mod rules;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use devices::topic::TopicFilter;
use devices::{Topic, TopicKind};
use rumqttd::local::{LinkRx, LinkTx};
use rumqttd::protocol::{Packet, Publish};
use rumqttd::{ConnectionSettings, Notification, RouterConfig, SegmentConfig, ServerSettings};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::clock;
use crate::limits;
use crate::outbox::{self, Commands, Outbound};
use crate::shared::Submission;
use crate::telemetry::Telemetry;

/// Bytes of envelopes the broker keeps for the gateway's link, in segments of this size.
const UP_SEGMENT_BYTES: usize = 4 * 1024 * 1024;
const UP_SEGMENTS: usize = 4;
/// Bytes of messages that it keeps for any other filter. Each device has a filter of its own, and a message takes several
/// times its bytes in memory: some hundred are enough, since the newest ack says all that the ones before it said.
const OTHER_SEGMENT_BYTES: usize = 4 * 1024;
const OTHER_SEGMENTS: usize = 2;
/// Messages that the gateway's link hands to the broker at once, and that may wait there before it hands over more.
const WRITE_BURST: usize = 512;
/// How long the internal listeners may take to come up.
const START_SECONDS_MAX: u64 = 5;

/// The embedded broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The public port is taken.
    #[error(
        "the MQTT address {address} is taken by another program: choose another with --mqtt, port 0 picks a free one"
    )]
    Taken {
        /// The address.
        address: SocketAddr,
    },
    /// The public port cannot be used.
    #[error("the MQTT address {address} cannot be used: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The broker behind it.
    #[error("the embedded MQTT broker did not start: {0}")]
    Start(String),
}

/// Binds the public port; separate from [`start`] so that a taken port is told before anything is written.
///
/// # Errors
/// When the address is taken or cannot be used.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BrokerError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BrokerError::Taken { address },
        _ => BrokerError::Listen { address, source },
    })
}

/// Starts the broker behind `listener` and returns once clients can use it. Envelopes go to `intake`; what comes from
/// `outbound` is published.
///
/// # Errors
/// When the broker does not come up.
pub async fn start(
    listener: TcpListener,
    network: &str,
    intake: mpsc::Sender<Submission>,
    outbound: outbox::Receiver,
    telemetry: Arc<Telemetry>,
) -> Result<(), BrokerError> {
    let start = |error: io::Error| BrokerError::Start(error.to_string());
    let (v4, v5) = (free_address().map_err(start)?, free_address().map_err(start)?);
    let mut broker = rumqttd::Broker::new(config(network, v4, v5));
    let link = broker.link(rules::GATEWAY_CLIENT_ID);
    let (mut sender, receiver) = link.map_err(|error| BrokerError::Start(error.to_string()))?;
    for kind in [TopicKind::Up, TopicKind::Proof] {
        let filter = TopicFilter { network, kind }.to_string();
        sender.subscribe(filter).map_err(|error| BrokerError::Start(error.to_string()))?;
    }
    let commands = outbound.commands();
    let spawned = spawn("mqtt-broker", move || {
        if let Err(error) = broker.start() {
            tracing::error!(%error, "the embedded MQTT broker ended");
        }
    });
    spawned.map_err(start)?;
    for address in [v4, v5] {
        wait_until_up(address).await?;
    }
    let gate = front::Gate::new(intake.clone(), telemetry.clone());
    spawn("mqtt-read", move || read(receiver, &intake, &commands, &telemetry)).map_err(start)?;
    let name = network.to_owned();
    spawn("mqtt-write", move || write(sender, outbound, &name)).map_err(start)?;
    tokio::spawn(front::serve(listener, front::Backends { v4, v5 }, gate, rules::Rules::new(network)));
    Ok(())
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}

/// Only enqueues: whatever takes longer would make the broker's memory wrap and lose what it acknowledged.
fn read(mut link: LinkRx, intake: &mpsc::Sender<Submission>, commands: &Commands, telemetry: &Telemetry) {
    loop {
        let forward = match link.recv() {
            Ok(Some(Notification::Forward(forward))) => forward,
            // The broker pauses a link whose buffer was full until it hears that there is room again.
            Ok(Some(Notification::Unschedule)) if link.ready().is_err() => return,
            Ok(_) => continue,
            Err(_) => return,
        };
        let publish = forward.publish;
        let topic = std::str::from_utf8(&publish.topic).ok().and_then(Topic::parse);
        if let Some(topic) = topic.filter(|topic| topic.kind == TopicKind::Proof) {
            commands.offered(topic.kid, &publish.payload);
            continue;
        }
        let topic_kid = topic.map(|topic| topic.kid);
        let submission = Submission { topic_kid, bytes: publish.payload.to_vec(), reply: None };
        match intake.try_send(submission) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(submission)) => {
                telemetry.intake_waits.inc();
                if intake.blocking_send(submission).is_err() {
                    return;
                }
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return,
        }
    }
}

/// Publishes commands, acks and refusals, many at a time: the broker's router is woken once for a burst. Never faster than the
/// router takes them: what waits in the outbox gives way to newer acks, what waits here does not.
fn write(mut link: LinkTx, mut outbound: outbox::Receiver, network: &str) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return };
    runtime.block_on(async {
        let mut burst = Vec::new();
        while outbound.recv_many(&mut burst, WRITE_BURST).await > 0 {
            // The router tells nobody when it has taken them.
            while link.buffer().len() >= WRITE_BURST {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let mut packets: Vec<_> = burst.drain(..).map(|message| packet(network, &message)).collect();
            let last = packets.pop();
            link.buffer().extend(packets);
            if let Some(last) = last
                && link.send(last).await.is_err()
            {
                return;
            }
        }
    });
}

fn packet(network: &str, message: &Outbound) -> Packet {
    let (topic, payload) = (message.topic(network).into_bytes(), message.payload());
    Packet::Publish(Publish::new(topic, payload, message.is_retained()), None)
}

fn config(network: &str, v4: SocketAddr, v5: SocketAddr) -> rumqttd::Config {
    let filters = TopicKind::ALL.map(|kind| TopicFilter { network, kind }.to_string());
    let up = SegmentConfig { max_segment_size: UP_SEGMENT_BYTES, max_segment_count: UP_SEGMENTS };
    let router = RouterConfig {
        max_connections: limits::CONNECTIONS_MAX + 10,
        max_outgoing_packet_count: 200,
        max_segment_size: OTHER_SEGMENT_BYTES,
        max_segment_count: OTHER_SEGMENTS,
        custom_segment: Some(HashMap::from([(filters[0].clone(), up)])),
        // A publisher to a topic that nobody has asked for is disconnected; so acks need a filter from the start.
        initialized_filters: Some(filters.to_vec()),
        ..RouterConfig::default()
    };
    let server = |name: &str, listen| {
        let connections = ConnectionSettings {
            connection_timeout_ms: 10_000,
            max_payload_size: limits::MQTT_PAYLOAD_BYTES_MAX,
            max_inflight_count: 500,
            auth: None,
            external_auth: None,
            dynamic_filters: false,
        };
        let settings = ServerSettings {
            name: name.to_owned(),
            listen,
            tls: None,
            next_connection_delay_ms: 0,
            connections,
        };
        Some(HashMap::from([(name.to_owned(), settings)]))
    };
    rumqttd::Config {
        id: 0,
        router,
        v4: server("mqtt-v4", v4),
        v5: server("mqtt-v5", v5),
        ..rumqttd::Config::default()
    }
}

/// A loopback address that is free at this moment.
fn free_address() -> io::Result<SocketAddr> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

async fn wait_until_up(address: SocketAddr) -> Result<(), BrokerError> {
    let deadline = clock::monotonic() + Duration::from_secs(START_SECONDS_MAX);
    loop {
        match TcpStream::connect(address).await {
            Ok(_) => return Ok(()),
            Err(error) if clock::monotonic() > deadline => return Err(BrokerError::Start(error.to_string())),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

#[cfg(test)]
mod tests;
