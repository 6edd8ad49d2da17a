//! `lamppost verify`: checks a proof offline, with the genesis document and nothing else.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ledger::checkpoint::SignedCheckpointError;
use ledger::consistency::ConsistencyError;
use ledger::document::{self, DocumentError};
use ledger::genesis::Genesis;
use ledger::handovers::Handovers;
use ledger::limits::VALIDATORS_DOCUMENT_BYTES_MAX;
use ledger::proven::{LeafSaid, Proven, ProvenEntry, ProvenGrowth, ProvenLeaf};
use ledger::receipt::ReceiptError;
use ledger::state_proof::StateProofError;

use super::output;
use crate::http::instant::rfc3339;
use crate::limits::NAMED_FILE_BYTES_MAX;

/// Checks a receipt, a balance or a log's growth offline and names the first thing that fails
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  curl -s http://127.0.0.1:8080/genesis > genesis.json\n  lamppost verify reading.tlog-proof --genesis genesis.json\n  lamppost verify owner.state-proof --genesis genesis.json --json"
)]
pub struct Arguments {
    /// A receipt (C2SP tlog-proof), the proof of an account or a device, or a consistency proof
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The network's genesis document: whom to trust. Get it once, from somebody you believe
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// How the validators changed since genesis, once they did: a node gives it at /validators, and `lamppost receipt
    /// --validators FILE` keeps it beside a receipt
    #[arg(long, value_name = "FILE")]
    validators: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Checks the document and says what it proves.
///
/// # Errors
/// The first thing that fails, in one sentence.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let text = text_file(&arguments.file)?;
    let genesis = Genesis::from_json(&text_file(&arguments.genesis)?)
        .with_context(|| format!("{} cannot be trusted", arguments.genesis.display()))?;
    let handovers = match &arguments.validators {
        Some(file) => handovers(file, &genesis)?,
        None => Handovers::of_genesis(&genesis),
    };
    // The sentence is whole: the causes that it was made of would only say parts of it again.
    let verified = document::verify(&text, &handovers).map_err(|error| {
        let hint = match &arguments.validators {
            _ if !may_have_changed(&error, &genesis) => "",
            None => {
                "; if validators joined or left since genesis, give what a node answers at /validators with --validators FILE"
            }
            Some(_) => "; if validators joined or left since the file of --validators, fetch it anew",
        };
        anyhow::anyhow!("{error}{hint}")
    })?;
    let proven = Proven::of(&verified, &genesis);
    if arguments.json {
        return output::json(&proven);
    }
    match &proven {
        Proven::Receipt(entry) => say_entry(entry),
        Proven::State(leaf) => say_leaf(leaf),
        Proven::Consistency(growth) => say_growth(growth),
    }
}

/// Reads how the validators changed; every change is verified from the genesis document on.
fn handovers(file: &Path, genesis: &Genesis) -> anyhow::Result<Handovers> {
    let bytes = super::read_file(file, VALIDATORS_DOCUMENT_BYTES_MAX as u64)?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is no text", file.display()))?;
    Handovers::parse(&text, genesis).with_context(|| format!("{} cannot be trusted", file.display()))
}

/// Whether a document may fail only because the validators are no longer those of genesis.
fn may_have_changed(error: &DocumentError, genesis: &Genesis) -> bool {
    let signed = match error {
        DocumentError::Receipt(ReceiptError::Signed(error))
        | DocumentError::State(StateProofError::Receipt(ReceiptError::Signed(error)))
        | DocumentError::Consistency(ConsistencyError::Earlier(error) | ConsistencyError::Later(error)) => {
            error
        }
        _ => return false,
    };
    // One validator alone never changes.
    let of_strangers =
        matches!(signed, SignedCheckpointError::UnknownSigner(_) | SignedCheckpointError::Quorum { .. });
    genesis.validators.len() > 1 && of_strangers
}

fn text_file(path: &Path) -> anyhow::Result<String> {
    let bytes = super::read_file(path, NAMED_FILE_BYTES_MAX)?;
    let sentence = || format!("{} is no text: it has a byte that is no UTF-8", path.display());
    String::from_utf8(bytes).ok().with_context(sentence)
}

fn say_entry(said: &ProvenEntry) -> anyhow::Result<()> {
    let signers = said.signers.join(", ");
    output::line(format!(
        "the receipt holds: entry {} of {} in the log {}, signed by {signers}",
        said.index, said.log_size, said.origin,
    ))?;
    let device = said.kid.as_ref().map(|kid| format!(" of {kid}")).unwrap_or_default();
    output::line(format!("{} {}{device}", said.kind, said.id))?;
    said.senml.iter().try_for_each(|record| output::line(format!("  {}", serde_json::to_string(record)?)))
}

fn say_leaf(said: &ProvenLeaf) -> anyhow::Result<()> {
    output::line(format!(
        "the proof holds: leaf {} of the state after block {} ({}), sealed by entry {} of {} in the log {}, signed by {}",
        said.leaf_index,
        said.height,
        rfc3339(said.time_unix_milliseconds),
        said.seal_index,
        said.log_size,
        said.origin,
        said.signers.join(", "),
    ))?;
    match &said.leaf {
        LeafSaid::Account { account, balance, .. } => {
            output::line(format!("account {account} held {} tokens", balance.tokens))
        }
        LeafSaid::Device { kid, owner, revoked, accepted_envelopes, earned, .. } => {
            let owner = owner.as_ref().map_or("nobody yet".to_owned(), Clone::clone);
            let revoked = if *revoked { ", revoked" } else { "" };
            output::line(format!(
                "device {kid}{revoked}, owned by {owner}: {accepted_envelopes} envelopes accepted, {} tokens earned",
                earned.tokens
            ))
        }
        LeafSaid::Validators { version, validators, misbehaviours, .. } => {
            output::line(format!("version {version} of the validators, {} of them:", validators.len()))?;
            validators.iter().try_for_each(|validator| output::line(format!("  {}", validator.vkey)))?;
            output::line(format!("{} misbehaviours on record", misbehaviours.len()))
        }
        LeafSaid::Tariff { from_epoch, tariff } => {
            output::line(format!("tariff {} from epoch {from_epoch} on", tariff.version))?;
            output::json(tariff)
        }
        LeafSaid::Network { genesis_hash, epoch, tariff_version } => output::line(format!(
            "the network of genesis {genesis_hash} was in epoch {epoch} under tariff {tariff_version}"
        )),
    }
}

fn say_growth(said: &ProvenGrowth) -> anyhow::Result<()> {
    output::line(format!(
        "the log {} only grew: its {} entries begin with the {} entries of the earlier checkpoint, in their order",
        said.origin, said.later.log_size, said.earlier.log_size
    ))?;
    for (name, checkpoint) in [("earlier", &said.earlier), ("later", &said.later)] {
        output::line(format!(
            "{name} root {}, signed by {}",
            checkpoint.root,
            checkpoint.signers.join(", ")
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::{SignedInstruction, SigningKey, sign_instruction};
    use ledger::consistency::ConsistencyProof;
    use ledger::instruction::Instruction;
    use ledger::note::{Note, VerifierKey};
    use ledger::state::State;
    use ledger::transaction::VerifiedTransaction;

    const START: u64 = 1_800_000_000_000;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed([seed; 32])
    }

    /// A directory with the genesis of two validators, the document by which a third joined, and a proof that the
    /// newcomer signed too.
    fn changed() -> tempfile::TempDir {
        let public = |seed| key(seed).public_key();
        let validators = vec![("city".to_owned(), public(1)), ("utility".to_owned(), public(2))];
        let genesis =
            Genesis::network("testnet", "lamppost/testnet", validators, public(8), public(9), 60, START)
                .unwrap();
        let (mut state, ..) = State::genesis(&genesis);
        let validator = VerifierKey::new("harbour", public(3)).unwrap();
        let payload = Instruction::AddValidator { version: 0, validator }.encode();
        let mut builder = state.begin(START + 1);
        for signer in [1, 2] {
            let mut bytes = vec![0; 1_024];
            let length = sign_instruction(&key(signer), "testnet", 1, &payload, true, &mut bytes).unwrap();
            bytes.truncate(length);
            let signed =
                SignedInstruction::decode(bytes).unwrap().verify(&public(signer), "testnet").unwrap();
            builder.execute(&VerifiedTransaction::Instruction(signed)).unwrap();
        }
        drop(builder.finish());
        drop(state.begin(START + 60_000).finish());
        let mut note = Note::unsigned(state.checkpoint().body());
        for (name, seed) in [("city", 1), ("utility", 2), ("harbour", 3)] {
            note.sign(name, &key(seed)).unwrap();
        }
        let proof = ConsistencyProof { path: Vec::new(), earlier: note.clone(), later: note };
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: String| std::fs::write(directory.path().join(name), text).unwrap();
        file("genesis.json", genesis.to_json());
        file("validators", state.handovers().to_string());
        file("validators.old", Handovers::of_genesis(&genesis).to_string());
        file("proof", proof.to_string());
        directory
    }

    fn verified(directory: &tempfile::TempDir, validators: Option<&str>) -> Result<(), String> {
        let path = |name: &str| directory.path().join(name);
        let (file, genesis, validators) = (path("proof"), path("genesis.json"), validators.map(path));
        run(&Arguments { file, genesis, validators, json: true }).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn who_joined_is_believed_with_the_document_and_asked_for_without() {
        let directory = changed();
        assert_eq!(verified(&directory, Some("validators")), Ok(()));
        let without = verified(&directory, None).unwrap_err();
        assert!(without.contains("\"harbour\"") && without.contains("--validators FILE"), "{without}");
        let old = verified(&directory, Some("validators.old")).unwrap_err();
        assert!(old.contains("fetch it anew"), "{old}");
    }

    #[test]
    fn an_altered_document_of_the_validators_is_not_trusted() {
        let directory = changed();
        let file = directory.path().join("validators");
        let text = std::fs::read_to_string(&file).unwrap();
        let last = text.trim_end().lines().next_back().unwrap();
        std::fs::write(&file, text.replace(&format!("{last}\n"), "")).unwrap();
        let refused = verified(&directory, Some("validators")).unwrap_err();
        assert!(refused.contains("cannot be trusted: change 1 of the validators"), "{refused}");
    }
}
