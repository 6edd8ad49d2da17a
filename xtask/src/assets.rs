//! `cargo xtask assets`: fetches the pages' libraries by npm and prepares them for the binary.

use crate::browser_module;
use crate::process::{self, Failure, say};
use crate::setup;
use std::fs;
use std::path::{Path, PathBuf};

/// What `cargo xtask assets --help` says.
pub const HELP: &str = "\
Fetches what the pages use of others (htmx, uPlot, MapLibre GL, PMTiles, Natural Earth) in the versions of
dashboard/package-lock.json, builds the ledger's own code for the browser, and puts both into dashboard/vendor/, from
where they are built into the binary.
Without it everything is built and works; then pages do not refresh by themselves, and charts and map are the
server's own drawings. `up` and `test` do it by themselves; it is done again only when a version changes.

Usage: cargo xtask assets

Example: cargo xtask assets";

/// What is made depends on these files alone.
const SOURCES: [&str; 4] = ["package.json", "package-lock.json", "vendor.mjs", "basemap.mjs"];
/// The last file that is prepared.
const LAST: &str = "licences.txt.br";

/// Where npm puts packages: axe-core, which only tests use, among them.
pub fn packages() -> PathBuf {
    process::target_dir().join("npm/node_modules")
}

/// Does it, and installs Node where it is missing.
///
/// # Errors
/// Where Node cannot be installed, or the registry cannot be reached.
pub fn command() -> Result<(), Failure> {
    setup::ensure_tools(&[setup::NODE_JS, setup::NPM])?;
    ensure()
}

/// Makes sure that libraries and module are prepared; Node has to be there.
///
/// # Errors
/// What npm, Node or the compiler said last.
pub fn ensure() -> Result<(), Failure> {
    ensure_libraries()?;
    browser_module::ensure()
}

fn ensure_libraries() -> Result<(), Failure> {
    let sources = sources()?;
    // Says of which sources they were made; beside the packages, so that it goes with them.
    let made_of = packages().with_file_name("made-of");
    let is_same = fs::read_to_string(&made_of).is_ok_and(|made_of| made_of == sources);
    if is_same && packages().is_dir() && vendor().join(LAST).is_file() {
        say("the pages' libraries are in dashboard/vendor/ already");
        return Ok(());
    }
    say("fetching the pages' libraries in the versions of dashboard/package-lock.json");
    fetch()?;
    say("preparing them in dashboard/vendor/ (packed once, for all readers)");
    process::run(process::command("node").arg(dashboard().join("vendor.mjs")).args([packages(), vendor()]))?;
    written(&made_of, &sources)
}

/// The same for a task that goes on without: it says what is missing then.
pub fn ensure_if_possible() {
    ensure_libraries_if_possible();
    browser_module::ensure_if_possible();
}

fn ensure_libraries_if_possible() {
    let missing = [setup::NODE_JS, setup::NPM].into_iter().find(|tool| process::find(tool.program).is_none());
    let failure = match missing {
        Some(tool) => format!("{} is not installed", tool.program),
        None => match ensure_libraries() {
            Ok(()) => return,
            Err(failure) => failure.to_string(),
        },
    };
    say(&format!(
        "the pages' libraries are missing ({failure}): pages do not refresh by themselves, and charts and map are the \
         server's own drawings; `cargo xtask assets` tries again"
    ));
}

fn dashboard() -> PathBuf {
    process::root().join("dashboard")
}

fn vendor() -> PathBuf {
    dashboard().join("vendor")
}

fn sources() -> Result<String, Failure> {
    let mut all = String::new();
    for name in SOURCES {
        let path = dashboard().join(name);
        let text = fs::read_to_string(&path)
            .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
        all.push_str(&text);
    }
    Ok(all)
}

/// `npm ci` beside the sources, not among them. No package gets to run a program of its own.
fn fetch() -> Result<(), Failure> {
    let directory = packages().parent().map_or_else(packages, Path::to_path_buf);
    fs::create_dir_all(&directory)
        .map_err(|error| Failure::new(format!("{} cannot be made: {error}", directory.display())))?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(dashboard().join(name), directory.join(name))
            .map_err(|error| Failure::new(format!("{name} cannot be copied: {error}")))?;
    }
    let mut npm = process::command("npm");
    npm.current_dir(&directory).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]);
    process::run(&mut npm).map_err(|failure| {
        Failure::new(format!(
            "{failure}; it needs the npm registry (`npm config get registry` names it), or a mirror of it"
        ))
    })
}

fn written(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text)
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_of_the_libraries_is_there() {
        let sources = sources().expect("the sources can be read");
        assert!(sources.contains("\"maplibre-gl\"") && sources.contains("\"lockfileVersion\""));
    }

    #[test]
    fn versions_are_exact_and_the_lock_file_holds_their_hashes() {
        let manifest = fs::read_to_string(dashboard().join("package.json")).expect("package.json is there");
        assert!(!manifest.contains(": \"^") && !manifest.contains(": \"~"), "versions are exact");
        let lock = fs::read_to_string(dashboard().join("package-lock.json")).expect("the lock file is there");
        let packages = lock.matches("\"node_modules/").count();
        assert_eq!(lock.matches("\"integrity\": \"sha512-").count(), packages, "every package has its hash");
    }
}
