//! What the owner's commands have left: the last counter, the account that the device obeys, and the configuration. Two
//! slots with a checksum each, written in turn, so that a power cut leaves all of the old or all of the new.
//!
//! | offset | bytes | what (little-endian) |
//! |---|---|---|
//! | 0 | 8 | counter of the command that wrote it |
//! | 8 | 1 + 32 | 1 and the account's id; zeros where the identity page names it |
//! | 41 | 1 + 200 | length of the configuration and its encoding; zeros where there is none |
//! | 242 | 10 | zeros |
//! | 252 | 4 | CRC-32 of all before it |

use devices::Configuration;
use devices::checksum::crc32;
use devices::limits::CONFIGURATION_BYTES_MAX;
use embedded_storage::Storage;

use crate::limits::{ORDERS_OFFSET, ORDERS_SLOT_BYTES};

const SLOT_BYTES: usize = ORDERS_SLOT_BYTES as usize;
const ACCOUNT: usize = 8;
const CONFIGURATION: usize = ACCOUNT + 33;
const CHECKSUM: usize = SLOT_BYTES - 4;

const _: () = assert!(CONFIGURATION + 1 + CONFIGURATION_BYTES_MAX <= CHECKSUM);

/// The slot as it lies in the storage: what was decoded from it borrows from it.
#[derive(Clone, PartialEq, Eq)]
pub struct Orders {
    bytes: [u8; SLOT_BYTES],
    /// The slot that holds it; none does before the first command.
    slot: Option<u32>,
}

impl Orders {
    /// Reads both slots and gives the newer one that is whole; where neither is, nothing was ever commanded.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub fn load<S: Storage>(storage: &mut S) -> Result<Orders, S::Error> {
        let mut newest = Orders { bytes: [0; SLOT_BYTES], slot: None };
        for slot in 0..2 {
            let mut bytes = [0; SLOT_BYTES];
            storage.read(offset(slot), &mut bytes)?;
            let found = Orders { bytes, slot: Some(slot) };
            if found.is_whole() && (newest.slot.is_none() || found.counter() > newest.counter()) {
                newest = found;
            }
        }
        Ok(newest)
    }

    fn is_whole(&self) -> bool {
        self.bytes[CHECKSUM..] == crc32(&self.bytes[..CHECKSUM]).to_le_bytes()
    }

    /// The counter of the last command that was taken; 0 before the first.
    pub fn counter(&self) -> u64 {
        self.bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// The account that the device was handed over to.
    pub fn account(&self) -> Option<&[u8; 32]> {
        self.bytes[ACCOUNT + 1..].first_chunk().filter(|_| self.bytes[ACCOUNT] == 1)
    }

    /// The configuration, if one was ever commanded.
    pub fn configuration(&self) -> Option<Configuration<'_>> {
        let length = usize::from(self.bytes[CONFIGURATION]);
        Configuration::decode(self.bytes[CONFIGURATION + 1..CHECKSUM].get(..length)?).ok()
    }

    /// Notes the command that changes it.
    pub fn set_counter(&mut self, counter: u64) {
        self.bytes[..8].copy_from_slice(&counter.to_le_bytes());
    }

    /// Obeys this account.
    pub fn set_account(&mut self, account: &[u8; 32]) {
        self.bytes[ACCOUNT] = 1;
        self.bytes[ACCOUNT + 1..CONFIGURATION].copy_from_slice(account);
    }

    /// Takes this configuration.
    pub fn set_configuration(&mut self, configuration: &Configuration<'_>) {
        let place = &mut self.bytes[CONFIGURATION..][..1 + CONFIGURATION_BYTES_MAX];
        place.fill(0);
        let encoded = configuration.as_bytes();
        // A configuration is at most 200 bytes long.
        place[0] = encoded.len() as u8;
        place[1..=encoded.len()].copy_from_slice(encoded);
    }

    /// Writes it into the slot that does not hold what it came from, and reads it back. When this returns true, it
    /// survives power loss; until then what it came from does.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub fn store<S: Storage>(&mut self, storage: &mut S) -> Result<bool, S::Error> {
        let slot = self.slot.map_or(0, |slot| 1 - slot);
        let checksum = crc32(&self.bytes[..CHECKSUM]);
        self.bytes[CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
        storage.write(offset(slot), &self.bytes)?;
        let mut written = [0; SLOT_BYTES];
        storage.read(offset(slot), &mut written)?;
        Ok(written == self.bytes)
    }
}

fn offset(slot: u32) -> u32 {
    ORDERS_OFFSET + slot * ORDERS_SLOT_BYTES
}
