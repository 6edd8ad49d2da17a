//! The blocks that are on the disk and not in the index yet: a bounded queue from the host to the index's thread.
//!
//! The host waits only when the queue is full: the index may be behind, but never by more than that. Readers look into
//! the queue for what nearly every block has (its place, ids and readings), and wait for the rest, which is rare.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{BlockEntry, BlockPlace, Index, IndexError};
use crate::limits;

/// The queue.
#[derive(Default)]
pub(super) struct Feed {
    queue: Mutex<Queue>,
    moved: Condvar,
}

#[derive(Default)]
struct Queue {
    blocks: VecDeque<Arc<BlockEntry>>,
    /// Entries of the log in them.
    entries: usize,
    /// The last block with statements or transfers.
    last_postings: Option<u64>,
    /// The last block that is in the index.
    reached: Option<u64>,
    closed: bool,
}

impl Feed {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'q>(&self, queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        self.moved.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }

    /// The blocks that wait, in order of height.
    pub(super) fn waiting(&self) -> Vec<Arc<BlockEntry>> {
        self.queue().blocks.iter().cloned().collect()
    }

    /// The place of the block that is wanted, where it waits.
    pub(super) fn place(&self, is_wanted: impl Fn(&BlockPlace) -> bool) -> Option<BlockPlace> {
        self.queue().blocks.iter().map(|block| block.place).find(is_wanted)
    }

    /// The height of the last block that waits.
    pub(super) fn last_height(&self) -> Option<u64> {
        self.queue().blocks.back().map(|block| block.place.height)
    }

    /// Waits until the block of `height` is in the index; `false` when nothing more comes and it was not among it.
    pub(super) fn wait_until(&self, height: u64) -> bool {
        let mut queue = self.queue();
        loop {
            if queue.reached.is_some_and(|reached| reached >= height) {
                return true;
            }
            if queue.closed && queue.blocks.is_empty() {
                return false;
            }
            queue = self.wait(queue);
        }
    }

    /// Notes that the blocks up to this one are in the index.
    pub(super) fn reached(&self, height: u64) {
        let mut queue = self.queue();
        queue.reached = queue.reached.max(Some(height));
    }

    /// Waits until the statements and transfers of all blocks that are durable now are in the index.
    pub(super) fn wait_for_postings(&self) {
        let last = self.queue().last_postings;
        if let Some(height) = last {
            self.wait_until(height);
        }
    }
}

impl Index {
    /// Hands a durable block over to the thread that serves the index. Waits only while the queue is full.
    pub fn enqueue(&self, entry: BlockEntry) {
        let mut queue = self.feed.queue();
        while queue.entries >= limits::INDEX_QUEUE_ENTRIES_MAX {
            queue = self.feed.wait(queue);
        }
        queue.entries += entry.ids.len();
        if entry.has_postings() {
            queue.last_postings = Some(entry.place.height);
        }
        queue.blocks.push_back(Arc::new(entry));
        drop(queue);
        self.feed.moved.notify_all();
    }

    /// Entries of the log that are durable and not in the index yet.
    pub fn behind(&self) -> usize {
        self.feed.queue().entries
    }

    /// Brings blocks into the index until [`Index::close`] was called and none is left; `each` sees what came of each.
    pub fn serve(&self, mut each: impl FnMut(Result<(), IndexError>)) {
        loop {
            let mut queue = self.feed.queue();
            let block = loop {
                if let Some(block) = queue.blocks.front() {
                    break Arc::clone(block);
                }
                if queue.closed {
                    return;
                }
                queue = self.feed.wait(queue);
            };
            drop(queue);
            // It stays in the queue meanwhile, so that it is found in one of the two places at every moment.
            let result = self.put(&block);
            let mut queue = self.feed.queue();
            queue.blocks.pop_front();
            queue.reached = Some(block.place.height);
            queue.entries -= block.ids.len();
            drop(queue);
            self.feed.moved.notify_all();
            each(result);
        }
    }

    /// Tells the thread that serves the index that nothing more comes.
    pub fn close(&self) {
        self.feed.queue().closed = true;
        self.feed.moved.notify_all();
    }
}
