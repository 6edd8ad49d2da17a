//! The identity page that is flashed beside the firmware: who the device is, and where it speaks.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `LAMPPOST` |
//! | 8 | 1 | version, 1 |
//! | 9 | 1 | length of the network id |
//! | 10 | 32 | network id, then zeros |
//! | 42 | 32 | seed of the Ed25519 key |
//! | 74 | 1 | 1 if a broker's address follows, else 0 |
//! | 75 | 4 + 2 | IPv4 address and port (big-endian), or zeros |
//! | 81 | 11 | zeros |
//! | 92 | 4 | CRC-32 of all before it (little-endian) |
use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};

use crate::checksum::crc32;
use crate::cose::network_is_valid;
use crate::identity::SigningKey;
use crate::limits::NETWORK_BYTES_MAX;

/// Bytes of the page.
pub const PAGE_BYTES: usize = 96;
/// Where the emulated board's firmware looks for the page in its flash.
pub const PAGE_ADDRESS: u32 = 0x3f000;

const MAGIC: &[u8; 8] = b"LAMPPOST";
const VERSION: u8 = 1;
const NETWORK: usize = 10;
const SEED: usize = NETWORK + NETWORK_BYTES_MAX;
const BROKER: usize = SEED + 32;
const CHECKSUM: usize = PAGE_BYTES - 4;

const _: () = assert!(BROKER + 7 <= CHECKSUM);

/// Why bytes are not an identity page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PageError {
    /// The bytes do not start with the magic word: nothing was flashed there.
    #[error("there is no identity page")]
    Absent,
    /// Another version of the format.
    #[error("the identity page has an unknown version")]
    Version,
    /// The checksum differs, or fewer bytes than a page are there.
    #[error("the identity page is damaged")]
    Damaged,
    /// The network id is not 1 to 32 lower-case letters, digits and hyphens.
    #[error("the identity page names no valid network")]
    Network,
}

/// What the page says. Its seed is secret, so `Debug` shows the kid instead.
///
/// ```
/// use devices::IdentityPage;
/// let page = IdentityPage::new("devnet", [7; 32], Some("10.0.2.2:1883".parse()?))?;
/// assert_eq!(IdentityPage::decode(&page.encode())?, page);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityPage {
    network: [u8; NETWORK_BYTES_MAX],
    network_bytes: u8,
    seed: [u8; 32],
    broker: Option<SocketAddrV4>,
}

impl IdentityPage {
    /// The page of a device of `network` with the key of `seed`, and perhaps the broker's address.
    pub fn new(
        network: &str,
        seed: [u8; 32],
        broker: Option<SocketAddrV4>,
    ) -> Result<IdentityPage, PageError> {
        if !network_is_valid(network) {
            return Err(PageError::Network);
        }
        let mut bytes = [0; NETWORK_BYTES_MAX];
        bytes[..network.len()].copy_from_slice(network.as_bytes());
        Ok(IdentityPage { network: bytes, network_bytes: network.len() as u8, seed, broker })
    }

    /// The network's id.
    pub fn network(&self) -> &str {
        core::str::from_utf8(&self.network[..usize::from(self.network_bytes)]).unwrap_or("")
    }

    /// The device's key.
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_seed(self.seed)
    }

    /// Where the broker listens, if the page says so.
    pub fn broker(&self) -> Option<SocketAddrV4> {
        self.broker
    }

    /// The bytes to flash.
    pub fn encode(&self) -> [u8; PAGE_BYTES] {
        let mut page = [0; PAGE_BYTES];
        page[..8].copy_from_slice(MAGIC);
        page[8] = VERSION;
        page[9] = self.network_bytes;
        page[NETWORK..SEED].copy_from_slice(&self.network);
        page[SEED..BROKER].copy_from_slice(&self.seed);
        if let Some(broker) = self.broker {
            page[BROKER] = 1;
            page[BROKER + 1..BROKER + 5].copy_from_slice(&broker.ip().octets());
            page[BROKER + 5..BROKER + 7].copy_from_slice(&broker.port().to_be_bytes());
        }
        let checksum = crc32(&page[..CHECKSUM]);
        page[CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
        page
    }

    /// Reads a page from the start of `bytes`, which may be longer.
    pub fn decode(bytes: &[u8]) -> Result<IdentityPage, PageError> {
        if !bytes.starts_with(MAGIC) {
            return Err(PageError::Absent);
        }
        let page: &[u8; PAGE_BYTES] = bytes.first_chunk().ok_or(PageError::Damaged)?;
        if page[CHECKSUM..] != crc32(&page[..CHECKSUM]).to_le_bytes() {
            return Err(PageError::Damaged);
        }
        if page[8] != VERSION {
            return Err(PageError::Version);
        }
        let network = page[NETWORK..SEED].get(..usize::from(page[9])).ok_or(PageError::Network)?;
        let network = core::str::from_utf8(network).map_err(|_| PageError::Network)?;
        let mut seed = [0; 32];
        seed.copy_from_slice(&page[SEED..BROKER]);
        let broker = &page[BROKER..BROKER + 7];
        let broker = match broker[0] {
            1 => Some(SocketAddrV4::new(
                Ipv4Addr::new(broker[1], broker[2], broker[3], broker[4]),
                u16::from_be_bytes([broker[5], broker[6]]),
            )),
            _ => None,
        };
        IdentityPage::new(network, seed, broker)
    }
}

impl fmt::Debug for IdentityPage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kid = self.signing_key().kid();
        write!(out, "IdentityPage({kid} on {}, broker {:?})", self.network(), self.broker)
    }
}
