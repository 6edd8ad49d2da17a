//! `lamppost restore`: a data directory from a backup, verified before it is moved into place.

use std::path::PathBuf;

use serde_json::json;

use super::output;
use super::progress::CopyProgress;
use crate::backup;

/// Makes a data directory from a backup
///
/// Every file's hash, every checksum of the log and the log's root against the signed checkpoint are verified before
/// the directory is moved into place. It must not exist or be empty.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost restore backup-2026-11-22 --data lamppost-data\n  lamppost up --data lamppost-data"
)]
pub struct Arguments {
    /// The backup
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// The data directory to make
    #[arg(long, value_name = "DIR", env = "LAMPPOST_DATA")]
    data: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Restores and says what.
///
/// # Errors
/// One sentence; then there is no data directory.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut progress = CopyProgress::new();
    let restored =
        backup::restore(&arguments.backup, &arguments.data, &mut |bytes, of| progress.show(bytes, of))?;
    drop(progress);
    if arguments.json {
        return output::json(&json!({
            "data": arguments.data,
            "network": restored.network,
            "made": restored.made,
            "height": restored.height,
            "log_size": restored.log_size,
            "root": restored.root,
            "keys": restored.keys,
        }));
    }
    output::line(format!(
        "{} holds {} as of {}: block {}, {} entries, verified",
        arguments.data.display(),
        restored.network,
        restored.made,
        restored.height,
        restored.log_size
    ))?;
    if restored.keys {
        return Ok(());
    }
    let keys = arguments.data.join("keys");
    output::line(format!(
        "its private keys are not in the backup: put them into {} before it is started",
        keys.display()
    ))
}
