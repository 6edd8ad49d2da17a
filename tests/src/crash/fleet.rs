//! Devices that keep each envelope until an ack settles it, as the firmware does.

use super::PATIENCE;
use crate::mqtt::Device;
use crate::node::{Node, microtokens};
use crate::sensor::{Envelope, NETWORK, Sensor, unix_seconds};
use crate::wait;
use devices::{Ack, Base, Decimal, Record, Value, encode_pack};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A device's window has 64 places; nothing is sent that is so far above the oldest that is unsettled.
const SPAN_MAX: u32 = 48;
/// Records of an envelope, a device each: short blocks and long ones, so that a kill may meet a write in its middle.
const RECORDS: [i32; 3] = [1, 12, 60];
/// How long one look for an ack takes at most.
const LOOK: Duration = Duration::from_millis(5);

/// What a node says of the devices, beside what they sent.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Envelopes that are counted more than once.
    pub(crate) paid_twice: u64,
    /// What does not fit together, a sentence each.
    pub(crate) contradictions: Vec<String>,
}

/// The devices.
pub(crate) struct Fleet(Vec<Member>);

struct Member {
    sensor: Sensor,
    owner: String,
    records: i32,
    unsettled: BTreeMap<u32, Envelope>,
    acknowledged: BTreeMap<u32, String>,
}

impl Fleet {
    /// New devices, each with an owner of its own.
    pub(crate) fn enrolled(node: &Node) -> Fleet {
        let member = |records| {
            let sensor = Sensor::any();
            let owner = node.enrol(&sensor.public_key());
            Member { sensor, owner, records, unsettled: BTreeMap::new(), acknowledged: BTreeMap::new() }
        };
        Fleet(RECORDS.into_iter().map(member).collect())
    }

    /// Where their acks come.
    pub(crate) fn topics(&self) -> Vec<String> {
        self.0.iter().map(|member| member.sensor.topic("ack")).collect()
    }

    /// Ids of everything that was acknowledged.
    pub(crate) fn acknowledged(&self) -> impl Iterator<Item = &String> {
        self.0.iter().flat_map(|member| member.acknowledged.values())
    }

    /// Each device's kid, its owner's account, and how many of its envelopes were acknowledged.
    pub(crate) fn members(&self) -> impl Iterator<Item = (String, &str, u64)> {
        let each = |member: &Member| member.acknowledged.len() as u64;
        self.0.iter().map(move |member| (member.sensor.kid(), member.owner.as_str(), each(member)))
    }

    /// What each device sent, what its registry entry counts, what its statements count, what its owner holds.
    pub(crate) fn compare(&self, node: &Node) -> Compared {
        let mut compared = Compared::default();
        let mut paid_in_all = 0;
        for (kid, owner, sent) in self.members() {
            let device = node.json(&format!("/api/v1/devices/{kid}"));
            let counted = device["accepted"]["envelopes"].as_u64().unwrap_or_default();
            let statements = node.json(&format!("/api/v1/accounts/{owner}/statements"));
            let statements = statements.as_array().cloned().unwrap_or_default();
            let stated: u64 =
                statements.iter().map(|statement| statement["envelopes"].as_u64().unwrap_or_default()).sum();
            let paid: u64 = statements.iter().map(|statement| microtokens(&statement["paid"])).sum();
            compared.paid_twice += counted.saturating_sub(sent) + stated.saturating_sub(counted);
            let held = node.posted(owner);
            paid_in_all += paid;
            if (counted, stated) != (sent, sent) || paid != held {
                compared.contradictions.push(format!(
                    "device {kid} sent {sent} envelopes, the registry counts {counted}, the statements {stated}; the \
                     statements pay {paid}, its owner holds {held}"
                ));
            }
        }
        if paid_in_all == 0 {
            compared.contradictions.push("nothing was paid at all".to_owned());
        }
        compared
    }

    /// After a crash the devices send again what nobody has acknowledged.
    pub(crate) fn send_again(&self, device: &Device) {
        for member in &self.0 {
            for envelope in member.unsettled.values() {
                device.publish(&member.sensor.topic("up"), &envelope.bytes);
            }
        }
    }

    /// Publishes and listens until this many more are acknowledged.
    pub(crate) fn work(&mut self, device: &Device, acknowledgements: u64) {
        let until = self.acknowledged().count() as u64 + acknowledgements;
        wait::until_true("acknowledgements come", PATIENCE, || {
            self.publish(device);
            self.hear(device);
            self.acknowledged().count() as u64 >= until
        });
    }

    /// Publishes and listens until that moment, whatever is acknowledged.
    pub(crate) fn work_until(&mut self, device: &Device, moment: Instant) {
        while Instant::now() < moment {
            self.publish(device);
            self.hear(device);
        }
    }

    /// Listens to what has already arrived.
    pub(crate) fn listen(&mut self, device: &Device) {
        while self.hear(device) {}
    }

    /// Publishes nothing new, and waits until nothing is unsettled.
    pub(crate) fn deliver_the_rest(&mut self, device: &Device) {
        wait::until_true("everything is acknowledged in the end", PATIENCE, || {
            self.hear(device);
            self.0.iter().all(|member| member.unsettled.is_empty())
        });
    }

    fn publish(&mut self, device: &Device) {
        for member in &mut self.0 {
            while member.may_send() {
                let envelope = member.reading();
                device.publish(&member.sensor.topic("up"), &envelope.bytes);
                member.unsettled.insert(envelope.sequence.count, envelope);
            }
        }
    }

    /// Takes one ack, if one comes.
    fn hear(&mut self, device: &Device) -> bool {
        let Some((topic, payload)) = device.next(LOOK) else { return false };
        let ack = Ack::decode(&payload).expect("an ack is CBOR of four numbers");
        let member = self.0.iter_mut().find(|member| member.sensor.topic("ack") == topic);
        member.expect("acks come for devices of this fleet").settle(ack);
        true
    }
}

impl Member {
    /// What overtakes an unsettled envelope by a window would have it refused as a repetition.
    fn may_send(&self) -> bool {
        let next = self.sensor.count + 1;
        self.unsettled.keys().next().is_none_or(|oldest| next - oldest < SPAN_MAX)
    }

    fn settle(&mut self, ack: Ack) {
        let settled: Vec<u32> = self
            .unsettled
            .iter()
            .filter(|(_, kept)| ack.settles(kept.sequence))
            .map(|(count, _)| *count)
            .collect();
        for count in settled {
            if let Some(envelope) = self.unsettled.remove(&count) {
                self.acknowledged.insert(count, envelope.transaction);
            }
        }
    }

    /// The next reading: as many records as this device sends at a time, a second apart, up to now.
    fn reading(&mut self) -> Envelope {
        let sequence = self.sensor.next_sequence();
        let record = |age: i32| {
            let hundredths =
                1_000 * i128::from(self.records) + i128::from(sequence.count % 97) + i128::from(age);
            let value = Decimal::new(hundredths, -2).expect("two decimals are exact");
            Record { time_offset_seconds: Some(-age), ..Record::of(Value::Number(value)) }
        };
        let records: Vec<Record<'_>> = (0..self.records).rev().map(record).collect();
        let base =
            Base { version: Some(26), name: Some("pm2.5"), time: Some(unix_seconds()), unit: Some("ug/m3") };
        let mut pack = [0; 1_024];
        let length = encode_pack(&base, &records, &mut pack).expect("so many records are a pack");
        self.sensor.sign(NETWORK, sequence, &pack[..length])
    }
}
