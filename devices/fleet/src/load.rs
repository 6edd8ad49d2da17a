//! Load: envelopes signed beforehand, so that a measurement measures the gateway and not the signing.
use std::thread;
use std::time::{Duration, Instant};

use devices::{Base, Decimal, Record, Sequence, SigningKey, Topic, TopicKind, Value};
use tokio::task::JoinSet;

use crate::client::{self, Broker, LoadError};
use crate::limits::LOAD_ENVELOPES_EACH_MAX;

/// What to sign.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// The network that the signatures are for.
    pub network: String,
    /// Seeds of the devices' keys.
    pub seeds: Vec<[u8; 32]>,
    /// Envelopes of each device, at most [`LOAD_ENVELOPES_EACH_MAX`].
    pub envelopes_each: u32,
    /// Records of each envelope, 1 to 64.
    pub records_each: u32,
    /// The boot number of all of them: higher than any before, Unix seconds for instance.
    pub boot: u32,
    /// The base time of all of them, Unix seconds.
    pub base_time: u32,
}

/// Why a plan cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Too many or too few of something.
    #[error("a load plan has 1 to 64 records an envelope and 1 to 1,000,000 envelopes a device")]
    Bounds,
    /// An envelope cannot be made.
    #[error(transparent)]
    Seal(#[from] devices::SealError),
    /// The records make no pack.
    #[error(transparent)]
    Pack(#[from] devices::senml::PackError),
}

/// Signed envelopes of one device, in the order of their counts.
#[derive(Clone, Debug)]
pub struct DeviceLoad {
    /// Where they are to be published.
    pub topic: String,
    /// One envelope after another.
    pub envelopes: Vec<Vec<u8>>,
}

/// What was published, and how long the broker took to take it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoadReport {
    /// Envelopes that the broker has confirmed (PUBACK).
    pub published: u64,
    /// From the first publish to the last PUBACK.
    pub elapsed: Duration,
}

/// Signs the plan, on all cores. Counts start at 0.
pub fn presign(plan: &LoadPlan) -> Result<Vec<DeviceLoad>, PlanError> {
    let records_bound = 1..=devices::limits::RECORDS_MAX as u32;
    if !records_bound.contains(&plan.records_each)
        || !(1..=LOAD_ENVELOPES_EACH_MAX).contains(&plan.envelopes_each)
    {
        return Err(PlanError::Bounds);
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = plan.seeds.len().div_ceil(cores).max(1);
    thread::scope(|scope| {
        let sign_share = |seeds: &'_ [[u8; 32]]| -> Result<Vec<DeviceLoad>, PlanError> {
            seeds.iter().map(|seed| sign_device(plan, seed)).collect()
        };
        let threads: Vec<_> =
            plan.seeds.chunks(share).map(|seeds| scope.spawn(move || sign_share(seeds))).collect();
        let mut loads = Vec::with_capacity(plan.seeds.len());
        for thread in threads {
            // A thread that panics has met a broken invariant, which is not to be hidden.
            loads.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(loads)
    })
}

fn sign_device(plan: &LoadPlan, seed: &[u8; 32]) -> Result<DeviceLoad, PlanError> {
    let key = SigningKey::from_seed(*seed);
    let topic = Topic { network: &plan.network, kid: key.kid(), kind: TopicKind::Up }.to_string();
    let mut envelopes = Vec::with_capacity(plan.envelopes_each as usize);
    for count in 0..plan.envelopes_each {
        let base =
            Base { version: Some(26), name: Some("pm2.5"), time: Some(plan.base_time), unit: Some("ug/m3") };
        let records: Vec<Record<'_>> = (0..plan.records_each)
            .map(|number| {
                let hundredths = i128::from((count.wrapping_mul(7) + number * 13) % 6_000 + 101);
                // Four digits and two after the point have a place on the wire.
                let value = Decimal::new(hundredths, -2).unwrap_or(Decimal::ZERO);
                let offset = (number > 0).then_some(number as i32);
                Record { time_offset_seconds: offset, ..Record::of(Value::Number(value)) }
            })
            .collect();
        let mut pack = [0; devices::limits::PACK_BYTES_MAX];
        let pack_bytes = devices::encode_pack(&base, &records, &mut pack)?;
        let mut envelope = [0; devices::limits::ENVELOPE_BYTES_MAX];
        let sequence = Sequence { boot: plan.boot, count };
        let bytes = devices::sign_reading(&key, &plan.network, sequence, &pack[..pack_bytes], &mut envelope)?;
        envelopes.push(envelope[..bytes].to_vec());
    }
    Ok(DeviceLoad { topic, envelopes })
}

/// Publishes the loads over `connections` connections as fast as the broker takes them. A device's envelopes go over one
/// connection in their order, and the devices of a connection take turns, so that no device runs far ahead.
pub async fn publish(
    broker: &Broker,
    loads: Vec<DeviceLoad>,
    connections: usize,
) -> Result<LoadReport, LoadError> {
    let mut shares: Vec<Vec<DeviceLoad>> = Vec::new();
    shares.resize_with(connections.clamp(1, loads.len().max(1)), Vec::new);
    let count = shares.len();
    loads.into_iter().enumerate().for_each(|(number, load)| shares[number % count].push(load));
    let start = Instant::now();
    let mut links = JoinSet::new();
    for (number, share) in shares.into_iter().enumerate() {
        let broker = broker.clone();
        links.spawn(async move {
            client::publish_all(
                &broker,
                &format!("lamppost-load-{}-{number}", std::process::id()),
                in_turns(share),
            )
            .await
        });
    }
    let mut published = 0;
    while let Some(result) = links.join_next().await {
        published += result.map_err(|error| LoadError::Lost(error.to_string()))??;
    }
    Ok(LoadReport { published, elapsed: start.elapsed() })
}

fn in_turns(share: Vec<DeviceLoad>) -> impl Iterator<Item = (String, Vec<u8>)> {
    let rounds = share.iter().map(|load| load.envelopes.len()).max().unwrap_or(0);
    let mut devices: Vec<(String, std::vec::IntoIter<Vec<u8>>)> =
        share.into_iter().map(|load| (load.topic, load.envelopes.into_iter())).collect();
    (0..rounds).flat_map(move |_| {
        let round: Vec<(String, Vec<u8>)> = devices
            .iter_mut()
            .filter_map(|(topic, envelopes)| envelopes.next().map(|envelope| (topic.clone(), envelope)))
            .collect();
        round
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::SignedReading;

    #[test]
    fn every_presigned_envelope_verifies_and_devices_take_turns() {
        let seeds = vec![[1; 32], [2; 32], [3; 32]];
        let plan = LoadPlan {
            network: "devnet".to_owned(),
            seeds: seeds.clone(),
            envelopes_each: 4,
            records_each: 10,
            boot: 9,
            base_time: 1_800_000_000,
        };
        let loads = presign(&plan).unwrap();
        for (load, seed) in loads.iter().zip(&seeds) {
            let key = SigningKey::from_seed(*seed).public_key();
            for (count, envelope) in load.envelopes.iter().enumerate() {
                let signed = SignedReading::decode(&envelope[..]).map_err(|(why, _)| why).unwrap();
                assert_eq!(signed.sequence(), Sequence { boot: 9, count: count as u32 });
                assert_eq!(signed.pack().record_count(), 10);
                assert!(signed.verify(&key, "devnet").is_ok());
            }
        }
        let order: Vec<String> = in_turns(loads.clone()).map(|(topic, _)| topic).collect();
        assert_eq!(order.len(), 12);
        assert_eq!(order[..3], order[3..6]);
        assert!(matches!(presign(&LoadPlan { records_each: 65, ..plan }), Err(PlanError::Bounds)));
    }
}
