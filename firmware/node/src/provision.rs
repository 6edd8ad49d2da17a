//! Who this device is, from the identity page that is flashed beside the firmware.

use core::net::SocketAddrV4;

use devices::identity_page::PageError;
use devices::{DeviceId, IdentityPage, SigningKey};

/// A device's key and network, and where its broker listens.
pub struct Identity {
    key: SigningKey,
    generation: u32,
    page: IdentityPage,
}

impl Identity {
    /// Reads the identity page at the start of `flash`.
    pub fn read(flash: &[u8]) -> Result<Identity, PageError> {
        IdentityPage::decode(flash).map(Identity::new)
    }

    /// The identity that a page describes.
    pub fn new(page: IdentityPage) -> Identity {
        Identity { key: page.signing_key(), generation: 0, page }
    }

    /// The key that signs.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Which key that is: 0 is the identity page's own.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The key of a generation; `None` where the page has no rotation root.
    pub fn key_of(&self, generation: u32) -> Option<SigningKey> {
        self.page.signing_key_of(generation)
    }

    /// Signs with the key of another generation from now on; false where there is none.
    pub fn use_generation(&mut self, generation: u32) -> bool {
        let Some(key) = self.key_of(generation) else { return false };
        (self.key, self.generation) = (key, generation);
        true
    }

    /// The id of the account whose commands the device obeys, if the page says so.
    pub fn owner(&self) -> Option<&[u8; 32]> {
        self.page.owner()
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
