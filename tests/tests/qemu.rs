//! The emulated board: a temperature becomes a signed reading and a payment, and neither a broker's outage nor a reset
//! of the board loses one.

use e2e::broker::{Mosquitto, free_address};
use e2e::node::{Node, Up};
use e2e::{page, program, wait};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xtask::qemu::{Board, Enrolled, Enrolment, Store};

/// How long the broker is away.
const OUTAGE: Duration = Duration::from_secs(10);
/// An emulated board on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// A board that is enrolled at a node, running.
struct Scene {
    node: Node,
    board: Board,
    enrolled: Enrolled,
    _store: TempDir,
}

impl Scene {
    fn new(node: Node, broker: &str) -> Scene {
        let firmware = xtask::firmware::build().expect("the firmware builds");
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let store = Store::at(directory.path()).expect("the board's store");
        let enrolment = Enrolment {
            lamppost: program::path(),
            node: node.http.clone(),
            key: node.data.join("keys/operator.pem"),
            broker: broker.to_owned(),
            owner: None,
        };
        let enrolled = enrolment.ensure(&store).expect("the board is enrolled");
        let board = Board::start(&firmware, &store, false).expect("QEMU starts");
        Scene { node, board, enrolled, _store: directory }
    }

    /// What stands on the ledger: the number and the value of each reading.
    fn on_ledger(&self) -> Vec<((u64, u64), String)> {
        let readings = self.node.json(&format!("/api/v1/devices/{}/readings", self.enrolled.kid));
        let readings = readings.as_array().expect("a list of readings").clone();
        let number = |reading: &serde_json::Value, name: &str| reading[name].as_u64().expect("a number");
        readings
            .iter()
            .map(|reading| {
                ((number(reading, "boot"), number(reading, "count")), reading["senml"][0]["v"].to_string())
            })
            .collect()
    }

    /// The numbers of everything that the board says it has measured: `12.345 INFO  1.42 temp 31.25 Cel`.
    fn measured(&self) -> BTreeSet<(u64, u64)> {
        let number_of = |line: &String| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let &[_, "INFO", sequence, "temp", _, "Cel"] = words.as_slice() else { return None };
            let (boot, count) = sequence.split_once('.')?;
            Some((boot.parse().ok()?, count.parse().ok()?))
        };
        self.board.log().iter().filter_map(number_of).collect()
    }

    fn said(&self) -> String {
        self.board.log().join("\n")
    }
}

#[test]
fn a_temperature_set_over_qmp_is_shown_signed_and_its_owner_is_paid() {
    let node = Up::new().epoch_seconds(5).start();
    let mqtt = node.mqtt.clone();
    let scene = Scene::new(node, &mqtt);
    // 12 bits of 256 °C: a step is 0.0625 °C, so this value is exact.
    scene.board.control().set_temperature(31_250).expect("QEMU takes a temperature");
    wait::until_true("the temperature is on the ledger", PATIENCE, || {
        scene.on_ledger().iter().any(|(_, value)| value == "31.25")
    });
    let own_page = page::text(&scene.node.text(&format!("/devices/{}", scene.enrolled.kid)));
    assert!(own_page.contains("31.25"), "the device's page shows it:\n{own_page}");
    wait::until_true("the owner is paid", PATIENCE, || scene.node.posted(&scene.enrolled.owner) > 0);
    assert_eq!(scene.node.refused("signature"), 0, "{}", scene.said());
    assert_eq!(scene.node.refused("malformed"), 0, "{}", scene.said());
}

#[test]
fn an_outage_of_the_broker_and_a_reset_of_the_board_lose_nothing() {
    let address = free_address();
    let broker = Mosquitto::start_at(&address);
    let node = Up::new().with(&["--broker", &format!("mqtt://{address}")]).start();
    let scene = Scene::new(node, &address);
    wait::until_true("readings arrive", PATIENCE, || scene.on_ledger().len() >= 3);
    broker.stop();
    let stopped = Instant::now();
    let before = scene.measured().len();
    wait::until_true("half of the outage is over", PATIENCE, || stopped.elapsed() >= OUTAGE / 2);
    scene.board.control().reset().expect("QEMU resets the board");
    wait::until_true("the outage is over", PATIENCE, || stopped.elapsed() >= OUTAGE);
    assert!(scene.measured().len() > before, "the board measures on while nobody listens:\n{}", scene.said());
    let _broker = Mosquitto::start_at(&address);
    let in_the_end = scene.measured();
    assert!(in_the_end.iter().any(|(boot, _)| *boot > 1), "the board has booted twice:\n{}", scene.said());
    let arrived =
        || -> BTreeSet<(u64, u64)> { scene.on_ledger().into_iter().map(|(number, _)| number).collect() };
    wait::until_true("everything measured is on the ledger", PATIENCE, || in_the_end.is_subset(&arrived()));
    let numbers: Vec<_> = scene.on_ledger().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers.len(), arrived().len(), "nothing stands there twice");
    let accepted = scene.node.json(&format!("/api/v1/devices/{}", scene.enrolled.kid));
    assert!(accepted["accepted"]["envelopes"].as_u64() >= Some(numbers.len() as u64));
}
