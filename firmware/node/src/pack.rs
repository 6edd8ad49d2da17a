//! Makes the records of a slot into a SenML pack. The same slot under the same stamp gives the same bytes, so an envelope
//! that is sent again is the same envelope.

use devices::limits::{OFFSET_SECONDS_MAX, PACK_BYTES_MAX};
use devices::senml::{BASE_VERSION_SECONDARY_UNITS, PackError, encode_pack_of};
use devices::{Base, Record};

use crate::limits::STAMP_BYTES_MAX;
use crate::slot::{Head, Records, Stamp};

/// Writes the pack of a slot's `records` into `out` and returns its length.
///
/// With a [`Stamp::Unix`] the pack has a base time. Without one its times are relative to its arrival (RFC 8428 §4.5.3):
/// by the age that it was sealed with, or, where nobody knows that, as if its last record were of now.
///
/// # Errors
/// When there is no record, or the pack is longer than an envelope takes.
pub fn write(head: &Head, records: &[u8], stamp: Stamp, out: &mut [u8]) -> Result<usize, PackError> {
    let all = || Records::of(*head, records);
    let (Some(first), Some(last)) = (all().next(), all().last()) else { return Err(PackError::RecordCount) };
    let count = all().count();
    // A single record keeps its name; several of one name leave it to the base.
    let is_alike = count > 1 && all().all(|record| (record.name, record.unit) == (first.name, first.unit));
    let some_unit = |unit| Some(unit).filter(|unit: &&str| !unit.is_empty());
    let base = Base {
        version: None,
        name: is_alike.then_some(first.name),
        time: if let Stamp::Unix(seconds) = stamp { Some(seconds) } else { None },
        unit: some_unit(first.unit).filter(|_| is_alike),
    };
    let earlier = match stamp {
        Stamp::Unix(_) => 0,
        Stamp::Age(seconds) => i64::from(seconds),
        Stamp::Unknown => i64::from(last.since_opened_seconds),
    };
    let mut encode = |base: &Base<'_>| {
        let records = all().map(|stored| {
            let offset = i64::from(stored.since_opened_seconds) - earlier;
            let offset = i32::try_from(offset).unwrap_or(i32::MIN).max(-OFFSET_SECONDS_MAX);
            Record {
                name: Some(stored.name).filter(|_| !is_alike),
                unit: some_unit(stored.unit).filter(|_| !is_alike),
                value: stored.value,
                time_offset_seconds: Some(offset).filter(|offset| *offset != 0),
            }
        });
        encode_pack_of(base, count, records, out)
    };
    match encode(&base) {
        // Secondary units ask for a base version of their own (RFC 9100 §5).
        Err(PackError::SecondaryUnit) => {
            encode(&Base { version: Some(BASE_VERSION_SECONDARY_UNITS), ..base })
        }
        result => result,
    }
}

/// Whether these records make a pack that an envelope takes, however long they wait until it is sent.
pub fn fits(head: &Head, records: &[u8]) -> bool {
    let mut pack = [0; PACK_BYTES_MAX];
    // No offset takes more bytes than that of an old record without a base time.
    let oldest = Stamp::Age(OFFSET_SECONDS_MAX.unsigned_abs());
    write(head, records, oldest, &mut pack).is_ok_and(|length| length + STAMP_BYTES_MAX <= PACK_BYTES_MAX)
}
