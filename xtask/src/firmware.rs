//! The firmware of the emulated board: built for its Cortex-M3, and measured.

use crate::process::{self, Failure};
use crate::toolchain::{self, CORTEX_M3};
use std::path::{Path, PathBuf};

/// What `cargo xtask firmware --help` says.
pub const HELP: &str = "\
Builds the firmware of the emulated board and prints where it lies.

Usage: cargo xtask firmware [--size]

  --size   also prints the bytes of flash and of static RAM that it takes

Example: cargo xtask firmware --size";

/// The board's flash but for its last page, which is the identity's, and its RAM.
const FLASH_BYTES: u64 = 252 * 1024;
const RAM_BYTES: u64 = 64 * 1024;
/// Where the chip's RAM begins; below it is flash.
const RAM_START: u64 = 0x2000_0000;

/// Builds it and prints the path, and its size where asked.
///
/// # Errors
/// What the compiler said.
pub fn command(arguments: &[String]) -> Result<(), Failure> {
    let with_size = match arguments {
        [] => false,
        [option] if option == "--size" => true,
        _ => return Err(Failure::new("`cargo xtask firmware --help` says what there is")),
    };
    let image = build()?;
    println!("{}", image.display());
    if with_size {
        let size = Size::of(&image)?;
        println!("flash       {:>7} bytes of {FLASH_BYTES}", size.flash_bytes);
        println!("static RAM  {:>7} bytes of {RAM_BYTES}, the rest is stack", size.static_ram_bytes);
    }
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

/// What an image takes of a chip's memories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Code, constants and the start values of variables.
    pub flash_bytes: u64,
    /// Variables.
    pub static_ram_bytes: u64,
}

impl Size {
    /// Reads the section headers of a 32-bit little-endian ELF file.
    ///
    /// # Errors
    /// When it cannot be read or is none.
    pub fn of(image: &Path) -> Result<Size, Failure> {
        let bytes = std::fs::read(image)
            .map_err(|error| Failure::new(format!("{} cannot be read: {error}", image.display())))?;
        Size::of_elf(&bytes).ok_or_else(|| Failure::new(format!("{} is no 32-bit ELF file", image.display())))
    }

    fn of_elf(bytes: &[u8]) -> Option<Size> {
        // ELF header: section table at 0x20, bytes a section at 0x2e, sections at 0x30.
        if !bytes.starts_with(b"\x7fELF\x01\x01") {
            return None;
        }
        let (table, entry, count) = (word(bytes, 0x20)?, half(bytes, 0x2e)?, half(bytes, 0x30)?);
        let mut size = Size { flash_bytes: 0, static_ram_bytes: 0 };
        for index in 0..count {
            let section = usize::try_from(table + index * entry).ok()?;
            let (kind, flags) = (word(bytes, section + 4)?, word(bytes, section + 8)?);
            let (address, length) = (word(bytes, section + 12)?, word(bytes, section + 20)?);
            let (is_allocated, is_zeros) = (flags & 2 != 0, kind == 8);
            if !is_allocated {
                continue;
            }
            if address >= RAM_START {
                size.static_ram_bytes += length;
            }
            // Variables' start values lie in flash too; zeros lie nowhere.
            if !is_zeros {
                size.flash_bytes += length;
            }
        }
        Some(size)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?).into())
}

fn half(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_elf_file_has_no_size() {
        assert_eq!(Size::of_elf(b"\x7fELF"), None);
        assert_eq!(Size::of_elf(b"\x7fELF\x01\x01 and no more"), None);
    }

    #[test]
    fn zeros_take_ram_and_no_flash() {
        let mut elf = vec![0; 0x40 + 3 * 40];
        elf[..6].copy_from_slice(b"\x7fELF\x01\x01");
        (elf[0x20], elf[0x2e], elf[0x30]) = (0x40, 40, 3);
        // Kind, flags, address (its highest byte), length: text, variables with values, variables of zero.
        for (index, (kind, high, length)) in
            [(1, 0, 100), (1, 0x20, 8), (8, 0x20, 50)].into_iter().enumerate()
        {
            let section = 0x40 + index * 40;
            (elf[section + 4], elf[section + 8], elf[section + 15], elf[section + 20]) =
                (kind, 2, high, length);
        }
        assert_eq!(Size::of_elf(&elf), Some(Size { flash_bytes: 108, static_ram_bytes: 58 }));
    }
}
