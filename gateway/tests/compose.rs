//! `compose.yaml` holds together without anybody running it: each command is one of the program's, each file is there once the
//! network is set up, no port is given twice.
#![cfg(feature = "bft")]

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::Command;

use gateway::configuration::{Configuration, Role};
use yaml_rust2::{Yaml, YamlLoader};

/// Where the volume lies in a container.
const VOLUME: &str = "/data";
/// The service that sets the network up.
const SETUP: &str = "setup";

fn compose() -> Yaml {
    let text = include_str!("../../compose.yaml");
    YamlLoader::load_from_str(text).expect("compose.yaml is YAML").remove(0)
}

/// A field of a service, or of what it is merged with (`<<`).
fn field<'a>(service: &'a Yaml, name: &str) -> &'a Yaml {
    match &service[name] {
        Yaml::BadValue => &service["<<"][name],
        found => found,
    }
}

fn words(list: &Yaml) -> Vec<String> {
    let words = list.as_vec().expect("a list of words").iter();
    words.map(|word| word.as_str().expect("a word").to_owned()).collect()
}

fn services(compose: &Yaml) -> BTreeMap<String, &Yaml> {
    let services = compose["services"].as_hash().expect("there are services").iter();
    services.map(|(name, service)| (name.as_str().expect("a name").to_owned(), service)).collect()
}

/// The words of a service's command, on paths in `directory` instead of the volume's.
fn command(service: &Yaml, directory: &Path) -> Vec<String> {
    let place = directory.to_str().expect("a temporary path is text");
    let moved = |word: String| match word.strip_prefix(VOLUME) {
        Some(rest) => format!("{place}{rest}"),
        None => word,
    };
    words(field(service, "command")).into_iter().map(moved).collect()
}

#[test]
fn every_command_is_one_and_every_file_is_there_once_the_network_is_set_up() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let compose = compose();
    let services = services(&compose);
    for (name, service) in &services {
        let mut words = command(service, directory.path());
        words.insert(0, "lamppost".to_owned());
        let matches = gateway::commands::tree().try_get_matches_from(&words);
        assert!(matches.is_ok(), "{name}: {}", matches.unwrap_err());
    }
    for _ in 0..2 {
        let mut lamppost = Command::new(env!("CARGO_BIN_EXE_lamppost"));
        let ended = lamppost.args(command(services[SETUP], directory.path())).output().expect("it starts");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    for (name, service) in services.iter().filter(|(name, _)| *name != SETUP) {
        let words = command(service, directory.path());
        let configuration = Configuration::read(Path::new(&words[2])).expect("the file reads");
        assert_eq!(
            &configuration.name, name,
            "the service is called as its node, for others look it up by that"
        );
        assert!(configuration.genesis.is_file() && configuration.data.is_dir());
        assert_eq!(
            (configuration.http.ip().is_unspecified(), configuration.http.port()),
            (true, 8080),
            "{name}"
        );
        let peers = match configuration.role {
            Role::Validator(validator) => validator.peers,
            Role::Gateway(gateway) => gateway.validators,
        };
        for peer in peers {
            assert!(services.contains_key(&peer.address.host), "{name} looks for {}", peer.address);
        }
    }
}

#[test]
fn no_port_is_given_twice_and_every_service_can_be_asked_for_its_health() {
    let compose = compose();
    let mut ports = HashSet::new();
    for (name, service) in services(&compose).iter().filter(|(name, _)| *name != SETUP) {
        for port in words(field(service, "ports")) {
            let parts: Vec<&str> = port.split(':').collect();
            assert_eq!(
                (parts.len(), parts[0]),
                (3, "127.0.0.1"),
                "{name}: a trial is for this machine alone"
            );
            assert!(ports.insert(parts[1].to_owned()), "{name}: port {} is given twice", parts[1]);
            assert!(["8080", "1883"].contains(&parts[2]), "{name}: {port}");
        }
        let health = words(&field(service, "healthcheck")["test"]);
        assert_eq!(health[..2], ["CMD", "/lamppost"]);
        let mut asked = vec!["lamppost".to_owned()];
        asked.extend_from_slice(&health[2..]);
        assert!(gateway::commands::tree().try_get_matches_from(asked).is_ok(), "{name}");
        assert_eq!(words(field(service, "volumes")), ["network:/data"], "{name}");
        let after = &field(service, "depends_on")[SETUP]["condition"];
        assert_eq!(after.as_str(), Some("service_completed_successfully"), "{name}");
    }
    assert_eq!(ports.len(), 6);
}
