//! What a device says of itself, in words: its firmware's health records, which measure nothing that a city buys.
//!
//! Their names are the firmware's (`firmware/node/src/condition.rs`); whatever else a record is called is a quantity.

use crate::numbers;
use crate::view::{Exact, Measurement, Reading};

/// One thing that a device says of itself, as it said it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub what: String,
    /// What it says.
    pub says: String,
    /// Whether its owner should look after it.
    pub is_bad: bool,
    /// When it was said.
    pub time_milliseconds: u64,
    /// The envelope that says it.
    pub transaction: String,
}

/// Whether a record of that name is the device's word about itself.
pub fn is_health(name: &str) -> bool {
    words(name, Exact { mantissa: 0, exponent: 0 }).is_some()
}

/// The newest of each, of readings that come newest first.
pub fn lines(readings: &[Reading]) -> Vec<Line> {
    let mut said: Vec<(String, Line)> = Vec::new();
    for reading in readings {
        // The last record of a pack is its newest.
        for record in reading.records.iter().rev() {
            let Some((what, says, is_bad)) = words(&record.name, record.value) else { continue };
            // A fault that is gone and a reset before the last are history.
            if said.iter().any(|(subject, line)| subject == subject_of(&record.name) && line.what == what) {
                continue;
            }
            let time_milliseconds = record.time_milliseconds.unwrap_or(reading.accepted_milliseconds);
            let transaction = reading.transaction.clone();
            let line = Line { what, says, is_bad, time_milliseconds, transaction };
            said.push((subject_of(&record.name).to_owned(), line));
        }
    }
    said.into_iter().map(|(_, line)| line).collect()
}

/// Of a name such as `reset:watchdog` only the newest counts, of `fault:SENSOR:FAULT` the newest of each.
fn subject_of(name: &str) -> &str {
    match name.split_once(':') {
        Some((subject, _)) if subject != "fault" => subject,
        _ => name,
    }
}

/// Of what, what, and whether it is bad; `None` for a measurement.
fn words(name: &str, value: Exact) -> Option<(String, String, bool)> {
    let is_true = value.mantissa != 0;
    let said = |what: &str, says: String, is_bad: bool| Some((what.to_owned(), says, is_bad));
    let counted = |what, one, many| {
        let count = u64::try_from(value.mantissa).unwrap_or(0);
        said(what, numbers::counted(count, one, many), false)
    };
    if let Some((subject, rest)) = name.split_once(':') {
        let spaced = || rest.replace('_', " ");
        return match subject {
            "firmware" => said("Firmware", rest.to_owned(), false),
            "reset" => said("Last start", reset(rest), matches!(rest, "watchdog" | "panic")),
            "panic" => said("Last panic", format!("at {rest}"), true),
            "fault" => {
                let (sensor, fault) = rest.split_once(':').unwrap_or((rest, "fault"));
                let what = format!("Sensor {sensor}, {}", fault.replace('_', " "));
                Some((what, if is_true { "since then" } else { "over" }.to_owned(), is_true))
            }
            "config" => said("Configuration", format!("number {rest} is in force"), false),
            "refused_command" => said("Refused a command", spaced(), true),
            _ => None,
        };
    }
    match name {
        "uptime" => said("Running for", uptime(value.mantissa), false),
        "stack_free" => counted("Stack never used", "byte", "bytes"),
        "queue" => counted("Waiting to be settled", "envelope", "envelopes"),
        "link_errors" => counted("Failed connections since its start", "failure", "failures"),
        "sensor_faults" => counted("Failed samples since its start", "sample", "samples"),
        "lost" => {
            let (what, says, _) = counted("Samples lost since its start", "sample", "samples")?;
            Some((what, says, is_true))
        }
        "clock_step" => said("Clock set right by", format!("{} s", numbers::exact(value)), true),
        _ => None,
    }
}

fn reset(reason: &str) -> String {
    match reason {
        "power_on" => "after power came".to_owned(),
        "button" => "after its reset button was pressed".to_owned(),
        "watchdog" => "by its watchdog: it hung".to_owned(),
        "software" => "by its own firmware".to_owned(),
        "panic" => "after its firmware panicked".to_owned(),
        other => other.replace('_', " "),
    }
}

fn uptime(seconds: i128) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    match seconds {
        0..3_600 => numbers::counted(seconds / 60, "minute", "minutes"),
        3_600..172_800 => numbers::counted(seconds / 3_600, "hour", "hours"),
        _ => numbers::counted(seconds / 86_400, "day", "days"),
    }
}

/// The records of a reading that measure something.
pub fn measured(reading: &Reading) -> impl Iterator<Item = &Measurement> {
    reading.records.iter().filter(|record| !is_health(&record.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(transaction: &str, records: &[(&str, i128)]) -> Reading {
        let records = records.iter().map(|(name, mantissa)| Measurement {
            name: (*name).to_owned(),
            unit: String::new(),
            value: Exact { mantissa: *mantissa, exponent: 0 },
            time_milliseconds: Some(9_000),
        });
        Reading { transaction: transaction.to_owned(), records: records.collect(), ..Reading::default() }
    }

    #[test]
    fn the_newest_word_on_each_subject_stands() {
        let newest = reading("b", &[("uptime", 7_200), ("fault:tmp105:no_answer", 0), ("temp", 21)]);
        let older = reading(
            "a",
            &[("firmware:1.4.0", 1), ("reset:watchdog", 1), ("fault:tmp105:no_answer", 1), ("uptime", 3_600)],
        );
        let oldest = reading("0", &[("firmware:1.3.0", 1), ("reset:power_on", 1)]);
        let said: Vec<_> = lines(&[newest, older, oldest])
            .into_iter()
            .map(|line| (line.what, line.says, line.is_bad, line.transaction))
            .collect();
        let expected = [
            ("Sensor tmp105, no answer", "over", false, "b"),
            ("Running for", "2 hours", false, "b"),
            ("Last start", "by its watchdog: it hung", true, "a"),
            ("Firmware", "1.4.0", false, "a"),
        ];
        assert_eq!(
            said,
            expected.map(|(what, says, is_bad, at)| (
                what.to_owned(),
                says.to_owned(),
                is_bad,
                at.to_owned()
            ))
        );
    }

    #[test]
    fn what_a_city_buys_is_no_health() {
        for name in ["temp", "hum", "pm2.5", "dev:temp", "queue_length", "resets", "urn:dev:uptime"] {
            assert!(!is_health(name), "{name}");
        }
        assert!(is_health("panic:main.rs:12") && is_health("refused_command:signature") && is_health("lost"));
    }
}
