//! `cargo xtask testnet`: a network of four validators and a gateway with virtual devices, on this machine.

use crate::assets;
use crate::options::Options;
use crate::process::{self, Failure, say};
use crate::setup;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `cargo xtask testnet --help` says.
pub const HELP: &str = "\
Builds the release binary with the consensus of several, sets up a network of four operators and runs it on this machine: the
validators city, utility, university and operator, and a gateway with virtual devices, each in a process of its own. Prints
their dashboards' addresses; every one shows the same ledger. Ctrl-c stops all of them; what they keep stays in the directory.

Usage: cargo xtask testnet [--dir DIR] [--devices N] [--epoch SECONDS] [--ports free]

  --dir DIR        where the network lies, kept between runs (./lamppost-testnet)
  --devices N      virtual devices of a new network (12)
  --epoch SECONDS  seconds of an epoch of a new network (60)
  --ports free     gives a new network ports that are free just now, instead of 8080 to 8084 for the dashboards (the
                   gateway's first), 1883 for MQTT, 7000 to 7003 and 7100 to 7103 among the nodes

Example: cargo xtask testnet --devices 3";

const DIRECTORY: &str = "lamppost-testnet";
const VALIDATORS: &str = "city,utility,university,operator";
const GATEWAYS: &str = "gateway-1";

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    directory: PathBuf,
    devices: u32,
    epoch_seconds: u64,
    free_ports: bool,
}

impl Wanted {
    fn of(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Options::parse(arguments, &["--dir", "--devices", "--epoch", "--ports"])?;
        let free_ports = match options.text("--ports").as_deref() {
            None => false,
            Some("free") => true,
            Some(other) => return Err(Failure::new(format!("--ports takes `free`, not `{other}`"))),
        };
        let wanted = Wanted {
            directory: options.text("--dir").unwrap_or_else(|| DIRECTORY.to_owned()).into(),
            devices: options.number("--devices", 12)?,
            epoch_seconds: options.number("--epoch", 60)?,
            free_ports,
        };
        options.nothing_else()?;
        Ok(wanted)
    }

    /// `lamppost network new`, as it sets this network up.
    fn set_up(&self, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        command.args(["network", "new", "--validators", VALIDATORS, "--gateways", GATEWAYS]);
        command.args(["--devices", &self.devices.to_string(), "--epoch", &self.epoch_seconds.to_string()]);
        if self.free_ports {
            command.arg("--free-ports");
        }
        command.arg("--out").arg(&self.directory);
        command
    }
}

/// Builds, sets the network up where there is none, and hands its process over to what runs it, so that ctrl-c and SIGTERM
/// reach that.
///
/// # Errors
/// Wrong words, or a build or a set-up that fails; otherwise this does not return.
pub fn command(arguments: &[String]) -> Result<(), Failure> {
    let wanted = Wanted::of(arguments)?;
    say("needs nothing but Rust, and Node for charts, map and live pages");
    setup::ensure_tools(&[setup::MAKE])?;
    assets::ensure_if_possible();
    say("building the release binary with the consensus of several (over ten minutes the first time)");
    let binary = build()?;
    if wanted.directory.join("genesis.json").is_file() {
        say(&format!("going on with the network in {}", wanted.directory.display()));
    } else {
        let mut set_up = wanted.set_up(&binary);
        set_up.stdout(std::process::Stdio::null());
        process::run(&mut set_up)?;
    }
    let mut run = Command::new(&binary);
    run.args(["network", "run"]).arg(&wanted.directory);
    say(&format!("$ {}", process::shown(&run)));
    let error = run.exec();
    Err(process::cannot_start(&run, &error))
}

/// Builds the binary that knows the consensus of several, and gives where it lies: beside the usual one, which the next build
/// without that feature would replace.
pub(crate) fn build() -> Result<PathBuf, Failure> {
    let mut cargo = process::cargo();
    process::run(cargo.args([
        "build",
        "--release",
        "--package",
        "gateway",
        "--bin",
        "lamppost",
        "--features",
        "bft",
    ]))?;
    let directory = process::target_dir().join("release");
    let (built, kept) = (directory.join("lamppost"), directory.join("lamppost-bft"));
    // A copy under its name at once: one that runs is not written over.
    let draft = directory.join("lamppost-bft.new");
    let copied = std::fs::copy(&built, &draft).and_then(|_| std::fs::rename(&draft, &kept));
    copied.map_err(|error| Failure::new(format!("{} cannot be written: {error}", kept.display())))?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(words: &[&str]) -> Result<Wanted, Failure> {
        Wanted::of(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_network_is_set_up_as_it_was_asked_for() -> Result<(), Failure> {
        let words = ["--devices", "3", "--ports", "free", "--dir", "elsewhere", "--epoch", "5"];
        let shown = process::shown(&wanted(&words)?.set_up(Path::new("target/lamppost")));
        assert_eq!(
            shown,
            "lamppost network new --validators city,utility,university,operator --gateways gateway-1 --devices 3 \
             --epoch 5 --free-ports --out elsewhere"
        );
        assert!(
            process::shown(&wanted(&[])?.set_up(Path::new("lamppost"))).ends_with("--out lamppost-testnet")
        );
        Ok(())
    }

    #[test]
    fn wrong_words_are_named() {
        for (words, part) in
            [(&["--ports", "80"][..], "`free`"), (&["--devices", "many"], "number"), (&["city"], "city")]
        {
            assert!(wanted(words).is_err_and(|failure| failure.to_string().contains(part)), "{words:?}");
        }
    }
}
