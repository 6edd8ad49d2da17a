//! Processes that this one started: asked to end by their own handles, and no others.

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

/// Sends SIGTERM to a child that has not ended. While its handle is not waited for, its number is nobody else's.
pub fn ask_to_end(child: &Child) {
    let number = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(number) = number {
        // One that has ended meanwhile needs no asking.
        let _asked = kill_process(number, Signal::TERM);
    }
}
