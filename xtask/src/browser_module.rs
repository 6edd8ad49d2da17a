//! The ledger's own code for the browser, put where it is built into the binary from.

use crate::process::{self, Failure, say};
use crate::toolchain::{self, WASM};
use std::fs;
use std::path::PathBuf;

/// Its file among what the pages load.
const FILE: &str = "browser.wasm";

/// Makes sure that the module is there and is made of the sources as they are.
///
/// # Errors
/// Where the browser cannot be built for, or what the compiler said last.
pub fn ensure() -> Result<(), Failure> {
    let toolchain = toolchain::ensure_target(WASM)?;
    say("building the ledger's own code for the browser");
    let mut command = toolchain.cargo("build", WASM);
    command.current_dir(process::root()).args(["-p", "browser", "--profile", "browser"]);
    process::run(&mut command)?;
    let built = process::target_dir().join(WASM).join("browser").join(FILE);
    let module = fs::read(&built)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", built.display())))?;
    // Written only where it differs, because the pages are built anew when it is written.
    if fs::read(place()).is_ok_and(|there| there == module) {
        return Ok(());
    }
    fs::write(place(), module)
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", place().display())))
}

/// The same for a task that goes on without: it says what is missing then.
pub fn ensure_if_possible() {
    if let Err(failure) = ensure() {
        say(&format!(
            "the browser's module is missing ({failure}): pages show commands where they would verify and sign; \
             `cargo xtask assets` tries again"
        ));
    }
}

fn place() -> PathBuf {
    process::root().join("dashboard/vendor").join(FILE)
}
