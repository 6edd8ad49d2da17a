//! `lamppost tariff`: shows what is paid for, checks a new tariff, and says what it would have changed.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Subcommand;
use ledger::state::State;
use ledger::tariff::Tariff;
use ledger::token::Tokens;
use serde_json::{Value, json};

use super::{explain, output, source};
use crate::client::Client;
use crate::dry_run::{self, Comparison, Pay};
use crate::limits::{DRY_RUN_EPOCHS_MAX, NAMED_FILE_BYTES_MAX};
use crate::shared::epoch_at;

/// Shows what is paid for, checks a new tariff, and says what it would have changed
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lamppost tariff show\n  lamppost tariff show --json > new.json")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Shows the tariff in force, or another version
    #[command(after_help = "Example:\n  lamppost tariff show\n  lamppost tariff show 1 --json")]
    Show {
        /// The version's number; the one in force when absent
        number: Option<u32>,
        /// The node to ask
        #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = super::NODE)]
        node: String,
        /// Prints the tariff's JSON, as `tariff check`, `tariff dry-run` and `send tariff` read it
        #[arg(long)]
        json: bool,
    },
    /// Checks a tariff's JSON: every bound, and with --node also that its version follows
    #[command(after_help = "Example:\n  lamppost tariff check new.json --node http://127.0.0.1:8080")]
    Check {
        /// The tariff's JSON
        file: PathBuf,
        /// The node whose tariff it would follow
        #[arg(long, value_name = "URL")]
        node: Option<String>,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    DryRun(DryRun),
}

/// Says what every owner would have earned by another tariff, and the difference, without adopting it
///
/// The log is executed again from genesis. Each epoch is settled twice, by its own tariff and by the new one, both times
/// from the pool as it was before that epoch.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost tariff dry-run new.json --epochs 10..20 --node http://127.0.0.1:8080\n  lamppost tariff dry-run new.json --epochs 10..20 --data lamppost-data --json"
)]
struct DryRun {
    /// The new tariff's JSON
    file: PathBuf,
    /// The closed epochs, first and last, both included; or one alone
    #[arg(long, value_name = "A..B", value_parser = epochs)]
    epochs: RangeInclusive<u64>,
    #[command(flatten)]
    log: source::Log,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Carries out the tariff commands.
///
/// # Errors
/// When a file or the node fails, or the tariff does not hold.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.action {
        Action::Show { number, node, json } => show(&Client::new(&node)?, number, json),
        Action::Check { file, node, json } => check(&file, node.as_deref(), json),
        Action::DryRun(dry_run) => dry_run.run(),
    }
}

/// Reads a tariff's JSON and checks every bound of it.
///
/// # Errors
/// When the file cannot be read, or the first bound that is exceeded.
pub fn read(file: &Path) -> anyhow::Result<Tariff> {
    let text = String::from_utf8(super::read_file(file, NAMED_FILE_BYTES_MAX)?)
        .with_context(|| format!("{} is no text", file.display()))?;
    Tariff::from_json(&text).with_context(|| format!("{} does not hold", file.display()))
}

fn show(client: &Client, version: Option<u32>, as_json: bool) -> anyhow::Result<()> {
    let said = match version {
        Some(version) => client.json(&format!("/api/v1/tariffs/{version}"))?,
        None => in_force(client)?,
    };
    let tariff = said.get("tariff").context("the node says no tariff")?;
    if as_json {
        return output::json(tariff);
    }
    let member = |pointer: &str| output::member(tariff, pointer);
    let mut text = format!(
        "version {}, {}, from epoch {} ({})\n",
        member("/version"),
        output::member(&said, "/status").replace('_', " "),
        output::member(&said, "/from_epoch"),
        output::member(&said, "/from")
    );
    for (name, value) in tariff.as_object().into_iter().flatten().filter(|(_, value)| !value.is_array()) {
        text.push_str(&format!("{:<28}{}\n", name.replace('_', " "), output::member(value, "")));
    }
    for quantity in tariff.get("quantities").and_then(Value::as_array).into_iter().flatten() {
        text.push_str(&format!(
            "\n{} in {}\n",
            output::member(quantity, "/name"),
            output::member(quantity, "/unit")
        ));
        let rest = quantity.as_object().into_iter().flatten();
        for (name, value) in rest.filter(|(name, _)| !["name", "unit"].contains(&name.as_str())) {
            let value = match value {
                Value::Object(_) => value.to_string().replace(['{', '}', '"'], "").replace(',', ", "),
                _ => output::member(value, ""),
            };
            text.push_str(&format!("  {:<26}{}\n", name.replace('_', " "), crate::client::printable(&value)));
        }
    }
    output::text(&text)
}

/// The node's tariff that holds now.
fn in_force(client: &Client) -> anyhow::Result<Value> {
    let tariffs = client.json("/api/v1/tariffs")?;
    let mut all = tariffs.as_array().into_iter().flatten();
    let found = all.find(|one| one.get("status").and_then(Value::as_str) == Some("in_force"));
    Ok(found.context("the node says no tariff that is in force")?.clone())
}

fn check(file: &Path, node: Option<&str>, as_json: bool) -> anyhow::Result<()> {
    let tariff = read(file)?;
    if let Some(node) = node {
        let tariffs = Client::new(node)?.json("/api/v1/tariffs")?;
        let newest = tariffs.as_array().and_then(|all| all.last()).context("the node says no tariff")?;
        let next = newest.get("version").and_then(Value::as_u64).unwrap_or(0).saturating_add(1);
        ensure!(
            output::member(newest, "/status") != "pending",
            "version {} is waiting for the next epoch: until then none can be set",
            output::member(newest, "/version")
        );
        ensure!(
            u64::from(tariff.version) == next,
            "{} says version {}, but version {next} follows",
            file.display(),
            tariff.version
        );
    }
    if as_json {
        return output::json(&json!({"version": tariff.version, "quantities": tariff.quantities.len()}));
    }
    output::line(format!("version {} with {} quantities holds", tariff.version, tariff.quantities.len()))
}

fn epochs(text: &str) -> Result<RangeInclusive<u64>, String> {
    let sentence = || format!("\"{text}\" is no range of epochs: write 10..20, or 10 alone");
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| sentence());
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (number(first)?, number(last.trim_start_matches('='))?),
        None => (number(text)?, number(text)?),
    };
    if first > last {
        return Err(format!("\"{text}\" ends before it begins"));
    }
    if last - first >= DRY_RUN_EPOCHS_MAX {
        return Err(format!("a dry run settles at most {DRY_RUN_EPOCHS_MAX} epochs"));
    }
    Ok(first..=last)
}

impl DryRun {
    fn run(self) -> anyhow::Result<()> {
        let tariff = read(&self.file)?;
        let comparison = self.compare(&tariff)?;
        if self.json { self.print_json(&comparison) } else { self.print(&tariff, &comparison) }
    }

    fn compare(&self, tariff: &Tariff) -> anyhow::Result<Comparison> {
        let source = self.log.open()?;
        let last = *self.epochs.end();
        let mut dry_run = dry_run::DryRun::new(tariff.clone(), self.epochs.clone());
        let mut state: Option<State> = None;
        source.each(source.promised()?, |located| {
            let block = &located.block;
            let epoch = epoch_at(&source.genesis, block.seal.time_unix_milliseconds);
            dry_run.take(&mut state, epoch, block, |state| {
                explain::execute(state, &source, block)
                    .with_context(|| format!("{} does not hold", located.place))
            })
        })?;
        let running = state.as_ref().map_or(0, State::epoch);
        if running <= last {
            bail!("epoch {last} is not settled in this log yet: epoch {running} is running");
        }
        Ok(dry_run.finish())
    }

    fn print_json(&self, comparison: &Comparison) -> anyhow::Result<()> {
        let pay = |pay: &Pay| {
            json!({
                "paid_microtokens": pay.was_microtokens.to_string(),
                "would_be_paid_microtokens": pay.would_be_microtokens.to_string(),
                "difference_microtokens": pay.difference_microtokens(),
            })
        };
        let payees = comparison.payees.iter().map(|(payee, one)| {
            let mut said = pay(one);
            said["account"] = payee.to_string().into();
            said
        });
        output::json(&json!({
            "first_epoch": self.epochs.start(),
            "last_epoch": self.epochs.end(),
            "payees": payees.collect::<Vec<_>>(),
            "total": pay(&comparison.total()),
        }))
    }

    fn print(&self, tariff: &Tariff, comparison: &Comparison) -> anyhow::Result<()> {
        let (first, last) = (self.epochs.start(), self.epochs.end());
        let mut text =
            format!("epochs {first} to {last} by {} (version {})\n\n", self.file.display(), tariff.version);
        let mut row = |name: &str, was: &str, would_be: &str, difference: &str| {
            text.push_str(&format!("{name:<64}{was:>18}{would_be:>18}{difference:>18}\n"));
        };
        row("account", "paid", "would be paid", "difference");
        let tokens = |amount: u64| Tokens(amount).to_string();
        for (payee, pay) in &comparison.payees {
            let (was, would_be) = (tokens(pay.was_microtokens), tokens(pay.would_be_microtokens));
            row(&payee.to_string(), &was, &would_be, &pay.difference());
        }
        let total = comparison.total();
        let (was, would_be) = (tokens(total.was_microtokens), tokens(total.would_be_microtokens));
        row("all", &was, &would_be, &total.difference());
        output::text(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_epochs_includes_both_its_ends() {
        assert_eq!(epochs("3..7"), Ok(3..=7));
        assert_eq!(epochs("3..=7"), Ok(3..=7));
        assert_eq!(epochs("5"), Ok(5..=5));
        for bad in ["", "..", "7..3", "a..b", "-1..2", "3...7", "0..99999999"] {
            assert!(epochs(bad).is_err(), "{bad}");
        }
    }
}
