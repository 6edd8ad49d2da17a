//! The leaves of the tree over the state, read back: what a proven leaf says.

use crate::account::{Account, AccountId};
use crate::encoding::{Read, decoded};
use crate::merkle::Hash;
use crate::registry::Device;
use crate::state::Totals;
use crate::state_root::{read_account_state, read_device, read_network};
use crate::tariffs::{TariffVersion, read_version};
use crate::validators_leaf::{self, ValidatorsLeaf, read_validators};
use alloc::boxed::Box;
use devices::cbor::{DecodeError, Reader};
use devices::identity::DeviceId;

/// One leaf of the tree over the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateLeaf {
    /// The network as a whole.
    Network(Box<NetworkLeaf>),
    /// Who decides.
    Validators(Box<ValidatorsLeaf>),
    /// A version of the tariff.
    Tariff(Box<TariffVersion>),
    /// What an account holds.
    Account(AccountId, Account),
    /// What is known of a device.
    Device(DeviceId, Box<Device>),
}

/// What the first leaf says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkLeaf {
    /// SHA-256 of the genesis document.
    pub genesis_hash: Hash,
    /// The block after which the state was this.
    pub height: u64,
    /// That block's time, Unix milliseconds.
    pub time_unix_milliseconds: u64,
    /// The epoch that runs.
    pub epoch: u64,
    /// Version of the price list in force.
    pub tariff_version: u32,
    /// What was accepted and refused since genesis.
    pub totals: Totals,
}

/// Which leaf; in the order of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeafKey {
    /// The first leaf.
    Network,
    /// The second leaf, where the network began with several validators.
    Validators,
    /// A tariff's, by its version.
    Tariff(u32),
    /// An account's.
    Account(AccountId),
    /// A device's.
    Device(DeviceId),
}

impl StateLeaf {
    /// Reads a leaf as `State::for_each_leaf` gives it.
    ///
    /// # Errors
    /// When the bytes are anything else, or the same in another encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.array_header()?;
        match reader.text()? {
            "network" => decoded(bytes, read_network).map(|network| Self::Network(Box::new(network))),
            validators_leaf::WORD => {
                decoded(bytes, read_validators).map(|validators| Self::Validators(Box::new(validators)))
            }
            "tariff" => decoded(bytes, read_version).map(|(_, version)| Self::Tariff(Box::new(version))),
            "account" => decoded(bytes, read_account_state).map(|(id, account)| Self::Account(id, account)),
            "device" => {
                let device: Read<_> = decoded(bytes, read_device);
                device.map(|(kid, device)| Self::Device(kid, Box::new(device)))
            }
            _ => Err(DecodeError::Unexpected),
        }
    }

    /// Which leaf it is.
    #[must_use]
    pub fn key(&self) -> LeafKey {
        match self {
            Self::Network(_) => LeafKey::Network,
            Self::Validators(_) => LeafKey::Validators,
            Self::Tariff(version) => LeafKey::Tariff(version.tariff.version),
            Self::Account(id, _) => LeafKey::Account(*id),
            Self::Device(kid, _) => LeafKey::Device(*kid),
        }
    }
}
