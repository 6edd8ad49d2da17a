//! A mosquitto of the measurement's own, on a free port.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::child::Child;
use super::{Scratch, say};
use crate::clock;

/// How long it may take to listen, and a subscriber to have subscribed.
const START: Duration = Duration::from_secs(5);

/// The broker; it ends with this.
pub struct Mosquitto {
    /// The process.
    pub process: Child,
    /// Where it listens.
    pub url: String,
}

impl Mosquitto {
    /// Starts one that queues without bounds, so that it drops nothing that a slow subscriber has still to get.
    ///
    /// # Errors
    /// When it is not installed or does not listen.
    pub fn start(scratch: &Scratch) -> anyhow::Result<Mosquitto> {
        let program = find().context(
            "mosquitto is not installed: `sudo apt-get install mosquitto`, or let `cargo xtask bench` do it",
        )?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let file = scratch.0.join("mosquitto.conf");
        let content = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 1000\n\
             log_dest none\n",
            address.port()
        );
        std::fs::write(&file, content)?;
        say("starting mosquitto");
        let mut command = Command::new(program);
        command.arg("-c").arg(&file);
        let process = Child::of(command)?;
        let began = clock::monotonic();
        while TcpStream::connect(address).is_err() {
            if began.elapsed() > START {
                bail!("mosquitto does not listen on {address}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Mosquitto { process, url: format!("mqtt://{address}") })
    }
}

/// Debian keeps brokers in `sbin`, which is not on everybody's path.
fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    directories.map(|directory| directory.join("mosquitto")).find(|file| Path::is_file(file))
}
