//! `lamppost bench load`: the loader, a process of its own, so that signing and sending do not count as the node's work.
//!
//! It signs, prints `signed N BYTES`, and then publishes everything to the broker of each line it reads from stdin,
//! printing `published N SECONDS` after each.

use std::io::{BufRead as _, stdin};

use anyhow::Context as _;
use fleet::client::Broker;
use fleet::load;

use super::{Settings, ingest};
use crate::commands::output;
use crate::mqtt::BrokerUrl;

/// MQTT connections of the loader.
const CONNECTIONS: usize = 8;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// Signs, waits, publishes.
///
/// # Errors
/// When the load cannot be signed or published.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let seeds = fleet::seeds(&[42; 32], arguments.settings.devices as usize);
    let loads = ingest::sign(&arguments.settings, &seeds)?;
    let envelopes: usize = loads.iter().map(|load| load.envelopes.len()).sum();
    let bytes: usize = loads.iter().flat_map(|load| &load.envelopes).map(Vec::len).sum();
    output::line(format!("signed {envelopes} {bytes}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for line in stdin().lock().lines() {
        let url: BrokerUrl = line?.trim().parse()?;
        let broker = Broker { host: url.host, port: url.port };
        let report = runtime
            .block_on(load::publish(&broker, loads.clone(), CONNECTIONS))
            .context("the load broke off")?;
        output::line(format!("published {} {}", report.published, report.elapsed.as_secs_f64()))?;
    }
    Ok(())
}
