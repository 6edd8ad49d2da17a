//! `lamppost health`: whether a node answers; what a container asks, which has no other program in it.

use super::output;
use crate::client::Client;
use serde_json::json;

/// Asks a node whether it is alive; exit code 0 if it is
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lamppost health --node http://127.0.0.1:8080")]
pub struct Arguments {
    /// The node to ask
    #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = super::NODE)]
    node: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Asks and prints the answer.
///
/// # Errors
/// When the node cannot be reached or says that it is not well.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let answer = Client::new(&arguments.node)?.text("/healthz")?;
    if arguments.json {
        return output::json(&json!({"node": arguments.node, "healthy": true}));
    }
    output::line(answer.trim())
}
