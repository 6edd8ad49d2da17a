//! A receipt verified on the page: every step ticked by itself, every altered field named, without a network too.

use std::fs;
use std::path::{Path, PathBuf};

use devices::cbor::Reader as Cbor;
use e2e::node::{Node, Up};
use e2e::sensor::{Sensor, envelope_of};
use ledger::receipt::Receipt;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::hands::Line;
use crate::session::{Browser, Reader};

/// The verdict of each step of the first report, by name: `{"form": "holds", …}`.
const VERDICTS: &str = "return Object.fromEntries([...document.querySelectorAll('#verified article:first-child li')]\
    .map((one) => [one.dataset.step, one.className]))";
/// Of every report: its file's name, the steps that fail, the steps that are open, and all that it says.
const REPORTS: &str = "
    const steps = (report, verdict) => [...report.querySelectorAll('li.' + verdict)].map((one) => one.dataset.step);
    return [...document.querySelectorAll('#verified article')].map((report) => ({
        name: report.querySelector('h3').innerText, fails: steps(report, 'fails'), open: steps(report, 'open'),
        says: report.innerText,
    }));";

/// A node with some entries, the receipt of a reading among them, and the reading's id.
struct Scene {
    node: Node,
    transaction: String,
    receipt: String,
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Scene {
        let node = Up::new().start();
        let mut sensor = Sensor::any();
        node.enrol(&sensor.public_key());
        let readings: Vec<_> = (0..5).map(|_| sensor.reading()).collect();
        for reading in &readings {
            assert_eq!(node.submit(&reading.bytes).0, 202);
        }
        let transaction = readings[2].transaction.clone();
        let receipt = node.text(&format!("/api/v1/transactions/{transaction}/receipt"));
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        Scene { node, transaction, receipt, directory }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("it can be written");
        path
    }

    fn read(&self) -> Receipt {
        Receipt::parse(&self.receipt).expect("it is a receipt")
    }

    /// The receipt with another entry.
    fn with_entry(&self, entry: Vec<u8>) -> String {
        Receipt { entry, ..self.read() }.to_string()
    }

    /// The receipt with one line put otherwise.
    fn with_line(&self, number: usize, line: &str) -> String {
        let mut lines: Vec<&str> = self.receipt.split('\n').collect();
        lines[number] = line;
        lines.join("\n")
    }
}

/// The parts of an envelope, RFC 9052 §4.2.
fn parts(envelope: &[u8]) -> [Vec<u8>; 3] {
    let mut reader = Cbor::new(envelope);
    let mut read = || -> Result<[Vec<u8>; 3], devices::cbor::DecodeError> {
        reader.tag()?;
        reader.array_header()?;
        let protected = reader.bytes()?.to_vec();
        reader.map_header()?;
        Ok([protected, reader.bytes()?.to_vec(), reader.bytes()?.to_vec()])
    };
    read().expect("an envelope")
}

/// Another letter of base64 in place of the one there.
fn other_letter(text: &str, place: usize) -> String {
    let other = if text.as_bytes()[place] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &text[..place], &text[place + 1..])
}

/// A field's name, the receipt with it altered, the steps that fail for it, and words that name it.
type Alteration = (&'static str, String, &'static [&'static str], &'static str);

fn alterations(scene: &Scene) -> Vec<Alteration> {
    let receipt = scene.read();
    let lines: Vec<&str> = scene.receipt.split('\n').collect();
    let blank = lines.iter().position(|line| line.is_empty()).expect("a blank line");
    let [protected, payload, signature] = parts(&receipt.entry);
    let mut forged = signature.clone();
    forged[7] ^= 1;
    // The value's last digit: another reading under the same signature.
    let mut dearer = payload.clone();
    *dearer.last_mut().expect("a pack has bytes") ^= 1;
    assert!(receipt.path.len() > 1, "a path of several hashes: {}", scene.receipt);
    let mut moved = receipt.clone();
    moved.index -= 1;
    let mut short = receipt.clone();
    short.path.pop();
    let (origin, size, root, signed) = (blank + 1, blank + 2, blank + 3, blank + 5);
    let named = lines[signed].replace("lamppost/devnet", "lamppost/testnet");
    let mut all: Vec<Alteration> = vec![
        ("header", scene.with_line(0, "c2sp.org/tlog-proof@v2"), &["form"], "first line"),
        ("spelling", scene.receipt.replace("\nindex ", "\nindex 0"), &["form"], "spelled"),
        (
            "reading",
            scene.with_entry(envelope_of(&protected, &dearer, &signature)),
            &["inclusion", "author"],
            "did not sign it",
        ),
        (
            "device-signature",
            scene.with_entry(envelope_of(&protected, &payload, &forged)),
            &["inclusion", "author"],
            "did not sign it",
        ),
        ("index", moved.to_string(), &["inclusion"], "its index"),
        ("path-length", short.to_string(), &["inclusion"], "does not have a path of"),
        (
            "origin",
            scene.with_line(origin, "lamppost/testnet"),
            &["checkpoint", "signature", "quorum"],
            "of origin \"lamppost/testnet\"",
        ),
        (
            "size",
            scene.with_line(size, &format!("{}0", lines[size])),
            &["signature", "quorum", "inclusion"],
            "does not hold",
        ),
        (
            "root",
            scene.with_line(root, &other_letter(lines[root], 4)),
            &["signature", "quorum", "inclusion"],
            "does not lead to the checkpoint's root",
        ),
        ("signer", scene.with_line(signed, &named), &["signature", "quorum"], "no validator's"),
        (
            "signature",
            scene.with_line(signed, &other_letter(lines[signed], lines[signed].len() - 12)),
            &["signature", "quorum"],
            "signature of \"lamppost/devnet\" does not hold",
        ),
        ("no-signature", lines[..signed].join("\n"), &["form"], "signatures"),
    ];
    for (place, name) in (3..blank).zip(["hash-1", "hash-2", "hash-3", "hash-4", "hash-5", "hash-6"]) {
        all.push((
            name,
            scene.with_line(place, &other_letter(lines[place], 4)),
            &["inclusion"],
            "a hash of its path",
        ));
    }
    all
}

async fn reports(browser: &Browser, count: usize) -> WebDriverResult<Vec<Value>> {
    browser
        .becomes_true(&format!("return document.querySelectorAll('#verified article').length === {count}"))
        .await?;
    Ok(browser.asked(REPORTS).await?.as_array().cloned().unwrap_or_default())
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a file's name is text")
}

#[tokio::test]
async fn every_step_of_a_true_receipt_is_ticked_and_every_altered_field_is_named() -> WebDriverResult<()> {
    let scene = Scene::new();
    let browser = Browser::open(Reader::default()).await?;
    browser.see_by_name(&scene.node, "/verify").await?;
    browser.fill("#verify-id", &scene.transaction).await?;
    browser.press("#verify-id-form button").await?;
    browser.says("#verified", "It holds").await?;
    let every = ["form", "checkpoint", "signature", "quorum", "inclusion", "author"];
    let verdicts = browser.asked(VERDICTS).await?;
    for step in every {
        assert_eq!(verdicts[step], "holds", "{step}: {verdicts}");
    }
    assert!(browser.text("#verified").await?.contains("pm2.5"), "what was proven is said");
    browser.picture("verified").await?;

    let altered = alterations(&scene);
    let files: Vec<PathBuf> = altered.iter().map(|(name, text, ..)| scene.file(name, text)).collect();
    browser.choose("#verify-file", &files).await?;
    let found = reports(&browser, files.len()).await?;
    for ((name, _, fails, words), report) in altered.iter().zip(&found) {
        assert_eq!(report["name"], *name);
        assert_eq!(report["fails"], json!(fails), "{name}: {report}");
        let says = report["says"].as_str().expect("text");
        assert!(says.contains("It does not hold") && says.contains(words), "{name}: {says}");
    }
    browser.picture("verified-altered").await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    browser.close().await
}

#[tokio::test]
async fn a_receipt_dropped_on_the_page_is_verified_with_the_network_off() -> WebDriverResult<()> {
    let mut scene = Scene::new();
    let whole = scene.file("whole.tlog-proof", &scene.receipt);
    let forged = scene.file("forged.tlog-proof", &scene.receipt.replacen("\nindex ", "\nindex 1", 1));
    let nothing = scene.file("nothing", "");
    let picture = scene.file("\u{202e}gnp.<b>picture", "\u{0}\u{1}");
    let browser = Browser::open(Reader::default()).await?;
    browser.see_by_name(&scene.node, "/verify").await?;
    browser.says("#verify-ready", "needs no network").await?;
    browser.has_line(Line::Cut).await?;
    assert_eq!(scene.node.terminate().code(), Some(0), "nobody is there to be asked");
    browser.drop_on("#drop", std::slice::from_ref(&whole)).await?;
    browser.says("#verified", "It holds").await?;
    let verdicts = browser.asked(VERDICTS).await?;
    for step in ["form", "checkpoint", "signature", "quorum", "inclusion"] {
        assert_eq!(verdicts[step], "holds", "{step}: {verdicts}");
    }
    // Only the device's key is not in its receipt, and what was not checked is not ticked.
    assert_eq!(verdicts["author"], "open", "{verdicts}");
    browser.picture("verified-offline").await?;
    browser.drop_on("#drop", &[forged, nothing, picture]).await?;
    let found = reports(&browser, 3).await?;
    let fails: Vec<&Value> = found.iter().map(|report| &report["fails"]).collect();
    assert_eq!(fails, [&json!(["inclusion"]), &json!(["form"]), &json!(["form"])], "{found:?}");
    assert!(found[2]["name"].as_str().is_some_and(|name| name.contains("<b>")), "a name is text: {found:?}");
    browser.drop_on("#drop", std::slice::from_ref(&whole)).await?;
    assert_eq!(reports(&browser, 1).await?[0]["name"], name(&whole));
    browser.close().await
}
