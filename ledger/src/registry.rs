//! What the ledger knows of a device: its key, its owner, what it sent.

use crate::account::AccountId;
use crate::cell::Cell;
use crate::ownership::Ownership;
use crate::tally::Tally;
use crate::window::Window;
use alloc::boxed::Box;
use core::fmt;
use devices::identity::{DeviceId, PublicKey};

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

/// Why and since when a device's readings are refused for good. Its key is kept, so that what it sent still verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retirement {
    /// Time of the block that ended its service, Unix milliseconds.
    pub unix_milliseconds: u64,
    /// The kid of the key that took its place; `None` when it was revoked.
    pub replaced_by: Option<DeviceId>,
}

/// An enrolled device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its key.
    pub public_key: PublicKey,
    /// Who is paid, and who was before. While nobody is, the rewards wait in the device's escrow account.
    pub ownership: Ownership,
    /// Where it stands; [`Self::stand_at`] changes it.
    pub position: Option<Position>,
    /// The cell of the finest resolution that the position lies in: it follows from the position.
    pub cell: Option<Cell>,
    /// The block that enrolled it.
    pub enrolled_height: u64,
    /// From when on readings are expected, Unix milliseconds: the time of that block, or what it was for the key whose
    /// place this one took.
    pub active_from_unix_milliseconds: u64,
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
    /// What is said of few devices.
    rare: Option<Box<Rare>>,
}

/// What is said of few devices, so that all others need no memory for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rare {
    /// Who may accept it.
    pub(crate) offered_to: Option<AccountId>,
    /// The kid of the key whose place it took.
    pub(crate) replaces: Option<DeviceId>,
    /// Set when its readings are refused for good.
    pub(crate) retirement: Option<Retirement>,
}

impl Device {
    /// A device as enrolment makes it in the block of this height and time.
    #[must_use]
    pub fn enrolled(
        public_key: PublicKey,
        ownership: Ownership,
        position: Option<Position>,
        height: u64,
        time_unix_milliseconds: u64,
    ) -> Self {
        Self {
            public_key,
            ownership,
            position,
            cell: position.and_then(Cell::of),
            enrolled_height: height,
            active_from_unix_milliseconds: time_unix_milliseconds,
            window: Window::default(),
            accepted_envelopes: 0,
            accepted_records: 0,
            last_accepted_unix_milliseconds: None,
            earned_microtokens: 0,
            tally: Tally::default(),
            rare: None,
        }
    }

    /// Who owns it now.
    #[must_use]
    pub fn owner(&self) -> Option<AccountId> {
        self.ownership.present()
    }

    /// Who may accept it.
    #[must_use]
    pub fn offered_to(&self) -> Option<AccountId> {
        self.rare.as_deref()?.offered_to
    }

    /// The kid of the key whose place it took.
    #[must_use]
    pub fn replaces(&self) -> Option<DeviceId> {
        self.rare.as_deref()?.replaces
    }

    /// Why and since when its readings are refused for good.
    #[must_use]
    pub fn retirement(&self) -> Option<Retirement> {
        self.rare.as_deref()?.retirement
    }

    /// Changes what is said of few devices.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Rare)) {
        let mut rare = self.rare.as_deref().copied().unwrap_or_default();
        change(&mut rare);
        self.rare = (rare != Rare::default()).then(|| Box::new(rare));
    }

    /// Whether its readings are refused for good: it was revoked, or another key took its place.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retirement().is_some()
    }

    /// Whether it was revoked, which nothing takes back.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.retirement().is_some_and(|retirement| retirement.replaced_by.is_none())
    }

    /// The kid of the key that took its place.
    #[must_use]
    pub fn replaced_by(&self) -> Option<DeviceId> {
        self.retirement().and_then(|retirement| retirement.replaced_by)
    }

    /// Until when readings were expected, Unix milliseconds; `None` while they still are.
    #[must_use]
    pub fn active_until_unix_milliseconds(&self) -> Option<u64> {
        self.retirement().map(|retirement| retirement.unix_milliseconds)
    }

    /// Moves it to where its claimant says it stands.
    pub(crate) fn stand_at(&mut self, position: Position) {
        (self.position, self.cell) = (Some(position), Cell::of(position));
    }

    /// Ends its service; an offer of it ends with it.
    pub(crate) fn retire(&mut self, unix_milliseconds: u64, replaced_by: Option<DeviceId>) {
        let retirement = Some(Retirement { unix_milliseconds, replaced_by });
        self.change(|rare| (rare.retirement, rare.offered_to) = (retirement, None));
    }
}
