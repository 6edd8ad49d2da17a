//! A chart of exact decimals over time, as SVG drawn here: scales, ticks and paths in integers.
//!
//! The horizontal coordinate is a hundredth of a percent of the plot's width, so that text keeps its size on a
//! phone while the line stretches; the vertical one is a hundredth of a pixel.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::marks::Age;
use crate::view::Exact;
use crate::{moments, names, numbers};

/// Width of the plot in its own coordinates: hundredths of a percent.
pub const WIDTH: u64 = 10_000;
/// Where the line begins: left of it stand the labels of the vertical axis.
pub const LEFT: u64 = 900;
/// Height of the plot in hundredths of a pixel.
pub const HEIGHT: i128 = 12_000;
/// Space above the plot, in whole pixels: room for the highest tick's label.
pub const TOP: i128 = 18;
/// Values beyond this (after aligning decimals) are not drawn: the arithmetic below must not overflow.
const MANTISSA_MAX: i128 = 1_000_000_000_000_000_000_000_000_000_000;
/// A hole this many times longer than the usual interval breaks the line: nothing was measured there.
const HOLE: u64 = 5;

/// One measured value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// When, in Unix milliseconds.
    pub time_milliseconds: u64,
    /// What.
    pub value: Exact,
}

/// A tick of the vertical axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueTick {
    /// Distance from the picture's top in pixels: `17.50`.
    pub y: String,
    /// Where its label stands, a little above.
    pub label_y: String,
    /// The value.
    pub label: String,
}

/// A tick of the time axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeTick {
    /// Distance from the left: `12.34%`.
    pub x: String,
    /// SVG's text-anchor, so that the outermost labels stay inside.
    pub anchor: &'static str,
    /// The time.
    pub label: String,
}

/// A picture of one quantity of one device.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "chart.html")]
pub struct Chart {
    /// Unique within the page.
    pub id: String,
    /// The quantity, made harmless.
    pub name: String,
    /// Its unit as people write it.
    pub unit: String,
    /// The quantity as it was sent, by which a script finds its values.
    pub sent_name: String,
    /// Its unit as it was sent.
    pub sent_unit: String,
    /// What the picture shows, in words.
    pub description: String,
    /// The newest value.
    pub newest: String,
    /// The newest value's time.
    pub newest_milliseconds: u64,
    /// The lowest value.
    pub lowest: String,
    /// The highest value.
    pub highest: String,
    /// The line; a lone value is a dot.
    pub line: String,
    /// The faint area under the line.
    pub area: String,
    /// Where the newest value's dot is: `99.10%`.
    pub dot_x: String,
    /// Its height in pixels.
    pub dot_y: String,
    /// The vertical axis.
    pub value_ticks: Vec<ValueTick>,
    /// The time axis.
    pub time_ticks: Vec<TimeTick>,
    /// The page's now, for ages.
    pub now_milliseconds: u64,
}

impl HtmlSafe for Chart {}

/// A span of values, aligned to the same number of decimals.
pub struct Scale {
    low: i128,
    high: i128,
    step: i128,
}

impl Scale {
    /// The least nice span (steps of 1, 2 or 5) around all values; a constant lies in the middle of its span.
    pub fn around(lowest: i128, highest: i128, places: u32) -> Self {
        if lowest == highest {
            let one = 10_i128.pow(places);
            return Self { low: lowest - one, high: highest + one, step: one };
        }
        let range = highest - lowest;
        let mut power = 1;
        while power * 10 <= range / 3 {
            power *= 10;
        }
        let step = [1, 2, 5, 10].map(|nice| nice * power).into_iter().find(|step| step * 3 >= range);
        let step = step.unwrap_or(power * 20);
        Self {
            low: lowest.div_euclid(step) * step,
            high: highest.div_euclid(step) * step + if highest.rem_euclid(step) == 0 { 0 } else { step },
            step,
        }
    }

    /// Hundredths of a pixel from the plot's top.
    pub fn y(&self, value: i128) -> i128 {
        (self.high - value) * HEIGHT / (self.high - self.low)
    }

    /// Its round values, lowest first.
    pub fn ticks(&self, places: u32) -> Vec<ValueTick> {
        let (mut unit, mut shown_places) = (1, places);
        while shown_places > 0 && self.step % (unit * 10) == 0 && self.low % (unit * 10) == 0 {
            unit *= 10;
            shown_places -= 1;
        }
        let mut ticks = Vec::new();
        let mut value = self.low;
        while value <= self.high {
            let y = self.y(value) + TOP * 100;
            ticks.push(ValueTick {
                y: hundredths(y),
                label_y: hundredths(y - 400),
                label: numbers::decimal(value / unit, shown_places),
            });
            value += self.step;
        }
        ticks
    }
}

/// `1234` as `12.34`; never negative here.
pub fn hundredths(value: i128) -> String {
    format!("{}.{:02}", value / 100, (value % 100).abs())
}

/// `1234` as `12.34%`.
pub fn percent(x: u64) -> String {
    format!("{}.{:02}%", x / 100, x % 100)
}

/// The time axis' steps in seconds, up to a day; longer ones are whole days.
const STEPS: [u64; 17] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200];

/// The span of the points in time.
struct Span {
    from: u64,
    to: u64,
}

impl Span {
    fn x(&self, time_milliseconds: u64) -> u64 {
        let length = u128::from(self.to - self.from);
        if length == 0 {
            return WIDTH / 2;
        }
        let passed = u128::from(time_milliseconds.saturating_sub(self.from)) * u128::from(WIDTH - LEFT);
        LEFT + u64::try_from(passed / length).unwrap_or(WIDTH).min(WIDTH - LEFT)
    }

    /// Two to five round times, or the one there is.
    fn ticks(&self) -> Vec<TimeTick> {
        let seconds = (self.to - self.from) / 1_000;
        let step = if seconds >= 2 * 86_400 {
            86_400 * (seconds / (4 * 86_400)).max(1)
        } else {
            STEPS.into_iter().rev().find(|step| seconds / step >= 2).unwrap_or(0)
        };
        if step == 0 {
            return vec![TimeTick {
                x: percent(WIDTH / 2),
                anchor: "middle",
                label: moments::clock(self.from),
            }];
        }
        let mut ticks = Vec::new();
        let mut at = self.from.div_ceil(step * 1_000) * step * 1_000;
        while at <= self.to {
            let x = self.x(at);
            let anchor = match x {
                0..600 => "start",
                9_200.. => "end",
                _ => "middle",
            };
            ticks.push(TimeTick { x: percent(x), anchor, label: moments::tick(at, step) });
            at += step * 1_000;
        }
        ticks
    }
}

/// The usual interval between neighbours: the median of all.
fn usual_interval(points: &[(u64, i128)]) -> u64 {
    let mut intervals: Vec<u64> = points
        .windows(2)
        .map(|pair| pair.last().map_or(0, |b| b.0) - pair.first().map_or(0, |a| a.0))
        .collect();
    intervals.sort_unstable();
    intervals.get(intervals.len() / 2).copied().unwrap_or(0)
}

/// The points cut where nothing was measured for long.
fn unbroken(points: &[(u64, i128)]) -> Vec<&[(u64, i128)]> {
    let longest = usual_interval(points).max(1).saturating_mul(HOLE);
    points.chunk_by(|earlier, later| later.0 - earlier.0 <= longest).collect()
}

/// Aligns all values to the same decimals and sorts them by time; what cannot be drawn exactly is left out.
fn aligned(points: &[Point]) -> (Vec<(u64, i128)>, u32) {
    let places = points.iter().map(|point| numbers::places(point.value.exponent)).max().unwrap_or(0).min(9);
    let mut drawn: Vec<(u64, i128)> = points
        .iter()
        .filter_map(|point| {
            let shift = places.checked_sub(numbers::places(point.value.exponent))?;
            let value = point.value.mantissa.checked_mul(10_i128.pow(shift))?;
            (value.unsigned_abs() <= MANTISSA_MAX.unsigned_abs()).then_some((point.time_milliseconds, value))
        })
        .collect();
    drawn.sort_by_key(|point| point.0);
    (drawn, places)
}

impl Chart {
    fn age(&self) -> Age {
        Age { now_milliseconds: self.now_milliseconds, then_milliseconds: self.newest_milliseconds }
    }

    /// Draws `points`; `None` where there is nothing to draw.
    pub fn draw(id: &str, name: &str, unit: &str, points: &[Point], now_milliseconds: u64) -> Option<Self> {
        let (points, places) = aligned(points);
        let (first, last) = (points.first()?, points.last()?);
        let lowest = points.iter().map(|point| point.1).min()?;
        let highest = points.iter().map(|point| point.1).max()?;
        let scale = Scale::around(lowest, highest, places);
        let span = Span { from: first.0, to: last.0 };
        let (line, area) = paths(&points, &scale, &span);
        let (sent_name, sent_unit) = (name.to_owned(), unit.to_owned());
        let (name, unit) = (names::shown(name, crate::limits::NAME_CHARACTERS_MAX), names::unit(unit));
        let text = |value: i128| {
            let number = numbers::decimal(value, places);
            if unit.is_empty() { number } else { format!("{number} {unit}") }
        };
        Some(Self {
            id: id.to_owned(),
            description: format!(
                "{} of {name} from {} to {}: lowest {}, highest {}, newest {}.",
                numbers::counted(points.len() as u64, "value", "values"),
                moments::long(first.0),
                moments::long(last.0),
                text(lowest),
                text(highest),
                text(last.1),
            ),
            newest: numbers::decimal(last.1, places),
            newest_milliseconds: last.0,
            lowest: text(lowest),
            highest: text(highest),
            name,
            unit,
            sent_name,
            sent_unit,
            line,
            area,
            dot_x: percent(span.x(last.0)),
            dot_y: hundredths(scale.y(last.1) + TOP * 100),
            value_ticks: scale.ticks(places),
            time_ticks: span.ticks(),
            now_milliseconds,
        })
    }
}

/// The line through the points, broken at holes, and the area under it.
fn paths(points: &[(u64, i128)], scale: &Scale, span: &Span) -> (String, String) {
    let (mut line, mut area) = (String::new(), String::new());
    for run in unbroken(points) {
        let mut along = String::new();
        for (place, point) in run.iter().enumerate() {
            let command = if place == 0 { 'M' } else { 'L' };
            along.push_str(&format!("{command}{} {}", span.x(point.0), scale.y(point.1)));
        }
        if let (Some(first), Some(last)) = (run.first(), run.last()) {
            if run.len() == 1 {
                // A line of no length has round ends, and so is a dot.
                along.push_str("h0");
            } else {
                area.push_str(&format!("{along}V{HEIGHT}H{}Z", span.x(first.0)));
            }
            debug_assert!(first.0 <= last.0, "points are sorted by time");
        }
        line.push_str(&along);
    }
    (line, area)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(time_seconds: u64, mantissa: i128, exponent: i8) -> Point {
        Point { time_milliseconds: time_seconds * 1_000, value: Exact { mantissa, exponent } }
    }

    fn draw(points: &[Point]) -> Option<Chart> {
        Chart::draw("c", "temp", "Cel", points, 0)
    }

    #[test]
    fn no_value_is_no_chart() {
        assert_eq!(draw(&[]), None);
    }

    #[test]
    fn a_single_value_is_a_dot_in_the_middle() {
        let chart = draw(&[point(60, 1253, -2)]).expect("drawn");
        assert_eq!(chart.line, "M5000 6000h0");
        assert_eq!(chart.area, "");
        assert_eq!(
            chart.value_ticks.iter().map(|tick| tick.label.as_str()).collect::<Vec<_>>(),
            ["11.53", "12.53", "13.53"]
        );
        assert_eq!(chart.time_ticks.len(), 1);
    }

    #[test]
    fn a_constant_runs_through_the_middle() {
        let chart = draw(&[point(0, 7, 0), point(10, 70, -1), point(20, 7, 0)]).expect("drawn");
        assert_eq!(chart.line, "M900 6000L5450 6000L10000 6000");
        assert_eq!(chart.lowest, "7.0 °C");
    }

    #[test]
    fn ticks_are_round_and_hold_every_value() {
        let chart = draw(&[point(0, -37, -1), point(600, 1253, -2), point(1_200, 4, 0)]).expect("drawn");
        let labels: Vec<_> = chart.value_ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(labels, ["\u{2212}10", "0", "10", "20"]);
        let times: Vec<_> = chart.time_ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(times, ["00:00", "00:10", "00:20"]);
    }

    #[test]
    fn a_hole_breaks_the_line() {
        let times = [0, 10, 20, 30, 500, 510];
        let points: Vec<_> = times.iter().map(|time| point(*time, i128::from(*time), 0)).collect();
        let chart = draw(&points).expect("drawn");
        assert_eq!(chart.line.matches('M').count(), 2);
    }

    #[test]
    fn the_largest_decimals_are_drawn_and_larger_ones_left_out() {
        let huge = i128::from(u64::MAX);
        let chart = draw(&[point(0, huge, 0), point(1, -huge, -9), point(2, i128::MAX, 0)]).expect("drawn");
        assert!(chart.description.starts_with("2 values"), "{}", chart.description);
        assert!(chart.value_ticks.len() <= 6);
    }

    #[test]
    fn every_range_has_few_ticks_and_all_points_inside() {
        for range in 1..3_000_i128 {
            let chart = draw(&[point(0, 13, -2), point(9, 13 + range, -2)]).expect("drawn");
            assert!((2..=6).contains(&chart.value_ticks.len()), "{range}: {}", chart.value_ticks.len());
            let y: i128 = chart.line.rsplit(' ').next().and_then(|y| y.parse().ok()).expect("a number");
            assert!((0..=HEIGHT).contains(&y), "{range}: {y}");
        }
    }
}
