//! The registry: every device with its counts, health, readings and statements.

#![allow(unused_qualifications, reason = "utoipa writes parameters' types with their paths")]

use std::ops::Range;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use dashboard::view::Viewer;
use devices::DeviceId;
use ledger::block::Entry;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::amount::Amount;
use super::csv;
use super::door::{self, Door, Parameters};
use super::instant::{self, rfc3339};
use super::problem::Problem;
use super::statements::{self, Statement};
use super::status::{Count, RefusedCounts};
use crate::clock;
use crate::reads::{self, DeviceFigures, DeviceStatus};
use crate::senml_json::{self, SenmlRecord};
use crate::shared::{Shared, StoredEntry};
use crate::sign_in::Visitor;

/// A place on the Earth, WGS 84.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Position {
    /// Degrees north, six decimals.
    #[schema(value_type = f64, example = 57.1497)]
    pub latitude: Box<RawValue>,
    /// Degrees east, six decimals.
    #[schema(value_type = f64, example = -2.0943)]
    pub longitude: Box<RawValue>,
}

impl From<ledger::registry::Position> for Position {
    fn from(position: ledger::registry::Position) -> Position {
        // The ledger's own rendering has all six decimals; written raw, it is never a float on its way out.
        let text = position.to_string();
        let (latitude, longitude) = text.split_once(',').unwrap_or_default();
        let number =
            |text: &str| RawValue::from_string(text.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Position { latitude: number(latitude), longitude: number(longitude) }
    }
}

/// A device's own number of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Number {
    /// How often the device had started.
    pub boot: u32,
    /// How many envelopes it had made since.
    pub count: u32,
}

/// Somebody who owned a device.
#[derive(Debug, Serialize, ToSchema)]
pub struct FormerOwner {
    /// The account.
    owner: String,
    /// When the next one accepted it: what was read in an earlier second is still this one's.
    until: String,
}

impl From<&ledger::ownership::FormerOwner> for FormerOwner {
    fn from(former: &ledger::ownership::FormerOwner) -> FormerOwner {
        let until = rfc3339(former.until_unix_seconds.saturating_mul(1_000));
        FormerOwner { owner: former.owner.to_string(), until }
    }
}

/// An enrolled device.
#[derive(Debug, Serialize, ToSchema)]
pub struct Device {
    /// 16 hex digits.
    #[schema(example = "be5de2f4bcdc383a")]
    kid: String,
    /// 64 hex digits.
    public_key: String,
    /// The account that is paid; absent while rewards go to the device's escrow.
    owner: Option<String>,
    /// Where rewards wait while there is no owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    escrow: Option<String>,
    /// Who owned it before, oldest first, as far back as readings of their time may still arrive.
    former_owners: Vec<FormerOwner>,
    /// The account that may accept it.
    offered_to: Option<String>,
    /// Kid of the key whose place it took.
    replaces: Option<String>,
    /// Kid of the key that took its place.
    replaced_by: Option<String>,
    /// Where it stands. Its owner and the operator, signed in, get the very place; everybody else the middle of its cell.
    position: Option<Position>,
    /// `exact`, or `cell`; absent where there is no position.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "cell")]
    position_precision: Option<&'static str>,
    /// The H3 cell whose devices share a budget, 15 hex digits; absent where the position is not known.
    #[schema(example = "89197265d07ffff")]
    cell: Option<String>,
    /// `new` before its first reading, `online`, `silent` when none came lately, `revoked` (also when replaced).
    status: DeviceStatus,
    /// Height of the block that enrolled it.
    enrolled_height: u64,
    /// From when on readings are expected of it.
    active_from: String,
    /// Until when they were expected; absent while they still are.
    active_until: Option<String>,
    /// Block time of its last accepted reading.
    last_reading: Option<String>,
    /// The highest accepted (boot, count).
    last_sequence: Option<Number>,
    /// Accepted in all.
    accepted: Count,
    /// Refused by reason, while the node knew the device.
    refused: RefusedCounts,
    /// Estimate for the running epoch: what would be posted if it closed now.
    earned_epoch: Amount,
    /// Posted by its statements so far.
    earned_total: Amount,
    /// Its own address.
    #[schema(example = "/api/v1/devices/be5de2f4bcdc383a")]
    href: String,
    /// Its readings.
    readings: String,
    /// Its statements.
    statements: String,
}

impl Device {
    fn new(shared: &Shared, viewer: &Viewer, figures: &DeviceFigures) -> Device {
        let (device, place) = (&figures.device, figures.place_for(viewer));
        let href = format!("/api/v1/devices/{}", figures.kid);
        let sequence = device.window.highest();
        Device {
            kid: figures.kid.to_string(),
            public_key: device.public_key.to_string(),
            owner: device.owner().map(|owner| owner.to_string()),
            escrow: device.owner().is_none().then(|| reads::escrow(shared, figures.kid).to_string()),
            former_owners: device.ownership.former().iter().map(FormerOwner::from).collect(),
            offered_to: device.offered_to().map(|account| account.to_string()),
            replaces: device.replaces().map(|kid| kid.to_string()),
            replaced_by: device.replaced_by().map(|kid| kid.to_string()),
            position: place.map(|place| Position::from(place.position)),
            position_precision: place.map(|place| if place.exact { "exact" } else { "cell" }),
            cell: figures.cell.map(|cell| cell.to_string()),
            status: figures.status,
            enrolled_height: device.enrolled_height,
            active_from: rfc3339(device.active_from_unix_milliseconds),
            active_until: device.active_until_unix_milliseconds().map(rfc3339),
            last_reading: device.last_accepted_unix_milliseconds.map(rfc3339),
            last_sequence: sequence.map(|sequence| Number { boot: sequence.boot, count: sequence.count }),
            accepted: Count { envelopes: device.accepted_envelopes, records: device.accepted_records },
            refused: RefusedCounts::new(figures.refused),
            earned_epoch: Amount::new(figures.estimate_microtokens),
            earned_total: Amount::new(device.earned_microtokens),
            readings: format!("{href}/readings"),
            statements: format!("{href}/statements"),
            href,
        }
    }
}

/// Which devices a list holds.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DevicesQuery {
    /// Devices whose kid comes after this one.
    #[param(example = "be5de2f4bcdc383a")]
    after: Option<String>,
    /// How many at most; 1000 when absent.
    limit: Option<usize>,
}

/// The devices of the network, in the order of their kids
///
/// A list that is cut carries a `Link` header with the address of the next piece.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(DevicesQuery),
    responses((status = 200, body = [Device]),
        (status = 400, body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(door): State<Door>,
    visitor: Visitor,
    Parameters(query): Parameters<DevicesQuery>,
) -> Result<Response, Problem> {
    let after = query.after.as_deref().map(|after| door::named::<DeviceId>("kid", after)).transpose()?;
    let limit = door::items(query.limit)?;
    let devices = door
        .query(move |shared| {
            let now = clock::now_unix_milliseconds();
            let figures = reads::devices_after(shared, now, after, limit.saturating_add(1));
            Ok(figures
                .iter()
                .map(|figures| Device::new(shared, &visitor.viewer, figures))
                .collect::<Vec<_>>())
        })
        .await?;
    let mut devices = devices;
    let more = devices.len() > limit;
    devices.truncate(limit);
    let mut headers = HeaderMap::new();
    if let (true, Some(last)) = (more, devices.last()) {
        let link = format!("</api/v1/devices?after={}&limit={limit}>; rel=\"next\"", last.kid);
        headers.extend(link.parse().ok().map(|link| (header::LINK, link)));
    }
    Ok((headers, Json(devices)).into_response())
}

/// One device
#[utoipa::path(get, path = "/api/v1/devices/{kid}", tag = "devices",
    params(("kid" = String, Path, description = "16 hex digits", example = "be5de2f4bcdc383a")),
    responses((status = 200, body = Device),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn device(
    State(door): State<Door>,
    visitor: Visitor,
    Path(kid): Path<String>,
) -> Result<Json<Device>, Problem> {
    let kid = door::named::<DeviceId>("kid", &kid)?;
    door.query(move |shared| {
        let figures = known(shared, kid)?;
        Ok(Json(Device::new(shared, &visitor.viewer, &figures)))
    })
    .await
}

fn known(shared: &Shared, kid: DeviceId) -> Result<DeviceFigures, Problem> {
    reads::device(shared, clock::now_unix_milliseconds(), kid).ok_or_else(|| unknown(kid))
}

/// The same for those who need no figures of it: they wait for no estimate.
fn is_known(shared: &Shared, kid: DeviceId) -> Result<(), Problem> {
    shared.state().device(kid).map(drop).ok_or_else(|| unknown(kid))
}

fn unknown(kid: DeviceId) -> Problem {
    Problem::not_found(format!("no device {kid} is enrolled on this network"))
}

/// Which readings, by the time at which the ledger accepted them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TimeQuery {
    /// RFC 3339; inclusive.
    #[param(example = "2026-11-22T07:50:00Z")]
    from: Option<String>,
    /// RFC 3339; exclusive.
    to: Option<String>,
    /// How many at most; 1000 when absent.
    limit: Option<usize>,
}

impl TimeQuery {
    /// The range and the limit.
    ///
    /// # Errors
    /// 400 with one sentence.
    pub fn read(&self) -> Result<(Range<u64>, usize), Problem> {
        Ok((instant::range(self.from.as_deref(), self.to.as_deref())?, door::items(self.limit)?))
    }
}

/// One accepted envelope.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reading {
    /// Its transaction id.
    transaction: String,
    /// Its place in the log.
    index: u64,
    /// Its block.
    height: u64,
    /// That block's time.
    accepted_at: String,
    /// The device's own number of it.
    boot: u32,
    /// The device's own number of it.
    count: u32,
    /// The SenML records, resolved (RFC 8428 §5).
    senml: Vec<SenmlRecord>,
}

impl Reading {
    fn new(entry: &StoredEntry) -> Option<Reading> {
        let Some(Entry::Reading(reading)) = Entry::decode(&entry.bytes) else { return None };
        let sequence = reading.sequence();
        Some(Reading {
            transaction: entry.id.to_string(),
            index: entry.index,
            height: entry.height,
            accepted_at: rfc3339(entry.time_unix_milliseconds),
            boot: sequence.boot,
            count: sequence.count,
            senml: senml_json::records(&reading.pack()),
        })
    }
}

/// A device's accepted readings with their transaction ids
///
/// Oldest first from `from` on; without `from` and `to` the newest ones, still oldest first.
#[utoipa::path(get, path = "/api/v1/devices/{kid}/readings", tag = "devices",
    params(("kid" = String, Path, description = "16 hex digits"), TimeQuery),
    responses((status = 200, body = [Reading]),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn readings(
    State(door): State<Door>,
    Path(kid): Path<String>,
    Parameters(query): Parameters<TimeQuery>,
) -> Result<Json<Vec<Reading>>, Problem> {
    let kid = door::named::<DeviceId>("kid", &kid)?;
    let (range, limit) = query.read()?;
    let newest = query.from.is_none() && query.to.is_none();
    door.query(move |shared| {
        is_known(shared, kid)?;
        let found =
            if newest { shared.last_readings(kid, limit) } else { shared.readings(kid, &range, limit) };
        Ok(Json(found.map_err(Problem::internal)?.iter().filter_map(Reading::new).collect()))
    })
    .await
}

/// A device's statements, newest first; CSV by `Accept: text/csv`
#[utoipa::path(get, path = "/api/v1/devices/{kid}/statements", tag = "devices",
    params(("kid" = String, Path, description = "16 hex digits"), TimeQuery),
    responses((status = 200, content((Vec<Statement> = "application/json"), (String = "text/csv"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn device_statements(
    State(door): State<Door>,
    Path(kid): Path<String>,
    headers: HeaderMap,
    Parameters(query): Parameters<TimeQuery>,
) -> Result<Response, Problem> {
    let kid = door::named::<DeviceId>("kid", &kid)?;
    let (range, limit) = query.read()?;
    let statements = door
        .query(move |shared| {
            is_known(shared, kid)?;
            let found = shared.statements_of_device(kid, &range, limit).map_err(Problem::internal)?;
            statements::describe(shared, found)
        })
        .await?;
    Ok(csv::answer(&headers, &statements, statements::table, &format!("statements-{kid}.csv")))
}
