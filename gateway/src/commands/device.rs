//! `lamppost device`: enrols and shows devices, moves them between owners and keys, commands them, and explains what they
//! earned.

mod claim_link;
mod command;
mod listing;
mod ownership;
mod provision;
mod registration;

use clap::Subcommand;
use devices::DeviceId;

use super::{explain, output};
use crate::client::Client;

/// Enrols and shows devices, moves them between owners and keys, commands them, and explains what they earned
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lamppost device list")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Enrol(registration::Enrol),
    Provision(provision::Provision),
    Claim(ownership::Claim),
    Prove(ownership::Prove),
    Transfer(ownership::Transfer),
    Accept(ownership::Accept),
    Rotate(ownership::Rotate),
    Revoke(ownership::Revoke),
    Configure(command::Configure),
    Obey(command::Obey),
    /// Lists the devices of the network
    #[command(after_help = "Example:\n  lamppost device list --json")]
    List {
        /// The node to ask
        #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = super::NODE)]
        node: String,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows one device
    #[command(after_help = "Example:\n  lamppost device show be5de2f4bcdc383a")]
    Show {
        /// The device's kid, 16 hex digits
        kid: DeviceId,
        /// The node to ask
        #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = super::NODE)]
        node: String,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    Explain(explain::Arguments),
}

/// Carries out the device commands.
///
/// # Errors
/// When a file or the node fails, or the node refuses.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.action {
        Action::Enrol(enrol) => enrol.run(),
        Action::Provision(provision) => provision.run(),
        Action::Claim(claim) => claim.run(),
        Action::Prove(prove) => prove.run(),
        Action::Transfer(transfer) => transfer.run(),
        Action::Accept(accept) => accept.run(),
        Action::Rotate(rotate) => rotate.run(),
        Action::Revoke(revoke) => revoke.run(),
        Action::Configure(configure) => configure.run(),
        Action::Obey(obey) => obey.run(),
        Action::List { node, json } => listing::list(&Client::new(&node)?, json),
        Action::Show { kid, node, json } => {
            let device = Client::new(&node)?.json(&format!("/api/v1/devices/{kid}"))?;
            if json { output::json(&device) } else { listing::show(&device) }
        }
        Action::Explain(explain) => explain::run(&explain),
    }
}
