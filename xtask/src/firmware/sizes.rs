//! What every board's firmware takes of flash and RAM.

use super::elf::{Elf, Size};
use super::stack::{self, Bound};
use super::table::{Row, Table};
use crate::process::{Failure, say};
use std::path::Path;

/// What the emulated board's firmware may take of flash, whatever the table says.
pub const EMULATED_FLASH_BYTES_MAX: u64 = 176 * 1024;
/// What it may take of RAM, variables and the bound of the stack together.
pub const EMULATED_RAM_BYTES_MAX: u64 = 40 * 1024;

const TABLE: Table = Table {
    document: "firmware/docs/sizes.md",
    columns: &["board", "flash (bytes)", "static RAM (bytes)", "worst stack, bound (bytes)"],
    command: "cargo xtask firmware --size --write",
};

/// Builds and measures every board, and holds it against the committed table and the budget.
///
/// # Errors
/// What the compiler said, or every size that differs.
pub fn check() -> Result<(), Failure> {
    let rows = measure(false)?;
    TABLE.check(&rows, over_budget(&rows))
}

/// Builds and measures every board, and writes the committed table.
///
/// # Errors
/// What the compiler said, or why the table cannot be written.
pub fn write() -> Result<(), Failure> {
    TABLE.write(&measure(true)?)
}

fn measure(tells: bool) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for directory in super::boards() {
        let image = super::build_board(&directory)?;
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (size, bound) = read(&image)?;
        if !bound.unknown.is_empty() {
            return Err(Failure::new(format!("{name}: no bound of the stack: {}", bound.unknown.join(", "))));
        }
        if tells {
            tell(&name, &bound);
        }
        rows.push(Row { name, numbers: vec![size.flash_bytes, size.static_ram_bytes, bound.bytes.into()] });
    }
    Ok(rows)
}

fn read(image: &Path) -> Result<(Size, Bound), Failure> {
    let bytes = std::fs::read(image)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", image.display())))?;
    let elf = Elf::parse(&bytes);
    elf.as_ref()
        .and_then(|elf| Some((elf.size(), stack::bound(elf)?)))
        .ok_or_else(|| Failure::new(format!("{} is no firmware of a Cortex-M", image.display())))
}

/// How the bound comes about, for who wants to make it smaller.
fn tell(board: &str, bound: &Bound) {
    say(&format!(
        "{board}: {} bytes for a panic, {} for an interrupt, and the deepest path:",
        bound.panic_bytes, bound.interrupt_bytes
    ));
    for (name, bytes) in &bound.path {
        say(&format!("  {bytes:>6}  {name}"));
    }
    if !bound.recursive.is_empty() {
        say(&format!("  recursive: {}", bound.recursive.join(", ")));
    }
}

fn over_budget(rows: &[Row]) -> Vec<String> {
    let emulated = rows.iter().filter(|row| row.name == super::EMULATED);
    let over = emulated.flat_map(|row| {
        let ram = row.numbers.iter().skip(1).sum();
        let budgets = [
            ("flash", row.numbers.first().copied().unwrap_or_default(), EMULATED_FLASH_BYTES_MAX),
            ("RAM and stack", ram, EMULATED_RAM_BYTES_MAX),
        ];
        let over = budgets.into_iter().filter(|(_, is, most)| is > most);
        over.map(|(what, is, most)| format!("{}: {what} is {is} bytes, of {most}", row.name))
    });
    over.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emulated_board_has_a_budget_of_its_own() {
        let over = |numbers: [u64; 3]| {
            over_budget(&[Row { name: super::super::EMULATED.to_owned(), numbers: numbers.to_vec() }]).len()
        };
        let (flash, ram) = (EMULATED_FLASH_BYTES_MAX, EMULATED_RAM_BYTES_MAX);
        assert_eq!(over([flash, ram - 10, 10]), 0);
        assert_eq!(over([flash + 1, ram - 10, 10]), 1);
        assert_eq!(over([flash + 1, ram - 10, 11]), 2);
    }
}
