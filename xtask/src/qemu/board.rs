//! The board as a process: QEMU's lm3s6965evb with its sensor, its EEPROM and its identity page.

use super::control::Control;
use crate::process::{self, Failure};
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of the EEPROM (a 24C512).
const EEPROM_BYTES: usize = 65_536;
/// What an erased EEPROM reads.
const ERASED: u8 = 0xff;
/// Where the firmware looks for its identity page; past the image, so that no update touches it.
const IDENTITY_ADDRESS: &str = "0x3f000";
/// Lines of the log that are kept.
const LINES_MAX: usize = 20_000;

/// What stays when the board is switched off: identity and EEPROM, in one directory.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// The directory, which is made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn at(directory: impl Into<PathBuf>) -> Result<Self, Failure> {
        let directory = directory.into();
        std::fs::create_dir_all(&directory).map_err(|error| cannot_use(&directory, &error))?;
        // QEMU is started elsewhere, and its options would take a comma apart.
        let directory = directory.canonicalize().map_err(|error| cannot_use(&directory, &error))?;
        if directory.to_string_lossy().contains(',') {
            return Err(Failure::new(format!(
                "QEMU cannot use {}: its path has a comma",
                directory.display()
            )));
        }
        Ok(Store { directory })
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The identity page, as `lamppost device provision --out` writes it.
    pub fn identity(&self) -> PathBuf {
        self.directory.join("identity.bin")
    }

    /// The EEPROM's content.
    pub fn eeprom(&self) -> PathBuf {
        self.directory.join("eeprom.bin")
    }

    /// QEMU's control socket, while the board runs.
    pub fn control(&self) -> Control {
        Control::at(self.directory.join("qmp.sock"))
    }

    /// Makes an erased EEPROM unless there is one. A smaller one, as boards had before, grows: what stands in it stays.
    fn ensure_eeprom(&self) -> Result<(), Failure> {
        let path = self.eeprom();
        let mut content = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|error| cannot_use(&path, &error))?,
        };
        match content.len() {
            EEPROM_BYTES => Ok(()),
            ..EEPROM_BYTES => {
                content.resize(EEPROM_BYTES, ERASED);
                std::fs::write(&path, content).map_err(|error| cannot_use(&path, &error))
            }
            larger => Err(Failure::new(format!(
                "{} has {larger} bytes, and the board's EEPROM {EEPROM_BYTES}: it is no EEPROM of this board",
                path.display()
            ))),
        }
    }
}

fn cannot_use(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} cannot be used: {error}", path.display()))
}

/// What the firmware has written to its serial line.
#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    arrived: Condvar,
}

/// A running board. Dropped, it is switched off hard, as by pulling the plug.
#[derive(Debug)]
pub struct Board {
    child: Child,
    control: Control,
    log: Arc<Log>,
}

/// How a board is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bench {
    /// Its log also goes to standard output.
    pub echo: bool,
    /// Its thermometer is plugged in.
    pub has_sensor: bool,
    /// Its time goes by as fast as its instructions can be carried out, instead of a second a second.
    pub is_hurried: bool,
}

impl Default for Bench {
    fn default() -> Self {
        Bench { echo: false, has_sensor: true, is_hurried: false }
    }
}

impl Board {
    /// Switches the board on.
    ///
    /// # Errors
    /// When QEMU cannot be started or does not listen.
    pub fn start(firmware: &Path, store: &Store, bench: Bench) -> Result<Self, Failure> {
        store.ensure_eeprom()?;
        let control = store.control();
        // Left by a board that was killed; QEMU would not listen over it.
        let _ = std::fs::remove_file(control.socket());
        let mut qemu = process::command("qemu-system-arm");
        qemu.args(["-M", "lm3s6965evb", "-nic", "user,model=stellaris", "-display", "none"]);
        qemu.args(["-monitor", "none", "-serial", "stdio"]);
        if bench.is_hurried {
            qemu.args(["-icount", "shift=0,sleep=off"]);
        }
        qemu.arg("-qmp").arg(format!("unix:{},server=on,wait=off", control.socket().display()));
        qemu.arg("-kernel").arg(firmware);
        let identity = store.identity();
        let identity = identity.display();
        qemu.arg("-device").arg(format!("loader,file={identity},addr={IDENTITY_ADDRESS},force-raw=on"));
        if bench.has_sensor {
            qemu.args(["-device", "tmp105,id=temp0,bus=i2c,address=0x48"]);
        }
        qemu.arg("-drive").arg(format!("if=none,id=eeprom,format=raw,file={}", store.eeprom().display()));
        qemu.arg("-device")
            .arg(format!("at24c-eeprom,bus=i2c,address=0x50,rom-size={EEPROM_BYTES},drive=eeprom"));
        qemu.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = qemu.spawn().map_err(|error| process::cannot_start(&qemu, &error))?;
        let log = Arc::new(Log::default());
        if let Some(serial) = child.stdout.take() {
            let log = Arc::clone(&log);
            std::thread::spawn(move || follow(BufReader::new(serial), &log, bench.echo));
        }
        let board = Board { child, control, log };
        board.control.wait()?;
        Ok(board)
    }

    /// The sensor and the reset button.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Everything logged so far, a line each.
    pub fn log(&self) -> Vec<String> {
        self.log.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines were logged so far: where `wait_for` may begin to look.
    pub fn logged(&self) -> usize {
        self.log.lines.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits for a line that holds `text`, from line `from` on, and gives it.
    ///
    /// # Errors
    /// When none comes in time; quotes the last line that did.
    pub fn wait_for(&self, text: &str, from: usize, patience: Duration) -> Result<String, Failure> {
        let deadline = Instant::now() + patience;
        let mut lines = self.log.lines.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(line) = lines.iter().skip(from).find(|line| line.contains(text)) {
                return Ok(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let last = lines.last().map_or("nothing", String::as_str);
                return Err(Failure::new(format!(
                    "the board has not said {text:?}; its last line is {last:?}"
                )));
            }
            lines = self.log.arrived.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether QEMU still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Pulls the plug.
    pub fn switch_off(self) {
        drop(self);
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(self.control.socket());
    }
}

/// Reads the serial line to its end.
fn follow(serial: impl BufRead, log: &Log, echo: bool) {
    for line in serial.split(b'\n') {
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if echo {
            println!("{line}");
        }
        let mut lines = log.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < LINES_MAX {
            lines.push(line);
        }
        log.arrived.notify_all();
    }
}
