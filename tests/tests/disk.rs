//! A full disk: intake stops, reads go on, the node resumes by itself, and nothing acknowledged is lost or paid twice.

use e2e::mqtt::Device;
use e2e::node::{Node, Up};
use e2e::program;
use e2e::sensor::{Envelope, Sensor, unix_seconds};
use e2e::small_disk::SmallDisk;
use e2e::wait;
use std::collections::BTreeSet;
use std::time::Duration;

fn start(disk: &SmallDisk) -> Node {
    let reserve = disk.reserve_bytes.to_string();
    let up = Up::new().within(&disk.starter()).data(&disk.data());
    let mut node = up.with(&["--disk-reserve", &reserve]).start();
    node.data = disk.seen().join("data");
    node
}

fn is_accepting(node: &Node) -> bool {
    node.json("/api/v1/status")["accepting"].as_bool().expect("the status says whether it accepts")
}

fn height(node: &Node) -> u64 {
    node.json("/api/v1/status")["height"].as_u64().expect("the status has a height")
}

/// Sends a reading over MQTT and waits for its ack.
fn settle(device: &Device, sensor: &mut Sensor) -> Envelope {
    let envelope = sensor.reading();
    assert!(device.publish(&sensor.topic("up"), &envelope.bytes));
    device.settled(envelope.sequence);
    envelope
}

fn reads_go_on(node: &Node, sensor: &Sensor, acknowledged: &[Envelope]) {
    let transaction = &acknowledged[0].transaction;
    node.json(&format!("/api/v1/transactions/{transaction}"));
    assert!(node.text(&format!("/api/v1/transactions/{transaction}/receipt")).contains("lamppost/devnet"));
    node.json(&format!("/api/v1/devices/{}", sensor.kid()));
    node.text("/checkpoint");
    node.text("/");
}

fn it_says_that_it_is_full(node: &Node, sensor: &mut Sensor) {
    let (status, problem) = node.submit(&sensor.reading().bytes);
    sensor.count -= 1;
    assert_eq!(status, 503, "{problem}");
    assert!(problem.contains("the disk is full"), "{problem}");
    let (status, health) = node.get_as("/healthz", "*/*");
    assert_eq!(status, 200, "it is alive: {health}");
    assert!(health.contains("degraded"), "{health}");
    assert!(node.text("/metrics").contains("lamppost_disk_full 1"));
    assert_eq!(node.json("/api/v1/status")["disk"]["full"], true);
}

/// Waits until the running epoch is over by a second, and sees that it was not settled.
fn not_even_an_epoch_ends(node: &Node) {
    let before = height(node);
    let due = unix_seconds() + 4;
    wait::until_true("two epochs pass", wait::SHORT, || unix_seconds() > due);
    assert_eq!(height(node), before, "no block was made");
}

#[test]
fn a_full_disk_stops_intake_and_nothing_else_and_nothing_acknowledged_is_lost() {
    let disk = SmallDisk::new();
    let mut node = start(&disk);
    let mut sensor = Sensor::any();
    let owner = node.enrol(&sensor.public_key());
    let device = Device::connect(&node.mqtt, "disk", &[sensor.topic("ack")]);
    let mut acknowledged: Vec<_> = (0..10).map(|_| settle(&device, &mut sensor)).collect();

    disk.fill(disk.reserve_bytes / 2);
    wait::until_true("intake stops", wait::SHORT, || !is_accepting(&node));
    it_says_that_it_is_full(&node, &mut sensor);
    let waiting: Vec<_> = (0..5).map(|_| sensor.reading()).collect();
    for envelope in &waiting {
        assert!(device.publish(&sensor.topic("up"), &envelope.bytes));
    }
    not_even_an_epoch_ends(&node);
    reads_go_on(&node, &sensor, &acknowledged);
    if disk.is_private() {
        disk.fill_up();
        reads_go_on(&node, &sensor, &acknowledged);
        it_says_that_it_is_full(&node, &mut sensor);
    }
    assert!(device.next(Duration::ZERO).is_none(), "nothing is acknowledged without room");

    disk.free();
    device.settled(waiting[4].sequence);
    wait::until_true("it resumes by itself", wait::SHORT, || is_accepting(&node));
    acknowledged.extend(waiting);
    acknowledged.extend((0..10).map(|_| settle(&device, &mut sensor)));
    let (status, answer) = {
        let envelope = sensor.reading();
        let answer = node.submit(&envelope.bytes);
        acknowledged.push(envelope);
        answer
    };
    assert_eq!(status, 202, "{answer}");
    node.epoch_passes();
    assert!(node.posted(&owner) > 0, "epochs are settled again");

    assert_eq!(node.terminate().code(), Some(0));
    let mut node = start(&disk);
    all_are_there_once(&node, &sensor, &acknowledged);
    assert_eq!(node.terminate().code(), Some(0));
    program::run(&["audit", "--data", node.data.to_str().expect("a path of text")]).success();
}

#[test]
fn a_node_that_is_ended_and_started_on_a_full_disk_answers_and_goes_on_when_there_is_room() {
    let disk = SmallDisk::new();
    let mut node = start(&disk);
    let mut sensor = Sensor::any();
    node.enrol(&sensor.public_key());
    let device = Device::connect(&node.mqtt, "disk-restart", &[sensor.topic("ack")]);
    let mut acknowledged: Vec<_> = (0..5).map(|_| settle(&device, &mut sensor)).collect();
    disk.fill(disk.reserve_bytes / 2);
    wait::until_true("intake stops", wait::SHORT, || !is_accepting(&node));
    assert_eq!(node.terminate().code(), Some(0), "{}", node.stderr());
    let mut node = start(&disk);
    reads_go_on(&node, &sensor, &acknowledged);
    wait::until_true("it sees that the disk is full", wait::SHORT, || !is_accepting(&node));
    node.kill();
    let node = start(&disk);
    wait::until_true("it sees that the disk is full", wait::SHORT, || !is_accepting(&node));
    disk.free();
    wait::until_true("it accepts", wait::SHORT, || is_accepting(&node));
    let device = Device::connect(&node.mqtt, "disk-again", &[sensor.topic("ack")]);
    acknowledged.push(settle(&device, &mut sensor));
    all_are_there_once(&node, &sensor, &acknowledged);
}

fn all_are_there_once(node: &Node, sensor: &Sensor, acknowledged: &[Envelope]) {
    let mut places = BTreeSet::new();
    for envelope in acknowledged {
        let entry = node.json(&format!("/api/v1/transactions/{}", envelope.transaction));
        assert!(places.insert(entry["index"].as_u64()), "two share a place");
    }
    let device = node.json(&format!("/api/v1/devices/{}", sensor.kid()));
    let accepted = device["accepted"]["envelopes"].as_u64().expect("a count");
    assert_eq!(accepted, acknowledged.len() as u64, "none twice and none besides");
}
