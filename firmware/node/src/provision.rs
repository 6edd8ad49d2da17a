//! Who this device is, from the identity page that is flashed beside the firmware.

use core::net::SocketAddrV4;

use devices::identity_page::PageError;
use devices::{DeviceId, IdentityPage, SigningKey};

/// A device's key and network, and where its broker listens.
pub struct Identity {
    key: SigningKey,
    page: IdentityPage,
}

impl Identity {
    /// Reads the identity page at the start of `flash`.
    pub fn read(flash: &[u8]) -> Result<Identity, PageError> {
        IdentityPage::decode(flash).map(Identity::new)
    }

    /// The identity that a page describes.
    pub fn new(page: IdentityPage) -> Identity {
        Identity { key: page.signing_key(), page }
    }

    /// The key that signs.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The device's name in headers and topics.
    pub fn kid(&self) -> DeviceId {
        self.key.kid()
    }

    /// The network that its signatures are for.
    pub fn network(&self) -> &str {
        self.page.network()
    }

    /// Where the broker listens, if the page says so.
    pub fn broker(&self) -> Option<SocketAddrV4> {
        self.page.broker()
    }

    /// Where a time server listens, if the page says so.
    pub fn time_server(&self) -> Option<SocketAddrV4> {
        self.page.time_server()
    }

    /// An Ethernet address of its own: locally administered, unicast, the rest from the kid.
    pub fn hardware_address(&self) -> [u8; 6] {
        let [a, b, c, d, e, ..] = *self.kid().as_bytes();
        [0x02, a, b, c, d, e]
    }
}
