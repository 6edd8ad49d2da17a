//! The browser's module, run by node as a page would run it: it says what the binary says, of what holds and of what does
//! not.

use e2e::node::{Node, Up};
use e2e::program::{self, Ended};
use e2e::sensor::Sensor;
use e2e::wait;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use xtask::toolchain::{self, WASM};

/// Bytes that the module may have: every page that verifies or signs fetches it once, packed to a third.
const MODULE_BYTES_MAX: u64 = 576 * 1024;
/// Bytes of each document that are altered one at a time.
const ALTERED: usize = 40;

/// The module, built by the toolchain that this machine has for the browser.
fn module() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let toolchain = toolchain::ensure_target(WASM).expect("the browser can be built for");
        let mut command = toolchain.cargo("build", WASM);
        command.current_dir(xtask::process::root()).args(["-p", "browser", "--profile", "browser"]);
        Ended::of(&mut command).success();
        xtask::process::target_dir().join(WASM).join("browser/browser.wasm")
    };
    BUILT.get_or_init(build).clone()
}

/// What the module says of each file, in order.
fn said(genesis: &Path, proofs: &[PathBuf]) -> Vec<Value> {
    printed("verify.mjs", genesis, proofs)
}

fn printed(script: &str, genesis: &Path, proofs: &[PathBuf]) -> Vec<Value> {
    let script = xtask::process::root().join("tests/javascript").join(script);
    let mut node = Command::new("node");
    let printed = Ended::of(node.arg(script).arg(module()).arg(genesis).args(proofs)).success();
    printed.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// A document of each kind from a real node, and the genesis document.
fn documents(directory: &Path) -> (PathBuf, Vec<PathBuf>) {
    let node = Up::new().start();
    let mut sensor = Sensor::any();
    let owner = node.enrol(&sensor.public_key());
    let save = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).expect("it can be written");
        path
    };
    let kept = save("kept.checkpoint", &node.text("/checkpoint"));
    let reading = sensor.reading();
    assert_eq!(node.submit(&reading.bytes).0, 202);
    let account = format!("/api/v1/accounts/{owner}/proof");
    wait::until_true("the owner's balance is proven", wait::LONG, || node.get_as(&account, "*/*").0 == 200);
    let grown = consistency(&node, &kept);
    let documents = vec![
        save("reading", &node.text(&format!("/api/v1/transactions/{}/receipt", reading.transaction))),
        save("account", &node.text(&account)),
        save("device", &node.text(&format!("/api/v1/devices/{}/proof", sensor.kid()))),
        save("grown", &grown),
    ];
    (save("genesis.json", &node.text("/genesis")), documents)
}

fn consistency(node: &Node, kept: &Path) -> String {
    program::run(&["consistency", text(kept), "--node", &node.http]).success()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is text")
}

#[test]
fn the_module_proves_what_the_binary_proves_and_refuses_with_its_sentences() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (genesis, documents) = documents(directory.path());
    for (proof, said) in documents.iter().zip(said(&genesis, &documents)) {
        assert_eq!(said["holds"], true, "{}: {said}", proof.display());
        let native = program::run(&["verify", text(proof), "--genesis", text(&genesis), "--json"]).success();
        let native: Value = serde_json::from_str(&native).expect("JSON");
        assert_eq!(said["proven"], native, "{}", proof.display());
    }
    let mut altered = Vec::new();
    for proof in &documents {
        let whole = fs::read(proof).expect("the document is there");
        for position in (0..whole.len()).step_by(whole.len() / ALTERED) {
            let mut bytes = whole.clone();
            bytes[position] ^= 1;
            // What is no text is refused by whoever reads the file, each in its own words.
            if String::from_utf8(bytes.clone()).is_err() {
                continue;
            }
            altered.push(directory.path().join(format!("altered-{}", altered.len())));
            fs::write(&altered[altered.len() - 1], bytes).expect("it can be written");
        }
    }
    for (proof, said) in altered.iter().zip(said(&genesis, &altered)) {
        let native = program::run(&["verify", text(proof), "--genesis", text(&genesis)]).refusal();
        assert_eq!(said["holds"], false, "{}", proof.display());
        assert_eq!(
            Some(native.as_str()),
            said["sentence"].as_str().map(|said| format!("lamppost: {said}")).as_deref()
        );
    }
}

#[test]
fn the_modules_steps_hold_where_the_document_does_and_name_what_fails() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (genesis, mut documents) = documents(directory.path());
    let whole = fs::read_to_string(&documents[0]).expect("the document is there");
    let forged = whole.replacen("\nindex ", "\nindex 1", 1);
    documents.push(directory.path().join("forged"));
    fs::write(&documents[documents.len() - 1], forged).expect("it can be written");
    let verdicts = said(&genesis, &documents);
    for (said, taken_apart) in verdicts.iter().zip(printed("ask.mjs", &genesis, &documents)) {
        assert_eq!(taken_apart["holds"], said["holds"], "{taken_apart}");
        let steps = taken_apart["steps"].as_array().expect("steps");
        let fails = steps.iter().find(|step| step["verdict"] == "fails");
        assert_eq!(fails.map(|step| &step["sentence"]), said.get("sentence"), "{taken_apart}");
    }
}

#[test]
fn the_module_is_small_and_imports_nothing() {
    let bytes = fs::metadata(module()).expect("the module is there").len();
    println!("the browser's module has {bytes} bytes");
    assert!(bytes <= MODULE_BYTES_MAX, "{bytes} bytes");
    let list = "WebAssembly.compile(require('fs').readFileSync(process.argv[1]))\
                .then(module => console.log(JSON.stringify(WebAssembly.Module.imports(module))))";
    let imports = Ended::of(Command::new("node").args(["-e", list]).arg(module())).success();
    assert_eq!(imports.trim(), "[]", "it sees no clock, no network and no page");
}
