//! `cargo xtask pictures`: the README's pictures, taken by Chromium from the running product on replayed real readings.

use crate::assets;
use crate::options::Options;
use crate::process::{self, Failure, say};
use crate::setup;
use std::path::PathBuf;

/// What `cargo xtask pictures --help` says.
pub const HELP: &str = "\
Takes the pictures that the README shows, from the product at work: starts a node with temporary data, enrols and claims a
device for each recorded sensor, replays the recordings as signed envelopes of now, waits until some epochs were paid, and
looks at the pages with Chromium, light and dark, on a desk and on a telephone. Takes about three minutes.

Usage: cargo xtask pictures [--readings FILE] [--out DIRECTORY]

  --readings FILE  a tar.xz of sensor.community's CSV files of May 2019 (../shared/data/abdn_2019-05.tar.xz); where it is
                   missing, virtual devices measure
  --out DIRECTORY  where to (dashboard/pictures)

Example: cargo xtask pictures --readings abdn_2019-05.tar.xz --out target/pictures";

/// Beside the project, and no part of it.
const READINGS: &str = "../shared/data/abdn_2019-05.tar.xz";
const DIRECTORY: &str = "dashboard/pictures";

/// Installs and builds what is needed, and takes them.
///
/// # Errors
/// Wrong words, no browser, or a product that does not do what is to be seen.
pub fn command(arguments: &[String]) -> Result<(), Failure> {
    let mut options = Options::parse(arguments, &["--readings", "--out"])?;
    let asked = options.text("--readings").map(PathBuf::from);
    let directory = options.text("--out").map_or_else(|| process::root().join(DIRECTORY), PathBuf::from);
    options.nothing_else()?;
    if let Some(missing) = asked.as_ref().filter(|file| !file.is_file()) {
        return Err(Failure::new(format!("there is no file {}", missing.display())));
    }
    let readings = asked.or_else(|| Some(process::root().join(READINGS)).filter(|file| file.is_file()));
    setup::ensure_tools(&[setup::MAKE, setup::CHROMIUM, setup::CHROMEDRIVER, setup::NODE_JS, setup::NPM])?;
    assets::command()?;
    if readings.is_none() {
        say(&format!("there is no {READINGS}: virtual devices measure instead of recorded sensors"));
    }
    say("building the release binary, whose pages are taken, and the program that takes them");
    process::run(process::cargo().args(["build", "--release", "-p", "gateway", "--bin", "lamppost"]))?;
    process::run(process::cargo().args(["build", "-p", "e2e", "--bin", "pictures"]))?;
    // Where the words were typed: a path in them is meant from there.
    let mut pictures = std::process::Command::new(process::target_dir().join("debug/pictures"));
    pictures.env("RUST_BACKTRACE", "0").env("LAMPPOST", process::target_dir().join("release/lamppost"));
    process::run(pictures.arg(directory).args(readings))
}
