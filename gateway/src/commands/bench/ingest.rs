//! `lamppost bench ingest`: the whole node in process, from the intake queue to the ack after the durable write.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use devices::{DeviceId, PublicKey, SignedReading, SigningKey, Topic};
use fleet::load::{DeviceLoad, LoadPlan, presign};
use ledger::instruction::Instruction;
use tokio::sync::{mpsc, oneshot};

use super::measure::{cpu_seconds, peak_rss_megabytes, percentile_milliseconds};
use super::{Figure, Scratch, Settings};
use crate::clock;
use crate::host::{self, Ends};
use crate::keys;
use crate::limits;
use crate::shared::{Shared, Submission, SubmitError};
use crate::storage::{self, NETWORK_DEFAULT, Wanted};
use crate::telemetry::Telemetry;

/// Envelopes signed beforehand for each second of load and each core: more than a core verifies.
const ENVELOPES_PER_SECOND_AND_CORE: u64 = 60_000;
/// Every so many envelopes one is timed from its way in to its answer.
const SAMPLE_EVERY: usize = 997;
/// How long the node may take to finish what was handed in.
const DRAIN_SECONDS_MAX: u64 = 60;

/// A node in a scratch directory with enrolled devices.
pub struct Bench {
    /// What everybody reads through.
    pub shared: Arc<Shared>,
    /// The way in.
    pub intake: mpsc::Sender<Submission>,
    /// Seeds of the enrolled devices.
    pub seeds: Vec<[u8; 32]>,
    /// The counters.
    pub telemetry: Arc<Telemetry>,
    stop: oneshot::Sender<()>,
    finished: oneshot::Receiver<Result<(), storage::StorageError>>,
}

impl Bench {
    /// Makes a node under `scratch` and enrols the devices; gives its outgoing messages too.
    pub async fn start(
        scratch: &Scratch,
        devices: u32,
    ) -> anyhow::Result<(Bench, mpsc::Receiver<crate::mqtt::Outbound>)> {
        let root = scratch.0.join("data");
        let wanted = Wanted {
            network: Some(NETWORK_DEFAULT.to_owned()),
            epoch_seconds: Some(storage::EPOCH_SECONDS_DEFAULT),
        };
        let opened = storage::open(&root, &wanted)?;
        let operator = keys::read(&opened.directory.key("operator"))?;
        let seeds = fleet::seeds(&[42; 32], devices as usize);
        let telemetry = Arc::new(Telemetry::new());
        let Ends { shared, intake, outbound, stop, finished } = host::start(opened, telemetry.clone())?;
        let bench = Bench { shared, intake, seeds, telemetry, stop, finished };
        bench.enrol(&operator).await?;
        Ok((bench, outbound))
    }

    async fn enrol(&self, operator: &SigningKey) -> anyhow::Result<()> {
        let mut counter = clock::now_unix_milliseconds();
        for seeds in self.seeds.chunks(limits::CITY_ENROLMENTS_MAX) {
            let mut answers = Vec::with_capacity(seeds.len());
            for seed in seeds {
                let public_key = SigningKey::from_seed(*seed).public_key();
                let instruction = Instruction::Enrol { public_key, owner: None, position: None };
                let mut bytes = vec![0; 512];
                counter += 1;
                let length = devices::sign_instruction(
                    operator,
                    NETWORK_DEFAULT,
                    counter,
                    &instruction.encode(),
                    false,
                    &mut bytes,
                );
                bytes.truncate(length.context("an enrolment cannot be signed")?);
                answers.push(self.shared.enqueue(bytes).await?);
            }
            for answer in answers {
                answer.await.unwrap_or(Err(SubmitError::Stopping))?;
            }
        }
        Ok(())
    }

    /// Envelopes accepted so far.
    pub fn accepted(&self) -> u64 {
        self.telemetry.accepted_envelopes.get()
    }

    /// Waits until `envelopes` are durable or nothing moves any more; gives when the last one was.
    pub async fn drained(&self, envelopes: u64) -> Instant {
        let (mut last, mut moved) = (0, clock::monotonic());
        while last < envelopes && moved.elapsed() < Duration::from_secs(DRAIN_SECONDS_MAX) {
            let now = self.accepted();
            if now > last {
                (last, moved) = (now, clock::monotonic());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        moved
    }

    /// Stops the node; everything is on disk then.
    pub async fn stop(self) -> anyhow::Result<()> {
        drop(self.stop);
        drop(self.intake);
        Ok(self.finished.await.context("the node broke off")??)
    }
}

/// Signs the load of a run: devices take turns.
pub fn sign(settings: &Settings, seeds: &[[u8; 32]]) -> anyhow::Result<Vec<DeviceLoad>> {
    let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
    let envelopes = u64::from(settings.seconds.max(1)) * ENVELOPES_PER_SECOND_AND_CORE * cores;
    let now = clock::now_unix_milliseconds() / 1_000;
    Ok(presign(&LoadPlan {
        network: NETWORK_DEFAULT.to_owned(),
        seeds: seeds.to_vec(),
        envelopes_each: u32::try_from(envelopes / u64::from(settings.devices.max(1)))?.max(1),
        records_each: settings.records,
        boot: u32::try_from(now)?,
        base_time: u32::try_from(now)?,
    })?)
}

/// The loads as one sequence in which devices take turns.
pub fn in_turns(loads: Vec<DeviceLoad>) -> Vec<(DeviceId, Vec<u8>)> {
    let rounds = loads.iter().map(|load| load.envelopes.len()).max().unwrap_or(0);
    let mut devices: Vec<_> = loads
        .into_iter()
        .filter_map(|load| Some((Topic::parse(&load.topic)?.kid, load.envelopes.into_iter())))
        .collect();
    let mut sequence = Vec::new();
    for _ in 0..rounds {
        sequence.extend(devices.iter_mut().filter_map(|(kid, envelopes)| Some((*kid, envelopes.next()?))));
    }
    sequence
}

/// Signatures a second that all cores verify in batches, and nothing else: no decoding, no ledger, no disk.
pub fn verification_ceiling(envelopes: &[(DeviceId, Vec<u8>)], seeds: &[[u8; 32]], seconds: f64) -> f64 {
    let keys: std::collections::HashMap<DeviceId, PublicKey> = seeds
        .iter()
        .map(|seed| SigningKey::from_seed(*seed))
        .map(|key| (key.kid(), key.public_key()))
        .collect();
    type Prepared = (PublicKey, Vec<u8>, [u8; 64]);
    type Borrowed<'a> = (PublicKey, &'a [u8], [u8; 64]);
    let prepared: Vec<Prepared> = envelopes
        .iter()
        .filter_map(|(kid, bytes)| {
            let reading = SignedReading::decode(&bytes[..]).ok()?;
            let mut message = vec![0; devices::limits::READING_SIG_STRUCTURE_BYTES_MAX];
            let length = reading.signed_message(NETWORK_DEFAULT, &mut message).ok()?;
            message.truncate(length);
            Some((*keys.get(kid)?, message, *reading.signature()))
        })
        .collect();
    let batches: Vec<Vec<Borrowed<'_>>> = prepared
        .chunks(limits::VERIFY_BATCH_MAX)
        .map(|chunk| chunk.iter().map(|(key, message, signature)| (*key, &message[..], *signature)).collect())
        .collect();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let began = clock::monotonic();
    let verified: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|core| {
                let mine = batches.iter().skip(core).step_by(cores).cycle();
                scope.spawn(move || {
                    let mut verified = 0;
                    for batch in mine {
                        if began.elapsed().as_secs_f64() >= seconds {
                            break;
                        }
                        verified += devices::batch::hold(batch).into_iter().filter(|holds| *holds).count();
                    }
                    verified
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(0)).sum()
    });
    verified as f64 / began.elapsed().as_secs_f64()
}

/// Measures ingest.
///
/// # Errors
/// When the node cannot run or loses something.
pub fn measure(settings: &Settings) -> anyhow::Result<Figure> {
    let scratch = Scratch::new(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figure = runtime.block_on(run(settings, &scratch));
    runtime.shutdown_background();
    figure
}

async fn run(settings: &Settings, scratch: &Scratch) -> anyhow::Result<Figure> {
    let (bench, outbound) = Bench::start(scratch, settings.devices).await?;
    tokio::spawn(discard(outbound));
    let load = in_turns(sign(settings, &bench.seeds)?);
    let ceiling_per_second = verification_ceiling(&load, &bench.seeds, f64::from(settings.seconds).min(5.0));
    let envelopes = load.len() as u64;
    let bytes: usize = load.iter().map(|(_, envelope)| envelope.len()).sum();
    let (log_before, cpu_before) = (bench.telemetry.log_bytes.get(), cpu_seconds());
    let began = clock::monotonic();
    let mut samples = Vec::new();
    for (place, (kid, bytes)) in load.into_iter().enumerate() {
        let reply = (place % SAMPLE_EVERY == 0).then(|| {
            let (reply, answer) = oneshot::channel();
            let sent = clock::monotonic();
            samples.push(tokio::spawn(async move {
                let answer: Result<_, SubmitError> = answer.await.unwrap_or(Err(SubmitError::Stopping));
                answer.map(|_| sent.elapsed())
            }));
            reply
        });
        bench.intake.send(Submission { topic_kid: Some(kid), bytes, reply }).await?;
    }
    let elapsed = bench.drained(envelopes).await.duration_since(began);
    let accepted = bench.accepted();
    anyhow::ensure!(accepted == envelopes, "{accepted} of {envelopes} envelopes were accepted");
    let cpu = cpu_seconds() - cpu_before;
    let written = bench.telemetry.log_bytes.get() - log_before;
    let mut latencies = Vec::with_capacity(samples.len());
    for sample in samples {
        latencies.push(sample.await??);
    }
    bench.stop().await?;
    let count = envelopes as f64;
    Ok(Figure {
        name: "ingest: verified, applied, durable, acknowledged",
        unit: "envelopes/s",
        per_second: count / elapsed.as_secs_f64(),
        ceiling: "batch verification on all cores",
        ceiling_per_second,
        details: vec![
            ("envelopes", count, ""),
            ("envelope size", bytes as f64 / count, "bytes"),
            ("readings", count * f64::from(settings.records) / elapsed.as_secs_f64(), "records/s"),
            ("latency p50 at full load", percentile_milliseconds(&mut latencies, 500), "ms"),
            ("latency p99 at full load", percentile_milliseconds(&mut latencies, 990), "ms"),
            ("CPU", cpu / count * 1e6, "µs/envelope"),
            ("written to the log", written as f64 / bytes as f64, "x envelope bytes"),
            ("peak RSS, load included", peak_rss_megabytes(), "MB"),
        ],
    })
}

/// Takes acks as a broker would, and drops them.
pub async fn discard(mut outbound: mpsc::Receiver<crate::mqtt::Outbound>) {
    let mut burst = Vec::new();
    while outbound.recv_many(&mut burst, 256).await > 0 {
        burst.clear();
    }
}
