//! `lamppost backup`: a consistent copy of a data directory while its node runs.

use std::path::PathBuf;

use serde_json::json;

use super::output;
use super::progress::CopyProgress;
use crate::backup;

/// Copies a data directory, also while its node runs, and verifies the copy
///
/// Everything that was acknowledged before the backup began is in it. The directory that is written must not exist or be
/// empty; nothing is ever overwritten. The copy holds the private keys unless they are left out: keep it as you keep them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost backup --data lamppost-data --to backup-2026-11-22\n  lamppost backup --data lamppost-data --to elsewhere --without-keys --json"
)]
pub struct Arguments {
    /// The data directory; its node may be running
    #[arg(long, value_name = "DIR", env = "LAMPPOST_DATA")]
    data: PathBuf,
    /// Where the copy goes: a new or empty directory
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Leaves out all private keys and the virtual devices' memories
    #[arg(long)]
    without_keys: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Makes the backup and says what is in it.
///
/// # Errors
/// One sentence; then nothing is left of the copy.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut progress = CopyProgress::new();
    let made = backup::backup(&arguments.data, &arguments.to, !arguments.without_keys, &mut |bytes, of| {
        progress.show(bytes, of)
    })?;
    drop(progress);
    let bytes: u64 = made.files.values().map(|file| file.bytes).sum();
    if arguments.json {
        return output::json(&json!({
            "backup": arguments.to,
            "network": made.network,
            "made": made.made,
            "height": made.height,
            "log_size": made.log_size,
            "root": made.root,
            "keys": made.keys,
            "files": made.files.len(),
            "bytes": bytes,
        }));
    }
    let keys = if made.keys { "with the private keys" } else { "without the private keys" };
    output::line(format!(
        "{} holds {} up to block {}, {} entries in {bytes} bytes, {keys}; verified",
        arguments.to.display(),
        made.network,
        made.height,
        made.log_size
    ))
}
