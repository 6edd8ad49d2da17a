//! Update over the air, without a board's name: what is received, verified, tried, kept and given back.
//!
//! Invariants: no `std`, no allocator, no `unsafe`. A board runs nothing that the firmware's publisher has not signed, and
//! nothing whose every byte has not been read back from flash and hashed. Its version never goes down: what is confirmed
//! or rejected once is a floor that survives power cuts. Power may go at any write: what is lost is at most
//! [`limits::MARK_CHUNKS`] chunks of a download. An image that crashes is not started a second time. How the two slots are
//! swapped is the [`Bootloader`]'s matter. Only [`fetch`] knows that bytes come by MQTT.
#![no_std]

pub mod bootloader;
pub mod fetch;
mod image;
mod journal;
pub mod limits;
mod record;
pub mod updater;

pub use bootloader::{Bootloader, BootloaderError};
pub use updater::{About, Progress, Refusal, Start, State, UpdateError, Updater, Wanted};
