//! SenML records as JSON (RFC 8428 §5), resolved (§4.6), with numbers exactly as the device signed them.

use devices::{Pack, ResolvedRecord, Value};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// One resolved SenML record.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SenmlRecord {
    /// The record's full name.
    #[schema(example = "pm2.5")]
    pub n: String,
    /// The unit, of the SenML units registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ug/m3")]
    pub u: Option<String>,
    /// When it was measured, Unix seconds; absent where the device has no clock. A value below 2^28 counts from the
    /// moment of arrival.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1_800_000_000)]
    pub t: Option<i64>,
    /// The number, with all its digits and no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>, example = 12.53)]
    pub v: Option<Box<RawValue>>,
    /// The yes or no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vb: Option<bool>,
}

impl From<ResolvedRecord<'_>> for SenmlRecord {
    fn from(record: ResolvedRecord<'_>) -> SenmlRecord {
        let (v, vb) = match record.value {
            // A decimal reads as a JSON number; written raw, it is never a float on its way out.
            Value::Number(number) => (RawValue::from_string(number.to_string()).ok(), None),
            Value::Boolean(boolean) => (None, Some(boolean)),
        };
        let offset = Some(i64::from(record.time_offset_seconds)).filter(|offset| *offset != 0);
        SenmlRecord {
            n: format!("{}{}", record.base_name, record.name),
            u: record.unit.map(str::to_owned),
            t: record.time_unix_seconds.or(offset),
            v,
            vb,
        }
    }
}

/// The records of a pack, resolved.
pub fn records(pack: &Pack<'_>) -> Vec<SenmlRecord> {
    pack.resolved().map(SenmlRecord::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::{Base, Record, encode_pack};

    #[test]
    fn a_number_keeps_every_digit() {
        let base = Base { version: Some(26), name: Some("dev:"), time: Some(1_800_000_000), unit: None };
        let exact = "-18446744073709551615".parse().unwrap();
        let number = Record {
            name: Some("pm2.5"),
            unit: Some("ug/m3"),
            value: Value::Number(exact),
            time_offset_seconds: Some(-60),
        };
        let open =
            Record { name: Some("door"), unit: None, value: Value::Boolean(true), time_offset_seconds: None };
        let mut out = [0; 128];
        let length = encode_pack(&base, &[number, open], &mut out).unwrap();
        let json = serde_json::to_string(&records(&Pack::decode(&out[..length]).unwrap())).unwrap();
        assert_eq!(
            json,
            r#"[{"n":"dev:pm2.5","u":"ug/m3","t":1799999940,"v":-18446744073709551615},{"n":"dev:door","t":1800000000,"vb":true}]"#
        );
    }
}
