//! A mosquitto of the measurement's own, on a free port.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::child::Child;
use super::{Scratch, say};

/// The broker; it ends with this.
pub struct Mosquitto {
    /// The process.
    pub process: Child,
    /// Where it listens.
    pub url: String,
}

impl Mosquitto {
    /// Starts one that queues without bounds, so that it drops nothing that a slow subscriber has still to get, and
    /// waits until it serves.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start(scratch: &Scratch) -> anyhow::Result<Mosquitto> {
        let program = find().context(
            "mosquitto is not installed: `sudo apt-get install mosquitto`, or let `cargo xtask bench` do it",
        )?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let file = scratch.0.join("mosquitto.conf");
        let content = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 1000\n\
             log_dest stderr\nlog_type information\nlog_type subscribe\nconnection_messages false\n",
            address.port()
        );
        std::fs::write(&file, content)?;
        say("starting mosquitto");
        let mut command = Command::new(program);
        command.arg("-c").arg(&file);
        let mut broker =
            Mosquitto { process: Child::start_other(command)?, url: format!("mqtt://{address}") };
        broker.said("running")?;
        Ok(broker)
    }

    /// Waits until somebody has subscribed to the topics that end so: what is published before that, nobody gets.
    ///
    /// # Errors
    /// When it has ended instead.
    pub fn subscribed(&mut self, topics: &str) -> anyhow::Result<()> {
        self.said(topics)
    }

    fn said(&mut self, end: &str) -> anyhow::Result<()> {
        while !self.process.line()?.ends_with(end) {}
        Ok(())
    }
}

/// Debian keeps brokers in `sbin`, which is not on everybody's path.
fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    directories.map(|directory| directory.join("mosquitto")).find(|file| Path::is_file(file))
}
