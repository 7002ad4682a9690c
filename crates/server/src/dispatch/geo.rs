//! Distances on the globe.

use holodrive_protocol::{Latitude, Longitude};
use serde::{Deserialize, Serialize};

/// Mean radius of the earth in kilometres (IUGG).
const EARTH_RADIUS_KM: f64 = 6_371.008_8;

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
        let (lat_a, lat_b) = (self.latitude.degrees().to_radians(), other.latitude.degrees().to_radians());
        let half_lat = (lat_b - lat_a) / 2.0;
        let half_lon = (other.longitude.degrees() - self.longitude.degrees()).to_radians() / 2.0;
        let haversine = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lon.sin().powi(2);
        2.0 * EARTH_RADIUS_KM * haversine.min(1.0).sqrt().asin()
    }
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
    fn the_date_line_and_the_poles_are_no_borders() {
        assert!(point(0.0, 179.999).distance_km(point(0.0, -179.999)) < 0.3);
        assert!(point(90.0, 0.0).distance_km(point(90.0, 135.0)) < 1e-6);
    }
}
