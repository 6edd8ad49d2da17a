//! A device's side of MQTT: publishes, and listens to what the gateway answers.

use crate::wait;
use devices::{Ack, Refusal, RefusedNotice, Sequence};
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Messages that wait inside the client.
const CLIENT_QUEUE: usize = 256;
/// Above the longest envelope, so that too long ones leave the client.
const PACKET_BYTES_MAX: usize = 64 * 1024;

/// A connected client.
pub struct Device {
    client: Client,
    messages: Receiver<(String, Vec<u8>)>,
}

impl Device {
    /// Connects and subscribes; returns once the broker has confirmed every subscription.
    ///
    /// # Panics
    /// Where the broker does not answer.
    pub fn connect(address: &str, name: &str, topics: &[String]) -> Device {
        let (host, port) = address.split_once(':').expect("HOST:PORT");
        let mut options = MqttOptions::new(name, host, port.parse().expect("a port"));
        options
            .set_keep_alive(Duration::from_secs(30))
            .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        let (client, mut connection) = Client::new(options, CLIENT_QUEUE);
        let (sender, messages) = channel();
        let (confirm, confirmed) = channel();
        // Ends with the connection: after an error there is nothing more to hear, a test connects anew.
        std::thread::spawn(move || {
            for event in connection.iter().map_while(Result::ok) {
                match event {
                    Event::Incoming(Packet::ConnAck(_) | Packet::SubAck(_)) => drop(confirm.send(())),
                    Event::Incoming(Packet::Publish(publish)) => {
                        drop(sender.send((publish.topic, publish.payload.to_vec())));
                    }
                    _ => {}
                }
            }
        });
        for topic in topics {
            client.subscribe(topic, QoS::AtLeastOnce).expect("the client takes a subscription");
        }
        for _ in 0..=topics.len() {
            confirmed
                .recv_timeout(wait::SHORT)
                .unwrap_or_else(|_| panic!("{name}: {address} does not answer"));
        }
        Device { client, messages }
    }

    /// Publishes with QoS 1; false where the connection is gone.
    pub fn publish(&self, topic: &str, payload: &[u8]) -> bool {
        self.client.try_publish(topic, QoS::AtLeastOnce, false, payload).is_ok()
    }

    /// Publishes a message that the broker is asked to keep; false where the connection is gone.
    pub fn publish_retained(&self, topic: &str, payload: &[u8]) -> bool {
        self.client.try_publish(topic, QoS::AtLeastOnce, true, payload).is_ok()
    }

    /// The next message, if one comes in time.
    pub fn next(&self, patience: Duration) -> Option<(String, Vec<u8>)> {
        self.messages.recv_timeout(patience).ok()
    }

    /// The next message on a topic that ends like this; others are passed over.
    ///
    /// # Panics
    /// Where none comes in time.
    pub fn next_on(&self, kind: &str) -> Vec<u8> {
        let deadline = Instant::now() + wait::SHORT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (topic, payload) =
                self.next(left).unwrap_or_else(|| panic!("no message on …/{kind} in time"));
            if topic.ends_with(&format!("/{kind}")) {
                return payload;
            }
        }
    }

    /// Waits until the gateway has settled this number.
    ///
    /// # Panics
    /// Where it does not in time.
    pub fn settled(&self, sequence: Sequence) -> Ack {
        loop {
            let ack = Ack::decode(&self.next_on("ack")).expect("an ack is CBOR of four numbers");
            if ack.settles(sequence) {
                return ack;
            }
        }
    }

    /// Waits until the gateway says that this number was refused, and why.
    ///
    /// # Panics
    /// Where it does not in time.
    pub fn refused(&self, sequence: Sequence) -> Refusal {
        loop {
            let notice = RefusedNotice::decode(&self.next_on("refused")).expect("a notice is CBOR");
            if notice.sequence == sequence {
                return notice.reason;
            }
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        drop(self.client.try_disconnect());
    }
}
