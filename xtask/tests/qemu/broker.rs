//! Mosquitto, which takes what the board sends and has nobody who would acknowledge it.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xtask::process;

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running broker.
pub struct Broker {
    child: Child,
    /// Where it listens.
    pub port: u16,
    _directory: TempDir,
}

impl Broker {
    /// On a free port.
    pub fn start() -> Broker {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let configuration = directory.path().join("mosquitto.conf");
        let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n");
        std::fs::write(&configuration, text).expect("the configuration is written");
        let program = process::find("mosquitto").expect("`cargo xtask test qemu` installs mosquitto");
        let mut command = process::command(program);
        command.arg("-c").arg(&configuration).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("mosquitto starts");
        let broker = Broker { child, port, _directory: directory };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "mosquitto does not listen");
            std::thread::yield_now();
        }
        broker
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
