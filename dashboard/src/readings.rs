//! A device's readings turned into one table: a row a moment, a column a quantity; the charts draw its numbers. What the
//! device says of itself stands elsewhere ([`crate::health`]).

use crate::assets::content_hash;
use crate::chart::{Chart, Point};
use crate::limits::{READING_ROWS_MAX, SERIES_MAX};
use crate::view::{Measurement, Reading, Sequence};
use crate::{health, names, numbers};

/// One quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// SenML name as it was sent.
    pub name: String,
    /// SenML unit as it was sent.
    pub unit: String,
    /// Unit as people write it.
    pub unit_shown: String,
}

/// What was measured at one moment within one envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The measurement's time, or the block's where the device gave none.
    pub time_milliseconds: u64,
    /// The envelope.
    pub transaction: String,
    /// The device's own number of it.
    pub sequence: Sequence,
    /// A value for each column, "" where there is none.
    pub cells: Vec<String>,
}

/// The table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The quantities, in the order in which the newest envelope names them.
    pub columns: Vec<Column>,
    /// Newest first.
    pub rows: Vec<Row>,
    /// Quantities beyond [`SERIES_MAX`], shown on the transactions' own pages alone.
    pub columns_hidden: usize,
    points: Vec<Vec<Point>>,
}

impl Table {
    /// Turns `readings` (newest first) into rows.
    pub fn of(readings: &[Reading]) -> Self {
        let mut table = Self::default();
        table.name_columns(readings);
        for reading in readings {
            table.add(reading);
        }
        table
    }

    fn name_columns(&mut self, readings: &[Reading]) {
        let mut hidden: Vec<(&str, &str)> = Vec::new();
        for record in readings.iter().flat_map(health::measured) {
            let key = (record.name.as_str(), record.unit.as_str());
            if self.column(record).is_some() || hidden.contains(&key) {
                continue;
            }
            if self.columns.len() == SERIES_MAX {
                hidden.push(key);
                continue;
            }
            self.columns.push(Column {
                name: record.name.clone(),
                unit: record.unit.clone(),
                unit_shown: names::unit(&record.unit),
            });
        }
        self.columns_hidden = hidden.len();
        self.points = vec![Vec::new(); self.columns.len()];
    }

    fn column(&self, record: &Measurement) -> Option<usize> {
        self.columns.iter().position(|column| column.name == record.name && column.unit == record.unit)
    }

    fn add(&mut self, reading: &Reading) {
        let time = |record: &Measurement| record.time_milliseconds.unwrap_or(reading.accepted_milliseconds);
        let mut records: Vec<&Measurement> = health::measured(reading).collect();
        records.sort_by_key(|record| std::cmp::Reverse(time(record)));
        for moment in records.chunk_by(|a, b| time(a) == time(b)) {
            if self.rows.len() == READING_ROWS_MAX {
                return;
            }
            let time_milliseconds = moment.first().map_or(0, |record| time(record));
            let mut cells = vec![String::new(); self.columns.len()];
            for record in moment {
                let Some(place) = self.column(record) else { continue };
                let (Some(cell), Some(points)) = (cells.get_mut(place), self.points.get_mut(place)) else {
                    continue;
                };
                if !cell.is_empty() {
                    cell.push_str(", ");
                }
                cell.push_str(&numbers::exact(record.value));
                points.push(Point { time_milliseconds, value: record.value });
            }
            self.rows.push(Row {
                time_milliseconds,
                transaction: reading.transaction.clone(),
                sequence: reading.sequence,
                cells,
            });
        }
    }

    /// A chart for each column, of exactly the numbers in the rows.
    pub fn charts(&self, now_milliseconds: u64) -> Vec<Chart> {
        let drawn = self.columns.iter().zip(&self.points);
        drawn
            .filter_map(|(column, points)| {
                // By what it shows, so that it stays itself when quantities come in another order.
                let id = format!(
                    "chart-{:016x}",
                    content_hash(&[column.name.as_bytes(), b"\0", column.unit.as_bytes()].concat())
                );
                Chart::draw(&id, &column.name, &column.unit, points, now_milliseconds)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Exact;

    fn record(name: &str, mantissa: i128, time_milliseconds: Option<u64>) -> Measurement {
        Measurement {
            name: name.to_owned(),
            unit: "Cel".to_owned(),
            value: Exact { mantissa, exponent: -1 },
            time_milliseconds,
        }
    }

    #[test]
    fn records_of_one_moment_share_a_row() {
        let records = vec![
            record("temp", 125, Some(9_000)),
            record("hum", 480, Some(9_000)),
            record("temp", 124, None),
        ];
        let reading = Reading { accepted_milliseconds: 8_000, records, ..Reading::default() };
        let table = Table::of(&[reading]);
        assert_eq!(table.rows.len(), 2);
        assert_eq!(table.rows.first().map(|row| row.cells.clone()), Some(vec!["12.5".into(), "48.0".into()]));
        assert_eq!(table.rows.last().map(|row| row.time_milliseconds), Some(8_000));
    }

    #[test]
    fn a_flood_of_names_is_bounded_and_said() {
        let records = (0..64).map(|place| record(&format!("q{place}"), 1, Some(place))).collect();
        let table = Table::of(&[Reading { records, ..Reading::default() }]);
        assert_eq!(table.columns.len(), SERIES_MAX);
        assert_eq!(table.columns_hidden, 64 - SERIES_MAX);
        assert!(table.rows.len() <= READING_ROWS_MAX);
    }
}
