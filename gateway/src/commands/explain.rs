//! `lamppost device explain`: what a device earned in an epoch and why, recomputed from the log alone.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use anyhow::{Context as _, bail, ensure};
use devices::{DeviceId, TransactionId};
use ledger::block::{Block, BlockResults};
use ledger::factor::{Factor, FactorName};
use ledger::replay::Trust;
use ledger::state::State;
use ledger::statement::Statement;
use ledger::statement_line::StatementLine;
use ledger::token::Tokens;
use serde_json::{Value, json};

use super::{output, source};
use crate::client::Client;
use crate::http::statements;

/// Says line by line why a device earned what it did in an epoch, recomputed from the log alone
///
/// Every block from genesis to the one that settled the epoch is executed again, every signature verified. With --node
/// the result is compared with what that node says.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost device explain be5de2f4bcdc383a 12 --node http://127.0.0.1:8080\n  lamppost device explain be5de2f4bcdc383a 12 --data lamppost-data"
)]
pub struct Arguments {
    /// The device's kid, 16 hex digits
    kid: DeviceId,
    /// The epoch, a closed one
    epoch: u64,
    #[command(flatten)]
    log: source::Log,
    /// Prints JSON, in the shape of the API's statements
    #[arg(long)]
    json: bool,
}

/// Recomputes the statements, prints them, and compares them where a node is asked.
///
/// # Errors
/// When the log cannot be read or does not hold, there is no such statement, or the node says something else.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let found = recompute(arguments)?;
    let shapes: Vec<Value> = found
        .statements
        .iter()
        .map(|statement| serde_json::to_value(statements::shape(statement.clone(), found.seal.to_string())))
        .collect::<Result<_, _>>()?;
    if let Some(node) = arguments.log.node() {
        compare(&Client::new(node)?, arguments, &shapes)?;
    }
    if arguments.json {
        return output::json(&json!({
            "statements": shapes,
            "blocks_executed": found.blocks,
            "compared_with": arguments.log.node(),
        }));
    }
    let mut text: String = found.statements.iter().map(explained).collect();
    let _infallible =
        write!(text, "recomputed from {} blocks of the log, each signature verified", found.blocks);
    if let Some(node) = arguments.log.node() {
        let _infallible = write!(text, "; {node} says the same to the micro-token");
    }
    output::line(text)
}

/// What the log says of a device in an epoch.
struct Found {
    statements: Vec<Statement>,
    seal: TransactionId,
    blocks: u64,
}

fn recompute(arguments: &Arguments) -> anyhow::Result<Found> {
    let (kid, epoch) = (arguments.kid, arguments.epoch);
    let source = arguments.log.open()?;
    let mut state: Option<State> = None;
    let (mut found, mut blocks) = (None, 0_u64);
    source.each(source.promised()?, |located| {
        let results = execute(&mut state, &source, &located.block)
            .with_context(|| format!("{} does not hold", located.place))?;
        blocks += 1;
        let settled = results.settlement.is_some_and(|settlement| settlement.last_epoch >= epoch);
        if !settled {
            return Ok(ControlFlow::Continue(()));
        }
        found = Some((results.statements, TransactionId(located.block.seal.id())));
        Ok(ControlFlow::Break(()))
    })?;
    let known = state.as_ref().is_some_and(|state| state.device(kid).is_some());
    let Some((mut statements, seal)) = found else {
        let running = state.as_ref().map_or(0, State::epoch);
        bail!("epoch {epoch} is not settled in this log yet: epoch {running} is running");
    };
    statements.retain(|statement| statement.kid == kid && statement.epoch == epoch);
    ensure!(known, "no device {kid} was enrolled when epoch {epoch} was settled");
    ensure!(
        !statements.is_empty(),
        "device {kid} has no statement of epoch {epoch}: nothing was accepted from it in that epoch"
    );
    Ok(Found { statements, seal, blocks })
}

/// Executes a block on the state that the ones before it led to.
pub(super) fn execute(
    state: &mut Option<State>,
    source: &source::Source,
    block: &Block,
) -> anyhow::Result<BlockResults> {
    let Some(state) = state else {
        let (genesis, results) = State::replay_genesis(&source.genesis, block)?;
        *state = Some(genesis);
        return Ok(results);
    };
    Ok(state.replay(block, Trust::Nothing)?)
}

/// Every member must be the same: each factor, count and amount, not the sum alone.
fn compare(client: &Client, arguments: &Arguments, recomputed: &[Value]) -> anyhow::Result<()> {
    let (kid, epoch) = (arguments.kid, arguments.epoch);
    let from = recomputed.first().map(|statement| output::member(statement, "/from")).unwrap_or_default();
    let to = recomputed.first().map(|statement| output::member(statement, "/to")).unwrap_or_default();
    let said = client.json(&format!("/api/v1/devices/{kid}/statements?from={from}&to={to}"))?;
    let mut said = said.as_array().cloned().unwrap_or_default();
    // The node gives the newest first; within an epoch that is another order than the settlement's.
    said.sort_by_key(|statement| output::member(statement, "/payee"));
    let mut recomputed = recomputed.to_vec();
    recomputed.sort_by_key(|statement| output::member(statement, "/payee"));
    let paid = |statements: &[Value]| -> Vec<String> {
        statements.iter().map(|statement| output::member(statement, "/paid/microtokens")).collect()
    };
    ensure!(
        said == recomputed,
        "{} says something else of device {kid} in epoch {epoch} than its log gives: it says {} micro-tokens, the log \
         gives {}",
        client.url(),
        paid(&said).join(" and "),
        paid(&recomputed).join(" and ")
    );
    Ok(())
}

/// A statement in words, every step on a line of its own with what it leaves.
fn explained(statement: &Statement) -> String {
    let mut text = String::new();
    let owner = if statement.owner.is_some() { "its owner" } else { "its escrow, until somebody claims it" };
    let lines = [
        format!(
            "device {}, epoch {}, tariff version {}",
            statement.kid, statement.epoch, statement.tariff_version
        ),
        format!("paid {} tokens to {} ({owner})", Tokens(statement.paid_microtokens), statement.payee),
        String::new(),
    ];
    lines.iter().for_each(|line| push(&mut text, line));
    statement.lines.iter().for_each(|line| push_line(&mut text, line));
    step(&mut text, "due: the sum of the lines", statement.due_microtokens);
    let share = &statement.cell_share;
    let after_cell = statement.due_microtokens.saturating_sub(share.withheld_microtokens);
    if share.withheld_microtokens > 0 {
        let formula = format!(
            "{} × {} ÷ {} micro-tokens, rounded down",
            statement.due_microtokens, share.budget_microtokens, share.due_total_microtokens
        );
        push(&mut text, &share.to_string());
        step(&mut text, &formula, after_cell);
    } else {
        push(&mut text, &format!("{share}: nothing is cut"));
    }
    if let Some(scale) = &statement.pool_scale {
        let formula = format!(
            "{after_cell} × {} ÷ {} micro-tokens, rounded down",
            scale.pool_microtokens, scale.due_total_microtokens
        );
        push(&mut text, &scale.to_string());
        step(&mut text, &formula, statement.paid_microtokens);
    } else {
        push(&mut text, "the pool held enough for all: nothing is cut");
    }
    step(&mut text, "paid", statement.paid_microtokens);
    push(&mut text, "");
    text
}

fn push_line(text: &mut String, line: &StatementLine) {
    let quantity = if line.quantity.is_empty() { "other quantities" } else { &line.quantity };
    let unit = line.unit.as_ref().map(|unit| format!(" in {unit}")).unwrap_or_default();
    push(
        text,
        &crate::client::printable(&format!("{quantity}{unit}: {} records accepted", line.accepted_records)),
    );
    let price = Tokens(line.price_microtokens);
    step(text, &format!("  {} records × {price}", line.paid_records), line.base_microtokens);
    if let Some(reason) = line.reason {
        push(text, &format!("    because {reason}"));
    }
    line.factors.iter().for_each(|factor| push_factor(text, factor));
}

fn push_factor(text: &mut String, factor: &Factor) {
    let share = format!("{}.{:03}", factor.permille / 1_000, factor.permille % 1_000);
    // Freshness counts thousandths of records, because a late one counts for a part.
    let unit = if factor.name == FactorName::Freshness { " thousandths of records" } else { "" };
    let counts = format!("{} of {}{unit}", factor.numerator, factor.denominator);
    step(text, &format!("  × {share} {}: {counts}", factor.name), factor.amount_microtokens);
    if let Some(cut) = factor.cut {
        push(text, &format!("    because {cut}"));
    }
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// A step and the amount that it leaves, in a column of its own.
fn step(text: &mut String, what: &str, microtokens: u64) {
    push(text, &format!("{what:<60}{:>16}", Tokens(microtokens).to_string()));
}
