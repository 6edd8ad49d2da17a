//! Which nodes there will be, where each listens and where the others reach it. Pure, but for asking the system for free
//! ports where those are wanted.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, ensure};
use ledger::limits::VALIDATORS_MAX;

use super::New;
use crate::configuration::{Address, NAME_BYTES_MAX, is_name};
use crate::limits::LINK_GATEWAYS_MAX;

/// The directory beside the nodes' own that holds the keys of no node.
pub(super) const KEYS: &str = "keys";

/// All nodes of a network, in the order of their names on the command line.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) validators: Vec<ValidatorPlan>,
    pub(super) gateways: Vec<GatewayPlan>,
}

#[derive(Debug)]
pub(super) struct ValidatorPlan {
    pub(super) name: String,
    pub(super) http: SocketAddr,
    pub(super) consensus: SocketAddr,
    pub(super) consensus_address: Address,
    pub(super) door: SocketAddr,
    pub(super) door_address: Address,
}

#[derive(Debug)]
pub(super) struct GatewayPlan {
    pub(super) name: String,
    pub(super) http: SocketAddr,
    pub(super) mqtt: SocketAddr,
}

/// The plan for what was asked.
///
/// # Errors
/// The first name, host or port that cannot be.
pub(super) fn of(new: &New) -> anyhow::Result<Nodes> {
    check_names(new)?;
    let hosts = hosts(new)?;
    let mut ports = Ports::default();
    // Gateways first: theirs is the dashboard that people look at.
    let gateways = new.gateways.iter().map(|name| {
        let host = hosts[name.as_str()].as_str();
        let http = ports.listen(new, host, new.http_port)?;
        Ok(GatewayPlan { name: name.clone(), http, mqtt: ports.listen(new, host, new.mqtt_port)? })
    });
    let gateways = gateways.collect::<anyhow::Result<_>>()?;
    let validators = new.validators.iter().map(|name| {
        let host = hosts[name.as_str()].as_str();
        let http = ports.listen(new, host, new.http_port)?;
        let consensus = ports.listen(new, host, new.consensus_port)?;
        let door = ports.listen(new, host, new.gateways_port)?;
        let reached_at = |listen: SocketAddr| Address { host: host.to_owned(), port: listen.port() };
        let (consensus_address, door_address) = (reached_at(consensus), reached_at(door));
        Ok(ValidatorPlan { name: name.clone(), http, consensus, consensus_address, door, door_address })
    });
    Ok(Nodes { validators: validators.collect::<anyhow::Result<_>>()?, gateways })
}

fn check_names(new: &New) -> anyhow::Result<()> {
    let mut seen = HashSet::new();
    for name in new.validators.iter().chain(&new.gateways) {
        let sound = is_name(name) && name != KEYS;
        ensure!(sound, "{name:?} is no node's name: 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -, and not {KEYS}");
        ensure!(seen.insert(name.as_str()), "two nodes have the name {name}");
    }
    let (validators, gateways) = (new.validators.len(), new.gateways.len());
    ensure!(
        validators > 1,
        "a network of one validator needs no setting up: `lamppost up` runs it; name two at least, four to stand the loss of one"
    );
    ensure!(validators <= VALIDATORS_MAX, "there can be {VALIDATORS_MAX} validators at most");
    ensure!(gateways <= LINK_GATEWAYS_MAX, "there can be {LINK_GATEWAYS_MAX} gateways at most");
    Ok(())
}

/// The host of every node.
fn hosts(new: &New) -> anyhow::Result<HashMap<&str, String>> {
    let here = Ipv4Addr::LOCALHOST.to_string();
    let mut hosts: HashMap<&str, String> = HashMap::new();
    for pair in &new.host {
        let (name, host) = pair.split_once('=').with_context(|| format!("write NAME=HOST, not {pair:?}"))?;
        let known = new.validators.iter().chain(&new.gateways).any(|node| node == name);
        ensure!(known, "there is no node {name:?} whose host could be {host}");
        // Any port serves to ask whether this is a host.
        let brackets = host.contains(':') && !host.starts_with('[');
        let address = if brackets { format!("[{host}]:1") } else { format!("{host}:1") };
        let Ok(Address { host, .. }) = address.parse() else { anyhow::bail!("{host:?} is no host") };
        ensure!(hosts.insert(name, host).is_none(), "{name} has two hosts");
    }
    let elsewhere = hosts.values().any(|host| !is_here(host));
    for name in &new.validators {
        // The others would look for it on their own machines.
        ensure!(
            !elsewhere || hosts.contains_key(name.as_str()),
            "{name} has no host, and the others are not on this machine: add {name}=HOST to --host"
        );
    }
    for name in new.validators.iter().chain(&new.gateways) {
        hosts.entry(name).or_insert_with(|| here.clone());
    }
    Ok(hosts)
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Where a node on this host listens: on loopback where that is where it is reached, and else on all of its addresses.
fn listening_ip(host: &str) -> IpAddr {
    match host.parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => address,
        Ok(IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        _ if is_here(host) => Ipv4Addr::LOCALHOST.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    }
}

/// Ports given away so far.
#[derive(Default)]
struct Ports {
    next: HashMap<(String, u16), u32>,
    taken: HashSet<(String, u16)>,
    /// Held until all are chosen, so that no port is given away twice.
    held: Vec<TcpListener>,
}

impl Ports {
    /// The next address on a host from a first port on.
    fn listen(&mut self, new: &New, host: &str, first: u16) -> anyhow::Result<SocketAddr> {
        let ip = listening_ip(host);
        if new.free_ports {
            let listener = TcpListener::bind((ip, 0)).context("there is no free port")?;
            let address = listener.local_addr().context("there is no free port")?;
            self.held.push(listener);
            return Ok(address);
        }
        let next = self.next.entry((host.to_owned(), first)).or_insert_with(|| first.into());
        let port = u16::try_from(*next).ok().with_context(|| format!("no port follows 65535 on {host}"))?;
        *next += 1;
        let once = self.taken.insert((host.to_owned(), port));
        ensure!(once, "port {port} on {host} would be used twice: choose first ports that lie further apart");
        Ok(SocketAddr::new(ip, port))
    }
}
