//! Makes the board a device of a running node: an identity, an owner, an enrolment. All through `lamppost`, as a person
//! would.

use super::board::Store;
use crate::process::{self, Failure, say};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// This machine as a guest of QEMU's user network sees it.
const HOST_FROM_GUEST: &str = "10.0.2.2";
/// How long the node may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Where and as whose the board shall be known.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The `lamppost` binary.
    pub lamppost: PathBuf,
    /// The node's address, `http://…`.
    pub node: String,
    /// The operator's key file, which admits devices.
    pub key: PathBuf,
    /// The broker as this machine reaches it, HOST:PORT, with or without `mqtt://` in front.
    pub broker: String,
    /// The time server (SNTP) as this machine reaches it, HOST:PORT; without one the board has no clock.
    pub time_server: Option<String>,
    /// The account that earns; without one the board gets an owner of its own, whose key lies beside its identity.
    pub owner: Option<String>,
}

/// The board, known to the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The device's kid.
    pub kid: String,
    /// The account that earns.
    pub owner: String,
}

impl Enrolment {
    /// Provisions the board where it has no identity yet, and enrols it where the node does not know it yet.
    ///
    /// # Errors
    /// When no node answers, the key admits nobody, or the board's identity speaks to another broker.
    pub fn ensure(&self, store: &Store) -> Result<Enrolled, Failure> {
        let owner = match &self.owner {
            Some(owner) => owner.clone(),
            None => self.ensure_owner(store)?,
        };
        let (kid, public_key) = self.ensure_identity(store, &network_of(&self.node)?, &owner)?;
        if get(&self.node, &format!("/api/v1/devices/{kid}"))?.is_none() {
            say(&format!("enrolling {kid} at {}", self.node));
            let mut enrol =
                self.lamppost(&["device", "enrol", "--public-key", &public_key, "--owner", &owner]);
            process::output(enrol.args(["--node", &self.node, "--key"]).arg(&self.key))?;
        }
        Ok(Enrolled { kid, owner })
    }

    /// The kid and public key of the board's identity, which is made with a page for this broker and this owner if there is
    /// none.
    fn ensure_identity(
        &self,
        store: &Store,
        network: &str,
        owner: &str,
    ) -> Result<(String, String), Failure> {
        let broker = address_from_guest(&self.broker)?;
        let description = store.directory().join("device.json");
        if !description.exists() {
            // A page without its description is what a failed attempt left: no ledger knows its key.
            let _ = std::fs::remove_file(store.identity());
            let mut provision = self.lamppost(&["device", "provision", "--json", "--network", network]);
            provision.args(["--broker", &broker, "--owner", owner, "--out"]).arg(store.identity());
            if let Some(server) = &self.time_server {
                provision.args(["--time", &address_from_guest(server)?]);
            }
            let said = process::output(&mut provision)?;
            let said = format!("{{\"broker\": \"{broker}\", \"device\": {}}}\n", said.trim());
            std::fs::write(&description, said).map_err(|error| cannot(&description, &error))?;
        }
        let said = std::fs::read_to_string(&description).map_err(|error| cannot(&description, &error))?;
        for (name, wanted) in [("broker", broker.as_str()), ("network", network)] {
            let provisioned = member(&said, name)?;
            if provisioned != wanted {
                return Err(Failure::new(format!(
                    "the board in {} was provisioned for the {name} {provisioned}, not {wanted}; name another directory with --data",
                    store.directory().display()
                )));
            }
        }
        Ok((member(&said, "kid")?, member(&said, "public_key")?))
    }

    fn ensure_owner(&self, store: &Store) -> Result<String, Failure> {
        let file = store.directory().join("owner.pem");
        let action = if file.exists() { "show" } else { "new" };
        let said = process::output(self.lamppost(&["key", action, "--json"]).arg(&file))?;
        member(&said, "account")
    }

    fn lamppost(&self, arguments: &[&str]) -> Command {
        let mut command = process::command(&self.lamppost);
        command.args(arguments);
        command
    }
}

/// The network of the node that answers at `node`.
///
/// # Errors
/// When none answers, with what to type.
pub fn network_of(node: &str) -> Result<String, Failure> {
    match get(node, "/api/v1/status")? {
        Some(status) => member(&status, "network"),
        None => Err(Failure::new(format!("what answers at {node} is no Lamppost node"))),
    }
}

/// What the node answers to a GET; none where it knows nothing of the kind.
fn get(node: &str, path: &str) -> Result<Option<String>, Failure> {
    let answer = http_get(node, path).map_err(|error| {
        Failure::new(format!(
            "no node answers at {node} ({error}); start one in another terminal with: cargo xtask up"
        ))
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1).unwrap_or_default() {
        "200" => Ok(Some(body.to_owned())),
        "404" => Ok(None),
        code => Err(Failure::new(format!("the node at {node} answers {code} to GET {path}"))),
    }
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} cannot be used: {error}", path.display()))
}

/// HTTP/1.0, so that the answer ends with the connection and is never chunked.
fn http_get(node: &str, path: &str) -> std::io::Result<String> {
    let authority = node.strip_prefix("http://").unwrap_or(node).trim_end_matches('/');
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(ANSWER))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {authority}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The broker's IPv4 address and port for the identity page. A loopback address means this machine, which the guest
/// knows by another.
fn address_from_guest(broker: &str) -> Result<String, Failure> {
    let broker = broker.strip_prefix("mqtt://").unwrap_or(broker);
    let found = broker.to_socket_addrs().map_err(|error| {
        Failure::new(format!("{broker} is no address of a broker, such as 127.0.0.1:1883: {error}"))
    })?;
    let address = found.filter_map(|address| match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(address) => {
            address.ip().to_ipv4_mapped().map(|ip| std::net::SocketAddrV4::new(ip, address.port()))
        }
    });
    match address.into_iter().next() {
        Some(address) if address.ip().is_loopback() || address.ip().is_unspecified() => {
            Ok(format!("{HOST_FROM_GUEST}:{}", address.port()))
        }
        Some(address) => Ok(address.to_string()),
        None => Err(Failure::new(format!("{broker} has no IPv4 address, which is all the board speaks"))),
    }
}

/// The first member of that name in JSON whose value is a plain string. Enough for what `lamppost --json` prints, and a
/// reason to need no JSON library on a new machine.
fn member(json: &str, name: &str) -> Result<String, Failure> {
    let key = format!("\"{name}\"");
    let value = json.split_once(&key).and_then(|(_, rest)| {
        let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    });
    value.ok_or_else(|| Failure::new(format!("no {key} in what lamppost said: {}", json.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_broker_is_this_machine_as_the_guest_sees_it() {
        assert_eq!(address_from_guest("mqtt://127.0.0.1:1883").unwrap(), "10.0.2.2:1883");
        assert_eq!(address_from_guest("192.0.2.7:1884").unwrap(), "192.0.2.7:1884");
        assert!(address_from_guest("no-port").is_err());
    }

    #[test]
    fn members_are_found_in_compact_and_in_spaced_json() {
        let json = r#"{"broker":"a:1", "device": { "kid" : "00ff" } }"#;
        assert_eq!(member(json, "broker").unwrap(), "a:1");
        assert_eq!(member(json, "kid").unwrap(), "00ff");
        assert!(member(json, "device").is_err());
    }
}
