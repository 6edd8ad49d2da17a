//! What a board keeps for its next start, and what it concludes from it; how a board that cannot start blinks.
//!
//! Invariants: no `std`, no allocator, no `unsafe`, no chip's name. Words come in and go out as values; where they lie is
//! the business of the board's gate. What lies in that memory after power came is believed only with its checksum.
#![no_std]

pub mod blink;
pub mod keepsake;
pub mod limits;
pub mod told;

pub use keepsake::{Ending, Keepsake};
pub use told::Told;
