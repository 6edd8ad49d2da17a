//! A network that was set up holds together: its genesis document, its files and their modes, and nothing is overwritten.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::Parser as _;
use ledger::genesis::Genesis;
use tempfile::TempDir;

use super::*;
use crate::configuration::{Configuration, Intake, Role};
use crate::storage;

#[derive(Debug, clap::Parser)]
struct Line {
    #[command(flatten)]
    new: New,
}

/// `lamppost network new` with these words and a directory of its own.
fn made(words: &[&str]) -> (TempDir, anyhow::Result<made::Made>) {
    let directory = tempfile::tempdir().unwrap();
    let result = made_in(words, &directory.path().join("net"));
    (directory, result)
}

fn made_in(words: &[&str], out: &Path) -> anyhow::Result<made::Made> {
    let out = out.to_str().unwrap();
    let words = ["network new"].into_iter().chain(words.iter().copied()).chain(["--out", out]);
    let new = Line::parse_from(words).new;
    made::write(&new, &plan::of(&new)?)
}

fn sentence(words: &[&str]) -> String {
    let (directory, result) = made(words);
    let Err(error) = result else { panic!("{words:?} is set up") };
    assert!(!directory.path().join("net").exists(), "{words:?}: nothing is written of what is refused");
    let sentence = format!("{error:#}");
    assert!(!sentence.contains('\n'), "{sentence}");
    sentence
}

const FOUR: [&str; 2] = ["--validators", "city,utility,university,operator"];

#[test]
fn four_validators_and_a_gateway_hold_together() {
    let words = [&FOUR[..], &["--gateways", "gateway-1", "--devices", "3", "--epoch", "5"]].concat();
    let (directory, result) = made(&words);
    result.unwrap();
    let net = directory.path().join("net");
    let genesis = Genesis::from_json(&fs::read_to_string(net.join("genesis.json")).unwrap()).unwrap();
    assert_eq!((genesis.network.as_str(), genesis.quorum(), genesis.epoch_seconds), ("testnet", 3, 5));
    let read = |name: &str| Configuration::read(&net.join(name).join("node.toml")).unwrap();
    let mut listening = HashSet::new();
    for (validator, verifier) in genesis.validators.iter().zip(genesis.verifier_keys()) {
        let configuration = read(&validator.name);
        let Role::Validator(of) = &configuration.role else { panic!("{} votes", validator.name) };
        let peers: Vec<&str> = of.peers.iter().map(|peer| peer.name.as_str()).collect();
        let others: Vec<&str> = genesis
            .validators
            .iter()
            .map(|one| one.name.as_str())
            .filter(|name| *name != validator.name)
            .collect();
        assert_eq!(peers, others);
        let door = of.gateways.as_ref().unwrap();
        assert_eq!(door.admitted.len(), 1);
        for address in [configuration.http, of.listen, door.listen] {
            assert!(address.ip().is_loopback() && listening.insert(address), "{address} is used once");
        }
        let opened = storage::open_network(&configuration.data, &configuration.genesis, "validator").unwrap();
        assert_eq!(opened.validator.public_key(), *verifier.key(), "the key is that of the genesis document");
    }
    let configuration = read("gateway-1");
    let Role::Gateway(of) = &configuration.role else { panic!("it votes on nothing") };
    assert_eq!(
        (configuration.http.port(), &of.intake),
        (8080, &Intake::Embedded("127.0.0.1:1883".parse().unwrap()))
    );
    assert_eq!((of.devices, of.validators.len()), (3, 4));
    assert!(of.operator_key.as_ref().is_some_and(|file| file.is_file()), "{:?}", of.operator_key);
    let Role::Validator(city) = read("city").role else { panic!("it votes") };
    let opened = storage::open_network(&configuration.data, &configuration.genesis, "gateway").unwrap();
    assert_eq!(city.gateways.unwrap().admitted[0].public_key, opened.validator.public_key());
}

#[test]
fn keys_are_for_their_owners_eyes_alone() {
    let (directory, result) = made(&FOUR);
    result.unwrap();
    let net = directory.path().join("net");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for key in ["keys/operator.pem", "keys/treasury.pem", "city/data/keys/validator.pem"] {
        assert_eq!(mode(&net.join(key)), 0o600, "{key}");
    }
    for secret in ["keys", "city", "city/data", "city/data/keys"] {
        assert_eq!(mode(&net.join(secret)), 0o700, "{secret}");
    }
}

#[test]
fn nothing_is_overwritten() {
    let (directory, result) = made(&FOUR);
    result.unwrap();
    let net = directory.path().join("net");
    let genesis = fs::read(net.join("genesis.json")).unwrap();
    let again = made_in(&FOUR, &net).err().unwrap();
    assert!(again.to_string().contains("nothing is overwritten"), "{again}");
    assert_eq!(fs::read(net.join("genesis.json")).unwrap(), genesis);
    let keep = ["network new", FOUR[0], FOUR[1], "--keep", "--out", net.to_str().unwrap()];
    make(&Line::parse_from(keep).new).unwrap();
    assert_eq!(fs::read(net.join("genesis.json")).unwrap(), genesis, "it is kept as it is");
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(made_in(&FOUR, &file).is_err(), "a file is no directory");
}

#[test]
fn hosts_of_their_own_have_the_same_ports_and_listen_to_others() {
    let hosts = "city=192.0.2.1,utility=utility.example,university=2001:db8::3,operator=[2001:db8::4]";
    let (directory, result) = made(&[&FOUR[..], &["--host", hosts]].concat());
    result.unwrap();
    let file = directory.path().join("net/city/node.toml");
    let configuration = Configuration::read(&file).unwrap();
    assert_eq!(configuration.http, "0.0.0.0:8080".parse().unwrap());
    let Role::Validator(of) = configuration.role else { panic!("it votes") };
    let peers: Vec<String> = of.peers.iter().map(|peer| peer.address.to_string()).collect();
    assert_eq!(peers, ["utility.example:7000", "[2001:db8::3]:7000", "[2001:db8::4]:7000"]);
}

#[test]
fn free_ports_are_different_ones() {
    let (directory, result) = made(&[&FOUR[..], &["--gateways", "g-1,g-2", "--free-ports"]].concat());
    result.unwrap();
    let mut ports = HashSet::new();
    for name in ["city", "utility", "university", "operator", "g-1", "g-2"] {
        let configuration =
            Configuration::read(&directory.path().join("net").join(name).join("node.toml")).unwrap();
        assert!(configuration.http.port() > 0 && ports.insert(configuration.http.port()));
    }
}

#[test]
fn what_cannot_be_is_refused_in_one_sentence_before_anything_is_written() {
    let cases: [(&[&str], &str); 12] = [
        (&["--validators", "city"], "lamppost up"),
        (&["--validators", "city,City"], "no node's name"),
        (&["--validators", "city,city"], "two nodes"),
        (&["--validators", "city,keys"], "no node's name"),
        (&["--validators", "a,b", "--gateways", "b"], "two nodes"),
        (&["--validators", "a,b", "--network", "Testnet"], "network id"),
        (&["--validators", "a,b", "--epoch", "0"], "epoch"),
        (&["--validators", "a,b", "--host", "c=192.0.2.1"], "no node"),
        (&["--validators", "a,b", "--host", "a"], "NAME=HOST"),
        (&["--validators", "a,b", "--host", "a=192.0.2.1"], "b has no host"),
        (&["--validators", "a,b", "--host", "a=b c,b=192.0.2.1"], "no host"),
        (&["--validators", "a,b", "--http-port", "6999"], "twice"),
    ];
    for (words, part) in cases {
        let sentence = sentence(words);
        assert!(sentence.contains(part), "{sentence:?} says nothing of {part:?}");
    }
}

#[test]
fn what_is_printed_names_every_file_and_program_can_read_it() {
    let (directory, result) = made(&[&FOUR[..], &["--gateways", "gateway-1"]].concat());
    let made = result.unwrap();
    let (text, json) = (made.to_text(), made.to_json());
    assert_eq!(json["nodes"].as_array().map(Vec::len), Some(5));
    for node in json["nodes"].as_array().unwrap() {
        let file = node["configuration"].as_str().unwrap();
        assert!(text.contains(&format!("lamppost node --config {file}\n")), "{text}");
        assert!(Path::new(file).starts_with(directory.path()) && Path::new(file).is_file());
    }
    assert!(text.contains(json["genesis_hash"].as_str().unwrap()) && text.contains("1 may fail"), "{text}");
}
