//! Where a device stands as an H3 cell: computed once from its position, its larger cells by bit operations.
//!
//! This is the ledger's one room with floats. H3 projects a position onto an icosahedron, which takes sines and square
//! roots; without `std` h3o takes them from the `libm` crate, whose pure Rust does the same IEEE 754 operations in the
//! same order on every machine. Everything after that is integers, and vectors of H3's own are pinned in the tests.
#![allow(clippy::float_arithmetic, reason = "degrees are divided once, by IEEE 754; see above")]

use crate::limits::CELL_RESOLUTION_MAX;
use crate::registry::Position;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;
use core::str::FromStr;
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

    /// The middle of the cell: what is shown of a position that lies in it.
    ///
    /// ```
    /// use ledger::{cell::Cell, registry::Position};
    /// let position = Position { latitude_microdegrees: 57_149_000, longitude_microdegrees: -2_099_000 };
    /// let cell = Cell::of(position).unwrap().parent(9);
    /// assert_eq!(Cell::of(cell.centre()).unwrap().parent(9), cell);
    /// ```
    #[must_use]
    pub fn centre(self) -> Position {
        let nowhere = Position { latitude_microdegrees: 0, longitude_microdegrees: 0 };
        self.h3().map_or(nowhere, |cell| position(h3o::LatLng::from(cell)))
    }

    /// Its corners, counter-clockwise: six, or up to ten where it lies across an edge of H3's icosahedron.
    #[must_use]
    pub fn outline(self) -> Vec<Position> {
        self.h3().map(|cell| cell.boundary().iter().copied().map(position).collect()).unwrap_or_default()
    }

    /// Always there: an index is checked, or computed, before it becomes a cell, and a parent of a cell is one.
    fn h3(self) -> Option<h3o::CellIndex> {
        h3o::CellIndex::try_from(self.index()).ok()
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

/// To the nearest micro-degree, a tenth of a metre.
fn position(place: h3o::LatLng) -> Position {
    let microdegrees = |degrees: f64| {
        let exact = degrees * MICRODEGREES_OF_A_DEGREE;
        (exact + if exact < 0.0 { -0.5 } else { 0.5 }) as i32
    };
    Position {
        latitude_microdegrees: microdegrees(place.lat()),
        longitude_microdegrees: microdegrees(place.lng()),
    }
}

/// The text is no cell's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cell is an H3 index of 15 hexadecimal digits")]
pub struct NoCell;

impl FromStr for Cell {
    type Err = NoCell;

    fn from_str(text: &str) -> Result<Self, NoCell> {
        let is_hex = text.len() == 15 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let index = u64::from_str_radix(text, 16).ok().filter(|_| is_hex).ok_or(NoCell)?;
        Self::from_index(index).map_err(|_| NoCell)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:015x}", self.0)
    }
}
