//! Flash that is written like an EEPROM: any byte at any time, kept when the power goes, worn alike everywhere.
//!
//! The bytes are divided into pages; a page that changes is appended to the flash as a whole (`sequential_storage::map`),
//! and a sector is erased when what is still of use in it has been appended again.
//!
//! The flash must let bits of a written word be cleared later, as flash without ECC does: sequential-storage finishes a
//! mark that a power cut has torn by writing it once more.
//!
//! Invariants: no `std`, no allocator, no `unsafe`; no chip's name. A write touches its pages one by one in address order,
//! and each is replaced as a whole or not at all, so a power cut leaves a prefix of what was written: what the outbox and
//! the counters of `node` rely on. What was never written reads as ones.
#![no_std]

mod blocking;
pub mod limits;
pub mod store;

pub use store::{FlashStore, FlashStoreError};
