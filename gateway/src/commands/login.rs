//! `lamppost login`: an account's key answers a sign-in challenge, for a one-time link or for a page to paste it into.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use devices::limits::{CHALLENGE_BYTES, SIGN_IN_BYTES_MAX};
use devices::{SignInAnswer, SigningKey};
use ledger::account::AccountId;
use serde_json::{Value, json};

use super::{NODE, output};
use crate::client::Client;
use crate::keys;
use crate::sign_in::origin::Origin;

/// Prints a one-time link that signs a browser in as a key's account
///
/// A session lets a browser look at what is the account's own; it can spend and change nothing. The key stays here: what is
/// sent is its signature over a challenge of that one site.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost login --key owner.pem\n      prints a link for the node on this machine\n  lamppost login --key owner.pem --node http://127.0.0.1:8080 --origin https://lamppost.example\n      the same where people reach the node through a TLS proxy\n  lamppost login --key owner.pem --origin https://lamppost.example --network devnet --challenge 6b0e…\n      as the page /sign-in/command shows it: prints a line to paste there"
)]
pub struct Arguments {
    /// The account's key file
    #[arg(long, value_name = "PEM", default_value = "lamppost-data/keys/operator.pem")]
    key: PathBuf,
    /// The node to sign in to
    #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = NODE)]
    node: String,
    /// The site that may use the answer, where it is not the node's own address
    #[arg(long, value_name = "URL")]
    origin: Option<Origin>,
    /// Answers this challenge of the sign-in page, asking no node; prints the line to paste there
    #[arg(long, value_name = "HEX", requires = "origin", requires = "network")]
    challenge: Option<String>,
    /// The network that the challenge is of
    #[arg(long, value_name = "ID", requires = "challenge")]
    network: Option<String>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// One sentence: no key, no node, another site than the one that was named, or a refusal.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let key = keys::read(&arguments.key)?;
    let account = AccountId::of(&key.public_key());
    match (&arguments.challenge, &arguments.origin, &arguments.network) {
        (Some(challenge), Some(origin), Some(network)) => {
            let line = Base64UrlUnpadded::encode_string(&sign(&key, challenge, origin, network)?);
            if arguments.json {
                let origin = origin.to_string();
                return output::json(
                    &json!({"answer": line, "account": account.to_string(), "origin": origin}),
                );
            }
            eprintln!("Signs a browser in to {origin} as {account}: paste this line there and nowhere else.");
            output::line(line)
        }
        _ => {
            let link = link(arguments, &key)?;
            if arguments.json {
                return output::json(&link);
            }
            eprintln!(
                "Open this once, before {}, to sign in as {account}:",
                output::member(&link, "/expires")
            );
            output::line(output::member(&link, "/url"))
        }
    }
}

/// Asks the node for a challenge, answers it, and trades the answer for a link.
fn link(arguments: &Arguments, key: &SigningKey) -> anyhow::Result<Value> {
    let client = Client::new(&arguments.node)?;
    let asked = client.post("/api/v1/sign-in/challenges", "application/json", &[])?;
    let word = |name: &str| {
        asked.get(name).and_then(Value::as_str).context("the node asks for nothing that can be signed")
    };
    let says: Origin = word("origin")?.parse().context("the node does not say what it is reached by")?;
    let origin = believed(&says, arguments)?;
    let answer = sign(key, word("challenge")?, &origin, word("network")?)?;
    Ok(client.post("/api/v1/sign-in/links", "application/cose", &answer)?)
}

/// The site that the answer is for. A node that says the name of another one might be passing on that one's challenge, to
/// sign itself in there: so it is believed of its own address, and of others only where the person says the same.
fn believed(says: &Origin, arguments: &Arguments) -> anyhow::Result<Origin> {
    if let Some(named) = &arguments.origin {
        ensure!(
            named == says,
            "the node says that it is reached by {says}, not by {named}: nothing was signed"
        );
        return Ok(named.clone());
    }
    let asked: Origin = arguments.node.parse().context("the node's address is none")?;
    if asked.is_the_same_machine_as(says) {
        return Ok(says.clone());
    }
    bail!(
        "the node at {asked} says that people reach it by {says}, and nothing was signed: if that is so, add --origin {says}"
    )
}

fn sign(key: &SigningKey, challenge: &str, origin: &Origin, network: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = [0; CHALLENGE_BYTES];
    hex::decode_to_slice(challenge, &mut bytes).map_err(|_| {
        anyhow::anyhow!("a challenge is {} hex digits, as the sign-in page shows it", 2 * CHALLENGE_BYTES)
    })?;
    let (origin, mut out) = (origin.to_string(), [0; SIGN_IN_BYTES_MAX]);
    let length = SignInAnswer { challenge: bytes, origin: &origin }.sign(key, network, &mut out)?;
    Ok(out[..length].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(node: &str, origin: Option<&str>) -> Arguments {
        Arguments {
            key: PathBuf::new(),
            node: node.to_owned(),
            origin: origin.map(|origin| origin.parse().unwrap()),
            challenge: None,
            network: None,
            json: false,
        }
    }

    #[test]
    fn a_node_is_not_believed_to_be_another() {
        let believes = |node: &str, origin: Option<&str>, says: &str| {
            believed(&says.parse().unwrap(), &arguments(node, origin)).is_ok()
        };
        assert!(believes("http://127.0.0.1:8080", None, "http://localhost:8080"));
        assert!(believes("http://192.0.2.1:8080", None, "http://192.0.2.1:8080"));
        assert!(believes(
            "http://127.0.0.1:8080",
            Some("https://lamppost.example"),
            "https://lamppost.example"
        ));
        assert!(
            !believes("http://evil.example", None, "https://lamppost.example"),
            "it passes a challenge on"
        );
        assert!(!believes("http://127.0.0.1:8080", None, "https://lamppost.example"));
        assert!(!believes("http://127.0.0.1:8080", None, "http://localhost:8081"));
        assert!(!believes("http://127.0.0.1:8080", None, "https://localhost:8080"));
        assert!(!believes("http://evil.example", Some("https://lamppost.example"), "http://evil.example"));
    }
}
