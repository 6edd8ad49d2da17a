//! The firmware of the emulated board: built for its Cortex-M3.

use crate::process::{self, Failure};
use crate::toolchain::{self, CORTEX_M3};
use std::path::PathBuf;

/// What `cargo xtask firmware --help` says.
pub const HELP: &str = "\
Builds the firmware of the emulated board and prints where it lies.

Usage: cargo xtask firmware

Example: cargo xtask firmware";

/// Builds it and prints the path.
///
/// # Errors
/// What the compiler said.
pub fn command(_arguments: &[String]) -> Result<(), Failure> {
    println!("{}", build()?.display());
    Ok(())
}

/// Builds the release firmware; gives the ELF file.
///
/// # Errors
/// What the compiler said.
pub fn build() -> Result<PathBuf, Failure> {
    let board = process::root().join("firmware/boards/qemu-lm3s6965");
    let toolchain = toolchain::ensure_target(CORTEX_M3)?;
    process::run(toolchain.cargo("build", CORTEX_M3).arg("--release").current_dir(&board))?;
    Ok(board.join("target").join(CORTEX_M3).join("release/qemu-lm3s6965"))
}
