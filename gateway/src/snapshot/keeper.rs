//! Keeps the state now and then, on a thread of its own: blocks wait for neither its encoding nor the disk.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use super::Draft;
use crate::shared::Shared;

/// Takes a snapshot whenever it is asked to.
pub struct Keeper {
    requests: Option<SyncSender<()>>,
    last_bytes: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread; snapshots go to `directory`.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(shared: Arc<Shared>, directory: PathBuf) -> io::Result<Keeper> {
        // One is under way, one is due. Whoever asks for a third waits: then a start executes two intervals at most.
        let (requests, wanted) = mpsc::sync_channel(1);
        let last_bytes = Arc::new(AtomicU64::new(0));
        let bytes = Arc::clone(&last_bytes);
        let run = move || keep(&shared, &directory, &wanted, &bytes);
        let thread = thread::Builder::new().name("snapshots".to_owned()).spawn(run)?;
        Ok(Keeper { requests: Some(requests), last_bytes, thread: Some(thread) })
    }

    /// Has the state kept as it is now, or later. Waits only while two earlier requests are not done.
    pub fn request(&self) {
        if let Some(requests) = &self.requests {
            // A thread that is gone has said why.
            let _gone = requests.send(());
        }
    }

    /// Bytes of the last snapshot; 0 before the first.
    pub fn last_bytes(&self) -> u64 {
        self.last_bytes.load(Ordering::Relaxed)
    }

    /// Has the state kept a last time and waits until it is.
    pub fn finish(&mut self) {
        self.request();
        self.end();
    }

    /// Waits until what was asked for is done; nothing is kept any more after that.
    pub fn end(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _panicked_and_said_so = thread.join();
        }
    }
}

fn keep(shared: &Shared, directory: &std::path::Path, wanted: &Receiver<()>, last_bytes: &AtomicU64) {
    while wanted.recv().is_ok() {
        let state = shared.still();
        let height = state.height();
        let pieces = |each: &mut dyn FnMut(&[u8])| state.snapshot_in_pieces(each);
        let draft = Draft::write(directory, shared.genesis.hash(), height, pieces);
        // Whatever changes while it is looked at is in memory twice: not longer than it takes to write it down.
        drop(state);
        let draft = match draft {
            Ok(draft) => draft,
            Err(error) => {
                tracing::error!(%error, "no snapshot was taken");
                continue;
            }
        };
        last_bytes.store(draft.bytes(), Ordering::Relaxed);
        // Index first, then rows, then the state: a start uses a snapshot only with an index that reaches it. What is
        // in the index is on the disk, so a state that is ahead of the disk waits here.
        if let Err(error) = shared.index.flush(height, &shared.refused_snapshot()) {
            tracing::error!(%error, "no snapshot was taken");
            shared.telemetry.index_errors.inc();
        } else if let Err(error) = shared.rows.sync() {
            tracing::error!(%error, "no snapshot was taken");
        } else if let Err(error) = draft.keep() {
            tracing::error!(%error, "no snapshot was taken");
        }
    }
}
