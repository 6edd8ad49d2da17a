//! Bad envelopes: each is refused with its reason, in metrics, API and on the device's topic; nothing is paid, and the
//! next good one is accepted.

use devices::{Ack, Refusal, Sequence};
use e2e::mqtt::Device;
use e2e::node::{Node, Up, microtokens};
use e2e::sensor::{NETWORK, Sensor, unix_seconds};
use e2e::wait;

/// A node, an enrolled device with an owner, and the device's connection.
struct Scene {
    node: Node,
    sensor: Sensor,
    owner: String,
    device: Device,
}

impl Scene {
    fn new() -> Scene {
        let node = Up::new().start();
        let sensor = Sensor::any();
        let owner = node.enrol(&sensor.public_key());
        let device = connect(&node, &sensor);
        Scene { node, sensor, owner, device }
    }

    /// Publishes a bad envelope and follows its refusal to every place where it must show.
    fn is_refused(&mut self, envelope: &[u8], sequence: Sequence, reason: Refusal) {
        let word = reason.as_str();
        let (counted, measured) = (self.node.refused(word), self.node.refused_metric(word));
        assert!(self.device.publish(&self.sensor.topic("up"), envelope));
        assert_eq!(self.device.refused(sequence), reason, "on the topic `refused`");
        wait::until_true("the refusal is counted in the API", wait::SHORT, || {
            self.node.refused(word) == counted + 1
        });
        assert_eq!(self.node.refused_metric(word), measured + 1, "in the metrics");
        self.next_good_one_is_accepted_and_paid_alone();
    }

    fn next_good_one_is_accepted_and_paid_alone(&mut self) {
        let before = self.accepted();
        let good = self.sensor.reading();
        assert!(self.device.publish(&self.sensor.topic("up"), &good.bytes));
        self.device.settled(good.sequence);
        self.node.settled(&good.transaction);
        assert_eq!(self.accepted(), before + 1, "the refused envelope is on no ledger");
        self.node.epoch_passes();
        let price = self.price();
        wait::until_true("the owner is paid for the accepted readings and for no other", wait::SHORT, || {
            self.node.posted(&self.owner) == self.accepted() * price
        });
    }

    fn accepted(&self) -> u64 {
        let device = self.node.json(&format!("/api/v1/devices/{}", self.sensor.kid()));
        device["accepted"]["envelopes"].as_u64().expect("a device shows its accepted envelopes")
    }

    /// What the tariff pays for one record of fine dust.
    fn price(&self) -> u64 {
        let genesis = self.node.json("/genesis");
        let quantities = genesis["tariff"]["quantities"].as_array().expect("the tariff lists quantities");
        let dust = quantities.iter().find(|quantity| quantity["name"] == "pm2.5").expect("fine dust is paid");
        let price = &dust["price_microtokens"];
        price.as_u64().or_else(|| price.as_str()?.parse().ok()).expect("a price in micro-tokens")
    }
}

fn connect(node: &Node, sensor: &Sensor) -> Device {
    Device::connect(&node.mqtt, &sensor.kid(), &[sensor.topic("ack"), sensor.topic("refused")])
}

/// What a notice names where the envelope could not be read.
const UNREADABLE: Sequence = Sequence { boot: 0, count: 0 };

#[test]
fn garbage_is_malformed() {
    let mut scene = Scene::new();
    scene.is_refused(b"\x00\xff this is no envelope", UNREADABLE, Refusal::Malformed);
    scene.is_refused(b"", UNREADABLE, Refusal::Malformed);
}

#[test]
fn an_oversized_envelope_is_malformed() {
    let mut scene = Scene::new();
    let mut oversized = scene.sensor.reading().bytes;
    oversized.resize(1025, 0);
    scene.is_refused(&oversized, UNREADABLE, Refusal::Malformed);
    scene.is_refused(&[0xd2; 10_000], UNREADABLE, Refusal::Malformed);
}

#[test]
fn a_message_beyond_the_brokers_bound_costs_its_sender_the_connection_and_nobody_else() {
    let mut scene = Scene::new();
    let mut neighbour = Sensor::any();
    scene.node.enrol(&neighbour.public_key());
    let other = connect(&scene.node, &neighbour);
    scene.device.publish(&scene.sensor.topic("up"), &[0xd2; 50_000]);
    let reading = neighbour.reading();
    assert!(other.publish(&neighbour.topic("up"), &reading.bytes));
    other.settled(reading.sequence);
    scene.device = connect(&scene.node, &scene.sensor);
    scene.next_good_one_is_accepted_and_paid_alone();
}

#[test]
fn a_float_is_malformed_even_where_its_signature_holds() {
    let mut scene = Scene::new();
    // [{0: "temp", 2: 12.5 as a double}]
    let mut payload = b"\x81\xa2\x00\x64temp\x02\xfb".to_vec();
    payload.extend_from_slice(&12.5_f64.to_be_bytes());
    let envelope = scene.sensor.signed_payload(&payload);
    scene.is_refused(&envelope, UNREADABLE, Refusal::Malformed);
}

#[test]
fn a_forged_signature_is_refused() {
    let mut scene = Scene::new();
    let mut forged = scene.sensor.reading();
    if let Some(last) = forged.bytes.last_mut() {
        *last ^= 1;
    }
    scene.is_refused(&forged.bytes, forged.sequence, Refusal::Signature);
}

#[test]
fn a_forged_ack_from_another_client_never_reaches_a_device() {
    let mut scene = Scene::new();
    let topic = scene.sensor.topic("ack");
    let everything = Sequence { boot: scene.sensor.boot, count: 1_000 };
    let mut forged = [0; devices::limits::ACK_BYTES_MAX];
    let forgery = Ack { highest: everything, window: u64::MAX, log_size: 1 };
    let bytes = forgery.encode(&mut forged).expect("an ack fits");
    for (attempt, is_retained) in [(1, false), (2, true)] {
        let forger = Device::connect(&scene.node.mqtt, "forger", &[]);
        let publish = if is_retained { Device::publish_retained } else { Device::publish };
        assert!(publish(&forger, &topic, &forged[..bytes]));
        wait::until_true("the forger is turned out and counted", wait::SHORT, || {
            let metrics = scene.node.text("/metrics");
            metrics.lines().any(|line| line == format!("lamppost_mqtt_violations_total {attempt}"))
        });
    }
    let reading = scene.sensor.reading();
    assert!(scene.device.publish(&scene.sensor.topic("up"), &reading.bytes));
    let first = Ack::decode(&scene.device.next_on("ack")).expect("an ack");
    assert_eq!(first.highest, reading.sequence, "the first ack that the device hears is the gateway's");
    let again = connect(&scene.node, &scene.sensor);
    let kept = Ack::decode(&again.next_on("ack")).expect("an ack");
    assert_eq!(kept.highest, reading.sequence, "and so is the one that the broker has kept");
}

#[test]
fn an_envelope_of_another_network_is_worth_nothing_here() {
    let mut scene = Scene::new();
    let foreign = scene.sensor.reading_for("testnet");
    scene.is_refused(&foreign.bytes, foreign.sequence, Refusal::Signature);
}

#[test]
fn a_replayed_reading_pays_nothing() {
    let mut scene = Scene::new();
    let reading = scene.sensor.reading();
    assert!(scene.device.publish(&scene.sensor.topic("up"), &reading.bytes));
    scene.device.settled(reading.sequence);
    scene.is_refused(&reading.bytes, reading.sequence, Refusal::Replayed);
}

#[test]
fn a_reading_from_the_future_is_refused() {
    let mut scene = Scene::new();
    let future = scene.sensor.reading_at(unix_seconds() + 400);
    scene.is_refused(&future.bytes, future.sequence, Refusal::InFuture);
    let nearly = scene.sensor.reading_at(unix_seconds() + 200);
    assert!(scene.device.publish(&scene.sensor.topic("up"), &nearly.bytes));
    scene.node.settled(&nearly.transaction);
}

#[test]
fn a_reading_of_last_month_is_too_old() {
    let mut scene = Scene::new();
    const DAY_SECONDS: u32 = 24 * 60 * 60;
    let old = scene.sensor.reading_at(unix_seconds() - 31 * DAY_SECONDS);
    scene.is_refused(&old.bytes, old.sequence, Refusal::TooOld);
    let nearly = scene.sensor.reading_at(unix_seconds() - 29 * DAY_SECONDS);
    assert!(scene.device.publish(&scene.sensor.topic("up"), &nearly.bytes));
    scene.node.settled(&nearly.transaction);
}

#[test]
fn a_device_that_nobody_enrolled_is_unknown_until_it_is_enrolled() {
    let node = Up::new().start();
    let mut sensor = Sensor::any();
    let device = connect(&node, &sensor);
    let early = sensor.reading();
    assert!(device.publish(&sensor.topic("up"), &early.bytes));
    assert_eq!(device.refused(early.sequence), Refusal::UnknownDevice);
    wait::until_true("it is counted", wait::SHORT, || node.refused("unknown_device") == 1);
    assert_eq!(node.refused_metric("unknown_device"), 1);
    assert!(node.json_if_there(&format!("/api/v1/transactions/{}", early.transaction)).is_none());
    node.enrol(&sensor.public_key());
    assert!(
        device.publish(&sensor.topic("up"), &early.bytes),
        "an unknown device's envelope was not settled"
    );
    device.settled(early.sequence);
    node.settled(&early.transaction);
}

#[test]
fn the_api_refuses_with_the_same_words() {
    let mut scene = Scene::new();
    let good = scene.sensor.reading();
    let (status, body) = scene.node.submit(&good.bytes);
    assert_eq!(status, 202, "{body}");
    let accepted: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(accepted["id"], good.transaction.as_str());
    let (status, body) = scene.node.submit(&good.bytes);
    assert!((400..500).contains(&status), "{status}: {body}");
    let problem: serde_json::Value = serde_json::from_str(&body).expect("RFC 9457 problem details");
    assert_eq!(problem["reason"], "replayed");
    let (status, body) = scene.node.submit(b"no envelope");
    assert!((400..500).contains(&status), "{status}: {body}");
    assert!(body.contains("malformed"), "{body}");
}

#[test]
fn what_leaves_the_pool_arrives_at_the_owner() {
    let mut scene = Scene::new();
    let supply = |node: &Node| microtokens(&node.json("/api/v1/status")["pool"]);
    let before = supply(&scene.node);
    scene.next_good_one_is_accepted_and_paid_alone();
    let paid = before - supply(&scene.node);
    assert_eq!(paid, scene.node.posted(&scene.owner), "what left the pool is what the owner has");
    assert_eq!(NETWORK, scene.node.json("/api/v1/status")["network"]);
}
