//! Several operators as somebody sets them up, by commands and files, with a program that was built for them (`LAMPPOST` says
//! where it lies): the suite `several` builds it.

use e2e::node::Node;
use e2e::program::{self, Ended};
use e2e::wait;
use serde_json::Value;

const NEW: [&str; 6] =
    ["network", "new", "--validators", "city,utility,university,operator", "--gateways", "gateway-1"];

#[test]
fn a_network_is_set_up_once_and_refuses_to_be_overwritten() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let out = directory.path().join("net");
    let made = Ended::of(program::lamppost(&NEW).arg("--out").arg(&out).arg("--json")).success();
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let nodes = made["nodes"].as_array().expect("it names its nodes");
    assert_eq!((nodes.len(), &made["quorum"]), (5, &3.into()));
    for node in nodes {
        let file = node["configuration"].as_str().expect("each has a file");
        assert!(std::path::Path::new(file).is_file(), "{file}");
    }
    let sentence = Ended::of(program::lamppost(&NEW).arg("--out").arg(&out)).refusal();
    assert!(sentence.contains("nothing is overwritten"), "{sentence}");
    let genesis = std::fs::read_to_string(out.join("genesis.json")).expect("there is a genesis document");
    let genesis = ledger::genesis::Genesis::from_json(&genesis).expect("which is one");
    assert_eq!(genesis.validators.len(), 4);
}

#[test]
fn a_node_says_which_line_of_its_file_it_does_not_understand() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let out = directory.path().join("net");
    Ended::of(program::lamppost(&NEW).arg("--out").arg(&out)).success();
    let file = out.join("city/node.toml");
    let text = std::fs::read_to_string(&file).expect("the file is there");
    std::fs::write(&file, format!("colour = \"blue\"\n{text}")).expect("it can be written");
    let sentence = Ended::of(program::lamppost(&["node", "--config"]).arg(&file)).refusal();
    assert!(sentence.contains("node.toml, line 1: unknown field `colour`"), "{sentence}");
    let sentence =
        Ended::of(program::lamppost(&["node", "--config"]).arg(out.join("nowhere.toml"))).refusal();
    assert!(sentence.contains("nowhere.toml"), "{sentence}");
}

#[test]
fn a_validators_key_is_made_where_it_votes_and_never_twice() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = directory.path().join("museum/data");
    let new = || {
        let mut command = program::lamppost(&["key", "validator", "--name", "museum", "--json", "--data"]);
        Ended::of(command.arg(&data))
    };
    let made: Value = serde_json::from_str(&new().success()).expect("JSON");
    assert!(made["vkey"].as_str().is_some_and(|key| key.starts_with("museum+")), "{made}");
    assert!(new().refusal().contains("never overwritten"));
    let key = data.join("keys/validator.pem");
    std::fs::rename(&key, directory.path().join("former.pem")).expect("it can be moved away");
    let other: Value = serde_json::from_str(&new().success()).expect("JSON");
    assert_ne!(made["public_key"], other["public_key"]);
}

/// A JSON document of a node that may not be there.
fn json(address: &str, path: &str) -> Option<Value> {
    let body = ureq::get(format!("http://{address}{path}")).call().ok()?.body_mut().read_to_string().ok()?;
    serde_json::from_str(&body).ok()
}

/// A network that one command runs, with one virtual device, and the addresses of its five nodes.
fn running() -> (Node, Vec<String>) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let out = directory.path().join("net");
    let mut new = program::lamppost(&NEW);
    new.args(["--devices", "1", "--epoch", "5", "--free-ports", "--json", "--out"]).arg(&out);
    let made: Value = serde_json::from_str(&Ended::of(&mut new).success()).expect("JSON");
    let nodes = made["nodes"].as_array().expect("it names its nodes");
    let addresses: Vec<_> =
        nodes.iter().filter_map(|node| node["http"].as_str()).map(str::to_owned).collect();
    assert_eq!(addresses.len(), 5);
    let mut run = program::lamppost(&["network", "run"]);
    run.arg(&out);
    (Node::started(run, out, directory), addresses)
}

#[test]
fn a_network_whose_command_is_killed_leaves_no_node_behind() {
    let (mut network, addresses) = running();
    network.kill();
    for address in addresses {
        wait::until_true("a node ends with the command that ran it", wait::LONG, || {
            json(&address, "/api/v1/status").is_none()
        });
    }
}

#[test]
fn a_whole_network_runs_by_one_command_shows_one_ledger_and_ends_with_it() {
    let (mut network, addresses) = running();
    assert!(!network.mqtt.is_empty(), "the gateway's is the ready line: devices are there");
    wait::until_true("a virtual device's envelopes are on the ledger", wait::LONG, || {
        network.json("/api/v1/status")["accepted"]["envelopes"].as_u64().is_some_and(|accepted| accepted > 0)
    });
    let height = network.json("/api/v1/status")["height"].as_u64().expect("there are blocks");
    let path = format!("/api/v1/blocks/{height}");
    let block = without_certificate(network.json(&path));
    for address in &addresses {
        let same = wait::until("the others have the block too", wait::LONG, || json(address, &path));
        let signed = same["certificate"]["signatures"].as_array().map_or(0, Vec::len);
        assert!(signed >= 3, "more than two thirds of four decided it: {same}");
        assert_eq!(without_certificate(same), block, "{address}");
        let consensus = json(address, "/api/v1/status").unwrap_or_default()["consensus"].clone();
        assert_eq!(consensus["validators"].as_array().map(Vec::len), Some(4), "{consensus}");
    }
    wait::until_true("the gateway's page says who signed", wait::LONG, || {
        let page = network.text("/");
        page.contains("<section id=\"validators\"") && page.contains("newest block")
    });
    assert!(network.terminate().success(), "{}", network.stderr());
    for address in addresses {
        assert_eq!(json(&address, "/api/v1/status"), None, "{address} ended with the others");
    }
}

/// A block as every node must have it: whose signatures a node heard first is its own.
fn without_certificate(mut block: Value) -> Value {
    block.as_object_mut().map(|fields| fields.remove("certificate"));
    block
}
