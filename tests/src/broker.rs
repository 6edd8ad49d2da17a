//! Mosquitto: a broker and a publisher that are not ours.

use crate::wait;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running mosquitto that keeps nothing.
#[derive(Debug)]
pub struct Mosquitto {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    _own: TempDir,
}

impl Mosquitto {
    /// On a free port.
    pub fn start() -> Mosquitto {
        Mosquitto::start_at(&free_address())
    }

    /// At this address.
    ///
    /// # Panics
    /// Where mosquitto is not installed or does not listen.
    pub fn start_at(address: &str) -> Mosquitto {
        let own = tempfile::tempdir().expect("a temporary directory can be made");
        let (host, port) = address.split_once(':').expect("HOST:PORT");
        let config = own.path().join("mosquitto.conf");
        let text = format!("listener {port} {host}\nallow_anonymous true\npersistence false\n");
        fs::write(&config, text).expect("the configuration can be written");
        let program =
            xtask::process::find("mosquitto").expect("mosquitto is installed by `cargo xtask test`");
        let child = Command::new(program)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto starts");
        let broker = Mosquitto { child, address: address.to_owned(), _own: own };
        wait::until_true("mosquitto listens", wait::SHORT, || TcpStream::connect(address).is_ok());
        broker
    }

    /// Ends it; sessions and queued messages are lost with it.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.end();
    }
}

/// An address nobody listens at, at this moment.
///
/// # Panics
/// Where the machine has no free port.
pub fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("a bound listener has an address").to_string()
}

/// Publishes one message with `mosquitto_pub`, QoS 1, MQTT 3.1.1.
///
/// # Panics
/// Where the broker does not take it.
pub fn mosquitto_pub(address: &str, topic: &str, payload: &[u8]) {
    mosquitto_pub_speaking("mqttv311", address, topic, payload);
}

/// Publishes one message in this version of MQTT: `mqttv311` or `mqttv5`.
///
/// # Panics
/// Where the broker does not take it.
pub fn mosquitto_pub_speaking(version: &str, address: &str, topic: &str, payload: &[u8]) {
    let (host, port) = address.split_once(':').expect("HOST:PORT");
    let own = tempfile::tempdir().expect("a temporary directory can be made");
    let file = own.path().join("payload");
    fs::write(&file, payload).expect("the payload can be written");
    let status = Command::new("mosquitto_pub")
        .args(["-V", version, "-h", host, "-p", port, "-q", "1", "-t", topic, "-f"])
        .arg(&file)
        .stdin(Stdio::null())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "mosquitto_pub {topic} at {address}");
}
