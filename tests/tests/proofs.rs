//! Balances, devices and a log's growth, proven offline by the binary alone: what holds, and the sentence of what does not.

use e2e::node::{Node, Up, microtokens};
use e2e::program::{self, Ended};
use e2e::sensor::Sensor;
use e2e::wait;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of a document that are altered one at a time, spread over its length.
const ALTERED: usize = 120;

/// A node whose one device was paid, and a directory for what is fetched from it.
struct Scene {
    node: Node,
    sensor: Sensor,
    owner: String,
    directory: tempfile::TempDir,
}

impl Scene {
    fn paid() -> Scene {
        let mut scene = Scene::new(Up::new().start());
        for _ in 0..5 {
            assert_eq!(scene.node.submit(&scene.sensor.reading().bytes).0, 202);
        }
        wait::until_true("the owner is paid", wait::LONG, || {
            let account = scene.node.json_if_there(&format!("/api/v1/accounts/{}", scene.owner));
            account.is_some_and(|account| microtokens(&account["balance"]["posted"]) > 0)
        });
        scene
    }

    fn new(node: Node) -> Scene {
        let sensor = Sensor::any();
        let owner = node.enrol(&sensor.public_key());
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let scene = Scene { node, sensor, owner, directory };
        scene.save("genesis.json", &scene.node.text("/genesis"));
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn save(&self, name: &str, contents: &str) -> PathBuf {
        fs::write(self.path(name), contents).expect("it can be written");
        self.path(name)
    }

    /// Runs a command against the node that writes a document into a file, and gives the file.
    fn fetch(&self, arguments: &[&str], name: &str) -> PathBuf {
        let file = self.path(name);
        let mut command = program::lamppost(arguments);
        let ended = Ended::of(command.args(["--node", &self.node.http, "--out"]).arg(&file));
        assert_eq!(ended.success().trim(), text(&file));
        file
    }

    fn verify(&self, document: &Path) -> Ended {
        program::run(&["verify", text(document), "--genesis", text(&self.path("genesis.json")), "--json"])
    }

    fn proven(&self, document: &Path) -> Value {
        serde_json::from_str(&self.verify(document).success()).expect("verify --json prints JSON")
    }

    fn refusal(&self, document: &str) -> String {
        self.verify(&self.save("altered", document)).refusal()
    }

    /// Every altered byte, among as many as there is time for, is refused with one sentence.
    fn refuses_alterations(&self, document: &Path) {
        let whole = fs::read(document).expect("the document is there");
        for position in (0..whole.len()).step_by((whole.len() / ALTERED).max(1)) {
            let mut bytes = whole.clone();
            bytes[position] ^= 1;
            fs::write(self.path("altered"), &bytes).expect("it can be written");
            self.verify(&self.path("altered")).refusal();
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is text")
}

/// The document with the first place where `from` stands replaced.
fn altered(document: &Path, from: &str, to: &str) -> String {
    let whole = fs::read_to_string(document).expect("the document is there");
    assert!(whole.contains(from), "{whole}");
    whole.replacen(from, to, 1)
}

#[test]
fn a_balance_is_proven_offline_to_the_microtoken() {
    let mut scene = Scene::paid();
    let before = scene.node.posted(&scene.owner);
    let proof = scene.fetch(&["proof", "account", &scene.owner], "owner.state-proof");
    let after = scene.node.posted(&scene.owner);
    assert_eq!(scene.node.terminate().code(), Some(0));
    let proven = scene.proven(&proof);
    assert_eq!((&proven["document"], &proven["leaf"]["kind"]), (&"state".into(), &"account".into()));
    assert_eq!(proven["leaf"]["account"], *scene.owner);
    let held = microtokens(&proven["leaf"]["balance"]);
    assert!((before..=after).contains(&held), "{before} <= {held} <= {after}");
    assert!(proven["settled_epochs"].is_array(), "the seal is that of an epoch's end: {proven}");
    scene.refuses_alterations(&proof);
}

#[test]
fn a_device_is_proven_offline_with_its_owner_and_what_it_earned() {
    let scene = Scene::paid();
    let proof = scene.fetch(&["proof", "device", &scene.sensor.kid()], "device.state-proof");
    let proven = scene.proven(&proof);
    let leaf = &proven["leaf"];
    assert_eq!((&leaf["kind"], &leaf["kid"]), (&"device".into(), &scene.sensor.kid().into()));
    assert_eq!(leaf["owner"], *scene.owner);
    assert_eq!(leaf["public_key"], scene.sensor.public_key());
    assert_eq!(leaf["accepted_envelopes"], 5);
    assert!(microtokens(&leaf["earned"]) > 0, "{proven}");
    scene.refuses_alterations(&proof);
}

#[test]
fn a_log_is_proven_to_have_only_grown() {
    let mut scene = Scene::paid();
    let kept = scene.save("kept.checkpoint", &scene.node.text("/checkpoint"));
    for _ in 0..3 {
        assert_eq!(scene.node.submit(&scene.sensor.reading().bytes).0, 202);
    }
    let proof = scene.fetch(&["consistency", text(&kept)], "grown.consistency-proof");
    let proven = scene.proven(&proof);
    assert_eq!(proven["document"], "consistency");
    let size = |which: &str| proven[which]["log_size"].as_u64().expect("a size");
    assert!(size("earlier") + 6 <= size("later"), "three readings, a seal each: {proven}");
    scene.refuses_alterations(&proof);
}

#[test]
fn the_first_thing_that_fails_is_named_for_each_kind() {
    let scene = Scene::paid();
    let proof = scene.fetch(&["proof", "account", &scene.owner], "owner.state-proof");
    let kept = scene.save("kept.checkpoint", &scene.node.text("/checkpoint"));
    let grown = scene.fetch(&["consistency", text(&kept)], "grown.consistency-proof");
    let says = |document: String, words: &str| {
        let sentence = scene.refusal(&document);
        assert!(sentence.contains(words), "`{sentence}` does not say `{words}`");
    };
    says("nothing\n".to_owned(), "the first line is that of no proof");
    says(altered(&proof, "index ", "index 0"), "spelled");
    says(altered(&proof, "size ", "size 1"), "leaves, the seal of");
    says(altered(&proof, "hY2NvdW50", "hY2NvdW51"), "the leaf does not lead to the seal's state root");
    says(altered(&proof, "RzZWFs", "RzZWFt"), "the entry does not lead to the checkpoint's root");
    says(altered(&grown, "lamppost/devnet\n", "lamppost/testnet\n"), "origin");
    says(altered(&grown, "\n\nlamppost/devnet\n", "\n\nlamppost/devnet\n1"), "does not hold");
    // Another network's document, whole as it is.
    let stranger = Up::new().start();
    let foreign = scene.save("foreign.json", &stranger.text("/genesis"));
    let ended = program::run(&["verify", text(&proof), "--genesis", text(&foreign)]);
    assert!(ended.refusal().contains("no validator"), "signed by somebody else");
}

#[test]
fn what_cannot_be_proven_yet_is_said() {
    let node = Up::new().epoch_seconds(3_600).start();
    // Right after genesis the pool is proven already.
    let scene = Scene::new(node);
    let (status, body) = scene.node.get_as(&format!("/api/v1/devices/{}/proof", scene.sensor.kid()), "*/*");
    assert_eq!(status, 404);
    assert!(body.contains("came after block 0") && body.contains("when the epoch has ended"), "{body}");
    let (status, body) = scene.node.get_as("/api/v1/devices/0000000000000000/proof", "*/*");
    assert_eq!((status, body.contains("knows no device")), (404, true), "{body}");
    assert_eq!(scene.node.get_as("/api/v1/devices/zz/proof", "*/*").0, 400);
    let operator = scene.node.data.join("keys/operator.pem");
    let shown = program::run(&["key", "show", text(&operator), "--json"]).success();
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let operator = shown["account"].as_str().expect("an account");
    scene.proven(&scene.fetch(&["proof", "account", operator], "operator.state-proof"));
    for (query, status) in
        [("from=0&to=1", 400), ("from=2&to=1", 400), ("from=1", 400), ("from=1&to=99999", 404)]
    {
        assert_eq!(scene.node.get_as(&format!("/api/v1/consistency?{query}"), "*/*").0, status, "{query}");
    }
}

#[test]
fn leaves_that_were_lost_are_missed_until_the_epoch_ends() {
    let scratch = tempfile::tempdir().expect("a temporary directory can be made");
    let data = scratch.path().join("data");
    let mut node = Up::new().data(&data).epoch_seconds(20).start();
    // A block after genesis, so that genesis is not the last one.
    node.enrol(&Sensor::any().public_key());
    assert_eq!(node.terminate().code(), Some(0));
    fs::remove_dir_all(data.join("state")).expect("the leaves lie there");
    let node = Up::new().data(&data).epoch_seconds(20).start();
    let pool = node.json("/api/v1/status")["epoch"].as_u64();
    assert!(pool.is_some());
    let operator = program::run(&["key", "show", text(&data.join("keys/operator.pem")), "--json"]).success();
    let operator: Value = serde_json::from_str(&operator).expect("JSON");
    let path = format!("/api/v1/accounts/{}/proof", operator["account"].as_str().expect("an account"));
    let (status, body) = node.get_as(&path, "*/*");
    // The epoch may have ended between the start and the question.
    assert!(status == 200 || status == 503 && body.contains("when the epoch has ended"), "{status}: {body}");
    wait::until_true("the epoch's end brings them back", wait::LONG, || node.get_as(&path, "*/*").0 == 200);
}

#[test]
fn a_log_that_is_shorter_than_a_kept_checkpoint_is_named() {
    let scene = Scene::paid();
    let kept = scene.save("kept.checkpoint", &scene.node.text("/checkpoint"));
    let shorter = Up::new().epoch_seconds(3_600).start();
    let ended = program::run(&["consistency", text(&kept), "--node", &shorter.http]);
    assert!(ended.refusal().contains("lost its end"));
    let no_checkpoint = scene.save("no.checkpoint", "nothing");
    let ended = program::run(&["consistency", text(&no_checkpoint), "--node", &shorter.http]);
    assert!(ended.refusal().contains("no signed checkpoint"));
}

#[test]
fn the_first_tariff_is_proven_as_the_genesis_document_has_it() {
    let scene = Scene::new(Up::new().epoch_seconds(3_600).start());
    let genesis = scene.node.json("/genesis");
    let version = genesis["tariff"]["version"].to_string();
    let proof = scene.fetch(&["proof", "tariff", &version], "tariff.state-proof");
    let proven = scene.proven(&proof);
    assert_eq!((&proven["leaf"]["kind"], &proven["leaf"]["from_epoch"]), (&"tariff".into(), &0.into()));
    assert_eq!(proven["leaf"]["tariff"], genesis["tariff"]);
}
