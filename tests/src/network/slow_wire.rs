//! The program that carries packets slowly and loses some, for kernels without netem: `tests/python/slow_wire.py`.

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Where its losses come from: the same ones in every run, as far as the packets are the same.
const SEED: &str = "7";

/// The running program; its devices go with it.
#[derive(Debug)]
pub(super) struct SlowWire {
    program: Child,
    told: ChildStdin,
}

impl SlowWire {
    /// Makes a device of each name, the last one of which is the tester's.
    ///
    /// # Errors
    /// A sentence where Python is missing, or this user may make no devices.
    pub(super) fn start(ends: &[(String, Ipv4Addr)]) -> Result<SlowWire, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/slow_wire.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(SEED).args(ends.iter().map(|(name, address)| format!("{name}={address}")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = command.spawn().map_err(|error| format!("python3: {error}"))?;
        let told = program.stdin.take().ok_or("the wire's standard input is piped")?;
        let mut said = String::new();
        if let Some(stdout) = program.stdout.take() {
            drop(BufReader::new(stdout).read_line(&mut said));
        }
        let wire = SlowWire { program, told };
        if said.trim() == "ready" { Ok(wire) } else { Err("TUN devices cannot be made here".to_owned()) }
    }

    /// From now on.
    ///
    /// # Panics
    /// Where the program has ended.
    pub(super) fn weather(&mut self, delay_milliseconds: u32, loss_percent: u32) {
        let said =
            writeln!(self.told, "{delay_milliseconds} {loss_percent}").and_then(|()| self.told.flush());
        said.expect("the slow wire listens");
    }
}

impl Drop for SlowWire {
    fn drop(&mut self) {
        drop(self.program.kill());
        drop(self.program.wait());
    }
}
