//! Why a reading was refused: the contract's eight words, the same on every surface.
use core::fmt;
use core::str::FromStr;

/// The reason for which a reading is refused, in the order in which reasons are judged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Refusal {
    /// The bytes are not an envelope.
    Malformed,
    /// No device with this kid is enrolled.
    UnknownDevice,
    /// The device's key has been revoked.
    Revoked,
    /// The signature does not verify under the device's key on this network.
    Signature,
    /// The (boot, count) is settled already, below the window or of an earlier boot.
    Replayed,
    /// A record's time is too long past.
    TooOld,
    /// A record's time is ahead of the clock.
    InFuture,
    /// The device has sent more than an epoch allows.
    OverQuota,
}

impl Refusal {
    /// All reasons, in the order of [`Refusal::index`].
    pub const ALL: [Refusal; 8] = [
        Refusal::Malformed,
        Refusal::UnknownDevice,
        Refusal::Revoked,
        Refusal::Signature,
        Refusal::Replayed,
        Refusal::TooOld,
        Refusal::InFuture,
        Refusal::OverQuota,
    ];

    /// The contract's word for the reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Refusal::Malformed => "malformed",
            Refusal::UnknownDevice => "unknown_device",
            Refusal::Revoked => "revoked",
            Refusal::Signature => "signature",
            Refusal::Replayed => "replayed",
            Refusal::TooOld => "too_old",
            Refusal::InFuture => "in_future",
            Refusal::OverQuota => "over_quota",
        }
    }

    /// The reason's place in [`Refusal::ALL`], for tables of counts.
    ///
    /// ```
    /// use devices::Refusal;
    /// assert!(Refusal::ALL.iter().enumerate().all(|(place, refusal)| refusal.index() == place));
    /// ```
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl core::error::Error for Refusal {}

impl FromStr for Refusal {
    type Err = UnknownRefusal;

    fn from_str(word: &str) -> Result<Self, UnknownRefusal> {
        Refusal::ALL.into_iter().find(|refusal| refusal.as_str() == word).ok_or(UnknownRefusal)
    }
}

/// The word is none of the contract's eight reasons.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this is none of the eight reasons for a refusal")]
pub struct UnknownRefusal;
