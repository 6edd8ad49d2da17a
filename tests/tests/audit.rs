//! `lamppost audit` recomputes everything from the data directory, and finds one altered byte in any segment.

use e2e::liar::Liar;
use e2e::node::{Node, Up};
use e2e::program;
use e2e::sensor::Sensor;
use e2e::wait;
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that are altered one at a time in each segment, spread over its length.
const ALTERED_PER_SEGMENT: usize = 150;

/// A data directory with some epochs in it, its node ended.
fn history(directory: &Path) -> PathBuf {
    let data = directory.join("data");
    let mut node = Up::new().data(&data).devices(3).start();
    let mut sensor = Sensor::any();
    node.enrol(&sensor.public_key());
    for _ in 0..20 {
        assert_eq!(node.submit(&sensor.reading().bytes).0, 202);
    }
    node.epoch_passes();
    node.epoch_passes();
    wait::until_true("something was paid", wait::LONG, || {
        let devices = node.json("/api/v1/devices");
        devices.as_array().is_some_and(|all| all.iter().any(|one| one["earned_total"]["microtokens"] != "0"))
    });
    assert_eq!(node.terminate().code(), Some(0));
    data
}

fn audit(data: &Path) -> program::Ended {
    program::run(&["audit", "--data", data.to_str().expect("a temporary path is text")])
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(data.join("log"))
        .expect("the log is there")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn an_untouched_history_passes() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = history(directory.path());
    audit(&data).success();
}

#[test]
fn one_altered_byte_in_any_segment_is_found() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = history(directory.path());
    for segment in segments(&data) {
        let whole = fs::read(&segment).expect("the segment can be read");
        let step = (whole.len() / ALTERED_PER_SEGMENT).max(1);
        // The header byte by byte, then a byte here and there, and the last ones.
        let ends = (0..whole.len().min(64)).chain(whole.len().saturating_sub(16)..whole.len());
        for position in ends.chain((64..whole.len()).step_by(step)) {
            let mut altered = whole.clone();
            altered[position] ^= 1;
            fs::write(&segment, &altered).expect("the segment can be written");
            let sentence = audit(&data).refusal();
            assert!(!sentence.is_empty(), "byte {position} of {}", segment.display());
        }
        fs::write(&segment, &whole).expect("the segment can be written");
    }
    audit(&data).success();
}

#[test]
fn an_index_that_is_gone_or_damaged_is_rebuilt() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = history(directory.path());
    let balances = |data: &Path| {
        let node = Up::new().data(data).start();
        node.json("/api/v1/devices").to_string()
    };
    let earned = |text: &str| -> Vec<String> {
        let devices: serde_json::Value = serde_json::from_str(text).expect("JSON");
        devices.as_array().into_iter().flatten().map(|device| device["earned_total"].to_string()).collect()
    };
    let before = earned(&balances(&data));
    for derived in ["index", "rows", "snapshots"] {
        let path = data.join(derived);
        assert!(path.is_dir(), "{derived} is part of the data directory");
        fs::remove_dir_all(&path).expect("it can be removed");
        assert_eq!(earned(&balances(&data)), before, "{derived} is derived from the log");
    }
    damage_every_file(&data.join("index"));
    assert_eq!(earned(&balances(&data)), before, "a damaged index is rebuilt");
}

fn damage_every_file(directory: &Path) {
    for entry in fs::read_dir(directory).expect("the directory is there").flatten() {
        if entry.path().is_dir() {
            damage_every_file(&entry.path());
        } else {
            fs::write(entry.path(), b"damaged").expect("it can be written");
        }
    }
}

/// A node in the middle of a write when the power went: what a crash leaves behind the last whole block.
#[test]
fn a_torn_tail_is_cut_and_reported() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = history(directory.path());
    let segment = segments(&data).pop().expect("there is a segment");
    let whole = fs::read(&segment).expect("the segment can be read");
    let frame = whole.windows(4).rposition(|window| window == b"LBLK").expect("a frame opens with its mark");
    let last_block = &whole[frame..];
    let tails: [&[u8]; 3] = [&last_block[..10], &last_block[..last_block.len() - 1], &[0; 300]];
    for tail in tails {
        fs::write(&segment, [&whole[..], tail].concat()).expect("the segment can be written");
        let mut node = Up::new().data(&data).start();
        let said = node.stderr();
        assert!(said.contains("torn"), "the cut is reported: {said}");
        assert_eq!(node.terminate().code(), Some(0));
        assert!(fs::read(&segment).expect("readable").starts_with(&whole), "nothing whole was cut");
        audit(&data).success();
        fs::write(&segment, &whole).expect("the segment can be written");
        for derived in ["index", "rows", "snapshots", "checkpoint"] {
            remove(&data.join(derived));
        }
    }
}

/// What was signed and acknowledged must not vanish quietly, however neatly the log ends.
#[test]
fn a_log_that_lost_its_end_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = history(directory.path());
    let segment = segments(&data).pop().expect("there is a segment");
    let whole = fs::read(&segment).expect("the segment can be read");
    let frame = whole.windows(4).rposition(|window| window == b"LBLK").expect("a frame opens with its mark");
    fs::write(&segment, &whole[..frame]).expect("the segment can be written");
    let sentence = Up::new().data(&data).fails().refusal();
    assert!(sentence.contains("backup"), "it says what to do: {sentence}");
}

#[test]
fn a_broken_middle_is_refused_with_file_and_offset() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = history(directory.path());
    let segment = segments(&data).pop().expect("there is a segment");
    let mut broken = fs::read(&segment).expect("the segment can be read");
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    fs::write(&segment, &broken).expect("the segment can be written");
    let sentence = Up::new().data(&data).fails().refusal();
    let name = segment.file_name().and_then(|name| name.to_str()).expect("a segment's name is text");
    assert!(sentence.contains(name), "it names the file: {sentence}");
    let after = sentence.split(name).nth(1).unwrap_or_default();
    assert!(after.chars().any(|letter| letter.is_ascii_digit()), "it names the offset: {sentence}");
    assert!(sentence.contains("restore") || sentence.contains("backup"), "it says what to do: {sentence}");
}

/// A node that has paid, and goes on paying while it is audited.
fn paying() -> Node {
    let node = Up::new().devices(3).start();
    wait::until_true("something was paid", wait::LONG, || {
        let devices = node.json("/api/v1/devices");
        devices.as_array().is_some_and(|all| all.iter().any(|one| one["earned_total"]["microtokens"] != "0"))
    });
    node
}

fn audit_node(url: &str) -> program::Ended {
    program::run(&["audit", "--node", url, "--json"])
}

#[test]
fn what_a_node_says_is_compared_while_it_goes_on() {
    let node = paying();
    let found: serde_json::Value =
        serde_json::from_str(&audit_node(&node.http).success()).expect("audit --json prints JSON");
    for what in ["statements", "accounts", "tariffs"] {
        assert!(found["compared"][what].as_u64().is_some_and(|compared| compared > 0), "{what}: {found}");
    }
    assert_eq!(
        (&found["compared"]["statements_left"], &found["compared"]["accounts_left"]),
        (&0.into(), &0.into())
    );
}

#[test]
fn a_changed_statement_amount_balance_or_tariff_is_named() {
    let node = paying();
    let devices = node.json("/api/v1/devices");
    let paid = devices.as_array().into_iter().flatten().find(|one| one["earned_total"]["microtokens"] != "0");
    let paid = paid.expect("a device was paid");
    let (kid, owner) = (paid["kid"].as_str().expect("a kid"), paid["owner"].as_str().expect("an owner"));
    let statements = format!("/api/v1/devices/{kid}/statements");
    let member = |pointer: &'static str, value: &'static str| {
        move |body: String| {
            let mut said: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            *said.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} in {body}")) = value.into();
            said.to_string()
        }
    };
    let names = |liar: &Liar, words: &[&str]| {
        let sentence = audit_node(&liar.http).refusal();
        for word in words {
            assert!(sentence.contains(word), "`{sentence}` does not name `{word}`");
        }
    };
    // The newest statement may be younger than the audit's checkpoint, so every one of them is changed.
    let each = |body: String| {
        let mut said: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        for statement in said.as_array_mut().expect("statements") {
            statement["paid"]["microtokens"] = "77".into();
        }
        said.to_string()
    };
    let liar = Liar::before(&node.http, &statements, each);
    names(&liar, &[kid, "paid/microtokens is \"77\", the log gives"]);
    let liar = Liar::before(&node.http, &statements, |body| {
        body.replace("\"accepted_records\":", "\"accepted_records\":9")
    });
    names(&liar, &[kid, "lines/0/accepted_records is 9"]);
    let liar = Liar::before(&node.http, &statements, |_| "[]".to_owned());
    names(&liar, &["does not tell of the statement of device", kid]);
    let account = format!("/api/v1/accounts/{owner}");
    let liar = Liar::before(&node.http, &account, member("/balance/posted/microtokens", "77"));
    names(&liar, &[owner, "holds 77 micro-tokens, the log gives"]);
    let liar = Liar::before(&node.http, &account, member("/credits_posted_microtokens", "77"));
    names(&liar, &[owner, "that 77 micro-tokens came in"]);
    let liar =
        Liar::before(&node.http, "/api/v1/tariffs", member("/0/tariff/quantities/0/price_microtokens", "77"));
    names(&liar, &["tariff 1", "quantities/0/price_microtokens is \"77\", the log gives"]);
}

fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).expect("it can be removed");
    } else if path.exists() {
        fs::remove_file(path).expect("it can be removed");
    }
}
