//! A city in one thread, from one seed: the node's real `step`, order of effects, admission, verification, state and
//! log; the firmware's real core; and around them a network, a disk, a clock and people that fail.
//!
//! Invariants: no city reads a clock, a file, a socket or chance of its own: the same seed gives the same run on every
//! machine. What is checked is counted beside the product, never asked of it. A failure names one seed.

pub mod book;
pub mod broker;
pub mod chance;
pub mod checker;
pub mod city;
pub mod device;
pub mod disk;
pub mod eeprom;
pub mod epochs;
pub mod faults;
pub mod owners;
pub mod process;
pub mod resident;
pub mod run;
pub mod scenario;
pub mod simulate;
pub mod trace;
pub mod wishes;
