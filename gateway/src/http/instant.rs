//! Times as RFC 3339 in UTC, and the ranges that queries ask for.

use std::ops::Range;

use jiff::Timestamp;

use super::problem::Problem;

/// Renders Unix milliseconds as RFC 3339 in UTC, with milliseconds: `2026-11-22T07:50:00.000Z`.
pub fn rfc3339(unix_milliseconds: u64) -> String {
    let instant =
        i64::try_from(unix_milliseconds).ok().and_then(|time| Timestamp::from_millisecond(time).ok());
    format!("{:.3}", instant.unwrap_or(Timestamp::MAX))
}

/// Reads an RFC 3339 time with its offset as Unix milliseconds.
///
/// # Errors
/// One sentence when the text is no such time or lies before 1970.
pub fn parse(text: &str) -> Result<u64, String> {
    let refuse = || format!("\"{text}\" is no RFC 3339 time such as 2026-11-22T07:50:00Z");
    let instant: Timestamp = text.parse().map_err(|_| refuse())?;
    u64::try_from(instant.as_millisecond()).map_err(|_| format!("\"{text}\" lies before 1970"))
}

/// The half-open range, in Unix milliseconds, that a query's `from` and `to` ask for: either may be absent.
///
/// # Errors
/// 400 with one sentence when a time is no time, or the end lies before the start.
pub fn range(from: Option<&str>, to: Option<&str>) -> Result<Range<u64>, Problem> {
    let time = |name: &str, text: Option<&str>, otherwise: u64| match text {
        None => Ok(otherwise),
        // A plus sign in a query means a blank: an offset that was not escaped is still understood.
        Some(text) => parse(&text.replace(' ', "+"))
            .map_err(|sentence| Problem::bad_request(format!("the parameter `{name}`: {sentence}"))),
    };
    let range = time("from", from, 0)?..time("to", to, u64::MAX)?;
    if range.start > range.end {
        return Err(Problem::bad_request("the parameter `from` lies after `to`"));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_milliseconds() {
        assert_eq!(rfc3339(1_800_000_000_000), "2027-01-15T08:00:00.000Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert!(rfc3339(u64::MAX).ends_with('Z'));
    }

    #[test]
    fn a_written_time_reads_back() {
        for time in [0, 1, 1_800_000_000_123] {
            assert_eq!(parse(&rfc3339(time)), Ok(time));
        }
        assert_eq!(parse("2027-01-15T09:00:00+01:00"), Ok(1_800_000_000_000));
    }

    #[test]
    fn a_range_of_nonsense_is_refused_with_a_sentence() {
        for (from, to) in [
            ("yesterday", None),
            ("2027-01-15", None),
            ("2027-01-15T08:00:00Z", Some("2026-01-15T08:00:00Z")),
        ] {
            let problem = range(Some(from), to).unwrap_err();
            assert_eq!(problem.status, 400);
        }
        assert_eq!(range(None, None).unwrap(), 0..u64::MAX);
        assert_eq!(range(Some("2027-01-15T09:00:00 01:00"), None).unwrap().start, 1_800_000_000_000);
    }
}
