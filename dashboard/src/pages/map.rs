//! The map's page: where devices stand, by cell, and the devices of the cell that was asked for.

use askama::Template;

use super::Shell;
use super::parts::DeviceTable;
use crate::assets;
use crate::limits::MAP_ROWS_MAX;
use crate::map::{HEIGHT, Picture, WIDTH};
use crate::marks::segment;
use crate::view::{ChosenCell, DeviceCounts, Map, MapCell, OwnMap};
use crate::{names, numbers};

/// What draws a map that can be moved.
struct MapLibrary {
    style: &'static str,
    script: &'static str,
    worker: &'static str,
    basemap: &'static str,
    ground: &'static str,
    tiles: &'static str,
    own: &'static str,
}

/// The page.
#[derive(Template)]
#[template(path = "map.html")]
pub struct MapPage {
    shell: Shell,
    picture: Option<Picture>,
    rows: Vec<MapCell>,
    cells_total: usize,
    is_coarse: bool,
    unplaced: DeviceCounts,
    own_map: Option<OwnMap>,
    /// What was asked for, whether it is there or not.
    asked: Option<String>,
    chosen: Option<(ChosenCell, DeviceTable)>,
}

super::is_a_page!(MapPage);

impl MapPage {
    /// The page of what the view answered when it was asked for the cell `asked`.
    pub fn new(map: Map, asked: Option<String>) -> Self {
        let path =
            asked.as_ref().map_or_else(|| "/map".to_owned(), |cell| format!("/map?cell={}", segment(cell)));
        let network = map.network;
        let table = |chosen: ChosenCell| {
            let devices = chosen.devices.clone();
            (chosen, DeviceTable { network: network.clone(), devices, owners: true })
        };
        let chosen = map.chosen.map(table);
        Self {
            picture: Picture::draw(&map.cells),
            cells_total: map.cells.len(),
            rows: map.cells.into_iter().take(MAP_ROWS_MAX).collect(),
            is_coarse: map.resolution < map.tariff_resolution,
            unplaced: map.unplaced,
            own_map: map.own_map,
            asked,
            chosen,
            shell: Shell::new("Map", path, network, true),
        }
    }

    /// `None` where this build has none.
    fn library(&self) -> Option<MapLibrary> {
        Some(MapLibrary {
            style: assets::MAPLIBRE_STYLE.path()?,
            script: assets::MAPLIBRE.path()?,
            worker: assets::MAPLIBRE_WORKER.path()?,
            basemap: assets::BASEMAP.path()?,
            ground: assets::GROUND.path()?,
            tiles: assets::PMTILES.path()?,
            own: assets::MAP_SCRIPT.path()?,
        })
    }

    fn view_box(&self) -> String {
        format!("0 0 {WIDTH} {HEIGHT}")
    }

    fn is_chosen(&self, cell: impl AsRef<str>) -> bool {
        self.chosen.as_ref().is_some_and(|(chosen, _)| chosen.cell.cell == cell.as_ref())
    }
}
