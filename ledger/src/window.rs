//! The replay window of one device: the highest settled (boot, count) and which of the 63 counts under it are settled
//! too (contract, MQTT; RFC 4303 section 3.4.3).

use crate::limits::WINDOW_COUNTS;
use devices::sequence::Sequence;

/// What a device has had accepted, as far as it can still send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    highest: Option<Sequence>,
    bits: u64,
}

impl Window {
    /// A window with its parts; `None` unless bit 0 stands exactly when there is a highest one.
    #[must_use]
    pub fn from_parts(highest: Option<Sequence>, bits: u64) -> Option<Self> {
        let consistent = match highest {
            Some(_) => bits & 1 == 1,
            None => bits == 0,
        };
        consistent.then_some(Self { highest, bits })
    }

    /// The highest accepted one.
    #[must_use]
    pub fn highest(&self) -> Option<Sequence> {
        self.highest
    }

    /// Bit i says that (boot, count - i) was accepted.
    #[must_use]
    pub fn bits(&self) -> u64 {
        self.bits
    }

    /// Whether `sequence` was accepted already, lies below the window, or is of an earlier boot.
    #[must_use]
    pub fn is_replayed(&self, sequence: Sequence) -> bool {
        let Some(highest) = self.highest else { return false };
        if sequence.boot != highest.boot {
            return sequence.boot < highest.boot;
        }
        match highest.count.checked_sub(sequence.count) {
            None => false,
            Some(back) if back >= WINDOW_COUNTS => true,
            Some(back) => self.bits.checked_shr(back).unwrap_or(1) & 1 == 1,
        }
    }

    /// Notes `sequence` as accepted; one that [`Self::is_replayed`] changes nothing.
    pub fn accept(&mut self, sequence: Sequence) {
        if self.is_replayed(sequence) {
            return;
        }
        let highest = match self.highest {
            Some(highest) if highest.boot == sequence.boot => highest,
            _ => {
                *self = Self { highest: Some(sequence), bits: 1 };
                return;
            }
        };
        if let Some(back) = highest.count.checked_sub(sequence.count) {
            self.bits |= 1_u64.checked_shl(back).unwrap_or(0);
        } else {
            let ahead = sequence.count.saturating_sub(highest.count);
            self.bits = self.bits.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = Some(sequence);
        }
    }
}
