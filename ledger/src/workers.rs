//! Who does the work of a block that falls into parts: the ledger knows no thread, so it is lent hands. What is reckoned
//! is the same however many there are; an epoch of a million devices is only closed sooner.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::ops::Range;

/// A part of the work; whatever it finds it writes into a place of its own.
pub type Task<'t> = Box<dyn FnOnce() + Send + 't>;

/// Hands for the parts of one piece of work.
pub trait Workers: Debug + Sync {
    /// How many parts can be done at once.
    fn hands(&self) -> usize;

    /// Does every task, at once or one after another in any order, and returns when all are done.
    fn run(&self, tasks: Vec<Task<'_>>);
}

/// One pair of hands: the caller's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequential;

impl Workers for Sequential {
    fn hands(&self) -> usize {
        1
    }

    fn run(&self, tasks: Vec<Task<'_>>) {
        tasks.into_iter().for_each(|task| task());
    }
}

/// Items below which an epoch is closed before other hands would have woken.
const ITEMS_WORTH_SHARING: usize = 4_096;

/// The hands, if there are items enough to share among them.
pub(crate) fn worth(workers: &dyn Workers, items: usize) -> &dyn Workers {
    if items < ITEMS_WORTH_SHARING { &Sequential } else { workers }
}

/// Does `each` part with the hands there are, and gives what they found in the order of the parts.
pub(crate) fn in_parts<P: Send, R: Send>(
    workers: &dyn Workers,
    parts: Vec<P>,
    each: impl Fn(P) -> R + Sync,
) -> Vec<R> {
    if parts.len() < 2 {
        return parts.into_iter().map(each).collect();
    }
    let mut found: Vec<Option<R>> = parts.iter().map(|_| None).collect();
    let each = &each;
    let task = |(part, place)| -> Task<'_> {
        let place: &mut Option<R> = place;
        Box::new(move || *place = Some(each(part)))
    };
    workers.run(parts.into_iter().zip(&mut found).map(task).collect());
    found.into_iter().map(|found| found.expect("workers do every task")).collect()
}

/// The range `0..length` in as many even parts as there are hands, and in fewer where a part would have less than
/// `least`: what is done sooner than a thread is woken is not worth a part.
pub(crate) fn ranges(workers: &dyn Workers, length: usize, least: usize) -> Vec<Range<usize>> {
    let most = length.checked_div(least).unwrap_or(length).max(1);
    let parts = workers.hands().clamp(1, most);
    let each = length.div_ceil(parts).max(1);
    (0..parts)
        .map(|part| {
            let begins = part.saturating_mul(each).min(length);
            begins..begins.saturating_add(each).min(length)
        })
        .collect()
}

/// The slice in as many parts as [`ranges`] makes of it.
pub(crate) fn slices<'s, T>(workers: &dyn Workers, all: &'s [T], least: usize) -> Vec<&'s [T]> {
    ranges(workers, all.len(), least).into_iter().filter_map(|range| all.get(range)).collect()
}

/// The same, to be changed.
pub(crate) fn slices_mut<'s, T>(workers: &dyn Workers, all: &'s mut [T], least: usize) -> Vec<&'s mut [T]> {
    let each = ranges(workers, all.len(), least).first().map_or(1, |first| first.len().max(1));
    all.chunks_mut(each).collect()
}
