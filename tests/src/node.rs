//! A running `lamppost up`: started on free ports, asked over HTTP, ended by its handle.

use crate::program::{self, Ended};
use crate::wait;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

/// How to start a node.
#[derive(Debug, Clone)]
pub struct Up {
    data: Option<PathBuf>,
    devices: u32,
    epoch_seconds: u32,
    http: String,
    mqtt: String,
    more: Vec<String>,
    within: Vec<String>,
}

impl Default for Up {
    fn default() -> Self {
        let any_port = "127.0.0.1:0".to_owned();
        Up {
            data: None,
            devices: 0,
            epoch_seconds: 2,
            http: any_port.clone(),
            mqtt: any_port,
            more: Vec::new(),
            within: Vec::new(),
        }
    }
}

impl Up {
    /// An empty node on free ports: no devices, epochs of two seconds, a data directory of its own.
    pub fn new() -> Self {
        Up::default()
    }

    /// On this data directory, which outlives the node.
    pub fn data(mut self, data: &Path) -> Self {
        self.data = Some(data.to_owned());
        self
    }

    /// With this many virtual devices.
    pub fn devices(mut self, devices: u32) -> Self {
        self.devices = devices;
        self
    }

    /// With epochs of this length.
    pub fn epoch_seconds(mut self, seconds: u32) -> Self {
        self.epoch_seconds = seconds;
        self
    }

    /// Serving HTTP at this address.
    pub fn http(mut self, address: &str) -> Self {
        address.clone_into(&mut self.http);
        self
    }

    /// Serving MQTT at this address.
    pub fn mqtt(mut self, address: &str) -> Self {
        address.clone_into(&mut self.mqtt);
        self
    }

    /// With further options.
    pub fn with(mut self, options: &[&str]) -> Self {
        self.more.extend(options.iter().map(ToString::to_string));
        self
    }

    /// Started by another program, which takes the place of the node's own command line's beginning.
    pub fn within(mut self, program: &[String]) -> Self {
        self.within = program.to_vec();
        self
    }

    fn command(&self, data: &Path) -> Command {
        let (devices, epoch) = (self.devices.to_string(), self.epoch_seconds.to_string());
        let mut command = program::lamppost_within(&self.within);
        command.args(["up", "--http", &self.http, "--mqtt", &self.mqtt]);
        command.args(["--devices", &devices, "--epoch", &epoch, "--data"]).arg(data).args(&self.more);
        command.stdin(Stdio::null());
        command
    }

    /// Starts it and waits for the ready line.
    ///
    /// # Panics
    /// Where none comes, with what the node said instead.
    pub fn start(self) -> Node {
        let own = tempfile::tempdir().expect("a temporary directory can be made");
        let data = self.data.clone().unwrap_or_else(|| own.path().join("data"));
        let node = Node::started(self.command(&data), data, own);
        assert!(!node.mqtt.is_empty(), "http= is followed by mqtt=mqtt://");
        node
    }

    /// Starts it and kills it after that time, however far it has come; gives what it said on standard error.
    ///
    /// # Panics
    /// Where the binary cannot be started.
    pub fn is_killed_after(self, time: Duration) -> String {
        let own = tempfile::tempdir().expect("a temporary directory can be made");
        let data = self.data.clone().unwrap_or_else(|| own.path().join("data"));
        let stderr = own.path().join("stderr");
        let log = File::create(&stderr).expect("the log can be written");
        let mut child =
            self.command(&data).stdout(Stdio::null()).stderr(log).spawn().expect("the binary starts");
        std::thread::park_timeout(time);
        drop(child.kill());
        drop(child.wait());
        std::fs::read_to_string(&stderr).unwrap_or_default()
    }

    /// Runs one that must not come up, to its end.
    ///
    /// # Panics
    /// Where it says that it is ready, or never ends.
    pub fn fails(self) -> Ended {
        let own = tempfile::tempdir().expect("a temporary directory can be made");
        let data = self.data.clone().unwrap_or_else(|| own.path().join("data"));
        let stderr = own.path().join("stderr");
        let log = File::create(&stderr).expect("the log can be written");
        let mut child =
            self.command(&data).stdout(Stdio::piped()).stderr(log).spawn().expect("the binary starts");
        let ready = ready_line(&mut child);
        if ready.is_some() {
            child.kill().expect("the node is ours to end");
        }
        let status =
            wait::until("the node ends", wait::SHORT, || child.try_wait().expect("the child is ours"));
        assert!(ready.is_none(), "it serves: {ready:?}");
        Ended {
            code: status.code().unwrap_or(-1),
            stdout: String::new(),
            stderr: std::fs::read_to_string(&stderr).unwrap_or_default(),
        }
    }
}

/// The line that says where the node serves; none where the node ended before, or took too long.
fn ready_line(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take().expect("standard output is piped");
    let (sender, lines) = mpsc::channel();
    // Reads on after the ready line, so that the node never writes into a full pipe.
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            drop(sender.send(line));
        }
    });
    loop {
        let line = lines.recv_timeout(wait::SHORT).ok()?;
        if line.starts_with("ready http=") {
            return Some(line);
        }
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    child: Child,
    /// `http://ADDRESS:PORT`, without a slash at the end.
    pub http: String,
    /// `ADDRESS:PORT` of its broker, or of the one it uses; empty where it has nothing to do with devices.
    pub mqtt: String,
    /// Its data directory.
    pub data: PathBuf,
    stderr: PathBuf,
    _own: TempDir,
}

impl Node {
    /// Starts this command, which runs a node on these data, and waits for its ready line.
    ///
    /// # Panics
    /// Where none comes, with what the node said instead.
    pub fn started(mut command: Command, data: PathBuf, own: TempDir) -> Node {
        let stderr = own.path().join("stderr");
        let log = File::create(&stderr).expect("the node's log can be written");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let child = command.spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let ready = ready_line(&mut child);
        let mut node = Node { child, http: String::new(), mqtt: String::new(), data, stderr, _own: own };
        let Some(line) = ready else { panic!("no ready line; the node said:\n{}", node.stderr()) };
        let address = |scheme: &str| line.split_whitespace().find_map(|word| word.strip_prefix(scheme));
        node.http = address("http=").expect("`ready` is followed by http=").to_owned();
        node.mqtt = address("mqtt=mqtt://").unwrap_or_default().to_owned();
        node
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process has ended by itself. A dead one has no open files any more, and keeps its id until it is asked
    /// for its end.
    pub fn has_ended(&self) -> bool {
        std::fs::read_link(format!("/proc/{}/exe", self.child.id())).is_err()
    }

    /// What it has said on standard error so far.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Status code and body of a GET.
    ///
    /// # Panics
    /// Where the node does not answer at all.
    pub fn get_as(&self, path: &str, accept: &str) -> (u16, String) {
        let url = format!("{}{path}", self.http);
        let answer = agent().get(&url).header("accept", accept).call();
        let mut answer = answer.unwrap_or_else(|error| panic!("GET {path}: {error}; {}", self.stderr()));
        let body = answer.body_mut().read_to_string().expect("the body is text");
        (answer.status().as_u16(), body)
    }

    /// The body of a page or document that must be there.
    ///
    /// # Panics
    /// On any other status than 200.
    pub fn text(&self, path: &str) -> String {
        let (status, body) = self.get_as(path, "*/*");
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// The bytes of a document that must be there.
    ///
    /// # Panics
    /// On any other status than 200.
    pub fn get_bytes(&self, path: &str) -> Vec<u8> {
        let url = format!("{}{path}", self.http);
        let answer = agent().get(&url).call();
        let mut answer = answer.unwrap_or_else(|error| panic!("GET {path}: {error}; {}", self.stderr()));
        assert_eq!(answer.status().as_u16(), 200, "GET {path}");
        answer.body_mut().read_to_vec().expect("the body arrives whole")
    }

    /// A JSON document that must be there.
    ///
    /// # Panics
    /// On any other status than 200, or where it is no JSON.
    pub fn json(&self, path: &str) -> Value {
        self.json_if_there(path).unwrap_or_else(|| panic!("GET {path}: 404"))
    }

    /// A JSON document, none on 404.
    ///
    /// # Panics
    /// On any other status than 200 and 404, or where it is no JSON.
    pub fn json_if_there(&self, path: &str) -> Option<Value> {
        let (status, body) = self.get_as(path, "application/json");
        if status == 404 {
            return None;
        }
        assert_eq!(status, 200, "GET {path}: {body}");
        Some(serde_json::from_str(&body).unwrap_or_else(|error| panic!("GET {path}: {error}: {body}")))
    }

    /// Its status as it stands in the answer, or why there is none: for whoever may not panic.
    pub fn status_or_error(&self) -> String {
        let answer = agent().get(&format!("{}/api/v1/status", self.http)).call();
        let read = answer.and_then(|mut answer| answer.body_mut().read_to_string());
        read.unwrap_or_else(|error| error.to_string())
    }

    /// Status code and body of an envelope or instruction posted to the API.
    ///
    /// # Panics
    /// Where the node does not answer at all.
    pub fn submit(&self, bytes: &[u8]) -> (u16, String) {
        submit_to(&self.http, bytes).unwrap_or_else(|error| panic!("POST: {error}; {}", self.stderr()))
    }

    /// The entry with this transaction id, as soon as it is durable.
    ///
    /// # Panics
    /// Where it does not become durable.
    pub fn settled(&self, transaction: &str) -> Value {
        wait::until(&format!("transaction {transaction} is durable"), wait::SHORT, || {
            self.json_if_there(&format!("/api/v1/transactions/{transaction}"))
        })
    }

    /// How many envelopes were refused for this reason.
    pub fn refused(&self, reason: &str) -> u64 {
        let status = self.json("/api/v1/status");
        status["refused"][reason].as_u64().unwrap_or_else(|| panic!("no count of `{reason}` in {status}"))
    }

    /// What the metrics say was refused for this reason.
    pub fn refused_metric(&self, reason: &str) -> u64 {
        let label = format!("reason=\"{reason}\"");
        let metrics = self.text("/metrics");
        let line = metrics.lines().find(|line| line.contains("refused") && line.contains(&label));
        let line = line.unwrap_or_else(|| panic!("no metric of {label} in\n{metrics}"));
        line.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a metric ends with a number")
    }

    /// Waits until every epoch that has begun before this call is settled.
    pub fn epoch_passes(&self) {
        let epoch = || self.json("/api/v1/status")["epoch"].as_u64().expect("the status has an epoch");
        let now = epoch();
        wait::until_true("an epoch passes", wait::LONG, || epoch() > now);
    }

    /// Enrols a device with the operator's key for a new owner; gives the owner's account.
    ///
    /// # Panics
    /// Where the node does not enrol it.
    pub fn enrol(&self, public_key: &str) -> String {
        let owner = self.new_account("owner");
        self.enrol_for(public_key, &owner);
        owner
    }

    /// Enrols a device with the operator's key for this owner.
    ///
    /// # Panics
    /// Where the node does not enrol it.
    pub fn enrol_for(&self, public_key: &str, owner: &str) {
        let operator = self.data.join("keys/operator.pem");
        let enrol = [
            "device",
            "enrol",
            "--public-key",
            public_key,
            "--owner",
            owner,
            "--lat",
            "57.15",
            "--lon",
            "-2.09",
        ];
        let mut command = program::lamppost(&enrol);
        command.args(["--node", &self.http, "--key"]).arg(operator);
        Ended::of(&mut command).success();
    }

    /// A new account's id; its key lies where nobody needs it.
    pub fn new_account(&self, name: &str) -> String {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let file = directory.path().join(format!("{name}.pem"));
        let mut command = program::lamppost(&["key", "new", "--json"]);
        let printed = Ended::of(command.arg(file)).success();
        let printed: Value = serde_json::from_str(&printed).expect("key new --json prints JSON");
        printed["account"].as_str().expect("it prints the account").to_owned()
    }

    /// Micro-tokens on an account.
    pub fn posted(&self, account: &str) -> u64 {
        microtokens(&self.json(&format!("/api/v1/accounts/{account}"))["balance"]["posted"])
    }

    /// Ends it as an operator would, and gives how it ended.
    ///
    /// # Panics
    /// Where it does not end in time.
    pub fn terminate(&mut self) -> ExitStatus {
        self.is_told_to_end();
        wait::until("the node ends after SIGTERM", wait::SHORT, || {
            self.child.try_wait().expect("the child is ours")
        })
    }

    /// Sends SIGTERM and does not wait.
    ///
    /// # Panics
    /// Where it had ended before.
    pub fn is_told_to_end(&self) {
        let pid = self.child.id().to_string();
        // The shell's own `kill`: the program of that name is a package that small machines lack.
        let signalled = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]).status();
        assert!(signalled.is_ok_and(|status| status.success()), "SIGTERM is sent");
    }

    /// Ends it in the middle of whatever it does: SIGKILL.
    ///
    /// # Panics
    /// Where it had ended before.
    pub fn kill(&mut self) {
        self.child.kill().expect("the node still runs");
        self.child.wait().expect("the child is ours");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Status code and body of an envelope or instruction posted to the node at this URL.
///
/// # Errors
/// Where there is no answer, or not a whole one: nothing is known then.
pub fn submit_to(url: &str, bytes: &[u8]) -> Result<(u16, String), ureq::Error> {
    let url = format!("{url}/api/v1/transactions");
    let mut answer = agent().post(&url).content_type("application/cose").send(bytes)?;
    let body = answer.body_mut().read_to_string()?;
    Ok((answer.status().as_u16(), body))
}

/// The micro-tokens of an amount as the API writes it.
///
/// # Panics
/// Where it is no amount.
pub fn microtokens(amount: &Value) -> u64 {
    let text = amount["microtokens"].as_str().unwrap_or_else(|| panic!("{amount} is an amount"));
    text.parse().unwrap_or_else(|_| panic!("{text} is a number of micro-tokens"))
}

/// One connection a request, so that a node that was killed and started again is met fresh.
fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)))
        .max_idle_connections(0);
    config.build().into()
}
