//! The part of the data that comes with this program, in few bytes: for each quarter of an hour and each zone of departure a
//! row, with a column for each zone of arrival.

use std::{fmt::Write, fs, path::Path};

use anyhow::Context;

use super::{Demand, Flow, QUARTERS, Zone};

const TRIPS: &str = "trips.csv";
const ZONES: &str = "zones.csv";
const BUILT_IN_TRIPS: &str = include_str!("../../../demand/trips.csv");
const BUILT_IN_ZONES: &str = include_str!("../../../demand/zones.csv");

/// What comes with this program.
pub(super) fn built_in() -> anyhow::Result<Demand> {
    read(BUILT_IN_TRIPS, BUILT_IN_ZONES).context("the extract within this program")
}

/// Writes both files.
pub(super) fn write(demand: &Demand, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for (name, text) in [(TRIPS, trips_text(demand)), (ZONES, zones_text(demand)?)] {
        fs::write(folder.join(name), text).with_context(|| folder.join(name).display().to_string())?;
    }
    Ok(())
}

fn trips_text(demand: &Demand) -> String {
    let mut text = "quarter,from".to_owned();
    // Writing to a string does not fail.
    for zone in &demand.zones {
        let _ = write!(text, ",{}", zone.id);
    }
    for row in demand.flows.chunk_by(|a, b| (a.quarter, a.from) == (b.quarter, b.from)) {
        let mut counts = vec![0; demand.zones.len()];
        for flow in row {
            counts[flow.to] = flow.trips;
        }
        let _ = write!(text, "\n{},{}", row[0].quarter, demand.zones[row[0].from].id);
        for count in counts {
            let _ = write!(text, ",{count}");
        }
    }
    text + "\n"
}

fn zones_text(demand: &Demand) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["zone", "name", "outline"])?;
    for zone in &demand.zones {
        let corners = zone.outline().iter().map(|(north, east)| format!("{north} {east}"));
        writer.write_record([&zone.id.to_string(), &zone.name, &corners.collect::<Vec<_>>().join(" ")])?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn read(trips: &str, zones: &str) -> anyhow::Result<Demand> {
    let zones: Vec<Zone> =
        csv::Reader::from_reader(zones.as_bytes()).deserialize().map(zone).collect::<Result<_, _>>()?;
    let mut reader = csv::Reader::from_reader(trips.as_bytes());
    let mut flows = Vec::new();
    for row in reader.deserialize() {
        let (quarter, from, counts): (u8, u32, Vec<u64>) = row?;
        anyhow::ensure!(
            quarter < QUARTERS && counts.len() == zones.len(),
            "{TRIPS} and {ZONES} do not belong together"
        );
        let from = zones.iter().position(|zone| zone.id == from).with_context(|| format!("there is no zone {from}"))?;
        let all = counts.into_iter().enumerate().map(|(to, trips)| Flow { quarter, from, to, trips });
        flows.extend(all.filter(|flow| flow.trips > 0));
    }
    Ok(Demand { zones, flows })
}

fn zone(row: Result<(u32, String, String), csv::Error>) -> anyhow::Result<Zone> {
    let (id, name, outline) = row?;
    let numbers: Vec<f64> = outline.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let corners = numbers.chunks_exact(2).map(|corner| (corner[0], corner[1])).collect();
    Zone::new(id, name, corners).with_context(|| format!("zone {id} has no area"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let demand = built_in().unwrap();
        let again = read(&trips_text(&demand), &zones_text(&demand).unwrap()).unwrap();
        assert_eq!(demand, again);
    }

    #[test]
    fn the_extract_has_the_evening_of_all_manhattan() {
        let demand = built_in().unwrap();
        assert_eq!(demand.zones.len(), 61);
        assert!(demand.covers(&(16..20)) && !demand.covers(&(15..20)));
        assert_eq!(demand.flows.iter().map(|flow| flow.trips).sum::<u64>(), 28_093_731);
        assert!(demand.flows.is_sorted());
    }
}
