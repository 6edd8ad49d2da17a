//! `lamppost audit`: recomputes everything from genesis, from a data directory or over a node's tiles.

mod served;

use std::io::{IsTerminal as _, Write as _, stderr};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use ledger::evidence::MisbehaviourKind;
use ledger::genesis::Genesis;
use ledger::note::VerifierKey;
use ledger::state::State;
use ledger::succession::Misbehaviour;
use ledger::token::Tokens;
use serde_json::json;

use super::output;
use super::source::{self, Source};
use crate::audit::{Audit, Findings, Kept, PrunedAudit, StoredStates};
use crate::client::Client;
use crate::clock;
use crate::http::instant::rfc3339;
use crate::log::LogReader;
use served::Compared;

/// Executes the whole log again from genesis and names the first entry that differs
///
/// Every signature is verified, every root, settlement and statement computed anew. A data directory's snapshots are
/// compared with it, and what a node says: its statements, balances and tariffs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost audit --data lamppost-data\n  lamppost audit --node http://127.0.0.1:8080 --genesis genesis.json"
)]
pub struct Arguments {
    #[command(flatten)]
    log: source::Log,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Audits and says what was recomputed.
///
/// # Errors
/// The first thing that differs, in one sentence.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let began = clock::monotonic();
    let mut progress = Progress::new();
    let source = arguments.log.open()?;
    let (findings, state, kept) = audit(&source, &mut progress)?;
    progress.clear();
    let misbehaviour = misbehaviour(&state);
    let compared = match arguments.log.node() {
        Some(node) => Some(served::compare(&Client::new(node)?, &source, state, &kept)?),
        None => None,
    };
    report(&findings, &misbehaviour, compared, began.elapsed(), arguments.json)
}

/// Audits a data directory.
///
/// # Errors
/// The first thing that differs.
pub fn audit_directory(
    data: &Path,
    believed: Option<Genesis>,
    progress: &mut Progress,
) -> anyhow::Result<Findings> {
    Ok(audit(&Source::directory(data, believed)?, progress)?.0)
}

/// Audits what stays before the base of a pruned log.
fn audit_pruned(log: &LogReader, genesis: &Genesis, base_state: &[u8]) -> anyhow::Result<PrunedAudit> {
    let mut audit = PrunedAudit::new(genesis, base_state)?;
    for step in log.history() {
        let (position, block) = step?;
        let leaves = log.pruned_leaves(audit.next_index(), block.entries.len() + 1)?;
        let place = format!("{} at byte {}", log.path(position.segment).display(), position.offset);
        audit.take(&place, &block, &leaves)?;
    }
    Ok(audit)
}

/// Audits a node by its tlog-tiles, and then what it says.
///
/// # Errors
/// The first thing that differs, or that the node cannot be reached.
pub fn audit_node(
    client: &Client,
    believed: Option<Genesis>,
    progress: &mut Progress,
) -> anyhow::Result<Findings> {
    let source = Source::node(client.clone(), believed)?;
    let (findings, state, kept) = audit(&source, progress)?;
    served::compare(client, &source, state, &kept)?;
    Ok(findings)
}

fn audit(source: &Source, progress: &mut Progress) -> anyhow::Result<(Findings, State, Kept)> {
    let mut audit = Audit::new(source.genesis.clone(), &source.handovers, &source.checkpoint)?;
    audit = match source.snapshots() {
        // A node's tiles hold the log alone: what lies beside its blocks is seen in a directory only.
        Some(snapshots) => audit.with_stored(StoredStates::of(snapshots)).with_certificates(),
        None => audit.keeping_statements(),
    };
    if let Some(log) = source.pruned()
        && let Some(state) = log.base_state()?
    {
        audit.begin_behind(audit_pruned(log, &source.genesis, &state)?)?;
    }
    let read = source.each_whole(audit.promised(), |located| {
        audit.take(located)?;
        progress.show(audit.findings(), audit.promised());
        Ok(ControlFlow::Continue(()))
    });
    if read.is_err() {
        // What was read before may differ before the place where nothing more can be read.
        audit.catch_up()?;
    }
    read?;
    Ok(audit.finish_with_state()?)
}

/// What the log shows of validators that contradicted themselves, a sentence each.
fn misbehaviour(state: &State) -> Vec<String> {
    let sentence = |shown: &Misbehaviour| {
        let name = state.handovers().known(&shown.validator).map_or("a former validator", VerifierKey::name);
        let (what, place) = match shown.kind {
            MisbehaviourKind::Prevotes => ("prevoted twice", "at height"),
            MisbehaviourKind::Precommits => ("precommitted twice", "at height"),
            MisbehaviourKind::Proposals => ("proposed twice", "at height"),
            MisbehaviourKind::Checkpoints => ("signed two roots", "of a log of size"),
        };
        let Misbehaviour { height, round, entry_index, .. } = shown;
        let round = if shown.kind == MisbehaviourKind::Checkpoints {
            String::new()
        } else {
            format!(", round {round}")
        };
        format!("{name} {what} {place} {height}{round}: entry {entry_index}")
    };
    state.misbehaviours().iter().map(sentence).collect()
}

fn report(
    findings: &Findings,
    misbehaviour: &[String],
    compared: Option<Compared>,
    elapsed: Duration,
    as_json: bool,
) -> anyhow::Result<()> {
    let paid = findings.paid_microtokens;
    if as_json {
        return output::json(&json!({
            "blocks": findings.blocks,
            "entries": findings.entries,
            "readings": findings.readings,
            "instructions": findings.instructions,
            "settled_epochs": findings.settled_epochs,
            "statements": findings.statements,
            "paid_microtokens": paid.to_string(),
            "issued_microtokens": findings.issued_microtokens.to_string(),
            "root": hex::encode(findings.root),
            "pruned": findings.pruned.map(|pruned| json!({
                "blocks": pruned.blocks,
                "entries": pruned.entries,
                "erased_readings": pruned.erased_readings,
                "instructions": pruned.instructions,
                "statements": pruned.statements,
                "paid_microtokens": pruned.paid_microtokens.to_string(),
                "settled_epochs": pruned.settled_epochs,
                "time": rfc3339(pruned.time_unix_milliseconds),
            })),
            "stored_states": findings.stored_states,
            "certificates": findings.certificates,
            "misbehaviour": misbehaviour,
            "compared": compared.map(|compared| json!({
                "statements": compared.statements,
                "statements_left": compared.statements_left,
                "accounts": compared.accounts,
                "accounts_left": compared.accounts_left,
                "tariffs": compared.tariffs,
            })),
            "milliseconds": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        }));
    }
    if let Some(pruned) = &findings.pruned {
        output::line(format!(
            "pruned before {}: the hashes of {} entries lead to every root, {} statements and {} instructions hold; no \
             longer verifiable: the signatures of {} erased readings, and what they earned",
            rfc3339(pruned.time_unix_milliseconds),
            pruned.entries,
            pruned.statements,
            pruned.instructions,
            pruned.erased_readings
        ))?;
    }
    let paid = Tokens(u64::try_from(paid).unwrap_or(u64::MAX));
    output::line(format!(
        "everything holds: {} blocks with {} entries, {} readings and {} instructions, each signature verified",
        findings.blocks, findings.entries, findings.readings, findings.instructions
    ))?;
    output::line(format!(
        "{} statements of {} epochs paid {paid} tokens of {} issued; root {}",
        findings.statements,
        findings.settled_epochs,
        Tokens(findings.issued_microtokens),
        hex::encode(findings.root)
    ))?;
    if findings.stored_states > 0 {
        output::line(format!("{} stored states are what the log gives", findings.stored_states))?;
    }
    if findings.certificates > 0 {
        output::line(format!(
            "{} blocks were decided by more than two thirds of the validators of their height",
            findings.certificates
        ))?;
    }
    misbehaviour.iter().try_for_each(|sentence| output::line(format!("misbehaviour: {sentence}")))?;
    let Some(compared) = compared else { return Ok(()) };
    output::line(format!(
        "the node says the same of {} statements, {} balances and {} tariffs",
        compared.statements, compared.accounts, compared.tariffs
    ))?;
    if compared.statements_left + compared.accounts_left > 0 {
        output::line(format!(
            "not asked for, because they are too many: {} statements, {} balances",
            compared.statements_left, compared.accounts_left
        ))?;
    }
    Ok(())
}

/// A line on a terminal that says how far it is; silent elsewhere.
#[derive(Debug)]
pub struct Progress {
    on: bool,
    last: Instant,
}

impl Progress {
    /// A line on stderr, where that is a terminal.
    pub fn new() -> Progress {
        Progress { on: stderr().is_terminal(), last: clock::monotonic() }
    }

    fn show(&mut self, findings: &Findings, promised: u64) {
        if !self.on || self.last.elapsed() < Duration::from_millis(100) {
            return;
        }
        self.last = clock::monotonic();
        let percent = findings.entries.saturating_mul(100).checked_div(promised).unwrap_or(100).min(100);
        let _terminal = write!(stderr(), "\r{percent:>3} %  {} of {promised} entries", findings.entries);
    }

    fn clear(&mut self) {
        if self.on {
            let _terminal = write!(stderr(), "\r\x1b[K");
        }
    }
}

impl Default for Progress {
    fn default() -> Progress {
        Progress::new()
    }
}
