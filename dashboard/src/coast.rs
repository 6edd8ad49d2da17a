//! Land for the map's own picture: the basemap's rings, cut to what is shown and thinned to what can be seen.

use std::sync::OnceLock;

use crate::assets;
use crate::limits::COAST_POINTS_MAX;

/// Thousandths of a degree, east and north.
type Place = (i64, i64);
/// Units of the picture.
type Point = (i64, i64);

const TURN: i64 = 360_000;

/// A ring of land and the box around it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ring {
    bounds: Bounds,
    places: Vec<Place>,
}

/// West, south, east and north, in thousandths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least longitude.
    pub west: i64,
    /// The least latitude.
    pub south: i64,
    /// The greatest longitude.
    pub east: i64,
    /// The greatest latitude.
    pub north: i64,
}

impl Bounds {
    fn of(places: &[Place]) -> Option<Self> {
        Some(Self {
            west: places.iter().map(|place| place.0).min()?,
            south: places.iter().map(|place| place.1).min()?,
            east: places.iter().map(|place| place.0).max()?,
            north: places.iter().map(|place| place.1).max()?,
        })
    }

    fn meets(&self, other: &Self) -> bool {
        self.west <= other.east
            && other.west <= self.east
            && self.south <= other.north
            && other.south <= self.north
    }
}

/// The world's land; nothing where this build has no basemap.
fn land() -> &'static [Ring] {
    static LAND: OnceLock<Vec<Ring>> = OnceLock::new();
    LAND.get_or_init(|| assets::BASEMAP.content().map(|text| rings(&text)).unwrap_or_default())
}

/// Reads the rings of `{"land":[[[x,y,dx,dy,…],…],…],…}`, each number the difference from the one before.
fn rings(text: &[u8]) -> Vec<Ring> {
    let (mut rings, mut numbers, mut depth) = (Vec::new(), Vec::new(), 0_i32);
    let (mut number, mut is_negative, mut is_number) = (0_i64, false, false);
    for byte in text.iter().skip_while(|byte| **byte != b'[') {
        match byte {
            b'0'..=b'9' => {
                number = number * 10 + i64::from(byte - b'0');
                is_number = true;
            }
            b'-' => is_negative = true,
            _ => {
                if is_number {
                    numbers.push(if is_negative { -number } else { number });
                }
                (number, is_negative, is_number) = (0, false, false);
                match byte {
                    b'[' => depth += 1,
                    b']' => depth -= 1,
                    _ => {}
                }
                if *byte == b']' && depth == 2 {
                    rings.extend(ring(&std::mem::take(&mut numbers)));
                }
                if depth == 0 {
                    break;
                }
            }
        }
    }
    rings
}

fn ring(differences: &[i64]) -> Option<Ring> {
    let mut last = (0, 0);
    let sum = |step: &[i64]| {
        let &[east, north] = step else { return None };
        last = (last.0 + east, last.1 + north);
        Some(last)
    };
    let places: Vec<Place> = differences.chunks_exact(2).filter_map(sum).collect();
    Some(Ring { bounds: Bounds::of(&places)?, places })
}

/// What of a ring lies inside, by Sutherland and Hodgman: cut at one side after the other.
fn cut(places: &[Place], turn: i64, to: &Bounds) -> Vec<Place> {
    let mut kept: Vec<Place> = places.iter().map(|place| (place.0 + turn, place.1)).collect();
    let at_longitude = |a: Place, b: Place, x: i64| (x, a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0));
    let at_latitude = |a: Place, b: Place, y: i64| (a.0 + (b.0 - a.0) * (y - a.1) / (b.1 - a.1), y);
    for side in 0..4 {
        let is_in = |place: &Place| match side {
            0 => place.0 >= to.west,
            1 => place.0 <= to.east,
            2 => place.1 >= to.south,
            _ => place.1 <= to.north,
        };
        let crossing = |a: Place, b: Place| match side {
            0 => at_longitude(a, b, to.west),
            1 => at_longitude(a, b, to.east),
            2 => at_latitude(a, b, to.south),
            _ => at_latitude(a, b, to.north),
        };
        let mut next = Vec::with_capacity(kept.len());
        let before = kept.last().copied().into_iter().chain(kept.iter().copied());
        for (a, b) in before.zip(kept.iter().copied()) {
            if is_in(&a) != is_in(&b) {
                next.push(crossing(a, b));
            }
            if is_in(&b) {
                next.push(b);
            }
        }
        kept = next;
    }
    kept
}

/// The land within `bounds` as an SVG path (even-odd), through `project`; `None` where this build knows no land.
pub fn path(bounds: &Bounds, project: impl Fn(Place) -> Point) -> Option<String> {
    path_of(land(), bounds, project)
}

fn path_of(land: &[Ring], bounds: &Bounds, project: impl Fn(Place) -> Point) -> Option<String> {
    if land.is_empty() {
        return None;
    }
    let mut drawn: Vec<Vec<Point>> = Vec::new();
    for ring in land {
        for turn in [-TURN, 0, TURN] {
            let shifted =
                Bounds { west: ring.bounds.west + turn, east: ring.bounds.east + turn, ..ring.bounds };
            if shifted.meets(bounds) {
                drawn.push(cut(&ring.places, turn, bounds).into_iter().map(&project).collect());
            }
        }
    }
    // As fine as the page has room for.
    let mut apart = 20;
    loop {
        let thinned: Vec<Vec<Point>> =
            drawn.iter().map(|ring| thinned(ring, apart)).filter(|ring| ring.len() > 2).collect();
        if thinned.iter().map(Vec::len).sum::<usize>() <= COAST_POINTS_MAX {
            return Some(thinned.iter().map(|ring| written(ring)).collect());
        }
        apart *= 2;
    }
}

/// Without the points that lie nearer than `apart` to the last one kept.
fn thinned(ring: &[Point], apart: i64) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    for point in ring {
        let is_far =
            kept.last().is_none_or(|last| (last.0 - point.0).abs() + (last.1 - point.1).abs() >= apart);
        if is_far {
            kept.push(*point);
        }
    }
    kept
}

fn written(ring: &[Point]) -> String {
    let mut out = String::new();
    let mut last = None;
    for (x, y) in ring {
        match last {
            None => out.push_str(&format!("M{x} {y}l")),
            Some((before_x, before_y)) => out.push_str(&format!("{} {} ", x - before_x, y - before_y)),
        }
        last = Some((*x, *y));
    }
    out.push('z');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: Bounds = Bounds { west: 0, south: 0, east: 100, north: 100 };

    fn square(west: i64, south: i64, side: i64) -> String {
        format!("[[{west},{south},{side},0,0,{side},-{side},0]]")
    }

    fn world(polygons: &[String]) -> Vec<Ring> {
        rings(format!("{{\"land\":[{}],\"borders\":[[5,5,1,1]]}}", polygons.join(",")).as_bytes())
    }

    #[test]
    fn rings_are_read_as_they_were_packed() {
        let land = world(&[square(10, 20, 30), square(-50, -60, 5)]);
        assert_eq!(land.len(), 2, "borders are no land");
        assert_eq!(
            land.first().map(|ring| ring.places.clone()),
            Some(vec![(10, 20), (40, 20), (40, 50), (10, 50)])
        );
        assert_eq!(
            land.last().map(|ring| ring.bounds),
            Some(Bounds { west: -50, south: -60, east: -45, north: -55 })
        );
    }

    #[test]
    fn land_is_cut_to_what_is_shown() {
        let land = world(&[square(-50, -50, 100)]);
        let kept = cut(&land.first().expect("one").places, 0, &SHOWN);
        assert_eq!(Bounds::of(&kept), Some(Bounds { west: 0, south: 0, east: 50, north: 50 }));
        assert!(cut(&land.first().expect("one").places, TURN, &SHOWN).is_empty());
    }

    #[test]
    fn land_on_the_other_side_of_the_date_line_is_shown_too() {
        let land = world(&[square(TURN + 10, 10, 50)]);
        let path = path_of(&land, &SHOWN, |place| (place.0 * 100, place.1 * 100));
        assert_eq!(path.as_deref(), Some("M1000 1000l5000 0 0 5000 -5000 0 z"));
        assert_eq!(path_of(&world(&[square(500, 500, 5)]), &SHOWN, |place| place).as_deref(), Some(""));
        assert_eq!(path_of(&[], &SHOWN, |place| place), None, "a build without Node knows no land");
    }

    #[test]
    fn a_coast_of_many_points_is_thinned_to_its_bound() {
        let zigzag: Vec<String> =
            (0..20_000).map(|step| if step % 2 == 0 { "1,30" } else { "1,-30" }.to_owned()).collect();
        let land = world(&[format!("[[0,0,{}]]", zigzag.join(","))]);
        let shown = Bounds { west: 0, south: 0, east: 30_000, north: 100 };
        let path = path_of(&land, &shown, |place| place).expect("land");
        assert!(path.matches(' ').count() <= 2 * COAST_POINTS_MAX, "{}", path.len());
    }
}
