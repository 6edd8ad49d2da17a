//! Where a device stands as an H3 cell: computed once from its position, its larger cells by bit operations.
//!
//! This is the ledger's one room with floats. H3 projects a position onto an icosahedron, which takes sines and square
//! roots; without `std` h3o takes them from the `libm` crate, whose pure Rust does the same IEEE 754 operations in the
//! same order on every machine. Everything after that is integers, and vectors of H3's own are pinned in the tests.
#![allow(clippy::float_arithmetic, reason = "degrees are divided once, by IEEE 754; see above")]

use crate::limits::CELL_RESOLUTION_MAX;
use crate::registry::Position;
use core::fmt;
use core::num::NonZeroU64;
use devices::cbor::DecodeError;

/// Bits of one digit of a cell's path.
const DIGIT_BITS: u32 = 3;
/// Where the four bits of the resolution begin.
const RESOLUTION_SHIFT: u32 = 52;
const RESOLUTION_MASK: u64 = 0xf << RESOLUTION_SHIFT;
const MICRODEGREES_OF_A_DEGREE: f64 = 1_000_000.0;

/// An H3 cell index (H3, "Cell Index Bit Layout"), in text its 15 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell(NonZeroU64);

impl Cell {
    /// The cell of the finest resolution that a position lies in; `None` when it is not on the Earth.
    ///
    /// ```
    /// use ledger::{cell::Cell, registry::Position};
    /// let position = Position { latitude_microdegrees: 57_149_000, longitude_microdegrees: -2_099_000 };
    /// let cell = Cell::of(position).unwrap();
    /// assert_eq!(cell.parent(9).to_string().len(), 15);
    /// ```
    #[must_use]
    pub fn of(position: Position) -> Option<Self> {
        if !position.is_on_earth() {
            return None;
        }
        let latitude = f64::from(position.latitude_microdegrees) / MICRODEGREES_OF_A_DEGREE;
        let longitude = f64::from(position.longitude_microdegrees) / MICRODEGREES_OF_A_DEGREE;
        let place = h3o::LatLng::new(latitude, longitude).ok()?;
        NonZeroU64::new(place.to_cell(h3o::Resolution::Fifteen).into()).map(Self)
    }

    /// The cell's resolution, 0 to 15.
    #[must_use]
    pub fn resolution(self) -> u8 {
        u8::try_from((self.index() & RESOLUTION_MASK) >> RESOLUTION_SHIFT).unwrap_or(CELL_RESOLUTION_MAX)
    }

    /// The larger cell of this resolution that it lies in; itself where the resolution is no coarser than its own.
    #[must_use]
    pub fn parent(self, resolution: u8) -> Self {
        if resolution >= self.resolution() {
            return self;
        }
        // The digits below the resolution are unused, which H3 writes as sevens.
        let unused = u32::from(CELL_RESOLUTION_MAX.saturating_sub(resolution)).saturating_mul(DIGIT_BITS);
        let digits = 1_u64.checked_shl(unused).unwrap_or(0).wrapping_sub(1);
        let index = (self.index() & !RESOLUTION_MASK) | (u64::from(resolution) << RESOLUTION_SHIFT) | digits;
        NonZeroU64::new(index).map_or(self, Self)
    }

    /// The middle of the cell, in whole micro-degrees: what is shown of a place to those who may not know it better.
    /// Nothing is decided by it.
    ///
    /// ```
    /// use ledger::{cell::Cell, registry::Position};
    /// let doorstep = Position { latitude_microdegrees: 57_149_700, longitude_microdegrees: -2_094_300 };
    /// let cell = Cell::of(doorstep).unwrap().parent(9);
    /// let shown = cell.centre();
    /// assert_ne!(shown, doorstep);
    /// assert_eq!(Cell::of(shown).unwrap().parent(9), cell);
    /// ```
    #[must_use]
    pub fn centre(self) -> Position {
        let microdegrees = |degrees: f64| {
            let rounded = nearest(degrees * MICRODEGREES_OF_A_DEGREE);
            i32::try_from(rounded).unwrap_or_default()
        };
        // Only H3 cells are ever built, so this always succeeds; the middle of nowhere is no place at all.
        let place = h3o::CellIndex::try_from(self.index()).map(h3o::LatLng::from);
        place.map_or(Position { latitude_microdegrees: 0, longitude_microdegrees: 0 }, |place| Position {
            latitude_microdegrees: microdegrees(place.lat()),
            longitude_microdegrees: microdegrees(place.lng()),
        })
    }

    /// The index as a number.
    #[must_use]
    pub fn index(self) -> u64 {
        self.0.get()
    }

    /// The cell of an index.
    ///
    /// # Errors
    /// When the number is no H3 cell.
    pub fn from_index(index: u64) -> Result<Self, DecodeError> {
        let index = NonZeroU64::new(index).filter(|index| h3o::CellIndex::try_from(index.get()).is_ok());
        index.map(Self).ok_or(DecodeError::OutOfRange)
    }
}

/// To the nearest integer; without `std` a float has no `round` of its own.
fn nearest(value: f64) -> i64 {
    let half = if value < 0.0 { -0.5 } else { 0.5 };
    #[allow(clippy::cast_possible_truncation, reason = "at most 180 million, which an i64 holds")]
    {
        (value + half) as i64
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:015x}", self.0)
    }
}
