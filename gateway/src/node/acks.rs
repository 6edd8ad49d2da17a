//! What the node remembers between blocks for its devices: sequences refused for good, and how many notices each got.

use std::collections::HashMap;

use devices::{DeviceId, Sequence};
use ledger::window::Window;

use crate::limits;

/// Windows of devices of which something was refused for good: the ledger's window and those refused. Volatile: after
/// a restart such a reading is refused, and settled, once more.
#[derive(Debug, Default)]
pub struct Settled {
    windows: HashMap<DeviceId, Window>,
}

impl Settled {
    /// Notes a sequence as settled without being on the ledger. `false` when no more devices can be remembered: then
    /// it is not settled, and the device sends it again.
    pub fn refuse_for_good(&mut self, kid: DeviceId, sequence: Sequence, on_ledger: Window) -> bool {
        if self.windows.len() >= limits::SETTLED_OVERLAY_DEVICES_MAX && !self.windows.contains_key(&kid) {
            return false;
        }
        self.windows.entry(kid).or_insert(on_ledger).accept(sequence);
        true
    }

    /// Notes a sequence that is durable on the ledger.
    pub fn accept(&mut self, kid: DeviceId, sequence: Sequence) {
        if let Some(window) = self.windows.get_mut(&kid) {
            window.accept(sequence);
        }
    }

    /// The window to acknowledge.
    pub fn window(&self, kid: DeviceId, on_ledger: Window) -> Window {
        self.windows.get(&kid).copied().unwrap_or(on_ledger)
    }
}

/// How many refusal notices each device got in the running second.
#[derive(Debug, Default)]
pub struct Notices {
    second: u64,
    sent: HashMap<DeviceId, u32>,
    /// Shared by all devices beyond those that are counted one by one.
    sent_to_others: u32,
}

impl Notices {
    /// Whether the device may get another notice at `now` (Unix milliseconds); counts it if so.
    pub fn admits(&mut self, now: u64, kid: DeviceId) -> bool {
        if self.second != now / 1_000 {
            self.second = now / 1_000;
            self.sent.clear();
            self.sent_to_others = 0;
        }
        let room = self.sent.len() < limits::REFUSED_NOTICE_DEVICES_MAX;
        let sent = match self.sent.get_mut(&kid) {
            Some(sent) => sent,
            None if room => self.sent.entry(kid).or_default(),
            None => &mut self.sent_to_others,
        };
        let admitted = *sent < limits::REFUSED_NOTICES_PER_DEVICE_SECOND_MAX;
        *sent += u32::from(admitted);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flooded_device_gets_a_bounded_number_of_notices_a_second() {
        let mut notices = Notices::default();
        let kid = DeviceId([1; 8]);
        let admitted = (0..1_000).filter(|_| notices.admits(5_000, kid)).count();
        assert_eq!(admitted, limits::REFUSED_NOTICES_PER_DEVICE_SECOND_MAX as usize);
        assert!(notices.admits(6_000, kid), "the next second");
        assert!(notices.admits(5_999, DeviceId([2; 8])), "another device");
    }

    #[test]
    fn what_was_refused_for_good_is_in_the_window_beside_what_is_on_the_ledger() {
        let mut settled = Settled::default();
        let kid = DeviceId([1; 8]);
        let sequence = |count| Sequence { boot: 1, count };
        let mut ledger = Window::default();
        ledger.accept(sequence(1));
        assert_eq!(settled.window(kid, ledger), ledger);
        assert!(settled.refuse_for_good(kid, sequence(2), ledger));
        settled.accept(kid, sequence(3));
        let window = settled.window(kid, ledger);
        assert_eq!((window.highest(), window.bits()), (Some(sequence(3)), 0b111));
    }
}
