//! Every price list the network ever had: the one in force, the one to come, and those before.

use crate::encoding::{Read, Written, array_of};
use crate::limits::TARIFF_VERSIONS_MAX;
use crate::tariff::{Tariff, read_tariff, write_tariff};
use alloc::collections::BTreeMap;
use devices::cbor::{DecodeError, Reader, Writer};

/// One version and from when on it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TariffVersion {
    /// The first epoch that is settled by it; it holds until the next version's.
    pub from_epoch: u64,
    /// The price list.
    pub tariff: Tariff,
}

/// All versions in order. There is always one in force, and at most one that is still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariffs {
    versions: BTreeMap<u32, TariffVersion>,
    /// Which one is in force: the newest that had begun by the running epoch.
    in_force: u32,
}

impl Tariffs {
    /// A history that begins with the genesis document's tariff.
    #[must_use]
    pub(crate) fn new(first: Tariff) -> Self {
        let in_force = first.version;
        let first = TariffVersion { from_epoch: 0, tariff: first };
        Self { versions: BTreeMap::from([(in_force, first)]), in_force }
    }

    /// The tariff by which the running epoch will be settled.
    #[must_use]
    pub fn in_force(&self) -> &Tariff {
        &self.versions.get(&self.in_force).expect("the version in force is never removed").tariff
    }

    /// The version that comes into force at a later epoch's beginning.
    #[must_use]
    pub fn pending(&self) -> Option<&TariffVersion> {
        self.newest().filter(|newest| newest.tariff.version != self.in_force)
    }

    /// A version, however old.
    #[must_use]
    pub fn version(&self, version: u32) -> Option<&TariffVersion> {
        self.versions.get(&version)
    }

    /// All versions, oldest first.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = &TariffVersion> + ExactSizeIterator {
        self.versions.values()
    }

    /// Whether the state keeps as many versions as it can.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.versions.len() >= TARIFF_VERSIONS_MAX
    }

    /// The tariff by which an epoch is, or was, settled.
    #[must_use]
    pub fn of_epoch(&self, epoch: u64) -> Option<&TariffVersion> {
        self.versions().rfind(|version| version.from_epoch <= epoch)
    }

    fn newest(&self) -> Option<&TariffVersion> {
        self.versions.last_key_value().map(|(_, version)| version)
    }

    /// Notes the next version. The caller has seen that its number is the next one and that none is pending.
    pub(crate) fn announce(&mut self, from_epoch: u64, tariff: Tariff) {
        self.versions.insert(tariff.version, TariffVersion { from_epoch, tariff });
    }

    /// Puts a tariff into the place of all that begin in this epoch or later. It gets the number that follows, so that
    /// two tariffs of one number never meet.
    pub(crate) fn try_out(&mut self, from_epoch: u64, running_epoch: u64, mut tariff: Tariff) {
        self.versions.retain(|_, version| version.from_epoch < from_epoch);
        if let Some(newest) = self.newest() {
            tariff.version = newest.tariff.version.saturating_add(1);
        }
        self.announce(from_epoch, tariff);
        self.begin_epoch(running_epoch);
    }

    /// Puts into force what holds in this epoch; an epoch's end calls it, however many empty epochs have passed.
    pub(crate) fn begin_epoch(&mut self, epoch: u64) {
        if let Some(version) = self.of_epoch(epoch) {
            self.in_force = version.tariff.version;
        }
    }

    /// Versions read from a snapshot; `None` unless they follow one another and hold in the running epoch.
    pub(crate) fn from_versions(versions: BTreeMap<u32, TariffVersion>, epoch: u64) -> Option<Self> {
        let mut tariffs = Self { in_force: *versions.first_key_value()?.0, versions };
        let follows = |(earlier, later): (&TariffVersion, &TariffVersion)| {
            earlier.tariff.version.checked_add(1) == Some(later.tariff.version)
                && earlier.from_epoch < later.from_epoch
        };
        let in_order = tariffs.versions().zip(tariffs.versions().skip(1)).all(follows);
        let begins = tariffs.versions.first_key_value()?.1.from_epoch == 0;
        tariffs.begin_epoch(epoch);
        let pending = tariffs.versions().filter(|version| version.from_epoch > epoch).count();
        (in_order && begins && pending <= 1).then_some(tariffs)
    }
}

/// Writes a version as it stands in the state's leaf: `["tariff", from_epoch, tariff]`.
pub(crate) fn write_version(writer: &mut Writer<'_>, version: &TariffVersion) -> Written {
    writer.array_header(3)?;
    writer.text("tariff")?;
    writer.unsigned(version.from_epoch)?;
    write_tariff(writer, &version.tariff)
}

/// Reads what [`write_version`] wrote, with the version's number.
pub(crate) fn read_version(reader: &mut Reader<'_>) -> Read<(u32, TariffVersion)> {
    array_of(reader, 3)?;
    if reader.text()? != "tariff" {
        return Err(DecodeError::Unexpected);
    }
    let from_epoch = reader.unsigned()?;
    let tariff = read_tariff(reader)?;
    tariff.validate().map_err(|_| DecodeError::OutOfRange)?;
    Ok((tariff.version, TariffVersion { from_epoch, tariff }))
}
