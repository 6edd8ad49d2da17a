//! The product's commands against a running node, as a person types them.

use e2e::node::{Node, Up, microtokens};
use e2e::program::{self, Ended};
use e2e::wait;

/// Runs `lamppost …` with the node and one of its keys.
fn with_key(node: &Node, key: &str, arguments: &[&str]) -> Ended {
    let mut command = program::lamppost(arguments);
    command.args(["--node", &node.http, "--key"]).arg(node.data.join("keys").join(key));
    Ended::of(&mut command)
}

#[test]
fn the_treasury_pays_and_nobody_pays_what_he_does_not_have() {
    let node = Up::new().start();
    let receiver = node.new_account("receiver");
    let transfer = ["send", "transfer", "--to", &receiver, "--amount", "12.5", "--memo", "for the lamp"];
    with_key(&node, "treasury.pem", &transfer).success();
    assert_eq!(node.posted(&receiver), 12_500_000);
    let history = node.json(&format!("/api/v1/accounts/{receiver}/transfers"));
    assert_eq!(history.as_array().map(Vec::len), Some(1));
    assert_eq!(microtokens(&history[0]["amount"]), 12_500_000);
    let beyond = ["send", "transfer", "--to", &receiver, "--amount", "999999999999"];
    with_key(&node, "treasury.pem", &beyond).refusal();
    let not_its_right = ["send", "issue", "--to", &receiver, "--amount", "1"];
    with_key(&node, "operator.pem", &not_its_right).refusal();
    assert_eq!(node.posted(&receiver), 12_500_000, "what is refused moves nothing");
    with_key(&node, "treasury.pem", &["send", "issue", "--to", &receiver, "--amount", "0.000001"]).success();
    assert_eq!(node.posted(&receiver), 12_500_001, "amounts are exact to the micro-token");
}

#[test]
fn only_the_operator_enrols_a_device() {
    let node = Up::new().start();
    let owner = node.new_account("owner");
    let sensor = e2e::sensor::Sensor::any();
    let enrol = ["device", "enrol", "--public-key", &sensor.public_key(), "--owner", &owner];
    with_key(&node, "treasury.pem", &enrol).refusal();
    assert_eq!(node.json("/api/v1/devices").as_array().map(Vec::len), Some(0));
    let printed = with_key(&node, "operator.pem", &enrol).success();
    assert!(printed.contains(&sensor.kid()), "it prints the kid: {printed}");
    let list = program::run(&["device", "list", "--node", &node.http]).success();
    assert!(list.contains(&sensor.kid()), "{list}");
    let shown = program::run(&["device", "show", &sensor.kid(), "--node", &node.http]).success();
    assert!(shown.contains(&owner), "{shown}");
}

#[test]
fn a_key_file_is_what_openssl_writes_and_reads() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("key.pem");
    let path = file.to_str().expect("a temporary path is text");
    program::run(&["key", "new", path]).success();
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().expect("the key is there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "nobody else reads it");
    let mut openssl = std::process::Command::new("openssl");
    let text = Ended::of(openssl.args(["pkey", "-noout", "-text", "-in", path])).success();
    assert!(text.to_uppercase().contains("ED25519"), "{text}");
    let shown = program::run(&["key", "show", path, "--json"]).success();
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let public_key = shown["public_key"].as_str().expect("it shows the public key");
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    assert!(digits.contains(public_key), "the same public key:\n{text}\n{public_key}");
}

#[test]
fn a_fleet_of_its_own_process_is_enrolled_and_accepted() {
    let node = Up::new().start();
    let broker = format!("mqtt://{}", node.mqtt);
    let run = [
        "fleet",
        "--devices",
        "3",
        "--rate",
        "20",
        "--seconds",
        "3",
        "--broker",
        &broker,
        "--node",
        &node.http,
    ];
    let mut fleet = program::lamppost(&run);
    fleet.arg("--operator").arg(node.data.join("keys/operator.pem"));
    Ended::of(&mut fleet).success();
    wait::until_true("what the fleet sent is on the ledger", wait::SHORT, || {
        let devices = node.json("/api/v1/devices");
        let devices = devices.as_array().expect("a list of devices");
        let accepted =
            |device: &serde_json::Value| device["accepted"]["envelopes"].as_u64().unwrap_or_default();
        devices.len() == 3 && devices.iter().all(|device| accepted(device) >= 5)
    });
    for reason in ["malformed", "signature", "replayed"] {
        assert_eq!(node.refused(reason), 0, "{reason}");
    }
}

#[test]
fn a_running_node_is_audited_over_http_and_a_stranger_is_not_believed() {
    let node = Up::new().devices(2).start();
    node.epoch_passes();
    program::run(&["audit", "--node", &node.http]).success();
    let stranger = Up::new().start();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let genesis = directory.path().join("genesis.json");
    std::fs::write(&genesis, node.text("/genesis")).expect("it can be written");
    let genesis = genesis.to_str().expect("a temporary path is text");
    program::run(&["audit", "--node", &node.http, "--genesis", genesis]).success();
    program::run(&["audit", "--node", &stranger.http, "--genesis", genesis]).refusal();
}

#[test]
fn every_queue_shows_its_depth_and_its_bound() {
    let metrics = Up::new().start().text("/metrics");
    let queues = |name: &str| metrics.lines().filter(|line| line.starts_with(name)).count();
    assert!(queues("lamppost_queue_depth{") >= 3, "{metrics}");
    assert_eq!(queues("lamppost_queue_depth{"), queues("lamppost_queue_bound{"));
    let unbounded =
        metrics.lines().find(|line| line.starts_with("lamppost_queue_bound{") && line.ends_with(" 0"));
    assert_eq!(unbounded, None, "every queue has a number");
}

#[test]
fn a_program_for_a_single_node_says_how_to_build_one_for_several() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let out = directory.path().join("net");
    let mut new = program::lamppost(&["network", "new", "--validators", "city,utility", "--out"]);
    let mut node = program::lamppost(&["node", "--config", "node.toml"]);
    let mut key = program::lamppost(&["key", "validator", "--name", "museum", "--data"]);
    for command in [new.arg(&out), &mut node, key.arg(&out)] {
        let sentence = Ended::of(command).refusal();
        assert!(sentence.contains("cargo build --release --features bft"), "{sentence}");
    }
    assert!(!out.exists(), "nothing is made by a program that cannot go on with it");
}
