//! Sensors for every board: a file each, over its embedded-hal driver crate, behind a feature of its name.
//!
//! Invariants: no `std`, no allocator, no `unsafe`, and no float in what is signed. A sensor never waits for its chip: it
//! takes what is ready, and says in its documentation how many bytes that moves on the bus. Whoever is plugged in later is
//! found, whoever is pulled is reported at every sample and asked again. A sensor is asked once a second at most.
//!
//! `firmware/docs/sensors.md` says how each is wired and how one is added; its example is compiled with this crate's tests.
#![no_std]

pub mod limits;
#[cfg(any(feature = "sht3x", feature = "sps30"))]
mod sensirion;
#[cfg(feature = "sht3x")]
pub mod sht3x;
#[cfg(feature = "sps30")]
pub mod sps30;
pub mod steady;
#[cfg(feature = "tmp1x2")]
pub mod tmp1x2;

#[cfg(feature = "sht3x")]
pub use sht3x::Sht3x;
#[cfg(feature = "sps30")]
pub use sps30::Sps30;
pub use steady::Steady;
#[cfg(feature = "tmp1x2")]
pub use tmp1x2::Tmp1x2;

/// The page that shows how a sensor is added: its example is a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/sensors.md")]
pub struct Documentation;
