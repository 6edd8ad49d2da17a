//! Retained messages left at a broker, a bounded number under way at a time, each confirmed.

use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS,
};
use tokio::time::timeout;

use super::BrokerUrl;
use crate::limits;

/// Messages that could not be left at a broker. Those before are there; leaving all of them again does no harm.
#[derive(Debug, thiserror::Error)]
pub enum RetainedError {
    /// No connection, or it was lost. The broker inside a node closes it: its clients leave nothing behind.
    #[error(
        "the broker {broker} took {confirmed} of {count} messages: {reason} (the broker inside a node keeps nothing for \
         its clients; firmware needs one of its own, as mosquitto)"
    )]
    Lost {
        /// The broker's address.
        broker: String,
        /// Messages that it confirmed.
        confirmed: usize,
        /// Messages in all.
        count: usize,
        /// What went wrong.
        reason: String,
    },
    /// The client cannot run here.
    #[error("the MQTT client cannot start: {0}")]
    Start(#[from] std::io::Error),
}

/// A topic and what is to be retained there; nothing where it is empty.
pub type Retained = (String, Vec<u8>);

/// Publishes in order and waits until the broker has confirmed all; tells how many it has confirmed as it goes.
///
/// # Errors
/// [`RetainedError`].
pub fn leave(
    broker: &BrokerUrl,
    client_id: &str,
    messages: impl ExactSizeIterator<Item = Retained>,
    confirmed: &mut dyn FnMut(usize),
) -> Result<(), RetainedError> {
    let mut options = MqttOptions::new(client_id, &broker.host, broker.port);
    options.set_inflight(limits::FIRMWARE_IN_FLIGHT_MAX);
    options.set_keep_alive(limits::FIRMWARE_PATIENCE);
    if let Some((user, password)) = &broker.login {
        options.set_credentials(user, password);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let (client, connection) = AsyncClient::new(options, limits::FIRMWARE_IN_FLIGHT_MAX.into());
    let count = messages.len();
    let mut run = Run { client, connection, count, confirmed: 0 };
    runtime.block_on(run.leave(messages, confirmed)).map_err(|reason| RetainedError::Lost {
        broker: broker.to_string(),
        confirmed: run.confirmed,
        count,
        reason,
    })
}

struct Run {
    client: AsyncClient,
    connection: EventLoop,
    count: usize,
    confirmed: usize,
}

impl Run {
    async fn leave(
        &mut self,
        mut messages: impl Iterator<Item = Retained>,
        confirmed: &mut dyn FnMut(usize),
    ) -> Result<(), String> {
        let mut sent = 0;
        while self.confirmed < self.count {
            while sent - self.confirmed < usize::from(limits::FIRMWARE_IN_FLIGHT_MAX) {
                let Some((topic, payload)) = messages.next() else { break };
                let queued = self.client.try_publish(topic, QoS::AtLeastOnce, true, payload);
                queued.map_err(|error| error.to_string())?;
                sent += 1;
            }
            if let Event::Incoming(Packet::PubAck(_)) = self.event().await? {
                self.confirmed += 1;
                confirmed(self.confirmed);
            }
        }
        self.client.try_disconnect().map_err(|error| error.to_string())?;
        // Everything is confirmed: whether the broker hears the goodbye makes no difference.
        while !matches!(self.event().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {}
        Ok(())
    }

    async fn event(&mut self) -> Result<Event, String> {
        let patience: Duration = limits::FIRMWARE_PATIENCE;
        match timeout(patience, self.connection.poll()).await {
            Ok(Ok(event)) => Ok(event),
            Ok(Err(ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized))) => {
                Err("it does not let us in".to_owned())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("it says nothing for {} seconds", patience.as_secs())),
        }
    }
}
