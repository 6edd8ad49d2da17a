//! Where another node is reached: a host name or an address, and a port. Names are looked up when they are needed, not when
//! the file is read: a container's name is there only once the container is.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Bytes of a host name at most (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// A host and a port, `HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Host name or address, an IPv6 one without brackets.
    pub host: String,
    /// Port, never 0.
    pub port: u16,
}

/// An address could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of another node: write HOST:PORT")]
pub struct AddressError(String);

impl Address {
    /// The address where the host is one and no name.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(out, "[{}]:{}", self.host, self.port),
            false => write!(out, "{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let error = || AddressError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(error)?;
        Ok(Address { host: host_of(host).ok_or_else(error)?, port })
    }
}

/// A host name or address without brackets; `None` where it is neither.
pub(super) fn host_of(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(address.to_string());
    }
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let sound = (1..=HOST_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_letter);
    sound.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_is_written() {
        for text in ["127.0.0.1:7000", "city:7000", "node-1.example.org:1", "[::1]:65535"] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "city", ":7000", "city:", "city:0", "city:65536", "::1:7000", "a b:1", "http://a:1"]
        {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
