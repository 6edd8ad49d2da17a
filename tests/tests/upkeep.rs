//! An operator's upkeep: a backup under load and the way back, erasing old readings, data of another version.

use e2e::mqtt::Device;
use e2e::node::{Node, Up};
use e2e::program;
use e2e::sensor::{Envelope, Sensor, unix_seconds};
use e2e::wait;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is text")
}

fn json(printed: &str) -> Value {
    serde_json::from_str(printed).expect("--json prints JSON")
}

/// Sends readings, each after the ack of the one before.
fn settle(device: &Device, sensor: &mut Sensor, readings: usize) -> Vec<Envelope> {
    let one = |_| {
        let envelope = sensor.reading();
        assert!(device.publish(&sensor.topic("up"), &envelope.bytes));
        device.settled(envelope.sequence);
        envelope
    };
    (0..readings).map(one).collect()
}

fn receipt(node: &Node, envelope: &Envelope) -> String {
    node.text(&format!("/api/v1/transactions/{}/receipt", envelope.transaction))
}

fn verifies(scratch: &Path, genesis: &Path, receipt: &str) {
    let file = scratch.join("receipt");
    fs::write(&file, receipt).expect("the receipt can be written");
    program::run(&["verify", text(&file), "--genesis", text(genesis)]).success();
}

#[test]
fn a_backup_under_load_holds_everything_that_was_acknowledged_before_it() {
    let scratch = directory();
    let mut node = Up::new().data(&scratch.path().join("data")).devices(6).start();
    let mut sensor = Sensor::any();
    let owner = node.enrol(&sensor.public_key());
    let device = Device::connect(&node.mqtt, "backup", &[sensor.topic("ack")]);
    let mut acknowledged = settle(&device, &mut sensor, 20);
    let copy = scratch.path().join("copy");
    let done = AtomicBool::new(false);
    let arguments = ["backup", "--data", text(&node.data), "--to", text(&copy), "--json"];
    let printed = std::thread::scope(|scope| {
        let backup = scope.spawn(|| {
            let ended = program::run(&arguments);
            done.store(true, Ordering::Relaxed);
            ended
        });
        while !done.load(Ordering::Relaxed) {
            settle(&device, &mut sensor, 1);
        }
        backup.join().expect("the backup ends").success()
    });
    let made = json(&printed);
    assert_eq!(made["keys"], true);
    let again = program::run(&["backup", "--data", text(&node.data), "--to", text(&copy)]).refusal();
    assert!(again.contains("nothing is overwritten"), "{again}");
    let receipts: Vec<_> = acknowledged.iter().map(|envelope| receipt(&node, envelope)).collect();
    assert_eq!(node.terminate().code(), Some(0));

    program::run(&["audit", "--data", text(&copy)]).success();
    let served = Up::new().data(&copy).fails().refusal();
    assert!(served.contains("lamppost restore"), "{served}");
    let restored = scratch.path().join("restored");
    let over = program::run(&["restore", text(&copy), "--data", text(&node.data)]).refusal();
    assert!(over.contains("nothing is overwritten"), "{over}");
    let printed = program::run(&["restore", text(&copy), "--data", text(&restored), "--json"]).success();
    assert_eq!(json(&printed)["root"], made["root"]);
    program::run(&["audit", "--data", text(&restored)]).success();

    let node = Up::new().data(&restored).devices(6).start();
    for envelope in &acknowledged {
        node.json(&format!("/api/v1/transactions/{}", envelope.transaction));
    }
    let genesis = restored.join("genesis.json");
    for receipt in &receipts {
        verifies(scratch.path(), &genesis, receipt);
    }
    verifies(scratch.path(), &genesis, &receipt(&node, &acknowledged[0]));
    let device = Device::connect(&node.mqtt, "restored", &[sensor.topic("ack")]);
    // Counts that the backup has not seen are free again: the device goes on behind all of them.
    acknowledged.extend(settle(&device, &mut sensor, 3));
    node.epoch_passes();
    assert!(node.posted(&owner) > 0);
}

#[test]
fn a_backup_with_an_altered_byte_is_not_restored() {
    let scratch = directory();
    let node = Up::new().data(&scratch.path().join("data")).start();
    let copy = scratch.path().join("copy");
    program::run(&["backup", "--data", text(&node.data), "--to", text(&copy), "--without-keys"]).success();
    assert!(!copy.join("keys").exists());
    let segment = copy.join("log/00000001.segment");
    let mut bytes = fs::read(&segment).expect("the copy has a log");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).expect("the copy can be altered");
    let restored = scratch.path().join("restored");
    let sentence = program::run(&["restore", text(&copy), "--data", text(&restored)]).refusal();
    assert!(sentence.contains("00000001.segment"), "{sentence}");
    assert!(!restored.exists());
}

#[test]
fn pruning_erases_readings_and_every_balance_receipt_and_root_still_holds() {
    let scratch = directory();
    let data = scratch.path().join("data");
    let mut node = Up::new().data(&data).start();
    let mut sensor = Sensor::any();
    let owner = node.enrol(&sensor.public_key());
    let device = Device::connect(&node.mqtt, "prune", &[sensor.topic("ack")]);
    let old = settle(&device, &mut sensor, 40);
    node.epoch_passes();
    node.epoch_passes();
    let before = unix_seconds();
    let young = settle(&device, &mut sensor, 5);
    node.epoch_passes();
    let old_receipt = receipt(&node, &old[0]);
    let running = program::run(&["prune", "--before", "2026-01-01", "--data", text(&data)]).refusal();
    assert!(running.contains("used by another lamppost process"), "{running}");
    assert_eq!(node.terminate().code(), Some(0));
    let mut node = Up::new().data(&data).start();
    let (posted, statements) = (node.posted(&owner), statements(&node, &owner));
    assert!(posted > 0);
    assert_eq!(node.terminate().code(), Some(0));

    let early = program::run(&["prune", "--before", "2020-01-01", "--data", text(&data)]).refusal();
    assert!(early.contains("nothing to erase"), "{early}");
    let moment = rfc3339(before);
    let pruned = program::run(&["prune", "--before", &moment, "--data", text(&data), "--json"]).success();
    assert_eq!(json(&pruned)["erased_readings"], 40, "{pruned}");
    let audit = program::run(&["audit", "--data", text(&data)]).success();
    assert!(audit.contains("no longer verifiable: the signatures of 40 erased readings"), "{audit}");

    for derived in [None, Some("index"), Some("rows")] {
        if let Some(derived) = derived {
            fs::remove_dir_all(data.join(derived)).expect("what is derived may go");
        }
        let mut node = Up::new().data(&data).start();
        assert!(node.posted(&owner) >= posted);
        let now = self::statements(&node, &owner);
        assert!(statements.iter().all(|statement| now.contains(statement)), "the history stays");
        verifies(scratch.path(), &data.join("genesis.json"), &old_receipt);
        verifies(scratch.path(), &data.join("genesis.json"), &receipt(&node, &young[0]));
        let (status, gone) = node.get_as(&format!("/api/v1/transactions/{}", old[0].transaction), "*/*");
        assert_eq!(status, 404);
        assert!(gone.contains("were pruned"), "{gone}");
        assert_eq!(node.get_as("/tile/entries/000.p/40", "*/*").0, 410);
        assert_eq!(node.get_bytes("/tile/0/000.p/40").len(), 40 * 32, "the hashes stay");
        assert_eq!(node.json("/api/v1/status")["pruned"]["entries"], json(&pruned)["entries"]);
        let status = node.terminate();
        assert_eq!(status.code(), Some(0));
    }
    let copy = scratch.path().join("copy");
    program::run(&["backup", "--data", text(&data), "--to", text(&copy)]).success();
    program::run(&["restore", text(&copy), "--data", text(&scratch.path().join("restored"))]).success();
}

/// The statements of an account, as the API tells them.
fn statements(node: &Node, account: &str) -> Vec<Value> {
    let statements = node.json(&format!("/api/v1/accounts/{account}/statements"));
    statements.as_array().expect("a list of statements").clone()
}

/// A time of this machine's clock as the command takes it.
fn rfc3339(unix_seconds: u32) -> String {
    let date = std::process::Command::new("date")
        .args(["-u", "-d", &format!("@{unix_seconds}"), "+%Y-%m-%dT%H:%M:%SZ"])
        .output()
        .expect("date runs");
    String::from_utf8_lossy(&date.stdout).trim().to_owned()
}

#[test]
fn data_of_an_older_or_a_newer_version_is_refused_with_a_sentence() {
    let scratch = directory();
    let data = scratch.path().join("data");
    assert_eq!(Up::new().data(&data).start().terminate().code(), Some(0));
    let ours = fs::read_to_string(data.join("format")).expect("the format is said");
    for (line, says) in [("lamppost data 1\n", "older"), ("lamppost data 999\n", "newer")] {
        fs::write(data.join("format"), line).expect("the format can be altered");
        let sentence = Up::new().data(&data).fails().refusal();
        assert!(sentence.contains(says), "{sentence}");
        for command in [["audit", "--data"], ["prune", "--before=2020-01-01"]] {
            let mut arguments = command.to_vec();
            arguments.extend(if command[0] == "audit" { vec![] } else { vec!["--data"] });
            arguments.push(text(&data));
            assert!(program::run(&arguments).refusal().contains(says));
        }
    }
    fs::write(data.join("format"), ours).expect("the format can be put back");
    wait::until_true("it starts again", wait::SHORT, || {
        Up::new().data(&data).start().terminate().code() == Some(0)
    });
}
