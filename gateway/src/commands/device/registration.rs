//! `lamppost device enrol`: a device's way into the network.

use std::path::PathBuf;

use anyhow::ensure;
use devices::{Decimal, PublicKey};
use ledger::account::AccountId;
use ledger::instruction::Instruction;
use ledger::registry::Position;
use serde_json::{Value, json};

use crate::client::Client;
use crate::commands::{NODE, output, send};

/// Admits a device to the network and prints its kid; the operator's key must sign
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost device enrol --public-key 03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8 --owner lamp1… --lat 57.1497 --lon -2.0943"
)]
pub struct Enrol {
    /// The device's Ed25519 public key, 64 hex digits
    #[arg(long, value_name = "HEX")]
    public_key: PublicKey,
    #[command(flatten)]
    registration: Registration,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// What the registry is told of a device, by whom, and where.
#[derive(Debug, clap::Args)]
pub struct Registration {
    /// The account that owns it: its rewards go there, and an identity page names it as the one whose commands the device
    /// obeys. Without one the rewards wait in escrow until somebody claims it
    #[arg(long, value_name = "ACCOUNT")]
    pub owner: Option<AccountId>,
    /// Latitude, WGS 84, north positive
    #[arg(long, value_name = "DEG", requires = "longitude", allow_hyphen_values = true, value_parser = latitude)]
    #[arg(id = "latitude", long = "lat")]
    latitude: Option<i32>,
    /// Longitude, WGS 84, east positive
    #[arg(long, value_name = "DEG", requires = "latitude", allow_hyphen_values = true, value_parser = longitude)]
    #[arg(id = "longitude", long = "lon")]
    longitude: Option<i32>,
    /// The node to submit to
    #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = NODE)]
    pub node: String,
    /// The operator's key file
    #[arg(long, value_name = "PEM", default_value = "lamppost-data/keys/operator.pem")]
    key: PathBuf,
}

/// Where a device stands, where it must be said.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Place {
    /// Latitude, WGS 84, north positive
    #[arg(long = "lat", value_name = "DEG", allow_hyphen_values = true, value_parser = latitude)]
    latitude: i32,
    /// Longitude, WGS 84, east positive
    #[arg(long = "lon", value_name = "DEG", allow_hyphen_values = true, value_parser = longitude)]
    longitude: i32,
}

impl Place {
    /// The position, which is not 0,0.
    ///
    /// # Errors
    /// When it is.
    pub fn position(self) -> anyhow::Result<Position> {
        placed(Position { latitude_microdegrees: self.latitude, longitude_microdegrees: self.longitude })
    }
}

/// A position that somebody has set: a sensor at 0,0 was never placed, and no map would show it.
fn placed(position: Position) -> anyhow::Result<Position> {
    ensure!(!position.is_null_island(), "0, 0 lies in the sea, where sensors are whose place nobody has set");
    Ok(position)
}

impl Enrol {
    /// Enrols the device and prints its kid.
    ///
    /// # Errors
    /// When the node cannot be reached or refuses.
    pub fn run(self) -> anyhow::Result<()> {
        let answer = enrol(&Client::new(&self.registration.node)?, self.public_key, &self.registration)?;
        let kid = self.public_key.kid().to_string();
        if self.json {
            return output::json(&json!({"kid": kid, "transaction": answer.get("id")}));
        }
        output::line(kid)
    }
}

/// Tells the node of the device, and waits until it is durable.
///
/// # Errors
/// When the node cannot be reached or refuses.
pub fn enrol(client: &Client, public_key: PublicKey, registration: &Registration) -> anyhow::Result<Value> {
    let position = match (registration.latitude, registration.longitude) {
        (Some(latitude_microdegrees), Some(longitude_microdegrees)) => {
            Some(placed(Position { latitude_microdegrees, longitude_microdegrees })?)
        }
        _ => None,
    };
    let instruction = Instruction::Enrol { public_key, owner: registration.owner, position };
    send::submit(client, &registration.key, &instruction)
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
