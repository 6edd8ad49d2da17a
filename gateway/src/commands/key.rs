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
    Validator(Validator),
}

#[derive(Debug, clap::Args)]
struct Validator {
    /// The data directory of the node that will use the key; made when it is missing
    #[arg(long, value_name = "DIR", env = "LAMPPOST_DATA")]
    data: PathBuf,
    /// The validator's name; the verifier key that the others add is printed with it
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
        Action::Validator(wanted) => make_validator(&wanted),
    }
}

#[cfg(not(feature = "bft"))]
fn make_validator(_wanted: &Validator) -> anyhow::Result<()> {
    Err(super::no_consensus())
}

#[cfg(feature = "bft")]
fn make_validator(wanted: &Validator) -> anyhow::Result<()> {
    use anyhow::Context as _;
    let named = |key: PublicKey| ledger::note::VerifierKey::new(&wanted.name, key);
    anyhow::ensure!(
        crate::configuration::is_name(&wanted.name),
        "{:?} is no node's name: 1 to {} of a-z, 0-9 and -",
        wanted.name,
        crate::configuration::NAME_BYTES_MAX
    );
    // Taken alone: a node that runs there uses another key.
    let directory = crate::data_dir::DataDir::open(&wanted.data)?;
    let file = directory.key("validator");
    anyhow::ensure!(
        !file.exists(),
        "{} exists already and a key is never overwritten: move it away first, and never let it vote again",
        file.display()
    );
    crate::consensus::bft::record::set_aside(&wanted.data)?;
    let key = keys::create(&file)?.public_key();
    crate::consensus::bft::record::begin(&wanted.data, &key)?;
    let vkey = named(key).context("the name cannot stand in a signed note")?;
    if wanted.json {
        return output::json(&json!({
            "file": file,
            "account": AccountId::of(&key).to_string(),
            "public_key": key.to_string(),
            "vkey": vkey.to_string(),
        }));
    }
    output::line(format!(
        "key file    {}\npublic key  {key}\nverifier    {vkey}\n\nSend the verifier key to the present validators. Each approves it:\n\
         \x20 lamppost validator add --name {} --key {vkey} --signer VALIDATOR.pem --node URL\n\
         With more than two thirds of them it votes from the next epoch on; until then its node follows.",
        file.display(),
        vkey.name()
    ))
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
