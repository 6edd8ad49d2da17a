//! The network at a glance: height, epoch, what was accepted and what was refused and why.

use axum::Json;
use axum::extract::State;
use devices::Refusal;
use serde::Serialize;
use utoipa::ToSchema;

use super::amount::Amount;
use super::consensus::{self, Consensus};
use super::door::Door;
use super::instant::rfc3339;
use super::problem::Problem;
use crate::shared::Shared;

/// How many envelopes, and how many SenML records in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Count {
    /// Envelopes.
    pub envelopes: u64,
    /// Records.
    pub records: u64,
}

/// Refused readings by the contract's reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefusedCounts {
    malformed: u64,
    unknown_device: u64,
    revoked: u64,
    signature: u64,
    replayed: u64,
    too_old: u64,
    in_future: u64,
    over_quota: u64,
}

impl RefusedCounts {
    /// Names counts that stand in the order of `Refusal::ALL`.
    pub fn new(counts: [u64; 8]) -> RefusedCounts {
        let of = |refusal: Refusal| counts.get(refusal.index()).copied().unwrap_or_default();
        RefusedCounts {
            malformed: of(Refusal::Malformed),
            unknown_device: of(Refusal::UnknownDevice),
            revoked: of(Refusal::Revoked),
            signature: of(Refusal::Signature),
            replayed: of(Refusal::Replayed),
            too_old: of(Refusal::TooOld),
            in_future: of(Refusal::InFuture),
            over_quota: of(Refusal::OverQuota),
        }
    }
}

/// The part of the log whose readings were erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct PrunedPart {
    /// Height of the block up to which readings were erased; it closed an epoch.
    height: u64,
    /// Entries up to and with that block.
    entries: u64,
    /// Time of that block.
    time: String,
}

/// The space where the data directory lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Disk {
    /// There is less than the reserve: nothing is accepted.
    full: bool,
    /// Free.
    free_bytes: u64,
    /// Kept free (`--disk-reserve`).
    reserve_bytes: u64,
}

/// The network at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    /// The network's id.
    #[schema(example = "devnet")]
    network: String,
    /// The checkpoint's first line.
    #[schema(example = "lamppost/devnet")]
    origin: String,
    /// Height of the last durable block.
    height: u64,
    /// Entries in the log.
    log_size: u64,
    /// The running epoch.
    epoch: u64,
    /// Length of an epoch.
    epoch_seconds: u64,
    /// When the running epoch ends.
    #[schema(example = "2026-11-22T07:50:00.000Z")]
    epoch_ends: String,
    /// Time of the last durable block.
    #[schema(example = "2026-11-22T07:49:59.123Z")]
    time: String,
    /// Enrolled devices.
    devices: u64,
    /// Accepted since genesis.
    accepted: Count,
    /// Refused by reason, since genesis as the seals say.
    refused: RefusedCounts,
    /// What the reward pool holds.
    pool: Amount,
    /// Posted by all statements so far.
    earned_total: Amount,
    /// Estimate for the running epoch: what would be posted if it closed now.
    earned_epoch: Amount,
    /// Whether the node accepts readings and instructions; it does not while its disk is full.
    accepting: bool,
    /// Disk space.
    disk: Disk,
    /// What was pruned; absent when everything is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned: Option<PrunedPart>,
    /// How several validators agree; absent where one alone decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    consensus: Option<Consensus>,
    /// The program's version.
    version: &'static str,
}

/// The network at a glance
#[utoipa::path(get, path = "/api/v1/status", tag = "network", responses((status = 200, body = Status)))]
pub async fn status(State(door): State<Door>) -> Result<Json<Status>, Problem> {
    door.query(|shared| Ok(Json(describe(shared)))).await
}

fn describe(shared: &Shared) -> Status {
    let genesis = &shared.genesis;
    let space = shared.space();
    let figures = crate::reads::figures(shared, crate::clock::now_unix_milliseconds());
    Status {
        network: genesis.network.clone(),
        origin: genesis.origin.clone(),
        height: figures.durable.height,
        log_size: figures.durable.log_size,
        epoch: figures.epoch,
        epoch_seconds: genesis.epoch_seconds,
        epoch_ends: rfc3339(figures.epoch_ends_unix_milliseconds),
        time: rfc3339(figures.durable.time_unix_milliseconds),
        devices: figures.devices.iter().sum(),
        accepted: Count { envelopes: figures.accepted_envelopes, records: figures.accepted_records },
        refused: RefusedCounts::new(figures.refused),
        pool: Amount::new(figures.pool_microtokens),
        earned_total: Amount::new(figures.earned_microtokens),
        earned_epoch: Amount::new(figures.estimate_microtokens),
        accepting: !space.full,
        disk: Disk { full: space.full, free_bytes: space.free_bytes, reserve_bytes: space.reserve_bytes },
        pruned: shared.log.base().map(|base| PrunedPart {
            height: base.height,
            entries: base.entries,
            time: rfc3339(base.time_unix_milliseconds),
        }),
        consensus: consensus::describe(shared),
        version: env!("CARGO_PKG_VERSION"),
    }
}
