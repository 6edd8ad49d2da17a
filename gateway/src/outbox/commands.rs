//! The owners' commands on their way to devices, and the keys that devices offer in answer. The last command of a device is
//! remembered after it was published: a broker that comes back without its retained messages gets all of them again.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use devices::DeviceId;
use devices::limits::KEY_OFFER_BYTES_MAX;
use tokio::sync::Notify;

use crate::limits::{COMMANDED_DEVICES_MAX, KEY_OFFERS_MAX};

#[derive(Debug, Default)]
struct Table {
    /// The last command of each device.
    last: HashMap<DeviceId, Arc<[u8]>>,
    /// Devices whose last command is to be published.
    turns: BTreeSet<DeviceId>,
    /// What came on `proof` topics, the newest last; nobody has judged it.
    offers: VecDeque<(DeviceId, Vec<u8>)>,
}

/// The table, for the way in by HTTP, for the broker's link, and for the outbox between them.
#[derive(Debug, Clone, Default)]
pub struct Commands {
    table: Arc<Mutex<Table>>,
    filled: Arc<Notify>,
}

impl Commands {
    /// A table whose readers are woken by `filled`.
    pub(super) fn new(filled: Arc<Notify>) -> Commands {
        Commands { table: Arc::default(), filled }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another command finds room: one of a device that has one does in any case.
    pub fn has_room_for(&self, kid: DeviceId) -> bool {
        let table = self.table();
        table.last.len() < COMMANDED_DEVICES_MAX || table.last.contains_key(&kid)
    }

    /// Publishes a command, in the place of the device's last one.
    pub fn publish(&self, kid: DeviceId, command: &[u8]) {
        {
            let mut table = self.table();
            table.last.insert(kid, command.into());
            table.turns.insert(kid);
        }
        self.filled.notify_one();
    }

    /// The device's last command.
    pub fn last(&self, kid: DeviceId) -> Option<Arc<[u8]>> {
        self.table().last.get(&kid).cloned()
    }

    /// Publishes every device's last command again: the broker may have forgotten them.
    pub fn publish_all_again(&self) {
        {
            let mut table = self.table();
            let Table { last, turns, .. } = &mut *table;
            *turns = last.keys().copied().collect();
        }
        self.filled.notify_one();
    }

    /// Commands that wait to be published.
    pub fn waiting(&self) -> usize {
        self.table().turns.len()
    }

    /// Takes up to `most` that wait.
    pub(super) fn take(&self, most: usize) -> Vec<(DeviceId, Arc<[u8]>)> {
        let mut table = self.table();
        let Table { last, turns, .. } = &mut *table;
        let next = std::iter::from_fn(|| turns.pop_first()).take(most);
        next.filter_map(|kid| Some((kid, last.get(&kid)?.clone()))).collect()
    }

    /// A message came on a device's `proof` topic. It is kept only for a device that was commanded, and gives way to
    /// newer ones.
    pub fn offered(&self, kid: DeviceId, bytes: &[u8]) {
        let mut table = self.table();
        if bytes.len() > KEY_OFFER_BYTES_MAX || !table.last.contains_key(&kid) {
            return;
        }
        if table.offers.len() >= KEY_OFFERS_MAX {
            table.offers.pop_front();
        }
        table.offers.push_back((kid, bytes.to_vec()));
    }

    /// What came on a device's `proof` topic lately, the newest first.
    pub fn offers_of(&self, kid: DeviceId) -> Vec<Vec<u8>> {
        let table = self.table();
        let of_device = table.offers.iter().rev().filter(|(of, _)| *of == kid);
        of_device.map(|(_, bytes)| bytes.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kid(number: u8) -> DeviceId {
        DeviceId([number; 8])
    }

    #[test]
    fn a_broker_that_comes_back_gets_the_last_command_of_every_device_again() {
        let commands = Commands::default();
        commands.publish(kid(1), b"first");
        commands.publish(kid(1), b"second");
        assert_eq!(
            commands.take(9),
            [(kid(1), b"second"[..].into())],
            "a newer one takes the older one's place"
        );
        assert!(commands.take(9).is_empty());
        commands.publish(kid(2), b"other");
        commands.publish_all_again();
        assert_eq!(commands.take(9), [(kid(1), b"second"[..].into()), (kid(2), b"other"[..].into())]);
    }

    #[test]
    fn offers_are_kept_for_commanded_devices_alone_and_give_way_to_newer_ones() {
        let commands = Commands::default();
        commands.offered(kid(1), b"unasked");
        assert!(commands.offers_of(kid(1)).is_empty());
        commands.publish(kid(1), b"command");
        for number in 0..KEY_OFFERS_MAX + 1 {
            commands.offered(kid(1), &number.to_be_bytes());
        }
        let offers = commands.offers_of(kid(1));
        assert_eq!(offers.len(), KEY_OFFERS_MAX);
        assert_eq!(offers[0], KEY_OFFERS_MAX.to_be_bytes());
        commands.offered(kid(1), &[0; KEY_OFFER_BYTES_MAX + 1]);
        assert_eq!(
            commands.offers_of(kid(1))[0],
            KEY_OFFERS_MAX.to_be_bytes(),
            "what is too long is no offer"
        );
    }
}
