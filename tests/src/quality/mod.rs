//! The quality rule put to the proof: honest series of real or imagined sensors, faults put into them on purpose, and
//! the ledger itself, whose statements say what each device-day is paid.
//!
//! Everything follows from one seed and from integers, so that a table is the same on every machine.

pub mod draws;
pub mod fault;
pub mod imagined;
pub mod recorded;
pub mod series;
pub mod table;
pub mod trial;
