//! `lamppost send`: signs an account's instruction and submits it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use devices::limits::INSTRUCTION_BYTES_MAX;
use devices::{SigningKey, sign_instruction};
use ledger::account::AccountId;
use ledger::instruction::Instruction;
use ledger::token::Tokens;
use serde_json::Value;

use super::{output, tariff};
use crate::client::{Client, ClientError};
use crate::{clock, keys};

/// Signs and submits an account's instruction
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lamppost send transfer --to lamp1… --amount 12.5 --key owner.pem")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Moves tokens from the key's account to another
    #[command(
        after_help = "Example:\n  lamppost send transfer --to lamp1… --amount 12.5 --memo \"for the street lamp\" --key owner.pem"
    )]
    Transfer {
        /// Who gets them
        #[arg(long, value_name = "ACCOUNT")]
        to: AccountId,
        /// How many tokens, with at most six decimals
        #[arg(long, value_name = "TOKENS")]
        amount: Tokens,
        /// A word to the receiver, public on the ledger
        #[arg(long, value_name = "TEXT")]
        memo: Option<String>,
        #[command(flatten)]
        signer: Signer,
    },
    /// Issues new tokens; the treasury's key must sign
    #[command(
        after_help = "Example:\n  lamppost send issue --to lamp1… --amount 1000 --key lamppost-data/keys/treasury.pem"
    )]
    Issue {
        /// Who gets them
        #[arg(long, value_name = "ACCOUNT")]
        to: AccountId,
        /// How many tokens, with at most six decimals
        #[arg(long, value_name = "TOKENS")]
        amount: Tokens,
        #[command(flatten)]
        signer: Signer,
    },
    /// Sets an entry right by a new one that names it; the operator's key must sign
    ///
    /// Both stay on the ledger. At most what an account was paid as rewards can be taken back from it.
    #[command(
        after_help = "Example:\n  lamppost send correct --entry 4711 --from lamp1… --amount 0.25 --why \"the sensor stood indoors\" --key lamppost-data/keys/operator.pem"
    )]
    Correct {
        /// The entry that is set right: its index in the log
        #[arg(long, value_name = "INDEX")]
        entry: u64,
        #[command(flatten)]
        side: CorrectedSide,
        /// How many tokens, with at most six decimals
        #[arg(long, value_name = "TOKENS")]
        amount: Tokens,
        /// Why, in words that stay on the ledger
        #[arg(long, value_name = "TEXT")]
        why: String,
        #[command(flatten)]
        signer: Signer,
    },
    /// Announces the next version of the tariff, in force from the next epoch on; the operator's key must sign
    #[command(
        after_help = "Example:\n  lamppost tariff dry-run new.json --epochs 10..20 --node http://127.0.0.1:8080\n  lamppost send tariff new.json --key lamppost-data/keys/operator.pem"
    )]
    Tariff {
        /// The tariff's JSON; its version is the newest one's and one
        file: PathBuf,
        #[command(flatten)]
        signer: Signer,
    },
}

/// Which account is corrected; the other side is the pool.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct CorrectedSide {
    /// Takes rewards back from this account into the pool
    #[arg(long, value_name = "ACCOUNT")]
    from: Option<AccountId>,
    /// Pays this account out of the pool
    #[arg(long, value_name = "ACCOUNT")]
    to: Option<AccountId>,
}

/// Who signs, and which node is told.
#[derive(Debug, clap::Args)]
struct Signer {
    /// The key file that signs
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    /// The node to submit to
    #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = super::NODE)]
    node: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Signs and submits it, and waits until it is durable.
///
/// # Errors
/// When the key cannot be read, the node cannot be reached or the instruction is refused.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (instruction, signer) = match arguments.action {
        Action::Transfer { to, amount, memo, signer } => {
            (Instruction::Transfer { to, amount_microtokens: amount.0, memo }, signer)
        }
        Action::Issue { to, amount, signer } => {
            (Instruction::Issue { to, amount_microtokens: amount.0 }, signer)
        }
        Action::Correct { entry, side, amount, why, signer } => {
            let pool = AccountId::pool(&network(&Client::new(&signer.node)?)?);
            let (from, to) = (side.from.unwrap_or(pool), side.to.unwrap_or(pool));
            let amount_microtokens = amount.0;
            (Instruction::Correct { entry_index: entry, from, to, amount_microtokens, why }, signer)
        }
        Action::Tariff { file, signer } => (Instruction::SetTariff { tariff: tariff::read(&file)? }, signer),
    };
    let client = Client::new(&signer.node)?;
    let answer = submit(&client, &signer.key, &instruction)?;
    if signer.json { output::json(&answer) } else { output::line(output::member(&answer, "/id")) }
}

/// Signs an instruction with the key in `key_file`, submits it and waits until it is durable.
///
/// # Errors
/// When the key cannot be read, the node cannot be reached or the instruction is refused.
pub fn submit(client: &Client, key_file: &Path, instruction: &Instruction) -> anyhow::Result<Value> {
    let key = keys::read(key_file)?;
    let network = network(client)?;
    let (counter, with_key) = next_counter(client, &key)?;
    let payload = instruction.encode();
    let mut envelope = vec![0; INSTRUCTION_BYTES_MAX];
    let length = sign_instruction(&key, &network, counter, &payload, with_key, &mut envelope)
        .context("the instruction does not fit into a transaction")?;
    envelope.truncate(length);
    Ok(client.submit(&envelope)?)
}

/// The network that a node is of.
///
/// # Errors
/// When the node cannot be reached, or says nothing of it.
pub fn network(client: &Client) -> anyhow::Result<String> {
    let genesis = client.json("/genesis")?;
    let network = genesis.get("network").and_then(Value::as_str);
    Ok(network.context("the node's genesis names no network")?.to_owned())
}

/// The account's next counter, and whether the ledger still has to learn its key. The counter is the time in
/// milliseconds, so that two machines with one key seldom meet, or one above the last where the clock is behind.
fn next_counter(client: &Client, key: &SigningKey) -> Result<(u64, bool), ClientError> {
    let now = clock::now_unix_milliseconds();
    match client.json(&format!("/api/v1/accounts/{}", AccountId::of(&key.public_key()))) {
        Ok(account) => {
            let last = account.get("counter").and_then(Value::as_u64).unwrap_or(0);
            let key_is_known = account.get("public_key").is_some_and(Value::is_string);
            Ok((now.max(last.saturating_add(1)), !key_is_known))
        }
        Err(error) if error.is_not_found() => Ok((now, true)),
        Err(error) => Err(error),
    }
}
