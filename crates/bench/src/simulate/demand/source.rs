//! The data set `pyhailing`: business days of 2018 on Manhattan, by the New York City Taxi and Limousine Commission's zones.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
};

use anyhow::Context;
use serde::Deserialize;

use super::{Demand, Flow, QUARTERS, Zone, outline::simplified};

/// Trips by weekday, quarter of an hour, zone of departure and zone of arrival.
pub(super) const TRIPS: &str = "trips.csv";
/// The zones; their coordinates are kilometres east and north (UTM zone 18).
pub(super) const ZONES: &str = "taxizones.geojson";

/// What is taken for the middle of the plane: a corner of Midtown.
const MIDDLE_KM: (f64, f64) = (586.5, 4_511.5);
/// Where that is, in degrees north and east.
const MIDDLE: (f64, f64) = (40.7499, -73.9754);
/// Kilometres of a degree from south to north, so that kilometres of the data are kilometres of the dispatcher.
const KM_PER_DEGREE: f64 = 111.195;
/// Corners that make less of a difference are left out.
const TOLERANCE_KM: f64 = 0.02;
/// To which outlines are rounded: a metre.
const DEGREES: f64 = 100_000.0;

#[derive(Deserialize)]
struct Row {
    t_15min: u8,
    puzone: u32,
    dozone: u32,
    n_trips: u64,
}

#[derive(Deserialize)]
struct Map {
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    geometry: Geometry,
    properties: Properties,
}

#[derive(Deserialize)]
struct Geometry {
    /// The first is the outline; holes would follow.
    coordinates: Vec<Vec<(f64, f64)>>,
}

#[derive(Deserialize)]
struct Properties {
    zone_id: String,
    zone_name: String,
}

/// Reads both files; weekdays are added up.
pub(super) fn read(folder: &Path) -> anyhow::Result<Demand> {
    let open = |name| fs::read_to_string(folder.join(name)).with_context(|| folder.join(name).display().to_string());
    let zones = zones(&open(ZONES)?).context(ZONES)?;
    let trips = File::open(folder.join(TRIPS)).with_context(|| folder.join(TRIPS).display().to_string())?;
    let flows = flows(trips, &zones).context(TRIPS)?;
    Ok(Demand { zones, flows })
}

fn zones(text: &str) -> anyhow::Result<Vec<Zone>> {
    let map: Map = serde_json::from_str(text)?;
    map.features.into_iter().map(zone).collect()
}

fn zone(feature: Feature) -> anyhow::Result<Zone> {
    let Properties { zone_id, zone_name } = feature.properties;
    let corners = feature.geometry.coordinates.into_iter().next().unwrap_or_default();
    let outline = simplified(&corners, TOLERANCE_KM).into_iter().map(degrees).collect();
    Zone::new(zone_id.parse()?, zone_name, outline).with_context(|| format!("zone {zone_id} has no area"))
}

fn degrees((east_km, north_km): (f64, f64)) -> (f64, f64) {
    let rounded = |degrees: f64| (degrees * DEGREES).round() / DEGREES;
    let north = (north_km - MIDDLE_KM.1) / KM_PER_DEGREE;
    let east = (east_km - MIDDLE_KM.0) / (KM_PER_DEGREE * MIDDLE.0.to_radians().cos());
    (rounded(MIDDLE.0 + north), rounded(MIDDLE.1 + east))
}

fn flows(trips: File, zones: &[Zone]) -> anyhow::Result<Vec<Flow>> {
    let places: BTreeMap<u32, usize> = zones.iter().enumerate().map(|(place, zone)| (zone.id, place)).collect();
    let place = |zone| places.get(&zone).copied().with_context(|| format!("zone {zone} is not on the map"));
    let mut sums = BTreeMap::new();
    for row in csv::Reader::from_reader(trips).deserialize() {
        let Row { t_15min, puzone, dozone, n_trips } = row?;
        anyhow::ensure!(t_15min < QUARTERS, "a day has no quarter of an hour {t_15min}");
        *sums.entry((t_15min, place(puzone)?, place(dozone)?)).or_default() += n_trips;
    }
    Ok(sums.into_iter().map(|((quarter, from, to), trips)| Flow { quarter, from, to, trips }).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const MAP: &str = r#"{"features": [
        {"geometry": {"type": "Polygon", "coordinates": [[[586, 4511], [587, 4511], [587, 4512], [586, 4512], [586, 4511]]]},
         "properties": {"zone_id": "7", "zone_name": "Seven"}}]}"#;

    fn folder(trips: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(ZONES), MAP).unwrap();
        fs::write(folder.path().join(TRIPS), trips).unwrap();
        folder
    }

    #[test]
    fn weekdays_are_added_up_and_kilometres_stay_kilometres() {
        let folder = folder("dow,t_15min,puzone,dozone,n_trips\n0,64,7,7,15\n4,64,7,7,5\n4,65,7,7,1\n");
        let demand = read(folder.path()).unwrap();
        let flow = |quarter, trips| Flow { quarter, from: 0, to: 0, trips };
        assert_eq!(demand.flows, [flow(64, 20), flow(65, 1)]);
        let corners = demand.zones[0].outline();
        let corner = |index: usize| super::super::point(corners[index].0, corners[index].1).unwrap();
        for side in [corner(0).distance_km(corner(1)), corner(1).distance_km(corner(2))] {
            assert!((side - 1.0).abs() < 0.002, "{side} km");
        }
    }

    #[test]
    fn a_trip_from_nowhere_is_an_error() {
        let folder = folder("dow,t_15min,puzone,dozone,n_trips\n0,64,7,8,15\n");
        assert_eq!(format!("{:#}", read(folder.path()).unwrap_err()), "trips.csv: zone 8 is not on the map");
    }
}
