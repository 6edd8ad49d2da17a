//! Tables as RFC 4180 CSV, safe to open in a spreadsheet.

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// The media type, with its header parameter (RFC 4180 §3).
const CSV: &str = "text/csv; charset=utf-8; header=present";

/// A table being written.
#[derive(Debug, Default)]
pub struct Table {
    text: String,
}

impl Table {
    /// A table that opens with these column names.
    pub fn new(columns: &[&str]) -> Table {
        let mut table = Table::default();
        table.row(columns.iter().copied());
        table
    }

    /// Adds one row of cells.
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        for (position, cell) in cells.into_iter().enumerate() {
            if position > 0 {
                self.text.push(',');
            }
            push_cell(&mut self.text, cell);
        }
        self.text.push_str("\r\n");
    }

    /// The table as a response that browsers save under this name.
    pub fn response(self, file_name: &str) -> Response {
        let mut response = Response::new(Body::from(self.text));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CSV));
        if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{file_name}\"")) {
            headers.insert(header::CONTENT_DISPOSITION, disposition);
        }
        response
    }
}

/// A cell is quoted when it must be (RFC 4180 §2), and one that a spreadsheet would run as a formula is made
/// plain text by an apostrophe: names come from envelopes, which anybody may write.
fn push_cell(text: &mut String, cell: &str) {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let quoted = formula || cell.contains([',', '"', '\r', '\n']);
    if quoted {
        text.push('"');
    }
    if formula {
        text.push('\'');
    }
    for character in cell.chars() {
        if character == '"' {
            text.push('"');
        }
        text.push(character);
    }
    if quoted {
        text.push('"');
    }
}

/// A list as JSON, or as CSV when the request asks for it.
pub fn answer<T: Serialize>(
    headers: &HeaderMap,
    items: &[T],
    table: impl FnOnce(&[T]) -> Table,
    file_name: &str,
) -> Response {
    let mut response =
        if is_asked(headers) { table(items).response(file_name) } else { Json(items).into_response() };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// Whether a request asks for CSV: `text/csv` stands in `Accept` with a weight above JSON's (RFC 9110 §12.5.1).
fn is_asked(headers: &HeaderMap) -> bool {
    let mut csv = 0;
    let mut json = 0;
    for value in headers.get_all(header::ACCEPT) {
        for range in value.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, weight);
            if media.eq_ignore_ascii_case("text/csv") {
                csv = weight;
            } else if media.eq_ignore_ascii_case("application/json") {
                json = weight;
            }
        }
    }
    csv > json
}

/// A quality value in thousandths: `1`, `0.5`, `0.125`. Nonsense weighs nothing.
fn weight(text: &str) -> u32 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    match (whole, part.len(), format!("{part:0<3}").parse::<u32>()) {
        ("1", 0..=3, Ok(0)) => 1000,
        ("0", 0..=3, Ok(thousandths)) => thousandths,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_cannot_become_a_formula_or_a_second_cell() {
        let mut table = Table::new(&["name", "amount"]);
        table.row(["=HYPERLINK(\"http://evil\")", "1"]);
        table.row(["a,b", "say \"hi\""]);
        table.row(["two\r\nlines", "plain"]);
        assert_eq!(
            table.text,
            "name,amount\r\n\"'=HYPERLINK(\"\"http://evil\"\")\",1\r\n\"a,b\",\"say \"\"hi\"\"\"\r\n\"two\r\nlines\",plain\r\n"
        );
    }

    #[test]
    fn the_heavier_media_type_wins() {
        let asked = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
            is_asked(&headers)
        };
        assert!(asked("text/csv"));
        assert!(asked("text/html, text/csv;q=0.9, */*;q=0.1"));
        assert!(asked("application/json;q=0.5, text/csv"));
        assert!(!asked("application/json, text/csv"));
        assert!(!asked("text/csv;q=0"));
        assert!(!asked("*/*"));
        assert!(!is_asked(&HeaderMap::new()));
    }
}
