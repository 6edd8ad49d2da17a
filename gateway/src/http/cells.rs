//! Devices by cell as GeoJSON (RFC 7946), for maps.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::amount::Amount;
use super::door::Door;
use super::problem::Problem;
use crate::cells::{self, CellFigures};
use crate::clock;
use crate::limits::MAP_CELLS_MAX;

/// A GeoJSON FeatureCollection of cells.
#[derive(Debug, Serialize, ToSchema)]
pub struct CellCollection {
    /// `FeatureCollection`.
    r#type: &'static str,
    /// H3 resolution of the cells: the tariff's, or a coarser one where there are more than 5,000.
    resolution: u8,
    /// Devices whose position is not known.
    unplaced: u64,
    /// The cells, those with most devices first.
    features: Vec<CellFeature>,
}

/// A cell.
#[derive(Debug, Serialize, ToSchema)]
pub struct CellFeature {
    /// `Feature`.
    r#type: &'static str,
    /// The H3 index, 15 hex digits.
    #[schema(example = "89197265d07ffff")]
    id: String,
    /// Its outline.
    geometry: Outline,
    /// What its devices do.
    properties: CellProperties,
}

/// A GeoJSON polygon.
#[derive(Debug, Serialize, ToSchema)]
pub struct Outline {
    /// `Polygon`.
    r#type: &'static str,
    /// One ring of longitude and latitude, counter-clockwise.
    #[schema(value_type = Vec<Vec<Vec<f64>>>)]
    coordinates: [Vec<[Box<RawValue>; 2]>; 1],
}

/// What a cell's devices do.
#[derive(Debug, Serialize, ToSchema)]
pub struct CellProperties {
    /// The H3 index.
    cell: String,
    /// Enrolled devices.
    devices: u64,
    /// Nothing accepted yet.
    new: u64,
    /// Heard lately.
    online: u64,
    /// Not heard lately.
    silent: u64,
    /// Admitted no more.
    revoked: u64,
    /// Paid by all their statements.
    earned_total: Amount,
    /// What would be paid if the epoch closed now.
    earned_epoch: Amount,
}

impl CellFeature {
    fn new(figures: &CellFigures) -> CellFeature {
        let middle = figures.cell.centre().longitude_microdegrees;
        let mut ring: Vec<[Box<RawValue>; 2]> = Vec::new();
        let outline = figures.cell.outline();
        for corner in outline.iter().chain(outline.first()) {
            let longitude = near(corner.longitude_microdegrees, middle);
            ring.push([degrees(longitude), degrees(corner.latitude_microdegrees.into())]);
        }
        let [new, online, silent, revoked] = figures.devices;
        CellFeature {
            r#type: "Feature",
            id: figures.cell.to_string(),
            geometry: Outline { r#type: "Polygon", coordinates: [ring] },
            properties: CellProperties {
                cell: figures.cell.to_string(),
                devices: new + online + silent + revoked,
                new,
                online,
                silent,
                revoked,
                earned_total: Amount::new(figures.earned_microtokens),
                earned_epoch: Amount::new(figures.estimate_microtokens),
            },
        }
    }
}

/// A longitude within half a turn of the cell's middle, so that a cell on the date line stays in one piece.
fn near(longitude: i32, middle: i32) -> i64 {
    const TURN: i64 = 360_000_000;
    let middle = i64::from(middle);
    middle + (i64::from(longitude) - middle + TURN / 2).rem_euclid(TURN) - TURN / 2
}

/// Micro-degrees as degrees with six places, never a float on their way out.
fn degrees(microdegrees: i64) -> Box<RawValue> {
    let sign = if microdegrees < 0 { "-" } else { "" };
    let (whole, part) = (microdegrees.unsigned_abs() / 1_000_000, microdegrees.unsigned_abs() % 1_000_000);
    RawValue::from_string(format!("{sign}{whole}.{part:06}")).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Devices by cell (GeoJSON)
///
/// What everybody may see of where devices stand: the cells whose devices share a budget, at most 5,000 of them.
#[utoipa::path(get, path = "/api/v1/cells", tag = "devices",
    responses((status = 200, body = CellCollection, content_type = "application/geo+json")))]
pub async fn cells(State(door): State<Door>) -> Result<Response, Problem> {
    let cells = door
        .query(move |shared| {
            let look = shared.look_at_length();
            let heard_since = shared.heard_since(clock::now_unix_milliseconds());
            Ok(cells::all(&look, heard_since, MAP_CELLS_MAX))
        })
        .await?;
    let collection = CellCollection {
        r#type: "FeatureCollection",
        resolution: cells.resolution,
        unplaced: cells.unplaced.iter().sum(),
        features: cells.cells.iter().map(CellFeature::new).collect(),
    };
    Ok(([(header::CONTENT_TYPE, "application/geo+json")], Json(collection)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_keep_every_digit_and_cells_on_the_date_line_stay_whole() {
        assert_eq!(degrees(-2_099_000).get(), "-2.099000");
        assert_eq!(degrees(-5).get(), "-0.000005");
        assert_eq!(near(-179_999_000, 179_999_000), 180_001_000);
        assert_eq!(near(57, 58), 57);
    }
}
