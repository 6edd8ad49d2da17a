//! Owners' commands to their devices: the way in, and what became of the last one.

#![allow(unused_qualifications, reason = "utoipa writes parameters' types with their paths")]

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use devices::{Configuration, DeviceId, KeyOffer, Order, Refusal, SignedCommand};
use serde::Serialize;
use utoipa::ToSchema;

use super::door::{self, Door};
use super::problem::Problem;
use crate::commander::CommandError;

/// A command that is on its way.
#[derive(Debug, Serialize, ToSchema)]
pub struct Commanded {
    /// The device.
    #[schema(example = "be5de2f4bcdc383a")]
    kid: String,
    /// The command's counter.
    counter: u64,
}

/// A quantity that is urgent outside of bounds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Threshold {
    /// The SenML name of its records.
    #[schema(example = "temp")]
    name: String,
    /// Urgent where the value is smaller.
    #[schema(example = "-5")]
    below: Option<String>,
    /// Urgent where the value is greater.
    #[schema(example = "45")]
    above: Option<String>,
}

/// What `configure` asks: the whole of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Configured {
    /// Seconds from one sample to the next.
    interval_seconds: u32,
    /// Seconds that records are collected; 0 sends every sample alone.
    batch_seconds: u32,
    /// What is sent at once.
    thresholds: Vec<Threshold>,
}

impl From<Configuration<'_>> for Configured {
    fn from(configuration: Configuration<'_>) -> Configured {
        let threshold = |threshold: devices::Threshold<'_>| Threshold {
            name: threshold.name.to_owned(),
            below: threshold.below.map(|bound| bound.to_string()),
            above: threshold.above.map(|bound| bound.to_string()),
        };
        Configured {
            interval_seconds: configuration.interval_seconds(),
            batch_seconds: configuration.batch_seconds(),
            thresholds: configuration.thresholds().map(threshold).collect(),
        }
    }
}

/// A key that a device offers in answer to `rotate_key`.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfferedKey {
    /// Its generation.
    generation: u32,
    /// 64 hex digits.
    public_key: String,
    /// What the ledger's `rotate_key` carries, 128 hex digits.
    proof: String,
    /// The device's own signature around all of it: the message on its topic `proof`, in hex.
    raw: String,
}

/// The last command to a device.
#[derive(Debug, Serialize, ToSchema)]
pub struct LastCommand {
    /// The device.
    #[schema(example = "be5de2f4bcdc383a")]
    kid: String,
    /// Its counter.
    counter: u64,
    /// `configure`, `rotate_key`, `use_key` or `hand_over`.
    #[schema(example = "configure")]
    order: &'static str,
    /// What `configure` asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<Configured>,
    /// Whether the device has said, in a signed reading on the ledger, that it took this command.
    confirmed: bool,
    /// The key that the device offers, where this is `rotate_key` and it has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    offered_key: Option<OfferedKey>,
    /// The command as its owner signed it, in hex.
    raw: String,
}

/// Commands a device: one COSE_Sign1 of the account that owns it
///
/// It is kept, and published on the device's topic `down`, until another takes its place.
#[utoipa::path(post, path = "/api/v1/devices/{kid}/commands", tag = "devices",
    params(("kid" = String, Path, description = "16 lower-case hex digits")),
    request_body(content = Vec<u8>, content_type = "application/cose", description = "at most 400 bytes"),
    responses((status = 202, body = Commanded, description = "kept, and on its way"),
        (status = 400, description = "malformed, or for another device", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "not of the owner, or the signature does not hold", body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "replayed", body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "no room for a further device", body = Problem, content_type = "application/problem+json")))]
pub async fn command(
    State(door): State<Door>,
    Path(kid): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Commanded>), Problem> {
    let kid: DeviceId = door::named("kid", &kid)?;
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/cose") {
        let sentence = "a command is one COSE_Sign1 with the content type application/cose";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence));
    }
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "a command has at most 400 bytes")
                .with_reason(Refusal::Malformed.as_str())
        }
        _ => Problem::bad_request("the body could not be read to its end"),
    })?;
    door.query(move |shared| {
        let state = shared.state();
        let owner = state.device(kid).ok_or_else(|| absent(kid))?.owner();
        drop(state);
        let counter = shared.commander.take(&shared.genesis.network, kid, owner, &body).map_err(refused)?;
        Ok((StatusCode::ACCEPTED, Json(Commanded { kid: kid.to_string(), counter })))
    })
    .await
}

fn absent(kid: DeviceId) -> Problem {
    Problem::not_found(format!("no device {kid} is enrolled"))
}

fn refused(error: CommandError) -> Problem {
    let status = match &error {
        CommandError::Unreadable(Refusal::Signature) | CommandError::NotOwner => StatusCode::FORBIDDEN,
        CommandError::Unreadable(_) | CommandError::OtherDevice(_) => StatusCode::BAD_REQUEST,
        CommandError::Replayed(_) => StatusCode::CONFLICT,
        CommandError::Full => StatusCode::SERVICE_UNAVAILABLE,
        CommandError::Storage(_) => return Problem::internal(error),
    };
    let problem = Problem::new(status, error.to_string());
    match error.reason() {
        Some(reason) => problem.with_reason(reason),
        None => problem,
    }
}

/// The last command to a device, and whether the device has taken it
#[utoipa::path(get, path = "/api/v1/devices/{kid}/commands", tag = "devices",
    params(("kid" = String, Path, description = "16 lower-case hex digits")),
    responses((status = 200, body = LastCommand),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such device, or it was never commanded", body = Problem, content_type = "application/problem+json")))]
pub async fn last(State(door): State<Door>, Path(kid): Path<String>) -> Result<Json<LastCommand>, Problem> {
    let kid: DeviceId = door::named("kid", &kid)?;
    door.query(move |shared| {
        let state = shared.state();
        let device = state.device(kid).ok_or_else(|| absent(kid))?;
        let offer = shared.commander.offer(&shared.genesis.network, device);
        // The key says it that has taken the place of the one that was commanded.
        let speaks = device.replaced_by().unwrap_or(kid);
        drop(state);
        let raw = shared.commander.last(kid);
        let raw = raw.ok_or_else(|| Problem::not_found(format!("device {kid} was never commanded")))?;
        let signed = SignedCommand::decode(&raw).map_err(Problem::internal)?;
        let command = signed.command();
        let confirmed = [kid, speaks].into_iter().map(|kid| shared.index.confirmed_of(kid));
        let confirmed: Vec<_> = confirmed.collect::<Result<_, _>>().map_err(Problem::internal)?;
        Ok(Json(LastCommand {
            kid: kid.to_string(),
            counter: command.counter,
            order: command.order.name(),
            configuration: match command.order {
                Order::Configure(configuration) => Some(configuration.into()),
                _ => None,
            },
            confirmed: confirmed.contains(&Some(command.counter)),
            offered_key: offer.map(|(offer, raw)| offered(&offer, &raw)),
            raw: hex::encode(&raw),
        }))
    })
    .await
}

fn offered(offer: &KeyOffer, raw: &[u8]) -> OfferedKey {
    OfferedKey {
        generation: offer.generation,
        public_key: offer.public_key.to_string(),
        proof: hex::encode(offer.proof),
        raw: hex::encode(raw),
    }
}
