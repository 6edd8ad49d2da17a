//! The file by which a node of several runs: what it is, where it listens, whom it talks to. Read strictly, because what is
//! misspelt here would be missed only when it is needed; written with comments, because people edit it.

mod address;
mod form;
mod written;

use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use devices::PublicKey;

use crate::limits::CONFIGURATION_BYTES_MAX;
use crate::mqtt::BrokerUrl;
use crate::sign_in::origin::Origin;

pub use address::{Address, AddressError};
pub use form::{NAME_BYTES_MAX, is_name};

/// What a node's file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// The node's name among all nodes; a validator's is that of its key in the genesis document.
    pub name: String,
    /// The data directory.
    pub data: PathBuf,
    /// The genesis document that the data directory begins with.
    pub genesis: PathBuf,
    /// Where API and dashboard are served; port 0 picks a free one.
    pub http: SocketAddr,
    /// Where people reach the node.
    pub public_url: Option<Origin>,
    /// Map of the city behind the devices' cells, a PMTiles file.
    pub map: Option<PathBuf>,
    /// Bytes that stay free on the disk.
    pub disk_reserve_bytes: u64,
    /// Seconds after which a device of which nothing is accepted counts as silent.
    pub silent_after_seconds: u64,
    /// What the node is for its network.
    pub role: Role,
}

/// What a node is for its network, and what it needs for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It votes on blocks.
    Validator(Validator),
    /// It brings devices' envelopes and follows the blocks.
    Gateway(Gateway),
}

/// What a validator needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    /// Where the other validators connect.
    pub listen: SocketAddr,
    /// A block is begun so long after the one before, milliseconds.
    pub block_milliseconds: u64,
    /// The other validators.
    pub peers: Vec<Peer>,
    /// The door for gateways; `None` where it lets none in.
    pub gateways: Option<Gateways>,
}

/// Another validator, and where it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its name in the genesis document, or in the instruction that added it.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// Its key, where it is not in the genesis document.
    pub public_key: Option<PublicKey>,
}

/// A validator's door for gateways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateways {
    /// Where gateways connect.
    pub listen: SocketAddr,
    /// Those that may.
    pub admitted: Vec<Admitted>,
}

/// A gateway that a validator lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Its name.
    pub name: String,
    /// Its key.
    pub public_key: PublicKey,
    /// What it may bring.
    pub envelopes_per_second: u64,
}

/// What a gateway needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// How devices reach it.
    pub intake: Intake,
    /// Virtual devices to run.
    pub devices: u32,
    /// The operator's key, by which virtual devices are enrolled.
    pub operator_key: Option<PathBuf>,
    /// The doors of the validators.
    pub validators: Vec<Peer>,
}

/// How devices reach a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intake {
    /// By a broker of its own; port 0 picks a free one.
    Embedded(SocketAddr),
    /// By somebody else's.
    External(BrokerUrl),
}

/// A node's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The operating system refused.
    #[error("cannot read the configuration {file}: {source}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// It is too large for what it is.
    #[error("the configuration {0} is larger than {CONFIGURATION_BYTES_MAX} bytes")]
    Large(PathBuf),
    /// Something in it is not as it must be.
    #[error("{file}, line {line}: {what}")]
    Line {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
}

impl Configuration {
    /// Reads a node's file. Paths in it are relative to the file.
    ///
    /// # Errors
    /// One sentence with the line that is not as it must be.
    pub fn read(file: &Path) -> Result<Configuration, ConfigurationError> {
        let io = |source| ConfigurationError::Io { file: file.to_owned(), source };
        let mut text = String::new();
        let mut limited = File::open(file).map_err(io)?.take(CONFIGURATION_BYTES_MAX + 1);
        limited.read_to_string(&mut text).map_err(io)?;
        if text.len() as u64 > CONFIGURATION_BYTES_MAX {
            return Err(ConfigurationError::Large(file.to_owned()));
        }
        let directory = file.parent().unwrap_or(Path::new(""));
        form::parse(&text, directory).map_err(|fault| {
            let line = text.bytes().take(fault.offset).filter(|byte| *byte == b'\n').count() + 1;
            ConfigurationError::Line { file: file.to_owned(), line, what: fault.what }
        })
    }

    /// The file's text, with comments; paths stand in it as they are here.
    pub fn to_text(&self) -> String {
        written::text(self)
    }

    /// The file of the node's own key in the data directory, without its ending.
    pub fn key_name(&self) -> &'static str {
        match self.role {
            Role::Validator(_) => "validator",
            Role::Gateway(_) => "gateway",
        }
    }
}

#[cfg(test)]
mod tests;
