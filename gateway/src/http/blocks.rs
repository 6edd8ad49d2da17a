//! Blocks: their seal and their entries.

use axum::Json;
use axum::extract::{Path, State};
use devices::PublicKey;
use ledger::block::{Entry, Seal};
use ledger::certificate::Certificate;
use ledger::instruction::Instruction;
use serde::Serialize;
use utoipa::ToSchema;

use super::door::Door;
use super::entry::{self, SealBody};
use super::instant::rfc3339;
use super::problem::Problem;
use crate::shared::{Shared, StoredBlock, StoredEntry};

/// A block.
#[derive(Debug, Serialize, ToSchema)]
pub struct Block {
    /// Its number; genesis is 0.
    height: u64,
    /// Its time.
    time: String,
    /// Log index of its first entry.
    first_index: u64,
    /// Entries in the log after it.
    log_size: u64,
    /// The seal's id.
    seal_transaction: String,
    /// What the seal says.
    seal: SealBody,
    /// Its transactions in order, without those that were erased; the seal follows them in the log.
    entries: Vec<BlockEntry>,
    /// Readings that pruning erased; their hashes stay in the log's tiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned: Option<u64>,
    /// Who decided it, where there are several validators.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateBody>,
}

/// Precommits of more than two thirds of the validators for this block.
#[derive(Debug, Serialize, ToSchema)]
pub struct CertificateBody {
    /// The round of the height in which it was decided.
    round: u32,
    /// Each validator's signature.
    signatures: Vec<CertificateSignature>,
}

/// One validator's signature over `["lamppost/vote", genesis hash, "precommit", height, round, block id]`.
#[derive(Debug, Serialize, ToSchema)]
pub struct CertificateSignature {
    /// Its name, where the ledger knows the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    validator: Option<String>,
    /// Its key, hex.
    public_key: String,
    /// The signature, hex.
    signature: String,
}

fn certificate(shared: &Shared, certificate: &Certificate) -> CertificateBody {
    let state = shared.state();
    let signature = |(key, signature): &(PublicKey, [u8; 64])| CertificateSignature {
        validator: state.handovers().known(key).map(|known| known.name().to_owned()),
        public_key: key.to_string(),
        signature: hex::encode(signature),
    };
    CertificateBody {
        round: certificate.round,
        signatures: certificate.signatures.iter().map(signature).collect(),
    }
}

/// A transaction of a block.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlockEntry {
    /// Its place in the log.
    pub index: u64,
    /// Its id.
    pub id: String,
    /// `reading` or `instruction`.
    pub kind: &'static str,
    /// The device, for readings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// SenML records in it, for readings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Who signed, for instructions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What was asked, for instructions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
}

/// A block by its height
#[utoipa::path(get, path = "/api/v1/blocks/{height}", tag = "log",
    params(("height" = String, Path, description = "a decimal number; genesis is 0", example = "0")),
    responses((status = 200, body = Block),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn block(State(door): State<Door>, Path(height): Path<String>) -> Result<Json<Block>, Problem> {
    let height: u64 =
        height.parse().map_err(|_| Problem::bad_request("a block's height is a decimal number"))?;
    door.query(move |shared| {
        let block = shared.block(height).map_err(Problem::internal)?;
        let block = block.ok_or_else(|| {
            let last = shared.durable().height;
            Problem::not_found(format!("there is no block {height} yet; the last durable one is {last}"))
        })?;
        describe(shared, block).map(Json)
    })
    .await
}

fn describe(shared: &Shared, mut block: StoredBlock) -> Result<Block, Problem> {
    let last = block.entries.pop().ok_or_else(|| Problem::internal("a block has no seal"))?;
    let seal = Seal::decode(&last.bytes).map_err(Problem::internal)?;
    Ok(Block {
        height: block.height,
        time: rfc3339(block.time_unix_milliseconds),
        first_index: block.first_index,
        log_size: last.index.saturating_add(1),
        seal_transaction: last.id.to_string(),
        seal: SealBody::from(&seal),
        pruned: Some(block.erased).filter(|erased| *erased > 0),
        entries: block.entries.iter().map(|entry| entry_of(shared, entry)).collect(),
        certificate: block.certificate.as_ref().map(|found| certificate(shared, found)),
    })
}

/// One line of a block.
pub fn entry_of(shared: &Shared, entry: &StoredEntry) -> BlockEntry {
    let mut line = BlockEntry {
        index: entry.index,
        id: entry.id.to_string(),
        kind: "reading",
        kid: None,
        records: None,
        account: None,
        name: None,
    };
    match Entry::decode(&entry.bytes) {
        Some(Entry::Reading(reading)) => {
            line.kid = Some(reading.kid().to_string());
            line.records = u64::try_from(reading.pack().record_count()).ok();
        }
        Some(Entry::Instruction(instruction)) => {
            line.kind = "instruction";
            line.account = entry::account(shared, &instruction).map(|account| account.to_string());
            line.name =
                Instruction::decode(instruction.payload()).ok().map(|decoded| decoded.name().as_str());
        }
        Some(Entry::Seal(_)) | None => line.kind = "seal",
    }
    line
}
