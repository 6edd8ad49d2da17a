//! `lamppost validator`: who decides, and a validator's word for who joins or leaves.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use ledger::instruction::Instruction;
use ledger::note::VerifierKey;
use serde_json::{Value, json};

use super::{output, send};
use crate::client::Client;

/// Shows who decides, and approves that a validator joins or leaves
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lamppost validator list --node http://127.0.0.1:8080")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists the validators, the changes that some of them approve, and how many approvals each still needs
    #[command(after_help = "Example:\n  lamppost validator list --json")]
    List(Asked),
    /// Approves that a validator joins; more than two thirds of the present ones must
    ///
    /// All of them approve the same name and key. The change takes effect when the epoch in which the last of them did ends.
    #[command(
        after_help = "Example:\n  lamppost validator add --name harbour --key harbour+1a2b3c4d+AQID… --signer data/city/keys/validator.pem"
    )]
    Add {
        /// The new validator's name
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Its verifier key, NAME+HASH+BASE64
        #[arg(long, value_name = "VKEY")]
        key: VerifierKey,
        #[command(flatten)]
        signer: Signer,
    },
    /// Approves that a validator leaves; more than two thirds of the present ones must, itself among them
    #[command(
        after_help = "Example:\n  lamppost validator remove --name harbour --signer data/city/keys/validator.pem"
    )]
    Remove {
        /// The validator's name
        #[arg(long, value_name = "NAME")]
        name: String,
        #[command(flatten)]
        signer: Signer,
    },
    /// Lists the validators that were shown to have contradicted themselves, each with the log entry that shows it
    #[command(after_help = "Example:\n  lamppost validator evidence --node http://127.0.0.1:8080")]
    Evidence(Asked),
}

/// Which node is asked.
#[derive(Debug, clap::Args)]
struct Asked {
    /// The node to ask
    #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = super::NODE)]
    node: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Who approves, and which node is told.
#[derive(Debug, clap::Args)]
struct Signer {
    /// The key file of a present validator
    #[arg(long, value_name = "PEM")]
    signer: PathBuf,
    #[command(flatten)]
    asked: Asked,
}

/// Carries out the validator commands.
///
/// # Errors
/// When the key cannot be read, the node cannot be reached or the approval is refused.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.action {
        Action::List(asked) => list(&asked),
        Action::Evidence(asked) => evidence(&asked),
        Action::Add { name, key, signer } => {
            ensure!(name == key.name(), "the key is named {:?}, not {name:?}", key.name());
            approve(&signer, &name, |version| Instruction::AddValidator { version, validator: key.clone() })
        }
        Action::Remove { name, signer } => {
            let name_of = name.clone();
            approve(&signer, &name, |version| Instruction::RemoveValidator { version, name: name_of })
        }
    }
}

fn ask(client: &Client) -> anyhow::Result<Value> {
    Ok(client.json("/api/v1/validators")?)
}

/// Submits the approval of a change of the present validators, and says how many there are now.
fn approve(signer: &Signer, name: &str, instruction: impl FnOnce(u64) -> Instruction) -> anyhow::Result<()> {
    let client = Client::new(&signer.asked.node)?;
    let version = ask(&client)?.get("version").and_then(Value::as_u64);
    let instruction = instruction(version.context("the node does not say which validators decide")?);
    let change = instruction.name().as_str();
    let answer = send::submit(&client, &signer.signer, &instruction)?;
    let state = Approvals::of(&ask(&client)?, change, name);
    if signer.asked.json {
        return output::json(&json!({
            "id": answer.get("id"),
            "approved_by": state.approved_by,
            "needed": state.needed,
            "from_epoch": state.from_epoch,
        }));
    }
    output::line(output::member(&answer, "/id"))?;
    output::line(match state.from_epoch {
        Some(epoch) => format!("agreed on: it takes effect with epoch {epoch}"),
        None => state.sentence(),
    })
}

/// How far a change has come.
#[derive(Debug, PartialEq, Eq)]
struct Approvals {
    approved_by: Vec<String>,
    needed: u64,
    /// Set once it is agreed on.
    from_epoch: Option<u64>,
}

impl Approvals {
    /// What a node says of the change of this name. One that stands nowhere has taken effect meanwhile.
    fn of(said: &Value, change: &str, name: &str) -> Approvals {
        let is_it = |value: &&Value| {
            (value.get("change").and_then(Value::as_str), value.get("name").and_then(Value::as_str))
                == (Some(change), Some(name))
        };
        let scheduled = said.get("scheduled").filter(is_it);
        let proposed = list_of(said, "proposed").iter().find(is_it);
        Approvals {
            approved_by: proposed.map(names_of).unwrap_or_default(),
            needed: said.get("quorum").and_then(Value::as_u64).unwrap_or_default(),
            from_epoch: scheduled.and_then(|scheduled| scheduled.get("from_epoch")?.as_u64()),
        }
    }

    fn sentence(&self) -> String {
        let Approvals { approved_by, needed, .. } = self;
        format!("approved by {}: {} of {needed} that must", approved_by.join(", "), approved_by.len())
    }
}

fn list(asked: &Asked) -> anyhow::Result<()> {
    let said = ask(&Client::new(&asked.node)?)?;
    if asked.json {
        return output::json(&said);
    }
    let validators = list_of(&said, "validators");
    let (version, quorum) = (output::member(&said, "/version"), output::member(&said, "/quorum"));
    output::line(format!("version {version}: {} validators, {quorum} must agree", validators.len()))?;
    for validator in validators {
        output::line(format!("  {}", output::member(validator, "/vkey")))?;
    }
    for proposed in list_of(&said, "proposed") {
        let (change, name) = (output::member(proposed, "/change"), output::member(proposed, "/name"));
        let by = names_of(proposed);
        let which = output::member(proposed, "/vkey");
        let which = if which == "-" { name } else { which };
        output::line(format!(
            "{change} {which}: approved by {}, {} of {quorum} that must",
            by.join(", "),
            by.len()
        ))?;
    }
    if let Some(scheduled) = said.get("scheduled").filter(|scheduled| !scheduled.is_null()) {
        let (change, name) = (output::member(scheduled, "/change"), output::member(scheduled, "/name"));
        output::line(format!(
            "{change} {name}: agreed on, from epoch {}",
            output::member(scheduled, "/from_epoch")
        ))?;
    }
    let shown = list_of(&said, "misbehaviours").len();
    if shown > 0 {
        output::line(format!("{shown} misbehaviours on record: `lamppost validator evidence` lists them"))?;
    }
    Ok(())
}

fn evidence(asked: &Asked) -> anyhow::Result<()> {
    let said = ask(&Client::new(&asked.node)?)?;
    let shown = list_of(&said, "misbehaviours");
    if asked.json {
        return output::json(&shown);
    }
    if shown.is_empty() {
        return output::line("no validator was shown to have contradicted itself");
    }
    for one in shown {
        let member = |pointer| output::member(one, pointer);
        let what = member("/misbehaviour");
        let place = match what.as_str() {
            "checkpoints" => format!("of a log of {} entries", member("/height")),
            _ => format!("of height {}, round {}", member("/height"), member("/round")),
        };
        output::line(format!(
            "{} ({}) signed two different {what} {place}: entry {}",
            member("/name"),
            member("/public_key"),
            member("/entry_index")
        ))?;
    }
    Ok(())
}

fn list_of<'v>(said: &'v Value, name: &str) -> &'v [Value] {
    said.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn names_of(proposed: &Value) -> Vec<String> {
    let names = list_of(proposed, "approved_by").iter().filter_map(Value::as_str);
    names.map(crate::client::printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_how_many_approve_and_how_many_must() {
        let said = json!({
            "version": 1, "quorum": 3, "scheduled": null,
            "proposed": [
                {"change": "remove_validator", "name": "harbour", "approved_by": ["utility"]},
                {"change": "add_validator", "name": "harbour", "vkey": "v", "approved_by": ["city", "operator"]},
            ],
        });
        let state = Approvals::of(&said, "add_validator", "harbour");
        assert_eq!(state.sentence(), "approved by city, operator: 2 of 3 that must");
        assert_eq!(state.from_epoch, None);
    }

    #[test]
    fn a_change_that_was_agreed_on_says_when_it_takes_effect() {
        let scheduled = json!({"change": "remove_validator", "name": "harbour", "from_epoch": 7});
        let said = json!({"version": 1, "quorum": 3, "scheduled": scheduled, "proposed": []});
        assert_eq!(Approvals::of(&said, "remove_validator", "harbour").from_epoch, Some(7));
        assert_eq!(Approvals::of(&said, "remove_validator", "city").from_epoch, None);
    }
}
