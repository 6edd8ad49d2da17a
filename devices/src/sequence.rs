//! The number of an envelope: which boot of the device, and which message of that boot.
use core::fmt;

/// A device's (boot, count), compared boot first.
///
/// ```
/// use devices::Sequence;
/// let sequence = Sequence { boot: 1, count: 42 };
/// assert_eq!(Sequence::from_cti(sequence.to_cti()), sequence);
/// assert!(sequence < Sequence { boot: 2, count: 0 });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Sequence {
    /// How often the device has started.
    pub boot: u32,
    /// How many envelopes it has made since.
    pub count: u32,
}

impl Sequence {
    /// The eight bytes of the CWT claim `cti`: both numbers big-endian (envelope CDDL).
    pub fn to_cti(self) -> [u8; 8] {
        (u64::from(self.boot) << 32 | u64::from(self.count)).to_be_bytes()
    }

    /// The number that eight bytes of `cti` stand for.
    pub fn from_cti(cti: [u8; 8]) -> Sequence {
        let [a, b, c, d, e, f, g, h] = cti;
        Sequence { boot: u32::from_be_bytes([a, b, c, d]), count: u32::from_be_bytes([e, f, g, h]) }
    }
}

impl fmt::Display for Sequence {
    /// `boot.count`, as logs and pages show it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.boot, self.count)
    }
}
