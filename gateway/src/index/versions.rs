//! What devices say of their firmware: the last word of each, and how many say the same.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use devices::DeviceId;

/// The last version that each device named. A device counts once, so there are no more versions than devices.
pub struct Versions {
    /// Kid: version.
    of_devices: sled::Tree,
    counts: Mutex<BTreeMap<String, u64>>,
}

impl Versions {
    /// Opens it and counts.
    pub fn open(of_devices: sled::Tree) -> sled::Result<Versions> {
        let mut counts = BTreeMap::new();
        for version in of_devices.iter().values() {
            *counts.entry(String::from_utf8_lossy(&version?).into_owned()).or_insert(0) += 1;
        }
        Ok(Versions { of_devices, counts: Mutex::new(counts) })
    }

    /// A device has named a version.
    pub fn put(&self, kid: DeviceId, version: &str) -> sled::Result<()> {
        let former = self.of_devices.insert(kid.as_bytes(), version)?;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = former {
            let former = String::from_utf8_lossy(&former).into_owned();
            let left = counts.get_mut(&former).map(|count| {
                *count -= 1;
                *count
            });
            if left == Some(0) {
                counts.remove(&former);
            }
        }
        *counts.entry(version.to_owned()).or_insert(0) += 1;
        Ok(())
    }

    /// The version that a device named last.
    pub fn of(&self, kid: DeviceId) -> sled::Result<Option<String>> {
        let version = self.of_devices.get(kid.as_bytes())?;
        Ok(version.map(|version| String::from_utf8_lossy(&version).into_owned()))
    }

    /// How many devices named each version last, the most common first.
    pub fn counts(&self) -> Vec<(String, u64)> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: Vec<(String, u64)> =
            counts.iter().map(|(version, count)| (version.clone(), *count)).collect();
        counts.sort_by(|(_, one), (_, other)| other.cmp(one));
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_counts_once_for_what_it_said_last_also_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let database = sled::open(&directory).unwrap();
        let versions = Versions::open(database.open_tree("firmware").unwrap()).unwrap();
        for (kid, version) in [(1, "1.0.0"), (2, "1.0.0"), (3, "1.1.0"), (1, "1.1.0"), (1, "1.1.0")] {
            versions.put(DeviceId([kid; 8]), version).unwrap();
        }
        let expected = [("1.1.0".to_owned(), 2), ("1.0.0".to_owned(), 1)];
        assert_eq!(versions.counts(), expected);
        versions.put(DeviceId([2; 8]), "1.1.0").unwrap();
        assert_eq!(versions.counts(), [("1.1.0".to_owned(), 3)], "what nobody says is gone");
        let again = Versions::open(database.open_tree("firmware").unwrap()).unwrap();
        assert_eq!(again.counts(), versions.counts());
        assert_eq!(again.of(DeviceId([3; 8])).unwrap().as_deref(), Some("1.1.0"));
        assert_eq!(again.of(DeviceId([9; 8])).unwrap(), None);
    }
}
