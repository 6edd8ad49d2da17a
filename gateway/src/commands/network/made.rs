//! Writes a planned network into a new directory, and says what to do with it.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use devices::PublicKey;
use ledger::genesis::{Genesis, Validator as GenesisValidator};
use ledger::note::VerifierKey;
use serde_json::{Value, json};

use super::plan::{GatewayPlan, KEYS, Nodes, ValidatorPlan};
use super::{FILE, New};
use crate::clock;
use crate::commands::write_new_file;
use crate::configuration::{Admitted, Configuration, Gateway, Gateways, Intake, Peer, Role, Validator};
use crate::consensus::bft::record;
use crate::data_dir::DataDir;
use crate::keys;
use crate::limits::{DISK_RESERVE_BYTES, GATEWAY_ENVELOPES_PER_SECOND, SILENT_AFTER_SECONDS};

/// The name of the genesis document.
pub(super) const GENESIS: &str = "genesis.json";

/// A network that was written.
pub(super) struct Made {
    genesis: Genesis,
    out: PathBuf,
    nodes: Vec<Node>,
}

/// One of its nodes.
struct Node {
    role: &'static str,
    public_key: PublicKey,
    configuration: Configuration,
}

/// Writes everything into a directory that is missing or empty.
///
/// # Errors
/// When the directory holds something, or something cannot be written; what was written until then stays.
pub(super) fn write(new: &New, nodes: &Nodes) -> anyhow::Result<Made> {
    let out = &new.out;
    match fs::read_dir(out).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => bail!("{} is not empty and nothing is overwritten: choose another --out", out.display()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => bail!("{} cannot be used: {error}", out.display()),
    }
    // Everything that can be refused is refused before the first file.
    let trial = keys_of(&nodes.validators, |_| key_of_nobody())?;
    genesis(new, &nodes.validators, &trial, [trial[0], trial[1]])?;
    let secret = |directory: &Path| {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.with_context(|| format!("{} cannot be made", directory.display()))
    };
    secret(&out.join(KEYS))?;
    let account = |name: &str| anyhow::Ok(keys::create(&out.join(KEYS).join(name))?.public_key());
    let accounts = [account("operator.pem")?, account("treasury.pem")?];
    let node_key = |name: &str, key_name: &str| {
        secret(&out.join(name))?;
        let directory = DataDir::open(&out.join(name).join("data"))?;
        anyhow::Ok(keys::create(&directory.key(key_name))?.public_key())
    };
    let validators = keys_of(&nodes.validators, |one| {
        let key = node_key(&one.name, "validator")?;
        // Only whoever makes a key can say that it has voted for nothing yet.
        record::begin(&out.join(&one.name).join("data"), &key)?;
        Ok(key)
    })?;
    let gateways: Vec<PublicKey> =
        nodes.gateways.iter().map(|one| node_key(&one.name, "gateway")).collect::<anyhow::Result<_>>()?;
    let genesis = genesis(new, &nodes.validators, &validators, accounts)?;
    write_new_file(&out.join(GENESIS), genesis.to_json().as_bytes())?;
    let validating = nodes.validators.iter().zip(validators).map(|(one, public_key)| Node {
        role: "validator",
        public_key,
        configuration: validator(new, one, nodes, &gateways),
    });
    let bringing = nodes.gateways.iter().zip(&gateways).map(|(one, public_key)| Node {
        role: "gateway",
        public_key: *public_key,
        configuration: gateway(new, one, nodes),
    });
    let made = Made { genesis, out: out.clone(), nodes: validating.chain(bringing).collect() };
    for node in &made.nodes {
        write_new_file(&made.file(node), node.configuration.to_text().as_bytes())?;
    }
    Ok(made)
}

fn keys_of(
    validators: &[ValidatorPlan],
    key: impl FnMut(&ValidatorPlan) -> anyhow::Result<PublicKey>,
) -> anyhow::Result<Vec<PublicKey>> {
    validators.iter().map(key).collect()
}

/// A key that nobody keeps.
fn key_of_nobody() -> anyhow::Result<PublicKey> {
    Ok(devices::SigningKey::from_seed(clock::random_seed()?).public_key())
}

fn genesis(
    new: &New,
    validators: &[ValidatorPlan],
    keys: &[PublicKey],
    [operator, treasury]: [PublicKey; 2],
) -> anyhow::Result<Genesis> {
    ensure!(validators.len() == keys.len(), "every validator has one key");
    let origin = format!("lamppost/{}", new.network);
    let now = clock::now_unix_milliseconds();
    let mut genesis = Genesis::devnet(&new.network, &origin, keys[0], operator, treasury, new.epoch, now)?;
    let named = validators.iter().zip(keys).map(|(one, key)| {
        let vkey = VerifierKey::new(&one.name, *key)?.to_string();
        Ok(GenesisValidator { name: one.name.clone(), vkey })
    });
    genesis.validators = named.collect::<anyhow::Result<_>>()?;
    genesis.validate()?;
    Ok(genesis)
}

fn configuration(name: &str, http: std::net::SocketAddr, role: Role) -> Configuration {
    Configuration {
        name: name.to_owned(),
        data: "data".into(),
        genesis: Path::new("..").join(GENESIS),
        http,
        public_url: None,
        map: None,
        disk_reserve_bytes: DISK_RESERVE_BYTES,
        silent_after_seconds: SILENT_AFTER_SECONDS,
        role,
    }
}

fn validator(new: &New, one: &ValidatorPlan, nodes: &Nodes, gateways: &[PublicKey]) -> Configuration {
    let others = nodes.validators.iter().filter(|other| other.name != one.name);
    let peer = |other: &ValidatorPlan| Peer {
        name: other.name.clone(),
        address: other.consensus_address.clone(),
        public_key: None,
    };
    let admitted = |(plan, public_key): (&GatewayPlan, &PublicKey)| Admitted {
        name: plan.name.clone(),
        public_key: *public_key,
        envelopes_per_second: GATEWAY_ENVELOPES_PER_SECOND,
    };
    let admitted = nodes.gateways.iter().zip(gateways).map(admitted).collect();
    let role = Role::Validator(Validator {
        listen: one.consensus,
        block_milliseconds: new.block_milliseconds,
        peers: others.map(peer).collect(),
        gateways: Some(Gateways { listen: one.door, admitted }),
    });
    configuration(&one.name, one.http, role)
}

fn gateway(new: &New, one: &GatewayPlan, nodes: &Nodes) -> Configuration {
    let door = |validator: &ValidatorPlan| Peer {
        name: validator.name.clone(),
        address: validator.door_address.clone(),
        public_key: None,
    };
    let operator_key = Path::new("..").join(KEYS).join("operator.pem");
    let role = Role::Gateway(Gateway {
        intake: Intake::Embedded(one.mqtt),
        devices: new.devices,
        operator_key: (new.devices > 0).then_some(operator_key),
        validators: nodes.validators.iter().map(door).collect(),
    });
    configuration(&one.name, one.http, role)
}

impl Made {
    fn file(&self, node: &Node) -> PathBuf {
        self.out.join(&node.configuration.name).join(FILE)
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        let node = |node: &Node| {
            json!({
                "name": node.configuration.name,
                "role": node.role,
                "configuration": self.file(node),
                "public_key": node.public_key.to_string(),
                "http": node.configuration.http.to_string(),
            })
        };
        json!({
            "network": self.genesis.network,
            "genesis": self.out.join(GENESIS),
            "genesis_hash": hex::encode(self.genesis.hash()),
            "quorum": self.genesis.quorum(),
            "keys": self.out.join(KEYS),
            "nodes": self.nodes.iter().map(node).collect::<Vec<_>>(),
        })
    }

    /// For people: what there is, and what to do next.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _written = self.tell(&mut text);
        text
    }

    fn tell(&self, out: &mut String) -> std::fmt::Result {
        let (directory, quorum) = (self.out.display(), self.genesis.quorum());
        let validators = self.genesis.validators.len();
        writeln!(out, "network     {}", self.genesis.network)?;
        writeln!(out, "genesis     {directory}/{GENESIS}")?;
        writeln!(out, "hash        {}", hex::encode(self.genesis.hash()))?;
        writeln!(
            out,
            "validators  {validators}; {quorum} of them decide, {} may fail\n",
            validators - quorum
        )?;
        writeln!(out, "Start every node, in any order:\n")?;
        for node in &self.nodes {
            writeln!(out, "  lamppost node --config {}", self.file(node).display())?;
        }
        writeln!(
            out,
            "\nor, for a trial, all of them on this machine:\n\n  lamppost network run {directory}"
        )?;
        writeln!(
            out,
            "\nBlocks come as soon as {quorum} validators run. Before that, where operators do not share a machine:\n\
             - give each one their own directory {directory}/NAME with {GENESIS} beside it, and delete the others' there:\n\
             \x20 whoever holds a validator's key votes in its name;\n\
             - keep {directory}/{KEYS}: operator.pem enrols devices, treasury.pem issues tokens;\n\
             - compare the hash: everybody must begin with the same document."
        )
    }
}
