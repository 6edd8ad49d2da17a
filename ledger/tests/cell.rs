//! Cells: the same as those of H3's own implementation, everywhere.

use ledger::cell::Cell;
use ledger::registry::Position;

/// Micro-degrees north and east, the cell of resolution 15, and its parents of resolution 9 and 0: computed by
/// Uber's H3 4 (`latlng_to_cell`, `cell_to_parent`).
const VECTORS: [(i32, i32, u64, u64, u64); 10] = [
    (57_149_000, -2_099_000, 0x8f1976bb2d24562, 0x891976bb2d3ffff, 0x8019fffffffffff),
    (37_361_559, -122_055_324, 0x8f283470d921c65, 0x89283470d93ffff, 0x8029fffffffffff),
    (-33_868_800, 151_209_300, 0x8fbe0e35cbad0a8, 0x89be0e35cbbffff, 0x80bffffffffffff),
    (64_963_000, -19_020_800, 0x8f0742b02ce8d82, 0x890742b02cfffff, 0x8007fffffffffff),
    (90_000_000, 0, 0x8f0326233ab0399, 0x890326233abffff, 0x8003fffffffffff),
    (-90_000_000, 180_000_000, 0x8ff29380e0d0cc4, 0x89f29380e0fffff, 0x80f3fffffffffff),
    (1, -1, 0x8f754e64992d6d8, 0x89754e64993ffff, 0x8075fffffffffff),
    (-36_848_460, 174_763_332, 0x8fbb5000504e25d, 0x89bb5000507ffff, 0x80bbfffffffffff),
    (51_477_928, -1_545, 0x8f194ad2307416d, 0x89194ad2307ffff, 0x8019fffffffffff),
    (-54_801_912, -68_302_951, 0x8fdf45175542565, 0x89df4517557ffff, 0x80dffffffffffff),
];

fn at(latitude_microdegrees: i32, longitude_microdegrees: i32) -> Option<Cell> {
    Cell::of(Position { latitude_microdegrees, longitude_microdegrees })
}

#[test]
fn a_position_lies_in_the_cell_that_h3_says() {
    for (north, east, cell, parent, base) in VECTORS {
        let found = at(north, east).unwrap();
        assert_eq!(found.index(), cell, "{north},{east}");
        assert_eq!((found.parent(9).index(), found.parent(0).index()), (parent, base), "{north},{east}");
        assert_eq!(found.to_string(), format!("{cell:x}"));
    }
}

#[test]
fn a_parent_is_the_same_by_whatever_way() {
    for (north, east, ..) in VECTORS {
        let cell = at(north, east).unwrap();
        assert_eq!((cell.resolution(), cell.parent(15)), (15, cell));
        for resolution in 0..15 {
            let parent = cell.parent(resolution);
            assert_eq!(parent.resolution(), resolution);
            assert_eq!(cell.parent(resolution + 1).parent(resolution), parent);
            assert_eq!(parent.parent(15), parent, "no cell is made finer");
            assert_eq!(Cell::from_index(parent.index()), Ok(parent), "H3 knows the index");
        }
    }
}

#[test]
fn the_middle_of_a_cell_lies_in_it_and_is_the_same_for_everybody_in_it() {
    for (north, east, ..) in VECTORS {
        for resolution in [5, 7, 9, 15] {
            let cell = at(north, east).unwrap().parent(resolution);
            let centre = cell.centre();
            let of_centre = at(centre.latitude_microdegrees, centre.longitude_microdegrees).unwrap();
            // A cell of resolution 15 is half a metre wide: a micro-degree, a tenth of a metre, still lies within.
            assert_eq!(of_centre.parent(resolution), cell, "{north},{east} at {resolution}");
            assert_eq!(of_centre.parent(resolution).centre(), centre);
        }
    }
}

#[test]
fn what_lies_off_the_earth_has_no_cell() {
    assert_eq!(at(90_000_001, 0), None);
    assert_eq!(at(0, -180_000_001), None);
    assert!(Cell::from_index(0).is_err());
    assert!(Cell::from_index(u64::MAX).is_err());
}

#[test]
fn a_cell_lies_around_its_middle_and_is_read_as_it_is_written() {
    for (north, east, _, parent, _) in VECTORS {
        let cell = at(north, east).unwrap().parent(9);
        let middle = cell.centre();
        let found = at(middle.latitude_microdegrees, middle.longitude_microdegrees).unwrap();
        assert_eq!(found.parent(9), cell, "{parent:x}");
        let outline = cell.outline();
        assert!((5..=10).contains(&outline.len()), "{outline:?}");
        // A cell of resolution 9 is some 400 m across; degrees of longitude say nothing near a pole.
        for corner in outline {
            assert!((corner.latitude_microdegrees - middle.latitude_microdegrees).abs() < 4_000);
        }
        assert_eq!(format!("{parent:x}").parse(), Ok(cell));
    }
    for nonsense in ["", "89", "8g1976bb2d3ffff", "fffffffffffffff", "000000000000000", "0891976bb2d3ffff"] {
        assert!(nonsense.parse::<Cell>().is_err(), "{nonsense}");
    }
}
