//! What every board's firmware takes of flash and RAM, and the committed table that says so.

use super::elf::Elf;
use super::stack::{self, Bound};
use crate::process::{self, Failure, say};
use std::fmt::Write;
use std::path::PathBuf;

/// By how much a size may differ from the committed one.
const TOLERANCE_PERCENT: u64 = 2;
/// What the emulated board's firmware may take of flash, whatever the table says.
pub const EMULATED_FLASH_BYTES_MAX: u64 = 176 * 1024;
/// What it may take of RAM, variables and the bound of the stack together.
pub const EMULATED_RAM_BYTES_MAX: u64 = 40 * 1024;

const TABLE_HEAD: &str = "\
| board | flash (bytes) | static RAM (bytes) | worst stack, bound (bytes) |
|---|---|---|---|
";

/// One board's line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    board: String,
    sizes: [u64; 3],
}

const COLUMNS: [&str; 3] = ["flash", "static RAM", "worst stack"];

/// Builds and measures every board, and holds it against the committed table.
///
/// # Errors
/// What the compiler said, or every size that differs.
pub fn check() -> Result<(), Failure> {
    let rows = measure(true)?;
    print!("{}", table(&rows));
    let path = document();
    let committed = std::fs::read_to_string(&path)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
    let mut wrong = differences(&parse(&committed), &rows);
    wrong.extend(over_budget(&rows));
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{}; if so it shall be: cargo xtask firmware --size --write", wrong.join("; "))))
}

/// Builds and measures every board, and writes the committed table.
///
/// # Errors
/// What the compiler said, or why the table cannot be written.
pub fn write() -> Result<(), Failure> {
    let rows = measure(false)?;
    print!("{}", table(&rows));
    let path = document();
    let cannot = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(cannot)?;
    let (before, rest) = text
        .split_once(TABLE_HEAD)
        .ok_or_else(|| Failure::new(format!("{} has no table to replace", path.display())))?;
    std::fs::write(&path, format!("{before}{}{}", table(&rows), after_table(rest))).map_err(cannot)
}

fn document() -> PathBuf {
    process::root().join("firmware/docs/sizes.md")
}

fn measure(quietly: bool) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for directory in super::boards() {
        let image = super::build_board(&directory)?;
        let board = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (size, bound) = read(&image)?;
        if !bound.unknown.is_empty() {
            return Err(Failure::new(format!(
                "{board}: no bound of the stack: {}",
                bound.unknown.join(", ")
            )));
        }
        if !quietly {
            tell(&board, &bound);
        }
        rows.push(Row { board, sizes: [size.flash_bytes, size.static_ram_bytes, bound.bytes.into()] });
    }
    Ok(rows)
}

fn read(image: &std::path::Path) -> Result<(super::elf::Size, Bound), Failure> {
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

fn table(rows: &[Row]) -> String {
    let mut text = TABLE_HEAD.to_owned();
    for Row { board, sizes: [flash, ram, stack] } in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {board} | {flash} | {ram} | {stack} |");
    }
    text
}

fn parse(text: &str) -> Vec<Row> {
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let board = cells.next()?.to_owned();
        let mut number = || cells.next()?.parse().ok();
        Some(Row { board, sizes: [number()?, number()?, number()?] })
    });
    rows.collect()
}

fn differences(committed: &[Row], measured: &[Row]) -> Vec<String> {
    let find = |rows: &[Row], board: &str| rows.iter().find(|row| row.board == board).cloned();
    let mut wrong = Vec::new();
    for row in measured {
        let Some(expected) = find(committed, &row.board) else {
            wrong.push(format!("the table has no {}", row.board));
            continue;
        };
        for ((column, is), was) in COLUMNS.iter().zip(row.sizes).zip(expected.sizes) {
            if is.abs_diff(was) * 100 > was * TOLERANCE_PERCENT {
                wrong.push(format!("{}: {column} is {is} bytes, the table says {was}", row.board));
            }
        }
    }
    let gone = committed.iter().filter(|row| find(measured, &row.board).is_none());
    wrong.extend(gone.map(|row| format!("there is no board {}", row.board)));
    wrong
}

fn over_budget(rows: &[Row]) -> Vec<String> {
    let Some(emulated) = rows.iter().find(|row| row.board == super::EMULATED) else { return Vec::new() };
    let [flash, ram, stack] = emulated.sizes;
    let budgets =
        [("flash", flash, EMULATED_FLASH_BYTES_MAX), ("RAM and stack", ram + stack, EMULATED_RAM_BYTES_MAX)];
    let over = budgets.iter().filter(|(_, is, most)| is > most);
    over.map(|(what, is, most)| format!("{}: {what} is {is} bytes, of {most}", emulated.board)).collect()
}

/// What follows the table that `rest` begins within.
fn after_table(rest: &str) -> &str {
    let lines = rest.split_inclusive('\n').take_while(|line| line.starts_with('|'));
    &rest[lines.map(str::len).sum()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(flash: u64) -> Vec<Row> {
        let row = |board: &str, sizes| Row { board: board.to_owned(), sizes };
        vec![row("one", [flash, 10_000, 20_000]), row("two", [50_000, 1_000, 2_000])]
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let text = format!("# Sizes\n\n{}\nMore | text.\n", table(&rows(100_000)));
        assert_eq!(parse(&text), rows(100_000));
        let (_, rest) = text.split_once(TABLE_HEAD).expect("a table");
        assert_eq!(after_table(rest), "\nMore | text.\n");
    }

    #[test]
    fn two_percent_more_or_less_are_the_same() {
        for flash in [98_000, 102_000] {
            assert!(differences(&rows(100_000), &rows(flash)).is_empty(), "{flash}");
        }
        for flash in [97_999, 102_001] {
            let wrong = differences(&rows(100_000), &rows(flash));
            assert_eq!(wrong, [format!("one: flash is {flash} bytes, the table says 100000")]);
        }
    }

    #[test]
    fn a_board_more_or_less_is_named() {
        assert_eq!(differences(&rows(1)[..1], &rows(1)), ["the table has no two"]);
        assert_eq!(differences(&rows(1), &rows(1)[1..]), ["there is no board one"]);
    }

    #[test]
    fn the_emulated_board_has_a_budget_of_its_own() {
        let over = |sizes| over_budget(&[Row { board: super::super::EMULATED.to_owned(), sizes }]).len();
        let (flash, ram) = (EMULATED_FLASH_BYTES_MAX, EMULATED_RAM_BYTES_MAX);
        assert_eq!(over([flash, ram - 10, 10]), 0);
        assert_eq!(over([flash + 1, ram - 10, 10]), 1);
        assert_eq!(over([flash + 1, ram - 10, 11]), 2);
    }
}
