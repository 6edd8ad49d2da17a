//! Bytes, paces and short times as people read them, in integers.

use crate::marks::Integer;
use crate::numbers::grouped;

/// `512 bytes`, `1.5 MiB`: one decimal, rounded down.
pub fn bytes(bytes: impl Integer) -> String {
    let bytes = bytes.value();
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, bits)| bytes >> bits > 0) {
        Some((unit, bits)) => {
            let tenths = (u128::from(bytes) * 10) >> bits;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

/// How many a second, one decimal; more than a hundred whole. Over no time there is no pace.
pub fn a_second(count: impl Integer, seconds: impl Integer) -> Option<String> {
    let tenths = (u128::from(count.value()) * 10).checked_div(u128::from(seconds.value()))?;
    let whole = u64::try_from(tenths / 10).unwrap_or(u64::MAX);
    Some(if whole >= 100 { grouped(whole) } else { format!("{whole}.{}", tenths % 10) })
}

/// `0.8 ms`, `12 ms`, `1.2 s`.
pub fn delay(microseconds: impl Integer) -> String {
    let microseconds = microseconds.value();
    match microseconds {
        0..10_000 => format!("{}.{} ms", microseconds / 1_000, microseconds % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", microseconds / 1_000),
        _ => format!("{}.{} s", microseconds / 1_000_000, microseconds % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_said_in_the_unit_that_fits() {
        assert_eq!(bytes(1_023_u64), "1023 bytes");
        assert_eq!(bytes(1_536_u64), "1.5 KiB");
        assert_eq!(bytes(64_u64 * 1024 * 1024), "64.0 MiB");
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
    }

    #[test]
    fn a_pace_needs_time() {
        assert_eq!(a_second(5_u64, 0_u64), None);
        assert_eq!(a_second(5_u64, 10_u64).as_deref(), Some("0.5"));
        assert_eq!(a_second(3_000_000_u64, 60_u64).as_deref(), Some("50,000"));
    }

    #[test]
    fn short_times_are_said_as_exactly_as_matters() {
        assert_eq!([delay(850_u64), delay(12_345_u64), delay(1_250_000_u64)], ["0.8 ms", "12 ms", "1.2 s"]);
    }
}
