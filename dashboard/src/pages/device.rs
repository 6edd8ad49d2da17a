//! A device's page: how it does, what it measured, what was accepted and refused, what it earned and why.

use askama::Template;

use super::Shell;
use super::parts::{RefusedTable, Status};
use super::sheet::Sheet;
use crate::assets;
use crate::chart::Chart;
use crate::limits::{API_READINGS_MAX, READINGS_MAX};
use crate::marks::{Age, Integer, Link, Until};
use crate::readings::Table;
use crate::view::{Device, DevicePage as Answer, Position};
use crate::{health, moments, names, numbers, reasons, remedies};

/// The page of one device.
#[derive(Debug, Template)]
#[template(path = "device.html")]
pub struct DevicePage {
    shell: Shell,
    device: Device,
    public_key: String,
    table: Table,
    health: Vec<health::Line>,
    charts: Vec<Chart>,
    readings_shown: u64,
    refused: RefusedTable,
    running: Vec<Sheet>,
    statements: Vec<Sheet>,
}

super::is_a_page!(DevicePage);

/// What draws charts that can be asked.
struct ChartLibrary {
    style: &'static str,
    script: &'static str,
    own: &'static str,
}

/// A span of readings, as the API is asked for it.
struct Period {
    name: &'static str,
    query: String,
    /// 0 for the readings that the page itself shows.
    seconds: u64,
}

/// Names of spans and their seconds.
const PERIODS: [(&str, u64); 4] =
    [("last hour", 3_600), ("last 6 hours", 6 * 3_600), ("last day", 86_400), ("last 7 days", 7 * 86_400)];

/// A position as people write it; of the middle of a cell the last digits would say nothing.
fn position(of: Position, exact: bool) -> String {
    let said = |microdegrees: i32, positive: &str, negative: &str| {
        let side = if microdegrees < 0 { negative } else { positive };
        let size = microdegrees.unsigned_abs();
        if exact {
            return format!("{}.{:06}° {side}", size / 1_000_000, size % 1_000_000);
        }
        let thousandths = (size + 500) / 1_000;
        format!("{}.{:03}° {side}", thousandths / 1_000, thousandths % 1_000)
    };
    format!("{}, {}", said(of.latitude_microdegrees, "N", "S"), said(of.longitude_microdegrees, "E", "W"))
}

impl DevicePage {
    /// The page of what the view answered.
    pub fn new(answer: Answer) -> Self {
        let table = Table::of(&answer.readings);
        let health = health::lines(&answer.readings);
        let charts = table.charts(answer.network.now_milliseconds);
        let refused = RefusedTable {
            refused: answer.device.refused,
            accepted_envelopes: Some(answer.device.accepted.envelopes),
        };
        let path = format!("/devices/{}", answer.device.kid);
        Self {
            shell: Shell::new(format!("Device {}", answer.device.kid), path, answer.network, true),
            device: answer.device,
            public_key: answer.public_key,
            readings_shown: answer.readings.len() as u64,
            table,
            health,
            charts,
            refused,
            running: answer.running.into_iter().map(|statement| Sheet { statement }).collect(),
            statements: answer.statements.into_iter().map(|statement| Sheet { statement }).collect(),
        }
    }

    /// `None` where this build has none, or the page no chart.
    fn chart_library(&self) -> Option<ChartLibrary> {
        Some(ChartLibrary {
            style: assets::UPLOT_STYLE.path()?,
            script: assets::UPLOT.path()?,
            own: assets::CHARTS_SCRIPT.path().filter(|_| !self.charts.is_empty())?,
        })
    }

    fn periods(&self) -> Vec<Period> {
        let now = self.shell.network.now_milliseconds;
        let since = |(name, seconds): (&'static str, u64)| Period {
            name,
            query: format!(
                "from={}&limit={API_READINGS_MAX}",
                moments::rfc3339(now.saturating_sub(seconds * 1_000))
            ),
            seconds,
        };
        let shown = Period { name: "newest", query: format!("limit={READINGS_MAX}"), seconds: 0 };
        std::iter::once(shown).chain(PERIODS.map(since)).collect()
    }

    fn place(&self, at: &Position) -> String {
        position(*at, self.device.position_exact)
    }

    /// Whether the reader owns it.
    fn is_own(&self) -> bool {
        let owner = self.device.owner.as_deref();
        owner.is_some() && owner == self.shell.viewer.account()
    }

    /// Its escrow account, once anything was posted to it: before, there is no such page.
    fn filled_escrow(&self) -> Option<&String> {
        self.device.escrow.as_ref().filter(|_| self.device.earned_total_microtokens > 0)
    }

    /// Whether it is offered to the reader.
    fn is_offered_here(&self) -> bool {
        let to = self.device.offered_to.as_deref();
        to.is_some() && to == self.shell.viewer.account()
    }

    fn status(&self) -> Status {
        Status(self.device.status)
    }

    fn age(&self, then_milliseconds: impl Integer) -> Age {
        let now_milliseconds = self.shell.network.now_milliseconds;
        Age { now_milliseconds, then_milliseconds: then_milliseconds.value() }
    }

    fn closes(&self) -> Until {
        let network = &self.shell.network;
        Until {
            now_milliseconds: network.now_milliseconds,
            then_milliseconds: network.epoch_ends_milliseconds,
        }
    }

    /// Host and port of the broker, as `mosquitto_sub` takes them.
    fn broker(&self) -> (String, String) {
        let url = &self.shell.network.mqtt_url;
        let address = url.strip_prefix("mqtt://").unwrap_or(url).trim_end_matches('/');
        match address.rsplit_once(':') {
            Some((host, port)) => (host.to_owned(), port.to_owned()),
            None => (address.to_owned(), "1883".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_said_with_the_digits_that_mean_something() {
        let at = |latitude_microdegrees, longitude_microdegrees, exact| {
            position(Position { latitude_microdegrees, longitude_microdegrees }, exact)
        };
        assert_eq!(at(52_516_274, 13_377_704, true), "52.516274° N, 13.377704° E");
        assert_eq!(at(-33_856_784, -151_215_297, false), "33.857° S, 151.215° W");
        assert_eq!(at(i32::MIN, -42, true), "2147.483648° S, 0.000042° W");
    }
}
