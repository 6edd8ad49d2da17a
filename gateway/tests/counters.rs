//! What a node does for an envelope, counted and not timed: bytes to the log, signatures, allocations.
//!
//! One test in a process of its own, because allocations are counted for the whole of it.

use std::sync::Arc;

use fleet::load::bulk::{BulkKey, BulkSigner};
use fleet::load::{self, LoadPlan, LoadReader};
use gateway::host::{self, Ends};
use gateway::shared::{Submission, SubmitError};
use gateway::storage::{self, NETWORK_DEFAULT, Wanted};
use gateway::telemetry::Telemetry;
use gateway::{clock, keys};
use ledger::instruction::Instruction;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use tokio::sync::oneshot;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SECRET: [u8; 32] = [42; 32];
const DEVICES: u32 = 500;
const ENVELOPES: u64 = 20_000;
/// Bytes of the log for a hundred bytes of envelopes, at most.
const LOG_BYTES_OF_A_HUNDRED_MAX: u64 = 115;
/// Allocations that a hundred envelopes cost from the intake queue to the ack, at most.
const ALLOCATIONS_OF_A_HUNDRED_MAX: u64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_is_verified_once_written_once_and_costs_few_allocations() {
    let directory = tempfile::tempdir().unwrap();
    let wanted = Wanted { network: Some(NETWORK_DEFAULT.to_owned()), epoch_seconds: Some(86_400) };
    let opened = storage::open(&directory.path().join("data"), &wanted).unwrap();
    let operator = BulkKey::of(&keys::read(&opened.directory.key("operator")).unwrap());
    let telemetry = Arc::new(Telemetry::new());
    let Ends { shared, intake, mut outbound, stop, finished } =
        host::start(opened, telemetry.clone()).unwrap();
    let acks = tokio::spawn(async move {
        let mut burst = Vec::new();
        while outbound.recv_many(&mut burst, 256).await > 0 {
            burst.clear();
        }
    });

    let devices = load::keys(&SECRET, DEVICES).unwrap();
    let enrol = |key: &BulkKey| {
        Instruction::Enrol { public_key: key.public_key, owner: None, position: None }.encode()
    };
    let mut signer = BulkSigner::of_instructions(NETWORK_DEFAULT, &SECRET, 0).unwrap();
    let counter = clock::now_unix_milliseconds();
    for bytes in signer.instructions(&operator, counter, devices.iter().map(enrol).collect()).unwrap() {
        shared.enqueue(bytes).await.unwrap();
    }
    let now = (clock::now_unix_milliseconds() / 1_000) as u32;
    let plan = LoadPlan {
        network: NETWORK_DEFAULT.to_owned(),
        secret: SECRET,
        devices: DEVICES,
        first: 0,
        envelopes: ENVELOPES,
        records_each: 1,
        boot: now,
        base_time: now,
    };
    let file = directory.path().join("load");
    let signed = load::write(&file, &plan).unwrap();
    let mut reader = LoadReader::open(&file).unwrap();
    let mut submissions: Vec<Submission> = std::iter::from_fn(|| reader.take().unwrap())
        .map(|(kid, bytes)| Submission { topic_kid: Some(kid), bytes, reply: None })
        .collect();
    let (last, answer) = oneshot::channel::<Result<_, SubmitError>>();
    submissions.last_mut().unwrap().reply = Some(last);

    // Enrolments are answered before envelopes are counted.
    while telemetry.accepted_instructions.get() < DEVICES.into() {
        tokio::task::yield_now().await;
    }
    let (signatures, log_bytes) = (telemetry.signatures.get(), telemetry.log_bytes.get());
    let region = Region::new(ALLOCATOR);
    for submission in submissions {
        intake.send(submission).await.unwrap();
    }
    answer.await.unwrap().unwrap();
    let allocations = region.change().allocations as u64;

    assert_eq!(telemetry.accepted_envelopes.get(), ENVELOPES);
    assert_eq!(telemetry.signatures.get() - signatures, ENVELOPES, "each signature once");
    let log_bytes = telemetry.log_bytes.get() - log_bytes;
    println!(
        "{allocations} allocations and {log_bytes} log bytes for {ENVELOPES} envelopes of {} bytes",
        signed.bytes
    );
    assert!(log_bytes * 100 <= signed.bytes * LOG_BYTES_OF_A_HUNDRED_MAX, "{log_bytes} of {}", signed.bytes);
    assert!(allocations * 100 <= ENVELOPES * ALLOCATIONS_OF_A_HUNDRED_MAX, "{allocations} for {ENVELOPES}");

    drop((stop, intake, shared));
    finished.await.unwrap().unwrap();
    acks.await.unwrap();
}
