//! kill -9 in the middle of work, twenty times: every acknowledged envelope is on the ledger, once, and paid once.

use devices::Ack;
use e2e::mqtt::Device;
use e2e::node::{Node, Up, microtokens};
use e2e::program;
use e2e::sensor::{Envelope, Sensor};
use e2e::wait;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const ROUNDS: u32 = 20;
/// A device's window has 64 places; fewer are under way at a time.
const IN_FLIGHT_MAX: usize = 48;
/// Where the moments of the kills come from; a failure names it.
const SEED: u64 = 0x1a3b_9f02;

/// What the device knows: it keeps each envelope until an ack settles it, as the firmware does.
struct Outbox {
    sensor: Sensor,
    unsettled: BTreeMap<u32, Envelope>,
    acknowledged: BTreeMap<u32, String>,
}

impl Outbox {
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

    /// Publishes and listens until this many more are acknowledged; false if the connection broke.
    fn work(&mut self, device: &Device, acknowledgements: usize) {
        let until = self.acknowledged.len() + acknowledgements;
        wait::until_true("acknowledgements come", wait::LONG, || {
            while self.unsettled.len() < IN_FLIGHT_MAX {
                let envelope = self.sensor.reading();
                device.publish(&self.sensor.topic("up"), &envelope.bytes);
                self.unsettled.insert(envelope.sequence.count, envelope);
            }
            while let Some((_, payload)) = device.next(Duration::from_millis(5)) {
                self.settle(Ack::decode(&payload).expect("an ack is CBOR of four numbers"));
                if self.acknowledged.len() >= until {
                    return true;
                }
            }
            false
        });
    }

    /// After a crash the device sends again what nobody has acknowledged.
    fn send_again(&self, device: &Device) {
        for envelope in self.unsettled.values() {
            device.publish(&self.sensor.topic("up"), &envelope.bytes);
        }
    }
}

#[test]
fn what_was_acknowledged_before_a_kill_is_paid_exactly_once() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = directory.path().join("data");
    let mut outbox =
        Outbox { sensor: Sensor::any(), unsettled: BTreeMap::new(), acknowledged: BTreeMap::new() };
    let mut node = Up::new().data(&data).start();
    let owner = node.enrol(&outbox.sensor.public_key());
    let mut random = SEED;
    for round in 0..ROUNDS {
        let device = Device::connect(&node.mqtt, &format!("crash-{round}"), &[outbox.sensor.topic("ack")]);
        outbox.send_again(&device);
        // A linear congruential step (Knuth's MMIX constants): each round is killed at another moment.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let acknowledgements = usize::try_from(random >> 58).expect("six bits") + 1;
        outbox.work(&device, acknowledgements);
        node.kill();
        node = Up::new().data(&data).start();
    }
    let device = Device::connect(&node.mqtt, "crash-last", &[outbox.sensor.topic("ack")]);
    outbox.send_again(&device);
    wait::until_true("everything is acknowledged in the end", wait::LONG, || {
        if let Some((_, payload)) = device.next(Duration::from_millis(5)) {
            outbox.settle(Ack::decode(&payload).expect("an ack is CBOR of four numbers"));
        }
        outbox.unsettled.is_empty()
    });
    node.epoch_passes();
    every_acknowledged_envelope_is_there_and_paid_once(&node, &outbox, &owner);
    assert_eq!(node.terminate().code(), Some(0));
    program::run(&["audit", "--data", data.to_str().expect("a temporary path is text")]).success();
}

fn every_acknowledged_envelope_is_there_and_paid_once(node: &Node, outbox: &Outbox, owner: &str) {
    let kid = outbox.sensor.kid();
    let mut places = BTreeSet::new();
    for (count, transaction) in &outbox.acknowledged {
        let entry = node.json_if_there(&format!("/api/v1/transactions/{transaction}"));
        let entry = entry.unwrap_or_else(|| panic!("{count} was acknowledged and is lost (seed {SEED:#x})"));
        assert!(places.insert(entry["index"].as_u64()), "{count} shares its place (seed {SEED:#x})");
    }
    let device = node.json(&format!("/api/v1/devices/{kid}"));
    let on_ledger = device["accepted"]["envelopes"].as_u64().expect("a count");
    assert_eq!(on_ledger, outbox.acknowledged.len() as u64, "none twice and none besides (seed {SEED:#x})");
    let statements = node.json(&format!("/api/v1/accounts/{owner}/statements"));
    let statements = statements.as_array().expect("a list of statements");
    let lines = statements.iter().flat_map(|statement| statement["lines"].as_array().into_iter().flatten());
    let accepted: u64 = lines.map(|line| line["accepted_records"].as_u64().expect("a count")).sum();
    assert_eq!(accepted, on_ledger, "each reading stands in one statement (seed {SEED:#x})");
    let paid: u64 = statements.iter().map(|statement| microtokens(&statement["paid"])).sum();
    assert!(paid > 0);
    assert_eq!(paid, node.posted(owner), "the statements add up to the balance (seed {SEED:#x})");
    println!("{} envelopes acknowledged over {ROUNDS} kills, each paid once", outbox.acknowledged.len());
}
