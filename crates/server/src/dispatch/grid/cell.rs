//! Cells of the grid: squares in degrees, in levels; a cell has eight by eight cells of the next finer level in it.

use crate::dispatch::geo::{EARTH_RADIUS_KM, Point, half};

/// Microdegrees once around the globe, and from pole to pole.
const AROUND: i64 = 360_000_000;
const UPWARD: i64 = 180_000_000;
/// The side of a leaf is 2^10 microdegrees: 114 m from south to north.
const LEAF_BITS: u32 = 10;
/// The side of a cell is 2^3 sides of the next finer ones.
const FANOUT_BITS: u32 = 3;
/// The level whose one cell holds everything; leaves are on level 0.
const TOP: u32 = 7;
/// What rounding may take from a distance: a part of it, and a micrometre.
const ROUNDING: (f64, f64) = (1.0 - 1e-9, 1e-9);

/// A cell. Rows count from the south pole, columns eastward from 180°.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cell {
    level: u32,
    row: u32,
    column: u32,
}

impl Cell {
    /// The one that holds everything.
    pub(super) const ALL: Self = Self { level: TOP, row: 0, column: 0 };

    /// The leaf that holds a point.
    pub(super) fn leaf(point: Point) -> Self {
        let (x, y) = plane(point);
        // Never cut off: 360,000,000 has 29 bits.
        let number = |side: i64| u32::try_from(side >> LEAF_BITS).unwrap_or(0);
        Self { level: 0, row: number(y), column: number(x) }
    }

    pub(super) const fn is_leaf(self) -> bool {
        self.level == 0
    }

    /// The cell that it is in, and the bit that stands for it there.
    pub(super) fn parent(self) -> Option<(Self, u64)> {
        let inner = |number: u32| number % (1 << FANOUT_BITS);
        let (row, column) = (self.row >> FANOUT_BITS, self.column >> FANOUT_BITS);
        let bit = 1 << (inner(self.row) << FANOUT_BITS | inner(self.column));
        (self.level < TOP).then_some((Self { level: self.level + 1, row, column }, bit))
    }

    /// The cells in it for which these bits stand.
    pub(super) fn children(self, mut bits: u64) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let number = (bits != 0).then(|| bits.trailing_zeros())?;
            bits &= bits - 1;
            Some(Self {
                level: self.level - 1,
                row: self.row << FANOUT_BITS | number >> FANOUT_BITS,
                column: (self.column << FANOUT_BITS) | (number % (1 << FANOUT_BITS)),
            })
        })
    }
}

/// Microdegrees eastward from 180°, which is on both ends of the map, and northward from the south pole.
fn plane(point: Point) -> (i64, i64) {
    let x = point.longitude.microdegrees() + AROUND / 2;
    (if x == AROUND { 0 } else { x }, point.latitude.microdegrees() + UPWARD / 2)
}

/// Where distances are measured from.
pub(super) struct Origin {
    x: i64,
    y: i64,
    cosine: f64,
}

impl Origin {
    pub(super) fn new(point: Point) -> Self {
        let (x, y) = plane(point);
        Self { x, y, cosine: point.latitude.degrees().to_radians().cos() }
    }

    /// The point is no nearer than this, in kilometres: the distance but for a tiny part, in a tenth of the time.
    pub(super) fn nearly_km(&self, point: Point) -> f64 {
        let (x, y) = plane(point);
        let eastward = (x - self.x).abs();
        self.km((y - self.y).abs(), eastward.min(AROUND - eastward), point.latitude.microdegrees())
    }

    /// Nothing in the cell is nearer than this, in kilometres: no latitude and no longitude in it differs by less than
    /// those of its nearest sides, and no cosine is smaller than that of the side next to a pole.
    pub(super) fn at_least_km(&self, cell: Cell) -> f64 {
        let side = 1 << (LEAF_BITS + FANOUT_BITS * cell.level);
        let (south, west) = (i64::from(cell.row) * side, i64::from(cell.column) * side);
        let (north, east) = ((south + side).min(UPWARD), (west + side).min(AROUND));
        let upward = (south - self.y).max(self.y - north).max(0);
        let eastward = (west - self.x).max(self.x - east).max(0);
        // Or the other way around the globe.
        let eastward = eastward.min(AROUND - (east - west) - eastward);
        let polar = (UPWARD / 2 - south).max(north - UPWARD / 2);
        self.km(upward, eastward, polar)
    }

    /// At most the distance by the haversine formula, of a point at that latitude. Sine and cosine are replaced by the
    /// beginnings of their series, which are never greater.
    fn km(&self, upward: i64, eastward: i64, latitude: i64) -> f64 {
        let haversine = sine(upward).powi(2) + self.cosine * cosine(latitude) * sine(eastward).powi(2);
        (2.0 * EARTH_RADIUS_KM * haversine.sqrt() * ROUNDING.0 - ROUNDING.1).max(0.0)
    }
}

/// At most the sine of half the angle.
fn sine(microdegrees: i64) -> f64 {
    let half = half(microdegrees);
    half * (1.0 - half * half / 6.0)
}

/// At most the cosine of an angle up to 90°.
fn cosine(microdegrees: i64) -> f64 {
    let square = half(2 * microdegrees).powi(2);
    (1.0 - square / 2.0 * (1.0 - square / 12.0 * (1.0 - square / 30.0))).max(0.0)
}
