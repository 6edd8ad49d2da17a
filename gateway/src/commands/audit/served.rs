//! What a node says, compared with what its log gives: every statement, every balance, every tariff.
//!
//! The node goes on while it is asked, so its log is executed further until it covers every answer: a balance must be
//! one that the account had at some block since.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use anyhow::{Context as _, bail, ensure};
use devices::DeviceId;
use ledger::account::AccountId;
use ledger::replay::Trust;
use ledger::state::State;
use serde_json::Value;

use super::Source;
use crate::audit::{Audit, Kept, KeptStatement};
use crate::client::Client;
use crate::commands::output::member;
use crate::http::statements;
use crate::limits::{AUDIT_ACCOUNTS_MAX, QUERY_ITEMS_MAX};

/// How much of what a node says was compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Statements, each with all its lines and factors.
    pub statements: u64,
    /// Statements that were recomputed, but are too many or too old to be asked for.
    pub statements_left: u64,
    /// Balances.
    pub accounts: u64,
    /// Accounts that are too many to be asked for.
    pub accounts_left: u64,
    /// Versions of the tariff.
    pub tariffs: u64,
}

/// Compares; `state` is what the log gave up to the source's checkpoint.
///
/// # Errors
/// The first amount that differs.
pub fn compare(client: &Client, source: &Source, state: State, kept: &Kept) -> anyhow::Result<Compared> {
    let mut compared = Compared { statements_left: kept.forgotten(), ..Compared::default() };
    compare_tariffs(client, &state, &mut compared)?;
    compare_statements(client, &state, kept, &mut compared)?;
    compare_balances(client, source, state, &mut compared)?;
    Ok(compared)
}

fn compare_tariffs(client: &Client, state: &State, compared: &mut Compared) -> anyhow::Result<()> {
    let said = client.json("/api/v1/tariffs")?;
    let said = said.as_array().context("the node gave no list of tariffs")?;
    for version in state.tariffs().versions() {
        let number = version.tariff.version;
        let found = said.iter().find(|said| said["version"] == number);
        let found =
            found.with_context(|| format!("{} does not know tariff {number}, its log does", client.url()))?;
        let given = serde_json::json!({"from_epoch": version.from_epoch, "tariff": version.tariff});
        let found = serde_json::json!({"from_epoch": found["from_epoch"], "tariff": found["tariff"]});
        same(client, &format!("tariff {number}"), &found, &given)?;
        compared.tariffs += 1;
    }
    Ok(())
}

fn compare_statements(
    client: &Client,
    state: &State,
    kept: &Kept,
    compared: &mut Compared,
) -> anyhow::Result<()> {
    let mut by_device: BTreeMap<DeviceId, Vec<&KeptStatement>> = BTreeMap::new();
    kept.statements().for_each(|kept| by_device.entry(kept.statement.kid).or_default().push(kept));
    for (kid, given) in by_device {
        let said = client.json(&format!("/api/v1/devices/{kid}/statements?limit={QUERY_ITEMS_MAX}"))?;
        let said = said.as_array().context("the node gave no list of statements")?;
        let name = |said: &Value| (said["epoch"].as_u64(), said["payee"].as_str().map(str::to_owned));
        let mut said_by: HashMap<_, &Value> = said.iter().map(|said| (name(said), said)).collect();
        for KeptStatement { statement, seal } in given {
            let what = format!("the statement of device {kid} in epoch {}", statement.epoch);
            let shape = serde_json::to_value(statements::shape(statement.clone(), seal.to_string()))?;
            match said_by.remove(&name(&shape)) {
                Some(said) => same(client, &what, said, &shape)?,
                // A list that is full ends before the oldest ones.
                None if said.len() >= QUERY_ITEMS_MAX => {
                    compared.statements_left += 1;
                    continue;
                }
                None => bail!(
                    "{} does not tell of {what}: the log gives {} micro-tokens",
                    client.url(),
                    statement.paid_microtokens
                ),
            }
            compared.statements += 1;
        }
        // What is left was settled after the checkpoint, or before what was kept, or never.
        let invented = said_by.values().find(|said| {
            let index = said["seal"]["index"].as_u64().unwrap_or(0);
            index < state.log_size() && kept.forgotten() == 0
        });
        if let Some(invented) = invented {
            bail!(
                "{} tells of a statement of device {kid} in epoch {} that its log does not give",
                client.url(),
                member(invented, "/epoch")
            );
        }
    }
    Ok(())
}

/// Everything that came in and went out.
type Posted = (u128, u128);

fn compare_balances(
    client: &Client,
    source: &Source,
    mut state: State,
    compared: &mut Compared,
) -> anyhow::Result<()> {
    let mut history: BTreeMap<AccountId, Vec<Posted>> = state
        .accounts()
        .take(AUDIT_ACCOUNTS_MAX)
        .map(|(id, account)| (id, vec![(account.credits_posted, account.debits_posted)]))
        .collect();
    compared.accounts_left = (state.accounts().count() - history.len()) as u64;
    let mut said = Vec::with_capacity(history.len());
    for id in history.keys() {
        said.push((*id, client.json(&format!("/api/v1/accounts/{id}"))?));
    }
    follow(source, &mut state, &mut history)?;
    for (id, said) in said {
        let sum = |name: &str| said[name].as_str().and_then(|sum| sum.parse::<u128>().ok());
        let posted = sum("credits_posted_microtokens").zip(sum("debits_posted_microtokens"));
        let posted = posted.with_context(|| format!("the node gave no sums of account {id}"))?;
        let had = history.get(&id).map(Vec::as_slice).unwrap_or_default();
        let last = had.last().copied().unwrap_or_default();
        ensure!(
            had.contains(&posted),
            "{} says of account {id} that {} micro-tokens came in and {} went out, the log gives {} and {}",
            client.url(),
            posted.0,
            posted.1,
            last.0,
            last.1
        );
        let balance = member(&said, "/balance/posted/microtokens");
        ensure!(
            balance == posted.0.abs_diff(posted.1).to_string(),
            "{} says that account {id} holds {balance} micro-tokens, the log gives {}",
            client.url(),
            posted.0.abs_diff(posted.1)
        );
        compared.accounts += 1;
    }
    Ok(())
}

/// Executes what the log has gained since, and notes every sum that an account had at a block's end.
fn follow(
    source: &Source,
    state: &mut State,
    history: &mut BTreeMap<AccountId, Vec<Posted>>,
) -> anyhow::Result<()> {
    let Some((checkpoint, handovers)) = source.present_checkpoint()? else { return Ok(()) };
    let size = Audit::new(source.genesis.clone(), &handovers, &checkpoint)?.promised();
    ensure!(size >= state.log_size(), "the node's log has become shorter while it was audited");
    source.each_after(state.log_size(), size, |located| {
        let results = state
            .replay(&located.block, Trust::Nothing)
            .with_context(|| format!("{} does not hold", located.place))?;
        for record in &results.transfers {
            for id in [record.transfer.debit, record.transfer.credit] {
                if let (Some(had), Some(account)) = (history.get_mut(&id), state.account(id)) {
                    had.push((account.credits_posted, account.debits_posted));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// Every member must be the same; the first one that is not is named.
fn same(client: &Client, what: &str, said: &Value, given: &Value) -> anyhow::Result<()> {
    match first_difference(said, given, String::new()) {
        None => Ok(()),
        Some((member, said, given)) => {
            let (member, said) = (member.trim_start_matches('/'), crate::client::printable(&said));
            bail!("{} says of {what} that {member} is {said}, the log gives {given}", client.url())
        }
    }
}

/// Where two documents differ first, and what each has there.
fn first_difference(said: &Value, given: &Value, path: String) -> Option<(String, String, String)> {
    match (said, given) {
        (Value::Object(said), Value::Object(given)) => {
            let nothing = Value::Null;
            let names = given.keys().chain(said.keys().filter(|name| !given.contains_key(*name)));
            names.into_iter().find_map(|name| {
                let (said, given) = (said.get(name).unwrap_or(&nothing), given.get(name).unwrap_or(&nothing));
                first_difference(said, given, format!("{path}/{name}"))
            })
        }
        (Value::Array(said), Value::Array(given)) if said.len() == given.len() => said
            .iter()
            .zip(given)
            .enumerate()
            .find_map(|(at, (said, given))| first_difference(said, given, format!("{path}/{at}"))),
        _ if said == given => None,
        _ => Some((path, said.to_string(), given.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_member_that_differs_is_named() {
        let given = json!({"paid": {"microtokens": "5"}, "lines": [{"amount": 1}, {"amount": 2}]});
        assert_eq!(first_difference(&given, &given, String::new()), None);
        let mut said = given.clone();
        said["lines"][1]["amount"] = 3.into();
        let found = first_difference(&said, &given, String::new()).unwrap();
        assert_eq!(found, ("/lines/1/amount".to_owned(), "3".to_owned(), "2".to_owned()));
        let mut said = given.clone();
        said["more"] = true.into();
        assert_eq!(first_difference(&said, &given, String::new()).unwrap().0, "/more");
        said = json!({"paid": {"microtokens": "5"}, "lines": []});
        assert_eq!(first_difference(&said, &given, String::new()).unwrap().0, "/lines");
    }
}
