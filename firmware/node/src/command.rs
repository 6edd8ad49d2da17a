//! Whether a device takes what comes on its `down` topic: only what the account that it obeys has signed for it, and only
//! once. The cheap questions come first, so that garbage costs no signature.

use core::fmt;

use devices::command::{SignedCommand, VerifiedCommand};
use devices::{DeviceId, Refusal};

/// Why a command is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusedCommand {
    /// It is no command, or one that this device cannot carry out.
    Malformed,
    /// It is for another device, or for a key that this one no longer has.
    OtherDevice,
    /// It is of an account that the device does not obey.
    NotOwner,
    /// A later one was taken.
    Replayed,
    /// The signature does not hold, or is for another network.
    Signature,
    /// The key asked for is none that comes after the present one, or the identity page has no rotation root.
    NoSuchKey,
}

impl RefusedCommand {
    /// Every reason.
    pub const ALL: [RefusedCommand; 6] = [
        RefusedCommand::Malformed,
        RefusedCommand::OtherDevice,
        RefusedCommand::NotOwner,
        RefusedCommand::Replayed,
        RefusedCommand::Signature,
        RefusedCommand::NoSuchKey,
    ];

    /// The reason's word in records and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            RefusedCommand::Malformed => "malformed",
            RefusedCommand::OtherDevice => "other_device",
            RefusedCommand::NotOwner => "not_owner",
            RefusedCommand::Replayed => "replayed",
            RefusedCommand::Signature => "signature",
            RefusedCommand::NoSuchKey => "no_such_key",
        }
    }
}

impl fmt::Display for RefusedCommand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What a device knows when a command comes.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The network that it is of.
    pub network: &'a str,
    /// Its present kid.
    pub kid: DeviceId,
    /// The account that it obeys, if any.
    pub obeys: Option<&'a [u8; 32]>,
    /// The counter of the last command that it took; 0 before the first.
    pub last_counter: u64,
}

/// A command that is not refused.
#[derive(Clone, Copy, Debug)]
pub enum Judged<'a> {
    /// It is to be carried out.
    New(VerifiedCommand<'a>),
    /// It is the last one that was taken: the broker keeps it and repeats it in every session.
    Known,
}

/// Judges the bytes of a message on the `down` topic.
///
/// # Errors
/// Why they are not taken.
#[inline(never)]
pub fn judge<'a>(bytes: &'a [u8], standing: &Standing<'_>) -> Result<Judged<'a>, RefusedCommand> {
    let signed = SignedCommand::decode(bytes).map_err(|_| RefusedCommand::Malformed)?;
    let command = signed.command();
    if command.device != standing.kid {
        return Err(RefusedCommand::OtherDevice);
    }
    if standing.obeys != Some(signed.key().thumbprint().as_bytes()) {
        return Err(RefusedCommand::NotOwner);
    }
    if command.counter < standing.last_counter {
        return Err(RefusedCommand::Replayed);
    }
    if command.counter == standing.last_counter {
        return Ok(Judged::Known);
    }
    match signed.verify(standing.network) {
        Ok(verified) => Ok(Judged::New(verified)),
        Err(Refusal::Malformed) => Err(RefusedCommand::Malformed),
        Err(_) => Err(RefusedCommand::Signature),
    }
}
