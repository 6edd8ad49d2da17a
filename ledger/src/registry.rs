//! What the ledger knows of a device: its key, its owner, what it sent.

use crate::account::AccountId;
use crate::tally::Tally;
use crate::window::Window;
use core::fmt;
use devices::identity::PublicKey;

/// Micro-degrees of a quarter turn.
const LATITUDE_MICRODEGREES_MAX: i32 = 90_000_000;
/// Micro-degrees of a half turn.
const LONGITUDE_MICRODEGREES_MAX: i32 = 180_000_000;

/// A place on the Earth, WGS 84.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Degrees north, times a million.
    pub latitude_microdegrees: i32,
    /// Degrees east, times a million.
    pub longitude_microdegrees: i32,
}

impl Position {
    /// Whether the numbers are a latitude and a longitude.
    #[must_use]
    pub fn is_on_earth(&self) -> bool {
        (-LATITUDE_MICRODEGREES_MAX..=LATITUDE_MICRODEGREES_MAX).contains(&self.latitude_microdegrees)
            && (-LONGITUDE_MICRODEGREES_MAX..=LONGITUDE_MICRODEGREES_MAX)
                .contains(&self.longitude_microdegrees)
    }

    /// Whether it is 0,0: the sea off Ghana, where sensors lie whose position nobody has set.
    #[must_use]
    pub fn is_null_island(&self) -> bool {
        self.latitude_microdegrees == 0 && self.longitude_microdegrees == 0
    }
}

impl fmt::Display for Position {
    /// Degrees with six decimals: `57.100000,-2.100000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_degrees(f, self.latitude_microdegrees)?;
        f.write_str(",")?;
        write_degrees(f, self.longitude_microdegrees)
    }
}

fn write_degrees(f: &mut fmt::Formatter<'_>, microdegrees: i32) -> fmt::Result {
    let sign = if microdegrees < 0 { "-" } else { "" };
    let magnitude = microdegrees.unsigned_abs();
    write!(f, "{sign}{}.{:06}", magnitude / 1_000_000, magnitude % 1_000_000)
}

/// An enrolled device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its key.
    pub public_key: PublicKey,
    /// Who is paid; nobody yet when absent, and the rewards wait in the device's escrow account.
    pub owner: Option<AccountId>,
    /// Where it stands.
    pub position: Option<Position>,
    /// The block that enrolled it.
    pub enrolled_height: u64,
    /// Whether its readings are refused for good.
    pub revoked: bool,
    /// Which of its envelopes were accepted lately.
    pub window: Window,
    /// Envelopes accepted ever.
    pub accepted_envelopes: u64,
    /// Records accepted ever.
    pub accepted_records: u64,
    /// Block time of the last accepted envelope.
    pub last_accepted_unix_milliseconds: Option<u64>,
    /// Micro-tokens it was paid ever.
    pub earned_microtokens: u64,
    /// What counts in the running epoch.
    pub tally: Tally,
}

impl Device {
    /// A device as enrolment makes it.
    #[must_use]
    pub fn enrolled(
        public_key: PublicKey,
        owner: Option<AccountId>,
        position: Option<Position>,
        height: u64,
    ) -> Self {
        Self {
            public_key,
            owner,
            position,
            enrolled_height: height,
            revoked: false,
            window: Window::default(),
            accepted_envelopes: 0,
            accepted_records: 0,
            last_accepted_unix_milliseconds: None,
            earned_microtokens: 0,
            tally: Tally::default(),
        }
    }
}
