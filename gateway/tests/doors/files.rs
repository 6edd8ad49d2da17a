//! The commands that need no node: their exit codes, their sentences, their files.

use std::path::Path;
use std::process::{Command, Output};

use crate::node::Node;

fn lamppost(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lamppost"));
    command.env_remove("LAMPPOST_NODE").args(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// One sentence on stderr and nothing on stdout.
fn assert_refused(output: &Output) -> String {
    let sentence = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(code(output), 1, "{sentence}");
    assert!(output.stdout.is_empty());
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
    sentence
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_key_is_made_once_and_shown_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("owner.pem");
    let made = lamppost(&["key", "new", text(&file), "--json"]);
    assert_eq!(code(&made), 0);
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert!(made["account"].as_str().unwrap().starts_with("lamp1"));
    let shown = lamppost(&["key", "show", text(&file), "--json"]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&shown.stdout).unwrap(), made);
    assert_refused(&lamppost(&["key", "new", text(&file)]));
    assert_refused(&lamppost(&["key", "show", text(&directory.path().join("none.pem"))]));
}

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    assert_eq!(code(&lamppost(&["no-such-command"])), 2);
    assert_eq!(code(&lamppost(&["verify"])), 2);
    assert_eq!(code(&lamppost(&["device", "enrol", "--public-key", "00"])), 2);
    assert_eq!(code(&lamppost(&["device", "enrol", "--public-key", &"0".repeat(64), "--lat", "1"])), 2);
    assert_eq!(code(&lamppost(&["send", "transfer", "--to", "lamp1x", "--amount", "1", "--key", "k"])), 2);
    assert_eq!(code(&lamppost(&["audit"])), 2);
    assert_eq!(code(&lamppost(&["--help"])), 0);
    assert_eq!(code(&lamppost(&["send", "transfer", "--help"])), 0);
    assert_eq!(code(&lamppost(&["--version"])), 0);
}

#[test]
fn a_node_that_is_not_there_is_one_sentence() {
    for arguments in [&["device", "list"][..], &["health"], &["receipt", &"0".repeat(64)]] {
        let sentence = assert_refused(&lamppost(&[arguments, &["--node", "http://127.0.0.1:9"]].concat()));
        assert!(sentence.contains("no node answers at http://127.0.0.1:9"), "{sentence}");
    }
}

#[test]
fn an_identity_page_is_written_once_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("identity.bin");
    let made =
        lamppost(&["device", "provision", "--out", text(&file), "--broker", "10.0.2.2:1883", "--json"]);
    assert_eq!(code(&made), 0);
    let said: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let page = devices::IdentityPage::decode(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(page.signing_key().kid().to_string(), said["kid"].as_str().unwrap());
    assert_eq!((page.network(), page.broker()), ("devnet", Some("10.0.2.2:1883".parse().unwrap())));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_refused(&lamppost(&["device", "provision", "--out", text(&file)]));
}

#[test]
fn a_device_provisioned_for_an_owner_obeys_them_and_brings_its_claim_code() {
    let directory = tempfile::tempdir().unwrap();
    let (file, picture) = (directory.path().join("identity.bin"), directory.path().join("claim.svg"));
    let owner = ledger::account::AccountId::of(&devices::SigningKey::from_seed([3; 32]).public_key());
    let publisher = devices::SigningKey::from_seed([4; 32]).public_key();
    let made = lamppost(&[
        "device",
        "provision",
        "--out",
        text(&file),
        "--owner",
        &owner.to_string(),
        "--time",
        "192.0.2.1:123",
        "--publisher",
        &publisher.to_string(),
        "--node",
        "https://city.example",
        "--qr",
        "--qr-svg",
        text(&picture),
    ]);
    assert_eq!(code(&made), 0);
    let page = devices::IdentityPage::decode(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!((page.owner(), page.publisher()), (Some(owner.as_bytes()), Some(publisher.as_bytes())));
    assert_eq!(page.time_server(), Some("192.0.2.1:123".parse().unwrap()));
    assert!(page.signing_key_of(1).is_some(), "every page brings a rotation root");
    let said = String::from_utf8(made.stdout).unwrap();
    let claim = said.lines().find_map(|line| line.strip_prefix("claim code  ")).unwrap();
    let (kid, proof) = claim.split_once('.').unwrap();
    let key = page.signing_key().public_key();
    assert_eq!(kid, key.kid().to_string());
    let possession = devices::Possession::Claim { account: *owner.as_bytes() };
    assert!(possession.holds(&key, "devnet", hex::decode(proof).unwrap()[..].try_into().unwrap()));
    assert!(said.contains(&format!("https://city.example/claim#{claim}")), "{said}");
    assert!(said.contains('\u{2588}'), "the code is drawn");
    assert!(std::fs::read_to_string(&picture).unwrap().contains("<path"));
}

#[test]
fn a_device_provisioned_for_nobody_says_how_its_claim_code_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("identity.bin");
    let made = lamppost(&["device", "provision", "--out", text(&file), "--node", "https://city.example"]);
    let said = String::from_utf8(made.stdout).unwrap();
    assert!(said.contains("lamppost device prove --account ACCOUNT"), "{said}");
    assert!(said.contains("claim link  https://city.example/claim\n"), "{said}");
    assert_eq!(devices::IdentityPage::decode(&std::fs::read(&file).unwrap()).unwrap().owner(), None);
}

#[test]
fn a_completion_script_is_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let script = lamppost(&["completion", shell]);
        assert_eq!(code(&script), 0);
        assert!(String::from_utf8(script.stdout).unwrap().contains("lamppost"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_verified_from_files_and_one_altered_byte_is_named() {
    let mut node = Node::start(60).await;
    let id = node.read("pm2.5", "ug/m3", "12.53").await;
    let receipt = node.get(&format!("/api/v1/transactions/{id}/receipt")).await.body;
    let genesis = node.get("/genesis").await.body;
    let directory = node.stop().await;
    let (receipt_file, genesis_file) =
        (directory.path().join("r.tlog-proof"), directory.path().join("genesis.json"));
    std::fs::write(&genesis_file, genesis).unwrap();
    std::fs::write(&receipt_file, &receipt).unwrap();
    let verify = || lamppost(&["verify", text(&receipt_file), "--genesis", text(&genesis_file)]);
    let good = verify();
    assert_eq!(code(&good), 0);
    let said = String::from_utf8(good.stdout).unwrap();
    assert!(said.contains(&id) && said.contains("\"v\":12.53"), "{said}");
    for at in (0..receipt.len()).step_by(23) {
        let mut altered = receipt.clone();
        altered[at] ^= 1;
        std::fs::write(&receipt_file, altered).unwrap();
        assert_refused(&verify());
    }
}

#[test]
fn an_audit_of_what_is_no_data_directory_is_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    assert_refused(&lamppost(&["audit", "--data", text(directory.path())]));
    assert_refused(&lamppost(&["audit", "--data", "/no/such/place"]));
}
