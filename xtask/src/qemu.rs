//! The emulated board.

use crate::process::Failure;

/// What `cargo xtask qemu --help` says.
pub const HELP: &str = "\
Builds the firmware, enrols an identity and runs the board in QEMU.

Usage: cargo xtask qemu [--broker HOST:PORT] [--seconds N]";

/// Runs it.
///
/// # Errors
/// What failed.
pub fn command(_arguments: &[String]) -> Result<(), Failure> {
    Err(Failure::new("the board is not wired yet"))
}
