//! Sums by UTC day of what statements say: the bars on a page, the table beside them, the CSV and the API show these same
//! numbers. Pure; the index keeps them.

use ledger::statement::Statement;

/// Milliseconds of a day.
const DAY_MILLISECONDS: u64 = 86_400_000;

/// What the statements of one UTC day come to. The day of a statement is that of its epoch's end.
///
/// ```
/// use gateway::figures::{Day, day_of};
/// let noon = 1_795_348_800_000;
/// assert_eq!(day_of(noon), 20_779);
/// let first = Day { day: day_of(noon), paid_microtokens: 5, records: 2, statements: 1 };
/// let second = Day { paid_microtokens: 7, ..first };
/// assert_eq!(first.with(&second).paid_microtokens, 12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Day {
    /// Days since 1 January 1970.
    pub day: u32,
    /// Paid by the day's statements, micro-tokens.
    pub paid_microtokens: u64,
    /// Records that were accepted, whether they were paid or not.
    pub records: u64,
    /// Statements.
    pub statements: u64,
}

/// The UTC day in which a moment (Unix milliseconds) lies.
pub fn day_of(unix_milliseconds: u64) -> u32 {
    u32::try_from(unix_milliseconds / DAY_MILLISECONDS).unwrap_or(u32::MAX)
}

/// When a day begins, Unix milliseconds.
pub fn begin_of(day: u32) -> u64 {
    u64::from(day).saturating_mul(DAY_MILLISECONDS)
}

impl Day {
    /// What one statement adds to its day.
    pub fn of(statement: &Statement) -> Day {
        let records = statement.lines.iter().map(|line| u64::from(line.accepted_records));
        Day {
            day: day_of(statement.to_unix_milliseconds),
            paid_microtokens: statement.paid_microtokens,
            records: records.fold(0, u64::saturating_add),
            statements: 1,
        }
    }

    /// Both together; the day is this one's.
    #[must_use]
    pub fn with(&self, other: &Day) -> Day {
        Day {
            day: self.day,
            paid_microtokens: self.paid_microtokens.saturating_add(other.paid_microtokens),
            records: self.records.saturating_add(other.records),
            statements: self.statements.saturating_add(other.statements),
        }
    }
}

/// Days in any order as ascending days with one sum each.
pub fn summed(mut days: Vec<Day>) -> Vec<Day> {
    days.sort_by_key(|day| day.day);
    let mut sums: Vec<Day> = Vec::with_capacity(days.len());
    for day in days {
        match sums.last_mut() {
            Some(last) if last.day == day.day => *last = last.with(&day),
            _ => sums.push(day),
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_utc_and_ends_before_the_next() {
        assert_eq!(day_of(begin_of(20_779)), 20_779);
        assert_eq!(day_of(begin_of(20_780) - 1), 20_779);
        assert_eq!(day_of(u64::MAX), u32::MAX);
    }

    #[test]
    fn days_are_summed_in_order_and_never_wrap() {
        let day = |day, paid_microtokens| Day { day, paid_microtokens, records: 1, statements: 1 };
        let sums = summed(vec![day(3, 1), day(1, u64::MAX), day(3, 4), day(1, 1)]);
        assert_eq!(
            sums.iter().map(|day| (day.day, day.paid_microtokens)).collect::<Vec<_>>(),
            [(1, u64::MAX), (3, 5)]
        );
        assert_eq!(sums.iter().map(|day| day.statements).collect::<Vec<_>>(), [2, 2]);
    }
}
