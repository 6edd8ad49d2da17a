//! Numbers packs and signs them.

use devices::cose::SealError;
use devices::{Sequence, sign_reading};

use crate::provision::Identity;

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

    /// Who signs, to change the key.
    pub fn identity_mut(&mut self) -> &mut Identity {
        &mut self.identity
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

    /// Signs `pack` under `sequence` into `out` and returns the envelope's length; the same input gives the same bytes.
    pub fn sign(&self, sequence: Sequence, pack: &[u8], out: &mut [u8]) -> Result<usize, SealError> {
        sign_reading(self.identity.key(), self.identity.network(), sequence, pack, out)
    }
}
