//! The boards' firmware: built, and measured.

pub mod call_graph;
pub mod elf;
pub mod signature;
pub mod sizes;
pub mod stack;
pub mod table;
pub mod thumb;

use crate::process::{self, Failure};
use crate::toolchain;
use std::path::{Path, PathBuf};

/// What `cargo xtask firmware --help` says.
pub const HELP: &str = "\
Builds the firmware of the emulated board and prints where it lies.

Usage: cargo xtask firmware [--size [--write] | --signature [--write]]

  --size       builds every board and prints what each takes of flash and RAM; fails where the table in
               firmware/docs/sizes.md says something else by more than 2 %
  --signature  counts in QEMU what a signature costs; likewise with firmware/docs/signature.md
  --write      writes the table instead

Example: cargo xtask firmware --size";

/// The emulated board, which has no debug probe.
const EMULATED: &str = "qemu-lm3s6965";

/// Builds it and prints the path, or the sizes of all where asked.
///
/// # Errors
/// What the compiler said, or which size has changed.
pub fn command(arguments: &[String]) -> Result<(), Failure> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => println!("{}", build()?.display()),
        ["--size"] => sizes::check()?,
        ["--size", "--write"] => sizes::write()?,
        ["--signature"] => signature::check()?,
        ["--signature", "--write"] => signature::write()?,
        _ => return Err(Failure::new("`cargo xtask firmware --help` says what there is")),
    }
    Ok(())
}

/// Builds the emulated board's release firmware; gives the ELF file.
///
/// # Errors
/// What the compiler said.
pub fn build() -> Result<PathBuf, Failure> {
    build_board(&directory(EMULATED))
}

/// Builds a board's release firmware; gives the ELF file.
///
/// # Errors
/// What the compiler said.
pub fn build_board(board: &Path) -> Result<PathBuf, Failure> {
    let target = toolchain::target_of_board(board)?;
    let toolchain = toolchain::ensure_target(&target)?;
    let mut command = toolchain.cargo("build", &target);
    command.arg("--release").current_dir(board);
    process::run(&mut command)?;
    let name = board.file_name().unwrap_or_default();
    Ok(board.join("target").join(target).join("release").join(name))
}

/// The directory of every board.
pub fn boards() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(process::root().join("firmware/boards")).into_iter().flatten().flatten();
    let mut boards: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.join("Cargo.toml").is_file()).collect();
    boards.sort();
    boards
}

fn directory(board: &str) -> PathBuf {
    process::root().join("firmware/boards").join(board)
}
