//! What pages can do beyond their own pictures: charts that can be asked, a map that can be moved, and staying current
//! across a node's restart.

use e2e::broker::free_address;
use e2e::node::Up;
use e2e::sensor::Sensor;
use e2e::wait;
use serde_json::{Value, json};
use std::path::Path;
use thirtyfour::prelude::*;
use xtask::process;

use crate::pages::city;
use crate::session::{Browser, Reader};

/// How many values the first chart says that it shows.
const VALUES: &str =
    "return Number(/(\\d+) values/.exec(document.querySelector('.picture [role=img]')?.ariaLabel)?.[1] ?? 0)";

const MAP_IS_MADE: &str = "return document.getElementById('map-picture').dataset.drawn === 'made'";

#[tokio::test]
async fn a_chart_is_asked_by_period_pointer_and_keys_and_goes_on_by_itself() -> WebDriverResult<()> {
    let (node, device) = city();
    let kid = device["kid"].as_str().expect("a device has a kid");
    let browser = Browser::open(Reader::default()).await?;
    browser.see(&node, &format!("/devices/{kid}")).await?;
    browser.becomes_true("return document.querySelectorAll('.picture canvas').length > 0").await?;
    let charts = browser.asked("return document.querySelectorAll('.picture').length").await?;
    let drawn = browser.asked("return document.querySelectorAll('.picture canvas').length").await?;
    assert_eq!(charts, drawn, "every quantity has its chart");

    let hour = browser.driver.find(By::XPath("//div[@id='periods']/button[2]")).await?;
    hour.click().await?;
    browser
        .becomes_true("return document.querySelector('.picture [role=img]').ariaLabel.includes('last hour')")
        .await?;
    assert_eq!(hour.attr("aria-pressed").await?.as_deref(), Some("true"));
    let before = browser.asked(VALUES).await?.as_u64().unwrap_or_default();
    assert!(before > 0, "the device's values of the hour are in the chart");
    browser.becomes_true(&format!("{VALUES} > {before}")).await?;

    let chart = browser.driver.find(By::Css(".picture [role=img]")).await?;
    chart.focus().await?;
    chart.send_keys(Key::Left).await?;
    let read = browser.text_becomes(".picture output", |text| text.contains("UTC")).await?;
    assert!(read.chars().next().is_some_and(|first| first.is_ascii_digit() || first == '-'), "{read}");
    assert!(!browser.driver.find_all(By::Css("#numbers table")).await?.is_empty(), "the table stays");
    browser.picture("device-chart").await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    browser.close().await
}

#[tokio::test]
async fn a_cell_on_the_map_lists_its_devices() -> WebDriverResult<()> {
    // One device: its cell is in the middle of the map.
    let node = Up::new().devices(1).start();
    let device = wait::until("a device has sent", wait::LONG, || {
        let devices = node.json("/api/v1/devices");
        devices.as_array()?.iter().find(|device| device["status"] == "online").cloned()
    });
    let browser = Browser::open(Reader::default()).await?;
    browser.see(&node, "/map").await?;
    browser.becomes_true(MAP_IS_MADE).await?;
    browser.text_becomes("#asof", |text| text.starts_with("Live")).await?;
    browser.driver.find(By::Css(".maplibregl-canvas")).await?.click().await?;
    let listed = browser.text_becomes("#cell", |text| text.contains("1 device")).await?;
    assert!(listed.contains(device["kid"].as_str().expect("a kid")), "{listed}");
    let url = browser.driver.current_url().await?;
    assert_eq!(url.query(), Some(format!("cell={}", device["cell"].as_str().expect("a cell")).as_str()));
    browser.picture("map-cell").await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    browser.close().await
}

#[tokio::test]
async fn the_operators_own_map_lies_under_the_cells() -> WebDriverResult<()> {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("city.pmtiles");
    std::fs::write(&file, one_tile_map()).expect("the map can be written");
    let node = Up::new().devices(1).with(&["--map", file.to_str().expect("a path is text")]).start();
    let browser = Browser::open(Reader::default()).await?;
    browser.see(&node, "/map").await?;
    browser.becomes_true(MAP_IS_MADE).await?;
    let tiles = "return performance.getEntriesByType('resource').filter((one) => one.name.endsWith('.pmtiles')).length";
    assert!(browser.asked(tiles).await?.as_u64() >= Some(2), "header and tile were fetched by their ranges");
    browser.picture("map-own").await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    let refused = Up::new().with(&["--map", "Cargo.toml"]).fails();
    assert!(refused.stderr.contains("is no PMTiles file"), "{}", refused.stderr);
    browser.close().await
}

/// A PMTiles file (version 3) of the whole world in one picture: header, a directory of one entry, metadata, tile.
fn one_tile_map() -> Vec<u8> {
    const HEADER_BYTES: usize = 127;
    let picture = hex::decode(ONE_PIXEL).expect("hexadecimal digits");
    // Entries, and of the one: id from the one before, run length, bytes, offset plus one (each a varint).
    let directory = [1, 0, 1, u8::try_from(picture.len()).expect("a small picture"), 1];
    let metadata = b"{}";
    let mut map = b"PMTiles\x03".to_vec();
    let section = |length: usize, at: &mut usize| {
        let start = *at;
        *at += length;
        [start as u64, length as u64]
    };
    let mut at = HEADER_BYTES;
    let [root, about] = [section(directory.len(), &mut at), section(metadata.len(), &mut at)];
    let leaves = section(0, &mut at);
    let data = section(picture.len(), &mut at);
    let counts = [1, 1, 1];
    let numbers = [root, about, leaves, data].into_iter().flatten().chain(counts);
    map.extend(numbers.flat_map(u64::to_le_bytes));
    // Clustered; nothing compressed; PNG; zoom 0 alone.
    map.extend([1, 1, 1, 2, 0, 0]);
    for degrees in [-180, -85, 180, 85] {
        map.extend((degrees * 10_000_000_i32).to_le_bytes());
    }
    map.push(0);
    map.extend([0; 8]);
    assert_eq!(map.len(), HEADER_BYTES);
    map.extend(directory.iter().chain(metadata).chain(&picture));
    map
}

/// One green pixel as PNG.
const ONE_PIXEL: &str = "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de000000\
    0c49444154789c63b8f4e40400050a027fad010e090000000049454e44ae426082";

#[tokio::test]
async fn a_page_survives_its_nodes_restart_and_says_so_meanwhile() -> WebDriverResult<()> {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (data, address) = (directory.path().join("data"), free_address());
    let up = || Up::new().data(&data).http(&address).devices(2).start();
    let mut node = up();
    let browser = Browser::open(Reader::default()).await?;
    browser.see(&node, "/").await?;
    browser.text_becomes("#asof", |text| text.starts_with("Live")).await?;
    let before = browser.text("#log-size").await?;
    assert_eq!(node.terminate().code(), Some(0));
    browser.text_becomes("#asof", |text| text.starts_with("Not live")).await?;
    let _node = up();
    browser.text_becomes("#asof", |text| text.starts_with("Live")).await?;
    browser.text_becomes("#log-size", |text| text != before).await?;
    browser.close().await
}

#[tokio::test]
async fn rows_wait_while_the_reader_is_at_them() -> WebDriverResult<()> {
    let node = Up::new().devices(2).start();
    let browser = Browser::open(Reader::default()).await?;
    browser.see(&node, "/").await?;
    browser.text_becomes("#asof", |text| text.starts_with("Live")).await?;
    let rows = "return document.querySelectorAll('#devices tbody tr').length";
    assert_eq!(browser.asked(rows).await?, json!(2));
    // A reader who has marked a row is at work in the table.
    browser.asked("getSelection().selectAllChildren(document.querySelector('#devices tbody th'))").await?;
    let newcomer = Sensor::any();
    node.enrol(&newcomer.public_key());
    browser.text_becomes("#asof", |text| text.contains("newer rows wait")).await?;
    assert_eq!(browser.asked(rows).await?, json!(2), "nothing moves under the reader's hand");
    browser.asked("getSelection().removeAllRanges()").await?;
    browser.becomes_true(&format!("return document.getElementById('d-{}') !== null", newcomer.kid())).await?;
    browser.close().await
}

#[test]
fn the_basemap_has_no_land_over_the_sea() {
    let packages = process::target_dir().join("npm/node_modules");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("javascript/basemap.mjs");
    let said =
        process::output(process::command("node").arg(script).arg(packages)).expect("the basemap is whole");
    let said: Value = serde_json::from_str(&said).expect("a JSON document");
    assert_eq!(said["wrong"], json!([]), "{said}");
    assert!(said["rings"].as_u64() > Some(1_000));
}
