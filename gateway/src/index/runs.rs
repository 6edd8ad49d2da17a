//! Sorted runs: the numbers that stand under a key of eight bytes, many thousand keys to a value of sled.
//!
//! What is added waits in memory until it is a run's worth or a snapshot is taken. A new run takes the runs before it
//! in that are no larger, so there are few of them, and each pair is written a handful of times at most. Numbers grow
//! from block to block: so a run's numbers all lie above those of the run before it.

use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use super::records::u64_at;
use super::shelf::{Held, Shelf};
use crate::limits;

/// A key and one of its numbers.
pub type Pair = ([u8; 8], u64);

/// Bytes of a pair in a value.
const PAIR_BYTES: usize = 16;

/// A multimap of keys to numbers, for one writer and many readers.
pub struct Runs {
    /// Chunks of pairs, by their first key and number.
    shelf: Shelf,
    held: RwLock<Held<Run, Pair>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    number: u64,
    pairs: u64,
    /// The last block whose pairs it holds.
    height: u64,
    least: u64,
    greatest: u64,
}

impl Run {
    fn encode(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (place, number) in [self.pairs, self.height, self.least, self.greatest].into_iter().enumerate() {
            bytes[place * 8..place * 8 + 8].copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    fn decode(number: u64, bytes: &[u8]) -> Option<Run> {
        Some(Run {
            number,
            pairs: u64_at(bytes, 0)?,
            height: u64_at(bytes, 8)?,
            least: u64_at(bytes, 16)?,
            greatest: u64_at(bytes, 24)?,
        })
    }

    fn meets(&self, numbers: &Range<u64>) -> bool {
        self.least < numbers.end && numbers.start <= self.greatest
    }
}

impl Runs {
    /// Opens the runs of this name and takes away what a crash left half written.
    pub fn open(database: &sled::Db, name: &str) -> sled::Result<Runs> {
        let (shelf, runs) = Shelf::open(database, name)?;
        let runs: Vec<Run> = runs.iter().filter_map(|(number, about)| Run::decode(*number, about)).collect();
        let height = runs.last().map(|run| run.height);
        Ok(Runs { shelf, held: RwLock::new(Held { runs, fresh: Vec::new(), height }) })
    }

    /// Adds a block's pairs; those of a block that is here already are left out.
    pub fn add(&self, height: u64, pairs: Vec<Pair>) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.height.is_none_or(|last| last < height) {
            held.height = Some(height);
            held.fresh.extend(pairs);
        }
    }

    /// Whether there is a run's worth in memory.
    pub fn is_due(&self) -> bool {
        self.held.read().unwrap_or_else(PoisonError::into_inner).fresh.len() >= limits::INDEX_FRESH_PAIRS
    }

    /// Writes what is in memory as a run, with the runs before it that are no larger.
    pub fn write(&self) -> sled::Result<()> {
        let (mut pairs, absorbed, height, number) = {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            let Some(height) = held.height.filter(|_| !held.fresh.is_empty()) else { return Ok(()) };
            let mut total = held.fresh.len() as u64;
            let smaller = held.runs.iter().rev().take_while(|run| {
                let takes = run.pairs <= total && total + run.pairs <= limits::INDEX_RUN_PAIRS;
                total += run.pairs;
                takes
            });
            let kept = held.runs.len() - smaller.count();
            let number = held.runs.last().map_or(0, |run| run.number + 1);
            (held.fresh.clone(), held.runs[kept..].to_vec(), height, number)
        };
        for run in &absorbed {
            for chunk in self.shelf.all(run.number) {
                pairs.extend(decode(&chunk?));
            }
        }
        pairs.sort_unstable();
        for chunk in pairs.chunks(limits::INDEX_CHUNK_PAIRS) {
            let Some((key, value)) = chunk.first() else { continue };
            self.shelf.put(number, &place(key, *value), encode(chunk))?;
        }
        let values = || pairs.iter().map(|(_, value)| *value);
        let (least, greatest) = (values().min().unwrap_or_default(), values().max().unwrap_or_default());
        let run = Run { number, pairs: pairs.len() as u64, height, least, greatest };
        self.shelf.replace(absorbed.iter().map(|run| run.number), number, &run.encode())?;
        // Whoever still reads the absorbed runs is waited for here; whoever comes then reads the new one.
        self.held.write().unwrap_or_else(PoisonError::into_inner).replace(absorbed.len(), run);
        absorbed.iter().try_for_each(|run| self.shelf.remove(run.number..run.number + 1))
    }

    /// The first `most` numbers of a key within a range, ascending.
    pub fn first(&self, key: &[u8; 8], numbers: Range<u64>, most: usize) -> sled::Result<Vec<u64>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        for run in held.runs.iter().filter(|run| run.meets(&numbers)) {
            for chunk in self.chunks_of(run, key, &numbers)? {
                if found.len() >= most {
                    break;
                }
                found.extend(numbers_in(&chunk?, key, &numbers));
            }
        }
        found.extend(fresh_of(&held.fresh, key, &numbers));
        found.truncate(most);
        Ok(found)
    }

    /// The last `most` numbers of a key within a range, ascending.
    pub fn last(&self, key: &[u8; 8], numbers: Range<u64>, most: usize) -> sled::Result<Vec<u64>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<u64> = fresh_of(&held.fresh, key, &numbers).collect();
        found.reverse();
        for run in held.runs.iter().rev().filter(|run| run.meets(&numbers)) {
            for chunk in self.chunks_of(run, key, &numbers)?.rev() {
                if found.len() >= most {
                    break;
                }
                found.extend(numbers_in(&chunk?, key, &numbers).into_iter().rev());
            }
        }
        found.truncate(most);
        found.reverse();
        Ok(found)
    }

    /// How many numbers a key has.
    pub fn count(&self, key: &[u8; 8]) -> sled::Result<u64> {
        let all = 0..u64::MAX;
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let mut count = fresh_of(&held.fresh, key, &all).count();
        for run in &held.runs {
            for chunk in self.chunks_of(run, key, &all)? {
                count += numbers_in(&chunk?, key, &all).len();
            }
        }
        Ok(count as u64)
    }

    /// The chunks of a run in which the numbers of a key may stand, in order.
    fn chunks_of(
        &self,
        run: &Run,
        key: &[u8; 8],
        numbers: &Range<u64>,
    ) -> sled::Result<impl DoubleEndedIterator<Item = sled::Result<sled::IVec>> + use<>> {
        self.shelf.between(run.number, &place(key, numbers.start), &place(key, numbers.end))
    }
}

/// The numbers of a key among pairs in the order of heights.
fn fresh_of(fresh: &[Pair], key: &[u8; 8], numbers: &Range<u64>) -> impl Iterator<Item = u64> {
    let of_key = fresh.iter().filter(move |(of, number)| of == key && numbers.contains(number));
    of_key.map(|(_, number)| *number)
}

/// Where a pair stands in its run.
fn place(key: &[u8; 8], number: u64) -> [u8; PAIR_BYTES] {
    let mut bytes = [0; PAIR_BYTES];
    bytes[..8].copy_from_slice(key);
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn encode(pairs: &[Pair]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pairs.len() * PAIR_BYTES);
    for (key, number) in pairs {
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes
}

fn decode(bytes: &[u8]) -> impl Iterator<Item = Pair> {
    let (pairs, _) = bytes.as_chunks::<PAIR_BYTES>();
    pairs.iter().filter_map(|pair| Some((*pair.first_chunk()?, u64_at(pair, 8)?)))
}

/// The numbers of a key in a sorted chunk.
fn numbers_in(bytes: &[u8], key: &[u8; 8], numbers: &Range<u64>) -> Vec<u64> {
    let (pairs, _) = bytes.as_chunks::<PAIR_BYTES>();
    let at = |number: u64| pairs.partition_point(|pair| *pair < place(key, number));
    let found = pairs.get(at(numbers.start)..at(numbers.end)).unwrap_or_default();
    found.iter().filter_map(|pair| u64_at(pair, 8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> [u8; 8] {
        (number % 7).to_be_bytes()
    }

    fn database(directory: &tempfile::TempDir) -> sled::Db {
        sled::Config::new().path(directory.path()).open().unwrap()
    }

    fn pairs(numbers: Range<u64>) -> Vec<Pair> {
        numbers.map(|number| (key(number), number)).collect()
    }

    /// What a key has within a range, by the plain way.
    fn expected(of: u64, numbers: Range<u64>) -> Vec<u64> {
        numbers.filter(|number| number % 7 == of).collect()
    }

    #[test]
    fn numbers_are_found_in_memory_in_runs_and_across_both() {
        let directory = tempfile::tempdir().unwrap();
        let runs = Runs::open(&database(&directory), "test").unwrap();
        for height in 0..40 {
            runs.add(height, pairs(height * 100..height * 100 + 100));
            if height % 3 == 0 && height < 36 {
                runs.write().unwrap();
            }
        }
        for range in [0..u64::MAX, 0..4_000, 17..3_333, 3_400..3_999, 5_000..6_000] {
            let all = expected(3, range.start..range.end.min(4_000));
            assert_eq!(runs.first(&key(3), range.clone(), usize::MAX).unwrap(), all);
            assert_eq!(runs.last(&key(3), range.clone(), usize::MAX).unwrap(), all);
            assert_eq!(runs.first(&key(3), range.clone(), 5).unwrap(), all[..all.len().min(5)]);
            assert_eq!(runs.last(&key(3), range, 5).unwrap(), all[all.len().saturating_sub(5)..]);
        }
        assert_eq!(runs.count(&key(0)).unwrap(), 572);
        assert!(runs.first(&[9; 8], 0..u64::MAX, 1).unwrap().is_empty());
    }

    #[test]
    fn a_key_may_fill_many_chunks() {
        let directory = tempfile::tempdir().unwrap();
        let runs = Runs::open(&database(&directory), "test").unwrap();
        let many = 5 * limits::INDEX_CHUNK_PAIRS as u64;
        runs.add(1, (0..many).map(|number| ([5; 8], number)).collect());
        runs.write().unwrap();
        assert_eq!(runs.count(&[5; 8]).unwrap(), many);
        assert_eq!(runs.first(&[5; 8], 1_500..many, 2).unwrap(), [1_500, 1_501]);
        assert_eq!(runs.last(&[5; 8], 0..many - 1, 2).unwrap(), [many - 3, many - 2]);
    }

    #[test]
    fn small_runs_become_few_and_large_ones_stay() {
        let directory = tempfile::tempdir().unwrap();
        let database = database(&directory);
        let runs = Runs::open(&database, "test").unwrap();
        for height in 0..64 {
            runs.add(height, pairs(height * 10..height * 10 + 10));
            runs.write().unwrap();
        }
        assert_eq!(runs.held.read().unwrap().runs.len(), 1, "sixty-four equal ones come to one");
        assert_eq!(runs.first(&key(2), 0..u64::MAX, usize::MAX).unwrap(), expected(2, 0..640));
    }

    #[test]
    fn a_block_that_is_here_is_not_added_again_also_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let database = database(&directory);
        let runs = Runs::open(&database, "test").unwrap();
        runs.add(4, pairs(0..50));
        runs.write().unwrap();
        runs.shelf.put(77, &place(&[0; 8], 0), encode(&pairs(0..9))).unwrap();
        drop(runs);
        let runs = Runs::open(&database, "test").unwrap();
        assert_eq!(runs.shelf.all(77).count(), 0, "what no catalogue names is taken away");
        runs.add(4, pairs(0..50));
        runs.add(5, pairs(50..60));
        runs.add(5, pairs(50..60));
        assert_eq!(runs.first(&key(1), 0..u64::MAX, usize::MAX).unwrap(), expected(1, 0..60));
    }
}
