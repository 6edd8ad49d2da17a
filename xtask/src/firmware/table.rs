//! A committed table of measured numbers, and what has changed since it was written.

use crate::process::{self, Failure};
use std::fmt::Write;
use std::path::PathBuf;

/// By how much a number may differ from the committed one.
const TOLERANCE_PERCENT: u64 = 2;

/// What a table holds, and where.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The document that holds it, from the root of the checkout on.
    pub document: &'static str,
    /// What its lines are about, and what each column counts.
    pub columns: &'static [&'static str],
    /// What writes it anew.
    pub command: &'static str,
}

/// One line: what it is about, and its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The first column.
    pub name: String,
    /// The other columns.
    pub numbers: Vec<u64>,
}

impl Table {
    /// Prints the rows and holds them against the committed ones. `over` is what else is wrong with them.
    ///
    /// # Errors
    /// Every number that differs, or that the document cannot be read.
    pub fn check(&self, rows: &[Row], over: Vec<String>) -> Result<(), Failure> {
        print!("{}", self.text(rows));
        let path = self.path();
        let committed = std::fs::read_to_string(&path)
            .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
        let mut wrong = self.differences(&self.parse(&committed), rows);
        if !wrong.is_empty() {
            wrong.push(format!("if so it shall be: {}", self.command));
        }
        wrong.extend(over);
        if wrong.is_empty() { Ok(()) } else { Err(Failure::new(wrong.join("; "))) }
    }

    /// Prints the rows and writes them into the document, in place of those that stand there.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn write(&self, rows: &[Row]) -> Result<(), Failure> {
        print!("{}", self.text(rows));
        let path = self.path();
        let cannot = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(cannot)?;
        let (before, after) = self
            .around(&text)
            .ok_or_else(|| Failure::new(format!("{} has no table to replace", path.display())))?;
        std::fs::write(&path, format!("{before}{}{after}", self.text(rows))).map_err(cannot)
    }

    fn path(&self) -> PathBuf {
        process::root().join(self.document)
    }

    fn head(&self) -> String {
        let columns = self.columns.join(" | ");
        format!("| {columns} |\n|{}\n", "---|".repeat(self.columns.len()))
    }

    fn text(&self, rows: &[Row]) -> String {
        let mut text = self.head();
        for row in rows {
            let numbers: Vec<_> = row.numbers.iter().map(u64::to_string).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {} | {} |", row.name, numbers.join(" | "));
        }
        text
    }

    /// What stands before the table and after it.
    fn around<'a>(&self, text: &'a str) -> Option<(&'a str, &'a str)> {
        let (before, rest) = text.split_once(&self.head())?;
        let lines = rest.split_inclusive('\n').take_while(|line| line.starts_with('|'));
        Some((before, &rest[lines.map(str::len).sum()..]))
    }

    fn parse(&self, text: &str) -> Vec<Row> {
        let Some((before, after)) = self.around(text) else { return Vec::new() };
        let rows = text[before.len()..text.len() - after.len()].lines().skip(2);
        let row = |line: &str| {
            let mut cells = line.trim_matches('|').split('|').map(str::trim);
            let name = cells.next()?.to_owned();
            Some(Row { name, numbers: cells.map(|cell| cell.parse().ok()).collect::<Option<_>>()? })
        };
        rows.filter_map(row).collect()
    }

    fn differences(&self, committed: &[Row], measured: &[Row]) -> Vec<String> {
        let mut wrong = Vec::new();
        for row in measured {
            let Some(expected) = committed.iter().find(|expected| expected.name == row.name) else {
                wrong.push(format!("the table has no {}", row.name));
                continue;
            };
            let columns = self.columns.iter().skip(1);
            for ((column, is), was) in columns.zip(&row.numbers).zip(&expected.numbers) {
                if is.abs_diff(*was) * 100 > was * TOLERANCE_PERCENT {
                    wrong.push(format!("{}: {column} is {is}, the table says {was}", row.name));
                }
            }
        }
        let gone = committed.iter().filter(|row| measured.iter().all(|measured| measured.name != row.name));
        wrong.extend(gone.map(|row| format!("there is no {} any more", row.name)));
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table { document: "none", columns: &["board", "flash", "RAM"], command: "nothing" };

    fn rows(flash: u64) -> Vec<Row> {
        let row = |name: &str, numbers: &[u64]| Row { name: name.to_owned(), numbers: numbers.to_vec() };
        vec![row("one", &[flash, 10_000]), row("two", &[50_000, 1_000])]
    }

    #[test]
    fn a_table_is_read_as_it_was_written_and_what_is_around_it_stays() {
        let text = format!("# Sizes\n\n{}\nMore | text.\n\n| other | 1 | 2 |\n", TABLE.text(&rows(100_000)));
        assert_eq!(TABLE.parse(&text), rows(100_000));
        assert_eq!(TABLE.around(&text), Some(("# Sizes\n\n", "\nMore | text.\n\n| other | 1 | 2 |\n")));
    }

    #[test]
    fn two_percent_more_or_less_are_the_same() {
        for flash in [98_000, 102_000] {
            assert!(TABLE.differences(&rows(100_000), &rows(flash)).is_empty(), "{flash}");
        }
        for flash in [97_999, 102_001] {
            let wrong = TABLE.differences(&rows(100_000), &rows(flash));
            assert_eq!(wrong, [format!("one: flash is {flash}, the table says 100000")]);
        }
    }

    #[test]
    fn a_line_more_or_less_is_named() {
        assert_eq!(TABLE.differences(&rows(1)[..1], &rows(1)), ["the table has no two"]);
        assert_eq!(TABLE.differences(&rows(1), &rows(1)[1..]), ["there is no one any more"]);
    }
}
