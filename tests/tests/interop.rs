//! Other people's code at every end: envelopes by pycose and cbor2, `mosquitto_pub`, an external mosquitto, and receipts
//! judged by a verifier that knows nothing but the standards.

use e2e::broker::{Mosquitto, mosquitto_pub, mosquitto_pub_speaking};
use e2e::golang;
use e2e::node::{Node, Up};
use e2e::program::{self, Ended};
use e2e::python;
use e2e::sensor::unix_seconds;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A node on an external mosquitto, and a directory for what is fetched from it.
struct Scene {
    broker: Mosquitto,
    node: Node,
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Scene {
        let broker = Mosquitto::start();
        let node = Up::new().with(&["--broker", &format!("mqtt://{}", broker.address)]).start();
        Scene { broker, node, directory: tempfile::tempdir().expect("a temporary directory can be made") }
    }

    /// Publishes until the gateway, which may have subscribed a moment later, has it on the ledger.
    fn publish(&self, kid: &str, envelope: &[u8], transaction: &str) -> Value {
        let topic = format!("lamppost/1/devnet/dev/{kid}/up");
        let path = format!("/api/v1/transactions/{transaction}");
        e2e::wait::until(&format!("{transaction} is accepted"), e2e::wait::SHORT, || {
            mosquitto_pub(&self.broker.address, &topic, envelope);
            self.node.json_if_there(&path)
        })
    }

    fn save(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, contents).expect("it can be written");
        path
    }

    /// The receipt and the genesis document, as files.
    fn receipt(&self, transaction: &str) -> (PathBuf, PathBuf) {
        let receipt = self.node.text(&format!("/api/v1/transactions/{transaction}/receipt"));
        let genesis = self.save("genesis.json", &self.node.text("/genesis"));
        (self.save(&format!("{transaction}.tlog-proof"), &receipt), genesis)
    }
}

/// `lamppost verify` without a network where the kernel lets us take it away, and said so where not.
fn verify_offline(receipt: &Path, genesis: &Path) -> Ended {
    let mut verify = program::lamppost(&["verify"]);
    verify.arg(receipt).arg("--genesis").arg(genesis);
    if Ended::of(Command::new("unshare").args(["-n", "true"])).code != 0 {
        println!("this machine does not let a process give up its network: verified with it");
        return Ended::of(&mut verify);
    }
    let mut without_network = Command::new("unshare");
    Ended::of(without_network.args(["-n", "--"]).arg(verify.get_program()).args(verify.get_args()))
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{value} has a text `{name}`")).to_owned()
}

/// The published vector that has no base time, so that it is fresh on any day.
fn vector_without_a_clock() -> Value {
    let path = xtask::process::root().join("devices/tests/wire/vectors.json");
    let vectors: Value =
        serde_json::from_str(&fs::read_to_string(path).expect("the vectors are there")).expect("JSON");
    let valid = vectors["valid"].as_array().expect("valid vectors");
    let found = valid.iter().find(|vector| vector["name"] == "no clock: no base time");
    found.expect("one vector has no base time").clone()
}

#[test]
fn the_published_vector_is_accepted_through_mosquitto() {
    let scene = Scene::new();
    let vector = vector_without_a_clock();
    scene.node.enrol(&text(&vector, "public_key"));
    let envelope = hex::decode(text(&vector, "envelope")).expect("hex");
    let entry = scene.publish(&text(&vector, "kid"), &envelope, &text(&vector, "transaction_id"));
    assert_eq!(text(&entry, "raw"), text(&vector, "envelope"), "the ledger holds the very bytes");
    let device = scene.node.json(&format!("/api/v1/devices/{}", text(&vector, "kid")));
    assert_eq!(device["last_sequence"]["boot"], 7);
    assert_eq!(device["last_sequence"]["count"], 2);
    let (receipt, genesis) = scene.receipt(&text(&vector, "transaction_id"));
    verify_offline(&receipt, &genesis).success();
}

#[test]
fn fresh_pycose_readings_are_accepted_and_their_receipts_hold_for_outsiders() {
    let scene = Scene::new();
    let made = python::run("pycose_device.py", &["devnet", &unix_seconds().to_string(), "5"]);
    let made: Value = serde_json::from_str(&made).expect("the script prints JSON");
    let (public_key, kid) = (text(&made, "public_key"), text(&made, "kid"));
    scene.node.enrol(&public_key);
    for reading in made["readings"].as_array().expect("a list of readings") {
        let envelope = hex::decode(text(reading, "envelope")).expect("hex");
        scene.publish(&kid, &envelope, &text(reading, "transaction"));
        let (receipt, genesis) = scene.receipt(&text(reading, "transaction"));
        verify_offline(&receipt, &genesis).success();
        let judged = python::run("judge_receipt.py", &[path(&receipt), path(&genesis)]);
        assert_eq!(judged.trim(), text(reading, "envelope"), "the judge finds the envelope inside");
    }
}

#[test]
fn one_altered_byte_anywhere_in_a_receipt_is_named() {
    let scene = Scene::new();
    let vector = vector_without_a_clock();
    scene.node.enrol(&text(&vector, "public_key"));
    let envelope = hex::decode(text(&vector, "envelope")).expect("hex");
    scene.publish(&text(&vector, "kid"), &envelope, &text(&vector, "transaction_id"));
    let (receipt, genesis) = scene.receipt(&text(&vector, "transaction_id"));
    let whole = fs::read(&receipt).expect("the receipt is there");
    let altered = scene.directory.path().join("altered.tlog-proof");
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 1;
        fs::write(&altered, &bytes).expect("it can be written");
        let ended = program::run(&["verify", path(&altered), "--genesis", path(&genesis)]);
        assert_eq!(ended.code, 1, "byte {position} of {}: {}", whole.len(), String::from_utf8_lossy(&bytes));
        ended.refusal();
    }
}

#[test]
fn two_gateways_share_a_stream_without_paying_twice() {
    let scene = Scene::new();
    let second = Up::new().with(&["--broker", &format!("mqtt://{}", scene.broker.address)]).start();
    let mut sensor = e2e::sensor::Sensor::any();
    let owner = scene.node.enrol(&sensor.public_key());
    second.enrol_for(&sensor.public_key(), &owner);
    let reading = sensor.reading();
    scene.publish(&sensor.kid(), &reading.bytes, &reading.transaction);
    scene.publish(&sensor.kid(), &reading.bytes, &reading.transaction);
    for node in [&scene.node, &second] {
        node.settled(&reading.transaction);
        let device = node.json(&format!("/api/v1/devices/{}", sensor.kid()));
        assert_eq!(device["accepted"]["envelopes"], 1);
    }
}

#[test]
fn the_embedded_broker_speaks_both_versions_of_mqtt() {
    let node = Up::new().start();
    for version in ["mqttv311", "mqttv5"] {
        let mut sensor = e2e::sensor::Sensor::any();
        node.enrol(&sensor.public_key());
        let reading = sensor.reading();
        mosquitto_pub_speaking(version, &node.mqtt, &sensor.topic("up"), &reading.bytes);
        node.settled(&reading.transaction);
    }
}

#[test]
fn a_huge_message_at_an_external_broker_stops_nobody() {
    let scene = Scene::new();
    let mut sensor = e2e::sensor::Sensor::any();
    scene.node.enrol(&sensor.public_key());
    let first = sensor.reading();
    scene.publish(&sensor.kid(), &first.bytes, &first.transaction);
    mosquitto_pub(&scene.broker.address, &sensor.topic("up"), &[0xd2; 200_000]);
    let next = sensor.reading();
    scene.publish(&sensor.kid(), &next.bytes, &next.transaction);
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a temporary path is text")
}

/// The entry's hash as the page on proofs has the shell compute it.
fn shell_hash(receipt: &Path) -> String {
    let page = xtask::process::root().join("ledger/docs/proofs.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let line = page.lines().find(|line| line.starts_with("sed -n 's/^extra ")).expect("the page shows it");
    let mut shell = Command::new("sh");
    Ended::of(shell.arg("-c").arg(line.replace("reading.tlog-proof", path(receipt)))).success()
}

/// What the follower finds: the log's size, whose continuation it is, and each entry's hash.
fn followed(node: &Node, vkey: &str, state: &Path) -> Value {
    serde_json::from_str(&golang::follow(&["log", &node.http, vkey, path(state)]).success()).expect("JSON")
}

#[test]
fn a_log_client_that_is_not_ours_follows_the_log_and_finds_every_entry() {
    let scene = Scene::new();
    let node = &scene.node;
    let genesis = node.json("/genesis");
    let vkey = text(&genesis["validators"][0], "vkey");
    let state = scene.directory.path().join("kept.checkpoint");
    let mut sensor = e2e::sensor::Sensor::any();
    node.enrol(&sensor.public_key());
    let first = followed(node, &vkey, &state);
    assert_eq!(first["consistent_with"], 0);
    // More than a full tile of hashes, so that tiles of the level above come to be; each block adds its seal.
    let readings: Vec<_> = (0..150).map(|_| sensor.reading()).collect();
    for reading in &readings {
        assert_eq!(node.submit(&reading.bytes).0, 202);
    }
    let second = followed(node, &vkey, &state);
    assert_eq!(second["consistent_with"], first["size"], "the log continues the one that was kept");
    let tiles: Vec<&str> =
        second["tiles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for kind in ["/tile/0/000", "/tile/0/001.p/", "/tile/1/000.p/1"] {
        assert!(tiles.iter().any(|tile| tile.starts_with(kind)), "no {kind} among {tiles:?}");
    }
    let entries = second["entries"].as_array().expect("hashes of entries");
    assert!(entries.len() > 300);
    // The receipts that the node gives are of the entries that the follower found, and hold for its code.
    for reading in readings.iter().step_by(15) {
        let (receipt, genesis) = scene.receipt(&reading.transaction);
        let judged = golang::follow(&["receipt", path(&receipt), &vkey]).success();
        let judged: Value = serde_json::from_str(&judged).expect("JSON");
        let index = judged["index"].as_u64().and_then(|index| usize::try_from(index).ok()).expect("an index");
        assert_eq!(judged["hash"], entries[index]);
        assert!(shell_hash(&receipt).starts_with(&text(&judged, "hash_hex")), "the shell's hash is the same");
        verify_offline(&receipt, &genesis).success();
    }
}

#[test]
fn a_log_client_that_is_not_ours_finds_a_forged_checkpoint_and_a_forked_log() {
    let scene = Scene::new();
    let other = Up::new().start();
    let vkey = |node: &Node| text(&node.json("/genesis")["validators"][0], "vkey");
    let refused = |arguments: &[&str]| {
        let ended = golang::follow(arguments);
        assert_eq!(ended.code, 1, "{}", ended.stdout);
        ended.stderr
    };
    let state = scene.directory.path().join("kept.checkpoint");
    let said = refused(&["log", &other.http, &vkey(&scene.node), path(&state)]);
    assert!(said.contains("no verifiable signatures"), "{said}");
    // The log that was kept has a root of its own, though it is signed by the same key.
    let history = tempfile::tempdir().expect("a temporary directory can be made");
    let data = history.path().join("data");
    let mut first = Up::new().data(&data).epoch_seconds(3_600).start();
    let key = vkey(&first);
    first.enrol(&e2e::sensor::Sensor::any().public_key());
    golang::follow(&["log", &first.http, &key, path(&state)]).success();
    assert_eq!(first.terminate().code(), Some(0));
    for derived in ["index", "rows", "snapshots", "state", "checkpoint", "log"] {
        let path = data.join(derived);
        if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.expect("it is there");
    }
    let again = Up::new().data(&data).epoch_seconds(3_600).start();
    for _ in 0..3 {
        again.enrol(&e2e::sensor::Sensor::any().public_key());
    }
    let said = refused(&["log", &again.http, &key, path(&state)]);
    assert!(said.contains("proof"), "{said}");
}

#[test]
fn tiles_are_served_by_the_letter() {
    let scene = Scene::new();
    let mut sensor = e2e::sensor::Sensor::any();
    scene.node.enrol(&sensor.public_key());
    for _ in 0..5 {
        assert_eq!(scene.node.submit(&sensor.reading().bytes).0, 202);
    }
    let size: u64 =
        scene.node.text("/checkpoint").lines().nth(1).and_then(|size| size.parse().ok()).expect("a size");
    // A partial tile of every width up to the log's end, and nothing beyond it.
    for width in 1..=size.min(255) {
        assert_eq!(scene.node.get_bytes(&format!("/tile/0/000.p/{width}")).len() as u64, width * 32);
        assert!(!scene.node.get_bytes(&format!("/tile/entries/000.p/{width}")).is_empty());
    }
    let full = scene.node.get_bytes(&format!("/tile/0/000.p/{size}"));
    assert!(full.starts_with(&scene.node.get_bytes("/tile/0/000.p/3")), "a tile never changes, it grows");
    let absent =
        ["/tile/0/000", "/tile/entries/000", "/tile/1/000.p/1", "/tile/0/000.p/255", "/tile/63/000.p/1"];
    for path in absent {
        assert_eq!(scene.node.get_as(path, "*/*").0, 404, "{path}");
    }
}
