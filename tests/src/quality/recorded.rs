//! Real series: sensor.community's recordings of dust sensors in Aberdeenshire, which lie beside the project and are no
//! part of it (data under ODbL/DbCL, attribution: sensor.community).

use super::series::{DAY_SECONDS, Day, Reading, Sensor};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The archive, from the project's root.
const ARCHIVE: &str = "../shared/data/abdn_2019-05.tar.xz";
/// The month that the archive holds days of.
const MONTH: &str = "2019-05-";
/// How many of its days there are.
pub const DAYS: usize = 14;
/// The first of these days, in Unix seconds.
pub const FIRST_DAY_UNIX_SECONDS: u64 = 1_556_668_800;

/// Every sensor of the archive in the order of their numbers, or none where it is absent.
///
/// # Panics
/// When the archive is there but cannot be unpacked or read.
#[must_use]
pub fn sensors() -> Option<Vec<Sensor>> {
    let archive = xtask::process::root().join(ARCHIVE);
    archive.is_file().then(|| sensors_of(&archive))
}

/// The same of an archive that lies elsewhere.
///
/// # Panics
/// When it cannot be unpacked or read.
#[must_use]
pub fn sensors_of(archive: &Path) -> Vec<Sensor> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let unpacked = Command::new("tar").arg("-xJf").arg(archive).arg("-C").arg(directory.path()).status();
    assert!(unpacked.is_ok_and(|status| status.success()), "tar unpacks {}", archive.display());
    let mut sensors = BTreeMap::new();
    for path in files(directory.path()) {
        read(&fs::read_to_string(&path).expect("a file of the archive is text"), &mut sensors);
    }
    sensors.into_values().collect()
}

/// Every CSV file under `directory`, in the order of their paths.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("what was unpacked can be listed");
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort();
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths
        .into_iter()
        .flat_map(below)
        .filter(|path| path.extension().is_some_and(|kind| kind == "csv"))
        .collect()
}

/// Takes up the rows of one file; a sensor stays where its first row says.
fn read(text: &str, sensors: &mut BTreeMap<u32, Sensor>) {
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(';').collect();
        let [number, _, _, latitude, longitude, timestamp, coarse, _, _, fine, ..] = fields[..] else {
            continue;
        };
        let (Ok(number), Some((day, second))) = (number.parse(), moment(timestamp)) else { continue };
        let position = [latitude, longitude].map(|text| decimal(text, 6).unwrap_or(0));
        let position = position.map(|millionths| i32::try_from(millionths).unwrap_or(0));
        let sensor = sensors.entry(number).or_insert_with(|| Sensor {
            number,
            position,
            days: vec![Day::new(); DAYS],
        });
        let hundredths = [coarse, fine].map(|text| decimal(text, 2));
        sensor.days[day].push(Reading { second, hundredths });
    }
    for day in sensors.values_mut().flat_map(|sensor| &mut sensor.days) {
        day.sort_by_key(|reading| reading.second);
    }
}

/// The day of the month, from 0, and the second of the day.
fn moment(timestamp: &str) -> Option<(usize, u32)> {
    let (day, clock) = timestamp.strip_prefix(MONTH)?.split_once('T')?;
    let mut parts = clock.split(['.', ':']).map(|part| part.parse::<u32>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let day = day.parse::<usize>().ok()?.checked_sub(1).filter(|day| *day < DAYS)?;
    let second = hour * 3_600 + minute * 60 + second;
    (second < DAY_SECONDS).then_some((day, second))
}

/// A decimal's value in units of 10^-digits, cut off behind them.
fn decimal(text: &str, digits: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() {
        return None;
    }
    let fraction: String = fraction.chars().chain("0".repeat(digits).chars()).take(digits).collect();
    format!("{whole}{fraction}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_readings_of_their_day_in_the_order_of_time() {
        let text = "sensor_id;sensor_type;location;lat;lon;timestamp;P1;durP1;ratioP1;P2;durP2;ratioP2\n\
            7;SDS011;1;57.1;-2.25;2019-05-02T00:02:30;4.70;;;1.27;;\n\
            7;SDS011;1;57.2;-2.0;2019-05-02T00:00:05;15.8;;;;;\n";
        let mut sensors = BTreeMap::new();
        read(text, &mut sensors);
        let sensor = &sensors[&7];
        assert_eq!(sensor.position, [57_100_000, -2_250_000]);
        assert!(sensor.days[0].is_empty());
        let expected = [(5, [Some(1_580), None]), (150, [Some(470), Some(127)])];
        assert_eq!(sensor.days[1], expected.map(|(second, hundredths)| Reading { second, hundredths }));
    }
}
