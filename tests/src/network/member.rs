//! One node of a network: started by its configuration file, asked over HTTP, ended by its handle, started again.

use crate::node::Node;
use crate::program::{self, Ended};
use crate::wait;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many lines of its log a node shows when a test fails.
const LOG_LINES: usize = 40;

/// A validator or a gateway, running or not.
#[derive(Debug)]
pub struct Member {
    /// As the genesis document names it.
    pub name: String,
    /// Its data directory, as this test sees it.
    pub data: PathBuf,
    pub(super) config: PathBuf,
    /// Where others reach it.
    pub(super) host: String,
    /// What starts a program where it runs.
    pub(super) starter: Vec<String>,
    /// What else its process finds in its environment.
    pub(super) environment: Vec<(String, String)>,
    node: Option<Node>,
}

impl Member {
    /// A node that is not running, whose files lie in this directory.
    pub(super) fn new(name: &str, directory: &Path, host: String, starter: Vec<String>) -> Member {
        Member {
            name: name.to_owned(),
            data: directory.join("data"),
            config: directory.join("node.toml"),
            host,
            starter,
            environment: Vec::new(),
            node: None,
        }
    }

    /// Whether it was started and not ended.
    pub fn is_running(&self) -> bool {
        self.node.is_some()
    }

    /// The running node.
    ///
    /// # Panics
    /// Where it was ended.
    pub fn node(&self) -> &Node {
        self.node.as_ref().unwrap_or_else(|| panic!("{} runs", self.name))
    }

    /// Starts it and waits until it serves.
    ///
    /// # Panics
    /// Where it runs already, or does not come up.
    pub fn start(&mut self) {
        assert!(self.node.is_none(), "{} runs already", self.name);
        let own = tempfile::tempdir().expect("a temporary directory can be made");
        let mut node = Node::started(self.command(), self.data.clone(), own);
        // It names an address that its own machine reaches it at; this is the one that others do.
        node.http = format!("http://{}", self.reached_at(&node.http));
        node.mqtt = self.reached_at(&node.mqtt);
        self.node = Some(node);
    }

    /// Changes its configuration file, for its next start.
    ///
    /// # Panics
    /// Where the file cannot be read or written.
    pub fn edits(&mut self, edit: impl FnOnce(&str) -> String) {
        let text = std::fs::read_to_string(&self.config).expect("a configuration can be read");
        std::fs::write(&self.config, edit(&text)).expect("a configuration can be written");
    }

    /// Runs one that must not come up, to its end.
    pub fn fails(&self) -> Ended {
        Ended::of(&mut self.command())
    }

    /// kill -9.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn kill(&mut self) {
        self.taken().kill();
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Panics
    /// Where it does not run, or does not end with code 0.
    pub fn terminate(&mut self) {
        let mut node = self.taken();
        let status = node.terminate();
        assert_eq!(status.code(), Some(0), "{} ends well; it said {}", self.name, node.stderr());
    }

    /// Whether the process has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.node().has_ended()
    }

    /// Height of its last durable block.
    pub fn height(&self) -> u64 {
        self.status()["height"].as_u64().expect("the status has a height")
    }

    /// What it says of itself.
    pub fn status(&self) -> Value {
        self.node().json("/api/v1/status")
    }

    /// Waits until it has this height.
    ///
    /// # Panics
    /// Where it does not come so far in time.
    pub fn reaches(&self, height: u64) {
        let what = format!("{} reaches height {height}", self.name);
        wait::until_true(&what, wait::LONG, || self.height() >= height);
    }

    /// Kibibytes of memory that the process has now, and had at most.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn memory_kibibytes(&self) -> (u64, u64) {
        let path = format!("/proc/{}/status", self.node().id());
        let status = std::fs::read_to_string(&path).expect("a running process has a status");
        let line = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
        };
        (line("VmRSS:"), line("VmHWM:"))
    }

    /// The same port on the address of its machine.
    fn reached_at(&self, address: &str) -> String {
        let port = address.rsplit(':').next().unwrap_or_default();
        format!("{}:{port}", self.host)
    }

    fn taken(&mut self) -> Node {
        self.node.take().unwrap_or_else(|| panic!("{} runs", self.name))
    }

    fn command(&self) -> Command {
        let mut command = program::lamppost_within(&self.starter);
        command.args(["node", "--config"]).arg(&self.config);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for Member {
    /// A test that fails shows what its nodes thought; their files are gone after it.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let Some(node) = &self.node else { return println!("{} did not run", self.name) };
        let log = node.stderr();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        println!("{} said of itself: {}\nand last in its log:\n{last}", self.name, node.status_or_error());
    }
}
