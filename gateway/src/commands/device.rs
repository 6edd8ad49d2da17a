//! `lamppost device`: enrols, provisions and shows devices.

use std::net::SocketAddrV4;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use devices::{Decimal, DeviceId, IdentityPage, PublicKey};
use ledger::account::AccountId;
use ledger::instruction::Instruction;
use ledger::registry::Position;
use serde_json::{Value, json};

use super::{output, send};
use crate::client::Client;
use crate::clock;

/// Enrols, provisions and shows devices
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lamppost device list")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Admits a device to the network and prints its kid; the operator's key must sign
    #[command(
        after_help = "Example:\n  lamppost device enrol --public-key 03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8 --owner lamp1… --lat 57.1497 --lon -2.0943"
    )]
    Enrol {
        /// The device's Ed25519 public key, 64 hex digits
        #[arg(long, value_name = "HEX")]
        public_key: PublicKey,
        #[command(flatten)]
        registration: Registration,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Makes a device's key and the identity page that is flashed beside the firmware
    #[command(
        after_help = "Example:\n  lamppost device provision --out identity.bin --broker 10.0.2.2:1883 --enrol --owner lamp1…"
    )]
    Provision {
        /// The new file for the identity page; it holds the secret key
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The network that the device speaks on; asked of the node when it is enrolled
        #[arg(long, value_name = "ID")]
        network: Option<String>,
        /// The broker that the device speaks to; the firmware's own default when absent
        #[arg(long, value_name = "IP:PORT")]
        broker: Option<SocketAddrV4>,
        /// Enrols the device at the node as well
        #[arg(long)]
        enrol: bool,
        #[command(flatten)]
        registration: Registration,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Lists the devices of the network
    #[command(after_help = "Example:\n  lamppost device list --json")]
    List {
        /// The node to ask
        #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = super::NODE)]
        node: String,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows one device
    #[command(after_help = "Example:\n  lamppost device show be5de2f4bcdc383a")]
    Show {
        /// The device's kid, 16 hex digits
        kid: DeviceId,
        /// The node to ask
        #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = super::NODE)]
        node: String,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

/// What the registry is told of a device, by whom, and where.
#[derive(Debug, clap::Args)]
struct Registration {
    /// The account that its rewards go to; without one they wait in escrow
    #[arg(long, value_name = "ACCOUNT")]
    owner: Option<AccountId>,
    /// Latitude, WGS 84, north positive
    #[arg(long, value_name = "DEG", requires = "longitude", allow_hyphen_values = true, value_parser = latitude)]
    #[arg(id = "latitude", long = "lat")]
    latitude: Option<i32>,
    /// Longitude, WGS 84, east positive
    #[arg(long, value_name = "DEG", requires = "latitude", allow_hyphen_values = true, value_parser = longitude)]
    #[arg(id = "longitude", long = "lon")]
    longitude: Option<i32>,
    /// The node to submit to
    #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = super::NODE)]
    node: String,
    /// The operator's key file
    #[arg(long, value_name = "PEM", default_value = "lamppost-data/keys/operator.pem")]
    key: PathBuf,
}

/// Carries out the device commands.
///
/// # Errors
/// When a file or the node fails, or the node refuses.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.action {
        Action::Enrol { public_key, registration, json } => {
            let answer = enrol(&Client::new(&registration.node)?, public_key, &registration)?;
            let kid = public_key.kid().to_string();
            if json {
                return output::json(&json!({"kid": kid, "transaction": answer.get("id")}));
            }
            output::line(kid)
        }
        Action::Provision { out, network, broker, enrol, registration, json } => {
            provision(&out, network, broker, enrol.then_some(&registration), json)
        }
        Action::List { node, json } => list(&Client::new(&node)?, json),
        Action::Show { kid, node, json } => {
            let device = Client::new(&node)?.json(&format!("/api/v1/devices/{kid}"))?;
            if json { output::json(&device) } else { show(&device) }
        }
    }
}

fn enrol(client: &Client, public_key: PublicKey, registration: &Registration) -> anyhow::Result<Value> {
    let position = match (registration.latitude, registration.longitude) {
        (Some(latitude_microdegrees), Some(longitude_microdegrees)) => {
            Some(Position { latitude_microdegrees, longitude_microdegrees })
        }
        _ => None,
    };
    // A sensor at 0,0 was never placed: better none than a wrong one, which no map would show.
    ensure!(
        !position.is_some_and(|position| position.is_null_island()),
        "0, 0 lies in the sea: leave out --lat and --lon when the place is unknown"
    );
    let instruction = Instruction::Enrol { public_key, owner: registration.owner, position };
    send::submit(client, &registration.key, &instruction)
}

fn provision(
    out: &std::path::Path,
    network: Option<String>,
    broker: Option<SocketAddrV4>,
    registration: Option<&Registration>,
    as_json: bool,
) -> anyhow::Result<()> {
    ensure!(!out.exists(), "{} exists already, and an identity is never overwritten", out.display());
    let client = registration.map(|registration| Client::new(&registration.node)).transpose()?;
    let network = match (&client, network) {
        (_, Some(network)) => network,
        (None, None) => "devnet".to_owned(),
        (Some(client), None) => {
            let genesis = client.json("/genesis")?;
            genesis
                .get("network")
                .and_then(Value::as_str)
                .context("the node's genesis names no network")?
                .to_owned()
        }
    };
    let page = IdentityPage::new(&network, clock::random_seed()?, broker)?;
    let public_key = page.signing_key().public_key();
    // Written before it is enrolled: a device that the ledger knows and nobody can flash would be worse.
    super::write_secret_file(out, &page.encode())?;
    let mut said = json!({"kid": public_key.kid().to_string(), "public_key": public_key.to_string(), "network": network, "file": out});
    if let (Some(client), Some(registration)) = (&client, registration) {
        let answer = enrol(client, public_key, registration)
            .with_context(|| format!("{} is written, but the device is not enrolled", out.display()))?;
        said["transaction"] = answer.get("id").cloned().unwrap_or_default();
    }
    if as_json {
        return output::json(&said);
    }
    output::line(format!(
        "kid         {}\npublic key  {public_key}\nfile        {}",
        public_key.kid(),
        out.display()
    ))
}

fn list(client: &Client, as_json: bool) -> anyhow::Result<()> {
    let mut devices = Vec::new();
    let mut path = "/api/v1/devices".to_owned();
    // A long list comes in pieces; the last kid of one is where the next begins.
    loop {
        let Value::Array(piece) = client.json(&path)? else {
            anyhow::bail!("the node's list of devices is none")
        };
        let Some(last) = piece.last() else { break };
        path = format!("/api/v1/devices?after={}", output::member(last, "/kid"));
        devices.extend(piece);
    }
    if as_json {
        return output::json(&Value::Array(devices));
    }
    if devices.is_empty() {
        return output::line("no device is enrolled yet: `lamppost device enrol --help` says how");
    }
    let mut text = format!(
        "{:<16}  {:<8}  {:<24}  {:>10}  {:>14}\n",
        "kid", "status", "last reading", "envelopes", "earned"
    );
    for device in &devices {
        text.push_str(&format!(
            "{:<16}  {:<8}  {:<24}  {:>10}  {:>14}\n",
            output::member(device, "/kid"),
            output::member(device, "/status"),
            output::member(device, "/last_reading"),
            output::member(device, "/accepted/envelopes"),
            output::member(device, "/earned_total/tokens"),
        ));
    }
    output::text(&text)
}

fn show(device: &Value) -> anyhow::Result<()> {
    let rows = [
        ("kid", "/kid"),
        ("public key", "/public_key"),
        ("owner", "/owner"),
        ("status", "/status"),
        ("latitude", "/position/latitude"),
        ("longitude", "/position/longitude"),
        ("last reading", "/last_reading"),
        ("boot", "/last_sequence/boot"),
        ("count", "/last_sequence/count"),
        ("envelopes", "/accepted/envelopes"),
        ("records", "/accepted/records"),
        ("earned (epoch)", "/earned_epoch/tokens"),
        ("earned (all)", "/earned_total/tokens"),
    ];
    let text: String = rows
        .iter()
        .map(|(title, pointer)| format!("{title:<16}{}\n", output::member(device, pointer)))
        .collect();
    output::text(&text)?;
    let refused = device.get("refused").and_then(Value::as_object);
    for (reason, count) in refused.into_iter().flatten().filter(|(_, count)| count.as_u64() != Some(0)) {
        output::line(format!("{:<16}{count} {}", "refused", crate::client::printable(reason)))?;
    }
    Ok(())
}

fn latitude(text: &str) -> Result<i32, String> {
    microdegrees(text, 90)
}

fn longitude(text: &str) -> Result<i32, String> {
    microdegrees(text, 180)
}

/// Degrees as millionths, exactly; digits beyond the sixth (a tenth of a metre) are dropped.
fn microdegrees(text: &str, degrees_max: i128) -> Result<i32, String> {
    let sentence = || format!("\"{text}\" is not between -{degrees_max} and {degrees_max} degrees");
    let degrees: Decimal = text.parse().map_err(|_| sentence())?;
    let shift = u32::from(degrees.exponent().unsigned_abs());
    let scaled = degrees.mantissa().checked_mul(1_000_000).ok_or_else(sentence)? / 10_i128.pow(shift);
    let inside = (-degrees_max * 1_000_000..=degrees_max * 1_000_000).contains(&scaled);
    i32::try_from(scaled).ok().filter(|_| inside).ok_or_else(sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_are_read_exactly() {
        assert_eq!(latitude("57.1"), Ok(57_100_000));
        assert_eq!(longitude("-2.1"), Ok(-2_100_000));
        assert_eq!(longitude("-2.09430049"), Ok(-2_094_300));
        assert_eq!(latitude("90"), Ok(90_000_000));
        assert_eq!(longitude("-180.000000"), Ok(-180_000_000));
        for bad in ["90.1", "-91", "north", "", "1e1", "NaN", "123456789012345678901234567890"] {
            assert!(latitude(bad).is_err(), "{bad}");
        }
    }
}
