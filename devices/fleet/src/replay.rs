//! sensor.community's CSV files of SDS011 sensors, read as exact decimals: P1 is PM10, P2 is PM2.5, both in ug/m3.
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use devices::Decimal;

use crate::limits::{REPLAY_FILE_BYTES_MAX, REPLAY_ROWS_MAX};

/// Why a file cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A column is missing in the first line.
    #[error("{path} is no sensor.community file of an SDS011: its first line has no column {column}")]
    Column {
        /// Which file.
        path: PathBuf,
        /// Which column.
        column: &'static str,
    },
    /// A line has fewer fields than the first.
    #[error("{path}, line {line}: fields are missing")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// The file is too long, or all files together have too many rows.
    #[error("{path} is more than can be replayed at once (256 MiB a file, 2,000,000 rows in all)")]
    TooMuch {
        /// Which file.
        path: PathBuf,
    },
}

/// What one row holds: names and values of what was measured; a value that is no number is left out.
pub type Row = [Option<(&'static str, Decimal)>; 2];

/// The rows of one recorded sensor, oldest first. When they were taken only orders them: they are replayed as of now.
#[derive(Clone, Debug, Default)]
pub struct Recording(VecDeque<Row>);

impl Recording {
    /// The next row, with absent values left out.
    pub fn next_row(&mut self) -> Option<impl Iterator<Item = (&'static str, Decimal)> + use<>> {
        self.0.pop_front().map(|row| row.into_iter().flatten())
    }

    /// Whether all rows are replayed.
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Rows that are left.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no rows are left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Rows by sensor and then by timestamp, whose text sorts as time does.
type Rows = BTreeMap<String, Vec<(String, Row)>>;

/// Reads the files and returns one recording for every sensor in them, in the order of the sensors' numbers as text.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Recording>, ReplayError> {
    let mut rows = Rows::new();
    let mut count = 0;
    for path in paths {
        let unreadable = |source| ReplayError::Read { path: path.clone(), source };
        if fs::metadata(path).map_err(unreadable)?.len() > REPLAY_FILE_BYTES_MAX {
            return Err(ReplayError::TooMuch { path: path.clone() });
        }
        count += read_text(path, &fs::read_to_string(path).map_err(unreadable)?, &mut rows)?;
        if count > REPLAY_ROWS_MAX {
            return Err(ReplayError::TooMuch { path: path.clone() });
        }
    }
    let recording = |mut rows: Vec<(String, Row)>| {
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        Recording(rows.into_iter().map(|(_, row)| row).collect())
    };
    Ok(rows.into_values().map(recording).filter(|recording| !recording.is_at_end()).collect())
}

fn read_text(path: &Path, text: &str, rows: &mut Rows) -> Result<usize, ReplayError> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or("").trim_start_matches('\u{feff}').split(';').collect();
    let place = |column: &'static str| {
        let missing = ReplayError::Column { path: path.to_owned(), column };
        header.iter().position(|name| *name == column).ok_or(missing)
    };
    let (sensor, timestamp) = (place("sensor_id")?, place("timestamp")?);
    let (coarse, fine) = (place("P1")?, place("P2")?);
    let mut count = 0;
    for (number, line) in lines.enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split(';').collect();
        let field = |place: usize| fields.get(place).copied();
        let (Some(sensor), Some(timestamp), Some(coarse), Some(fine)) =
            (field(sensor), field(timestamp), field(coarse), field(fine))
        else {
            return Err(ReplayError::Line { path: path.to_owned(), line: number + 2 });
        };
        // A fan failure's 999 or 1999 stays: it was measured, and judging it is not the device's office.
        let value = |name, text: &str| text.trim().parse().ok().map(|value| (name, value));
        let row = [value("pm10", coarse), value("pm2.5", fine)];
        if row.iter().any(Option::is_some) {
            rows.entry(sensor.to_owned()).or_default().push((timestamp.to_owned(), row));
            count += 1;
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "sensor_id;sensor_type;location;lat;lon;timestamp;P1;durP1;ratioP1;P2;durP2;ratioP2\n\
        7789;SDS011;1;57.1;-2.0;2019-05-01T00:02:30;4.70;;;1.27;;\n\
        7789;SDS011;1;57.1;-2.0;2019-05-01T00:00:05;15.80;;;nan;;\n\
        11;SDS011;1;57.1;-2.0;2019-05-01T00:00:05;999;;;1999.90;;\n";

    fn recordings(text: &str) -> Result<Vec<Recording>, ReplayError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("day.csv");
        fs::write(&path, text).unwrap();
        read(&[path])
    }

    #[test]
    fn rows_become_exact_decimals_in_the_order_of_time() {
        let mut recordings = recordings(TEXT).unwrap();
        assert_eq!(recordings.len(), 2);
        let texts = |recording: &mut Recording| -> Vec<String> {
            recording.next_row().unwrap().map(|(name, value)| format!("{name} {value}")).collect()
        };
        assert_eq!(texts(&mut recordings[0]), ["pm10 999", "pm2.5 1999.9"]);
        assert_eq!(texts(&mut recordings[1]), ["pm10 15.8"]);
        assert_eq!(texts(&mut recordings[1]), ["pm10 4.7", "pm2.5 1.27"]);
        assert!(recordings[1].is_at_end());
    }

    #[test]
    fn files_of_another_kind_are_named() {
        let error = recordings("a;b\n1;2\n").unwrap_err().to_string();
        assert!(error.contains("day.csv") && error.contains("sensor_id"), "{error}");
        let cut = TEXT.replace("15.80;;;nan;;", "15.80");
        assert!(recordings(&cut).unwrap_err().to_string().contains("line 3"));
    }
}
