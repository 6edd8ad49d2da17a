//! How often a device samples and sends, and what is urgent.

use crate::limits::{OUTBOX_SLOT_BYTES, SAMPLE_INTERVAL_MILLISECONDS, THRESHOLDS_MAX};
use crate::threshold::Thresholds;

/// What a board, a fleet or a device's owner may choose.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Milliseconds between two samples.
    pub sample_interval_milliseconds: u64,
    /// Milliseconds that samples are collected before they are signed and sent as one envelope; 0 makes each sample an
    /// envelope of its own. While there is no connection they are collected until a slot is full.
    pub batch_interval_milliseconds: u64,
    /// Bytes of an outbox slot. A multiple of the EEPROM's page.
    pub outbox_slot_bytes: u32,
    /// What is sent at once.
    pub thresholds: Thresholds,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sample_interval_milliseconds: SAMPLE_INTERVAL_MILLISECONDS,
            batch_interval_milliseconds: 0,
            outbox_slot_bytes: OUTBOX_SLOT_BYTES,
            thresholds: [None; THRESHOLDS_MAX],
        }
    }
}
