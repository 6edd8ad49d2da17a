//! The suites of `cargo xtask test`: what each proves, what it needs, and the steps it takes.

use crate::firmware::{boards, signature};
use crate::flash::BOOTLOADER;
use crate::process::{self, Failure};
use crate::setup::{self, Tool};
use crate::suite::Run;
use crate::toolchain::{self, CORTEX_M3, Toolchain, WASM};
use crate::{assets, chaos, container, deny, several};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A named part of the proof, which can be run alone.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    /// What is typed after `cargo xtask test`.
    pub name: &'static str,
    /// What it proves, in a few words.
    pub about: &'static str,
    /// Programs it starts.
    pub tools: &'static [Tool],
    /// Rust targets it builds for.
    pub targets: fn() -> Vec<String>,
    /// Does it.
    pub steps: fn(&mut Run),
}

fn no_targets() -> Vec<String> {
    Vec::new()
}

fn emulated_target() -> Vec<String> {
    vec![CORTEX_M3.into()]
}

/// A board that names no target is a failure of the step that builds it.
fn board_targets() -> Vec<String> {
    boards().iter().filter_map(|board| toolchain::target_of_board(board).ok()).collect()
}

/// Every suite, the quick ones first: what fails, fails early.
pub const SUITES: &[Suite] = &[
    Suite {
        name: "format",
        about: "rustfmt, also of the firmware",
        tools: &[],
        targets: no_targets,
        steps: format,
    },
    Suite {
        name: "lint",
        about: "clippy without a warning, also of the firmware",
        tools: &[],
        targets: board_targets,
        steps: lint,
    },
    Suite {
        name: "deny",
        about: "licences, bans, sources and advisories of dependencies",
        tools: &[setup::PYTHON],
        targets: no_targets,
        steps: deny,
    },
    Suite {
        name: "targets",
        about: "devices for a Cortex-M3 and the browser, ledger for the browser",
        tools: &[],
        targets: || vec![CORTEX_M3.into(), WASM.into()],
        steps: targets,
    },
    Suite {
        name: "unit",
        about: "each room's own tests and the examples in its documentation",
        tools: &[],
        targets: no_targets,
        steps: unit,
    },
    Suite {
        name: "decoders",
        about: "no bytes make a decoder or the log's recovery panic; one value, one encoding",
        tools: &[],
        targets: no_targets,
        steps: decoders,
    },
    Suite {
        name: MILLION,
        about: "a million random instructions and envelopes keep every invariant",
        tools: &[],
        targets: no_targets,
        steps: million,
    },
    Suite {
        name: "firmware",
        about: "the firmware's core and its sensors on the host, and every board builds",
        tools: &[],
        targets: board_targets,
        steps: firmware,
    },
    Suite {
        name: "tidy",
        about: "habits: who may import whom, what a file may hold",
        tools: &[],
        targets: no_targets,
        steps: tidy,
    },
    Suite {
        name: "readme",
        about: "every command that the README shows exists",
        tools: &[],
        targets: no_targets,
        steps: |run| end_to_end(run, &["readme"]),
    },
    Suite {
        name: "journey",
        about: "from `up` to earnings, the same totals everywhere; every command, also those to devices",
        tools: &[setup::OPENSSL],
        targets: no_targets,
        steps: |run| end_to_end(run, &["journey", "commands", "orders"]),
    },
    Suite {
        name: "economy",
        about: "whose a device is and what it earns: the same in commands, API and pages",
        tools: &[],
        targets: no_targets,
        steps: |run| end_to_end(run, &["economy"]),
    },
    Suite {
        name: "hostile",
        about: "bad input and faults: refused with the reason, nothing paid",
        tools: &[setup::MOSQUITTO],
        targets: no_targets,
        steps: |run| end_to_end(run, &["hostile", "faults"]),
    },
    Suite {
        name: "audit",
        about: "one altered byte anywhere in the log is found",
        tools: &[],
        targets: no_targets,
        steps: |run| end_to_end(run, &["audit"]),
    },
    Suite {
        name: "disk",
        about: "a full disk stops intake and nothing else",
        tools: &[],
        targets: no_targets,
        steps: |run| end_to_end(run, &["disk"]),
    },
    Suite {
        name: "upkeep",
        about: "backup under load, restore, prune, data of another version",
        tools: &[],
        targets: no_targets,
        steps: |run| end_to_end(run, &["upkeep"]),
    },
    Suite {
        name: "proofs",
        about: "balances and the log's growth, proven offline and in the browser's module",
        tools: &[setup::NODE_JS],
        targets: || vec![WASM.into()],
        steps: |run| end_to_end(run, &["proofs", "wasm"]),
    },
    Suite {
        name: "simulation",
        about: "300 seeded cities with faults of every kind, checked after every step",
        tools: &[],
        targets: no_targets,
        steps: |run| end_to_end(run, &["simulation"]),
    },
    Suite {
        name: "quality",
        about: "faults in real and imagined series are caught, honest days are paid",
        tools: &[],
        targets: no_targets,
        steps: |run| end_to_end(run, &["quality"]),
    },
    Suite {
        name: "mutants",
        about: "deliberate bugs in a copy of the sources: the simulation finds each",
        tools: &[],
        targets: no_targets,
        steps: |run| {
            run.check(own("mutants"));
        },
    },
    Suite {
        name: "crash",
        about: "kill -9, fifty times: what was acknowledged is paid once",
        tools: &[],
        targets: no_targets,
        steps: |run| end_to_end(run, &["crash"]),
    },
    Suite {
        name: "network",
        about: "four validators and a gateway, killed, cut off, slowed, misled: one ledger, nothing lost",
        tools: chaos::TOOLS,
        targets: no_targets,
        steps: several::mistreated,
    },
    Suite {
        name: "several",
        about: "the gateway with the consensus of several: lint, its own tests, and setting a network up",
        tools: &[],
        targets: no_targets,
        steps: several::suite,
    },
    Suite {
        name: "interop",
        about: "envelopes, instructions, brokers, receipts and log clients of other people's code",
        tools: &[setup::MOSQUITTO, setup::MOSQUITTO_CLIENTS, setup::PYTHON, setup::GO],
        targets: no_targets,
        steps: |run| end_to_end(run, &["interop", "instructions"]),
    },
    Suite {
        name: "qemu",
        about: "the emulated board: a temperature becomes a payment",
        tools: &[setup::QEMU, setup::MOSQUITTO],
        targets: emulated_target,
        steps: |run| end_to_end(run, &["qemu"]),
    },
    Suite {
        name: "browser",
        about: "the pages in Chromium, with JavaScript and without",
        tools: &[setup::CHROMIUM, setup::CHROMEDRIVER, setup::NODE_JS, setup::NPM],
        targets: no_targets,
        steps: |run| end_to_end(run, &["browser"]),
    },
    Suite {
        name: "container",
        about: "the image is built, run and answers",
        tools: &[setup::PODMAN, setup::BUILDAH, setup::RUNC, setup::MUSL_GCC],
        targets: || vec![toolchain::musl()],
        steps: containers,
    },
];

/// The suite of that name.
pub fn named(name: &str) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.name == name)
}

fn format(run: &mut Run) {
    if !run.outcome(setup::ensure_component("rustfmt")) {
        return;
    }
    run.check(cargo(["fmt", "--all", "--check"]));
    for manifest in firmware_manifests() {
        let mut command = cargo(["fmt", "--check", "--manifest-path"]);
        command.arg(manifest);
        run.check(command);
    }
}

fn lint(run: &mut Run) {
    if !run.outcome(setup::ensure_component("clippy")) {
        return;
    }
    run.check(cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]));
    for manifest in [NODE, SENSORS, STATION, BIRTH, CORTEX, UPDATE, FLASH_STORE] {
        run.check(cargo(["clippy", "--manifest-path", manifest, "--all-targets", "--", "-D", "warnings"]));
    }
    for board in boards().into_iter().chain(bootloaders()).chain([signature::directory()]) {
        // Clippy's driver comes with rustup's toolchain; Debian's fallback builds boards, but has no say in style.
        match board_toolchain(&board) {
            Ok((toolchain @ Toolchain::Own, target)) => {
                let mut command = toolchain.cargo("clippy", &target);
                command.current_dir(board).args(["--", "-D", "warnings"]);
                run.check(command);
            }
            Ok((Toolchain::Debian, _)) => run.skip("clippy has no library for the board's target here"),
            Err(failure) => drop(run.outcome(Err(failure))),
        }
    }
}

fn deny(run: &mut Run) {
    deny::suite(run);
}

fn targets(run: &mut Run) {
    for (package, target) in [("devices", CORTEX_M3), ("devices", WASM), ("browser", WASM)] {
        match toolchain::ensure_target(target) {
            Ok(toolchain) => {
                let mut command = toolchain.cargo("check", target);
                command.args(["-p", package]);
                run.check(command);
            }
            Err(failure) => drop(run.outcome(Err(failure))),
        }
    }
}

fn unit(run: &mut Run) {
    if !build(run) {
        return;
    }
    let mut command = cargo(["test", "--workspace", "--no-fail-fast", "--lib", "--bins"]);
    for test in integration_tests() {
        command.args(["--test", &test]);
    }
    run.tests(command);
    run.tests(cargo(["test", "--workspace", "--no-fail-fast", "--doc"]));
}

fn million(run: &mut Run) {
    if build(run) {
        run.tests(cargo(["test", "--workspace", "--test", MILLION]));
    }
}

/// The claims of every decoder on altered inputs; `cargo xtask fuzz` goes on from there.
fn decoders(run: &mut Run) {
    if build(run) {
        run.tests(cargo(["test", "--workspace", "--no-fail-fast", "--test", "claims"]));
    }
}

fn firmware(run: &mut Run) {
    for portable in [NODE, SENSORS, BIRTH, UPDATE, FLASH_STORE] {
        run.tests(cargo(["test", "--manifest-path", portable, "--no-fail-fast"]));
    }
    // Builds every board.
    let mut sizes = own("firmware");
    sizes.arg("--size");
    run.check(sizes);
    for bootloader in bootloaders() {
        match board_toolchain(&bootloader) {
            Ok((toolchain, target)) => {
                let mut command = toolchain.cargo("build", &target);
                command.current_dir(bootloader).arg("--release");
                run.check(command);
            }
            Err(failure) => drop(run.outcome(Err(failure))),
        }
    }
}

/// Reads sources alone: nothing needs to be built before but the test itself.
fn tidy(run: &mut Run) {
    run.tests(cargo(["test", "--workspace", "--test", "tidy"]));
}

/// Files of `tests/tests/`: their tests start the binary that was built before.
fn end_to_end(run: &mut Run, names: &[&str]) {
    if !build(run) {
        return;
    }
    let mut command = cargo(["test", "--workspace", "--no-fail-fast"]);
    for name in names {
        command.args(["--test", name]);
    }
    run.tests(command);
}

fn containers(run: &mut Run) {
    if run.prepare(own("container")) {
        run.outcome(container::image_bytes().map(container::say_size));
        end_to_end(run, &["container"]);
    }
}

/// A task of this very program as a step, so that what it prints goes to the suite's log.
fn own(task: &str) -> Command {
    let mut command = process::command(std::env::current_exe().unwrap_or_else(|_| "xtask".into()));
    command.arg(task);
    command
}

/// Everything at once, so that one set of features and one build of the dependencies serve all suites.
pub(crate) fn build(run: &mut Run) -> bool {
    run.prepare(cargo(["build", "--workspace", "--bins", "--tests"]))
}

fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = process::cargo();
    command.args(arguments);
    command
}

/// The suite and the test file of the same name.
const MILLION: &str = "million";
const NODE: &str = "firmware/node/Cargo.toml";
const SENSORS: &str = "firmware/sensors/Cargo.toml";
const STATION: &str = "firmware/station/Cargo.toml";
const BIRTH: &str = "firmware/birth/Cargo.toml";
const CORTEX: &str = "firmware/cortex/Cargo.toml";
const UPDATE: &str = "firmware/update/Cargo.toml";
const FLASH_STORE: &str = "firmware/flash-store/Cargo.toml";

/// The firmware's core, its sensors, what boards share, and every board: none of them in the host's workspace.
pub fn firmware_manifests() -> Vec<PathBuf> {
    let mut manifests: Vec<_> = [NODE, SENSORS, STATION, BIRTH, CORTEX, UPDATE, FLASH_STORE]
        .map(|manifest| process::root().join(manifest))
        .into();
    let packages = boards().into_iter().chain(bootloaders()).chain([signature::directory()]);
    manifests.extend(packages.map(|directory| directory.join("Cargo.toml")));
    manifests
}

/// The directory of every board's bootloader.
fn bootloaders() -> Vec<PathBuf> {
    let directories = boards().into_iter().map(|board| board.join(BOOTLOADER));
    directories.filter(|path| path.join("Cargo.toml").is_file()).collect()
}

/// What a board is built for, and how.
fn board_toolchain(board: &Path) -> Result<(Toolchain, String), Failure> {
    let target = toolchain::target_of_board(board)?;
    Ok((toolchain::ensure_target(&target)?, target))
}

/// Integration tests of the rooms; those of `tests/` and the long ones are suites of their own, and a room's test that
/// has the name of one of those runs with it.
fn integration_tests() -> Vec<String> {
    let rooms = ["devices", "devices/fleet", "ledger", "gateway", "dashboard", "xtask"];
    let end_to_end = tests_in("tests");
    rooms
        .iter()
        .flat_map(|room| tests_in(room))
        .filter(|name| name != MILLION && !end_to_end.contains(name))
        .collect()
}

/// The names of a room's integration tests: a file each, or a directory with a `main.rs`.
fn tests_in(room: &str) -> Vec<String> {
    entries(&process::root().join(room).join("tests"))
        .into_iter()
        .filter(|path| {
            path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").is_file()
        })
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}

/// What lies in a directory, in order; nothing where there is none.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// What the chosen suites need and this machine does not have yet.
///
/// # Errors
/// Names the command to type where something cannot be installed from here.
pub fn set_up(chosen: &[&Suite]) -> Result<(), Failure> {
    // Nearly every suite builds the node.
    let mut tools: Vec<Tool> = vec![setup::MAKE];
    let mut targets: Vec<String> = Vec::new();
    for suite in chosen {
        tools.extend(suite.tools.iter().filter(|tool| !tools.contains(tool)).copied().collect::<Vec<_>>());
        targets.extend((suite.targets)());
    }
    setup::ensure_tools(&tools)?;
    if tools.contains(&setup::NPM) {
        assets::ensure()?;
    }
    targets.sort();
    targets.dedup();
    for target in targets {
        toolchain::ensure_target(&target)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_of_the_whole_belongs_to_a_suite() {
        // A suite names its files in its steps, so the source is what can be asked.
        let source = [include_str!("suites.rs"), include_str!("several.rs")].concat();
        for name in tests_in("tests") {
            let named = source.contains(&format!("\"{name}\"]")) || source.contains(&format!("\"{name}\", "));
            assert!(named, "tests/tests/{name}.rs belongs to no suite");
        }
    }

    #[test]
    fn tests_in_directories_are_found_too() {
        assert!(integration_tests().contains(&"doors".to_owned()));
        assert!(tests_in("ledger").contains(&MILLION.to_owned()));
    }
}
