//! A file reads back as it was written, and each fault is one sentence with its line.

use std::fs;

use super::*;
use crate::limits::{DISK_RESERVE_BYTES, SILENT_AFTER_SECONDS};

/// RFC 8032 §7.1, test 1.
const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

fn key() -> PublicKey {
    KEY.parse().unwrap()
}

fn peer(name: &str) -> Peer {
    Peer { name: name.to_owned(), address: format!("{name}.example:7000").parse().unwrap(), public_key: None }
}

fn validator() -> Configuration {
    let admitted = Admitted { name: "gateway-1".to_owned(), public_key: key(), envelopes_per_second: 5_000 };
    Configuration {
        name: "city".to_owned(),
        data: "data".into(),
        genesis: "../genesis.json".into(),
        http: "127.0.0.1:8081".parse().unwrap(),
        public_url: None,
        map: None,
        disk_reserve_bytes: DISK_RESERVE_BYTES,
        silent_after_seconds: SILENT_AFTER_SECONDS,
        role: Role::Validator(Validator {
            listen: "127.0.0.1:7000".parse().unwrap(),
            block_milliseconds: 250,
            peers: vec![peer("utility"), Peer { public_key: Some(key()), ..peer("university") }],
            gateways: Some(Gateways { listen: "0.0.0.0:7100".parse().unwrap(), admitted: vec![admitted] }),
        }),
    }
}

fn gateway() -> Configuration {
    let role = Role::Gateway(Gateway {
        intake: Intake::Embedded("127.0.0.1:1883".parse().unwrap()),
        devices: 12,
        operator_key: Some("../keys/operator.pem".into()),
        validators: vec![peer("city"), peer("utility")],
    });
    Configuration { name: "gateway-1".to_owned(), role, ..validator() }
}

/// Reads a text as a file in a directory of its own.
fn read(text: &str) -> (PathBuf, Result<Configuration, ConfigurationError>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("node.toml");
    fs::write(&file, text).unwrap();
    (directory.path().to_owned(), Configuration::read(&file))
}

/// The line and the sentence of a fault.
fn fault(text: &str) -> (usize, String) {
    match read(text).1 {
        Err(ConfigurationError::Line { line, what, .. }) => {
            assert!(!what.contains('\n'), "{what}");
            (line, what)
        }
        other => panic!("{other:?} of\n{text}"),
    }
}

#[test]
fn what_is_written_reads_back() {
    let mut others = validator();
    others.public_url = Some("https://city.example.org".parse().unwrap());
    others.map = Some("a \"map\"\\\u{7}.pmtiles".into());
    others.disk_reserve_bytes = 1;
    others.silent_after_seconds = 60;
    let mut external = gateway();
    if let Role::Gateway(gateway) = &mut external.role {
        gateway.intake = Intake::External("mqtt://user:secret@broker.example:1884".parse().unwrap());
    }
    for written in [validator(), gateway(), others, external] {
        let (directory, read) = read(&written.to_text());
        let mut expected = written.clone();
        expected.data = directory.join(&written.data);
        expected.genesis = directory.join(&written.genesis);
        expected.map = written.map.map(|map| directory.join(map));
        if let Role::Gateway(gateway) = &mut expected.role {
            gateway.operator_key = gateway.operator_key.take().map(|file| directory.join(file));
        }
        assert_eq!(read.unwrap(), expected, "paths are relative to the file");
    }
}

#[test]
fn a_fault_is_one_sentence_with_its_line() {
    let text = validator().to_text();
    let line_of = |text: &str, part: &str| text.lines().position(|line| line.contains(part)).unwrap() + 1;
    let altered = |from: &str, to: &str| text.replacen(from, to, 1);
    let cases = [
        (altered("role = \"validator\"", "role = \"judge\""), "role = ", "judge"),
        (altered("name = \"city\"", "name = \"City Hall\""), "City Hall\"", "no node's name"),
        (altered("http = ", "htttp = "), "htttp", "unknown field"),
        (altered("127.0.0.1:8081", "localhost:8081"), "localhost:8081", "IP:PORT"),
        (altered("block_milliseconds = 250", "block_milliseconds = 0"), "block_milliseconds = 0", "from"),
        (altered("utility.example:7000", "utility.example"), "\"utility.example\"", "HOST:PORT"),
        (altered(KEY, "abcd"), "abcd", "64 lower-case hex"),
        (altered("listen = \"127.0.0.1:7000\"", "listen = 7000"), "listen = 7000", "string"),
        (altered("\"city\"", "\"city"), "name = \"city", "string"),
    ];
    for (text, part, word) in &cases {
        let (line, what) = fault(text);
        assert!(what.contains(word), "{what:?} says nothing of {word:?}");
        assert_eq!(line, line_of(text, part), "{what}");
    }
    let sections = [
        (altered("name = \"utility\"", "name = \"university\""), "already"),
        (altered("name = \"utility\"", "name = \"city\""), "itself"),
        (altered("envelopes_per_second = 5000", "envelopes_per_second = 0"), "at least"),
    ];
    for (text, word) in &sections {
        let (line, what) = fault(text);
        assert!(what.contains(word), "{what:?} says nothing of {word:?}");
        assert!(text.lines().nth(line - 1).unwrap().starts_with("[["), "the line of the section: {line}");
    }
}

#[test]
fn a_role_has_its_own_fields_and_no_others() {
    let (validator, gateway) = (validator().to_text(), gateway().to_text());
    assert!(fault(&format!("mqtt = \"127.0.0.1:1\"\n{validator}")).1.contains("a validator has no mqtt"));
    assert!(fault(&format!("{gateway}\n[gateways]\nlisten = \"127.0.0.1:1\"\n")).1.contains("no [gateways]"));
    let head = |text: &str, until: &str| text.split(until).next().unwrap().to_owned();
    assert!(fault(&head(&validator, "[consensus]")).1.contains("needs the section [consensus]"));
    assert!(fault(&head(&gateway, "[[validators]]")).1.contains("needs [[validators]]"));
    assert!(fault(&gateway.replace("mqtt = ", "# ")).1.contains("mqtt or broker"));
    assert!(fault(&format!("broker = \"mqtt://a:1\"\n{gateway}")).1.contains("one of them"));
    assert!(fault(&gateway.replace("operator_key", "# operator_key")).1.contains("operator_key is missing"));
    let more = "[consensus]\nlisten = \"127.0.0.1:1\"\n";
    assert!(fault(&format!("{gateway}\n{more}")).1.contains("no [consensus]"));
}

#[test]
fn a_file_that_is_missing_or_endless_is_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let missing = Configuration::read(&directory.path().join("node.toml")).unwrap_err();
    assert!(matches!(missing, ConfigurationError::Io { .. }), "{missing}");
    let large = "#".repeat(usize::try_from(CONFIGURATION_BYTES_MAX).unwrap() + 1);
    assert!(matches!(read(&large).1, Err(ConfigurationError::Large(_))));
}

#[test]
fn names_are_what_directories_hosts_and_keys_can_be_called() {
    for name in ["city", "gateway-1", "0", &"a".repeat(NAME_BYTES_MAX)] {
        assert!(is_name(name), "{name:?}");
    }
    for name in ["", "City", "a b", "-a", "a-", "a.b", "a/b", "..", "a+b", &"a".repeat(NAME_BYTES_MAX + 1)] {
        assert!(!is_name(name), "{name:?}");
    }
}
