//! A real board: its firmware built, its identity page and its firmware written over the debug probe by probe-rs.

use crate::firmware;
use crate::process::{self, Failure, say};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `cargo xtask flash --help` says.
pub const HELP: &str = "\
Builds a real board's bootloader and firmware and flashes both with its identity page, over the debug probe. Needs probe-rs:
cargo install probe-rs-tools --locked

The nucleo-f429zi is built in every test run, but we have not run it on hardware.

Usage: cargo xtask flash [--board NAME] [--identity FILE] [--erase]

  --board NAME     the board [nucleo-f429zi]
  --identity FILE  the page that `lamppost device provision --out FILE` made; without it the page on the board stays
  --erase          erases the whole chip first, if it held something else: with a new identity, because the board's numbers
                   begin again

Where several probes are plugged in, PROBE_RS_PROBE names one (probe-rs list).

Example: cargo xtask flash --identity identity.bin";

/// A board that probe-rs can flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Board {
    /// Its directory under `firmware/boards`, and its binary.
    pub name: &'static str,
    /// Its chip, as probe-rs calls it.
    pub chip: &'static str,
    /// Where its firmware looks for the identity page: the start of a sector that holds nothing else.
    pub identity_address: u32,
}

/// Every board that can be flashed.
pub const BOARDS: &[Board] =
    &[Board { name: "nucleo-f429zi", chip: "STM32F429ZITx", identity_address: 0x081e_0000 }];

/// The first bytes of every identity page, and how long one of each version is.
const PAGE_MAGIC: &[u8] = b"LAMPPOST";
const PAGE_BYTES: [usize; 2] = [96, 256];

/// Where a board's bootloader lies, under its own directory.
pub const BOOTLOADER: &str = "boot";

/// Builds and flashes.
///
/// # Errors
/// What is missing, or what the compiler or probe-rs said.
pub fn command(arguments: &[String]) -> Result<(), Failure> {
    let options = Options::parse(arguments)?;
    if let Some(identity) = &options.identity {
        check_identity(identity)?;
    }
    // Asked first: without it the build would be for nothing.
    if process::find("probe-rs").is_none() {
        return Err(Failure::new("probe-rs is missing; type: cargo install probe-rs-tools --locked"));
    }
    let directory = process::root().join("firmware/boards").join(options.board.name);
    let bootloader = firmware::build_board(&directory.join(BOOTLOADER))?;
    let firmware = firmware::build_board(&directory)?;
    for mut step in steps(&options, &bootloader, &firmware) {
        process::run(&mut step)?;
    }
    say(&format!("{} runs; its log is on the ST-LINK's serial port, at 115200 baud", options.board.name));
    Ok(())
}

/// Identity first: with the reset at the end, the firmware finds it at its first start.
fn steps(options: &Options, bootloader: &Path, firmware: &Path) -> Vec<Command> {
    let board = options.board;
    let probe = |subcommand: &str| {
        let mut command = process::command("probe-rs");
        command.args([subcommand, "--chip", board.chip]);
        command
    };
    let mut steps = Vec::new();
    if options.erases {
        steps.push(probe("erase"));
    }
    if let Some(identity) = &options.identity {
        let mut page = probe("download");
        let address = format!("{:#x}", board.identity_address);
        page.args(["--verify", "--binary-format", "bin", "--base-address", &address]).arg(identity);
        steps.push(page);
    }
    for file in [bootloader, firmware] {
        let mut image = probe("download");
        image.args(["--verify", "--binary-format", "elf"]).arg(file);
        steps.push(image);
    }
    steps.push(probe("reset"));
    steps
}

/// A key file flashed by mistake would make a board that only complains.
fn check_identity(file: &Path) -> Result<(), Failure> {
    let page = std::fs::read(file)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", file.display())))?;
    if page.starts_with(PAGE_MAGIC) && PAGE_BYTES.contains(&page.len()) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} is no identity page; make one with: lamppost device provision --out FILE --broker IP:PORT",
        file.display()
    )))
}

/// What was typed. Paths are relative to where it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Options {
    board: &'static Board,
    identity: Option<PathBuf>,
    erases: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Options { board: &BOARDS[0], identity: None, erases: false };
        let mut words = arguments.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| wrong(&format!("{word} needs a value")));
            match word {
                "--board" => options.board = board(value()?)?,
                "--erase" => options.erases = true,
                "--identity" => {
                    let file = Path::new(value()?);
                    // probe-rs is started at the root of the checkout.
                    options.identity = Some(std::path::absolute(file).unwrap_or_else(|_| file.to_owned()));
                }
                _ => return Err(wrong(&format!("there is no option {word}"))),
            }
        }
        if options.erases && options.identity.is_none() {
            return Err(wrong("--erase takes the identity away too: name a new one with --identity"));
        }
        Ok(options)
    }
}

fn board(name: &str) -> Result<&'static Board, Failure> {
    BOARDS.iter().find(|board| board.name == name).ok_or_else(|| {
        let names: Vec<_> = BOARDS.iter().map(|board| board.name).collect();
        wrong(&format!("{name} is no board that can be flashed; there is {}", names.join(", ")))
    })
}

fn wrong(what: &str) -> Failure {
    Failure::new(format!("{what}; `cargo xtask flash --help` says what there is"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain;

    fn parse(words: &[&str]) -> Result<Options, Failure> {
        Options::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn the_identity_goes_to_its_sector_and_the_board_restarts_last() -> Result<(), Failure> {
        let options = parse(&["--board", "nucleo-f429zi", "--identity", "/page.bin"])?;
        let shown: Vec<_> =
            steps(&options, Path::new("/boot"), Path::new("/firmware")).iter().map(process::shown).collect();
        assert_eq!(
            shown,
            [
                "probe-rs download --chip STM32F429ZITx --verify --binary-format bin --base-address 0x81e0000 /page.bin",
                "probe-rs download --chip STM32F429ZITx --verify --binary-format elf /boot",
                "probe-rs download --chip STM32F429ZITx --verify --binary-format elf /firmware",
                "probe-rs reset --chip STM32F429ZITx",
            ]
        );
        Ok(())
    }

    #[test]
    fn a_chip_is_erased_first_and_never_without_a_new_identity() -> Result<(), Failure> {
        let options = parse(&["--erase", "--identity", "/page.bin"])?;
        let steps = steps(&options, Path::new("/boot"), Path::new("/firmware"));
        assert_eq!(process::shown(&steps[0]), "probe-rs erase --chip STM32F429ZITx");
        assert!(parse(&["--erase"]).is_err_and(|failure| failure.to_string().contains("--identity")));
        Ok(())
    }

    #[test]
    fn without_an_identity_the_boards_own_stays() -> Result<(), Failure> {
        let steps = steps(&parse(&[])?, Path::new("/boot"), Path::new("/firmware"));
        assert!(steps.iter().all(|step| !process::shown(step).contains("--base-address")));
        Ok(())
    }

    #[test]
    fn what_is_no_identity_page_is_not_flashed() {
        let failure = check_identity(&process::root().join("Cargo.toml")).unwrap_err();
        assert!(failure.to_string().contains("is no identity page"), "{failure}");
    }

    #[test]
    fn identity_pages_of_both_versions_are_flashed() -> Result<(), Failure> {
        let directory = std::env::temp_dir().join(format!("lamppost-flash-{}", std::process::id()));
        std::fs::create_dir_all(&directory).map_err(|error| Failure::new(error.to_string()))?;
        let file = directory.join("identity.bin");
        let mut verdicts = Vec::new();
        for length in [96, 97, 256] {
            let page: Vec<u8> = PAGE_MAGIC.iter().copied().chain(std::iter::repeat(0)).take(length).collect();
            std::fs::write(&file, page).map_err(|error| Failure::new(error.to_string()))?;
            verdicts.push(check_identity(&file).is_ok());
        }
        std::fs::remove_dir_all(&directory).map_err(|error| Failure::new(error.to_string()))?;
        assert_eq!(verdicts, [true, false, true]);
        Ok(())
    }

    #[test]
    fn an_unknown_board_is_named() {
        assert!(
            parse(&["--board", "qemu"])
                .is_err_and(|failure| failure.to_string().contains("qemu is no board"))
        );
    }

    #[test]
    fn every_board_has_its_workspace_and_runs_its_chip() -> Result<(), Failure> {
        for board in BOARDS {
            let directory = process::root().join("firmware/boards").join(board.name);
            let configuration =
                std::fs::read_to_string(directory.join(".cargo/config.toml")).unwrap_or_default();
            assert!(configuration.contains(&format!("--chip {}", board.chip)), "{}", board.name);
            let target = toolchain::target_of_board(&directory)?;
            assert_eq!(toolchain::target_of_board(&directory.join(BOOTLOADER))?, target);
        }
        Ok(())
    }
}
