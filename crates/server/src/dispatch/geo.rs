//! Distances on the globe.

use holodrive_protocol::{Latitude, Longitude};
use serde::{Deserialize, Serialize};

/// Mean radius of the earth in kilometres (IUGG).
pub(super) const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// A place on the globe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Point {
    /// Degrees north.
    pub latitude: Latitude,
    /// Degrees east.
    pub longitude: Longitude,
}

impl Point {
    /// Great-circle distance in kilometres, by the haversine formula.
    pub fn distance_km(self, other: Self) -> f64 {
        let cosine = |point: Self| point.latitude.degrees().to_radians().cos();
        let half_lat = half(other.latitude.microdegrees() - self.latitude.microdegrees());
        let half_lon = half(other.longitude.microdegrees() - self.longitude.microdegrees());
        let haversine = half_lat.sin().powi(2) + cosine(self) * cosine(other) * half_lon.sin().powi(2);
        2.0 * EARTH_RADIUS_KM * haversine.min(1.0).sqrt().asin()
    }
}

/// Half of an angle in microdegrees, in radians.
#[expect(clippy::cast_precision_loss, reason = "at most 29 bits")]
pub(super) fn half(microdegrees: i64) -> f64 {
    (microdegrees as f64 / 2e6).to_radians()
}

/// Kilometres as the interfaces show them: rounded to 0.01.
pub fn rounded_km(km: f64) -> f64 {
    (km * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn point(latitude: f64, longitude: f64) -> Point {
        Point {
            latitude: Latitude::from_degrees(latitude).unwrap(),
            longitude: Longitude::from_degrees(longitude).unwrap(),
        }
    }

    #[test]
    fn known_distances() {
        // Tashkent to Samarkand, and a quarter of the equator.
        let tashkent_samarkand = point(41.311_081, 69.240_562).distance_km(point(39.654_167, 66.959_722));
        assert!((tashkent_samarkand - 266.6).abs() < 1.0, "{tashkent_samarkand}");
        let quarter = point(0.0, 0.0).distance_km(point(0.0, 90.0));
        assert!((quarter - 10_007.557).abs() < 0.01, "{quarter}");
    }

    #[test]
    fn what_is_no_number_is_no_place() {
        for degrees in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 180.000_001, -180.000_001, f64::MAX] {
            assert_eq!((Latitude::from_degrees(degrees), Longitude::from_degrees(degrees)), (None, None), "{degrees}");
        }
        for degrees in
            ["\"NaN\"", "\"-inf\"", "\"infinity\"", "1e999", "-1e999", "\"1e999\"", "NaN", "null", "180.000001"]
        {
            let told = format!("{{\"latitude\": {degrees}, \"longitude\": {degrees}}}");
            assert!(serde_json::from_str::<Point>(&told).is_err(), "{told}");
        }
        assert_eq!(Latitude::from_degrees(90.000_001).or(Latitude::from_microdegrees(90_000_001)), None);
    }

    #[test]
    fn the_date_line_and_the_poles_are_no_borders() {
        assert!(point(0.0, 179.999).distance_km(point(0.0, -179.999)) < 0.3);
        assert!(point(90.0, 0.0).distance_km(point(90.0, 135.0)) < 1e-6);
    }
}
