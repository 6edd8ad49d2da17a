//! `cargo xtask`: set-up and tasks, without a single dependency, because it is the first thing a new machine builds.

use std::process::ExitCode;
use xtask::process::Failure;
use xtask::{
    assets, bench, chaos, container, crash, firmware, flash, fuzz, mutants, pictures, qemu, simulate, test,
    testnet, up,
};

const HELP: &str = "\
Set-up and tasks of Lamppost. Each says what it does and installs what is missing.

Usage: cargo xtask COMMAND

  up         builds and starts a node with its dashboard and virtual devices
  testnet    builds and starts a network of four operators on this machine
  test       runs every test, or the suites named
  assets     fetches the libraries that charts, map and live pages use
  pictures   takes the pictures that the README shows
  bench      measures this machine and writes the tables and plots of the documents
  crash      kills a node (kill -9) a thousand times and counts what was lost
  chaos      mistreats a network of several operators in every way there is
  simulate   runs seeded cities with faults of every kind
  fuzz       feeds every decoder with what libFuzzer finds
  mutants    shows that the simulation finds deliberate bugs
  firmware   builds the boards' firmware, and holds its sizes to the committed ones
  qemu       runs the firmware on an emulated board, enrolled at a node
  flash      builds a real board's firmware and flashes it with its identity
  container  builds the container image

`cargo xtask COMMAND --help` says more.";

/// 0 for success, 1 for a failure said in one sentence, 2 for wrong usage.
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = arguments.split_first() else {
        eprintln!("{HELP}");
        return ExitCode::from(2);
    };
    match run(command, rest) {
        Some(Ok(true)) => ExitCode::SUCCESS,
        Some(Ok(false)) => ExitCode::FAILURE,
        Some(Err(failure)) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("xtask: there is no command `{command}`\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

/// None if there is no such command.
fn run(command: &str, arguments: &[String]) -> Option<Result<bool, Failure>> {
    let help = match command {
        "--help" | "-h" | "help" => HELP,
        "up" => up::HELP,
        "testnet" => testnet::HELP,
        "test" => test::HELP,
        "assets" => assets::HELP,
        "pictures" => pictures::HELP,
        "simulate" => simulate::HELP,
        "mutants" => mutants::HELP,
        "firmware" => firmware::HELP,
        "qemu" => qemu::HELP,
        "flash" => flash::HELP,
        "container" => container::HELP,
        "bench" => bench::HELP,
        "chaos" => chaos::HELP,
        "crash" => crash::HELP,
        "fuzz" => fuzz::HELP,
        _ => return None,
    };
    let asks_for_help = arguments.iter().any(|argument| argument == "--help" || argument == "-h");
    if help == HELP || (asks_for_help && command != "up") {
        println!("{help}");
        return Some(Ok(true));
    }
    Some(match command {
        "up" => up::command(arguments).map(|()| true),
        "testnet" => testnet::command(arguments).map(|()| true),
        "test" => test::command(arguments),
        "assets" => assets::command().map(|()| true),
        "pictures" => pictures::command(arguments).map(|()| true),
        "simulate" => simulate::command(arguments).map(|()| true),
        "mutants" => mutants::command(arguments),
        "firmware" => firmware::command(arguments).map(|()| true),
        "qemu" => qemu::command(arguments).map(|()| true),
        "flash" => flash::command(arguments).map(|()| true),
        "bench" => bench::command(arguments).map(|()| true),
        "chaos" => chaos::command(arguments),
        "crash" => crash::command(arguments),
        "fuzz" => fuzz::command(arguments),
        _ => container::command(arguments).map(|()| true),
    })
}
