//! The devices of one connection: samples, publishes and acknowledgements pass between them and the broker.
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use devices::{Ack, DeviceId, RefusedNotice, Topic, TopicKind};
use node::{Counters, Device, SendError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use crate::client::{Broker, Link, LinkEvent};
use crate::clock::{Clock, unix_seconds};
use crate::eeprom::Eeprom;
use crate::limits::{DRAIN_MILLISECONDS_MAX, FULL_QUEUE_MILLISECONDS};
use crate::sensor::VirtualSensor;

/// A device of the fleet: the firmware's core on a virtual EEPROM and a virtual sensor.
pub type VirtualDevice = Device<Eeprom, VirtualSensor>;

/// How long a group runs.
#[derive(Clone, Debug)]
pub struct Span {
    /// Milliseconds of the clock at which sampling ends; then what is unsettled is waited for, for a while.
    pub until_milliseconds: u64,
    /// Turns true to end at once.
    pub stop: watch::Receiver<bool>,
}

/// The devices of one connection.
pub struct Group {
    devices: BTreeMap<DeviceId, VirtualDevice>,
    network: String,
    clock: Clock,
    is_open: bool,
}

impl Group {
    /// A group of devices of one network.
    pub fn new(network: &str, clock: Clock, devices: Vec<VirtualDevice>) -> Group {
        let devices = devices.into_iter().map(|device| (device.identity().kid(), device)).collect();
        Group { devices, network: network.to_owned(), clock, is_open: false }
    }

    /// Runs until the span is over; returns the devices' counters and how many packs are still unsettled.
    pub async fn run(mut self, broker: Broker, client_id: String, mut span: Span) -> (Vec<Counters>, u64) {
        let mut link = Link::open(&broker, &client_id);
        let drain_until = span.until_milliseconds.saturating_add(DRAIN_MILLISECONDS_MAX);
        loop {
            let now = self.clock.milliseconds();
            let is_sampling = now < span.until_milliseconds;
            if *span.stop.borrow()
                || now >= drain_until
                || (self.is_settled() && (!is_sampling || self.is_at_end()))
            {
                break;
            }
            let is_full = self.turn(&link, is_sampling);
            let wake = self.wake_at(is_full, if is_sampling { span.until_milliseconds } else { drain_until });
            tokio::select! {
                event = link.event() => match event {
                    Some(event) => self.take(&link, event),
                    None => break,
                },
                () = sleep_until(Instant::from_std(self.clock.instant(wake))) => {}
                // A stop whose sender is gone is a stop as well.
                _ = span.stop.wait_for(|stop| *stop) => break,
            }
        }
        link.close().await;
        let waiting = self.devices.values().map(|device| u64::from(device.waiting())).sum();
        (self.devices.values().map(|device| *device.counters()).collect(), waiting)
    }

    fn is_settled(&self) -> bool {
        self.devices.values().all(|device| device.waiting() == 0)
    }

    fn is_at_end(&mut self) -> bool {
        self.devices.values_mut().all(|device| device.sensor_mut().is_at_end())
    }

    /// Lets every device sample and send; true if the connection's queue was full.
    fn turn(&mut self, link: &Link, is_sampling: bool) -> bool {
        let now = self.clock.milliseconds();
        let mut is_full = false;
        for (kid, device) in &mut self.devices {
            device.set_clock(now, unix_seconds());
            if is_sampling {
                device.sample_if_due(now);
            }
            if self.is_open && !is_full {
                let topic = Topic { network: &self.network, kid: *kid, kind: TopicKind::Up }.to_string();
                is_full = send_all(device, link, &topic, now);
            }
        }
        is_full
    }

    fn wake_at(&self, is_full: bool, bound: u64) -> u64 {
        let now = self.clock.milliseconds();
        if is_full {
            return now + FULL_QUEUE_MILLISECONDS;
        }
        let next = self.devices.values().map(Device::wake_at_milliseconds).min().unwrap_or(u64::MAX);
        // Never at once: a device that cannot act yet must not keep the thread busy. Never far: tokio's timers end.
        let far = Duration::from_secs(3600).as_millis() as u64;
        next.min(bound).clamp(now + 1, now + far)
    }

    fn take(&mut self, link: &Link, event: LinkEvent) {
        match event {
            LinkEvent::Connected => {
                let topics = self.devices.keys().flat_map(|kid| {
                    [TopicKind::Ack, TopicKind::Refused]
                        .map(|kind| Topic { network: &self.network, kid: *kid, kind }.to_string())
                });
                if !link.try_subscribe(topics.collect()) {
                    warn!("the fleet's connection takes no subscription");
                }
            }
            LinkEvent::Subscribed => {
                self.is_open = true;
                let now = self.clock.milliseconds();
                self.devices.values_mut().for_each(|device| device.session_opened(now));
            }
            LinkEvent::Lost(why) => {
                if std::mem::take(&mut self.is_open) {
                    warn!(
                        "the broker is lost, {} virtual devices keep their readings: {why}",
                        self.devices.len()
                    );
                } else {
                    debug!("no connection to the broker yet: {why}");
                }
                self.devices.values_mut().for_each(Device::session_closed);
            }
            LinkEvent::Message { topic, payload } => self.message(&topic, &payload),
            LinkEvent::Published => {}
        }
    }

    /// A message is for the device its topic names; the broker is not trusted to send no other.
    fn message(&mut self, topic: &str, payload: &[u8]) {
        let Some(topic) = Topic::parse(topic).filter(|topic| topic.network == self.network) else { return };
        let Some(device) = self.devices.get_mut(&topic.kid) else { return };
        match topic.kind {
            TopicKind::Ack => {
                if let Ok(ack) = Ack::decode(payload) {
                    device.acknowledged(self.clock.milliseconds(), &ack);
                }
            }
            TopicKind::Refused => {
                if let Ok(notice) = RefusedNotice::decode(payload) {
                    device.refused(&notice);
                }
            }
            TopicKind::Up | TopicKind::Down | TopicKind::Proof => {}
        }
    }
}

/// Publishes what the device may send now; true if the connection's queue is full.
fn send_all(device: &mut VirtualDevice, link: &Link, topic: &str, now: u64) -> bool {
    let mut envelope = [0; devices::limits::ENVELOPE_BYTES_MAX];
    loop {
        match device.next_to_send(now, &mut envelope) {
            Ok(Some(outgoing)) => {
                if !link.try_publish(topic, &envelope[..outgoing.envelope_bytes]) {
                    return true;
                }
                device.sent(now, &outgoing);
            }
            Ok(None) => return false,
            Err(error) => {
                report(device, &error);
                return false;
            }
        }
    }
}

fn report(device: &VirtualDevice, error: &SendError<io::Error>) {
    warn!("virtual device {} cannot send: {error:?}", device.identity().kid());
}
