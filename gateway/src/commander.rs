//! The way of an owner's command to a device: judged by the ledger, kept on the disk, published.
//!
//! `DATA/commands/KID.cose` holds the last command of each device. It is no part of the ledger and follows from nothing
//! that is: a device obeys its owner's signature, and a gateway only carries it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use devices::limits::COMMAND_BYTES_MAX;
use devices::{DeviceId, KeyOffer, Order, Refusal, SignedCommand};
use ledger::account::AccountId;
use ledger::registry::Device;

use crate::outbox::Commands;

/// How a command's file ends.
const EXTENSION: &str = "cose";

/// Why a command is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It is no command.
    #[error("this is no command: {0}")]
    Unreadable(Refusal),
    /// The path names one device, the command another.
    #[error("the command is for device {0}")]
    OtherDevice(DeviceId),
    /// The ledger says that somebody else owns the device.
    #[error("only the account that owns the device may command it")]
    NotOwner,
    /// One with this counter or a higher one was taken.
    #[error("a command with the counter {0} was taken, and the next has to have a higher one")]
    Replayed(u64),
    /// As many devices have commands as there is room for.
    #[error("this node keeps commands for no further device")]
    Full,
    /// The disk.
    #[error("the command could not be kept: {0}")]
    Storage(#[from] io::Error),
}

impl CommandError {
    /// The word for it in problem documents.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            CommandError::Unreadable(refusal) => Some(refusal.as_str()),
            CommandError::OtherDevice(_) => Some("other_device"),
            CommandError::NotOwner => Some("not_owner"),
            CommandError::Replayed(_) => Some("replayed"),
            CommandError::Full | CommandError::Storage(_) => None,
        }
    }
}

/// Takes commands, one at a time.
pub struct Commander {
    directory: PathBuf,
    commands: Commands,
    taking: Mutex<()>,
}

impl Commander {
    /// Finds what was commanded before, and has it published.
    ///
    /// # Errors
    /// When the directory cannot be made or read. A file that holds no command is left alone.
    pub fn open(directory: &Path, commands: Commands) -> io::Result<Commander> {
        fs::create_dir_all(directory)?;
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != EXTENSION) {
                continue;
            }
            let bytes = fs::read(&path)?;
            match SignedCommand::decode(&bytes) {
                Ok(signed) if commands.has_room_for(signed.command().device) => {
                    commands.publish(signed.command().device, &bytes);
                }
                Ok(_) => tracing::warn!("there are more commands than this node has room for"),
                Err(_) => tracing::warn!(file = %path.display(), "no command"),
            }
        }
        Ok(Commander { directory: directory.to_owned(), commands, taking: Mutex::default() })
    }

    /// Takes a command for the device `kid`, which the ledger says is `owner`'s: when this returns, it is on the disk and
    /// on its way to the broker.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn take(
        &self,
        network: &str,
        kid: DeviceId,
        owner: Option<AccountId>,
        bytes: &[u8],
    ) -> Result<u64, CommandError> {
        let signed = SignedCommand::decode(bytes).map_err(CommandError::Unreadable)?;
        let (device, counter) = (signed.command().device, signed.command().counter);
        if device != kid {
            return Err(CommandError::OtherDevice(device));
        }
        if owner != Some(AccountId::of(signed.key())) {
            return Err(CommandError::NotOwner);
        }
        signed.verify(network).map_err(CommandError::Unreadable)?;
        let _alone = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = self.last_counter(kid).filter(|last| *last >= counter) {
            return Err(CommandError::Replayed(last));
        }
        if !self.commands.has_room_for(kid) {
            return Err(CommandError::Full);
        }
        self.keep(kid, bytes)?;
        self.commands.publish(kid, bytes);
        Ok(counter)
    }

    fn keep(&self, kid: DeviceId, bytes: &[u8]) -> io::Result<()> {
        debug_assert!(bytes.len() <= COMMAND_BYTES_MAX);
        let file = self.directory.join(format!("{kid}.{EXTENSION}"));
        let new = file.with_extension("new");
        let mut written = File::create(&new)?;
        written.write_all(bytes)?;
        written.sync_all()?;
        fs::rename(&new, &file)?;
        File::open(&self.directory)?.sync_all()
    }

    fn last_counter(&self, kid: DeviceId) -> Option<u64> {
        let last = self.commands.last(kid)?;
        SignedCommand::decode(&last).ok().map(|signed| signed.command().counter)
    }

    /// The last command that was taken for a device.
    pub fn last(&self, kid: DeviceId) -> Option<Arc<[u8]>> {
        self.commands.last(kid)
    }

    /// The key that the device offers in answer to its last command, where that is `rotate_key` and the offer is signed by
    /// the device's present key; and the bytes that say so.
    pub fn offer(&self, network: &str, device: &Device) -> Option<(KeyOffer, Vec<u8>)> {
        let kid = device.public_key.kid();
        let last = self.commands.last(kid)?;
        let asked = SignedCommand::decode(&last).ok()?;
        let Order::RotateKey(generation) = asked.command().order else { return None };
        self.commands.offers_of(kid).into_iter().find_map(|bytes| {
            let offer = KeyOffer::verify(&bytes, &device.public_key, network).ok()?;
            let is_the_answer = offer.counter == asked.command().counter && offer.generation == generation;
            is_the_answer.then_some((offer, bytes))
        })
    }
}
