//! The emulated board: its firmware built, its identity enrolled at a running node, its log shown.

pub mod board;
pub mod control;
pub mod enrolment;

pub use board::{Bench, Board, Store};
pub use control::Control;
pub use enrolment::{Enrolled, Enrolment};

use crate::process::{self, Failure, say};
use crate::{firmware, setup};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What `cargo xtask qemu --help` says.
pub const HELP: &str = "\
Builds the firmware, enrols an identity at a running node (cargo xtask up) and runs the board in QEMU, showing its log.
Identity, owner key and EEPROM stay in a directory, so that the next run is the same device.

Usage: cargo xtask qemu [OPTIONS]
       cargo xtask qemu temperature DEGREES [--data DIR]    sets what the running board's sensor measures
       cargo xtask qemu reset [--data DIR]                  presses the running board's reset button

  --broker HOST:PORT     the broker the board speaks to [127.0.0.1:1883]
  --node URL             the node it is enrolled at [http://127.0.0.1:8080]
  --key FILE             the operator's key [lamppost-data/keys/operator.pem]
  --time HOST:PORT       the time server it asks (SNTP); without one its readings count when they arrive
  --owner ACCOUNT        who earns [an account of the board's own, key in DIR/owner.pem]
  --data DIR             where identity and EEPROM stay [target/board]
  --temperature DEGREES  what the sensor measures at first [21.5]
  --seconds N            stops after N seconds

Example: cargo xtask qemu --seconds 60";

/// Runs it.
///
/// # Errors
/// What failed.
pub fn command(arguments: &[String]) -> Result<(), Failure> {
    let options = Options::parse(arguments)?;
    match &options.action {
        Action::Run => run(&options),
        Action::Temperature(millidegrees) => running(&options)?.set_temperature(*millidegrees),
        Action::Reset => running(&options)?.reset(),
    }
}

/// Switches the board on and shows its log until the time is over, or for ever.
fn run(options: &Options) -> Result<(), Failure> {
    // Asked first: without a node the builds would be for nothing.
    enrolment::network_of(&options.node)?;
    setup::ensure_tools(&[setup::QEMU])?;
    let firmware = firmware::build()?;
    let store = Store::at(&options.data)?;
    let enrolment = Enrolment {
        lamppost: lamppost()?,
        node: options.node.clone(),
        key: options.key.clone(),
        broker: options.broker.clone(),
        time_server: options.time_server.clone(),
        owner: options.owner.clone(),
    };
    let enrolled = enrolment.ensure(&store)?;
    say(&format!("the board is device {}: {}/devices/{}", enrolled.kid, options.node, enrolled.kid));
    say(&format!("its earnings go to {}", enrolled.owner));
    let data = store.directory().display();
    say(&format!("change its temperature with: cargo xtask qemu temperature 30.5 --data {data}"));
    let mut board = Board::start(&firmware, &store, Bench { echo: true, ..Bench::default() })?;
    board.control().set_temperature(options.temperature)?;
    let end = options.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    while end.is_none_or(|end| Instant::now() < end) {
        if !board.is_running() {
            return Err(Failure::new("QEMU has ended by itself"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    board.switch_off();
    Ok(())
}

/// The control of a board that runs in another terminal.
fn running(options: &Options) -> Result<Control, Failure> {
    Ok(Store::at(&options.data)?.control())
}

/// The binary that `LAMPPOST` names, as in the tests, or the release binary, which `cargo xtask up` has built already.
fn lamppost() -> Result<PathBuf, Failure> {
    if let Some(path) = std::env::var_os("LAMPPOST") {
        return Ok(absolute(Path::new(&path)));
    }
    process::run(process::cargo().args(["build", "--release", "--package", "gateway", "--bin", "lamppost"]))?;
    Ok(process::target_dir().join("release/lamppost"))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    Run,
    Temperature(i32),
    Reset,
}

/// What was typed. Paths are relative to where it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Options {
    action: Action,
    broker: String,
    node: String,
    key: PathBuf,
    time_server: Option<String>,
    owner: Option<String>,
    data: PathBuf,
    temperature: i32,
    seconds: Option<u64>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Options {
            action: Action::Run,
            broker: "127.0.0.1:1883".to_owned(),
            node: "http://127.0.0.1:8080".to_owned(),
            key: PathBuf::from("lamppost-data/keys/operator.pem"),
            time_server: None,
            owner: None,
            data: process::target_dir().join("board"),
            temperature: 21_500,
            seconds: None,
        };
        let mut words = arguments.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| wrong(&format!("{word} needs a value")));
            match word {
                "temperature" => options.action = Action::Temperature(millidegrees(value()?)?),
                "reset" => options.action = Action::Reset,
                "--broker" => options.broker = value()?.to_owned(),
                "--node" => options.node = value()?.trim_end_matches('/').to_owned(),
                "--key" => options.key = PathBuf::from(value()?),
                "--time" => options.time_server = Some(value()?.to_owned()),
                "--owner" => options.owner = Some(value()?.to_owned()),
                "--data" => options.data = PathBuf::from(value()?),
                "--temperature" => options.temperature = millidegrees(value()?)?,
                "--seconds" => {
                    let seconds = value()?;
                    options.seconds = Some(
                        seconds.parse().map_err(|_| wrong(&format!("{seconds} is no number of seconds")))?,
                    );
                }
                _ => return Err(wrong(&format!("there is no option {word}"))),
            }
        }
        // `lamppost` is started at the root of the checkout.
        options.key = absolute(&options.key);
        options.data = absolute(&options.data);
        Ok(options)
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn wrong(what: &str) -> Failure {
    Failure::new(format!("{what}; `cargo xtask qemu --help` says what there is"))
}

/// Degrees with up to three decimals, as thousandths, within what the sensor measures.
fn millidegrees(text: &str) -> Result<i32, Failure> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let value = (is_number(whole)
        && is_number(fraction)
        && !whole.is_empty()
        && whole.len() <= 3
        && fraction.len() <= 3)
        .then(|| format!("{whole}{fraction:0<3}").parse::<i32>().ok())
        .flatten()
        .map(|value| sign * value);
    value
        .filter(|value| (-128_000..128_000).contains(value))
        .ok_or_else(|| wrong(&format!("{text} is no temperature between -128 and 127.999")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_become_thousandths_exactly() {
        assert_eq!(millidegrees("21.5"), Ok(21_500));
        assert_eq!(millidegrees("-40"), Ok(-40_000));
        assert_eq!(millidegrees("0.062"), Ok(62));
        for wrong in ["", "-", "1e3", "200", "1.2345", "--1", "+1"] {
            assert!(millidegrees(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_option_without_its_value_is_named() {
        let failure = Options::parse(&["--broker".to_owned()]).unwrap_err();
        assert!(failure.to_string().contains("--broker needs a value"));
    }
}
