//! People with keys, and devices with identity pages: whoever acts on the ledger through the product's own commands.

use crate::node::Node;
use crate::program::{self, Ended};
use crate::sensor::Sensor;
use devices::IdentityPage;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Somebody with a key file.
#[derive(Debug)]
pub struct Person {
    /// The account's id.
    pub account: String,
    key: PathBuf,
    _directory: Option<TempDir>,
}

impl Person {
    /// Somebody new.
    ///
    /// # Panics
    /// Where no key can be made.
    pub fn new() -> Person {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let key = directory.path().join("person.pem");
        let account = account(&["key", "new", "--json"], &key);
        Person { account, key, _directory: Some(directory) }
    }

    /// Whoever holds one of the node's own keys: `operator` or `treasury`.
    ///
    /// # Panics
    /// Where the node has no such key.
    pub fn of(node: &Node, name: &str) -> Person {
        let key = node.data.join("keys").join(format!("{name}.pem"));
        Person { account: account(&["key", "show", "--json"], &key), key, _directory: None }
    }

    /// Where the key lies.
    pub fn key_file(&self) -> &Path {
        &self.key
    }

    /// Runs `lamppost …` against the node with this one's key.
    pub fn does(&self, node: &Node, arguments: &[&str]) -> Ended {
        let mut command = program::lamppost(arguments);
        command.args(["--node", &node.http, "--key"]).arg(&self.key);
        Ended::of(&mut command)
    }
}

impl Default for Person {
    fn default() -> Self {
        Person::new()
    }
}

fn account(arguments: &[&str], key: &Path) -> String {
    let printed = Ended::of(program::lamppost(arguments).arg(key)).success();
    let printed: Value = serde_json::from_str(&printed).expect("--json prints JSON");
    printed["account"].as_str().expect("it prints the account").to_owned()
}

/// A device whose identity page lies in a file, as `lamppost device provision` makes it.
#[derive(Debug)]
pub struct Provisioned {
    /// The device in the test's hand.
    pub sensor: Sensor,
    /// Its identity page.
    pub page: String,
    _directory: TempDir,
}

impl Provisioned {
    /// A new device.
    ///
    /// # Panics
    /// Where it cannot be made.
    pub fn new() -> Provisioned {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let file = directory.path().join("identity.bin");
        let page = file.to_str().expect("a temporary path is text").to_owned();
        program::run(&["device", "provision", "--out", &page]).success();
        let bytes = std::fs::read(&file).expect("the page was written");
        let identity = IdentityPage::decode(&bytes).expect("what was written is an identity page");
        let sensor = Sensor::from_seed(identity.signing_key().to_seed());
        Provisioned { sensor, page, _directory: directory }
    }

    /// Its kid.
    pub fn kid(&self) -> String {
        self.sensor.kid()
    }
}

impl Default for Provisioned {
    fn default() -> Self {
        Provisioned::new()
    }
}
