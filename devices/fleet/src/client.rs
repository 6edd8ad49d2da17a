//! The only place that names rumqttc: one MQTT 3.1.1 connection that reconnects, with bounded queues both ways.
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS, SubscribeFilter};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::limits::{
    EVENTS_MAX, IN_FLIGHT_MAX, PACKET_BYTES_MAX, RECONNECT_MILLISECONDS_MAX, RECONNECT_MILLISECONDS_MIN,
    REQUESTS_MAX,
};

/// Where a broker listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// What a connection tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkEvent {
    /// The broker has accepted the connection; nothing is subscribed yet.
    Connected,
    /// The broker has confirmed a SUBSCRIBE.
    Subscribed,
    /// The broker has taken a publish (PUBACK). This promises nothing about the ledger.
    Published,
    /// A message on a subscribed topic.
    Message {
        /// Its topic.
        topic: String,
        /// Its content.
        payload: Vec<u8>,
    },
    /// The connection is lost, or could not be made; the next attempt follows by itself.
    Lost(String),
}

/// One connection. Its events must be taken, or it stands still.
pub struct Link {
    client: AsyncClient,
    events: mpsc::Receiver<LinkEvent>,
    poller: JoinHandle<()>,
}

impl Link {
    /// Begins to connect, and goes on until it is closed. Needs a running tokio runtime.
    pub fn open(broker: &Broker, client_id: &str) -> Link {
        let mut options = MqttOptions::new(client_id, &broker.host, broker.port);
        options.set_keep_alive(Duration::from_secs(30));
        options.set_clean_session(true);
        options.set_inflight(IN_FLIGHT_MAX);
        options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        let (client, event_loop) = AsyncClient::new(options, REQUESTS_MAX);
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        Link { client, events, poller: tokio::spawn(poll(event_loop, sender)) }
    }

    /// Hands a publish (QoS 1, not retained) to the connection; false when its queue is full.
    pub fn try_publish(&self, topic: &str, payload: &[u8]) -> bool {
        self.client.try_publish(topic, QoS::AtLeastOnce, false, payload).is_ok()
    }

    /// Asks for the topics, all in one SUBSCRIBE; false when the queue is full.
    pub fn try_subscribe(&self, topics: Vec<String>) -> bool {
        let filters = topics.into_iter().map(|topic| SubscribeFilter::new(topic, QoS::AtLeastOnce));
        self.client.try_subscribe_many(filters).is_ok()
    }

    /// The next event; `None` when the connection is closed for good.
    pub async fn event(&mut self) -> Option<LinkEvent> {
        self.events.recv().await
    }

    /// Says goodbye, if the connection stands, and ends.
    pub async fn close(mut self) {
        let _ = self.client.try_disconnect();
        let drained = async { while self.events.recv().await.is_some() {} };
        let _ = timeout(Duration::from_millis(500), drained).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.poller.abort();
    }
}

/// Carries the connection until nobody listens or it was told to disconnect.
async fn poll(mut event_loop: EventLoop, events: mpsc::Sender<LinkEvent>) {
    let mut pause = RECONNECT_MILLISECONDS_MIN;
    loop {
        let event = match event_loop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                pause = RECONNECT_MILLISECONDS_MIN;
                LinkEvent::Connected
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => LinkEvent::Subscribed,
            Ok(Event::Incoming(Packet::PubAck(_))) => LinkEvent::Published,
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                LinkEvent::Message { topic: publish.topic, payload: publish.payload.to_vec() }
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
            Ok(_) => continue,
            Err(error) => LinkEvent::Lost(error.to_string()),
        };
        let lost = matches!(event, LinkEvent::Lost(_));
        if events.send(event).await.is_err() {
            return;
        }
        if lost {
            sleep(Duration::from_millis(pause)).await;
            pause = (pause * 2).min(RECONNECT_MILLISECONDS_MAX);
        }
    }
}

/// Why a load run did not end well.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The connection was lost.
    #[error("the broker was lost during the load run: {0}")]
    Lost(String),
    /// No PUBACK came for long.
    #[error("the broker has taken nothing for 30 seconds; {acknowledged} of {sent} were taken")]
    Stalled {
        /// Publishes that the broker has confirmed.
        acknowledged: u64,
        /// Publishes handed to the connection.
        sent: u64,
    },
}

/// A subscriber that only counts: subscribes with QoS 1 and calls `each` for every message, until the connection is lost.
/// The least that anybody can do behind a broker; what does more is compared with it.
///
/// # Errors
/// When the connection cannot be made or is lost.
pub async fn count(
    broker: &Broker,
    client_id: &str,
    filter: &str,
    in_flight: u16,
    each: impl Fn(),
) -> Result<(), LoadError> {
    let mut options = MqttOptions::new(client_id, &broker.host, broker.port);
    options.set_inflight(in_flight);
    options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    let (client, mut event_loop) = AsyncClient::new(options, REQUESTS_MAX);
    let lost = |error: &dyn std::fmt::Display| LoadError::Lost(error.to_string());
    client.try_subscribe(filter, QoS::AtLeastOnce).map_err(|error| lost(&error))?;
    loop {
        if let Event::Incoming(Packet::Publish(_)) = event_loop.poll().await.map_err(|error| lost(&error))? {
            each();
        }
    }
}
