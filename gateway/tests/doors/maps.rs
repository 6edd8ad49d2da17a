//! Cells and the operator's own map: what maps are drawn from, and nothing that says where in a cell a device stands.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use gateway::http::own_map;
use gateway::own_map::OwnMap;
use ledger::cell::Cell;
use ledger::registry::Position;
use tower::ServiceExt as _;

use crate::node::Node;

#[tokio::test(flavor = "multi_thread")]
async fn cells_say_how_their_devices_do_and_what_they_earned() {
    let mut node = Node::start(1).await;
    node.read("pm2.5", "ug/m3", "12.53").await;
    let statements = node.settled().await;
    let device = node.get(&format!("/api/v1/devices/{}", node.kid())).await.json();
    let answer = node.get("/api/v1/cells").await;
    assert_eq!(answer.content_type(), "application/geo+json");
    let cells = answer.json();
    assert_eq!((&cells["type"], &cells["resolution"]), (&"FeatureCollection".into(), &9.into()));
    let feature = &cells["features"][0];
    let properties = &feature["properties"];
    assert_eq!((&feature["id"], &properties["cell"]), (&device["cell"], &device["cell"]));
    assert_eq!((&properties["devices"], &properties["online"]), (&1.into(), &1.into()));
    assert_eq!(properties["earned_total"], device["earned_total"]);
    assert_eq!(properties["earned_total"], statements[0]["paid"]);
    let ring = feature["geometry"]["coordinates"][0].as_array().unwrap();
    assert_eq!((ring.len(), ring.first()), (7, ring.last()), "six corners, closed");
    let exact = ["57.149700", "-2.094300"];
    assert!(
        exact.iter().all(|degrees| !answer.text().contains(degrees)),
        "the device's position is in no cell"
    );

    let cell = device["cell"].as_str().unwrap();
    let page = node.get(&format!("/map?cell={cell}")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains(&format!("id=\"d-{}\"", node.kid())), "the cell lists its device");
    assert!(exact.iter().all(|degrees| !page.text().contains(degrees)), "and not where it stands");
    let stands = Position { latitude_microdegrees: 57_149_700, longitude_microdegrees: -2_094_300 };
    let finer = node.get(&format!("/map?cell={}", Cell::of(stands).unwrap())).await;
    assert!(finer.text().contains("No device stands in this cell"), "a finer cell would be a position");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_map_is_given_piece_by_piece() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("city.pmtiles");
    let mut bytes = b"PMTiles\x03".to_vec();
    bytes.extend((0..1_000_u32).map(|number| u8::try_from(number % 251).unwrap()));
    std::fs::write(&path, &bytes).unwrap();
    let router = own_map::router(Some(Arc::new(OwnMap::open(&path).unwrap())));
    let ask = async |range: Option<&str>| {
        let mut request = Request::get(own_map::PATH);
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let piece = ask(Some("bytes=8-17")).await;
    assert_eq!(piece.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(piece.headers()[header::CONTENT_RANGE], "bytes 8-17/1008");
    assert!(piece.headers().contains_key(header::ETAG));
    let piece = axum::body::to_bytes(piece.into_body(), 1_000).await.unwrap();
    assert_eq!(piece[..], bytes[8..=17]);
    assert_eq!(ask(Some("bytes=2000-")).await.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(ask(None).await.status(), StatusCode::BAD_REQUEST, "a whole city is not sent at once");
}
