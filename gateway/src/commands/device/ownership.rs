//! `lamppost device claim`, `prove`, `transfer`, `accept`, `rotate` and `revoke`: whose a device is, and by which key.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use devices::{DeviceId, IdentityPage, Possession, PublicKey, SigningKey};
use ledger::account::AccountId;
use ledger::instruction::Instruction;
use serde_json::{Value, json};

use super::claim_link::ClaimLink;
use super::command;
use super::registration::Place;
use crate::client::Client;
use crate::commands::{NODE, output, read_file, send, write_file};
use crate::keys;
use crate::limits::NAMED_FILE_BYTES_MAX;

/// Who signs the instruction, and which node is told.
#[derive(Debug, clap::Args)]
struct Signer {
    /// The key file of the account that signs
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    /// The node to submit to
    #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = NODE)]
    node: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

impl Signer {
    fn account(&self) -> anyhow::Result<AccountId> {
        Ok(AccountId::of(&keys::read(&self.key)?.public_key()))
    }

    /// Signs, submits, waits until it is durable, and says what is so now.
    fn submit(&self, kid: DeviceId, instruction: &Instruction, sentence: &str) -> anyhow::Result<()> {
        let answer = send::submit(&Client::new(&self.node)?, &self.key, instruction)?;
        self.say(kid, &answer, sentence)
    }

    fn say(&self, kid: DeviceId, answer: &Value, sentence: &str) -> anyhow::Result<()> {
        if self.json {
            return output::json(&json!({"kid": kid.to_string(), "transaction": answer.get("id")}));
        }
        output::line(format!("{sentence}\ntransaction {}", output::member(answer, "/id")))
    }
}

/// Takes a device that nobody owns, with the device's own word for it
///
/// What it has earned waits in its escrow account and is paid out at once.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost device claim be5de2f4bcdc383a --lat 57.1497 --lon -2.0943 --identity identity.bin --key owner.pem"
)]
pub struct Claim {
    /// The device's kid, 16 hex digits
    kid: DeviceId,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    proof: ClaimProof,
    #[command(flatten)]
    signer: Signer,
}

/// The device's signature for its owner's account, or what it is made with.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct ClaimProof {
    /// The device's key file
    #[arg(long, value_name = "PEM")]
    device_key: Option<PathBuf>,
    /// The device's identity page
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The proof that `lamppost device prove` made where the device's key is, 128 hex digits
    #[arg(long, value_name = "HEX", value_parser = proof)]
    proof: Option<[u8; 64]>,
}

impl Claim {
    /// Claims the device.
    ///
    /// # Errors
    /// When a file or the node fails, or the node refuses.
    pub fn run(self) -> anyhow::Result<()> {
        let (kid, position) = (self.kid, self.place.position()?);
        let proof = match (self.proof.proof, secret(&self.proof.device_key, &self.proof.identity)?) {
            (Some(proof), _) => proof,
            (None, Some((key, file))) => {
                is_of(&key, &file, kid)?;
                let claim = Possession::Claim { account: *self.signer.account()?.as_bytes() };
                claim.sign(&key, &send::network(&Client::new(&self.signer.node)?)?)?
            }
            (None, None) => {
                anyhow::bail!("say how the device proves itself: --device-key, --identity or --proof")
            }
        };
        let sentence = format!("device {kid} is yours, and what it earned so far is paid out to you");
        self.signer.submit(kid, &Instruction::Claim { kid, position, proof }, &sentence)
    }
}

/// Makes a proof of possession where the device's key is; needs no network
///
/// The proof goes to whoever claims the device, or gives it a new key.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost device prove --account lamp1… --identity identity.bin\n  lamppost device prove --account lamp1… --identity identity.bin --node https://city.example --qr claim.svg\n  lamppost device prove --account lamp1… --replaces be5de2f4bcdc383a --device-key new.pem"
)]
pub struct Prove {
    /// The account that claims the device, or that signs for its new key
    #[arg(long, value_name = "ACCOUNT")]
    account: AccountId,
    /// The kid of the key that this one takes the place of, for `lamppost device rotate`
    #[arg(long, value_name = "KID")]
    replaces: Option<DeviceId>,
    #[command(flatten)]
    secret: Secret,
    /// The network that the proof is for; the identity page's own, else devnet, when absent
    #[arg(long, value_name = "ID")]
    network: Option<String>,
    /// The node whose page the claim link leads to; it is not asked
    #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = NODE)]
    node: String,
    /// Writes the claim link as a QR code, to be printed and stuck to the device
    #[arg(long, value_name = "SVG", conflicts_with = "replaces")]
    qr: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Where a device's key lies.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Secret {
    /// The device's key file
    #[arg(long, value_name = "PEM")]
    device_key: Option<PathBuf>,
    /// The device's identity page
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

impl Prove {
    /// Prints the proof.
    ///
    /// # Errors
    /// When the key cannot be read, or the network's name is none.
    pub fn run(self) -> anyhow::Result<()> {
        let (key, _) = secret(&self.secret.device_key, &self.secret.identity)?
            .context("say where the device's key is: --device-key or --identity")?;
        let network = match (self.network, &self.secret.identity) {
            (Some(network), _) => network,
            (None, Some(file)) => identity(file)?.network().to_owned(),
            (None, None) => "devnet".to_owned(),
        };
        let account = *self.account.as_bytes();
        let possession = match self.replaces {
            Some(replaced) => Possession::Rotation { replaced, account },
            None => Possession::Claim { account },
        };
        let proof = hex::encode(possession.sign(&key, &network)?);
        let code = self.replaces.is_none().then(|| format!("{}.{proof}", key.kid()));
        let link = code.as_ref().map(|code| ClaimLink::new(&self.node, Some(code))).transpose()?;
        if let (Some(link), Some(file)) = (&link, &self.qr) {
            write_file(file, link.svg().as_bytes(), 0o644)?;
        }
        if self.json {
            return output::json(&json!({
                "kid": key.kid().to_string(),
                "public_key": key.public_key().to_string(),
                "account": self.account.to_string(),
                "replaces": self.replaces.map(|kid| kid.to_string()),
                "network": network,
                "proof": proof,
                "claim_code": code,
                "claim_link": link.as_ref().map(ClaimLink::as_str),
            }));
        }
        if let (Some(code), Some(link)) = (code, link) {
            if std::io::stderr().is_terminal() {
                eprint!("{}", link.drawn());
            }
            eprintln!("To claim the device in a browser, open\n{}", link.as_str());
            eprintln!("or paste this code into the page /claim of the node:\n{code}");
        }
        output::line(proof)
    }
}

/// Offers a device to another account, or withdraws the offer; the device may be dark
///
/// It changes hands when the other account accepts: what it read before is still paid to you.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost device transfer be5de2f4bcdc383a --to lamp1… --key owner.pem\n  lamppost device transfer be5de2f4bcdc383a --withdraw --key owner.pem"
)]
pub struct Transfer {
    /// The device's kid, 16 hex digits
    kid: DeviceId,
    /// The account that may accept it
    #[arg(long, value_name = "ACCOUNT", required_unless_present = "withdraw", conflicts_with = "withdraw")]
    to: Option<AccountId>,
    /// Withdraws the offer
    #[arg(long)]
    withdraw: bool,
    #[command(flatten)]
    signer: Signer,
}

impl Transfer {
    /// Offers the device, or withdraws the offer.
    ///
    /// # Errors
    /// When the key or the node fails, or the node refuses.
    pub fn run(self) -> anyhow::Result<()> {
        let (kid, to) = (self.kid, self.to);
        let sentence = match to {
            Some(to) => format!("device {kid} is offered to {to}, and is yours until they accept it"),
            None => format!("device {kid} is offered to nobody"),
        };
        self.signer.submit(kid, &Instruction::TransferDevice { kid, to }, &sentence)
    }
}

/// Accepts a device that is offered to you; the device may be dark
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lamppost device accept be5de2f4bcdc383a --key owner.pem")]
pub struct Accept {
    /// The device's kid, 16 hex digits
    kid: DeviceId,
    #[command(flatten)]
    signer: Signer,
}

impl Accept {
    /// Accepts the device.
    ///
    /// # Errors
    /// When the key or the node fails, or the node refuses.
    pub fn run(self) -> anyhow::Result<()> {
        let kid = self.kid;
        let sentence = format!("device {kid} is yours: what it reads from now on is paid to you");
        self.signer.submit(kid, &Instruction::AcceptDevice { kid }, &sentence)
    }
}

/// Gives a device a new key; its owner's key or the operator's must sign
///
/// The device goes on under the new key's kid; what it sent before still verifies under the old one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost device rotate be5de2f4bcdc383a --over-the-air --key owner.pem\n  lamppost device rotate be5de2f4bcdc383a --new-identity identity.bin --key owner.pem"
)]
pub struct Rotate {
    /// The device's kid, 16 hex digits
    kid: DeviceId,
    #[command(flatten)]
    new: NewKey,
    #[command(flatten)]
    signer: Signer,
}

/// The new key, or its public half with the proof that was made where it is.
#[derive(Debug, clap::Args)]
struct NewKey {
    /// The new key's file
    #[arg(long, value_name = "PEM")]
    #[arg(required_unless_present_any = ["new_identity", "new_public_key", "over_the_air"])]
    #[arg(conflicts_with_all = ["new_identity", "new_public_key", "over_the_air"])]
    new_key: Option<PathBuf>,
    /// The identity page with the new key
    #[arg(long, value_name = "FILE", conflicts_with_all = ["new_public_key", "over_the_air"])]
    new_identity: Option<PathBuf>,
    /// The new public key, 64 hex digits
    #[arg(long, value_name = "HEX", requires = "new_proof")]
    new_public_key: Option<PublicKey>,
    /// The proof that `lamppost device prove --replaces` made where the new key is, 128 hex digits
    #[arg(id = "new_proof", long = "proof", value_name = "HEX", value_parser = proof, requires = "new_public_key")]
    proof: Option<[u8; 64]>,
    /// Has the device make its next key itself; the account that it obeys must sign
    #[arg(long, conflicts_with = "new_public_key")]
    over_the_air: bool,
    /// How long to wait for the device's answer over the air
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "over_the_air")]
    wait: u64,
}

impl Rotate {
    /// Puts the new key into the old one's place and prints its kid.
    ///
    /// # Errors
    /// When a file or the node fails, or the node refuses.
    pub fn run(self) -> anyhow::Result<()> {
        let kid = self.kid;
        if self.new.over_the_air {
            let client = Client::new(&self.signer.node)?;
            let (new_key, answer) = command::rotate(&client, &self.signer.key, kid, self.new.wait)?;
            return self.signer.say(
                new_key.kid(),
                &answer,
                &format!("device {kid} goes on as {}", new_key.kid()),
            );
        }
        let (new_key, proof) = match (self.new.new_public_key, self.new.proof) {
            (Some(new_key), Some(proof)) => (new_key, proof),
            _ => {
                let (key, _) = secret(&self.new.new_key, &self.new.new_identity)?
                    .context("say which key is the new one: --new-key, --new-identity or --new-public-key")?;
                let account = *self.signer.account()?.as_bytes();
                let rotation = Possession::Rotation { replaced: kid, account };
                (key.public_key(), rotation.sign(&key, &send::network(&Client::new(&self.signer.node)?)?)?)
            }
        };
        let sentence = format!("device {kid} goes on as {}", new_key.kid());
        self.signer.submit(new_key.kid(), &Instruction::RotateKey { kid, new_key, proof }, &sentence)
    }
}

/// Ends a device's service for good; its owner's key or the operator's must sign
///
/// What it sends later is refused as `revoked`; what it sent before still verifies and is still paid.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost device revoke be5de2f4bcdc383a --reason \"stolen from its post\" --key owner.pem"
)]
pub struct Revoke {
    /// The device's kid, 16 hex digits
    kid: DeviceId,
    /// Why, in words that stay on the ledger
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    signer: Signer,
}

impl Revoke {
    /// Revokes the device.
    ///
    /// # Errors
    /// When the key or the node fails, or the node refuses.
    pub fn run(self) -> anyhow::Result<()> {
        let (kid, why) = (self.kid, self.reason);
        let sentence = format!("device {kid} is revoked: what it sends from now on is refused");
        self.signer.submit(kid, &Instruction::RevokeDevice { kid, why }, &sentence)
    }
}

/// The key in a PEM file or an identity page, with the file's name; `None` when neither is named.
fn secret(pem: &Option<PathBuf>, page: &Option<PathBuf>) -> anyhow::Result<Option<(SigningKey, PathBuf)>> {
    Ok(match (pem, page) {
        (Some(pem), _) => Some((keys::read(pem)?, pem.clone())),
        (None, Some(page)) => Some((identity(page)?.signing_key(), page.clone())),
        (None, None) => None,
    })
}

fn identity(file: &Path) -> anyhow::Result<IdentityPage> {
    let bytes = read_file(file, NAMED_FILE_BYTES_MAX)?;
    IdentityPage::decode(&bytes).with_context(|| format!("{} is no identity page", file.display()))
}

fn is_of(key: &SigningKey, file: &Path, kid: DeviceId) -> anyhow::Result<()> {
    ensure!(key.kid() == kid, "{} holds the key of device {}, not of {kid}", file.display(), key.kid());
    Ok(())
}

fn proof(text: &str) -> Result<[u8; 64], String> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| "a proof is 128 hex digits".to_owned())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_read_as_it_is_printed() {
        assert_eq!(proof(&hex::encode([7; 64])), Ok([7; 64]));
        for bad in ["", "07", "zz", &"0".repeat(127), &"0".repeat(130)] {
            assert!(proof(bad).is_err(), "{bad}");
        }
    }
}
