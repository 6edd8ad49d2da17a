//! Makes a sample into a pack, numbers it and signs it.

use devices::cose::SealError;
use devices::limits::BASE_TIME_MIN;
use devices::senml::{BASE_VERSION_SECONDARY_UNITS, PackError};
use devices::{Base, Decimal, Record, Sequence, Value, encode_pack, sign_reading};

use crate::limits::SAMPLE_RECORDS_MAX;
use crate::provision::Identity;
use crate::sampler::Records;

/// Numbers and signs for one identity, in one boot.
pub struct Reporter {
    identity: Identity,
    next: Sequence,
}

impl Reporter {
    /// Begins at count 0 of `boot`, a number that was never used before.
    pub fn new(identity: Identity, boot: u32) -> Self {
        Self { identity, next: Sequence { boot, count: 0 } }
    }

    /// Who signs.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The number that the next pack will get; everything below it has been given.
    pub fn next(&self) -> Sequence {
        self.next
    }

    /// Counts on, after the pack was kept under [`Self::next`]. False when this boot has no number left.
    pub fn used(&mut self) -> bool {
        match self.next.count.checked_add(1) {
            Some(count) => self.next.count = count,
            None => return false,
        }
        true
    }

    /// Writes the SenML pack of one sample into `out` and returns its length. Without a clock there is no base time, and
    /// the time of arrival counts.
    pub fn pack(records: &Records, unix_seconds: Option<u32>, out: &mut [u8]) -> Result<usize, PackError> {
        let mut all = [Record::of(Value::Number(Decimal::ZERO)); SAMPLE_RECORDS_MAX];
        let mut length = 0;
        for (place, record) in all.iter_mut().zip(records.iter()) {
            *place = *record;
            length += 1;
        }
        let records = &all[..length];
        let base = Base { time: unix_seconds.filter(|seconds| *seconds >= BASE_TIME_MIN), ..Base::default() };
        match encode_pack(&base, records, out) {
            // Secondary units ask for a base version of their own (RFC 9100 §5).
            Err(PackError::SecondaryUnit) => {
                encode_pack(&Base { version: Some(BASE_VERSION_SECONDARY_UNITS), ..base }, records, out)
            }
            result => result,
        }
    }

    /// Signs `pack` under `sequence` into `out` and returns the envelope's length; the same input gives the same bytes.
    pub fn sign(&self, sequence: Sequence, pack: &[u8], out: &mut [u8]) -> Result<usize, SealError> {
        sign_reading(self.identity.key(), self.identity.network(), sequence, pack, out)
    }
}
