//! The machine's cores as hands for the ledger: where an epoch of many devices is closed, threads work at it together.
//! The state's lock is held meanwhile, so what they save is what everybody waits.

use std::num::NonZeroUsize;
use std::thread;

use ledger::workers::{Task, Workers};

/// One thread a core. They are started for a piece of work and end with it: that takes some ten microseconds, and an
/// epoch ends every few minutes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cores;

impl Workers for Cores {
    fn hands(&self) -> usize {
        thread::available_parallelism().map_or(1, NonZeroUsize::get)
    }

    fn run(&self, mut tasks: Vec<Task<'_>>) {
        let mine = tasks.pop();
        thread::scope(|scope| {
            for task in tasks {
                scope.spawn(task);
            }
            if let Some(task) = mine {
                task();
            }
        });
    }
}
