//! Random packs that keep every rule of the wire.
use devices::{Base, Decimal, Record, Value};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

type OwnedRecord = (Option<String>, Option<String>, Value, Option<i32>);

/// A base and records that own their texts.
#[derive(Clone, Debug)]
pub struct Owned {
    base: (Option<u8>, Option<String>, Option<u32>, Option<String>),
    records: Vec<OwnedRecord>,
}

impl Owned {
    pub fn base(&self) -> Base<'_> {
        let (version, name, time, unit) = &self.base;
        Base { version: *version, name: name.as_deref(), time: *time, unit: unit.as_deref() }
    }

    pub fn records(&self) -> Vec<Record<'_>> {
        let mut records = Vec::new();
        for (name, unit, value, offset) in &self.records {
            let (name, unit) = (name.as_deref(), unit.as_deref());
            records.push(Record { name, unit, value: *value, time_offset_seconds: *offset });
        }
        records
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = [0; 1024];
        let bytes = devices::encode_pack(&self.base(), &self.records(), &mut out).unwrap();
        out[..bytes].to_vec()
    }
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9][-A-Za-z0-9:./_]{0,31}"
}

fn unit() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Cel".to_owned()),
        Just("%RH".to_owned()),
        Just("ug/m3".to_owned()),
        Just("dB".to_owned())
    ]
}

pub fn decimal() -> impl Strategy<Value = Decimal> {
    let mantissa = prop_oneof![-(1_i128 << 64)..1 << 64, -100_000_i128..100_000];
    (mantissa, -9_i8..=0).prop_map(|(mantissa, exponent)| Decimal::new(mantissa, exponent).unwrap())
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![4 => decimal().prop_map(Value::Number), 1 => any::<bool>().prop_map(Value::Boolean)]
}

pub fn pack() -> impl Strategy<Value = Owned> {
    let record = (option::of(name()), option::of(unit()), value(), option::of(-86_400..=86_400_i32));
    let base = (name(), option::of(1_u32 << 28..), option::of(unit()));
    (base, any::<bool>(), vec(record, 1..12)).prop_map(|((name, time, unit), named, mut records)| {
        if !named {
            records.iter_mut().for_each(|record| record.0 = record.0.take().or(Some("temp".to_owned())));
        }
        let name = named.then_some(name);
        Owned { base: (Some(26), name, time, unit), records }
    })
}
