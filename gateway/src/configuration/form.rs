//! The file's form: which fields there are, what each may hold, which belong to which role. Unknown ones are refused.

use std::collections::HashSet;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use devices::PublicKey;
use ledger::limits::VALIDATORS_MAX;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::{Address, Admitted, Configuration, Gateway, Gateways, Intake, Peer, Role, Validator};
use crate::limits::{
    BLOCK_MILLISECONDS_DEFAULT, BLOCK_MILLISECONDS_MAX, BLOCK_MILLISECONDS_MIN, DISK_RESERVE_BYTES,
    LINK_GATEWAYS_MAX, SILENT_AFTER_SECONDS, SILENT_AFTER_SECONDS_MAX,
};
use crate::mqtt::BrokerUrl;
use crate::sign_in::origin::Origin;

/// Bytes of a node's name at most: it is a directory, a host and the name of a key.
pub const NAME_BYTES_MAX: usize = 32;

/// Whether a node may have this name: lower-case letters, digits and hyphens, not at its ends.
pub fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let sound = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_letter);
    sound && !name.starts_with('-') && !name.ends_with('-')
}

/// What is wrong, and at which byte of the text.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) offset: usize,
    pub(super) what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    role: Spanned<FormRole>,
    #[serde(deserialize_with = "name")]
    name: String,
    data: PathBuf,
    genesis: PathBuf,
    #[serde(deserialize_with = "listen")]
    http: SocketAddr,
    #[serde(default, deserialize_with = "optional")]
    public_url: Option<Origin>,
    map: Option<PathBuf>,
    disk_reserve_bytes: Option<u64>,
    silent_after_seconds: Option<Spanned<u64>>,
    consensus: Option<Spanned<FormConsensus>>,
    gateways: Option<Spanned<FormGateways>>,
    mqtt: Option<Spanned<FormListen>>,
    broker: Option<Spanned<FormBroker>>,
    devices: Option<Spanned<u32>>,
    operator_key: Option<Spanned<PathBuf>>,
    validators: Option<Spanned<Vec<Spanned<FormPeer>>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormRole {
    Validator,
    Gateway,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FormConsensus {
    #[serde(deserialize_with = "listen")]
    listen: SocketAddr,
    block_milliseconds: Option<Spanned<u64>>,
    #[serde(default)]
    peers: Vec<Spanned<FormPeer>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FormPeer {
    #[serde(deserialize_with = "name")]
    name: String,
    #[serde(deserialize_with = "parsed")]
    address: Address,
    #[serde(default, deserialize_with = "optional")]
    public_key: Option<PublicKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FormGateways {
    #[serde(deserialize_with = "listen")]
    listen: SocketAddr,
    #[serde(default)]
    admitted: Vec<Spanned<FormAdmitted>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FormAdmitted {
    #[serde(deserialize_with = "name")]
    name: String,
    #[serde(deserialize_with = "parsed")]
    public_key: PublicKey,
    envelopes_per_second: Spanned<u64>,
}

#[derive(Deserialize)]
struct FormListen(#[serde(deserialize_with = "listen")] SocketAddr);

#[derive(Deserialize)]
struct FormBroker(#[serde(deserialize_with = "parsed")] BrokerUrl);

/// Reads a file's text; paths become relative to `directory`.
pub(super) fn parse(text: &str, directory: &Path) -> Result<Configuration, Fault> {
    let form: Form = toml::from_str(text).map_err(|error| Fault {
        offset: error.span().map_or(0, |span| span.start),
        // The parser's own sentences may have two lines.
        what: error.message().trim().replace('\n', ", "),
    })?;
    let role = role(&form, directory)?;
    let silent_after_seconds = within(
        form.silent_after_seconds.as_ref(),
        SILENT_AFTER_SECONDS,
        1..=SILENT_AFTER_SECONDS_MAX,
        "silent_after_seconds",
    )?;
    Ok(Configuration {
        name: form.name,
        data: directory.join(form.data),
        genesis: directory.join(form.genesis),
        http: form.http,
        public_url: form.public_url,
        map: form.map.map(|map| directory.join(map)),
        disk_reserve_bytes: form.disk_reserve_bytes.unwrap_or(DISK_RESERVE_BYTES),
        silent_after_seconds,
        role,
    })
}

fn role(form: &Form, directory: &Path) -> Result<Role, Fault> {
    match form.role.get_ref() {
        FormRole::Validator => {
            absent(form.mqtt.as_ref(), "mqtt", "validator")?;
            absent(form.broker.as_ref(), "broker", "validator")?;
            absent(form.devices.as_ref(), "devices", "validator")?;
            absent(form.operator_key.as_ref(), "operator_key", "validator")?;
            absent(form.validators.as_ref(), "[[validators]]", "validator")?;
            validator(form).map(Role::Validator)
        }
        FormRole::Gateway => {
            absent(form.consensus.as_ref(), "[consensus]", "gateway")?;
            absent(form.gateways.as_ref(), "[gateways]", "gateway")?;
            gateway(form, directory).map(Role::Gateway)
        }
    }
}

fn validator(form: &Form) -> Result<Validator, Fault> {
    let Some(consensus) = form.consensus.as_ref().map(Spanned::get_ref) else {
        return fault(&form.role, "a validator needs the section [consensus]");
    };
    let block_milliseconds = within(
        consensus.block_milliseconds.as_ref(),
        BLOCK_MILLISECONDS_DEFAULT,
        BLOCK_MILLISECONDS_MIN..=BLOCK_MILLISECONDS_MAX,
        "block_milliseconds",
    )?;
    let peers = peers(&consensus.peers)?;
    if let Some(oneself) = consensus.peers.iter().find(|peer| peer.get_ref().name == form.name) {
        return fault(oneself, "a validator is no peer of itself");
    }
    let gateways = form.gateways.as_ref().map(|section| gateways(section.get_ref())).transpose()?;
    Ok(Validator { listen: consensus.listen, block_milliseconds, peers, gateways })
}

fn gateways(section: &FormGateways) -> Result<Gateways, Fault> {
    let mut keys = HashSet::new();
    let mut names = HashSet::new();
    let mut admitted = Vec::with_capacity(section.admitted.len());
    for one in &section.admitted {
        let FormAdmitted { name, public_key, envelopes_per_second } = one.get_ref();
        if !names.insert(name.as_str()) || !keys.insert(*public_key.as_bytes()) {
            return fault(one, format!("a gateway of the name {name:?} or of this key is there already"));
        }
        if admitted.len() == LINK_GATEWAYS_MAX {
            return fault(one, format!("there are more than {LINK_GATEWAYS_MAX} gateways"));
        }
        let envelopes_per_second = *envelopes_per_second.get_ref();
        if envelopes_per_second == 0 {
            return fault(one, "envelopes_per_second must be 1 at least");
        }
        admitted.push(Admitted { name: name.clone(), public_key: *public_key, envelopes_per_second });
    }
    Ok(Gateways { listen: section.listen, admitted })
}

fn gateway(form: &Form, directory: &Path) -> Result<Gateway, Fault> {
    let intake = match (&form.mqtt, &form.broker) {
        (Some(mqtt), None) => Intake::Embedded(mqtt.get_ref().0),
        (None, Some(broker)) => Intake::External(broker.get_ref().0.clone()),
        (Some(_), Some(broker)) => {
            return fault(
                broker,
                "mqtt is a broker of the gateway's own, broker is somebody else's: one of them",
            );
        }
        (None, None) => return fault(&form.role, "a gateway needs mqtt or broker"),
    };
    let devices = form.devices.as_ref().map_or(0, |devices| *devices.get_ref());
    if let (Some(devices), None, true) = (&form.devices, &form.operator_key, devices > 0) {
        return fault(devices, "virtual devices are enrolled by the operator: operator_key is missing");
    }
    let Some(validators) = form.validators.as_ref().filter(|section| !section.get_ref().is_empty()) else {
        return fault(&form.role, "a gateway needs [[validators]]");
    };
    Ok(Gateway {
        intake,
        devices,
        operator_key: form.operator_key.as_ref().map(|file| directory.join(file.get_ref())),
        validators: peers(validators.get_ref())?,
    })
}

fn peers(listed: &[Spanned<FormPeer>]) -> Result<Vec<Peer>, Fault> {
    let mut names = HashSet::new();
    let mut peers = Vec::with_capacity(listed.len());
    for one in listed {
        let FormPeer { name, address, public_key } = one.get_ref();
        if !names.insert(name.as_str()) {
            return fault(one, format!("a validator of the name {name:?} is there already"));
        }
        if peers.len() == VALIDATORS_MAX {
            return fault(one, format!("there are more than {VALIDATORS_MAX} validators"));
        }
        peers.push(Peer { name: name.clone(), address: address.clone(), public_key: *public_key });
    }
    Ok(peers)
}

fn within(
    number: Option<&Spanned<u64>>,
    otherwise: u64,
    range: std::ops::RangeInclusive<u64>,
    field: &str,
) -> Result<u64, Fault> {
    match number {
        None => Ok(otherwise),
        Some(number) if range.contains(number.get_ref()) => Ok(*number.get_ref()),
        Some(number) => fault(number, format!("{field} lies from {} to {}", range.start(), range.end())),
    }
}

fn absent<T>(field: Option<&Spanned<T>>, name: &str, role: &str) -> Result<(), Fault> {
    match field {
        None => Ok(()),
        Some(field) => fault(field, format!("a {role} has no {name}")),
    }
}

fn fault<T, U>(at: &Spanned<T>, what: impl Into<String>) -> Result<U, Fault> {
    Err(Fault { offset: at.span().start, what: what.into() })
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    match is_name(&name) {
        true => Ok(name),
        false => Err(D::Error::custom(format!(
            "{name:?} is no node's name: 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -"
        ))),
    }
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("{text:?} is no address to listen at: write IP:PORT")))
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn optional<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    parsed(deserializer).map(Some)
}
