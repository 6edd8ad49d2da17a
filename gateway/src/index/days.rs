//! Sums by key and day in sorted runs, as `runs` keeps numbers: a settlement of a million statements costs one sorted run
//! and no look-up a device.
//!
//! What is added waits in memory, summed, until it is a run's worth or a snapshot is taken. A new run takes in the runs
//! before it that are not much larger; where both know a key's day, their sums become one. So a day of a thousand
//! settlements holds each device once, and a key's day is read from a handful of places and added up.
//!
//! Adding up is only right when nothing is counted twice: a block that is here is never added again, a run exists once it
//! stands in the catalogue, and one batch puts a run there and takes away those that it took in.

use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use super::records::u64_at;
use super::shelf::{Held, Shelf};
use crate::figures::{Day, summed};
use crate::limits;

/// A key and one of its days.
pub type Row<const KEY: usize> = ([u8; KEY], Day);

/// Sums by keys of `KEY` bytes and by day, for one writer and many readers.
pub struct Days<const KEY: usize> {
    /// Chunks of rows, by their first key and day.
    shelf: Shelf,
    /// `fresh` is sorted, and has each key's day once.
    held: RwLock<Held<Run, Row<KEY>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    number: u64,
    rows: u64,
    /// The last block whose statements it holds.
    height: u64,
    first_day: u32,
    last_day: u32,
}

impl Run {
    fn encode(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.rows.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.height.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.first_day.to_be_bytes());
        bytes[20..].copy_from_slice(&self.last_day.to_be_bytes());
        bytes
    }

    fn decode(number: u64, bytes: &[u8]) -> Option<Run> {
        let day = |at: usize| bytes.get(at..)?.first_chunk().map(|chunk| u32::from_be_bytes(*chunk));
        Some(Run {
            number,
            rows: u64_at(bytes, 0)?,
            height: u64_at(bytes, 8)?,
            first_day: day(16)?,
            last_day: day(20)?,
        })
    }

    fn meets(&self, days: &Range<u32>) -> bool {
        self.first_day < days.end && days.start <= self.last_day
    }

    /// Whether both are of one and the same day: then they mostly know the same keys, and their sum is no longer than
    /// the longer one.
    fn is_of_the_same_day(&self, first: u32, last: u32) -> bool {
        self.first_day == self.last_day && first == last && first == self.first_day
    }
}

impl<const KEY: usize> Days<KEY> {
    /// Bytes of a row: key, day, paid, records, statements.
    const ROW_BYTES: usize = KEY + 28;

    /// Opens the sums of this name and takes away what a crash left half written.
    pub fn open(database: &sled::Db, name: &str) -> sled::Result<Days<KEY>> {
        let (shelf, runs) = Shelf::open(database, name)?;
        let runs: Vec<Run> = runs.iter().filter_map(|(number, about)| Run::decode(*number, about)).collect();
        let height = runs.last().map(|run| run.height);
        Ok(Days { shelf, held: RwLock::new(Held { runs, fresh: Vec::new(), height }) })
    }

    /// Adds a block's rows, in any order; those of a block that is here already are left out.
    pub fn add(&self, height: u64, rows: Vec<Row<KEY>>) {
        if self.held.read().unwrap_or_else(PoisonError::into_inner).height.is_some_and(|last| last >= height)
        {
            return;
        }
        // Sorted before the lock is taken: a settlement may have a million.
        let rows = sum_rows(rows);
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.height.is_none_or(|last| last < height) {
            held.height = Some(height);
            if !rows.is_empty() {
                let fresh = std::mem::take(&mut held.fresh);
                held.fresh = merged(fresh, rows);
            }
        }
    }

    /// Whether there is a run's worth in memory.
    pub fn is_due(&self) -> bool {
        self.held.read().unwrap_or_else(PoisonError::into_inner).fresh.len() >= limits::INDEX_FRESH_DAYS
    }

    /// Writes what is in memory as a run, with the runs before it that are not much larger.
    pub fn write(&self) -> sled::Result<()> {
        let (mut rows, absorbed, height, number) = {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            let Some(height) = held.height.filter(|_| !held.fresh.is_empty()) else { return Ok(()) };
            let kept = held.runs.len() - absorbed(&held);
            let number = held.runs.last().map_or(0, |run| run.number + 1);
            (held.fresh.clone(), held.runs[kept..].to_vec(), height, number)
        };
        for run in &absorbed {
            let mut of_run = Vec::with_capacity(usize::try_from(run.rows).unwrap_or_default());
            for chunk in self.shelf.all(run.number) {
                of_run.extend(decode::<KEY>(&chunk?));
            }
            rows = merged(of_run, rows);
        }
        for chunk in rows.chunks(limits::INDEX_CHUNK_DAYS) {
            let Some((key, day)) = chunk.first() else { continue };
            self.shelf.put(number, &place_of(key, day.day), encode(chunk))?;
        }
        let (first_day, last_day) = span(&rows);
        let run = Run { number, rows: rows.len() as u64, height, first_day, last_day };
        self.shelf.replace(absorbed.iter().map(|run| run.number), number, &run.encode())?;
        // Whoever still reads the absorbed runs is waited for here; whoever comes then reads the new one.
        self.held.write().unwrap_or_else(PoisonError::into_inner).replace(absorbed.len(), run);
        absorbed.iter().try_for_each(|run| self.shelf.remove(run.number..run.number + 1))
    }

    /// A key's days within a range, ascending; only those with something.
    pub fn of(&self, key: &[u8; KEY], days: &Range<u32>) -> sled::Result<Vec<Day>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<Day> = rows_of(&held.fresh, key, days).collect();
        for run in held.runs.iter().filter(|run| run.meets(days)) {
            for chunk in
                self.shelf.between(run.number, &place_of(key, days.start), &place_of(key, days.end))?
            {
                found.extend(days_in(&chunk?, key, days));
            }
        }
        Ok(summed(found))
    }
}

/// How many of the last runs the next one takes in: those at most twice as large as what it has by then, so that sizes at
/// least halve from run to run and there are few. A run stays where both would come to more than `INDEX_RUN_DAYS`, unless
/// they are of the same day.
fn absorbed<const KEY: usize>(held: &Held<Run, Row<KEY>>) -> usize {
    let mut total = held.fresh.len() as u64;
    let (mut first, mut last) = span(&held.fresh);
    let takes = |run: &&Run| {
        let same_day = run.is_of_the_same_day(first, last);
        let grown = if same_day { total.max(run.rows) } else { total + run.rows };
        let takes = run.rows <= total.saturating_mul(2) && (same_day || grown <= limits::INDEX_RUN_DAYS);
        (total, first, last) = (grown, first.min(run.first_day), last.max(run.last_day));
        takes
    };
    held.runs.iter().rev().take_while(takes).count()
}

/// The first and the last day of some rows; they are not empty.
fn span<const KEY: usize>(rows: &[Row<KEY>]) -> (u32, u32) {
    let days = || rows.iter().map(|(_, day)| day.day);
    (days().min().unwrap_or_default(), days().max().unwrap_or_default())
}

fn place<const KEY: usize>(row: &Row<KEY>) -> ([u8; KEY], u32) {
    (row.0, row.1.day)
}

/// Sorted rows, each key's day once.
fn sum_rows<const KEY: usize>(mut rows: Vec<Row<KEY>>) -> Vec<Row<KEY>> {
    rows.sort_unstable_by_key(place);
    rows.dedup_by(|later, kept| {
        let same = place(later) == place(kept);
        if same {
            kept.1 = kept.1.with(&later.1);
        }
        same
    });
    rows
}

/// Two sorted lists as one.
fn merged<const KEY: usize>(one: Vec<Row<KEY>>, other: Vec<Row<KEY>>) -> Vec<Row<KEY>> {
    let mut rows = Vec::with_capacity(one.len().max(other.len()));
    let (mut one, mut other) = (one.into_iter().peekable(), other.into_iter().peekable());
    loop {
        let row = match (one.peek(), other.peek()) {
            (Some(left), Some(right)) => match place(left).cmp(&place(right)) {
                std::cmp::Ordering::Less => one.next(),
                std::cmp::Ordering::Greater => other.next(),
                std::cmp::Ordering::Equal => {
                    one.next().zip(other.next()).map(|((key, left), (_, right))| (key, left.with(&right)))
                }
            },
            (Some(_), None) => one.next(),
            (None, _) => other.next(),
        };
        match row {
            Some(row) => rows.push(row),
            None => return rows,
        }
    }
}

fn rows_of<'r, const KEY: usize>(
    rows: &'r [Row<KEY>],
    key: &[u8; KEY],
    days: &Range<u32>,
) -> impl Iterator<Item = Day> + use<'r, KEY> {
    let at = |day: u32| rows.partition_point(|row| place(row) < (*key, day));
    rows.get(at(days.start)..at(days.end)).unwrap_or_default().iter().map(|(_, day)| *day)
}

/// Where a row stands in its run.
fn place_of<const KEY: usize>(key: &[u8; KEY], day: u32) -> Vec<u8> {
    [&key[..], &day.to_be_bytes()].concat()
}

fn encode<const KEY: usize>(rows: &[Row<KEY>]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * Days::<KEY>::ROW_BYTES);
    for (key, day) in rows {
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&day.day.to_be_bytes());
        for number in [day.paid_microtokens, day.records, day.statements] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
    }
    bytes
}

fn decode<const KEY: usize>(bytes: &[u8]) -> impl Iterator<Item = Row<KEY>> {
    bytes.chunks_exact(Days::<KEY>::ROW_BYTES).filter_map(|row| {
        let (key, rest) = row.split_first_chunk::<KEY>()?;
        let (day, rest) = rest.split_first_chunk::<4>()?;
        let day = Day {
            day: u32::from_be_bytes(*day),
            paid_microtokens: u64_at(rest, 0)?,
            records: u64_at(rest, 8)?,
            statements: u64_at(rest, 16)?,
        };
        Some((*key, day))
    })
}

/// A key's days in a sorted chunk.
fn days_in<const KEY: usize>(bytes: &[u8], key: &[u8; KEY], days: &Range<u32>) -> Vec<Day> {
    let rows: Vec<Row<KEY>> = decode(bytes).collect();
    rows_of(&rows, key, days).collect()
}

#[cfg(test)]
mod tests;
