//! Processes that this one started: asked to end by their own handles, and no others.

use std::io;

use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use tokio::process::Child;

/// Sends SIGTERM to a child that has not ended. While its handle is not waited for, its number is nobody else's.
pub fn ask_to_end(child: &Child) {
    let number = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(number) = number {
        // One that has ended meanwhile needs no asking.
        let _asked = kill_process(number, Signal::TERM);
    }
}

/// Has this process asked to end when the one that started it has ended, also where that was killed.
///
/// # Errors
/// When it has ended already, or what the operating system says.
pub fn end_with_parent(parent: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // It may have ended before it was watched.
    let is_there = getppid().and_then(|now| u32::try_from(now.as_raw_pid()).ok()) == Some(parent);
    if is_there { Ok(()) } else { Err(io::Error::other("the process that started this one has ended")) }
}
