//! `lamppost key`: an account's or an operator's key file, made and shown.

use std::path::PathBuf;

use clap::Subcommand;
use devices::PublicKey;
use ledger::account::AccountId;
use serde_json::json;

use super::output;
use crate::keys;

/// Makes and shows key files (Ed25519, PKCS#8 PEM)
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lamppost key new owner.pem")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a key in a new file with mode 0600 and prints its account
    #[command(
        after_help = "Example:\n  lamppost key new owner.pem\n  openssl pkey -in owner.pem -noout -text    (openssl reads it too)"
    )]
    New(File),
    /// Prints the account of a key file
    #[command(after_help = "Example:\n  lamppost key show lamppost-data/keys/operator.pem --json")]
    Show(File),
    /// Makes a validator's key in a data directory, for one that joins or whose disk was lost; the others must add it
    ///
    /// A key votes only from the directory that it was made in: so it never votes twice.
    #[command(
        after_help = "Example:\n  lamppost key validator --data museum/data --name museum\n  lamppost validator add --name museum --key museum+4f2b1c9e+AS… --signer city/data/keys/validator.pem    (by each present validator)"
    )]
    Validator(InPlace),
    /// Makes a gateway's key in a data directory, for one that joins; the validators must admit it
    #[command(after_help = "Example:\n  lamppost key gateway --data gateway-2/data --name gateway-2")]
    Gateway(InPlace),
}

#[derive(Debug, clap::Args)]
struct InPlace {
    /// The data directory of the node that will use the key; made when it is missing
    #[arg(long, value_name = "DIR", env = "LAMPPOST_DATA")]
    data: PathBuf,
    /// The node's name, by which the others know it
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct File {
    /// The key file
    file: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Carries out `key new` and `key show`.
///
/// # Errors
/// When the file exists (new), is missing or is no key (show).
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.action {
        Action::New(file) => show(&keys::create(&file.file)?.public_key(), file.json),
        Action::Show(file) => show(&keys::read(&file.file)?.public_key(), file.json),
        Action::Validator(wanted) => in_place(&wanted, true),
        Action::Gateway(wanted) => in_place(&wanted, false),
    }
}

#[cfg(not(feature = "bft"))]
fn in_place(_wanted: &InPlace, _votes: bool) -> anyhow::Result<()> {
    Err(super::no_consensus())
}

/// A key where it will be used; a validator's begins a record of its votes beside it.
#[cfg(feature = "bft")]
fn in_place(wanted: &InPlace, votes: bool) -> anyhow::Result<()> {
    use crate::configuration::{NAME_BYTES_MAX, is_name};
    use crate::consensus::bft::record;
    let InPlace { data, name, json } = wanted;
    anyhow::ensure!(is_name(name), "{name:?} is no node's name: 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -");
    // Taken alone: a node that runs there uses another key.
    let directory = crate::data_dir::DataDir::open(data)?;
    let file = directory.key(if votes { "validator" } else { "gateway" });
    anyhow::ensure!(
        !file.exists(),
        "{} exists already and a key is never overwritten: move it away first, and never use it again",
        file.display()
    );
    if votes {
        record::set_aside(data)?;
    }
    let key = keys::create(&file)?.public_key();
    if votes {
        record::begin(data, &key)?;
    }
    let verifier = ledger::note::VerifierKey::new(name, key)?.to_string();
    if *json {
        let account = AccountId::of(&key).to_string();
        return output::json(
            &json!({ "file": file, "account": account, "public_key": key.to_string(), "vkey": verifier }),
        );
    }
    let next = match votes {
        true => format!(
            "verifier    {verifier}\n\nEach present validator approves it:\n\
             \x20 lamppost validator add --name {name} --key {verifier} --signer VALIDATOR.pem --node URL\n\
             With more than two thirds of them it votes from the next epoch on; until then its node follows."
        ),
        false => format!(
            "\nEach validator admits it by these lines in its configuration:\n\
             [[gateways.admitted]]\nname = \"{name}\"\npublic_key = \"{key}\"\nenvelopes_per_second = {}",
            crate::limits::GATEWAY_ENVELOPES_PER_SECOND
        ),
    };
    output::line(format!("key file    {}\npublic key  {key}\n{next}", file.display()))
}

fn show(key: &PublicKey, as_json: bool) -> anyhow::Result<()> {
    let account = AccountId::of(key);
    if as_json {
        return output::json(&json!({
            "account": account.to_string(),
            "kid": key.kid().to_string(),
            "public_key": key.to_string(),
        }));
    }
    output::line(format!("account     {account}\nkid         {}\npublic key  {key}", key.kid()))
}
