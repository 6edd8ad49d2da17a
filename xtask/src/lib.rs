//! Set-up and tasks, as a library so that the end-to-end tests use the same pieces.
//!
//! Nothing here depends on another crate: on a new machine this is compiled before anything is installed.
//! Nothing here knows what a reading is: the product is started as a binary, never called.

pub mod assets;
pub mod bench;
pub mod browser_module;
pub mod chaos;
pub mod container;
pub mod crash;
pub mod deny;
pub mod firmware;
pub mod flash;
pub mod fuzz;
pub mod mutants;
pub mod options;
pub mod pictures;
pub mod process;
pub mod qemu;
pub mod setup;
pub mod several;
pub mod simulate;
pub mod suite;
pub mod suites;
pub mod tally;
pub mod test;
pub mod testnet;
pub mod toolchain;
pub mod up;
