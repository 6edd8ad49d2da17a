//! `lamppost firmware`: images for boards, signed by their publisher and left at a broker.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::Subcommand;
use devices::limits::{FIRMWARE_CHUNK_BYTES, MANIFEST_BYTES_MAX};
use devices::manifest::{Version, board_is_valid};
use devices::{DeviceId, FirmwareTopic, Manifest, PublicKey};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::progress::CopyProgress;
use super::{output, read_file, write_new_file};
use crate::keys;
use crate::limits::FIRMWARE_IMAGE_BYTES_MAX;
use crate::mqtt::{BrokerUrl, retained};
use crate::storage::NETWORK_DEFAULT;

/// Signs firmware images and publishes them to the boards of a network
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost key new publisher.pem\n  lamppost firmware sign image.bin --board nucleo-f429zi --version 1.4.0 --key publisher.pem --out image.manifest\n  lamppost firmware publish image.bin --manifest image.manifest --broker mqtt://broker.example --network devnet"
)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Signs an image and writes its manifest into a new file
    #[command(
        disable_version_flag = true, // `--version` is the image's
        after_help = "Example:\n  lamppost firmware sign image.bin --board nucleo-f429zi --version 1.4.0 --key publisher.pem --out image.manifest"
    )]
    Sign(Sign),
    /// Checks a manifest against its image and the publisher's public key
    #[command(
        after_help = "Example:\n  lamppost firmware verify image.bin --manifest image.manifest --publisher PUBLIC_KEY_HEX\n      lamppost key show publisher.pem prints the key"
    )]
    Verify(Verify),
    /// Leaves an image at a broker: its chunks, and then its manifest
    ///
    /// The messages are retained, so boards fetch them when they have time. The broker inside a node keeps nothing for its
    /// clients: it takes one of its own, such as mosquitto, which the node uses too (lamppost up --broker).
    #[command(
        after_help = "Example:\n  lamppost firmware publish image.bin --manifest image.manifest --broker mqtt://broker.example --network devnet"
    )]
    Publish(Publish),
    /// Takes an image away from a broker: boards that have not begun will not
    #[command(
        after_help = "Example:\n  lamppost firmware withdraw --manifest image.manifest --broker mqtt://broker.example --network devnet"
    )]
    Withdraw(Withdraw),
}

#[derive(Debug, clap::Args)]
struct Sign {
    /// The image as it lies in flash, not the ELF file (llvm-objcopy -O binary)
    image: PathBuf,
    /// The board that it runs on
    #[arg(long, value_name = "NAME")]
    board: String,
    /// Its version, which boards never go below
    #[arg(long, value_name = "X.Y.Z")]
    version: Version,
    /// The publisher's key file
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the manifest goes: a new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// The image
    image: PathBuf,
    /// Its manifest
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// The publisher's public key, 64 hex digits
    #[arg(long, value_name = "HEX")]
    publisher: PublicKey,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Publish {
    /// The image
    image: PathBuf,
    /// Its manifest
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
struct Withdraw {
    /// The manifest of what was published
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Where boards look.
#[derive(Debug, clap::Args)]
struct Place {
    /// Broker that the boards are connected to, mqtt://HOST:PORT
    #[arg(long, value_name = "URL")]
    broker: BrokerUrl,
    /// Network id of the boards
    #[arg(long, value_name = "ID", default_value = NETWORK_DEFAULT)]
    network: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Carries out `firmware sign`, `verify`, `publish` and `withdraw`.
///
/// # Errors
/// One sentence: a file that cannot be used, a manifest that does not fit, or a broker that does not take it.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.action {
        Action::Sign(arguments) => sign(&arguments),
        Action::Verify(arguments) => verify(&arguments),
        Action::Publish(arguments) => publish(&arguments),
        Action::Withdraw(arguments) => withdraw(&arguments),
    }
}

fn sign(arguments: &Sign) -> anyhow::Result<()> {
    ensure!(
        board_is_valid(&arguments.board),
        "{:?} is no board's name: 1 to 32 lower-case letters, digits and hyphens",
        arguments.board
    );
    let image = read_image(&arguments.image)?;
    let key = keys::read(&arguments.key)?;
    let manifest = Manifest {
        board: &arguments.board,
        version: arguments.version,
        image_bytes: u32::try_from(image.len())?,
        image_hash: Sha256::digest(&image).into(),
    };
    let mut out = [0; MANIFEST_BYTES_MAX];
    let length = manifest.sign(&key, &mut out)?;
    write_new_file(&arguments.out, &out[..length])?;
    show(key.kid(), &manifest, arguments.json)
}

fn verify(arguments: &Verify) -> anyhow::Result<()> {
    let (image, bytes) = (read_image(&arguments.image)?, read_manifest(&arguments.manifest)?);
    let manifest = Manifest::verify(&bytes, &arguments.publisher)?;
    fits(&manifest, &image)?;
    show(arguments.publisher.kid(), &manifest, arguments.json)
}

fn publish(arguments: &Publish) -> anyhow::Result<()> {
    let (image, bytes) = (read_image(&arguments.image)?, read_manifest(&arguments.manifest)?);
    let (_, manifest) = Manifest::claimed(&bytes)?;
    fits(&manifest, &image)?;
    let place = &arguments.place;
    let chunks = image.chunks(FIRMWARE_CHUNK_BYTES).enumerate();
    let mut messages: Vec<_> =
        chunks.map(|(index, chunk)| (place.chunk(&manifest, index), chunk.to_vec())).collect();
    // Last, so that a board that sees it finds everything that it describes.
    messages.push((place.manifest(&manifest), bytes.clone()));
    place.leave(&manifest, messages, "published")
}

fn withdraw(arguments: &Withdraw) -> anyhow::Result<()> {
    let bytes = read_manifest(&arguments.manifest)?;
    let (_, manifest) = Manifest::claimed(&bytes)?;
    let place = &arguments.place;
    let chunks = (manifest.image_bytes as usize).div_ceil(FIRMWARE_CHUNK_BYTES);
    // First, so that no board begins with what is about to go.
    let mut messages = vec![(place.manifest(&manifest), Vec::new())];
    messages.extend((0..chunks).map(|index| (place.chunk(&manifest, index), Vec::new())));
    place.leave(&manifest, messages, "withdrawn")
}

impl Place {
    fn manifest(&self, manifest: &Manifest<'_>) -> String {
        FirmwareTopic::Manifest { network: &self.network, board: manifest.board }.to_string()
    }

    fn chunk(&self, manifest: &Manifest<'_>, index: usize) -> String {
        let (network, board, version) = (&self.network, manifest.board, manifest.version);
        FirmwareTopic::Chunk { network, board, version, index: index as u32 }.to_string()
    }

    fn leave(
        &self,
        manifest: &Manifest<'_>,
        messages: Vec<retained::Retained>,
        done: &str,
    ) -> anyhow::Result<()> {
        ensure!(devices::cose::network_is_valid(&self.network), "{:?} is no network id", self.network);
        let (count, mut progress) = (messages.len(), CopyProgress::new());
        let client_id = format!("lamppost-firmware-{}", std::process::id());
        retained::leave(&self.broker, &client_id, messages.into_iter(), &mut |confirmed| {
            progress.show((confirmed * FIRMWARE_CHUNK_BYTES) as u64, (count * FIRMWARE_CHUNK_BYTES) as u64);
        })?;
        drop(progress);
        let (board, version) = (manifest.board, manifest.version);
        if self.json {
            return output::json(&json!({
                "board": board, "version": version.to_string(), "messages": count, done: true,
            }));
        }
        output::line(format!("{version} for {board} is {done}: {count} messages at {}", self.broker))
    }
}

fn show(publisher: DeviceId, manifest: &Manifest<'_>, as_json: bool) -> anyhow::Result<()> {
    let hash = manifest.image_hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if as_json {
        return output::json(&json!({
            "board": manifest.board,
            "version": manifest.version.to_string(),
            "bytes": manifest.image_bytes,
            "sha256": hash,
            "publisher": publisher.to_string(),
        }));
    }
    output::line(format!(
        "{} for {}, {} bytes, SHA-256 {hash}, signed by {publisher}",
        manifest.version, manifest.board, manifest.image_bytes
    ))
}

fn fits(manifest: &Manifest<'_>, image: &[u8]) -> anyhow::Result<()> {
    let is_it = manifest.image_bytes as usize == image.len();
    if !is_it || manifest.image_hash[..] != Sha256::digest(image)[..] {
        bail!("the manifest describes another image");
    }
    Ok(())
}

fn read_image(file: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    let image = read_file(file, FIRMWARE_IMAGE_BYTES_MAX)?;
    ensure!(!image.is_empty(), "{} is empty", file.display());
    ensure!(
        !image.starts_with(b"\x7fELF"),
        "{} is an ELF file, not an image as it lies in flash: `llvm-objcopy -O binary` makes one of it",
        file.display()
    );
    Ok(image)
}

fn read_manifest(file: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    read_file(file, MANIFEST_BYTES_MAX as u64).with_context(|| format!("{} is no manifest", file.display()))
}
