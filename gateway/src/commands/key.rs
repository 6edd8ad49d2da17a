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
    }
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
