//! The file as it is written for a person: every field with what it is for.

use std::fmt::Write as _;

use super::{Configuration, Gateway, Gateways, Intake, Peer, Role, Validator};
use crate::limits::{
    BLOCK_MILLISECONDS_MAX, BLOCK_MILLISECONDS_MIN, DISK_RESERVE_BYTES, SILENT_AFTER_SECONDS,
};
use crate::mqtt::BrokerUrl;

/// The text of a node's file.
pub(super) fn text(configuration: &Configuration) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _written = whole(&mut text, configuration);
    text
}

fn whole(out: &mut String, configuration: &Configuration) -> std::fmt::Result {
    let Configuration { name, data, genesis, http, public_url, map, role, .. } = configuration;
    let (word, what) = match role {
        Role::Validator(_) => ("validator", "votes on blocks"),
        Role::Gateway(_) => {
            ("gateway", "brings devices' envelopes to the validators and follows their blocks")
        }
    };
    writeln!(
        out,
        "# The node {name}: a {word}, which {what}. Started by `lamppost node --config` and this file."
    )?;
    writeln!(
        out,
        "# Paths are relative to this file; what is not understood is refused. gateway/docs/network.md says more.\n"
    )?;
    writeln!(out, "role = \"{word}\"\nname = {}", quoted(name))?;
    writeln!(out, "# Everything that the node keeps, its own key in keys/{}.pem.", configuration.key_name())?;
    writeln!(out, "data = {}", quoted(&data.to_string_lossy()))?;
    writeln!(out, "# The same document for every node of the network.")?;
    writeln!(out, "genesis = {}", quoted(&genesis.to_string_lossy()))?;
    writeln!(
        out,
        "# API and dashboard, plain HTTP: put a TLS proxy in front where the network is not yours."
    )?;
    writeln!(out, "http = \"{http}\"")?;
    writeln!(out, "# Where people reach the node: they sign in there and nowhere else.")?;
    match public_url {
        Some(url) => writeln!(out, "public_url = \"{url}\"")?,
        None => writeln!(out, "# public_url = \"https://{name}.example.org\"")?,
    }
    if let Some(map) = map {
        writeln!(out, "# Map of the city, PMTiles.\nmap = {}", quoted(&map.to_string_lossy()))?;
    }
    if configuration.disk_reserve_bytes != DISK_RESERVE_BYTES {
        writeln!(out, "disk_reserve_bytes = {}", configuration.disk_reserve_bytes)?;
    }
    if configuration.silent_after_seconds != SILENT_AFTER_SECONDS {
        writeln!(out, "silent_after_seconds = {}", configuration.silent_after_seconds)?;
    }
    match role {
        Role::Validator(validator) => validator_part(out, validator),
        Role::Gateway(gateway) => gateway_part(out, gateway),
    }
}

fn validator_part(out: &mut String, validator: &Validator) -> std::fmt::Result {
    let Validator { listen, block_milliseconds, peers, gateways } = validator;
    writeln!(
        out,
        "\n[consensus]\n# Where the other validators connect (TCP): open this port to them alone."
    )?;
    writeln!(out, "listen = \"{listen}\"")?;
    writeln!(
        out,
        "# A block is begun so long after the one before: {BLOCK_MILLISECONDS_MIN} to {BLOCK_MILLISECONDS_MAX}, the same everywhere."
    )?;
    writeln!(out, "block_milliseconds = {block_milliseconds}")?;
    if !peers.is_empty() {
        writeln!(
            out,
            "\n# The other validators. One that is not in the genesis document needs its public_key here."
        )?;
    }
    peers.iter().try_for_each(|one| peer(out, "consensus.peers", one))?;
    match gateways {
        Some(gateways) => gateways_part(out, gateways),
        None => Ok(()),
    }
}

fn gateways_part(out: &mut String, gateways: &Gateways) -> std::fmt::Result {
    let Gateways { listen, admitted } = gateways;
    writeln!(
        out,
        "\n[gateways]\n# Where gateways connect (TLS, both sides by their keys): open this port to them alone."
    )?;
    writeln!(out, "listen = \"{listen}\"")?;
    for one in admitted {
        writeln!(
            out,
            "\n[[gateways.admitted]]\nname = {}\npublic_key = \"{}\"",
            quoted(&one.name),
            one.public_key
        )?;
        writeln!(out, "envelopes_per_second = {}", one.envelopes_per_second)?;
    }
    Ok(())
}

fn gateway_part(out: &mut String, gateway: &Gateway) -> std::fmt::Result {
    let Gateway { intake, devices, operator_key, validators } = gateway;
    match intake {
        Intake::Embedded(mqtt) => {
            writeln!(
                out,
                "# The gateway's own MQTT broker; or `broker = \"mqtt://HOST:PORT\"` for somebody else's."
            )?;
            writeln!(out, "mqtt = \"{mqtt}\"")?;
        }
        Intake::External(url) => writeln!(out, "broker = {}", quoted(&with_login(url)))?,
    }
    writeln!(
        out,
        "# Virtual devices, for trials; they are enrolled with the operator's key.\ndevices = {devices}"
    )?;
    match operator_key {
        Some(file) => writeln!(out, "operator_key = {}", quoted(&file.to_string_lossy()))?,
        None => writeln!(out, "# operator_key = \"../keys/operator.pem\"")?,
    }
    writeln!(out, "\n# The doors of all validators: envelopes go to those whose turn is next.")?;
    validators.iter().try_for_each(|one| peer(out, "validators", one))
}

fn peer(out: &mut String, list: &str, peer: &Peer) -> std::fmt::Result {
    writeln!(out, "[[{list}]]\nname = {}\naddress = \"{}\"", quoted(&peer.name), peer.address)?;
    match &peer.public_key {
        Some(key) => writeln!(out, "public_key = \"{key}\"\n"),
        None => writeln!(out),
    }
}

/// A broker's address with what it wants to know of us: this file is for the node, not for logs.
fn with_login(url: &BrokerUrl) -> String {
    let shown = url.to_string();
    match (&url.login, shown.strip_prefix("mqtt://")) {
        (Some((user, password)), Some(rest)) => format!("mqtt://{user}:{password}@{rest}"),
        _ => shown,
    }
}

/// A TOML basic string (TOML 1.0, "String").
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(letter))),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
