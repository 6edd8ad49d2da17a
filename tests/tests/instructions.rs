//! Every instruction, asked for by code that is not ours: Python with cbor2 and pyca/cryptography, from the page alone.

use e2e::node::Up;
use e2e::{program, python};
use ledger::account::AccountId;
use ledger::instruction::InstructionName;
use serde_json::Value;
use std::collections::BTreeSet;

/// The account whose id the script gave in hex.
fn account(keys: &Value, name: &str) -> String {
    let bytes: Vec<u8> = hex::decode(keys[name].as_str().expect("hex")).expect("hex");
    AccountId::from_bytes(bytes.try_into().expect("32 bytes")).to_string()
}

#[test]
fn strangers_code_can_ask_for_everything_that_the_page_describes() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = directory.path().join("data");
    // An epoch that does not end meanwhile, so that the tariff is still to come at the end.
    let mut node = Up::new().data(&data).epoch_seconds(3_600).start();
    let pem = |name: &str| data.join("keys").join(name).display().to_string();
    let said = python::run("account.py", &[&node.http, "devnet", &pem("operator.pem"), &pem("treasury.pem")]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let steps = said["done"].as_array().expect("steps");
    let carried_out: BTreeSet<&str> =
        steps.iter().filter(|step| step["id"].is_string()).filter_map(|step| step["name"].as_str()).collect();
    // A devnet's one validator decides alone for good.
    let open = InstructionName::ALL.into_iter().filter(|name| !name.is_of_validators());
    assert_eq!(carried_out, open.map(|name| name.as_str()).collect());
    for step in steps.iter().filter(|step| step["id"].is_string()) {
        let id = step["id"].as_str().expect("an id");
        assert_eq!(node.settled(id)["name"], step["name"]);
    }
    let keys = &said["keys"];
    let device = |name: &str| node.json(&format!("/api/v1/devices/{}", keys[name].as_str().expect("a kid")));
    for name in ["device", "new_key"] {
        assert_eq!(device(name)["owner"], account(keys, "buyer"), "{name}");
        assert_eq!(device(name)["status"], "revoked", "{name}");
    }
    let posted = |name: &str| node.posted(&account(keys, name));
    assert_eq!((posted("seller"), posted("buyer")), (1_000 - 400 + 70 - 30, 400));
    assert_eq!(node.terminate().code(), Some(0));
    let audit = program::run(&["audit", "--data", data.to_str().expect("a temporary path is text")]);
    assert_eq!(audit.code, 0, "{}", audit.stderr);
}
