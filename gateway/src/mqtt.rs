//! The link to an external MQTT broker (rumqttc): subscribes, enqueues, publishes, and reconnects with backoff.

pub mod retained;

use std::sync::Arc;
use std::time::Duration;

use devices::topic::TopicFilter;
use devices::{Topic, TopicKind};
use rumqttc::{AsyncClient, ConnectReturnCode, Event, EventLoop, MqttOptions, Packet, QoS};
use tokio::sync::mpsc;

use crate::limits;
use crate::outbox::{self, Commands};
use crate::shared::Submission;
use crate::telemetry::Telemetry;

/// The address of an external broker, from `mqtt://[user:password@]host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    /// Host name or address.
    pub host: String,
    /// Port, 1883 unless told.
    pub port: u16,
    /// User and password, where the broker wants them.
    pub login: Option<(String, String)>,
}

/// The address of a broker could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no broker address: write mqtt://HOST:PORT or mqtt://USER:PASSWORD@HOST:PORT")]
pub struct BrokerUrlError(String);

impl std::str::FromStr for BrokerUrl {
    type Err = BrokerUrlError;

    fn from_str(text: &str) -> Result<BrokerUrl, BrokerUrlError> {
        let error = || BrokerUrlError(text.to_owned());
        let rest = text.strip_prefix("mqtt://").ok_or_else(error)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, address) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((login, address)) => {
                let (user, password) = login.split_once(':').ok_or_else(error)?;
                (Some((user.to_owned(), password.to_owned())), address)
            }
        };
        let (host, port) = match address.rsplit_once(':') {
            // A colon inside an address in brackets parts no port.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| error())?),
            _ => (address, 1883),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['/', '?', '#', ' ']) || port == 0 {
            return Err(error());
        }
        Ok(BrokerUrl { host: host.to_owned(), port, login })
    }
}

impl std::fmt::Display for BrokerUrl {
    /// Without user and password: this is what logs and the ready line show.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(out, "mqtt://[{}]:{}", self.host, self.port),
            false => write!(out, "mqtt://{}:{}", self.host, self.port),
        }
    }
}

/// Connects to the broker and stays connected until the runtime ends. An unreachable broker is tried again with
/// growing waits, and said so.
pub fn start(
    url: &BrokerUrl,
    network: &str,
    client_id: &str,
    intake: mpsc::Sender<Submission>,
    outbound: outbox::Receiver,
    telemetry: Arc<Telemetry>,
) {
    let mut options = MqttOptions::new(client_id, &url.host, url.port);
    options.set_keep_alive(Duration::from_secs(30));
    // A session that outlives the connection: the broker keeps for us what comes while we are away.
    options.set_clean_session(false);
    options.set_inflight(limits::EXTERNAL_INFLIGHT_MAX);
    // MQTT 3.1.1 has no way to tell a broker what is too long, and a session that ends over one message gets the same
    // message again: so whatever the protocol allows is read, and cut before it is kept.
    options.set_max_packet_size(limits::MQTT_PACKET_BYTES_MAX, limits::MQTT_PAYLOAD_BYTES_MAX);
    if let Some((user, password)) = &url.login {
        options.set_credentials(user, password);
    }
    let (client, connection) = AsyncClient::new(options, limits::EXTERNAL_BURST_MAX);
    let filters = [TopicKind::Up, TopicKind::Proof].map(|kind| TopicFilter { network, kind }.to_string());
    let commands = outbound.commands();
    let link = Link { url: url.to_string(), filters, client: client.clone(), intake, commands, telemetry };
    tokio::spawn(link.run(connection));
    tokio::spawn(publish(client, outbound, network.to_owned()));
}

struct Link {
    url: String,
    filters: [String; 2],
    client: AsyncClient,
    intake: mpsc::Sender<Submission>,
    commands: Commands,
    telemetry: Arc<Telemetry>,
}

impl Link {
    async fn run(self, mut connection: EventLoop) {
        let mut wait = limits::RECONNECT_MILLISECONDS_MIN;
        loop {
            match connection.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(answer))) if answer.code == ConnectReturnCode::Success => {
                    wait = limits::RECONNECT_MILLISECONDS_MIN;
                    tracing::info!(broker = %self.url, "connected to the external MQTT broker");
                    // Also where the broker kept our session: subscribing twice does no harm.
                    for filter in &self.filters {
                        if let Err(error) = self.client.try_subscribe(filter, QoS::AtLeastOnce) {
                            tracing::warn!(%error, "the subscription could not be asked for");
                        }
                    }
                    // A broker without a disk has forgotten what it retained.
                    self.commands.publish_all_again();
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    if !self.enqueue(&publish.topic, cut(&publish.payload)).await {
                        return;
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    self.telemetry.broker_reconnects.inc();
                    let seconds = wait / 1_000;
                    tracing::warn!(broker = %self.url, %error, "no connection to the external MQTT broker, trying again in {seconds}.{:03} s", wait % 1_000);
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                    wait = (wait * 2).min(limits::RECONNECT_MILLISECONDS_MAX);
                }
            }
        }
    }

    /// Only enqueues. While the queue is full nothing is read, so the broker waits too.
    async fn enqueue(&self, topic: &str, bytes: Vec<u8>) -> bool {
        let topic = Topic::parse(topic);
        if let Some(topic) = topic.filter(|topic| topic.kind == TopicKind::Proof) {
            self.commands.offered(topic.kid, &bytes);
            return true;
        }
        let topic_kid = topic.map(|topic| topic.kid);
        let submission = Submission { topic_kid, bytes, reply: None };
        match self.intake.try_send(submission) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(submission)) => {
                self.telemetry.intake_waits.inc();
                self.intake.send(submission).await.is_ok()
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }
}

/// A message that is too long for an envelope stays so when it is cut, and takes no more room than one.
fn cut(payload: &[u8]) -> Vec<u8> {
    payload[..payload.len().min(limits::MQTT_PAYLOAD_BYTES_MAX)].to_vec()
}

/// Few at a time: what waits in the outbox meanwhile gives way to newer acks.
async fn publish(client: AsyncClient, mut outbound: outbox::Receiver, network: String) {
    let mut burst = Vec::new();
    while outbound.recv_many(&mut burst, limits::EXTERNAL_BURST_MAX).await > 0 {
        for message in burst.drain(..) {
            let (topic, payload) = (message.topic(&network), message.payload());
            if client.publish(topic, QoS::AtLeastOnce, message.is_retained(), payload).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_addresses_are_read() {
        let plain: BrokerUrl = "mqtt://127.0.0.1:1884".parse().unwrap();
        assert_eq!((plain.host.as_str(), plain.port), ("127.0.0.1", 1884));
        let full: BrokerUrl = "mqtt://city:lamp@broker.example/".parse().unwrap();
        assert_eq!(full.login, Some(("city".into(), "lamp".into())));
        assert_eq!(full.to_string(), "mqtt://broker.example:1883", "a password is never shown");
        let six: BrokerUrl = "mqtt://[::1]:1999".parse().unwrap();
        assert_eq!((six.host.as_str(), six.port), ("::1", 1999));
    }

    #[test]
    fn what_is_no_broker_address_is_one_sentence() {
        for text in [
            "",
            "localhost",
            "mqtt://",
            "mqtts://host",
            "mqtt://host:port",
            "mqtt://host:0",
            "mqtt://user@host",
        ] {
            let error = text.parse::<BrokerUrl>().unwrap_err();
            assert!(error.to_string().contains("mqtt://HOST:PORT"));
        }
    }
}
