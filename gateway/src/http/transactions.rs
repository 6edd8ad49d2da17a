//! Entries of the log: by id, with their receipts, by block, and the way in for new ones.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use devices::{Refusal, TransactionId};
use serde::Serialize;
use utoipa::ToSchema;

use super::door::{self, Door};
use super::entry::{self, Said};
use super::instant::rfc3339;
use super::problem::Problem;
use crate::limits::{HTTP_BODY_BYTES_MAX, QUERY_ITEMS_DEFAULT};
use crate::shared::{Shared, SubmitError};
use crate::stored::EntryIds;

/// A durable entry of the log, decoded.
#[derive(Debug, Serialize, ToSchema)]
pub struct Transaction {
    /// The transaction's id; of a seal, SHA-256 of its bytes.
    #[schema(example = "f4473b217fae382ade7a0cc7ded0de46d716af161e26a0bee78b9713e065cd59")]
    id: String,
    /// Its place in the log.
    index: u64,
    /// Its block.
    height: u64,
    /// That block's time.
    time: String,
    /// The entry's bytes, in hex.
    raw: String,
    /// Its receipt.
    receipt: String,
    /// Ids of the corrections of it that were posted since, oldest first; at most 1000.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    corrections: Vec<String>,
    /// What it says.
    #[serde(flatten)]
    said: Said,
}

fn id_of(text: &str) -> Result<TransactionId, Problem> {
    door::named("transaction id", text)
}

/// The ids of erased readings are not kept: whoever asks for one is told that it may be one of them.
fn absent(shared: &Shared, id: &TransactionId) -> Problem {
    let sentence = format!("no durable entry has the id {id}; one that was just sent takes a moment");
    match shared.log.base() {
        None => Problem::not_found(sentence),
        Some(base) => Problem::not_found(format!(
            "{sentence}, and readings of before {} were pruned: their receipts still verify",
            rfc3339(base.time_unix_milliseconds)
        ))
        .with_reason("pruned"),
    }
}

/// A durable entry of the log, decoded
#[utoipa::path(get, path = "/api/v1/transactions/{id}", tag = "log",
    params(("id" = String, Path, description = "64 lower-case hex digits")),
    responses((status = 200, body = Transaction),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn transaction(
    State(door): State<Door>,
    Path(id): Path<String>,
) -> Result<Json<Transaction>, Problem> {
    let id = id_of(&id)?;
    door.query(move |shared| {
        let entry = shared.transaction(&id).map_err(Problem::internal)?.ok_or_else(|| absent(shared, &id))?;
        let corrections = shared.index.corrections_of(entry.index, QUERY_ITEMS_DEFAULT);
        let mut ids = EntryIds::new(shared);
        let corrections = corrections.map_err(Problem::internal)?;
        let corrections = corrections.iter().map(|record| ids.id(record.entry_index)).collect();
        Ok(Json(Transaction {
            corrections: Result::map_err(corrections, Problem::internal)?,
            id: id.to_string(),
            index: entry.index,
            height: entry.height,
            time: rfc3339(entry.time_unix_milliseconds),
            raw: hex::encode(&entry.bytes),
            receipt: format!("/api/v1/transactions/{id}/receipt"),
            said: entry::said(shared, &entry.bytes)
                .ok_or_else(|| Problem::internal("an entry is of no known kind"))?,
        }))
    })
    .await
}

/// The receipt of an entry (C2SP tlog-proof v1): verifiable offline
#[utoipa::path(get, path = "/api/v1/transactions/{id}/receipt", tag = "log",
    params(("id" = String, Path, description = "64 lower-case hex digits")),
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn receipt(State(door): State<Door>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = id_of(&id)?;
    let receipt = door
        .query(move |shared| {
            shared.receipt(&id).map_err(Problem::internal)?.ok_or_else(|| absent(shared, &id))
        })
        .await?;
    let mut response = receipt.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // A later receipt of the same entry is of a later checkpoint: both hold, none is for ever the newest.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let name = format!("inline; filename=\"{id}.tlog-proof\"");
    headers.extend(HeaderValue::from_str(&name).ok().map(|name| (header::CONTENT_DISPOSITION, name)));
    Ok(response)
}

/// Where a submitted transaction came to lie.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// The transaction's id.
    id: String,
    /// Its place in the log.
    index: u64,
    /// Its block.
    height: u64,
}

/// Submits one COSE_Sign1, a reading or an instruction; answers once it is durable or refused
///
/// A refusal carries `reason`: one of the contract's eight words for a reading, a word of its own for an instruction.
#[utoipa::path(post, path = "/api/v1/transactions", tag = "log",
    request_body(content = Vec<u8>, content_type = "application/cose", description = "at most 16,384 bytes"),
    responses((status = 202, body = Accepted, description = "durable"),
        (status = 400, description = "malformed", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "unknown, revoked or not the signer", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "replayed", body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "refused", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "over quota", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "stopping, or the disk is full", body = Problem, content_type = "application/problem+json")))]
pub async fn submit(
    State(door): State<Door>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/cose") {
        let sentence = "a transaction is one COSE_Sign1 with the content type application/cose";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence));
    }
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a transaction has at most {HTTP_BODY_BYTES_MAX} bytes"),
        )
        .with_reason(Refusal::Malformed.as_str()),
        _ => Problem::bad_request("the body could not be read to its end"),
    })?;
    let submitted = door.shared().submit(body.to_vec()).await.map_err(refused)?;
    let accepted =
        Accepted { id: submitted.id.to_string(), index: submitted.index, height: submitted.height };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// A refusal as a problem document.
fn refused(error: SubmitError) -> Problem {
    let sentence = error.to_string();
    let (status, reason) = match error {
        SubmitError::Reading(refusal) => (status_of(refusal), Some(refusal.as_str())),
        SubmitError::Instruction { reason: "malformed", .. } => (StatusCode::BAD_REQUEST, Some("malformed")),
        SubmitError::Instruction { reason: "signature", .. } => (StatusCode::FORBIDDEN, Some("signature")),
        SubmitError::Instruction { reason, .. } => (StatusCode::UNPROCESSABLE_ENTITY, Some(reason)),
        SubmitError::Stopping | SubmitError::Full => (StatusCode::SERVICE_UNAVAILABLE, None),
        SubmitError::Storage => (StatusCode::INTERNAL_SERVER_ERROR, None),
    };
    let problem = Problem::new(status, sentence);
    match reason {
        Some(reason) => problem.with_reason(reason),
        None => problem,
    }
}

fn status_of(refusal: Refusal) -> StatusCode {
    match refusal {
        Refusal::Malformed => StatusCode::BAD_REQUEST,
        Refusal::UnknownDevice | Refusal::Revoked | Refusal::Signature => StatusCode::FORBIDDEN,
        Refusal::Replayed => StatusCode::CONFLICT,
        Refusal::TooOld | Refusal::InFuture => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::OverQuota => StatusCode::TOO_MANY_REQUESTS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_clients_fault() {
        let problem = refused(SubmitError::Full);
        assert_eq!((problem.status, problem.reason), (503, None));
        assert!(problem.detail.contains("the disk is full"), "{}", problem.detail);
    }

    #[test]
    fn every_refusal_is_a_clients_fault_and_carries_the_contracts_word() {
        for refusal in Refusal::ALL {
            let problem = refused(SubmitError::Reading(refusal));
            assert!((400..500).contains(&problem.status), "{refusal}");
            assert_eq!(problem.reason.as_deref(), Some(refusal.as_str()));
        }
    }
}
