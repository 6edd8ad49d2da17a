//! Plots as SVG, written out by hand: a picture that a document shows has no scripts and no fonts of its own.

use serde_json::Value;

use crate::table::{Results, figures, median, shown};

const WIDTH: f64 = 760.0;
const INK: &str = "#1b2733";
const PALE: &str = "#5d6b7a";
const GRID: &str = "#e3e8ee";
const FIGURE: &str = "#1f6feb";
const CEILING: &str = "#cfdcec";
const GOAL: &str = "#c2410c";

/// Bars of the rate benches: name, label, goal.
const BARS: [(&str, &str, Option<f64>); 5] = [
    ("ingest", "ingest, in process", Some(100_000.0)),
    ("audit", "audit from genesis", None),
    ("mqtt", "MQTT, embedded broker", Some(50_000.0)),
    ("mqtt-10", "MQTT, 10 readings each", Some(40_000.0)),
    ("mosquitto", "MQTT, mosquitto", None),
];

fn text(x: f64, y: f64, size: u32, anchor: &str, fill: &str, words: &str) -> String {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{fill}\">{words}</text>\n"
    )
}

fn frame(height: f64, title: &str, description: &str, content: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"{title}\" font-family=\"system-ui, sans-serif\">\n<title>{title}</title>\n\
         <desc>{description}</desc>\n<rect width=\"{WIDTH}\" height=\"{height}\" rx=\"8\" fill=\"#ffffff\"/>\n{}{}{content}</svg>\n",
        text(24.0, 34.0, 17, "start", INK, title),
        text(24.0, 54.0, 12, "start", PALE, description),
    )
}

/// A round number at or above `most`, and the steps up to it.
fn axis(most: f64) -> (f64, Vec<f64>) {
    let power = 10_f64.powf(most.max(1e-9).log10().floor());
    let factors = [0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0];
    let fits = |factor: &&f64| most / (**factor * power) <= 5.0;
    let step = factors.iter().find(fits).copied().unwrap_or(5.0) * power;
    let steps = (most / step).ceil().max(1.0) as usize;
    (step * steps as f64, (0..=steps).map(|place| place as f64 * step).collect())
}

/// Rates beside their ceilings, with every run as a dot.
pub fn rates(results: &Results, conditions: &str) -> String {
    let rows: Vec<_> = BARS
        .iter()
        .filter_map(|(name, label, goal)| {
            let runs = figures(results, name, "/value");
            let ceiling = median(&figures(results, name, "/ceiling_value"))?;
            Some((label, runs.clone(), median(&runs)?, ceiling, goal))
        })
        .collect();
    let most = rows.iter().fold(1.0_f64, |most, (_, _, value, ceiling, _)| most.max(*value).max(*ceiling));
    let (end, steps) = axis(most);
    let (left, right, top, row_height) = (190.0, WIDTH - 130.0, 104.0, 44.0);
    let at = |value: f64| left + (right - left) * value / end;
    let bottom = top + row_height * rows.len() as f64;
    let mut out = String::new();
    // The legend.
    let mut x = left;
    for (fill, words) in [(FIGURE, "median"), (CEILING, "ceiling, measured in the same runs"), (GOAL, "goal")]
    {
        out +=
            &format!("<rect x=\"{x:.1}\" y=\"70\" width=\"12\" height=\"12\" rx=\"2\" fill=\"{fill}\"/>\n");
        out += &text(x + 18.0, 80.0, 12, "start", INK, words);
        x += 40.0 + 6.6 * words.len() as f64;
    }
    for step in steps {
        let x = at(step);
        out += &format!(
            "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"{GRID}\"/>\n"
        );
        out += &text(x, bottom + 16.0, 11, "middle", PALE, &shown(step));
    }
    for (place, (label, runs, value, ceiling, goal)) in rows.iter().enumerate() {
        let y = top + row_height * place as f64 + 8.0;
        let middle = y + 14.0;
        out += &text(left - 10.0, middle + 4.0, 13, "end", INK, label);
        for (value, height, fill) in [(*ceiling, 28.0, CEILING), (*value, 16.0, FIGURE)] {
            let (y, width) = (middle - height / 2.0, at(value) - left);
            out += &format!(
                "<rect x=\"{left}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" rx=\"2\" fill=\"{fill}\"/>\n"
            );
        }
        for run in runs {
            let x = at(*run);
            out += &format!(
                "<circle cx=\"{x:.1}\" cy=\"{middle:.1}\" r=\"2.5\" fill=\"#ffffff\" stroke=\"{INK}\" stroke-width=\"0.8\"/>\n"
            );
        }
        if let Some(goal) = goal {
            let (x, from, to) = (at(*goal), y - 3.0, y + 31.0);
            out += &format!(
                "<line x1=\"{x:.1}\" y1=\"{from:.1}\" x2=\"{x:.1}\" y2=\"{to:.1}\" stroke=\"{GOAL}\" stroke-width=\"2\"/>\n"
            );
        }
        out += &text(
            at(value.max(*ceiling)) + 8.0,
            middle + 4.0,
            12,
            "start",
            INK,
            &format!("{} of {}", shown(*value), shown(*ceiling)),
        );
    }
    frame(bottom + 30.0, "Envelopes a second, signed, durable and acknowledged", conditions, &out)
}

/// A panel of the soak: title, unit, and the lines' names, places in the JSON and colours.
type Panel = (&'static str, &'static [(&'static str, &'static str, &'static str)]);

const PANELS: [Panel; 3] = [
    ("publish to ack, ms", &[("p99", "p99_milliseconds", GOAL), ("p50", "p50_milliseconds", FIGURE)]),
    ("accepted a second", &[("", "accepted_per_second", FIGURE)]),
    ("memory of the node, MB", &[("", "rss_megabytes", FIGURE)]),
];

/// A long run: latency, rate and memory over time.
pub fn soak(lines: &[Value], conditions: &str) -> String {
    let number = |line: &Value, name: &str| line[name].as_f64().unwrap_or(0.0);
    let minutes = lines.last().map_or(1.0, |line| number(line, "seconds") / 60.0).max(0.01);
    let (left, right, height, gap, mut top) = (80.0, WIDTH - 60.0, 120.0, 44.0, 96.0);
    let mut out = String::new();
    let (_, ticks) = axis(minutes);
    let at = |minute: f64| left + (right - left) * minute / minutes;
    for (title, curves) in PANELS {
        let values =
            || curves.iter().flat_map(|(_, name, _)| lines.iter().map(move |line| number(line, name)));
        let (end, steps) = axis(values().fold(1.0, f64::max));
        let y_of = |value: f64| top + height - height * value / end;
        out += &text(left, top - 10.0, 13, "start", INK, title);
        for step in steps {
            let y = y_of(step);
            out += &format!(
                "<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"{GRID}\"/>\n"
            );
            out += &text(left - 8.0, y + 4.0, 11, "end", PALE, &shown(step));
        }
        for (label, name, colour) in curves {
            let points: Vec<String> = lines
                .iter()
                .map(|line| {
                    format!("{:.1},{:.1}", at(number(line, "seconds") / 60.0), y_of(number(line, name)))
                })
                .collect();
            out += &format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\n",
                points.join(" ")
            );
            let y = lines.last().map_or(top, |line| y_of(number(line, name)));
            out += &text(right + 6.0, y + 4.0, 12, "start", colour, label);
        }
        top += height + gap;
    }
    let bottom = top - gap;
    for tick in ticks.iter().filter(|tick| **tick <= minutes) {
        out += &text(at(*tick), bottom + 16.0, 11, "middle", PALE, &shown(*tick));
    }
    out += &text((left + right) / 2.0, bottom + 34.0, 12, "middle", PALE, "minutes");
    frame(bottom + 48.0, "A long run at a share of the maximum, through MQTT", conditions, &out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_above_its_values() {
        assert_eq!(
            axis(111_677.0),
            (125_000.0, vec![0.0, 25_000.0, 50_000.0, 75_000.0, 100_000.0, 125_000.0])
        );
        assert_eq!(axis(30.0).0, 30.0);
    }
}
