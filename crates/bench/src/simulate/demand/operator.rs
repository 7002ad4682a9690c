//! An operator's own trips, from a CSV file.

use std::{fs::File, io::Read, path::Path};

use anyhow::Context;
use holodrive::dispatch::Point;
use holodrive_protocol::Timestamp;

use super::{Trip, point};
use crate::simulate::moment::{SECOND, at};

/// The columns that a file must have, in any order and beside any others.
const COLUMNS: [&str; 5] =
    ["requested_at", "pickup_latitude", "pickup_longitude", "destination_latitude", "destination_longitude"];

/// Reads a file; the trips come in the order of time.
pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<Trip>> {
    let opened = File::open(file).with_context(|| file.display().to_string())?;
    parse(opened).with_context(|| file.display().to_string())
}

/// Writes trips in the form that [`read`] takes.
pub(crate) fn write(file: &Path, trips: &[Trip]) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_path(file).with_context(|| file.display().to_string())?;
    writer.write_record(COLUMNS)?;
    for trip in trips {
        let degrees = |point: Point| [point.latitude.to_string(), point.longitude.to_string()];
        let ([from_north, from_east], [to_north, to_east]) = (degrees(trip.from), degrees(trip.to));
        let requested_at = (trip.requested_at.as_micros() / SECOND).to_string();
        writer.write_record([requested_at, from_north, from_east, to_north, to_east])?;
    }
    Ok(writer.flush()?)
}

fn parse(text: impl Read) -> anyhow::Result<Vec<Trip>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let columns = columns(reader.headers()?)?;
    let mut trips = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| anyhow::Error::msg(malformed(&error)))?;
        let line = row.position().map_or(0, csv::Position::line);
        trips.push(trip(&row, columns).with_context(|| format!("line {line}"))?);
    }
    anyhow::ensure!(!trips.is_empty(), "the file has no trips");
    trips.sort_by_key(|trip| trip.requested_at);
    Ok(trips)
}

/// What is wrong with a line that is no row.
fn malformed(error: &csv::Error) -> String {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line}: {len} columns, where the first line has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => format!("line {line}: not UTF-8"),
        _ => error.to_string(),
    }
}

/// Where the columns are.
fn columns(header: &csv::StringRecord) -> anyhow::Result<[usize; 5]> {
    let mut places = [0; 5];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        let found = header.iter().position(|column| column.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name));
        *place = found.with_context(|| format!("line 1: no column {name}; needed are {}", COLUMNS.join(", ")))?;
    }
    Ok(places)
}

fn trip(
    row: &csv::StringRecord,
    [requested_at, from_north, from_east, to_north, to_east]: [usize; 5],
) -> anyhow::Result<Trip> {
    let text = |column: usize| row.get(column).unwrap_or_default();
    Ok(Trip {
        requested_at: moment(text(requested_at))?,
        from: place("pickup", text(from_north), text(from_east))?,
        to: place("destination", text(to_north), text(to_east))?,
    })
}

/// RFC 3339, or seconds since any midnight.
fn moment(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..1e10).contains(seconds));
    let seconds = seconds.with_context(|| {
        format!("requested_at is neither a date and time with an offset (RFC 3339) nor a number of seconds: {text:?}")
    })?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the range was checked")]
    Ok(at((seconds * SECOND as f64) as i64))
}

fn place(what: &str, latitude: &str, longitude: &str) -> anyhow::Result<Point> {
    let found = latitude.parse().ok().zip(longitude.parse().ok()).and_then(|(north, east)| point(north, east));
    found.with_context(|| {
        format!("the {what} is not a place in degrees: latitude {latitude:?}, longitude {longitude:?}")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const HEADER: &str =
        "id,Requested_At,pickup_latitude,pickup_longitude,destination_latitude,destination_longitude\n";

    fn error(text: &str) -> String {
        format!("{:#}", parse(text.as_bytes()).unwrap_err())
    }

    #[test]
    fn columns_may_come_in_any_case_and_beside_others_and_times_in_two_forms() {
        let rows = "7,120.5,41.3,69.2,41.4,69.3\n\"a, b\",1970-01-01T01:00:00+01:00, 41.1 ,69.1,41.2,69.2\n";
        let trips = parse(format!("{HEADER}{rows}").as_bytes()).unwrap();
        let times: Vec<_> = trips.iter().map(|trip| trip.requested_at.as_micros()).collect();
        assert_eq!(times, [0, 120_500_000]);
        assert!((trips[0].from.latitude.degrees() - 41.1).abs() < 1e-9);
        assert!((trips[1].to.longitude.degrees() - 69.3).abs() < 1e-9);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert_eq!(error(HEADER), "the file has no trips");
        assert!(error("requested_at,pickup_latitude\n").starts_with("line 1: no column pickup_longitude; needed are"));
        let good = format!("{HEADER}7,120,41.3,69.2,41.4,69.3\n");
        let third = |row: &str| error(&format!("{good}{row}\n"));
        assert!(third("7,noon,41.3,69.2,41.4,69.3").starts_with("line 3: requested_at is neither"));
        assert!(third("7,2026-01-01T10:00:00,41.3,69.2,41.4,69.3").starts_with("line 3: requested_at is neither"));
        assert!(third("7,1,91,69.2,41.4,69.3").starts_with("line 3: the pickup is not a place"));
        assert!(third("7,1,41.3,69.2,,69.3").starts_with("line 3: the destination is not a place"));
        assert_eq!(third("7,1"), "line 3: 2 columns, where the first line has 6");
        let latin = [good.as_bytes(), b"7,1,41.3,69.2,41.4,\xfc\n"].concat();
        assert_eq!(format!("{:#}", parse(latin.as_slice()).unwrap_err()), "line 3: not UTF-8");
    }
}
