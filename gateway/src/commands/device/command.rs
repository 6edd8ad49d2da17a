//! `lamppost device configure`, `obey` and `rotate --over-the-air`: what an owner asks of a device over the air.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use devices::limits::{COMMAND_BYTES_MAX, CONFIGURATION_BYTES_MAX};
use devices::{Command, Configuration, Decimal, DeviceId, KeyOffer, Order, PublicKey, SigningKey, Threshold};
use ledger::account::AccountId;
use ledger::instruction::Instruction;
use serde_json::{Value, json};

use crate::client::{Client, ClientError};
use crate::clock;
use crate::commands::{NODE, output, send};
use crate::keys;

/// How often it is asked whether a device has answered.
const ASK: Duration = Duration::from_secs(1);

/// Who signs the command, and which node carries it.
#[derive(Debug, clap::Args)]
pub struct Owner {
    /// The key file of the account that the device obeys
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    /// The node that carries the command
    #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = NODE)]
    node: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Tells a device how often to sample and send, and what is urgent; its owner's key must sign
///
/// A configuration is always whole: what is left out gets the value that this help shows. The device confirms it in its
/// next reading.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost device configure be5de2f4bcdc383a --interval 60 --batch 600 --threshold level:above=2.5 --threshold temp:below=-5,above=45 --key owner.pem"
)]
pub struct Configure {
    /// The device's kid, 16 hex digits
    kid: DeviceId,
    /// Seconds from one sample to the next, 1 to 86,400
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    interval: u32,
    /// Seconds that samples are collected before they are sent, 0 to 86,400; 0 sends every sample alone
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    batch: u32,
    /// A quantity that is sent at once when it crosses a bound, such as temp:below=-5,above=45; up to eight of them
    #[arg(long = "threshold", value_name = "NAME:below=V,above=V", value_parser = bounds)]
    thresholds: Vec<Bounds>,
    #[command(flatten)]
    owner: Owner,
}

/// A threshold as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bounds {
    name: String,
    below: Option<Decimal>,
    above: Option<Decimal>,
}

impl Configure {
    /// Sends the configuration.
    ///
    /// # Errors
    /// When it is none that a device takes, the key or the node fails, or the node refuses.
    pub fn run(mut self) -> anyhow::Result<()> {
        self.thresholds.sort_by(|one, other| one.name.cmp(&other.name));
        let thresholds = self.thresholds.iter();
        let thresholds: Vec<_> = thresholds
            .map(|Bounds { name, below, above }| Threshold { name, below: *below, above: *above })
            .collect();
        let mut room = [0; CONFIGURATION_BYTES_MAX];
        let configuration = Configuration::new(self.interval, self.batch, &thresholds, &mut room).context(
            "a device takes an interval of 1 to 86400 seconds, a batch of 0 to 86400, and up to eight thresholds in 200 \
             bytes, each quantity once and with below not above above",
        )?;
        self.owner.say(self.kid, Order::Configure(configuration), "the configuration")
    }
}

/// Tells a device to obey another account from now on; the account that it obeys must sign
///
/// Whom a device obeys is no part of the ledger: after a sale the seller sends this, or the buyer flashes a new page.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lamppost device obey be5de2f4bcdc383a --account lamp1… --key seller.pem")]
pub struct Obey {
    /// The device's kid, 16 hex digits
    kid: DeviceId,
    /// The account whose commands it shall take
    #[arg(long, value_name = "ACCOUNT")]
    account: AccountId,
    #[command(flatten)]
    owner: Owner,
}

impl Obey {
    /// Hands the device over.
    ///
    /// # Errors
    /// When the key or the node fails, or the node refuses.
    pub fn run(self) -> anyhow::Result<()> {
        self.owner.say(self.kid, Order::HandOver(*self.account.as_bytes()), "the command")
    }
}

impl Owner {
    /// Signs the order, has the node carry it, and says so.
    fn say(&self, kid: DeviceId, order: Order<'_>, what: &str) -> anyhow::Result<()> {
        let client = Client::new(&self.node)?;
        let counter = command(&client, &keys::read(&self.key)?, kid, order)?;
        if self.json {
            return output::json(&json!({"kid": kid.to_string(), "counter": counter}));
        }
        output::line(format!(
            "{what} is on its way to device {kid}, which confirms it in its next reading\ncounter {counter}"
        ))
    }
}

/// Signs an order and has the node carry it; gives its counter.
fn command(client: &Client, key: &SigningKey, kid: DeviceId, order: Order<'_>) -> anyhow::Result<u64> {
    let path = format!("/api/v1/devices/{kid}/commands");
    let last = match client.json(&path) {
        Ok(last) => last.get("counter").and_then(Value::as_u64).unwrap_or(0),
        // Never commanded, or no such device: which of both, the answer to the command itself says.
        Err(ClientError::Refused { status: 404, .. }) => 0,
        Err(error) => return Err(error.into()),
    };
    // The time, so that two machines with one key seldom meet, or one more than the last where the clock is behind.
    let counter = clock::now_unix_milliseconds().max(last.saturating_add(1));
    let mut bytes = [0; COMMAND_BYTES_MAX];
    let length = Command { device: kid, counter, order }
        .sign(key, &send::network(client)?, &mut bytes)
        .context("the command is longer than a device takes: use fewer or shorter thresholds")?;
    client.post(&path, "application/cose", bytes.get(..length).unwrap_or_default())?;
    Ok(counter)
}

/// Has a device make its next key, puts that into the old one's place on the ledger, and tells the device to use it. Gives
/// the new key and what the node says of the instruction.
///
/// # Errors
/// When the device does not answer in time, the key or the node fails, or the node refuses.
pub fn rotate(
    client: &Client,
    key_file: &std::path::Path,
    kid: DeviceId,
    wait_seconds: u64,
) -> anyhow::Result<(PublicKey, Value)> {
    let key = keys::read(key_file)?;
    let network = send::network(client)?;
    let device = client.json(&format!("/api/v1/devices/{kid}"))?;
    let present: PublicKey =
        output::member(&device, "/public_key").parse().context("the node names no key")?;
    // Later keys need no numbers without gaps, only rising ones, and nobody has to remember the last.
    let generation = u32::try_from(clock::now_unix_milliseconds() / 1_000).context("the clock is wrong")?;
    let counter = command(client, &key, kid, Order::RotateKey(generation))?;
    let deadline = clock::monotonic() + Duration::from_secs(wait_seconds);
    let offer = loop {
        let last = client.json(&format!("/api/v1/devices/{kid}/commands"))?;
        let raw = last.pointer("/offered_key/raw").and_then(Value::as_str).map(hex::decode);
        // The node has looked at the device's signature, but it is our key that signs what follows.
        let offer = raw.and_then(Result::ok).and_then(|raw| KeyOffer::verify(&raw, &present, &network).ok());
        if let Some(offer) = offer.filter(|it| (it.counter, it.generation) == (counter, generation)) {
            break offer;
        }
        if clock::monotonic() >= deadline {
            bail!(
                "device {kid} has not answered in {wait_seconds} seconds: nothing is changed. It answers once everything \
                 that it sent is settled, if it obeys this account and its identity page has a rotation root"
            );
        }
        std::thread::sleep(ASK);
    };
    let instruction = Instruction::RotateKey { kid, new_key: offer.public_key, proof: offer.proof };
    let answer = send::submit(client, key_file, &instruction)?;
    command(client, &key, kid, Order::UseKey(generation)).with_context(|| {
        format!("the ledger has the new key {}, but device {kid} is not told to use it", offer.public_key)
    })?;
    Ok((offer.public_key, answer))
}

/// `NAME:below=V,above=V`, one bound or both. The name may have colons itself.
fn bounds(text: &str) -> Result<Bounds, String> {
    let sentence = || format!("\"{text}\" is no threshold such as temp:below=-5,above=45");
    let (name, typed) = text.rsplit_once(':').filter(|(name, _)| !name.is_empty()).ok_or_else(sentence)?;
    let mut bounds = Bounds { name: name.to_owned(), below: None, above: None };
    for bound in typed.split(',') {
        let (which, value) = bound.split_once('=').ok_or_else(sentence)?;
        let value = Some(value.parse().map_err(|_| sentence())?);
        let place = match which {
            "below" => &mut bounds.below,
            "above" => &mut bounds.above,
            _ => return Err(sentence()),
        };
        if place.is_some() {
            return Err(sentence());
        }
        *place = value;
    }
    Ok(bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_as_they_are_typed() {
        let both = bounds("air:temp:below=-5,above=45.5").unwrap();
        assert_eq!(both.name, "air:temp");
        assert_eq!((both.below, both.above), (Some("-5".parse().unwrap()), Some("45.5".parse().unwrap())));
        assert_eq!(bounds("level:above=2").unwrap().below, None);
        for bad in [
            "",
            "temp",
            "temp:",
            ":above=1",
            "temp:above",
            "temp:over=1",
            "temp:above=x",
            "t:above=1,above=2",
        ] {
            assert!(bounds(bad).is_err(), "{bad}");
        }
    }
}
