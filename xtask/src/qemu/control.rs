//! QEMU's control socket (QMP): the sensor's temperature, a reset, the memory, a debugger, an end.

use crate::process::Failure;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long QEMU may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Where the tmp105 stands in QEMU's object tree, by the id that the board gives it.
const SENSOR: &str = "/machine/peripheral/temp0";

/// The control socket of a running QEMU. Each request opens it anew, because QEMU serves one client at a time.
#[derive(Debug, Clone)]
pub struct Control {
    socket: PathBuf,
}

impl Control {
    /// The socket at `socket`, which QEMU may still be about to make.
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Control { socket: socket.into() }
    }

    /// Where the socket lies.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Waits until QEMU listens.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn wait(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + ANSWER;
        loop {
            match self.request("query-status", "") {
                Ok(_) => return Ok(()),
                Err(failure) if Instant::now() >= deadline => return Err(failure),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Sets what the sensor measures, in thousandths of a degree Celsius.
    ///
    /// # Errors
    /// When QEMU does not answer or has no such sensor.
    pub fn set_temperature(&self, millidegrees: i32) -> Result<(), Failure> {
        let arguments =
            format!(r#"{{"path": "{SENSOR}", "property": "temperature", "value": {millidegrees}}}"#);
        self.request("qom-set", &arguments).map(|_| ())
    }

    /// Resets the board, as its button would.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn reset(&self) -> Result<(), Failure> {
        self.request("system_reset", "").map(|_| ())
    }

    /// Lets a debugger in at `socket`, which is made: `target remote SOCKET` in gdb. The board stands still while one is
    /// there.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn open_to_debugger(&self, socket: &Path) -> Result<(), Failure> {
        self.monitor(&format!("gdbserver unix:{},server=on,wait=off", socket.display()))
    }

    /// Ends what [`Self::open_to_debugger`] began; the board runs on.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn close_to_debugger(&self) -> Result<(), Failure> {
        self.monitor("gdbserver none")?;
        self.request("cont", "").map(|_| ())
    }

    /// What stands in the board's memory from `address` on.
    ///
    /// # Errors
    /// When QEMU does not answer, or there is no memory.
    pub fn memory(&self, address: u32, bytes: u32) -> Result<Vec<u8>, Failure> {
        let file = self.socket.with_extension("memory");
        let arguments = format!(r#"{{"val": {address}, "size": {bytes}, "filename": "{}"}}"#, file.display());
        self.request("pmemsave", &arguments)?;
        let content = std::fs::read(&file);
        let _ = std::fs::remove_file(&file);
        content.map_err(|error| Failure::new(format!("QEMU has left no memory behind: {error}")))
    }

    /// A command of QEMU's monitor for people, for what QMP has no command of its own.
    fn monitor(&self, line: &str) -> Result<(), Failure> {
        self.request("human-monitor-command", &format!(r#"{{"command-line": "{line}"}}"#)).map(|_| ())
    }

    /// Ends QEMU.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn quit(&self) -> Result<(), Failure> {
        self.request("quit", "").map(|_| ())
    }

    /// Sends one command and gives the line with its answer. `arguments` is a JSON object, or empty.
    fn request(&self, command: &str, arguments: &str) -> Result<String, Failure> {
        self.exchange(command, arguments).map_err(|error| {
            Failure::new(format!("QEMU does not answer at {}: {error}", self.socket.display()))
        })?
    }

    fn exchange(&self, command: &str, arguments: &str) -> std::io::Result<Result<String, Failure>> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(ANSWER))?;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let ended = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        // The greeting, then the capabilities, without which no command is taken.
        lines.next().ok_or_else(ended)??;
        writeln!(stream, r#"{{"execute": "qmp_capabilities"}}"#)?;
        let arguments = if arguments.is_empty() { "{}" } else { arguments };
        writeln!(stream, r#"{{"execute": "{command}", "arguments": {arguments}, "id": "asked"}}"#)?;
        for line in lines {
            let line = line?;
            // Events and the answer to the capabilities carry no id of ours.
            if line.contains(r#""id": "asked""#) {
                let failure = || Failure::new(format!("QEMU refuses {command}: {line}"));
                return Ok(if line.contains(r#""error""#) { Err(failure()) } else { Ok(line) });
            }
        }
        Err(ended())
    }
}
