//! Runs all nodes of a directory on this machine, each in a process of its own, and ends those and no others.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::children;
use crate::commands::{output, serving};
use crate::configuration::{Configuration, Role};
use crate::limits::{NODE_START_MAX, NODE_STOP_MAX, NODES_OF_A_DIRECTORY_MAX};

/// What a node writes to stderr, beside its configuration.
const LOG: &str = "node.log";

/// A node that is to run.
struct Wanted {
    name: String,
    is_gateway: bool,
    file: PathBuf,
}

/// A node that runs.
struct Running {
    name: String,
    is_gateway: bool,
    child: Child,
    log: PathBuf,
}

/// Starts all nodes of a directory, says where they are, and stops all of them on SIGTERM or ctrl-c, or when one ends.
///
/// # Errors
/// When there are no nodes, or one of them does not start or ends by itself; its log's last line says why.
pub(super) fn run(directory: &Path) -> anyhow::Result<()> {
    let wanted = wanted(directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("the nodes cannot be started")?.block_on(async {
        let stop = serving::stop_signal()?;
        let mut running = Vec::with_capacity(wanted.len());
        let result = tokio::select! {
            result = serve(directory, &wanted, &mut running) => result,
            _ = stop => Ok(()),
        };
        stop_all(running).await;
        result
    })
}

/// The nodes of a directory, gateways last: they need the validators.
fn wanted(directory: &Path) -> anyhow::Result<Vec<Wanted>> {
    let mut wanted = Vec::new();
    let entries =
        fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    for entry in entries {
        let file = entry?.path().join(super::FILE);
        if file.is_file() {
            let Configuration { name, role, .. } = Configuration::read(&file)?;
            wanted.push(Wanted { name, is_gateway: matches!(role, Role::Gateway(_)), file });
        }
    }
    ensure!(
        !wanted.is_empty(),
        "{} holds no network: `lamppost network new --out {}` makes one",
        directory.display(),
        directory.display()
    );
    ensure!(
        wanted.len() <= NODES_OF_A_DIRECTORY_MAX,
        "{} nodes are more than one machine is asked to run: {NODES_OF_A_DIRECTORY_MAX} at most",
        wanted.len()
    );
    wanted.sort_by(|one, other| (one.is_gateway, &one.name).cmp(&(other.is_gateway, &other.name)));
    Ok(wanted)
}

/// Starts the nodes, tells where each is, and waits until one of them ends, which none should.
async fn serve(directory: &Path, wanted: &[Wanted], running: &mut Vec<Running>) -> anyhow::Result<()> {
    let mut readiness = JoinSet::new();
    for (number, node) in wanted.iter().enumerate() {
        let (started, stdout) = start(node)?;
        let ready = ready_line(stdout);
        readiness.spawn(async move { (number, timeout(NODE_START_MAX, ready).await.ok().flatten()) });
        running.push(started);
    }
    let mut lines = vec![None; wanted.len()];
    while let Some(ready) = readiness.join_next().await {
        let (number, line) = ready.context("a node's output could not be read")?;
        let Some(line) = line else {
            let node = &mut running[number];
            bail!("{} does not serve: {}", node.name, last_line(&node.log));
        };
        lines[number] = Some(line);
    }
    let lines: Vec<&str> = lines.iter().flatten().map(String::as_str).collect();
    let width = wanted.iter().map(|node| node.name.len()).max().unwrap_or_default();
    for (node, line) in wanted.iter().zip(&lines) {
        output::line(format!("{:width$}  {}", node.name, line.replace("http=", "").replace("mqtt=", "")))?;
    }
    output::line(format!("logs: {}/NAME/{LOG}; ctrl-c stops all of them", directory.display()))?;
    // The dashboard that devices earn on, where there is a gateway.
    if let Some(last) = lines.last() {
        output::line(format!("ready {last}"))?;
    }
    let (name, status, log) = first_end(running).await?;
    bail!("{name} ended ({status}): {}", last_line(&log))
}

fn start(node: &Wanted) -> anyhow::Result<(Running, ChildStdout)> {
    let log = node.file.with_file_name(LOG);
    let appended = OpenOptions::new().create(true).append(true).open(&log);
    let stderr = appended.with_context(|| format!("{} cannot be written", log.display()))?;
    let program = std::env::current_exe().context("this program does not know where it lies")?;
    let mut command = Command::new(program);
    let parent = std::process::id().to_string();
    command.args(["node", "--with-parent", &parent, "--config"]).arg(&node.file);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).kill_on_drop(true);
    let sentence = || format!("{} cannot be started", node.name);
    let mut child = command.spawn().with_context(sentence)?;
    let stdout = child.stdout.take().with_context(sentence)?;
    Ok((Running { name: node.name.clone(), is_gateway: node.is_gateway, child, log }, stdout))
}

/// What stands behind `ready` on the line that says so; nothing where the node ends before it.
async fn ready_line(stdout: ChildStdout) -> Option<String> {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(ready) = line.strip_prefix("ready ") {
            return Some(ready.to_owned());
        }
    }
    None
}

/// The first node that ends.
async fn first_end(running: &mut [Running]) -> anyhow::Result<(String, ExitStatus, PathBuf)> {
    let ends = running.iter_mut().map(|node| {
        Box::pin(async move {
            let status = node.child.wait().await?;
            std::io::Result::Ok((node.name.clone(), status, node.log.clone()))
        })
    });
    let mut ends: Vec<_> = ends.collect();
    // Every node is asked in turn: there are few.
    std::future::poll_fn(move |context| {
        let ended = ends.iter_mut().find_map(|end| match end.as_mut().poll(context) {
            std::task::Poll::Ready(ended) => Some(ended),
            std::task::Poll::Pending => None,
        });
        ended.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
    })
    .await
    .context("a node cannot be waited for")
}

/// Asks every node to end in order, the gateways before the validators that they speak with, and ends what does not.
async fn stop_all(running: Vec<Running>) {
    let (gateways, validators): (Vec<_>, Vec<_>) = running.into_iter().partition(|node| node.is_gateway);
    stop(gateways).await;
    stop(validators).await;
}

async fn stop(nodes: Vec<Running>) {
    for node in &nodes {
        children::ask_to_end(&node.child);
    }
    for mut node in nodes {
        if timeout(NODE_STOP_MAX, node.child.wait()).await.is_err() {
            eprintln!("{} does not end and is killed", node.name);
            let _ended = node.child.kill().await;
        }
    }
}

/// What a node said last.
fn last_line(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("it said nothing").trim_start_matches("lamppost: ").to_owned()
}
