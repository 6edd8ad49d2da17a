//! The map as SVG drawn here: cells, a grid of degrees and a scale, in integers.
//!
//! A plane is enough for a city: degrees of latitude keep their length, those of longitude are narrowed by the middle
//! latitude's cosine. Coordinates are hundredths of a thousandth of the picture's width.

use crate::coast::{self, Bounds};
use crate::view::{DeviceCounts, MapCell, Position};

/// Width of the picture in its own coordinates.
pub const WIDTH: i64 = 10_000;
/// Its height.
pub const HEIGHT: i64 = 5_600;
/// Space around the outermost cells.
const MARGIN: i64 = 700;
/// A cell that would be narrower than this is drawn as a dot, which a finger still hits.
const CELL_WIDTH_MIN: i64 = 260;
/// Radius of such a dot.
const DOT_RADIUS: i64 = 130;
/// The least span that is shown, in micro-degrees: some two kilometres, so that one cell has a surrounding.
const SPAN_MIN: i64 = 20_000;
const TURN: i64 = 360_000_000;
/// Metres in a thousand micro-degrees of latitude, times ten: a circle of 40,007,863 m (WGS 84, through the poles).
const DECIMETRES_OF_A_MILLIDEGREE: i64 = 1_111;

/// A cell as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The H3 index.
    pub cell: String,
    /// How its devices do, as one word: also the class that colours it.
    pub state: &'static str,
    /// What the picture says of it when asked.
    pub words: String,
    /// Corners as `x,y x,y`; empty where it is drawn as a dot.
    pub corners: String,
    /// The middle.
    pub x: i64,
    /// The middle.
    pub y: i64,
    /// Of a dot.
    pub radius: i64,
    /// How many devices; "" where there is no room to write it.
    pub label: String,
}

/// A line of the grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridLine {
    /// Where it lies across the picture.
    pub at: i64,
    /// Its degrees.
    pub label: String,
}

/// The picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture {
    /// Land, as an SVG path; `None` where this build knows none.
    pub land: Option<String>,
    /// The cells.
    pub shapes: Vec<Shape>,
    /// From top to bottom.
    pub meridians: Vec<GridLine>,
    /// From left to right.
    pub parallels: Vec<GridLine>,
    /// Length of the scale's bar.
    pub bar: i64,
    /// Where it begins: on the right, because the parallels have their labels on the left.
    pub bar_left: i64,
    /// What that is on the ground.
    pub bar_label: String,
}

/// The part of the Earth that is shown.
struct Frame {
    centre: (i64, i64),
    /// Ten thousandths by which a degree of longitude is shorter.
    narrow: i64,
    /// Picture units in so many micro-degrees of latitude.
    scale: (i64, i64),
}

/// The cosine in ten thousandths, as Bhaskara I reckoned it: wrong by two thousandths at most.
fn cosine(microdegrees: i64) -> i64 {
    let degrees_squared = (microdegrees / 1_000).pow(2);
    let circle = 32_400_000_000;
    ((circle - 4 * degrees_squared) * 10_000 / (circle + degrees_squared)).max(200)
}

/// A longitude within half a turn of `reference`.
fn near(longitude: i64, reference: i64) -> i64 {
    reference + (longitude - reference + TURN / 2).rem_euclid(TURN) - TURN / 2
}

impl Frame {
    /// Around all of `places`; `None` where there is none.
    fn around<'a>(places: impl Iterator<Item = &'a Position> + Clone) -> Option<Self> {
        let reference = i64::from(places.clone().next()?.longitude_microdegrees);
        let latitudes = places.clone().map(|place| i64::from(place.latitude_microdegrees));
        let longitudes = places.map(|place| near(place.longitude_microdegrees.into(), reference));
        let (south, north) = (latitudes.clone().min()?, latitudes.max()?);
        let (west, east) = (longitudes.clone().min()?, longitudes.max()?);
        let centre = (i64::midpoint(west, east), i64::midpoint(south, north));
        let narrow = cosine(centre.1);
        let across = ((east - west) * narrow / 10_000).max(SPAN_MIN);
        let up = (north - south).max(SPAN_MIN);
        let (wide, high) = ((WIDTH - 2 * MARGIN, across), (HEIGHT - 2 * MARGIN, up));
        let scale = if wide.0 * high.1 < high.0 * wide.1 { wide } else { high };
        Some(Self { centre, narrow, scale })
    }

    fn x(&self, longitude: i64) -> i64 {
        let east = (near(longitude, self.centre.0) - self.centre.0) * self.narrow / 10_000;
        WIDTH / 2 + east * self.scale.0 / self.scale.1
    }

    fn y(&self, latitude: i64) -> i64 {
        HEIGHT / 2 - (latitude - self.centre.1) * self.scale.0 / self.scale.1
    }

    fn point(&self, place: &Position) -> (i64, i64) {
        (self.x(place.longitude_microdegrees.into()), self.y(place.latitude_microdegrees.into()))
    }

    /// Micro-degrees of latitude in so many units.
    fn microdegrees(&self, units: i64) -> i64 {
        units * self.scale.1 / self.scale.0
    }

    fn shape(&self, cell: &MapCell) -> Shape {
        let (x, y) = self.point(&cell.centre);
        let corners: Vec<(i64, i64)> = cell.outline.iter().map(|corner| self.point(corner)).collect();
        let (left, right) =
            corners.iter().fold((x, x), |(left, right), at| (left.min(at.0), right.max(at.0)));
        let is_dot = right - left < CELL_WIDTH_MIN;
        let text: Vec<String> = corners.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let total = cell.devices.total();
        Shape {
            cell: cell.cell.clone(),
            state: state(&cell.devices),
            words: words(&cell.devices),
            corners: if is_dot { String::new() } else { text.join(" ") },
            x,
            y,
            radius: DOT_RADIUS,
            label: if is_dot && total < 2 { String::new() } else { total.to_string() },
        }
    }

    /// What is shown, and a little more.
    fn bounds(&self) -> Bounds {
        let (across, up) =
            (self.microdegrees(WIDTH) * 10_000 / self.narrow / 1_900, self.microdegrees(HEIGHT) / 1_900);
        let (east, north) = (self.centre.0 / 1_000, self.centre.1 / 1_000);
        Bounds { west: east - across, south: north - up, east: east + across, north: north + up }
    }

    /// Grid lines within `0..units`, at round degrees: two to six of them.
    fn grid(
        &self,
        units: i64,
        narrow: i64,
        middle: i64,
        place: impl Fn(i64) -> i64,
        sides: [&str; 2],
    ) -> Vec<GridLine> {
        let span = self.microdegrees(units) * 10_000 / narrow;
        let step = nice_below((span / 3).max(1));
        let first = (middle - span / 2).div_euclid(step) * step;
        (0..10)
            .map(|count| first + count * step)
            .map(|at| GridLine { at: place(at), label: degrees(at, step, sides) })
            .filter(|line| (0..units).contains(&line.at))
            .collect()
    }
}

/// The largest of 1, 2 and 5 times a power of ten that is no larger.
fn nice_below(most: i64) -> i64 {
    let mut power = 1;
    while power * 10 <= most {
        power *= 10;
    }
    [5, 2, 1].into_iter().map(|nice| nice * power).find(|nice| *nice <= most).unwrap_or(1)
}

/// `57.15° N`, with as many decimals as the step has.
fn degrees(microdegrees: i64, step: i64, sides: [&str; 2]) -> String {
    let wrapped = near(microdegrees, 0);
    let mut decimals = 6;
    let mut unit = 1;
    while decimals > 0 && step % (unit * 10) == 0 {
        unit *= 10;
        decimals -= 1;
    }
    let number = crate::numbers::decimal(i128::from(wrapped.abs() / unit), decimals);
    let side = if wrapped < 0 { sides[1] } else { sides[0] };
    format!("{number}° {side}")
}

/// One word for how a cell's devices do.
pub fn state(devices: &DeviceCounts) -> &'static str {
    let living = devices.online + devices.silent + devices.new;
    match devices {
        _ if living == 0 => "revoked",
        DeviceCounts { online, .. } if *online == living => "online",
        DeviceCounts { online: 1.., .. } => "partly",
        DeviceCounts { silent: 1.., .. } => "silent",
        _ => "new",
    }
}

/// `3 devices: 2 online, 1 silent`.
pub fn words(devices: &DeviceCounts) -> String {
    let kinds = [
        (devices.online, "online"),
        (devices.silent, "silent"),
        (devices.new, "new"),
        (devices.revoked, "revoked"),
    ];
    let said: Vec<String> =
        kinds.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    format!("{}: {}", crate::numbers::counted(devices.total(), "device", "devices"), said.join(", "))
}

impl Picture {
    /// Draws `cells`; `None` where there is none.
    pub fn draw(cells: &[MapCell]) -> Option<Self> {
        let corners = cells.iter().flat_map(|cell| cell.outline.iter().chain([&cell.centre]));
        let frame = Frame::around(corners)?;
        let decimetres = (frame.microdegrees(WIDTH / 4) * DECIMETRES_OF_A_MILLIDEGREE / 1_000).max(10);
        let metres = nice_below(decimetres / 10);
        let bar = metres * 10 * 1_000 / DECIMETRES_OF_A_MILLIDEGREE * frame.scale.0 / frame.scale.1;
        let project = |(east, north): (i64, i64)| {
            let (east, north) = (east * 1_000 - frame.centre.0, north * 1_000);
            (WIDTH / 2 + east * frame.narrow / 10_000 * frame.scale.0 / frame.scale.1, frame.y(north))
        };
        Some(Self {
            land: coast::path(&frame.bounds(), project),
            shapes: cells.iter().map(|cell| frame.shape(cell)).collect(),
            meridians: frame.grid(WIDTH, frame.narrow, frame.centre.0, |at| frame.x(at), ["E", "W"]),
            parallels: frame.grid(HEIGHT, 10_000, frame.centre.1, |at| frame.y(at), ["N", "S"]),
            bar,
            bar_left: WIDTH - bar - 60,
            bar_label: if metres < 1_000 { format!("{metres} m") } else { format!("{} km", metres / 1_000) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(latitude_microdegrees: i32, longitude_microdegrees: i32) -> Position {
        Position { latitude_microdegrees, longitude_microdegrees }
    }

    fn cell(centre: Position, half: i32) -> MapCell {
        let (north, east) = (centre.latitude_microdegrees, centre.longitude_microdegrees);
        let outline =
            [(half, 0), (0, half), (-half, 0), (0, -half)].map(|(up, right)| at(north + up, east + right));
        let devices = DeviceCounts { online: 1, ..DeviceCounts::default() };
        MapCell { centre, outline: outline.to_vec(), devices, ..MapCell::default() }
    }

    #[test]
    fn the_cosine_is_near_enough_for_a_picture() {
        for (degrees, wanted) in [(0, 10_000), (30, 8_660), (57, 5_446), (60, 5_000), (85, 872)] {
            let found = cosine(degrees * 1_000_000);
            assert!((found - wanted).abs() < 25, "{degrees}: {found}");
            assert_eq!(cosine(-degrees * 1_000_000), found);
        }
        assert_eq!(cosine(90_000_000), 200, "no division by nothing at the poles");
    }

    #[test]
    fn every_cell_lies_inside_wherever_on_earth_they_are() {
        let cities = [
            (57_149_000, -2_099_000),
            (-33_856_784, 151_215_297),
            (0, 0),
            (89_900_000, 10),
            (-1, 179_999_000),
        ];
        for (north, east) in cities {
            for apart in [0, 4_000, 900_000] {
                let other = near(i64::from(east) + i64::from(apart), 0);
                let cells = [
                    cell(at(north, east), 2_000),
                    cell(at(north - apart, i32::try_from(other).expect("fits")), 2_000),
                ];
                let picture = Picture::draw(&cells).expect("drawn");
                for shape in &picture.shapes {
                    assert!((0..=WIDTH).contains(&shape.x) && (0..=HEIGHT).contains(&shape.y), "{shape:?}");
                }
                assert!((1..=8).contains(&picture.parallels.len()), "{:?}", picture.parallels);
                assert!(picture.bar > 0 && picture.bar <= WIDTH / 4 + 10, "{}", picture.bar);
            }
        }
    }

    #[test]
    fn cells_across_the_date_line_are_neighbours() {
        let cells = [cell(at(0, 179_990_000), 2_000), cell(at(0, -179_990_000), 2_000)];
        let picture = Picture::draw(&cells).expect("drawn");
        let [west, east] = [0, 1].map(|place| picture.shapes.get(place).expect("a shape").x);
        assert!(west < east, "{west} lies west of {east}");
        assert!(picture.meridians.iter().any(|line| line.label.contains("180")), "{:?}", picture.meridians);
    }

    #[test]
    fn far_apart_cells_become_dots_and_near_ones_keep_their_corners() {
        let near = Picture::draw(&[cell(at(0, 0), 2_000)]).expect("drawn");
        assert!(!near.shapes.first().expect("one").corners.is_empty());
        let far = Picture::draw(&[cell(at(0, 0), 2_000), cell(at(40_000_000, 0), 2_000)]).expect("drawn");
        assert!(far.shapes.iter().all(|shape| shape.corners.is_empty()));
        assert_eq!(Picture::draw(&[]), None);
    }

    #[test]
    fn a_cell_is_as_well_as_the_devices_that_still_count() {
        let counts = |online, silent, new, revoked| state(&DeviceCounts { online, silent, new, revoked });
        assert_eq!(counts(2, 0, 0, 1), "online");
        assert_eq!(counts(1, 1, 0, 0), "partly");
        assert_eq!(counts(0, 1, 1, 0), "silent");
        assert_eq!(counts(0, 0, 1, 0), "new");
        assert_eq!(counts(0, 0, 0, 1), "revoked");
    }
}
