//! Amounts by day as bars, as SVG drawn here in integers. The page that shows them has the same numbers as a table.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::chart::{HEIGHT, LEFT, Scale, TOP, TimeTick, ValueTick, WIDTH, hundredths, percent};
use crate::view::EarnedDay;
use crate::{moments, numbers};

/// Milliseconds of a UTC day.
pub const DAY_MILLISECONDS: u64 = 86_400_000;
/// Decimals of a token.
const PLACES: u32 = 6;
/// The least height of a bar that stands for something, in hundredths of a pixel: it must be seen.
const LEAST: i128 = 150;
/// Days between labels, counted back from today.
const LABEL_DAYS: usize = 7;

/// One day's bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// Its left edge: `12.34%`.
    pub x: String,
    /// Its width: `2.40%`.
    pub width: String,
    /// Its upper edge, in pixels.
    pub y: String,
    /// Its height in pixels.
    pub height: String,
    /// The day and the amount.
    pub words: String,
    /// Whether its day goes on.
    pub is_today: bool,
}

/// A picture of what each day was paid.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "bars.html")]
pub struct Bars {
    description: String,
    bars: Vec<Bar>,
    value_ticks: Vec<ValueTick>,
    day_ticks: Vec<TimeTick>,
}

impl HtmlSafe for Bars {}

/// `22 Nov`.
pub fn day_name(day: u32) -> String {
    moments::tick(u64::from(day) * DAY_MILLISECONDS, DAY_MILLISECONDS / 1_000)
}

impl Bars {
    /// Draws days in their order, the last one today; `None` where none of them was paid anything.
    pub fn draw(days: &[EarnedDay]) -> Option<Self> {
        let (first, last) = (days.first()?, days.last()?);
        let best =
            days.iter().max_by_key(|day| day.paid_microtokens).filter(|day| day.paid_microtokens > 0)?;
        let scale = Scale::around(0, best.paid_microtokens.into(), PLACES);
        let slot = (WIDTH - LEFT) / days.len() as u64;
        let left_of = |place: usize| LEFT + place as u64 * slot;
        let bars = days.iter().enumerate().filter(|(_, day)| day.paid_microtokens > 0).map(|(place, day)| {
            let top = scale.y(day.paid_microtokens.into()).min(HEIGHT - LEAST);
            Bar {
                x: percent(left_of(place) + slot / 10),
                width: percent(slot * 8 / 10),
                y: hundredths(top + TOP * 100),
                height: hundredths(HEIGHT - top),
                words: words(day),
                is_today: place + 1 == days.len(),
            }
        });
        let labelled = (0..days.len()).rev().step_by(LABEL_DAYS).zip(days.iter().rev().step_by(LABEL_DAYS));
        // Under the middle of its bar, also the last one: there is room beside the picture, and none between two labels.
        let day_ticks = labelled.map(|(place, day)| TimeTick {
            x: percent(left_of(place) + slot / 2),
            anchor: "middle",
            label: day_name(day.day),
        });
        Some(Self {
            description: format!(
                "{} from {} to {}: most on {}. {} is not over yet.",
                numbers::counted(days.len(), "day", "days"),
                day_name(first.day),
                day_name(last.day),
                words(best),
                day_name(last.day),
            ),
            bars: bars.collect(),
            value_ticks: scale.ticks(PLACES),
            day_ticks: day_ticks.collect(),
        })
    }
}

fn words(day: &EarnedDay) -> String {
    format!("{}: {} tokens", day_name(day.day), numbers::tokens(day.paid_microtokens))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(paid: &[u64]) -> Vec<EarnedDay> {
        let day = |(day, paid): (u32, &u64)| EarnedDay {
            day: 20_000 + day,
            paid_microtokens: *paid,
            ..EarnedDay::default()
        };
        (0..).zip(paid).map(day).collect()
    }

    #[test]
    fn days_without_pay_are_no_picture() {
        assert_eq!(Bars::draw(&[]), None);
        assert_eq!(Bars::draw(&days(&[0, 0, 0])), None);
    }

    #[test]
    fn the_smallest_amount_is_seen_and_the_largest_stays_inside() {
        let bars = Bars::draw(&days(&[1, 0, u64::MAX, 5_000_000])).expect("drawn");
        assert_eq!(bars.bars.len(), 3, "a day without pay has no bar");
        let heights: Vec<&str> = bars.bars.iter().map(|bar| bar.height.as_str()).collect();
        assert_eq!(heights.first(), Some(&"1.50"));
        let highest = heights.get(1).and_then(|height| height.split('.').next());
        let highest: i128 = highest.and_then(|height| height.parse().ok()).expect("a number");
        assert!((60..=HEIGHT / 100).contains(&highest), "{highest}");
        assert!(bars.bars.iter().map(|bar| bar.is_today).eq([false, false, true]));
    }

    #[test]
    fn today_and_every_seventh_day_before_it_are_named() {
        let bars = Bars::draw(&days(&[7; 30])).expect("drawn");
        let labels: Vec<&str> = bars.day_ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(labels, ["2 Nov", "26 Oct", "19 Oct", "12 Oct", "5 Oct"]);
        assert!(bars.description.starts_with("30 days from 4 Oct to 2 Nov"), "{}", bars.description);
    }
}
