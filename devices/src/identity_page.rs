//! The identity page that is flashed beside the firmware: who the device is, where it speaks, and whom it obeys.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `LAMPPOST` |
//! | 8 | 1 | version, 2 |
//! | 9 | 1 | length of the network id |
//! | 10 | 32 | network id, then zeros |
//! | 42 | 32 | seed of the Ed25519 key |
//! | 74 | 1 + 4 + 2 | broker: 1, IPv4 address, port (big-endian); zeros where the page names none |
//! | 81 | 1 + 4 + 2 | time server (SNTP), in the same form |
//! | 88 | 1 + 32 | owner: 1, the id of the account whose commands the device obeys; zeros where it obeys nobody |
//! | 121 | 1 + 32 | rotation root: 1, the secret of later keys; zeros where the key cannot be changed over the air |
//! | 154 | 1 + 32 | publisher: 1, the Ed25519 public key of whoever may update the firmware; zeros where nobody may |
//! | 187 | 65 | zeros |
//! | 252 | 4 | CRC-32 of all before it (little-endian) |
//!
//! Version 1 ended with the broker: zeros from 81, the CRC-32 at 92, 96 bytes in all. It is still read.
use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};

use sha2::{Digest, Sha512};

use crate::checksum::crc32;
use crate::cose::network_is_valid;
use crate::identity::SigningKey;
use crate::limits::NETWORK_BYTES_MAX;

/// Bytes of the page.
pub const PAGE_BYTES: usize = 256;
/// Bytes of a page of version 1.
pub const PAGE_1_BYTES: usize = 96;
/// Where the emulated board's firmware looks for the page in its flash.
pub const PAGE_ADDRESS: u32 = 0x3f000;

const MAGIC: &[u8; 8] = b"LAMPPOST";
const VERSION_1: u8 = 1;
const VERSION_2: u8 = 2;
const NETWORK: usize = 10;
const SEED: usize = NETWORK + NETWORK_BYTES_MAX;
const BROKER: usize = SEED + 32;
const TIME_SERVER: usize = BROKER + 1 + ADDRESS_BYTES;
const OWNER: usize = TIME_SERVER + 1 + ADDRESS_BYTES;
const ROTATION_ROOT: usize = OWNER + 1 + 32;
const PUBLISHER: usize = ROTATION_ROOT + 1 + 32;
const END: usize = PUBLISHER + 1 + 32;
const CHECKSUM_BYTES: usize = 4;
/// Bytes of an IPv4 address and a port.
const ADDRESS_BYTES: usize = 6;
/// What the rotation root is hashed with, so that the hash serves no other purpose.
const KEY_PURPOSE: &[u8] = b"lamppost/1/key";

const _: () = assert!(END + CHECKSUM_BYTES <= PAGE_BYTES);

/// Why bytes are not an identity page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PageError {
    /// The bytes do not start with the magic word: nothing was flashed there.
    #[error("there is no identity page")]
    Absent,
    /// Another version of the format.
    #[error("the identity page has an unknown version")]
    Version,
    /// The checksum differs, fewer bytes than a page are there, or a field has no such value.
    #[error("the identity page is damaged")]
    Damaged,
    /// The network id is not 1 to 32 lower-case letters, digits and hyphens.
    #[error("the identity page names no valid network")]
    Network,
}

/// What the page says. Its seed and its rotation root are secret, so `Debug` shows the kid instead.
///
/// ```
/// use devices::IdentityPage;
/// let page = IdentityPage::new("devnet", [7; 32], Some("10.0.2.2:1883".parse()?))?
///     .with_owner([1; 32])
///     .with_rotation_root([2; 32])
///     .with_time_server("10.0.2.2:123".parse()?);
/// assert_eq!(IdentityPage::decode(&page.encode())?, page);
/// assert_eq!(page.signing_key_of(0).map(|key| key.kid()), Some(page.signing_key().kid()));
/// assert_ne!(page.signing_key_of(1).map(|key| key.kid()), Some(page.signing_key().kid()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityPage {
    network: [u8; NETWORK_BYTES_MAX],
    network_bytes: u8,
    seed: [u8; 32],
    broker: Option<SocketAddrV4>,
    time_server: Option<SocketAddrV4>,
    owner: Option<[u8; 32]>,
    rotation_root: Option<[u8; 32]>,
    publisher: Option<[u8; 32]>,
}

impl IdentityPage {
    /// The page of a device of `network` with the key of `seed`, and perhaps the broker's address.
    ///
    /// # Errors
    /// [`PageError::Network`].
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
        Ok(IdentityPage {
            network: bytes,
            network_bytes: network.len() as u8,
            seed,
            broker,
            time_server: None,
            owner: None,
            rotation_root: None,
            publisher: None,
        })
    }

    /// Names the account, by its 32-byte id, whose commands the device obeys.
    #[must_use]
    pub fn with_owner(self, account: [u8; 32]) -> IdentityPage {
        IdentityPage { owner: Some(account), ..self }
    }

    /// Adds the secret that later keys are made from: 32 bytes from a good source of randomness. It never signs.
    #[must_use]
    pub fn with_rotation_root(self, root: [u8; 32]) -> IdentityPage {
        IdentityPage { rotation_root: Some(root), ..self }
    }

    /// Names the time server, which speaks SNTP.
    #[must_use]
    pub fn with_time_server(self, address: SocketAddrV4) -> IdentityPage {
        IdentityPage { time_server: Some(address), ..self }
    }

    /// Names the Ed25519 public key of whoever may update the firmware.
    #[must_use]
    pub fn with_publisher(self, public_key: [u8; 32]) -> IdentityPage {
        IdentityPage { publisher: Some(public_key), ..self }
    }

    /// The network's id.
    pub fn network(&self) -> &str {
        core::str::from_utf8(&self.network[..usize::from(self.network_bytes)]).unwrap_or("")
    }

    /// The device's first key.
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_seed(self.seed)
    }

    /// The device's key of a generation: 0 is the first, of which the page holds the seed. The seed of every other one is
    /// the first half of `SHA-512("lamppost/1/key" || rotation root || generation as 4 bytes, big-endian)`, so that who
    /// learns one key learns no other. `None` where the page has no rotation root.
    pub fn signing_key_of(&self, generation: u32) -> Option<SigningKey> {
        if generation == 0 {
            return Some(self.signing_key());
        }
        let mut hashed = [0; KEY_PURPOSE.len() + 32 + 4];
        let (purpose, rest) = hashed.split_at_mut(KEY_PURPOSE.len());
        purpose.copy_from_slice(KEY_PURPOSE);
        rest[..32].copy_from_slice(&self.rotation_root?);
        rest[32..].copy_from_slice(&generation.to_be_bytes());
        let hash = Sha512::digest(hashed);
        Some(SigningKey::from_seed(*hash.first_chunk()?))
    }

    /// Where the broker listens, if the page says so.
    pub fn broker(&self) -> Option<SocketAddrV4> {
        self.broker
    }

    /// Where the time server listens, if the page says so.
    pub fn time_server(&self) -> Option<SocketAddrV4> {
        self.time_server
    }

    /// The id of the account whose commands the device obeys, if the page says so.
    pub fn owner(&self) -> Option<&[u8; 32]> {
        self.owner.as_ref()
    }

    /// The public key of whoever may update the firmware, if the page says so.
    pub fn publisher(&self) -> Option<&[u8; 32]> {
        self.publisher.as_ref()
    }

    /// The bytes to flash, of version 2.
    pub fn encode(&self) -> [u8; PAGE_BYTES] {
        let mut page = [0; PAGE_BYTES];
        page[..8].copy_from_slice(MAGIC);
        page[8] = VERSION_2;
        page[9] = self.network_bytes;
        page[NETWORK..SEED].copy_from_slice(&self.network);
        page[SEED..BROKER].copy_from_slice(&self.seed);
        put(&mut page, BROKER, self.broker.map(address_bytes));
        put(&mut page, TIME_SERVER, self.time_server.map(address_bytes));
        put(&mut page, OWNER, self.owner);
        put(&mut page, ROTATION_ROOT, self.rotation_root);
        put(&mut page, PUBLISHER, self.publisher);
        let (content, checksum) = page.split_at_mut(PAGE_BYTES - CHECKSUM_BYTES);
        checksum.copy_from_slice(&crc32(content).to_le_bytes());
        page
    }

    /// Reads a page of either version from the start of `bytes`, which may be longer. What version 1 does not say is
    /// absent.
    ///
    /// # Errors
    /// Why the bytes are none. Of version 2 there is one encoding, and every other is [`PageError::Damaged`].
    pub fn decode(bytes: &[u8]) -> Result<IdentityPage, PageError> {
        if !bytes.starts_with(MAGIC) {
            return Err(PageError::Absent);
        }
        let length = match bytes.get(8) {
            Some(&VERSION_1) => PAGE_1_BYTES,
            Some(&VERSION_2) => PAGE_BYTES,
            Some(_) => return Err(PageError::Version),
            None => return Err(PageError::Damaged),
        };
        let page = bytes.get(..length).ok_or(PageError::Damaged)?;
        let (page, checksum) = page.split_at(length - CHECKSUM_BYTES);
        if checksum != crc32(page).to_le_bytes() {
            return Err(PageError::Damaged);
        }
        let (network, padding) =
            page[NETWORK..SEED].split_at_checked(usize::from(page[9])).ok_or(PageError::Network)?;
        let network = core::str::from_utf8(network).map_err(|_| PageError::Network)?;
        let mut seed = [0; 32];
        seed.copy_from_slice(&page[SEED..BROKER]);
        let decoded = IdentityPage::new(network, seed, field(page, BROKER)?.map(address))?;
        if length == PAGE_1_BYTES {
            return Ok(decoded);
        }
        if !is_blank(padding) || !is_blank(&page[END..]) {
            return Err(PageError::Damaged);
        }
        Ok(IdentityPage {
            time_server: field(page, TIME_SERVER)?.map(address),
            owner: field(page, OWNER)?,
            rotation_root: field(page, ROTATION_ROOT)?,
            publisher: field(page, PUBLISHER)?,
            ..decoded
        })
    }
}

/// Writes a field that may be absent: 1 and its bytes, or zeros.
fn put<const N: usize>(page: &mut [u8], offset: usize, value: Option<[u8; N]>) {
    if let Some(value) = value {
        page[offset] = 1;
        page[offset + 1..offset + 1 + N].copy_from_slice(&value);
    }
}

/// Reads a field that may be absent.
fn field<const N: usize>(page: &[u8], offset: usize) -> Result<Option<[u8; N]>, PageError> {
    let value: [u8; N] = *page[offset + 1..].first_chunk().ok_or(PageError::Damaged)?;
    match page[offset] {
        0 if is_blank(&value) => Ok(None),
        1 => Ok(Some(value)),
        _ => Err(PageError::Damaged),
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn address_bytes(address: SocketAddrV4) -> [u8; ADDRESS_BYTES] {
    let ([a, b, c, d], [e, f]) = (address.ip().octets(), address.port().to_be_bytes());
    [a, b, c, d, e, f]
}

fn address([a, b, c, d, e, f]: [u8; ADDRESS_BYTES]) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([e, f]))
}

impl fmt::Debug for IdentityPage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kid = self.signing_key().kid();
        write!(out, "IdentityPage({kid} on {}, broker {:?})", self.network(), self.broker)
    }
}
