//! What a signature costs on a Cortex-M3, with dalek's tables and without: instructions and flash.
//!
//! An image of its own (`firmware/signature-cost`) runs in QEMU with `-icount shift=0`, where each instruction takes a
//! nanosecond. So the count is the same on every machine, and says nothing of cycles.

use super::elf::Elf;
use super::table::{Row, Table};
use crate::process::{self, Failure};
use crate::{setup, toolchain};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What a signature may cost on a board, which has the tables.
pub const INSTRUCTIONS_MAX: u64 = 600_000;

const TABLE: Table = Table {
    document: "firmware/docs/signature.md",
    columns: &["dalek", "instructions", "flash of the image (bytes)"],
    command: "cargo xtask firmware --signature --write",
};
const WITH_TABLES: &str = "with tables (`fast`, as boards have it)";
const WITHOUT_TABLES: &str = "without tables";
/// What the image says before the number.
const ANSWER: &str = "instructions ";

/// Counts, and holds it against the committed table and the budget.
///
/// # Errors
/// What the compiler or QEMU said, or every number that differs.
pub fn check() -> Result<(), Failure> {
    let rows = measure()?;
    let over = rows.iter().filter(|row| row.name == WITH_TABLES && row.numbers[0] > INSTRUCTIONS_MAX);
    let over =
        over.map(|row| format!("a signature takes {}, of {INSTRUCTIONS_MAX}", row.numbers[0])).collect();
    TABLE.check(&rows, over)
}

/// Counts, and writes the committed table.
///
/// # Errors
/// What the compiler or QEMU said, or why the table cannot be written.
pub fn write() -> Result<(), Failure> {
    TABLE.write(&measure()?)
}

/// Where the image's workspace lies.
pub fn directory() -> PathBuf {
    process::root().join("firmware/signature-cost")
}

fn measure() -> Result<Vec<Row>, Failure> {
    setup::ensure_tools(&[setup::QEMU])?;
    let mut rows = Vec::new();
    for (name, features) in [(WITH_TABLES, Some("fast")), (WITHOUT_TABLES, None)] {
        let image = build(features)?;
        let bytes = std::fs::read(&image)
            .map_err(|error| Failure::new(format!("{} cannot be read: {error}", image.display())))?;
        let elf =
            Elf::parse(&bytes).ok_or_else(|| Failure::new(format!("{} is no ELF file", image.display())))?;
        rows.push(Row { name: name.to_owned(), numbers: vec![count(&image)?, elf.size().flash_bytes] });
    }
    Ok(rows)
}

/// Each kind has a target directory of its own, so that neither is built anew because of the other.
fn build(features: Option<&str>) -> Result<PathBuf, Failure> {
    let target = toolchain::target_of_board(&directory())?;
    let mut command = toolchain::ensure_target(&target)?.cargo("build", &target);
    let own = directory().join("target").join(features.unwrap_or("plain"));
    command.current_dir(directory()).args(["--release", "--target-dir"]).arg(&own);
    command.args(["--features", features.unwrap_or_default()]);
    process::run(&mut command)?;
    Ok(own.join(target).join("release/signature-cost"))
}

/// Runs the image until it has said its number.
fn count(image: &Path) -> Result<u64, Failure> {
    let mut qemu = process::command("qemu-system-arm");
    qemu.args(["-M", "lm3s6965evb", "-nic", "none", "-display", "none", "-monitor", "none"]);
    qemu.args(["-serial", "stdio", "-icount", "shift=0", "-kernel"]).arg(image);
    let spawned = qemu.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = spawned.map_err(|error| process::cannot_start(&qemu, &error))?;
    let serial = child.stdout.take().into_iter().flat_map(|serial| BufReader::new(serial).lines());
    let line = serial.map_while(Result::ok).next();
    let _ = child.kill();
    let _ = child.wait();
    let number = line.as_deref().and_then(|line| line.trim().strip_prefix(ANSWER)?.parse().ok());
    number.ok_or_else(|| Failure::new(format!("{} said {line:?} instead of a number", image.display())))
}
