//! Medians, and the tables that say them.

use serde_json::{Map, Value};

use crate::plan::{BENCHES, Bench, Goal, Row};

/// What every run of every measurement said, by the measurement's name.
pub type Results = Map<String, Value>;

/// The figures of a row, a run each.
pub fn figures(results: &Results, bench: &str, at: &str) -> Vec<f64> {
    let runs = results.get(bench).and_then(Value::as_array).into_iter().flatten();
    runs.filter_map(|run| run.pointer(at)?.as_f64()).collect()
}

/// The middle one, or the mean of the middle two.
pub fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        count if count % 2 == 1 => sorted.get(middle).copied(),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// A number as a person reads it: three figures after small points, commas in large ones.
pub fn shown(number: f64) -> String {
    if number.abs() > 0.0 && number.abs() < 1.0 {
        let text = format!("{number:.3}");
        return text.strip_suffix('0').unwrap_or(&text).to_owned();
    }
    if number != 0.0 && number.abs() < 10.0 {
        let text = format!("{number:.2}");
        return text.strip_suffix(".00").unwrap_or(&text).to_owned();
    }
    if number.abs() < 100.0 && number.fract() != 0.0 {
        return format!("{number:.1}");
    }
    // Beyond four figures a measurement of a shared machine says nothing.
    let mut scale = 1.0;
    while number.abs() / scale >= 10_000.0 {
        scale *= 10.0;
    }
    let digits = format!("{:.0}", (number / scale).round() * scale);
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digit.is_ascii_digit() && (digits.len() - place) % 3 == 0 && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn with_unit(number: f64, unit: &str) -> String {
    if unit.is_empty() { shown(number) } else { format!("{} {unit}", shown(number)) }
}

/// The goal in words, and whether a median reaches it.
fn goal(row: &Row, median: f64, ingest: Option<f64>) -> (String, Option<bool>) {
    let bound = |word: &str, bound: f64| format!("{word} {}", with_unit(bound, row.unit));
    match row.goal {
        Goal::AtLeast(least) => (bound("≥", least), Some(median >= least)),
        Goal::AtMost(most) => (bound("≤", most), Some(median <= most)),
        Goal::OfIngest(share) => {
            let words = format!("≥ {share} of `ingest`");
            (words, ingest.map(|ingest| median >= share * ingest))
        }
        Goal::None => (String::new(), None),
    }
}

fn mark(reached: Option<bool>) -> &'static str {
    match reached {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "",
    }
}

/// The short table: what has a goal.
pub fn short(results: &Results) -> String {
    let mut out = "| measured | figure | goal | reached |\n|---|---|---|---|\n".to_owned();
    let ingest = median(&figures(results, "ingest", "/value"));
    for bench in BENCHES {
        let mut what = format!("`{}`: {}", bench.name, bench.what);
        for row in bench.rows.iter().filter(|row| row.goal != Goal::None) {
            let Some(median) = median(&figures(results, bench.name, row.at)) else { continue };
            let (words, reached) = goal(row, median, ingest);
            let figure = with_unit(median, row.unit);
            out += &format!("| {what} | {figure} {} | {words} | {} |\n", label(row), mark(reached));
            what.clear();
        }
    }
    out
}

/// A label that follows its figure; a figure with a unit of its own needs none where the label is the measurement.
fn label(row: &Row) -> String {
    if row.unit.is_empty() { row.label.to_owned() } else { format!("({})", row.label) }
}

/// The long table of one measurement: every figure with every run.
pub fn long(results: &Results, bench: &Bench) -> String {
    let ingest = median(&figures(results, "ingest", "/value"));
    let mut out = format!("### `lamppost bench {}`\n\n", bench.words.join(" "));
    out += &format!("{}.\n\n", capital(bench.what));
    out += "| figure | median | every run | goal | reached |\n|---|---|---|---|---|\n";
    for row in bench.rows {
        let figures = figures(results, bench.name, row.at);
        let Some(median) = median(&figures) else { continue };
        let (words, reached) = goal(row, median, ingest);
        let runs: Vec<String> = figures.iter().map(|figure| shown(*figure)).collect();
        let median = with_unit(median, row.unit);
        out +=
            &format!("| {} | {median} | {} | {words} | {} |\n", row.label, runs.join(" · "), mark(reached));
    }
    let ceilings = figures(results, bench.name, "/ceiling_value");
    if let Some(median) = median(&ceilings) {
        let runs: Vec<String> = ceilings.iter().map(|figure| shown(*figure)).collect();
        let name = results[bench.name][0]["ceiling"].as_str().unwrap_or_default();
        out += &format!("| ceiling: {name} | {} | {} | | |\n", shown(median), runs.join(" · "));
    }
    out
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

/// Puts `content` between the markers of `document`.
///
/// # Errors
/// When the document has no such markers.
pub fn between(document: &str, name: &str, content: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let missing = || format!("the document has no markers {begin} and {end}");
    let (before, rest) = document.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}\n{}\n{end}{after}", content.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_median_is_the_middle_one() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn numbers_are_no_more_exact_than_they_can_be() {
        assert_eq!(shown(1_023_456.0), "1,023,000");
        assert_eq!(shown(66_612.3), "66,610");
        assert_eq!(shown(0.697), "0.697", "which is not 0.70");
        assert_eq!(shown(0.5), "0.50");
        assert_eq!(shown(1.664), "1.66");
        assert_eq!(shown(22.96), "23.0");
        assert_eq!(shown(250.0), "250");
        assert_eq!(shown(0.0), "0");
    }

    #[test]
    fn a_goal_that_is_missed_is_said() {
        let runs = json!([{"value": 80_000, "ratio": 0.75}, {"value": 90_000, "ratio": 0.8}, {"value": 85_000, "ratio": 0.7}]);
        let results = Results::from_iter([("ingest".to_owned(), runs)]);
        let table = short(&results);
        assert!(table.contains("| 85,000 a second | ≥ 100,000 | **no** |"), "{table}");
        assert!(table.contains("| ≥ 0.70 | yes |"), "{table}");
        assert!(long(&results, &BENCHES[0]).contains("80,000 · 90,000 · 85,000"));
    }

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let document = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        assert_eq!(between(document, "x", "new\n").unwrap(), "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n");
        assert!(between("a", "x", "new").is_err());
    }
}
