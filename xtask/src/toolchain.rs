//! Rust for other machines than this one: rustup's targets, or Debian's toolchain where rustup has none.

use crate::process::{self, Failure, say};
use crate::setup;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Cortex-M3 of the emulated board.
pub const CORTEX_M3: &str = "thumbv7m-none-eabi";
/// The browser, which verifies with the ledger's own code.
pub const WASM: &str = "wasm32-unknown-unknown";

/// This machine's processor with a libc that links statically: what the container runs.
pub fn musl() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// What a board is built for: the `target` of its `.cargo/config.toml`, so that it stands in one place.
///
/// # Errors
/// Where the board's directory says nothing of it.
pub fn target_of_board(board: &Path) -> Result<String, Failure> {
    let file = board.join(".cargo/config.toml");
    let configuration = fs::read_to_string(&file).unwrap_or_default();
    let target = configuration.lines().find_map(|line| line.trim().strip_prefix("target = "));
    target
        .map(|target| target.trim_matches('"').to_owned())
        .ok_or_else(|| Failure::new(format!("{} names no target", file.display())))
}

/// A way to build for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toolchain {
    /// The toolchain in use has the target's standard library.
    Own,
    /// Debian's rustc builds `core` and `alloc` from source, which only nightly features can say.
    Debian,
}

/// Makes sure that `target` can be built for, and says how.
///
/// # Errors
/// Where neither rustup nor Debian's packages can bring the target; `std` targets have no fallback.
pub fn ensure_target(target: &str) -> Result<Toolchain, Failure> {
    if has_library(target) {
        return Ok(Toolchain::Own);
    }
    if process::find("rustup").is_some() {
        say(&format!("adding the Rust target {target}"));
        if process::run(process::command("rustup").args(["target", "add", target])).is_ok()
            && has_library(target)
        {
            return Ok(Toolchain::Own);
        }
    }
    if target.ends_with("-musl") {
        return Err(Failure::new(format!(
            "the Rust target {target} is missing; type: rustup target add {target}"
        )));
    }
    say(&format!("rustup has no {target} here; Debian's toolchain builds it from source"));
    setup::ensure_packages(&debian_packages())?;
    Ok(Toolchain::Debian)
}

/// What is still missing of Debian's toolchain.
fn debian_packages() -> Vec<&'static str> {
    let parts = [
        ("/usr/bin/rustc", "rustc-web"),
        ("/usr/bin/cargo", "cargo-web"),
        ("/usr/lib/rustlib/src/rust/library/core", "rust-web-src"),
        ("/usr/bin/ld.lld", "lld"),
    ];
    parts.iter().filter(|(path, _)| !Path::new(path).exists()).map(|(_, package)| *package).collect()
}

/// A toolchain names the directory of a target's library whether or not the library is there.
fn has_library(target: &str) -> bool {
    process::output(process::command("rustc").args(["--print", "target-libdir", "--target", target]))
        .is_ok_and(|directory| Path::new(directory.trim()).is_dir())
}

impl Toolchain {
    /// `cargo SUBCOMMAND --target TARGET` with what this toolchain needs besides. The caller adds the rest.
    pub fn cargo(self, subcommand: &str, target: &str) -> Command {
        match self {
            Toolchain::Own => {
                let mut command = process::cargo();
                command.args([subcommand, "--target", target, "--config", &without_paths(target)]);
                command
            }
            Toolchain::Debian => {
                let mut command = process::command("/usr/bin/cargo");
                command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
                // The cargo that started this program speaks of another toolchain.
                command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
                let variable = target.to_uppercase().replace('-', "_");
                command.env(format!("CARGO_TARGET_{variable}_LINKER"), "ld.lld");
                command.args([subcommand, "-Z", "build-std=core,alloc", "--target", target]);
                command.args(["--config", &without_paths(target)]);
                command
            }
        }
    }
}

/// A cargo setting that leaves this machine's paths out of what is built: an image is the same wherever it is built, and
/// kilobytes shorter, because every place that may panic names its file.
fn without_paths(target: &str) -> String {
    let home = std::env::var_os("CARGO_HOME").map_or_else(
        || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")).unwrap_or_default(),
        PathBuf::from,
    );
    // Of several that match, rustc takes the last: the folder of a registry carries a number of its own.
    let mut folders = vec![process::root(), home.clone()];
    let registries = fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten();
    folders.extend(registries.map(|entry| entry.path()));
    let flags: Vec<String> =
        folders.iter().map(|folder| format!("'--remap-path-prefix={}='", folder.display())).collect();
    format!("target.{target}.rustflags=[{}]", flags.join(", "))
}
