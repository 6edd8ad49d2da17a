//! `lamppost device provision`: a device's key, the identity page that is flashed beside the firmware, and its claim code.

use std::net::SocketAddrV4;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use devices::{IdentityPage, Possession, PublicKey};
use ledger::account::AccountId;
use serde_json::json;

use super::claim_link::ClaimLink;
use super::registration::{Registration, enrol};
use crate::client::Client;
use crate::clock;
use crate::commands::{output, send, write_file, write_secret_file};

/// Makes a device's key and the identity page that is flashed beside the firmware
///
/// For an owner it also prints the claim code, by which the owner takes the device once it is enrolled.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost device provision --out identity.bin --broker 10.0.2.2:1883 --owner lamp1… --enrol\n  lamppost device provision --out identity.bin --owner lamp1… --node https://city.example --qr --qr-svg claim.svg"
)]
pub struct Provision {
    /// The new file for the identity page; it holds the secret key
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The network that the device speaks on; asked of the node when it is enrolled
    #[arg(long, value_name = "ID")]
    network: Option<String>,
    /// The broker that the device speaks to; the firmware's own default when absent
    #[arg(long, value_name = "IP:PORT")]
    broker: Option<SocketAddrV4>,
    /// The time server (SNTP) that the device asks; the firmware's own default when absent
    #[arg(long, value_name = "IP:PORT")]
    time: Option<SocketAddrV4>,
    /// The public key of whoever may update the firmware over the air, 64 hex digits; nobody may when absent
    #[arg(long, value_name = "HEX")]
    publisher: Option<PublicKey>,
    /// Draws the claim link as a QR code in the terminal
    #[arg(long, conflicts_with = "json")]
    qr: bool,
    /// Writes the claim link as a QR code, to be printed and stuck to the device
    #[arg(long, value_name = "SVG")]
    qr_svg: Option<PathBuf>,
    /// Enrols the device at the node as well
    #[arg(long)]
    enrol: bool,
    #[command(flatten)]
    registration: Registration,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

impl Provision {
    /// Makes the identity page, and enrols the device when that is asked for.
    ///
    /// # Errors
    /// When the file exists, or the node cannot be reached or refuses.
    pub fn run(self) -> anyhow::Result<()> {
        let out = self.out.display();
        ensure!(!self.out.exists(), "{out} exists already, and an identity is never overwritten");
        if let Some(file) = self.qr_svg.as_ref().filter(|file| file.exists()) {
            anyhow::bail!("{} exists already", file.display());
        }
        let client = self.enrol.then(|| Client::new(&self.registration.node)).transpose()?;
        let network = match (&client, &self.network) {
            (_, Some(network)) => network.clone(),
            (None, None) => "devnet".to_owned(),
            (Some(client), None) => send::network(client)?,
        };
        let page = self.page(&network)?;
        let public_key = page.signing_key().public_key();
        let claim_code = self.registration.owner.map(|owner| claim_code(&page, owner)).transpose()?;
        let link = ClaimLink::new(&self.registration.node, claim_code.as_deref())?;
        // Written before it is enrolled: a device that the ledger knows and nobody can flash would be worse.
        write_secret_file(&self.out, &page.encode())?;
        if let Some(file) = &self.qr_svg {
            write_file(file, link.svg().as_bytes(), 0o644)?;
        }
        let mut said = json!({
            "kid": public_key.kid().to_string(),
            "public_key": public_key.to_string(),
            "network": network,
            "file": self.out,
            "claim_code": claim_code,
            "claim_link": link.as_str(),
        });
        if let Some(client) = &client {
            let answer = enrol(client, public_key, &self.registration)
                .with_context(|| format!("{out} is written, but the device is not enrolled"))?;
            said["transaction"] = answer.get("id").cloned().unwrap_or_default();
        }
        if self.json {
            return output::json(&said);
        }
        let code = claim_code.unwrap_or_else(|| {
            format!("none, for no owner is named: lamppost device prove --account ACCOUNT --identity {out}")
        });
        output::line(format!(
            "kid         {}\npublic key  {public_key}\nfile        {out}\nclaim code  {code}\nclaim link  {}",
            public_key.kid(),
            link.as_str()
        ))?;
        if self.qr { output::line(link.drawn()) } else { Ok(()) }
    }

    /// A page with a new key and a new rotation root.
    fn page(&self, network: &str) -> anyhow::Result<IdentityPage> {
        let mut page = IdentityPage::new(network, clock::random_seed()?, self.broker)?
            .with_rotation_root(clock::random_seed()?);
        if let Some(owner) = &self.registration.owner {
            page = page.with_owner(*owner.as_bytes());
        }
        if let Some(address) = self.time {
            page = page.with_time_server(address);
        }
        if let Some(publisher) = &self.publisher {
            page = page.with_publisher(*publisher.as_bytes());
        }
        Ok(page)
    }
}

/// `KID.PROOF`: the device's own word that it belongs to `owner`.
fn claim_code(page: &IdentityPage, owner: AccountId) -> anyhow::Result<String> {
    let key = page.signing_key();
    let proof = Possession::Claim { account: *owner.as_bytes() }.sign(&key, page.network())?;
    Ok(format!("{}.{}", key.kid(), hex::encode(proof)))
}
